"""``bitlif bench gates``: plan and tables; the measurements are replaced by stubs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.scripts.benchmarks import gates as bench_gates
from bitlif.scripts.benchmarks.gates_rows import Design, Row
from bitlif.scripts.main import main

FAST = Row(
    Design("ecp5", "none", 1, 10, 5), (99.0, 104.0, 101.0), 4000, 3000, 28, 12, 24288,
    "a to b: 9.9 ns", "", 101.0, "random",
)  # fmt: skip
BUS = Row(
    Design("ecp5", "axi", 1, 10, 5), (80.0,), 5000, 4000, 28, 12, 24288, "g to h: 9 ns", "", 80.0,
    "random",
)  # fmt: skip
SLOW = Row(
    Design("ecp5", "none", 1, 2, 1), (70.0, 71.0, 72.0), 2000, 2500, 9, 4, 24288,
    "c to d: 14.1 ns", "", 355.0, "random",
)  # fmt: skip
SMALL = Row(
    Design("up5k", "none", 1, 10, 5), (45.0,), 4500, 3500, 8, 15, 5280, "e to f: 22.0 ns", "",
    150.0, "random",
)  # fmt: skip
LARGE = Row(
    Design("up5k", "none", 1, 10, 10), note="the core does not fit iCE40 UP5K: ICESTORM_DSP 9 of 8"
)

Plan = list[tuple[str, str, int, int, int]]


def answer(monkeypatch: pytest.MonkeyPatch, *rows: Row) -> list[tuple[str, Plan, list[int]]]:
    """Let `measure` give these rows; return what it will be asked for."""
    asked: list[tuple[str, Plan, list[int]]] = []

    def given(config: Config, plan: Sequence[Design], seeds: Sequence[int]) -> Any:
        asked.append((config.name, [astuple(own) for own in plan], list(seeds)))
        return {"yosys": "Yosys 9"}, list(rows)

    monkeypatch.setattr(bench_gates, "measure", given)
    return asked


E5, E10, U10 = ("ecp5", 1, 5, 5), ("ecp5", 1, 10, 10), ("up5k", 1, 10, 5)


def behind(bus: str, *designs: tuple[str, int, int, int]) -> Plan:
    """Return designs of a plan with a bus."""
    return [(family, bus, *widths) for family, *widths in designs]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("words", "plan", "seeds"),
    [
        ([], behind("none", E5, E10) + behind("axi", E5, E10) + behind("none", U10)
             + behind("axi", U10), [1, 2, 3]),
        (["--quick"], behind("none", E10, U10), [1]),
        (["--quick", "--seeds", "2", "--bus", "axi"], behind("axi", E10, U10), [1, 2]),
        (["--family", "up5k", "--lanes", "2,1", "--bus", "none"],
         behind("none", ("up5k", 2, 2, 2), ("up5k", 1, 1, 1)), [1, 2, 3]),
        (["--family", "ecp5", "--lanes", "2,2", "--synapses", "4,10", "--products", "2,4",
          "--bus", "none"],
         behind("none", *(("ecp5", 2, *own) for own in ((4, 2), (4, 4), (10, 2), (10, 4)))),
         [1, 2, 3]),
        (["--family", "ecp5", "--synapses", "5", "--bus", "none"], behind("none", E5), [1, 2, 3]),
    ],
)  # fmt: skip
def test_options_select_what_is_measured(
    words: list[str], plan: Plan, seeds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, FAST)
    assert main(["bench", "gates", *words]) == 0
    assert asked == [("digits", plan, seeds)]


def test_default_widths_are_limited_by_the_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch)
    small = tmp_path / "small.toml"
    small.write_text(dump_config(Config.load("tiny").replace(layer__neurons=2)))
    assert main(["bench", "gates", "--config", str(small), "--bus", "none"]) == 0
    assert asked[0][1] == behind("none", ("ecp5", 1, 2, 2), ("up5k", 1, 2, 2))


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        *(("--lanes", text, f"--lanes must be numbers from 1 to 10 as in 1,2, not '{text}'")
          for text in ("0", "11", "1,", "a", "1.5")),
        ("--synapses", "0", "--synapses must be numbers from 1 to 1024 as in 1,2, not '0'"),
        ("--synapses", "11",
         "synapses must be 0 or a multiple of layer.lanes = 1, at most 10, not 11"),
        ("--products", "x", "--products must be numbers from 1 to 1024 as in 1,2, not 'x'"),
    ],
)  # fmt: skip
def test_invalid_widths_are_refused_before_the_work(
    option: str, text: str, sentence: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    asked = answer(monkeypatch)
    assert main(["bench", "gates", option, text]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sentence in err
    assert asked == []


def test_no_seed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "gates", "--seeds", "0"]) == 2
    assert "--seeds must be in 1 ..= 100, not 0" in capsys.readouterr().err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_check_fails_only_if_a_target_is_missed(
    form: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, FAST, BUS, SMALL, LARGE)
    assert main(["bench", "gates", "--check", *form]) == 0
    answer(monkeypatch, SLOW)
    assert main(["bench", "gates", "--check", *form]) == 1
    assert main(["bench", "gates", *form]) == 0


def test_json_is_tools_rows_and_goals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, FAST, BUS, LARGE)
    assert main(["bench", "gates", "--json"]) == 0
    result = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert list(result) == ["config", "tools", "rows", "goals", "missed"]
    assert result["tools"] == {"yosys": "Yosys 9"}
    fast, bus, large = result["rows"]
    assert [fast[name] for name in ("family", "bus", "lanes", "synapses")] == [
        "ecp5",
        "none",
        1,
        10,
    ]
    assert (fast["mhz"], fast["median"], fast["cells"]) == ([99.0, 104.0, 101.0], 101.0, 4000)
    assert fast["synaptic_m_per_s_per_1000_cells"] == pytest.approx(252.5)
    assert fast["steps_per_s"] == pytest.approx(1e6)
    assert (bus["bus"], bus["products"]) == ("axi", 5)
    assert large["note"].startswith("the core does not fit")
    assert result["goals"][0]["value"] == pytest.approx(252.5)
    assert result["missed"] == [
        "UP5K, P=1 S=10 L=10: Msyn/s per 1,000 LC", "UP5K, P=1 S=10 L=10: MHz",
    ]  # fmt: skip


def test_tables_show_figures_targets_and_slowest_paths(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, FAST, BUS, SLOW, SMALL, LARGE)
    assert main(["bench", "gates"]) == 0
    out = capsys.readouterr().out
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in out.splitlines()
        if line.startswith("│")
    ]
    for figures in (
        "ecp5 none 1 10 5 101.0 99-104 4000 16_% 3000 28 12",
        "ecp5 none 1 10 5 1010 252.5 505 126.2 101.0 1,000,000",
        "ecp5 axi 1 10 5 800 160.0 400 80.0 80.0 1,000,000",
    ):
        assert [word.replace("_", " ") for word in figures.split()] in cells
    assert ["up5k", "none", "1", "10", "10", "no fit", *[""] * 6] in cells
    assert ["ECP5-25k, P=1 S=10 L=5", "MHz", "101.0", ">= 90"] in cells
    assert "ecp5, P=1 S=2 L=1: slowest c to d: 14.1 ns" in out
    assert "ecp5, P=1 S=10 L=5, axi: slowest g to h" in out
    assert "up5k, P=1 S=10 L=10: the core does not fit iCE40 UP5K: ICESTORM_DSP 9 of 8" in out
    assert "Yosys 9" in out
