"""Memories with one port in the large RAM of a UP5K, and in block RAM elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import bitlif.fpga
import bitlif.sim
from bitlif.fpga.families import FAMILIES
from bitlif.fpga.large_ram import LargeRam, chosen, with_large_ram
from bitlif.fpga.memory_table import memory_rows
from bitlif.fpga.netlist import make_netlist, mapped_core
from bitlif.hdl.export.convert import to_verilog
from bitlif.hdl.export.verilog import core_name, core_verilog
from bitlif.hdl.export.verilog_fixups import fix_verilog
from bitlif.hdl.single_port import SinglePortMemory
from bitlif.model.config.config import Config

from agreement import run_both
from verilog_bench import simulated

UP5K = LargeRam(16384, 16, 4, 4)
SHAPES = [(300, 18, 3), (40, 70, 1), (20000, 12, 2)]
"""Rows, bits and parts of memories: two, none and two large RAMs of a UP5K."""


def memory_verilog(rows: int, bits: int, parts: int, name: str) -> str:
    """Return a memory as Verilog."""
    return fix_verilog(to_verilog(SinglePortMemory(rows, bits, parts=parts), name))


def all_verilog() -> str:
    """Return a module ``top`` with memories of all shapes."""
    texts = [memory_verilog(*shape, f"memory{place}") for place, shape in enumerate(SHAPES)]
    parts, low = [], 0
    for place, (rows, bits, enables) in enumerate(SHAPES):
        parts.append(
            f"memory{place} own{place} (.clk(clk), .rst(rst), .data(data[{bits - 1}:0]), "
            f".address(at{place}[{(rows - 1).bit_length() - 1}:0]), "
            f".enable(enable[{enables - 1}:0]), .read(o[{low} +: {bits}]));\n"
        )
        low += bits
    ports = "input clk, rst, input [14:0] at0, at1, at2, input [2:0] enable, input [69:0] data"
    return "".join(texts) + f"module top ({ports}, output [99:0] o);\n{''.join(parts)}endmodule\n"


ROWS = [rows for rows, _, _ in SHAPES]
BENCH = f"""
module bench;
    reg clk = 0, rst = 0, last = 0;
    reg [3:0] near = 0;
    reg [2:0] enable = 0;
    reg [69:0] data = 0;
    wire [99:0] x, y;
    integer n, bad = 0, read = 0;
    wire [14:0] at0 = last ? {ROWS[0] - 1} - near : near;
    wire [14:0] at1 = last ? {ROWS[1] - 1} - near : near;
    wire [14:0] at2 = last ? {ROWS[2] - 1} - near : near;
    top one (.clk(clk), .rst(rst), .at0(at0), .at1(at1), .at2(at2), .enable(enable), .data(data),
             .o(x));
    netlist two (.clk(clk), .rst(rst), .at0(at0), .at1(at1), .at2(at2), .enable(enable),
                 .data(data), .o(y));
    initial begin
        for (n = 0; n < 3000; n = n + 1) begin
            // The first 32 clock cycles write every row in use.
            enable = n < 32 ? 7 : $urandom & 1 ? $urandom : 0;
            {{last, near}} = n < 32 ? n : $urandom;
            data = {{$urandom, $urandom, $urandom}};
            rst = n > 32 && ($urandom & 7) == 0;
            #1 clk = 1;
            #1 if (enable == 0) begin read = read + 1; bad = bad + (x !== y); end
            #1 clk = 0;
        end
        $display("%0d differences in %0d reads", bad, read);
        $finish;
    end
