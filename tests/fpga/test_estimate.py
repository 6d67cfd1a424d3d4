"""Size estimates: rules against real syntheses, calibration against recorded measurements."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory as AmaranthMemory
from amaranth.lib.wiring import In, Out

from bitlif.fpga.boards import BOARDS
from bitlif.fpga.calibration import PULL, fitted, least_squares
from bitlif.fpga.capacity import Room, frontier, largest
from bitlif.fpga.estimate import (
    Error,
    calibration,
    clock_of,
    error_of,
    estimate,
    relative,
    speed,
)
from bitlif.fpga.families import FAMILIES
from bitlif.fpga.gate_count import count_core
from bitlif.fpga.gate_tally import Memory, Product
from bitlif.fpga.measure_area import configuration, read_sizes, recorded_sizes, write_sizes
from bitlif.fpga.samples import sample
from bitlif.fpga.synthesis import map_to_cells
from bitlif.fpga.yosys_mapping import ICE40_MEMORY, MappedMemory, map_memory, map_product
from bitlif.hdl.pipeline import NO_READ_WRITE_COLLISION
from bitlif.model.clocks import full_step, quiet_step
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.scripts.benchmarks.estimate import cases_of

STORES = {
    "ice40": [
        Memory("bits", 8, 8), Memory("rows", 9, 8), Memory("wide", 5, 26), Memory("wider", 5, 28),
        Memory("columns", 100, 20, columns=2), Memory("deep", 600, 10),
        Memory("asked", 33, 1, block=True),
    ],
    "ecp5": [
        Memory("bits", 3, 2), Memory("rows", 3, 3), Memory("wide", 2, 5), Memory("deep", 55, 20),
        Memory("deeper", 55, 24), Memory("columns", 600, 20, columns=2),
        Memory("asked", 33, 1, block=True),
    ],
    "gowin": [
        Memory("bits", 2, 2), Memory("rows", 3, 2), Memory("wide", 2, 5), Memory("deep", 55, 20),
        Memory("deeper", 55, 24), Memory("columns", 600, 20, columns=2),
        Memory("asked", 33, 1, block=True),
    ],
}  # fmt: skip
"""Sizes around the borders between registers, distributed RAM, and one or more block RAMs."""

PRODUCTS = {
    "ice40": [(11, 10), (4, 4), (17, 13), (20, 7), (7, 3)],
    "ecp5": [(4, 4), (19, 17), (20, 7), (2, 9)],
    "gowin": [
        (4, 4),
        (9, 9),
        (10, 4),
        (3, 9),
        (19, 17),
        (20, 7),
        (25, 12),
        (27, 4),
        (22, 21),
        (22, 22),
    ],
}

KINDS: dict[str, tuple[str, str, dict[str, float]]] = {
    "ice40": ("SB_RAM40_4K", "no such cell", {"SB_MAC16": 1}),
    "ecp5": ("DP16KD", "TRELLIS_DPR16X4", {"MULT18X18D": 1}),
    "gowin": (
        "(DP|SDP)(X9)?B", "RAM16SDP[124]", {"MULT18X18": 1, "MULT9X9": 0.5, "MULT36X36": 4},
    ),
}  # fmt: skip
"""Cells of block RAM and distributed RAM; cells of multipliers, in multipliers of 18 bits."""


class Stores(wiring.Component):
    """Memories with one read and one write port each."""

    def __init__(self, stores: list[Memory]) -> None:
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
            memory = AmaranthMemory(shape=shape, depth=own.depth, init=[], attrs=style)
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
    """Return the number of cells by type and first part of the name."""
    text = verilog.convert(component, name="top", emit_src=False)
    cells = map_to_cells(text, "top", FAMILIES[family], folder)
    return Counter((cell["type"], name.split(".")[0]) for name, cell in cells.items())


def of_kinds(cells: Counter[tuple[str, str]], kinds: str, name: str = "") -> list[int]:
    """Return the numbers of cells whose type matches, with this first part of the name or any."""
    return [
        count
        for (kind, first), count in cells.items()
        if re.fullmatch(kinds, kind) and name in ("", first)
    ]


@pytest.mark.parametrize("family", ["ice40", "ecp5", "gowin"])
def test_memory_rules_match_synthesis(family: str, tmp_path: Path) -> None:
    cells = synthesised(Stores(STORES[family]), family, tmp_path / "made")
    block, distributed, _ = KINDS[family]
    for own in STORES[family]:
        held = map_memory(own, FAMILIES[family].fabric.memory)
        for kinds, expected in ((block, held.blocks), (distributed, held.distributed)):
            assert sum(of_kinds(cells, kinds, own.name)) == expected, own
    in_registers = [
        own for own in STORES[family] if map_memory(own, FAMILIES[family].fabric.memory).registers
    ]
    assert in_registers, "a border has two sides"


@pytest.mark.parametrize("family", ["ice40", "ecp5", "gowin"])
def test_multiplier_rules_match_synthesis(family: str, tmp_path: Path) -> None:
    cells = synthesised(Products(PRODUCTS[family]), family, tmp_path / "made")
    *_, kinds = KINDS[family]
    found = sum(sum(of_kinds(cells, kind)) * share for kind, share in kinds.items())
    products = [Product("p", a, b, True) for a, b in PRODUCTS[family]]
    assert found == sum(map_product(own, FAMILIES[family].multiplier).blocks for own in products)


def test_a_family_without_multipliers_uses_logic() -> None:
    assert FAMILIES["ice40hx"].multiplier is None
    assert map_product(Product("p", 12, 12, True), None).blocks == 0
    assert map_product(Product("p", 12, 12, True), None).soft > 0
    assert map_memory(Memory("table", 8, 4, table=True), ICE40_MEMORY) == MappedMemory(table=32)


def test_recorded_configurations_can_be_drawn_again() -> None:
    rows = recorded_sizes()
    assert read_sizes(write_sizes(rows)) == rows
    for name in dict.fromkeys(row.name for row in rows):
        config, learning = configuration(name)
        assert {row.learning for row in rows if row.name == name} == {learning}
        assert config.name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"must be JSON: Expecting value"),
        ("[" * 100_000, r"must be JSON: "),
        ("{}", r"must be a list, not \{\}$"),
        ("[null]", r".*row 0 .*None$"),
        ('[{"name": 1}]', r".*row 0 .*\{'name': 1\}$"),
    ],
)
def test_malformed_results_are_rejected(text: str, message: str) -> None:
    with pytest.raises(BitlifError, match=rf"^results of bitlif bench estimate\b.*{message}"):
        read_sizes(text)
    row = json.loads(write_sizes(recorded_sizes()[:1]))[0]
    for name, other in (("core", {"LUT": "1"}), ("top", []), ("learning", 1), ("more", 0)):
        with pytest.raises(BitlifError, match=r"row 0 "):
            read_sizes(json.dumps([{**row, name: other}]))


@pytest.mark.parametrize("family", list(FAMILIES))
def test_counted_memories_and_multipliers_match_all_measurements(family: str) -> None:
    for case in cases_of([row for row in recorded_sizes() if row.family == family]):
        for part in ("core", "top"):
            for kind in ("block RAMs", "multipliers"):
                real = getattr(case.real, part)[kind]
                assert case.given[part][kind] == real, (case.name, part, kind)


def test_recorded_calibration_is_the_fit_of_the_measurements() -> None:
    found = fitted(cases_of(recorded_sizes()))
    for family in FAMILIES:
        assert calibration()[family] == found[family]
        assert error_of(family, "cells").configs >= 20


@pytest.mark.parametrize("family", list(FAMILIES))
def test_estimates_are_within_the_recorded_errors(family: str) -> None:
    worst = error_of(family, "cells").worst
    for row in recorded_sizes():
        if row.family == family:
            config, learning = configuration(row.name)
            own = estimate(config, family, learning=learning).total["cells"]
            assert abs(relative(own, row.sizes.total["cells"])) <= worst


def test_error_holds_median_and_worst() -> None:
    assert Error.of([0.1, -0.3, 0.2]) == Error(0.2, 0.3, 3)
    assert relative(3, 0) == 3.0


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("learning", [True, False])
def test_larger_layers_need_no_fewer_resources(family: str, learning: bool) -> None:
    # So many neurons that no memory is in registers.
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


def test_inference_needs_less_than_learning() -> None:
    for family in FAMILIES:
        small, large = (
            estimate(Config.load("digits"), family, learning=own).total for own in (False, True)
        )
        assert all(small[kind] <= large[kind] for kind in small)


def test_lanes_with_one_lfsr_share_the_noise() -> None:
    apart = Config.load("tiny")
    shared = apart.replace(noise__lfsr__sharing="shared")
    counts = [
        sum(own.copies for own in count_core(c, learning=True).products if own.name == "noise")
        for c in (apart, shared)
    ]
    assert counts == [2, 1]


def test_samples_are_reproducible_and_diverse() -> None:
    drawn = [sample(number) for number in range(1, 25)]
    assert drawn[:3] == [sample(number) for number in range(1, 4)]
    configs = [config for config, _ in drawn]
    assert {learning for _, learning in drawn} == {True, False}
    assert {own.noise.kind for own in configs} == {"sum", "popcount", "inverse_cdf"}
    assert {own.layer.lanes for own in configs} >= {1, 2, 3, 4}
    assert {own.membrane.reset for own in configs} == {"free", "teacher"}
    assert {bool(own.synapse.decay.shift) for own in configs} == {True, False}
    assert 0 in {own.learning.random_bits for own in configs}


def test_speed_follows_the_cycle_counts() -> None:
    digits = Config.load("digits")
    own = speed(digits, 50.0)
    assert own.quiet_clocks == quiet_step(digits, learn=True) < own.full_clocks
    assert own.full_clocks == full_step(digits, learn=True)
    # 5 groups with 65 products each, and a pause after the first one.
    assert own.full_clocks == 65 * 5 + 9
    assert (own.operations_per_s, own.products_per_s) == (2 * 50e6, 2 * 50e6)
    assert speed(digits, 50.0, learning=False).full_clocks == 65 * 5 + 1
    wide = speed(digits.replace(gates__synapses=10, gates__products=4), 50.0)
    assert (wide.operations_per_s, wide.products_per_s) == (10 * 50e6, 4 * 50e6)
    assert speed(digits, 50.0, learning=False).products_per_s == 0


UNPLACED = ("tang-nano-9k", "tang-nano-20k")
"""Boards whose estimated clock is their aim; docs/boards.md tells why."""


def test_every_board_has_measured_placements_or_says_that_it_has_none() -> None:
    for name in BOARDS:
        clock = clock_of(name)
        if name in UNPLACED:
            assert (clock.mhz, clock.placements) == (BOARDS[name].aim, 0)
            assert "no placement" in clock.note
            continue
        assert clock.least <= clock.mhz <= clock.most
        assert clock.placements >= 1
        assert clock.note == ""


@pytest.mark.parametrize("seed", range(5))
def test_least_squares_meet_the_optimality_conditions(seed: int) -> None:
    source = np.random.default_rng(seed)
    rows, guess = source.uniform(0, 2, (12, 6)), source.uniform(0.1, 3, 6)
    rows[:, 0] += 3.0 * rows[:, 1]
    found = least_squares(rows, guess)
    # Karush, Kuhn and Tucker: the gradient is 0 where x > 0, and not negative where x = 0.
    weight = PULL * len(rows) / len(guess) / guess**2
    slope = rows.T @ (rows @ found - 1) + weight * (found - guess)
    assert (found >= 0).all()
    assert np.abs(slope[found > 0]).max() < 1e-9
    assert (slope[found == 0] > -1e-9).all()


def test_calibration_without_scipy_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(BitlifError, match=r"SciPy, .*pip install '"):
        least_squares(np.ones((2, 1)), np.ones(1))


ROOMY = Room("ice40", {"cells": 5280, "block RAMs": 30, "multipliers": 8})


@pytest.mark.parametrize("what", ["inputs", "neurons", "lanes"])
def test_largest_layer_fits_and_the_next_does_not(what: str) -> None:
    config = Config.load("digits").replace(layer__lanes=1)
    best, why = largest(config, ROOMY, what, 4096)
    assert best is not None
    assert why
    assert not ROOMY.lacking(estimate(best, "ice40"))
    number = getattr(best.layer, what)
    more = best.replace(**{f"layer__{what}": number + 1})
    assert ", ".join(ROOMY.lacking(estimate(more, "ice40"))) == why


def test_search_reports_its_limit() -> None:
    config = Config.load("tiny")
    room = Room("ecp5", BOARDS["ulx3s-85f"].limits, 0.0)
    best, why = largest(config, room, "inputs", 50)
    assert best is not None
    assert (best.layer.inputs, why) == (50, "more than 50 not tried")
    none, why = largest(config, Room("ecp5", {"cells": 10}, 0.0), "inputs", 50)
    assert (none, why) == (None, "cells")


def test_margin_defaults_to_the_worst_error() -> None:
    assert ROOMY.margin_of("cells") == error_of("ice40", "cells").worst
    assert Room("ice40", {}, 0.25).margin_of("cells") == 0.25


def test_more_inputs_leave_fewer_neurons() -> None:
    config = Config.load("digits")
    lanes, rows = frontier(config, ROOMY, [16, 64, 256], 256)
    assert lanes == 1
    neurons = [own.layer.neurons for _, own in rows if own is not None]
    assert len(neurons) == 3
    assert neurons == sorted(neurons, reverse=True)
    assert neurons[0] > neurons[-1]
