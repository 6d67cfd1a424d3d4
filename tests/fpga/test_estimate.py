"""Sizes by counting: the rules against real syntheses, the kept errors against the kept results."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.fpga.boards import BOARDS
from bitlif.fpga.calibration import fitted, least_squares
from bitlif.fpga.capacity import Room, frontier, largest
from bitlif.fpga.estimate import Error, clock_of, error_of, estimate, kept, relative, speed
from bitlif.fpga.gate_count import Product, Store, tally_core
from bitlif.fpga.measure_area import configuration, kept_sizes, read_sizes, write_sizes
from bitlif.fpga.netlist import NETLIST_FAMILIES
from bitlif.fpga.samples import sample
from bitlif.fpga.synthesis import map_to_cells
from bitlif.fpga.yosys_mapping import FAMILIES, Held, hold, multiply
from bitlif.hdl.pipeline import NO_READ_WRITE_COLLISION
from bitlif.model.clocks import full_step, quiet_step
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.scripts.benchmarks.estimate import cases_of

STORES = {
    "ice40": [
        Store("bits", 8, 8), Store("rows", 9, 8), Store("wide", 5, 26), Store("wider", 5, 28),
        Store("columns", 100, 20, columns=2), Store("deep", 600, 10),
        Store("asked", 33, 1, block=True),
    ],
    "ecp5": [
        Store("bits", 3, 2), Store("rows", 3, 3), Store("wide", 2, 5), Store("deep", 55, 20),
        Store("deeper", 55, 24), Store("columns", 600, 20, columns=2),
        Store("asked", 33, 1, block=True),
    ],
}  # fmt: skip
"""About the borders between registers, look-up RAM, and one block RAM or more."""

PRODUCTS = {
    "ice40": [(11, 10), (4, 4), (17, 13), (20, 7), (7, 3)],
    "ecp5": [(4, 4), (19, 17), (20, 7), (2, 9)],
}


class Stores(wiring.Component):
    """Memories with a read and a write port each."""

    def __init__(self, stores: list[Store]) -> None:
        self._stores = stores
        members: dict[str, Any] = {}
        for own in stores:
            members |= {
                f"{own.name}_from": In(range(own.depth)),
                f"{own.name}_to": In(range(own.depth)),
                f"{own.name}_data": In(own.width),
                f"{own.name}_enable": In(own.columns),
                f"{own.name}_read": Out(own.width),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for own in self._stores:
            shape = data.ArrayLayout(own.width // own.columns, own.columns)
            style = NO_READ_WRITE_COLLISION | ({"ram_style": "block"} if own.block else {})
            memory = Memory(shape=shape, depth=own.depth, init=[], attrs=style)
            m.submodules[own.name] = memory
            read, write = memory.read_port(), memory.write_port(granularity=1)
            m.d.comb += [
                read.addr.eq(getattr(self, f"{own.name}_from")),
                write.addr.eq(getattr(self, f"{own.name}_to")),
                write.data.as_value().eq(getattr(self, f"{own.name}_data")),
                write.en.eq(getattr(self, f"{own.name}_enable")),
                getattr(self, f"{own.name}_read").eq(read.data),
            ]
        return m


class Products(wiring.Component):
    """Registered products of signed numbers."""

    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        self._sizes = sizes
        members: dict[str, Any] = {}
        for a, b in sizes:
            members |= {
                f"a_{a}_{b}": In(data.ArrayLayout(a, 1)), f"b_{a}_{b}": In(data.ArrayLayout(b, 1)),
                f"p_{a}_{b}": Out(a + b),
            }  # fmt: skip
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for a, b in self._sizes:
            left, right = (getattr(self, f"{side}_{a}_{b}")[0].as_signed() for side in "ab")
            m.d.sync += getattr(self, f"p_{a}_{b}").eq(left * right)
        return m


def synthesised(component: wiring.Component, family: str, folder: Path) -> Counter[tuple[str, str]]:
    """Return how many cells there are by type and the first part of their names."""
    text = verilog.convert(component, name="top", emit_src=False)
    cells = map_to_cells(text, "top", NETLIST_FAMILIES[family], folder)
    return Counter((cell["type"], name.split(".")[0]) for name, cell in cells.items())


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_memories_are_where_synthesis_puts_them(family: str, tmp_path: Path) -> None:
    cells = synthesised(Stores(STORES[family]), family, tmp_path / "made")
    block = "DP16KD" if family == "ecp5" else "SB_RAM40_4K"
    for own in STORES[family]:
        held = hold(own, family)
        assert cells[block, own.name] == held.blocks, own
        assert cells["TRELLIS_DPR16X4", own.name] == held.distributed, own
    in_registers = [own for own in STORES[family] if hold(own, family).registers]
    assert in_registers, "a border has two sides"


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_products_become_the_multipliers_that_synthesis_makes(family: str, tmp_path: Path) -> None:
    cells = synthesised(Products(PRODUCTS[family]), family, tmp_path / "made")
    kind = "MULT18X18D" if family == "ecp5" else "SB_MAC16"
    found = sum(count for (own, _), count in cells.items() if own == kind)
    products = [Product("p", a, b, True) for a, b in PRODUCTS[family]]
    assert found == sum(multiply(own, family).blocks for own in products)


def test_a_device_without_multipliers_gets_none() -> None:
    assert multiply(Product("p", 12, 12, True), "ice40hx").blocks == 0
    assert multiply(Product("p", 12, 12, True), "ice40hx").soft > 0
    assert hold(Store("table", 8, 4, table=True), "ice40") == Held(table=32)


def test_what_was_measured_is_still_what_is_drawn() -> None:
    rows = kept_sizes()
    assert read_sizes(write_sizes(rows)) == rows
    for name in dict.fromkeys(row.name for row in rows):
        config, learning = configuration(name)
        assert {row.learning for row in rows if row.name == name} == {learning}
        assert config.name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"must be its JSON: Expecting value"),
        ("[" * 100_000, r"must be its JSON: "),
        ("{}", r"must be a list, not \{\}$"),
        ("[null]", r"must be rows as it writes them, not row 0: None$"),
        ('[{"name": 1}]', r"must be rows as it writes them, not row 0: \{'name': 1\}$"),
    ],
)
def test_results_of_something_else_are_refused(text: str, message: str) -> None:
    with pytest.raises(BitlifError, match=rf"^results of bitlif bench estimate {message}"):
        read_sizes(text)
    row = json.loads(write_sizes(kept_sizes()[:1]))[0]
    for name, other in (("core", {"LUT": "1"}), ("top", []), ("learning", 1), ("more", 0)):
        with pytest.raises(BitlifError, match=r"not row 0: "):
            read_sizes(json.dumps([{**row, name: other}]))


@pytest.mark.parametrize("family", FAMILIES)
def test_memories_and_multipliers_of_all_measured_cores_are_as_counted(family: str) -> None:
    for case in cases_of([row for row in kept_sizes() if row.family == family]):
        for part in ("core", "top"):
            for kind in ("block RAMs", "multipliers"):
                real = getattr(case.real, part)[kind]
                assert case.given[part][kind] == real, (case.name, part, kind)


def test_kept_coefficients_and_errors_are_what_the_kept_results_say() -> None:
    found = fitted(cases_of(kept_sizes()))
    for family in FAMILIES:
        assert kept()[family] == found[family]
        assert error_of(family, "cells").configs >= 20


@pytest.mark.parametrize("family", FAMILIES)
def test_estimates_are_within_the_kept_errors_of_what_was_measured(family: str) -> None:
    worst = error_of(family, "cells").worst
    for row in kept_sizes():
        if row.family == family:
            config, learning = configuration(row.name)
            own = estimate(config, family, learning=learning).total["cells"]
            assert abs(relative(own, row.sizes.total["cells"])) <= worst


def test_errors_are_of_a_median_and_a_worst() -> None:
    assert Error.of([0.1, -0.3, 0.2]) == Error(0.2, 0.3, 3)
    assert relative(3, 0) == 3.0


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("learning", [True, False])
def test_more_of_anything_takes_no_less(family: str, learning: bool) -> None:
    # So many neurons that no memory is in registers, and numbers alike in their digits.
    config = Config.load("digits").replace(layer__neurons=320)
    for what, counts in (
        ("inputs", (80, 160, 320, 640, 1280)),
        ("neurons", (320, 640, 1280)),
        ("lanes", (1, 2, 4)),
    ):
        sizes = [
            estimate(config.replace(**{f"layer__{what}": n}), family, learning=learning).total
            for n in counts
        ]
        for less, more in pairwise(sizes):
            for kind in ("cells", "flip-flops"):
                assert less[kind] <= more[kind], (what, kind)
            assert what == "lanes" or less["block RAMs"] <= more["block RAMs"]


def test_inference_takes_less_than_learning() -> None:
    for family in FAMILIES:
        small, large = (
            estimate(Config.load("digits"), family, learning=own).total for own in (False, True)
        )
        assert all(small[kind] <= large[kind] for kind in small)


def test_lanes_that_share_an_lfsr_share_the_noise() -> None:
    apart = Config.load("tiny")
    shared = apart.replace(noise__lfsr__sharing="shared")
    counts = [
        sum(own.copies for own in tally_core(c, learning=True).products if own.name == "noise")
        for c in (apart, shared)
    ]
    assert counts == [2, 1]


def test_samples_are_the_same_each_time_and_of_all_kinds() -> None:
    drawn = [sample(number) for number in range(1, 25)]
    assert drawn[:3] == [sample(number) for number in range(1, 4)]
    configs = [config for config, _ in drawn]
    assert {learning for _, learning in drawn} == {True, False}
    assert {own.noise.kind for own in configs} == {"sum", "popcount", "inverse_cdf"}
    assert {own.layer.lanes for own in configs} >= {1, 2, 3, 4}
    assert {own.membrane.reset for own in configs} == {"free", "teacher"}
    assert {bool(own.synapse.decay.shift) for own in configs} == {True, False}
    assert 0 in {own.learning.random_bits for own in configs}


def test_speed_is_that_of_the_clocks() -> None:
    digits = Config.load("digits")
    own = speed(digits, 50.0)
    assert own.quiet_clocks == quiet_step(digits, learn=True) < own.full_clocks
    assert own.full_clocks == full_step(digits, learn=True)
    # 65 inputs on 5 slots, their traces; 5 slots with errors, of 65 products each; turns.
    assert own.full_clocks == 65 * 5 + 2 + (65 + 11) + (65 * 5 + 4) + 3
    assert own.operations_per_s == 2 * 50e6
    assert speed(digits, 50.0, learning=False).full_clocks < own.full_clocks


def test_every_board_has_a_clock() -> None:
    for name in BOARDS:
        clock = clock_of(name)
        assert clock.least <= clock.mhz <= clock.most
        assert clock.placements >= 1


def test_least_squares_are_never_negative() -> None:
    import numpy as np

    rows = np.array([[1.0, 1.0], [1.0, 0.0], [2.0, 1.0]])
    found = least_squares(rows, np.array([1.0, 1.0]))
    assert (found >= 0).all()


ROOMY = Room("ice40", {"cells": 5280, "block RAMs": 30, "multipliers": 8})


@pytest.mark.parametrize("what", ["inputs", "neurons", "lanes"])
def test_the_largest_layer_fits_and_one_more_does_not(what: str) -> None:
    config = Config.load("digits").replace(layer__lanes=1)
    best, why = largest(config, ROOMY, what, 4096)
    assert best is not None
    assert why
    assert not ROOMY.lacking(estimate(best, "ice40"))
    number = getattr(best.layer, what)
    more = best.replace(**{f"layer__{what}": number + 1})
    assert ", ".join(ROOMY.lacking(estimate(more, "ice40"))) == why


def test_a_search_says_where_it_ended() -> None:
    config = Config.load("tiny")
    room = Room("ecp5", BOARDS["ulx3s-85f"].limits, 0.0)
    best, why = largest(config, room, "inputs", 50)
    assert best is not None
    assert (best.layer.inputs, why) == (50, "more than 50 not tried")
    none, why = largest(config, Room("ecp5", {"cells": 10}, 0.0), "inputs", 50)
    assert (none, why) == (None, "cells")


def test_margins_are_the_measured_worst_unless_given() -> None:
    assert ROOMY.margin_of("cells") == error_of("ice40", "cells").worst
    assert Room("ice40", {}, 0.25).margin_of("cells") == 0.25


def test_more_inputs_leave_room_for_fewer_neurons() -> None:
    config = Config.load("digits")
    lanes, rows = frontier(config, ROOMY, [16, 64, 256], 256)
    assert lanes == 1
    neurons = [own.layer.neurons for _, own in rows if own is not None]
    assert len(neurons) == 3
    assert neurons == sorted(neurons, reverse=True)
    assert neurons[0] > neurons[-1]
