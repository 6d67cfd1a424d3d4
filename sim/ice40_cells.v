// Simulation model, for techmap, of the iCE40's block RAM in place of Yosys' own, which lets a
// netlist rely on what silicon does not promise, and is slow to compile.

// 256 words of 16 bits behind a port that writes and one that reads, on one clock. In mode 0 a port
// takes a word; in modes 1 to 3 it takes every 2nd, 4th or 8th bit, beginning with the one that the
// upper address says, and has them at every 2nd, 4th or 8th pin.
//
// Silicon promises nothing about a bit that is written while it is read: it is read as the opposite
// of what it was, so that a netlist that relies on it shows.
module SB_RAM40_4K (
    output [15:0] RDATA,
    input RCLK, RCLKE, RE,
    input [10:0] RADDR,
    input WCLK, WCLKE, WE,
    input [10:0] WADDR,
    input [15:0] MASK, WDATA
);
    parameter WRITE_MODE = 0;
    parameter READ_MODE = 0;
    parameter [255:0] INIT_0 = 256'h0;
    parameter [255:0] INIT_1 = 256'h0;
    parameter [255:0] INIT_2 = 256'h0;
    parameter [255:0] INIT_3 = 256'h0;
    parameter [255:0] INIT_4 = 256'h0;
    parameter [255:0] INIT_5 = 256'h0;
    parameter [255:0] INIT_6 = 256'h0;
    parameter [255:0] INIT_7 = 256'h0;
    parameter [255:0] INIT_8 = 256'h0;
    parameter [255:0] INIT_9 = 256'h0;
    parameter [255:0] INIT_A = 256'h0;
    parameter [255:0] INIT_B = 256'h0;
    parameter [255:0] INIT_C = 256'h0;
    parameter [255:0] INIT_D = 256'h0;
    parameter [255:0] INIT_E = 256'h0;
    parameter [255:0] INIT_F = 256'h0;

    function [15:0] every;
        input integer mode;
        every = mode == 0 ? 16'hffff : mode == 1 ? 16'h5555 : mode == 2 ? 16'h1111 : 16'h0101;
    endfunction

    function integer first_pin;
        input integer mode;
        first_pin = mode == 3 ? 3 : mode == 2 ? 1 : 0;
    endfunction

    reg [15:0] mem [0:255];

    integer k;
    initial begin
        for (k = 0; k < 16; k = k + 1) begin
            mem[k] = INIT_0[16 * k +: 16];
            mem[16 + k] = INIT_1[16 * k +: 16];
            mem[32 + k] = INIT_2[16 * k +: 16];
            mem[48 + k] = INIT_3[16 * k +: 16];
            mem[64 + k] = INIT_4[16 * k +: 16];
            mem[80 + k] = INIT_5[16 * k +: 16];
            mem[96 + k] = INIT_6[16 * k +: 16];
            mem[112 + k] = INIT_7[16 * k +: 16];
            mem[128 + k] = INIT_8[16 * k +: 16];
            mem[144 + k] = INIT_9[16 * k +: 16];
            mem[160 + k] = INIT_A[16 * k +: 16];
            mem[176 + k] = INIT_B[16 * k +: 16];
            mem[192 + k] = INIT_C[16 * k +: 16];
            mem[208 + k] = INIT_D[16 * k +: 16];
            mem[224 + k] = INIT_E[16 * k +: 16];
            mem[240 + k] = INIT_F[16 * k +: 16];
        end
    end

    wire [2:0] read_from = READ_MODE == 0 ? 3'd0 : RADDR[10:8] & ((1 << READ_MODE) - 1);
    wire [2:0] write_from = WRITE_MODE == 0 ? 3'd0 : WADDR[10:8] & ((1 << WRITE_MODE) - 1);

    wire [15:0] reached = WRITE_MODE == 0 ? ~MASK : every(WRITE_MODE) << write_from;
    wire [15:0] bits = WE & WCLKE ? reached : 16'h0;
    wire [15:0] given = (WDATA >> first_pin(WRITE_MODE) & every(WRITE_MODE)) << write_from;

    // A whole word is written: a write for every bit takes Yosys long, and makes slow code.
    always @(posedge WCLK)
        if (WE & WCLKE) mem[WADDR[7:0]] <= bits & given | ~bits & mem[WADDR[7:0]];

    wire [15:0] torn = RADDR[7:0] == WADDR[7:0] ? bits : 16'h0;
    wire [15:0] word = mem[RADDR[7:0]] ^ torn;

    reg [15:0] taken;
    always @(posedge RCLK)
        if (RE & RCLKE) taken <= word >> read_from & every(READ_MODE);

    assign RDATA = taken << first_pin(READ_MODE);
endmodule