endmodule
"""


@pytest.mark.parametrize(("family", "large", "block"), [("ice40", 4, 5), ("ecp5", 0, 21)])
def test_netlist_reads_and_writes_as_its_source(
    family: str, large: int, block: int, tmp_path: Path
) -> None:
    source = all_verilog()
    made = make_netlist(source, "top", family, tmp_path)
    assert made.cells.get("SB_SPRAM256KA", 0) == large
    assert made.cells.get("SB_RAM40_4K" if family == "ice40" else "DP16KD") == block
    netlist = re.sub(r"^module top\b", "module netlist", made.verilog.read_text(), flags=re.M)
    said = simulated(tmp_path, BENCH, source, netlist)
    found = re.search(r"(\d+) differences in (\d+) reads", said)
    assert found is not None
    assert int(found[2]) > 1000
    assert found[1] == "0"


CELL = """
module bench;
    reg clk = 0, write = 0, chosen = 1;
    reg [13:0] at = 0;
    reg [15:0] data = 16'h1234;
    reg [3:0] mask = 15;
    wire [15:0] q;
    integer n, zeros = 0;
    SB_SPRAM256KA own (.CLOCK(clk), .ADDRESS(at), .DATAIN(data), .MASKWREN(mask), .WREN(write),
        .CHIPSELECT(chosen), .STANDBY(1'b0), .SLEEP(1'b0), .POWEROFF(1'b1), .DATAOUT(q));
    task clock; begin #1 clk = 1; #1 clk = 0; #1; end endtask
    initial begin
        // As in a simulator that knows no unknown bits.
        for (n = 0; n < 16384; n = n + 1) own.rows[n] = 0;
        for (n = 0; n < 16384; n = n + 1) begin at = n; clock; zeros = zeros + (q == 0); end
        $display("%0d", zeros);
        at = 7; write = 1; clock; write = 0; clock; $display("%h", q);
        data = 16'hffff; mask = 2; write = 1; clock; $display("%h", q);
        write = 0; clock; $display("%h", q);
        chosen = 0; at = 8; write = 1; clock; $display("%h", q);
        chosen = 1; at = 7; write = 0; clock; $display("%h", q);
    end
endmodule
"""


def test_model_of_the_cell_shows_garbage_where_the_hardware_is_undefined(tmp_path: Path) -> None:
    model = Path(bitlif.fpga.__file__).with_name("ice40_cells.v").read_text()
    zeros, *shown = simulated(tmp_path, CELL, model).splitlines()
    # Rows are arbitrary at power-up: a few may be zero.
    assert int(zeros) < 20
    # After a write, the opposite of the old row; a cell that is not selected does nothing.
    assert shown == ["1234", "edcb", "12f4", "12f4", "12f4"]


def test_ram_of_the_up5k_is_known() -> None:
    assert FAMILIES["ice40"].large == UP5K
    assert FAMILIES["ice40hx"].large is FAMILIES["ecp5"].large is None


@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ([], []),
        ([(16384, 16, 1)], [1]),
        ([(16385, 16, 1)], [2]),
        ([(10, 17, 1)], [2]),
        # Parts of five bits take two write enables of four bits each.
        ([(10, 15, 3)], [2]),
        ([(10240, 16, 2), (10240, 48, 1)], [1, 3]),
        # The larger one first; then one that still fits.
        ([(100, 20, 1), (10240, 48, 1), (100, 16, 1)], [0, 3, 1]),
        ([(10, 80, 10)], [0]),
    ],
)
def test_memories_get_large_ram_as_long_as_there_is_some(
    sizes: list[tuple[int, int, int]], counts: list[int]
) -> None:
    assert chosen(sizes, UP5K) == counts
    assert chosen(sizes, None) == [0] * len(sizes)


def test_only_single_port_memories_are_marked() -> None:
    text = memory_verilog(100, 12, 2, "top")
    plain = text.replace("single_port = 32'd2", "other = 32'd2")
    assert with_large_ram(plain, UP5K) == plain
    assert with_large_ram(text, None) == text
    marked = with_large_ram(text, UP5K)
    assert marked.count('(* ram_style = "huge" *)\n  reg [11:0] ') == 1
    assert marked.replace('  (* ram_style = "huge" *)\n', "") == text
    # Rows of 70 bits need more than there is.
    assert "huge" not in with_large_ram(memory_verilog(100, 70, 1, "top"), UP5K)


def test_netlist_of_a_core_with_single_port_memories_matches_the_model() -> None:
    config = Config.load("tiny").replace(
        gates__single_port="all", layer__lanes=1, gates__synapses=2, window__steps=6
    )
    kinds = {row.memory: row for row in memory_rows(config, "ice40") if row.kind == "large RAM"}
    assert set(kinds) == {"weights", "gradient"}
    mapped = mapped_core(core_verilog(config), core_name(config), "ice40")
    cells = json.loads(mapped.read_text())["modules"][core_name(config)]["cells"].values()
    large = sum(cell["type"] == "SB_SPRAM256KA" for cell in cells)
    assert large == sum(row.blocks for row in kinds.values())
    with bitlif.sim.open(config, "netlist:ice40") as core:
        # The rows at power-up are arbitrary: the weights have been loaded.
        assert not core.weights().any()
        run_both(core, seed=2, windows=6)
