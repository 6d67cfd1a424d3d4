// Simulation models, for techmap, of the Gowin cells for which Yosys has none. They cover the uses that
// Yosys' mapping makes of them; netlist.py rejects all others.

// The initial contents of a block RAM, 64 rows, and their concatenation.
`define BITLIF_GOWIN_ROWS(TOP) [TOP:0] \
    INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0, \
    INIT_RAM_04 = 0, INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0, \
    INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0, \
    INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0, \
    INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0, \
    INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0, \
    INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0, \
    INIT_RAM_1C = 0, INIT_RAM_1D = 0, INIT_RAM_1E = 0, INIT_RAM_1F = 0, \
    INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0, \
    INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0, \
    INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0, \
    INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0, \
    INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0, \
    INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, INIT_RAM_37 = 0, \
    INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0, \
    INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0
`define BITLIF_GOWIN_INIT { \
    INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38, \
    INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30, \
    INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28, \
    INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20, \
    INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18, \
    INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10, \
    INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08, \
    INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00 }

module MULT9X9 (
    input [8:0] A, B, SIA, SIB,
    input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
    output [17:0] DOUT
);
    // One bit wider than the factors, so that the signed product is correct for unsigned ones too.
    wire signed [9:0] a = {ASIGN & A[8], A};
    wire signed [9:0] b = {BSIGN & B[8], B};
    assign DOUT = a * b;
endmodule

module MULT18X18 (
    input [17:0] A, B, SIA, SIB,
    input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
    output [35:0] DOUT
);
    wire signed [18:0] a = {ASIGN & A[17], A};
    wire signed [18:0] b = {BSIGN & B[17], B};
    assign DOUT = a * b;
endmodule

module MULT36X36 (
    input [35:0] A, B,
    input ASIGN, BSIGN, CE, CLK, RESET,
    output [71:0] DOUT
);
    wire signed [36:0] a = {ASIGN & A[35], A};
    wire signed [36:0] b = {BSIGN & B[35], B};
    assign DOUT = a * b;
endmodule

