// Simulation models, for techmap, of the two ECP5 cells for which Yosys has none. They cover the uses
// that Yosys' mapping makes of them; netlist.py rejects all others.

module MULT18X18D (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
    P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    // One bit wider than the operands, so that the signed product is correct for unsigned ones too.
    wire signed [18:0] a = {
        SIGNEDA & A17, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2,
        A1, A0
    };
    wire signed [18:0] b = {
        SIGNEDB & B17, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2,
        B1, B0
    };
    assign {
        P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
        P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
    } = a * b;
endmodule

// 1024 words of 18 bits behind two ports that share a clock. A port of 36 bits takes two words, and
// only it writes (A) or reads (B). A port of 9 bits or fewer takes a part of a word; one of 4 bits or
// fewer never reaches the ninth bit of a byte.
//
// The hardware does not define a bit that one port writes while the other reads or writes it. Here
// it is inverted, so that a netlist that relies on it fails.
module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
    DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1,
    ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
    DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1,
    ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG";
    parameter REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL";
    parameter WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter GSR = "ENABLED";
    parameter [319:0] INITVAL_00 = 320'h0;
    parameter [319:0] INITVAL_01 = 320'h0;
    parameter [319:0] INITVAL_02 = 320'h0;
    parameter [319:0] INITVAL_03 = 320'h0;
    parameter [319:0] INITVAL_04 = 320'h0;
    parameter [319:0] INITVAL_05 = 320'h0;
    parameter [319:0] INITVAL_06 = 320'h0;
    parameter [319:0] INITVAL_07 = 320'h0;
    parameter [319:0] INITVAL_08 = 320'h0;
    parameter [319:0] INITVAL_09 = 320'h0;
    parameter [319:0] INITVAL_0A = 320'h0;
    parameter [319:0] INITVAL_0B = 320'h0;
    parameter [319:0] INITVAL_0C = 320'h0;
    parameter [319:0] INITVAL_0D = 320'h0;
    parameter [319:0] INITVAL_0E = 320'h0;
    parameter [319:0] INITVAL_0F = 320'h0;
    parameter [319:0] INITVAL_10 = 320'h0;
    parameter [319:0] INITVAL_11 = 320'h0;
    parameter [319:0] INITVAL_12 = 320'h0;
    parameter [319:0] INITVAL_13 = 320'h0;
    parameter [319:0] INITVAL_14 = 320'h0;
    parameter [319:0] INITVAL_15 = 320'h0;
    parameter [319:0] INITVAL_16 = 320'h0;
    parameter [319:0] INITVAL_17 = 320'h0;
    parameter [319:0] INITVAL_18 = 320'h0;
    parameter [319:0] INITVAL_19 = 320'h0;
    parameter [319:0] INITVAL_1A = 320'h0;
    parameter [319:0] INITVAL_1B = 320'h0;
    parameter [319:0] INITVAL_1C = 320'h0;
    parameter [319:0] INITVAL_1D = 320'h0;
    parameter [319:0] INITVAL_1E = 320'h0;
    parameter [319:0] INITVAL_1F = 320'h0;
    parameter [319:0] INITVAL_20 = 320'h0;
    parameter [319:0] INITVAL_21 = 320'h0;
    parameter [319:0] INITVAL_22 = 320'h0;
    parameter [319:0] INITVAL_23 = 320'h0;
    parameter [319:0] INITVAL_24 = 320'h0;
    parameter [319:0] INITVAL_25 = 320'h0;
    parameter [319:0] INITVAL_26 = 320'h0;
    parameter [319:0] INITVAL_27 = 320'h0;
    parameter [319:0] INITVAL_28 = 320'h0;
    parameter [319:0] INITVAL_29 = 320'h0;
    parameter [319:0] INITVAL_2A = 320'h0;
    parameter [319:0] INITVAL_2B = 320'h0;
    parameter [319:0] INITVAL_2C = 320'h0;
    parameter [319:0] INITVAL_2D = 320'h0;
    parameter [319:0] INITVAL_2E = 320'h0;
    parameter [319:0] INITVAL_2F = 320'h0;
    parameter [319:0] INITVAL_30 = 320'h0;
    parameter [319:0] INITVAL_31 = 320'h0;
    parameter [319:0] INITVAL_32 = 320'h0;
    parameter [319:0] INITVAL_33 = 320'h0;
    parameter [319:0] INITVAL_34 = 320'h0;
    parameter [319:0] INITVAL_35 = 320'h0;
    parameter [319:0] INITVAL_36 = 320'h0;
    parameter [319:0] INITVAL_37 = 320'h0;
    parameter [319:0] INITVAL_38 = 320'h0;
    parameter [319:0] INITVAL_39 = 320'h0;
    parameter [319:0] INITVAL_3A = 320'h0;
    parameter [319:0] INITVAL_3B = 320'h0;
    parameter [319:0] INITVAL_3C = 320'h0;
    parameter [319:0] INITVAL_3D = 320'h0;
    parameter [319:0] INITVAL_3E = 320'h0;
    parameter [319:0] INITVAL_3F = 320'h0;

    // Set by techmap. A port without a clock is unused.
    parameter _TECHMAP_CONSTMSK_CLKA_ = 1'b0;
    parameter _TECHMAP_CONSTMSK_RSTA_ = 1'b0;
    parameter _TECHMAP_CONSTVAL_RSTA_ = 1'b0;
    parameter _TECHMAP_CONSTMSK_RSTB_ = 1'b0;
    parameter _TECHMAP_CONSTVAL_RSTB_ = 1'b0;
    localparam CLEAR_A = !(_TECHMAP_CONSTMSK_RSTA_ && _TECHMAP_CONSTVAL_RSTA_ == 1'b0);
    localparam CLEAR_B = !(_TECHMAP_CONSTMSK_RSTB_ && _TECHMAP_CONSTVAL_RSTB_ == 1'b0);

    localparam SYNC = RESETMODE == "SYNC";
    localparam PAIR_A = DATA_WIDTH_A == 36;
    localparam PAIR_B = DATA_WIDTH_B == 36;

    wire clk = _TECHMAP_CONSTMSK_CLKA_ ? CLKB ^ (CLKBMUX == "INV") : CLKA ^ (CLKAMUX == "INV");
    wire rst_a = CLEAR_A ? RSTA : 1'b0;
    wire rst_b = CLEAR_B ? RSTB : 1'b0;

    wire [13:0] ad_a = {
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
    };
    wire [17:0] di_a = {
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
        DIA4, DIA3, DIA2, DIA1, DIA0
    };
    wire [13:0] ad_b = {
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0
    };
    wire [17:0] di_b = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
        DIB4, DIB3, DIB2, DIB1, DIB0
    };

    // First bit within a word that a port accesses.
    function [4:0] first;
        input integer width;
        input [3:0] low;
        case (width)
            1: first = (low[3] ? 5'd9 : 5'd0) + low[2:0];
            2: first = (low[3] ? 5'd9 : 5'd0) + {low[2:1], 1'b0};
            4: first = (low[3] ? 5'd9 : 5'd0) + {low[2], 2'b00};
            9: first = low[3] ? 5'd9 : 5'd0;
            default: first = 5'd0;
        endcase
    endfunction

    // Bits that a port writes. Wide ports have their byte enables in place of the lowest addresses.
    function [17:0] reached;
        input integer width;
        input [3:0] low;
        case (width)
            1: reached = 18'h00001 << first(1, low);
            2: reached = 18'h00003 << first(2, low);
            4: reached = 18'h0000f << first(4, low);
            9: reached = 18'h001ff << first(9, low);
            default: reached = {{9{low[1]}}, {9{low[0]}}};
        endcase
    endfunction

    localparam [17:0] KEPT_A = DATA_WIDTH_A >= 18 ? 18'h3ffff : (18'h1 << DATA_WIDTH_A) - 1;
    localparam [17:0] KEPT_B = DATA_WIDTH_B >= 18 ? 18'h3ffff : (18'h1 << DATA_WIDTH_B) - 1;

    reg [17:0] mem [0:1023];

    integer k;
    initial begin
        for (k = 0; k < 16; k = k + 1) begin
            mem[0 + k] = INITVAL_00[20 * k +: 18];
            mem[16 + k] = INITVAL_01[20 * k +: 18];
            mem[32 + k] = INITVAL_02[20 * k +: 18];
            mem[48 + k] = INITVAL_03[20 * k +: 18];
            mem[64 + k] = INITVAL_04[20 * k +: 18];
            mem[80 + k] = INITVAL_05[20 * k +: 18];
            mem[96 + k] = INITVAL_06[20 * k +: 18];
            mem[112 + k] = INITVAL_07[20 * k +: 18];
            mem[128 + k] = INITVAL_08[20 * k +: 18];
            mem[144 + k] = INITVAL_09[20 * k +: 18];
            mem[160 + k] = INITVAL_0A[20 * k +: 18];
            mem[176 + k] = INITVAL_0B[20 * k +: 18];
            mem[192 + k] = INITVAL_0C[20 * k +: 18];
            mem[208 + k] = INITVAL_0D[20 * k +: 18];
            mem[224 + k] = INITVAL_0E[20 * k +: 18];
            mem[240 + k] = INITVAL_0F[20 * k +: 18];
            mem[256 + k] = INITVAL_10[20 * k +: 18];
            mem[272 + k] = INITVAL_11[20 * k +: 18];
            mem[288 + k] = INITVAL_12[20 * k +: 18];
            mem[304 + k] = INITVAL_13[20 * k +: 18];
            mem[320 + k] = INITVAL_14[20 * k +: 18];
            mem[336 + k] = INITVAL_15[20 * k +: 18];
            mem[352 + k] = INITVAL_16[20 * k +: 18];
            mem[368 + k] = INITVAL_17[20 * k +: 18];
            mem[384 + k] = INITVAL_18[20 * k +: 18];
            mem[400 + k] = INITVAL_19[20 * k +: 18];
            mem[416 + k] = INITVAL_1A[20 * k +: 18];
            mem[432 + k] = INITVAL_1B[20 * k +: 18];
            mem[448 + k] = INITVAL_1C[20 * k +: 18];
            mem[464 + k] = INITVAL_1D[20 * k +: 18];
            mem[480 + k] = INITVAL_1E[20 * k +: 18];
            mem[496 + k] = INITVAL_1F[20 * k +: 18];
            mem[512 + k] = INITVAL_20[20 * k +: 18];
            mem[528 + k] = INITVAL_21[20 * k +: 18];
            mem[544 + k] = INITVAL_22[20 * k +: 18];
            mem[560 + k] = INITVAL_23[20 * k +: 18];
            mem[576 + k] = INITVAL_24[20 * k +: 18];
            mem[592 + k] = INITVAL_25[20 * k +: 18];
            mem[608 + k] = INITVAL_26[20 * k +: 18];
            mem[624 + k] = INITVAL_27[20 * k +: 18];
            mem[640 + k] = INITVAL_28[20 * k +: 18];
            mem[656 + k] = INITVAL_29[20 * k +: 18];
            mem[672 + k] = INITVAL_2A[20 * k +: 18];
            mem[688 + k] = INITVAL_2B[20 * k +: 18];
            mem[704 + k] = INITVAL_2C[20 * k +: 18];
            mem[720 + k] = INITVAL_2D[20 * k +: 18];
            mem[736 + k] = INITVAL_2E[20 * k +: 18];
            mem[752 + k] = INITVAL_2F[20 * k +: 18];
            mem[768 + k] = INITVAL_30[20 * k +: 18];
            mem[784 + k] = INITVAL_31[20 * k +: 18];
            mem[800 + k] = INITVAL_32[20 * k +: 18];
            mem[816 + k] = INITVAL_33[20 * k +: 18];
            mem[832 + k] = INITVAL_34[20 * k +: 18];
            mem[848 + k] = INITVAL_35[20 * k +: 18];
            mem[864 + k] = INITVAL_36[20 * k +: 18];
            mem[880 + k] = INITVAL_37[20 * k +: 18];
            mem[896 + k] = INITVAL_38[20 * k +: 18];
            mem[912 + k] = INITVAL_39[20 * k +: 18];
            mem[928 + k] = INITVAL_3A[20 * k +: 18];
            mem[944 + k] = INITVAL_3B[20 * k +: 18];
            mem[960 + k] = INITVAL_3C[20 * k +: 18];
            mem[976 + k] = INITVAL_3D[20 * k +: 18];
            mem[992 + k] = INITVAL_3E[20 * k +: 18];
            mem[1008 + k] = INITVAL_3F[20 * k +: 18];
        end
    end

    wire [9:0] at_a = PAIR_A ? {ad_a[13:5], 1'b0} : ad_a[13:4];
    wire [9:0] at_b = PAIR_B ? {ad_b[13:5], 1'b0} : ad_b[13:4];
    wire [9:0] at_a_high = {ad_a[13:5], 1'b1};
    wire [9:0] at_b_high = {ad_b[13:5], 1'b1};

    // A synchronous reset of a port blocks its writes.
    wire write_a = CEA & WEA & ~(SYNC & rst_a);
    wire write_b = CEB & WEB & ~(SYNC & rst_b);
    wire [17:0] bits_a = write_a ? reached(DATA_WIDTH_A, ad_a[3:0]) : 18'h0;
    wire [17:0] bits_b = write_b ? reached(DATA_WIDTH_B, ad_b[3:0]) : 18'h0;
    wire [17:0] bits_a_high = write_a ? {{9{ad_a[3]}}, {9{ad_a[2]}}} : 18'h0;

    // Bits that the other port is writing.
    wire [17:0] torn_a = at_a == at_b ? bits_b : 18'h0;
    wire [17:0] torn_b = at_b == at_a ? bits_a : PAIR_A && at_b == at_a_high ? bits_a_high : 18'h0;
    wire [17:0] torn_b_high = PAIR_A && at_b_high == at_a_high ? bits_a_high : 18'h0;

    wire [17:0] old_a = mem[at_a] ^ torn_a;
    wire [17:0] old_b = mem[at_b] ^ torn_b;
    wire [17:0] old_b_high = mem[at_b_high] ^ torn_b_high;

    // Bits that take the value of the port, and the words with these bits replaced.
    wire [17:0] own_a = bits_a & ~torn_a;
    wire [17:0] own_b = bits_b & ~torn_b;
    wire [17:0] new_a = di_a << first(DATA_WIDTH_A, ad_a[3:0]);
    wire [17:0] new_b = di_b << first(DATA_WIDTH_B, ad_b[3:0]);
    wire [17:0] next_a = own_a & new_a | ~own_a & old_a;
    wire [17:0] next_b = own_b & new_b | ~own_b & old_b;

    // Whole words are written: one write per bit is slow in Yosys and in simulation. If both ports
    // write to one word, A writes the bits of B as well.
    wire meet = write_a & write_b & at_a == at_b;
    wire [17:0] joined = meet ? own_b : 18'h0;
    wire [17:0] high = bits_a_high & di_b | ~bits_a_high & mem[at_a_high];
    always @(posedge clk) begin
        if (write_a) mem[at_a] <= joined & new_b | ~joined & next_a;
        if (PAIR_A && write_a) mem[at_a_high] <= high;
        if (!PAIR_A && write_b && !meet) mem[at_b] <= next_b;
    end

    wire read_a = CEA & (WRITEMODE_A != "NORMAL" | ~WEA);
    wire read_b = CEB & (WRITEMODE_B != "NORMAL" | ~WEB);
    wire [17:0] take_a = WRITEMODE_A == "WRITETHROUGH" ? next_a : old_a;
    wire [17:0] take_b = WRITEMODE_B == "WRITETHROUGH" ? next_b : old_b;
    wire [17:0] out_a = take_a >> first(DATA_WIDTH_A, ad_a[3:0]) & KEPT_A;
    wire [17:0] out_b = take_b >> first(DATA_WIDTH_B, ad_b[3:0]) & KEPT_B;

    reg [17:0] do_a = 18'h0, do_b = 18'h0, do_b_high = 18'h0;
    generate
        if (SYNC || !CLEAR_A) begin
            always @(posedge clk)
                if (rst_a) do_a <= 18'h0;
                else if (read_a) do_a <= out_a;
        end else begin
            always @(posedge clk, posedge rst_a)
                if (rst_a) do_a <= 18'h0;
                else if (read_a) do_a <= out_a;
        end
        if (SYNC || !CLEAR_B) begin
            always @(posedge clk)
                if (rst_b) {do_b_high, do_b} <= 36'h0;
                else if (read_b) {do_b_high, do_b} <= {old_b_high, out_b};
        end else begin
            always @(posedge clk, posedge rst_b)
                if (rst_b) {do_b_high, do_b} <= 36'h0;
                else if (read_b) {do_b_high, do_b} <= {old_b_high, out_b};
        end
    endgenerate

    assign {
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
        DOA4, DOA3, DOA2, DOA1, DOA0
    } = PAIR_B ? do_b : do_a;
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
        DOB4, DOB3, DOB2, DOB1, DOB0
    } = PAIR_B ? do_b_high : do_b;
endmodule
