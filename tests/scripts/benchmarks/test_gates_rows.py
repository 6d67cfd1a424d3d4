"""Measurements of ``bitlif bench gates``; the tools are replaced by stubs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitlif.fpga import synthesis, tools
from bitlif.fpga.families import Family
from bitlif.fpga.synthesis import DoesNotFit, Placement
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.scripts.benchmarks.gates_rows import Design, Row, judge, measure

FAST = Row(
    Design("ecp5", "none", 1, 10, 5), (99.0, 104.0, 101.0), 4000, 3000, 28, 12, 24288,
    "a to b: 9.9 ns", "", 202.0, "random",
)  # fmt: skip
BUS = Row(Design("ecp5", "axi", 1, 10, 5), (110.0,), 2000, 1500, 28, 12, 24288, "", "", 202.0)
SLOW = Row(Design("ecp5", "none", 1, 2, 2), (70.0, 71.0, 72.0), 2000, 2500, 9, 4, 24288)
SMALL = Row(Design("up5k", "none", 1, 10, 5), (38.0,), 4500, 3500, 6, 15, 5280)
LARGE = Row(Design("up5k", "none", 1, 10, 10), note="the core does not fit")


def test_figures_follow_from_the_median_clock() -> None:
    assert (FAST.median, FAST.operations, FAST.products, FAST.steps) == (101.0, 1010, 505, 5e5)
    assert FAST.per_thousand(FAST.operations) == pytest.approx(252.5)
    assert (LARGE.median, LARGE.operations, LARGE.steps, LARGE.per_thousand(9)) == (0, 0, 0, 0)


def test_best_bare_core_of_each_device_is_judged() -> None:
    goals = judge([FAST, BUS, SLOW, SMALL, LARGE])
    assert [(goal.name, goal.unit, goal.target, goal.met) for goal in goals] == [
        ("ECP5-25k, P=1 S=10 L=5", "Msyn/s per 1,000 COMB", 250, True),
        ("ECP5-25k, P=1 S=10 L=5", "MHz", 90, True),
        ("UP5K, P=1 S=10 L=5", "Msyn/s per 1,000 LC", 60, True),
        ("UP5K, P=1 S=10 L=5", "MHz", 40, False),
    ]
    assert [goal.value for goal in goals] == [
        pytest.approx(252.5), 101.0, pytest.approx(380 / 4.5), 38.0,
    ]  # fmt: skip
    assert [goal.met for goal in judge([LARGE])] == [False, False]
    assert judge([BUS]) == judge([]) == []


def test_design_sets_the_widths_of_a_configuration() -> None:
    own = Design("ecp5", "none", 2, 10, 4).configured(Config.load("digits"))
    assert (own.layer.lanes, own.gates.synapses, own.gates.products) == (2, 10, 4)
    with pytest.raises(BitlifError, match=r"synapses must be 0 or a multiple of layer\.lanes = 2"):
        Design("ecp5", "none", 2, 5, 4).configured(Config.load("digits"))


def stand_in(monkeypatch: pytest.MonkeyPatch, folders: list[Path]) -> None:
    """Let no tool run; designs with 2 products do not fit, and with 3 the tools fail."""
    made: dict[Path, tuple[str, int]] = {}

    def synthesise(config: Config, family: Family, folder: Path, *, bus: str) -> dict[str, int]:
        folder.mkdir(parents=True)
        folders.append(folder)
        made[folder] = bus, config.gates.products
        return {}

    def place(folder: Path, family: Family, seed: int) -> Placement:
        bus, products = made[folder]
        if products == 2:
            raise DoesNotFit("too large")
        if products == 3:
            raise BitlifError(f"its log is {folder / 'log'}")
        cells = (1000 if bus == "none" else 2000) + seed
        return Placement(seed, 100.0 + 7 * (seed % 2), cells, 900, 3, 2, 24288, f"p{seed}")

    monkeypatch.setattr(tools, "tool_version", lambda name: f"{name} 1")
    monkeypatch.setattr(synthesis, "synthesise", synthesise)
    monkeypatch.setattr(synthesis, "place", place)


def test_every_design_is_placed_with_every_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []
    stand_in(monkeypatch, folders)
    plan = [
        Design("ecp5", "none", 1, 1, 1), Design("ecp5", "axi", 1, 1, 1),
        Design("up5k", "none", 1, 2, 2),
    ]  # fmt: skip
    found, rows = measure(Config.load("tiny"), plan, range(1, 5))
    assert list(found) == ["yosys", "nextpnr-ecp5", "nextpnr-ice40"]
    assert [row.design for row in rows] == plan
    bare, bus, large = rows
    # The lower of the two middle ones is a figure that was measured, with its own path.
    assert bare.mhz == (107.0, 100.0, 107.0, 100.0)
    assert (bare.cells, bare.flops, bare.multipliers, bare.path) == (1002, 900, 3, "p2")
    assert (bus.cells, bus.clocks) == (2002, bare.clocks)
    assert bare.clocks > 20
    assert bare.workload == "random"
    assert (large.note, large.mhz, large.clocks) == ("too large", (), 0)
    assert not any(folder.exists() for folder in folders)


def test_folder_with_the_log_of_a_failure_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []
    stand_in(monkeypatch, folders)
    with pytest.raises(BitlifError, match="its log is"):
        measure(Config.load("tiny"), [Design("ecp5", "none", 1, 3, 3)], [1])
    assert folders[0].exists()