// 512 words of four bytes of BYTE bits behind two ports that share a clock. A port of one byte or
// less takes a part of a word that the lowest five address bits choose. A wider one writes the bytes
// that address bits 0 to 3 enable. Port A comes first where both are one port of a cell.
//
// The hardware does not define a bit that one port writes while the other reads or writes it. Here
// it is inverted, so that a netlist that relies on it fails.
module bitlif_gowin_ram (
    input clk, ce_a, we_a, ce_b, we_b,
    input [13:0] ad_a, ad_b,
    input [35:0] di_a, di_b,
    output [35:0] do_a, do_b
);
    parameter BYTE = 8;
    parameter WIDTH_A = 8;
    parameter WIDTH_B = 8;
    parameter MODE_A = 0;
    parameter MODE_B = 0;
    parameter [2048 * BYTE - 1:0] INIT = 0;

    // First bit within a word that a port accesses.
    function [5:0] first;
        input integer width;
        input [4:0] low;
        case (width)
            1: first = BYTE * low[4:3] + low[2:0];
            2: first = BYTE * low[4:3] + {low[2:1], 1'b0};
            4: first = BYTE * low[4:3] + {low[2], 2'b00};
            BYTE: first = BYTE * low[4:3];
            2 * BYTE: first = low[4] ? 2 * BYTE : 0;
            default: first = 0;
        endcase
    endfunction

    // Bits that a port writes.
    function [35:0] reached;
        input integer width;
        input [4:0] low;
        case (width)
            1: reached = 36'h1 << first(1, low);
            2: reached = 36'h3 << first(2, low);
            4: reached = 36'hf << first(4, low);
            BYTE: reached = {BYTE{1'b1}} << first(BYTE, low);
            2 * BYTE: reached = {{BYTE{low[1]}}, {BYTE{low[0]}}} << first(2 * BYTE, low);
            default: reached = {{BYTE{low[3]}}, {BYTE{low[2]}}, {BYTE{low[1]}}, {BYTE{low[0]}}};
        endcase
    endfunction

    localparam [35:0] KEPT_A = (36'h1 << WIDTH_A) - 1;
    localparam [35:0] KEPT_B = (36'h1 << WIDTH_B) - 1;

    reg [4 * BYTE - 1:0] mem [0:511];

    integer k;
    initial for (k = 0; k < 512; k = k + 1) mem[k] = INIT[4 * BYTE * k +: 4 * BYTE];

    wire [8:0] at_a = ad_a[13:5];
    wire [8:0] at_b = ad_b[13:5];
    wire write_a = ce_a & we_a;
    wire write_b = ce_b & we_b;
    wire [35:0] bits_a = write_a ? reached(WIDTH_A, ad_a[4:0]) : 36'h0;
    wire [35:0] bits_b = write_b ? reached(WIDTH_B, ad_b[4:0]) : 36'h0;

    // Bits that the other port is writing.
    wire [35:0] torn_a = at_a == at_b ? bits_b : 36'h0;
    wire [35:0] torn_b = at_a == at_b ? bits_a : 36'h0;
    wire [35:0] old_a = mem[at_a] ^ torn_a;
    wire [35:0] old_b = mem[at_b] ^ torn_b;

    // Bits that take the value of the port, and the words with these bits replaced.
    wire [35:0] own_a = bits_a & ~torn_a;
    wire [35:0] own_b = bits_b & ~torn_b;
    wire [35:0] new_a = di_a << first(WIDTH_A, ad_a[4:0]);
    wire [35:0] new_b = di_b << first(WIDTH_B, ad_b[4:0]);
    wire [35:0] next_a = own_a & new_a | ~own_a & old_a;
    wire [35:0] next_b = own_b & new_b | ~own_b & old_b;

    // Whole words are written: one write per bit is slow in Yosys and in simulation. If both ports
    // write to one word, A writes the bits of B as well.
    wire meet = write_a & write_b & at_a == at_b;
    wire [35:0] joined = meet ? own_b : 36'h0;
    always @(posedge clk) begin
        if (write_a) mem[at_a] <= joined & new_b | ~joined & next_a;
        if (write_b && !meet) mem[at_b] <= next_b;
    end

    // Modes: 0 keeps the output during a write, 1 shows the new word, 2 the old one.
    wire [35:0] out_a = (MODE_A == 1 ? next_a : old_a) >> first(WIDTH_A, ad_a[4:0]) & KEPT_A;
    wire [35:0] out_b = (MODE_B == 1 ? next_b : old_b) >> first(WIDTH_B, ad_b[4:0]) & KEPT_B;
    reg [35:0] shown_a = 36'h0, shown_b = 36'h0;
    always @(posedge clk) begin
        if (ce_a && (MODE_A != 0 || !we_a)) shown_a <= out_a;
        if (ce_b && (MODE_B != 0 || !we_b)) shown_b <= out_b;
    end
    assign do_a = shown_a;
    assign do_b = shown_b;
endmodule

module SP (
    input CLK, CE, OCE, WRE, RESET,
    input [2:0] BLKSEL,
    input [13:0] AD,
    input [31:0] DI,
    output [31:0] DO
);
    parameter READ_MODE = 1'b0;
    parameter WRITE_MODE = 2'b00;
    parameter BIT_WIDTH = 32;
    parameter BLK_SEL = 3'b000;
    parameter RESET_MODE = "SYNC";
    parameter `BITLIF_GOWIN_ROWS(255);

    bitlif_gowin_ram #(
        .BYTE(8), .WIDTH_A(BIT_WIDTH), .WIDTH_B(BIT_WIDTH), .MODE_A(WRITE_MODE), .MODE_B(0),
        .INIT(`BITLIF_GOWIN_INIT)
    ) ram (
        .clk(CLK), .ce_a(CE), .we_a(WRE), .ad_a(AD), .di_a(DI), .do_a(DO),
        .ce_b(1'b0), .we_b(1'b0), .ad_b(14'h0), .di_b(36'h0), .do_b()
    );
endmodule

module SPX9 (
    input CLK, CE, OCE, WRE, RESET,
    input [2:0] BLKSEL,
    input [13:0] AD,
    input [35:0] DI,
    output [35:0] DO
);
    parameter READ_MODE = 1'b0;
    parameter WRITE_MODE = 2'b00;
    parameter BIT_WIDTH = 36;
    parameter BLK_SEL = 3'b000;
    parameter RESET_MODE = "SYNC";
    parameter `BITLIF_GOWIN_ROWS(287);

    bitlif_gowin_ram #(
        .BYTE(9), .WIDTH_A(BIT_WIDTH), .WIDTH_B(BIT_WIDTH), .MODE_A(WRITE_MODE), .MODE_B(0),
        .INIT(`BITLIF_GOWIN_INIT)
    ) ram (
        .clk(CLK), .ce_a(CE), .we_a(WRE), .ad_a(AD), .di_a(DI), .do_a(DO),
        .ce_b(1'b0), .we_b(1'b0), .ad_b(14'h0), .di_b(36'h0), .do_b()
    );
endmodule

module SDPB (
    input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
    input [2:0] BLKSELA, BLKSELB,
    input [13:0] ADA, ADB,
    input [31:0] DI,
    output [31:0] DO
);
    parameter READ_MODE = 1'b0;
    parameter BIT_WIDTH_0 = 32;
    parameter BIT_WIDTH_1 = 32;
    parameter BLK_SEL_0 = 3'b000;
    parameter BLK_SEL_1 = 3'b000;
    parameter RESET_MODE = "SYNC";
    parameter `BITLIF_GOWIN_ROWS(255);

    // Set by techmap. A port without a clock is unused.
    parameter _TECHMAP_CONSTMSK_CLKA_ = 1'b0;

    bitlif_gowin_ram #(
        .BYTE(8), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .MODE_A(0), .MODE_B(0),
        .INIT(`BITLIF_GOWIN_INIT)
    ) ram (
        .clk(_TECHMAP_CONSTMSK_CLKA_ ? CLKB : CLKA),
        .ce_a(CEA), .we_a(1'b1), .ad_a(ADA), .di_a(DI), .do_a(),
        .ce_b(CEB), .we_b(1'b0), .ad_b(ADB), .di_b(36'h0), .do_b(DO)
    );
endmodule

module SDPX9B (
    input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
    input [2:0] BLKSELA, BLKSELB,
    input [13:0] ADA, ADB,
    input [35:0] DI,
    output [35:0] DO
);
    parameter READ_MODE = 1'b0;
    parameter BIT_WIDTH_0 = 36;
    parameter BIT_WIDTH_1 = 36;
    parameter BLK_SEL_0 = 3'b000;
    parameter BLK_SEL_1 = 3'b000;
    parameter RESET_MODE = "SYNC";
    parameter `BITLIF_GOWIN_ROWS(287);

    // Set by techmap. A port without a clock is unused.
    parameter _TECHMAP_CONSTMSK_CLKA_ = 1'b0;

    bitlif_gowin_ram #(
        .BYTE(9), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .MODE_A(0), .MODE_B(0),
        .INIT(`BITLIF_GOWIN_INIT)
    ) ram (
        .clk(_TECHMAP_CONSTMSK_CLKA_ ? CLKB : CLKA),
        .ce_a(CEA), .we_a(1'b1), .ad_a(ADA), .di_a(DI), .do_a(),
        .ce_b(CEB), .we_b(1'b0), .ad_b(ADB), .di_b(36'h0), .do_b(DO)
    );
endmodule

module DPB (
    input CLKA, CEA, OCEA, WREA, RESETA, CLKB, CEB, OCEB, WREB, RESETB,
    input [2:0] BLKSELA, BLKSELB,
    input [13:0] ADA, ADB,
    input [15:0] DIA, DIB,
    output [15:0] DOA, DOB
);
    parameter READ_MODE0 = 1'b0;
    parameter READ_MODE1 = 1'b0;
    parameter WRITE_MODE0 = 2'b00;
    parameter WRITE_MODE1 = 2'b00;
    parameter BIT_WIDTH_0 = 16;
    parameter BIT_WIDTH_1 = 16;
    parameter BLK_SEL_0 = 3'b000;
    parameter BLK_SEL_1 = 3'b000;
    parameter RESET_MODE = "SYNC";
    parameter `BITLIF_GOWIN_ROWS(255);

    // Set by techmap. A port without a clock is unused.
    parameter _TECHMAP_CONSTMSK_CLKA_ = 1'b0;

    bitlif_gowin_ram #(
        .BYTE(8), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1),
        .MODE_A(WRITE_MODE0), .MODE_B(WRITE_MODE1),
        .INIT(`BITLIF_GOWIN_INIT)
    ) ram (
        .clk(_TECHMAP_CONSTMSK_CLKA_ ? CLKB : CLKA),
        .ce_a(CEA), .we_a(WREA), .ad_a(ADA), .di_a(DIA), .do_a(DOA),
        .ce_b(CEB), .we_b(WREB), .ad_b(ADB), .di_b(DIB), .do_b(DOB)
    );
