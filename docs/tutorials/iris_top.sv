// An example top around an exported bitlif core: the spikes of a step go in as one vector, and the
// class of each window comes out. Inference only; N, M and STEPS are those of the configuration.

module iris_top #(
    parameter int N = 9,       // inputs
    parameter int M = 3,       // neurons, one for each class
    parameter int STEPS = 64   // steps of a window
) (
    input  logic                   clk,
    input  logic                   rst,
    // Spikes of one step, taken at a rising edge with step_valid and step_ready.
    input  logic                   step_valid,
    output logic                   step_ready,
    input  logic [N-1:0]           spikes,
    // One clock cycle at the end of each window.
    output logic                   answer_valid,
    output logic [$clog2(M)-1:0]   answer,
    output logic [M-1:0][15:0]     counts
);
  localparam int AddressBits = $clog2(N);
  localparam int NeuronBits = $clog2(M);

  // -- spikes of a step to a stream of events -----------------------------------------------------
  logic [N-1:0] pending;
  logic busy;
  logic event_valid, event_ready;
  logic [AddressBits-1:0] first;  // number of the lowest spike that has not been sent
  wire last = pending == '0;

  always_comb begin
    first = '0;
    for (int i = N - 1; i >= 0; i--) if (pending[i]) first = AddressBits'(i);
  end

  assign step_ready  = !busy;
  assign event_valid = busy;
  // The event with `last` ends the step. Its address means nothing.
  wire [AddressBits:0] event_payload = {last, first};

  always_ff @(posedge clk) begin
    if (rst) begin
      busy <= 1'b0;
    end else if (step_valid && step_ready) begin
      busy <= 1'b1;
      pending <= spikes;
    end else if (event_valid && event_ready) begin
      if (last) busy <= 1'b0;
      else pending[first] <= 1'b0;
    end
  end

  // -- the core -----------------------------------------------------------------------------------
  logic out_valid;
  logic [NeuronBits:0] out_payload;
  wire out_last = out_payload[NeuronBits];
  wire [NeuronBits-1:0] out_neuron = out_payload[NeuronBits-1:0];

  bitlif_iris core (
      .clk(clk),
      .rst(rst),
      .i_events__valid(event_valid),
      .i_events__ready(event_ready),
      .i_events__payload(event_payload),
      .o_events__valid(out_valid),
      .o_events__ready(1'b1),
      .o_events__payload(out_payload),
      // Weights are built in. The host port, which could change them, is not used; the header of
      // the core's file has the widths.
      .host__address(5'd0),
      .host__weights_enable(1'd0),
      .host__weights_data(10'd0),
      .host__schedule_enable(1'd0),
      .host__schedule_data(36'd0)
  );

  // -- spike counts and the class with the most spikes --------------------------------------------
  logic [$clog2(STEPS)-1:0] step;
  logic [M-1:0][15:0] counting;

  always_comb begin
    answer = '0;
    for (int i = 1; i < M; i++) if (counts[i] > counts[answer]) answer = NeuronBits'(i);
  end

  always_ff @(posedge clk) begin
    answer_valid <= 1'b0;
    if (rst) begin
      step <= '0;
      counting <= '0;
    end else if (out_valid && !out_last) begin
      counting[out_neuron] <= counting[out_neuron] + 16'd1;
    end else if (out_valid) begin
      step <= step + 1'b1;
      if (step == $bits(step)'(STEPS - 1)) begin
        step <= '0;
        counts <= counting;
        counting <= '0;
        answer_valid <= 1'b1;
      end
    end
  end
endmodule
