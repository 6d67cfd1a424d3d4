"""``bitlif bench gates``: plan, tables and targets; the tools are replaced by stubs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bitlif.fpga import synthesis, tools
from bitlif.fpga.families import Family
from bitlif.fpga.synthesis import DoesNotFit, Placement
from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError
from bitlif.scripts.benchmarks import gates as bench_gates
from bitlif.scripts.benchmarks.gates import Row, judge, measure
from bitlif.scripts.main import main

FAST = Row("ecp5", 5, (99.0, 104.0, 101.0), 6000, 7000, 28, 12, 24288, "a to b: 9.9 ns")
SLOW = Row("ecp5", 1, (70.0, 71.0, 72.0), 2000, 2500, 9, 4, 24288, "c to d: 14.1 ns")
SMALL = Row("up5k", 1, (25.0,), 3500, 3500, 6, 15, 5280, "e to f: 40.0 ns")
LARGE = Row("up5k", 2, note="the core does not fit iCE40 UP5K: ICESTORM_DSP 9 of 8")

Plan = list[tuple[str, int]]


def answer(monkeypatch: pytest.MonkeyPatch, *rows: Row) -> list[tuple[str, Plan, list[int]]]:
    """Let `measure` give these rows; return what it will be asked for."""
    asked: list[tuple[str, Plan, list[int]]] = []

    def given(config: Config, plan: Plan, seeds: Sequence[int]) -> Any:
        asked.append((config.name, plan, list(seeds)))
        return {"yosys": "Yosys 9"}, list(rows)

    monkeypatch.setattr(bench_gates, "measure", given)
    return asked


@pytest.mark.parametrize(
    ("words", "plan", "seeds"),
    [
        ([], [("ecp5", 1), ("ecp5", 2), ("ecp5", 3), ("ecp5", 4), ("up5k", 1)], [1, 2, 3]),
        (["--quick"], [("ecp5", 3), ("up5k", 1)], [1]),
        (["--quick", "--seeds", "2"], [("ecp5", 3), ("up5k", 1)], [1, 2]),
        (["--family", "up5k", "--lanes", "2,1"], [("up5k", 2), ("up5k", 1)], [1, 2, 3]),
        (["--family", "ecp5", "--lanes", "3,3"], [("ecp5", 3)], [1, 2, 3]),
    ],
)
def test_options_select_what_is_measured(
    words: list[str], plan: Plan, seeds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, FAST)
    assert main(["bench", "gates", *words]) == 0
    assert asked == [("digits", plan, seeds)]


def test_default_lanes_are_limited_by_the_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch)
    small = tmp_path / "small.toml"
    small.write_text(dump_config(Config.load("tiny").replace(layer__neurons=2)))
    assert main(["bench", "gates", "--config", str(small)]) == 0
    assert asked[0][1] == [("ecp5", 1), ("ecp5", 2), ("up5k", 1)]


@pytest.mark.parametrize("lanes", ["0", "11", "1,", "a", "1.5"])
def test_invalid_lanes_are_refused_before_the_work(
    lanes: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = answer(monkeypatch)
    assert main(["bench", "gates", "--lanes", lanes]) == 2
    line = f"--lanes must be numbers from 1 to 10 as in 1,2, not '{lanes}'"
    assert capsys.readouterr() == ("", f"bitlif bench: {line}\n")
    assert asked == []


def test_no_seed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "gates", "--seeds", "0"]) == 2
    assert "--seeds must be in 1 ..= 100, not 0" in capsys.readouterr().err


def test_figures_follow_from_the_median_clock() -> None:
    assert (FAST.median, FAST.operations) == (101.0, 505.0)
    assert FAST.rate == pytest.approx(505.0 / 6.0)
    assert (LARGE.median, LARGE.operations, LARGE.rate) == (0.0, 0.0, 0.0)


def test_slowest_core_and_best_rate_are_compared() -> None:
    goals = {goal.name: (goal.value, goal.target, goal.met) for goal in judge([FAST, SLOW, SMALL])}
    assert goals == {
        "ECP5-25k, slowest": (71.0, 80.0, False),
        "ECP5-25k, lanes 5": (pytest.approx(505.0 / 6.0), 60.0, True),
        "UP5K, lanes 1": (25.0, 24.0, True),
    }
    assert [goal.met for goal in judge([LARGE])] == [False]
    assert judge([]) == []


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_check_fails_only_if_a_target_is_missed(
    form: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, FAST, SMALL, LARGE)
    assert main(["bench", "gates", "--check", *form]) == 0
    answer(monkeypatch, FAST, SLOW)
    assert main(["bench", "gates", "--check", *form]) == 1
    assert main(["bench", "gates", *form]) == 0


def test_json_is_tools_rows_and_goals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, FAST, LARGE)
    assert main(["bench", "gates", "--json"]) == 0
    result = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert list(result) == ["config", "tools", "rows", "goals", "missed"]
    assert result["tools"] == {"yosys": "Yosys 9"}
    fast, large = result["rows"]
    assert (fast["mhz"], fast["median"], fast["cells"]) == ([99.0, 104.0, 101.0], 101.0, 6000)
    assert fast["synaptic_m_per_s_per_1000_cells"] == pytest.approx(505.0 / 6.0)
    assert large["note"].startswith("the core does not fit")
    assert result["missed"] == ["UP5K, lanes 2"]


def test_table_shows_figures_targets_and_slowest_paths(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, FAST, SLOW, SMALL, LARGE)
    assert main(["bench", "gates"]) == 0
    out = capsys.readouterr().out
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in out.splitlines()
        if line.startswith("│")
    ]
    figures = "ecp5 5 101.0 99-104 6000 25_% 7000 28 12 505 84.2"
    assert [word.replace("_", " ") for word in figures.split()] in cells
    assert ["up5k", "2", "no fit", *[""] * 8] in cells
    assert ["ECP5-25k, slowest", "MHz", "71.0", ">= 80 missed"] in cells
    assert "ecp5, lanes 1: slowest c to d: 14.1 ns" in out
    assert "up5k, lanes 2: the core does not fit iCE40 UP5K: ICESTORM_DSP 9 of 8" in out
    assert "Yosys 9" in out


def stand_in(monkeypatch: pytest.MonkeyPatch, folders: list[Path]) -> None:
    """Let no tool run; two lanes do not fit."""

    def synthesise(config: Config, family: Family, folder: Path) -> dict[str, int]:
        folder.mkdir(parents=True)
        folders.append(folder)
        return {}

    def place(folder: Path, family: Family, seed: int) -> Placement:
        if folder.name.endswith("-2"):
            raise DoesNotFit("too large")
        if folder.name.endswith("-3"):
            raise BitlifError(f"its log is {folder / 'log'}")
        return Placement(seed, 100.0 + 7 * (seed % 2), 1000 + seed, 900, 3, 2, 24288, f"p{seed}")

    monkeypatch.setattr(tools, "tool_version", lambda name: f"{name} 1")
    monkeypatch.setattr(synthesis, "synthesise", synthesise)
    monkeypatch.setattr(synthesis, "place", place)


def test_every_core_is_placed_with_every_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folders: list[Path] = []
    stand_in(monkeypatch, folders)
    tools, rows = measure(Config.load("digits"), [("ecp5", 1), ("up5k", 2)], range(1, 5))
    assert list(tools) == ["yosys", "nextpnr-ecp5", "nextpnr-ice40"]
    # The lower of the two middle ones is a figure that was measured, with its own path.
    assert rows == [
        Row("ecp5", 1, (107.0, 100.0, 107.0, 100.0), 1002, 900, 3, 2, 24288, "p2"),
        Row("up5k", 2, note="too large"),
    ]
    assert not any(folder.exists() for folder in folders)


def test_folder_with_the_log_of_a_failure_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []
    stand_in(monkeypatch, folders)
    with pytest.raises(BitlifError, match="its log is"):
        measure(Config.load("digits"), [("ecp5", 3)], [1])
    assert folders[0].exists()
