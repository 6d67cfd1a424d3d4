
module top (input clk, input [15:0] a, b, output reg [31:0] o0, o1, o2, output reg [19:0] o3);
    always @(posedge clk) begin
        o0 <= a * b; o1 <= $signed(a) * $signed(b); o2 <= $signed(a) * $signed({1'b0, b[10:0]});
        o3 <= a[10:0] * b[8:0];
    end
endmodule
