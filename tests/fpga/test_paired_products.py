"""Two products of 8 x 8 bits in one multiplier: their values, and what is not paired."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bitlif.fpga.netlist import make_netlist
from bitlif.fpga.paired_products import pair_products

PORTS = "input clk, en, input [7:0] a, b, c, d, output signed [23:0] o0, o1, o2, o3"
NAMES = ".clk(clk), .en(en), .a(a), .b(b), .c(c), .d(d), " + ", ".join(
    f".o{k}({{}}[{24 * k} +: 24])" for k in range(4)
)
REGISTERED = """
    reg signed [15:0] p0 = 0, p1 = 0, p2 = 0;
    reg signed [14:0] p3 = 0;
    always @(posedge clk) begin p0 <= X; p1 <= Y; p2 <= Z; p3 <= W; end
    assign o0 = p0, o1 = {{8{p1[15]}}, p1}, o2 = p2, o3 = {{9{p3[14]}}, p3};"""
FACTORS = """
    reg [7:0] ra = 0, rb = 0, rc = 0, rd = 0;
    always @(posedge clk) if (E) begin ra <= a; rb <= b; rc <= c; rd <= d; end"""
SIGNED = {
    "X": "$signed(ra) * $signed({1'b0, rb})", "Y": "$signed({1'b0, rd}) * $signed(rc)",
    "Z": "$signed(rb) * $signed({1'b0, ra})", "W": "$signed(rd) * $signed({1'b0, ra[5:0]})",
}  # fmt: skip
BOTH = {
    "X": "$signed(ra) * $signed(rb)", "Y": "$signed(rc) * $signed(rd)",
    "Z": "$signed(rc) * $signed(ra)", "W": "$signed(rb) * $signed(rd[6:0])",
}  # fmt: skip
NEITHER = {"X": "ra * rb", "Y": "rd * rc", "Z": "rb * rd", "W": "rd * ra[5:0]"}
MODULES = {
    "mixed": (FACTORS.replace("if (E)", "") + REGISTERED, SIGNED),
    "held": (FACTORS.replace("E", "en") + REGISTERED, SIGNED),
    "both": (FACTORS.replace("if (E)", "") + REGISTERED, BOTH),
    "neither": (FACTORS.replace("if (E)", "") + REGISTERED, NEITHER),
    "open": (
        FACTORS.replace("if (E)", "") + """
    assign o0 = X, o1 = Y, o2 = Z, o3 = W;""",
        SIGNED,
    ),
}  # fmt: skip
"""Bodies of modules with four products each, all of which can be paired."""


GROUPS = [("mixed", "held", "neither"), ("both", "open")]
"""Modules that are synthesised together: an UP5K has 8 multipliers."""


def source(group: tuple[str, ...]) -> str:
    """Return a module ``top`` with some modules in it."""
    text = ""
    for name in group:
        body, products = MODULES[name]
        for letter, product_of in products.items():
            body = re.sub(rf"\b{letter}\b", product_of, body)
        text += f"module {name} ({PORTS});{body}\nendmodule\n"
    parts = "".join(
        f"    {name} own_{name} ({NAMES.format(*[f'o_{name}'] * 4)});\n" for name in group
    )
    outputs = ", ".join(f"output [95:0] o_{name}" for name in group)
    return (
        f"{text}module top (input clk, en, input [7:0] a, b, c, d, {outputs});\n{parts}endmodule\n"
    )


def bench(group: tuple[str, ...]) -> str:
    """Return a bench that compares ``top`` and ``netlist``."""
    return f"""
module bench;
    reg clk = 0, en = 1;
    reg [7:0] a = 0, b = 0, c = 0, d = 0;
    {" ".join(f"wire [95:0] x_{name}, y_{name};" for name in group)}
    top one (.clk(clk), .en(en), .a(a), .b(b), .c(c), .d(d),
             {", ".join(f".o_{name}(x_{name})" for name in group)});
    netlist two (.clk(clk), .en(en), .a(a), .b(b), .c(c), .d(d),
                 {", ".join(f".o_{name}(y_{name})" for name in group)});
    integer n, bad = 0;
    initial begin
        for (n = 0; n < 4096; n = n + 1) begin
            {{a, b, c, d}} = $urandom;
            // The ends of the ranges meet each other and other values.
            if (n[0]) a = {{8{{n[1]}}}} ^ n[2] << 7;
            if (n[3]) b = {{8{{n[4]}}}} ^ n[5] << 7;
            if (n[6]) c = {{8{{n[7]}}}} ^ n[8] << 7;
            if (n[9]) d = {{8{{n[10]}}}} ^ n[11] << 7;
            en = $urandom;
            #1 clk = 1; #1 clk = 0;
            // Registers of a multiplier have no value before the first clock.
            {" ".join(f"if (n > 0 && x_{name} !== y_{name}) bad = bad + 1;" for name in group)}
        end
        $display("differences: %0d", bad);
        $finish;
    end
