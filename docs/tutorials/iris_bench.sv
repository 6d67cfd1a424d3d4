// Feeds the steps in spikes.txt to the top, prints each answer, and writes a trace of the ports.
`timescale 1ns / 1ps

module iris_bench;
  localparam int N = 9, M = 3, STEPS = 64, WINDOWS = 38;

  logic clk = 0, rst = 1;
  logic step_valid = 0, step_ready, answer_valid;
  logic [N-1:0] spikes = '0, steps[WINDOWS*STEPS];
  logic [$clog2(M)-1:0] answer;
  logic [M-1:0][15:0] counts;
  int trace, sent = 0, answered = 0;

  iris_top #(.N(N), .M(M), .STEPS(STEPS)) top (.*);

  always #5 clk = !clk;  // 100 MHz

  initial begin
    $readmemb("spikes.txt", steps);
    trace = $fopen("trace.txt");
    repeat (2) @(negedge clk);
    rst = 0;
  end

  // Inputs change at falling edges, so that rising edges see stable values.
  always @(negedge clk) begin
    step_valid = !rst && sent < WINDOWS * STEPS;
    if (step_valid) spikes = steps[sent];
  end

  always @(posedge clk) begin
    if (step_valid && step_ready) sent <= sent + 1;
    if (answer_valid) begin
      $display("%0d %0d %0d %0d", answer, counts[0], counts[1], counts[2]);
      answered <= answered + 1;
      if (answered == WINDOWS - 1) $finish;
    end
    $fdisplay(trace, "%b %b %0d %b %b %0d %b %0d %b",
              step_valid, step_ready, spikes,
              top.event_valid, top.event_ready, top.event_payload,
              top.out_valid, top.out_payload, answer_valid);
  end
endmodule
