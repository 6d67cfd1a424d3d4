// Simulation model, for techmap, of the large RAM of an iCE40 UltraPlus. It covers the uses that
// Yosys' mapping makes of it: always on. netlist.py rejects all others.
//
// Hardware does not define the contents at power-up, nor what is shown after a write. Here the rows
// are stored with arbitrary bits inverted, so that a simulator's zeros are not the rows of the memory.
// After a write, the output shows the opposite of the old row. A netlist that relies on either fails.
module SB_SPRAM256KA (
    input [13:0] ADDRESS,
    input [15:0] DATAIN,
    input [3:0] MASKWREN,
    input WREN, CHIPSELECT, CLOCK, STANDBY, SLEEP, POWEROFF,
    output reg [15:0] DATAOUT
);
    reg [15:0] rows [0:16383];
    wire [15:0] arbitrary = {ADDRESS[6:0], ADDRESS[13:5]} ^ {ADDRESS[4:0], 11'h5a5};
    wire [15:0] row = DATAIN ^ arbitrary;
    always @(posedge CLOCK)
        if (CHIPSELECT) begin
            DATAOUT <= rows[ADDRESS] ^ arbitrary ^ {16{WREN}};
            if (WREN & MASKWREN[0]) rows[ADDRESS][3:0] <= row[3:0];
            if (WREN & MASKWREN[1]) rows[ADDRESS][7:4] <= row[7:4];
            if (WREN & MASKWREN[2]) rows[ADDRESS][11:8] <= row[11:8];
            if (WREN & MASKWREN[3]) rows[ADDRESS][15:12] <= row[15:12];
        end
endmodule