endmodule
"""


@pytest.mark.parametrize("group", GROUPS)
def test_paired_products_are_those_of_the_source(group: tuple[str, ...], tmp_path: Path) -> None:
    made = make_netlist(source(group), "top", "ice40", tmp_path)
    assert made.cells["SB_MAC16"] == 2 * len(group)
    cells = json.loads(made.json.read_text())["modules"]["top"]["cells"].values()
    modes = {cell["parameters"]["MODE_8x8"] for cell in cells if cell["type"] == "SB_MAC16"}
    assert modes == {"1"}
    netlist = re.sub(r"^module top\b", "module netlist", made.verilog.read_text(), flags=re.M)
    (tmp_path / "all.v").write_text(source(group) + netlist + bench(group))
    call = ["iverilog", "-g2012", "-s", "bench", "-o", "bench", "all.v"]
    subprocess.run(call, check=True, capture_output=True, cwd=tmp_path)
    done = subprocess.run(
        ["vvp", "-n", "bench"], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout == "differences: 0\n"


def product(first: int, **changes: Any) -> dict[str, Any]:
    """Return a multiplier of two 8-bit factors; its nets begin at `first`."""
    none = (
        "A_REG", "B_REG", "A_SIGNED", "B_SIGNED", "NEG_TRIGGER", "TOP_8x8_MULT_REG",
        "BOT_8x8_MULT_REG", "PIPELINE_16x16_MULT_REG1", "PIPELINE_16x16_MULT_REG2", "MODE_8x8",
    )  # fmt: skip
    parameters = dict.fromkeys(none, "0")
    parameters |= {"TOPOUTPUT_SELECT": "11", "BOTOUTPUT_SELECT": "11"}
    nets = list(range(first, first + 50))
    wires = {
        "A": [*nets[:8], *["0"] * 8], "B": [*nets[8:16], *["0"] * 8], "O": nets[16:48],
        "CLK": [2], "CE": ["1"], "CO": [nets[48]], "IRSTTOP": ["0"], "IRSTBOT": ["x"],
    }  # fmt: skip
    parameters |= {key: own for key, own in changes.items() if key in parameters}
    wires |= {key: own for key, own in changes.items() if key in wires}
    directions = {port: "output" if port in ("O", "CO") else "input" for port in wires}
    return {"type": "SB_MAC16", "parameters": parameters, "port_directions": directions,
            "connections": wires}  # fmt: skip


def module(*cells: dict[str, Any], taken: list[int] | None = None) -> dict[str, Any]:
    """Return a module of cells, with the nets of an output."""
    ports = {"o": {"direction": "output", "bits": taken or []}}
    return {
        "ports": ports,
        "netnames": {},
        "cells": {f"own{k}": own for k, own in enumerate(cells)},
    }


def test_upper_bits_become_the_sign_or_zero() -> None:
    own = module(product(100), product(200), taken=[116, 132, 216, 231, 232])
    assert pair_products(own) == 1
    assert own["ports"]["o"]["bits"] == [116, "0", 216, 231, "0"]
    (cell,) = own["cells"].values()
    assert cell["connections"]["A"] == [*range(100, 108), *range(200, 208)]
    assert cell["connections"]["O"] == [*range(116, 132), *range(216, 232)]


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({"A": list(range(300, 316))}, []),
        ({"A_SIGNED": "1", "A": [*range(300, 308), *[307] * 8]}, []),
        ({"A_REG": "1"}, []),
        ({"CLK": [3]}, []),
        ({"TOPOUTPUT_SELECT": "01"}, []),
        ({"PIPELINE_16x16_MULT_REG1": "1"}, []),
        ({"PIPELINE_16x16_MULT_REG2": "1"}, []),
        ({"IRSTTOP": [9]}, []),
        ({}, [248]),
    ],
)  # fmt: skip
def test_unlike_products_are_left_alone(changes: dict[str, Any], taken: list[int]) -> None:
    own = module(product(100), product(200, **changes), taken=taken)
    assert pair_products(own) == 0
    assert len(own["cells"]) == 2