endmodule

module DPX9B (
    input CLKA, CEA, OCEA, WREA, RESETA, CLKB, CEB, OCEB, WREB, RESETB,
    input [2:0] BLKSELA, BLKSELB,
    input [13:0] ADA, ADB,
    input [17:0] DIA, DIB,
    output [17:0] DOA, DOB
);
    parameter READ_MODE0 = 1'b0;
    parameter READ_MODE1 = 1'b0;
    parameter WRITE_MODE0 = 2'b00;
    parameter WRITE_MODE1 = 2'b00;
    parameter BIT_WIDTH_0 = 18;
    parameter BIT_WIDTH_1 = 18;
    parameter BLK_SEL_0 = 3'b000;
    parameter BLK_SEL_1 = 3'b000;
    parameter RESET_MODE = "SYNC";
    parameter `BITLIF_GOWIN_ROWS(287);

    // Set by techmap. A port without a clock is unused.
    parameter _TECHMAP_CONSTMSK_CLKA_ = 1'b0;

    bitlif_gowin_ram #(
        .BYTE(9), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1),
        .MODE_A(WRITE_MODE0), .MODE_B(WRITE_MODE1),
        .INIT(`BITLIF_GOWIN_INIT)
    ) ram (
        .clk(_TECHMAP_CONSTMSK_CLKA_ ? CLKB : CLKA),
        .ce_a(CEA), .we_a(WREA), .ad_a(ADA), .di_a(DIA), .do_a(DOA),
        .ce_b(CEB), .we_b(WREB), .ad_b(ADB), .di_b(DIB), .do_b(DOB)
    );
endmodule
