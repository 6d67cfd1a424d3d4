"""``bitlif bench cosim`` with widths. The model stands in for compiled gates; no time is tested."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from bitlif.model.clocks import window_clocks
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.layer import Layer
from bitlif.scripts.benchmarks import cosim
from bitlif.scripts.benchmarks.cosim_widths import ROUNDS, WidthRow, measure_widths
from bitlif.scripts.main import main
from bitlif.sim.backends import open as opening
from bitlif.tasks.stimulus import random_work

NARROW = WidthRow(2, 2, 2, 1280, 96_000, 0.5, 1.0)
WIDE = WidthRow(2, 10, 10, 1280, 32_000, 0.25, 1.9)
SLOWER = WidthRow(2, 4, 4, 1280, 64_000, 1.0, 0.7)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Open the model whenever compiled gates are wanted; return the configurations."""
    asked: list[Config] = []
    true = opening.open

    def model(config: Config, backend: str) -> Any:
        assert backend == "rtl"
        asked.append(config)
        return true(config, "model")

    monkeypatch.setattr(opening, "open", model)
    return asked


def answer(monkeypatch: pytest.MonkeyPatch, *rows: WidthRow) -> list[tuple[Any, ...]]:
    """Let `measure_widths` give these rows; return P, S and L of the cores it will be asked for."""
    asked: list[tuple[Any, ...]] = []

    def given(work: Any, widths: list[tuple[int, int]]) -> tuple[list[WidthRow], int]:
        assert (work.config.gates.synapses, work.config.gates.products) == (0, 0)
        asked.extend((work.config.layer.lanes, *own) for own in widths)
        return list(rows), 0x1234

    monkeypatch.setattr(cosim, "measure_widths", given)
    return asked


def test_every_width_learns_the_same_windows(opened: list[Config]) -> None:
    work = random_work(Config.load("tiny").replace(layer__lanes=1), 0, 3)
    widths = [(1, 1), (2, 1), (4, 4)]
    rows, signature = measure_widths(work, widths, rounds=2)
    assert [(own.gates.synapses, own.gates.products) for own in opened] == widths
    assert [(row.lanes, row.synapses, row.products) for row in rows] == [
        (1, *own) for own in widths
    ]
    layer = Layer(work.config)
    layer.load(work.weights)
    result = layer.learn(work.events, work.targets, record=("errors",))
    for row, own in zip(rows, opened, strict=True):
        assert row.steps == 3 * 16
        assert row.clocks == window_clocks(own, work.events, result, learn=True).sum()
        assert 0.0 < row.seconds < math.inf
        assert 0.0 < row.ratio < math.inf
        assert row.step_rate == row.steps / row.seconds
    assert rows[0].ratio == 1.0
    assert rows[0].clocks > rows[1].clocks > rows[2].clocks
    with opening.open(work.config, "rtl") as core:
        core.load(work.weights)
        core.learn(work.events, work.targets)
        assert core.signature() == signature


def test_other_bits_are_refused(opened: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = opening.open

    def other(config: Config, backend: str) -> Any:
        wide = config.gates.synapses == 4
        return stand_in(config.replace(membrane__threshold=0.5) if wide else config, backend)

    monkeypatch.setattr(opening, "open", other)
    work = random_work(Config.load("tiny"), 0, 2)
    with pytest.raises(BitlifError, match=r"^all widths must give the same signature, not "):
        measure_widths(work, [(2, 2), (4, 4)], rounds=1)


@pytest.mark.parametrize(
    ("words", "widths"),
    [
        (["--synapses", "2,4,10"], [(2, 2, 2), (2, 4, 4), (2, 10, 10)]),
        (["--lanes", "1", "--synapses", "5"], [(1, 5, 5)]),
        (["--synapses", "4,10", "--products", "2,4"],
         [(2, 4, 2), (2, 4, 4), (2, 10, 2), (2, 10, 4)]),
        (["--lanes", "5"], [(5, 5, 5)]),
    ],
)  # fmt: skip
def test_options_select_the_widths(
    words: list[str], widths: list[tuple[int, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, NARROW)
    assert main(["bench", "cosim", *words]) == 0
    assert asked == widths


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--lanes", "0"], "--lanes must be in 1 ..= 10, not 0"),
        (["--synapses", "x"], "--synapses must be numbers from 1 to 1024 as in 1,2, not 'x'"),
        (["--synapses", "5"],
         "gates.synapses must be 0 or a multiple of layer.lanes = 2, at most 10, not 5"),
        (["--products", "2", "--netlists"],
         "--netlists cannot be combined with --lanes, --synapses or --products"),
    ],
)  # fmt: skip
def test_invalid_widths_are_refused_before_the_work(
    words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    asked = answer(monkeypatch)
    assert main(["bench", "cosim", *words]) == 2
    assert capsys.readouterr() == ("", f"bitlif bench: {sentence}\n")
    assert asked == []


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_check_fails_only_if_a_width_is_slower(
    form: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["bench", "cosim", "--synapses", "2", *form]
    answer(monkeypatch, NARROW, WIDE)
    assert main([*words, "--check"]) == 0
    answer(monkeypatch, NARROW, SLOWER)
    assert main([*words, "--check"]) == 1
    assert main(words) == 0


def test_json_has_both_speeds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, NARROW, WIDE, SLOWER)
    assert main(["bench", "cosim", "--synapses", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert list(result) == ["config", "rows", "signature", "missed"]
    assert (result["config"], result["signature"]) == ("digits", "00001234")
    assert result["missed"] == ["S=4 L=4"]
    assert result["rows"][1] == {
        "lanes": 2, "synapses": 10, "products": 10, "steps": 1280, "clocks": 32_000,
        "seconds": 0.25, "ratio": 1.9, "learning_steps_per_second": 5120.0,
        "clocks_per_second": 128_000.0,
    }  # fmt: skip


def test_table_shows_both_speeds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, NARROW, WIDE, SLOWER)
    assert main(["bench", "cosim", "--synapses", "2"]) == 0
    printed = capsys.readouterr().out
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in printed.splitlines()
        if line.startswith("│")
    ]
    assert cells == [
        ["2", "2", "2", "75.0", "192,000", "2,560", "1.00"],
        ["2", "10", "10", "25.0", "128,000", "5,120", "1.90"],
        ["2", "4", "4", "50.0", "64,000", "1,280", "0.70 missed"],
    ]
    assert "all with signature 00001234" in printed
    assert f"fastest of {ROUNDS} rounds" in printed
