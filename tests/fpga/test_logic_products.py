"""Products that are left to logic where a device has too few multipliers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bitlif.fpga.families import family_named
from bitlif.fpga.gate_tally import GateTally, Product, Wire
from bitlif.fpga.logic_products import left_to_logic, multipliers_of, products_of
from bitlif.fpga.synthesis import map_to_cells
from bitlif.fpga.yosys_mapping import ECP5_MULTIPLIER, ICE40_MULTIPLIER

LARGE, WIDE = Product("large", 16, 16, True), Product("wide", 11, 9, False)
SMALL, BOTH = Product("small", 8, 9, True, extended=(False, True)), Product("both", 8, 8, True)


@pytest.mark.parametrize(
    ("products", "count"),
    [
        ([], 0), ([LARGE], 1), ([SMALL], 1), ([SMALL, SMALL], 1), ([SMALL] * 3, 2),
        ([SMALL, BOTH], 2), ([replace(SMALL, copies=7), LARGE, WIDE], 6),
        ([Product("nine", 9, 9, True)] * 2, 2), ([Product("tiny", 4, 4, True)], 0),
        ([Product("split", 24, 8, False)], 2),
    ],
)  # fmt: skip
def test_two_small_products_share_a_multiplier(products: list[Product], count: int) -> None:
    assert multipliers_of(products, ICE40_MULTIPLIER) == count


def test_products_of_other_families_do_not_share() -> None:
    assert multipliers_of([SMALL, SMALL], ECP5_MULTIPLIER) == 2


@pytest.mark.parametrize(
    ("products", "most", "left"),
    [
        ([LARGE, WIDE], 2, []),
        ([LARGE, WIDE], 1, [1]),
        ([LARGE, WIDE], 0, [0, 1]),
        # One of an odd number of small products frees a multiplier, or two of an even number.
        ([SMALL] * 3 + [WIDE], 2, [0]),
        ([SMALL] * 4 + [WIDE], 2, [4]),
        ([SMALL] * 4 + [LARGE], 2, [0, 1]),
    ],
)
def test_cheapest_products_are_left_to_logic(
    products: list[Product], most: int, left: list[int]
) -> None:
    assert left_to_logic(products, ICE40_MULTIPLIER, most) == left


def test_counted_products_know_their_unsigned_factors() -> None:
    tally = GateTally()
    tally.product("mixed", Wire(8), Wire(8, signed=False))
    tally.product("plain", Wire(6, signed=False), Wire(8, signed=False))
    mixed, plain = tally.products
    assert (mixed.a, mixed.b, mixed.halves) == (8, 9, (8, (True, False)))
    assert plain.halves == (8, (False, False))


SOURCE = """
module top (input clk, input [15:0] a, b, output reg [31:0] o0, o1, o2, output reg [19:0] o3);
    always @(posedge clk) begin
        o0 <= a * b; o1 <= $signed(a) * $signed(b); o2 <= $signed(a) * $signed({1'b0, b[10:0]});
        o3 <= a[10:0] * b[8:0];
    end
endmodule
"""


def test_netlist_has_no_more_multipliers_than_the_device(tmp_path: Path) -> None:
    family = family_named("ice40")
    scarce = replace(family, multiplier=replace(ICE40_MULTIPLIER, most=2))
    kinds: dict[str, list[str]] = {}
    for name, own in (("all", family), ("two", scarce)):
        cells = map_to_cells(SOURCE, "top", own, tmp_path / name)
        kinds[name] = [cell["type"] for cell in cells.values()]
    assert kinds["all"].count("SB_MAC16") == 4
    assert kinds["two"].count("SB_MAC16") == 2
    assert "SB_LUT4" in kinds["two"]
    netlist: dict[str, Any] = json.loads((tmp_path / "two" / "products.json").read_text())
    found = products_of(netlist["modules"]["top"])
    shapes = sorted((own.a, own.b, own.signed, own.extended) for own in found.values())
    assert shapes == [
        (11, 9, False, (False, False)), (16, 12, True, (False, True)),
        (16, 16, False, (False, False)), (16, 16, True, (False, False)),
    ]  # fmt: skip
