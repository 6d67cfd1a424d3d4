"""Gowin's cells: how a netlist is counted, and how nextpnr's counts and arguments are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bitlif.fpga import bitstream, synthesis
from bitlif.fpga.boards import BOARDS
from bitlif.fpga.families import BLOCKS, CELLS, FAMILIES, MULTIPLIERS, REGISTERS
from bitlif.fpga.gowin import count
from bitlif.fpga.place_and_route import read_placed
from bitlif.fpga.synthesis import add_pads, map_to_cells, place, read_report

from fake_tools import fake

GOWIN = FAMILIES["gowin"]

SOURCE = """
module top (input clk, input [19:0] a, b, output reg [7:0] p, q, output [3:0] r);
    reg [3:0] m [0:15];
    reg [19:0] s = 0;
    wire unused;
    assign r = m[b[3:0]];
    always @(posedge clk) begin
        s <= a;
        p[3:0] <= s[19:16] & s[15:12] & s[3:0];
        p[7:4] <= s[11:8];
        q <= q + s[7:0];
        if (s[0]) m[s[4:1]] <= s[8:5];
    end
endmodule
"""


def cell(kind: str, **wires: int) -> dict[str, Any]:
    return {"type": kind, "connections": {port: [wire] for port, wire in wires.items()}}


def counted(*cells: dict[str, Any]) -> dict[str, int]:
    return count({"cells": dict(enumerate(cells))})


def test_register_shares_a_cell_with_the_table_that_drives_it() -> None:
    table, register = cell("LUT2", I0=2, I1=3, F=4), cell("DFFE", D=4, CLK=5, Q=6)
    assert counted(table, register)[CELLS] == 1
    assert counted(table, register, register | {"type": "DFF"})[CELLS] == 2
    assert counted(table, cell("DFF", D=9, CLK=5, Q=6))[CELLS] == 2
    # A table behind a multiplexer has no register beside it.
    wide = cell("MUX2_LUT5", I0=4, I1=8, S0=9, O=10)
    assert counted(table, register, wide)[CELLS] == 2


def test_carry_chain_has_a_cell_before_its_first_adder() -> None:
    chain = [cell("ALU", CIN=2 + place, COUT=3 + place, SUM=20 + place) for place in range(5)]
    assert counted(*chain)[CELLS] == 6
    assert counted(*chain, cell("ALU", CIN=50, COUT=51, SUM=52))[CELLS] == 8


def test_hard_blocks_are_counted_in_whole_ones() -> None:
    kinds = (
        "MULT9X9",
        "MULT9X9",
        "MULT9X9",
        "MULT18X18",
        "MULT36X36",
        "SP",
        "SPX9",
        "SDPB",
        "DPX9B",
    )
    found = counted(*[cell(kind) for kind in kinds], cell("RAM16SDP4"))
    assert found == {CELLS: 8, REGISTERS: 6, BLOCKS: 4, MULTIPLIERS: 7}


def test_synthesised_cells_are_counted(tmp_path: Path) -> None:
    cells = map_to_cells(SOURCE, "top", GOWIN, tmp_path)
    found = count(json.loads((tmp_path / "netlist.json").read_text())["modules"]["top"])
    kinds = [own["type"] for own in cells.values()]
    # 20 registers of s and 4 of p without logic, 4 of p with, a chain of 8 bits with its registers,
    # and a distributed RAM.
    assert kinds.count("RAM16SDP4") == 1
    assert kinds.count("ALU") == 8
    assert found == {CELLS: 24 + 4 + 9 + 8 + 8, REGISTERS: 36 + 6, BLOCKS: 0, MULTIPLIERS: 0}
    add_pads(GOWIN, tmp_path)
    module = json.loads((tmp_path / "netlist.json").read_text())["modules"]["top"]
    added = [own["type"] for own in module["cells"].values()]
    assert (added.count("IBUF"), added.count("OBUF")) == (41, 20)


REPORT = {
    "critical_paths": [],
    "fmax": {"clk": {"achieved": 61.5, "constraint": 50.0}},
    "utilization": {
        "LUT4": {"used": 2000, "available": 8640}, "ALU": {"used": 500, "available": 6480},
        "DFF": {"used": 900, "available": 6480}, "RAM16SDP4": {"used": 10, "available": 270},
        "BSRAM": {"used": 7, "available": 26}, "MULT18X18": {"used": 3, "available": 20},
        "MULT9X9": {"used": 3, "available": 40}, "MULT36X36": {"used": 0, "available": 5},
    },
}  # fmt: skip


def test_shared_places_are_added_up() -> None:
    placed = read_placed(json.dumps(REPORT), BOARDS["tang-nano-9k"], 1, 50.0)
    used = {kind: own.used for kind, own in placed.use.items()}
    assert used == {
        CELLS: 2580, REGISTERS: 960, BLOCKS: 7, MULTIPLIERS: 5, "distributed RAMs": 10,
    }  # fmt: skip
    assert placed.use[CELLS].available == 8640
    row = read_report(json.dumps(REPORT), GOWIN, 1)
    assert (row.cells, row.flops, row.memories, row.multipliers) == (2580, 960, 7, 5)


def test_harness_is_placed_with_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = f"""
words = sys.argv[1:]
assert words[words.index("--device") + 1] == "GW1NR-LV9QN88PC6/I5"
assert "cst={synthesis.HARNESS_PINS}" in words
open(words[words.index("--report") + 1], "w").write({json.dumps(REPORT)!r})
"""
    monkeypatch.setenv("NEXTPNR_HIMBAECHEL", fake(tmp_path, "router", body))
    assert place(tmp_path, GOWIN, 1).mhz == 61.5
    assert 'IO_LOC "clk" 52;' in (tmp_path / synthesis.HARNESS_PINS).read_text()


def test_every_way_to_name_constraints() -> None:
    named = {name: own.toolchain.constrained_by("x") for name, own in FAMILIES.items()}
    assert named["gowin"] == ["--vopt", "cst=x"]
    assert named["ice40"] == ["--pcf", "x"]
    assert named["ecp5"] == ["--lpf", "x"]


def test_packer_gets_device_and_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(bitstream, "run_tool", lambda name, call, *rest: asked.append(call))
    board = BOARDS["tang-nano-20k"]
    request = bitstream.BuildRequest(config=bitstream.Config.load("tiny"), board=board.name)
    own = bitstream._Build(request, board, tmp_path, bitstream.no_notice)
    placed = read_placed(json.dumps(REPORT), board, 4, 50.0)
    assert own.pack(placed) == tmp_path / "tiny-tang-nano-20k.fs"
    assert asked[0][-5:] == ["-d", "GW2A-18C", "routed-4.json", "-o", "tiny-tang-nano-20k.fs"]
