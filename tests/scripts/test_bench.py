"""``bitlif bench``: every workload runs and is reported. No test depends on a time."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitlif.scripts.benchmarks import engine
from bitlif.scripts.benchmarks.engine import Row, measure
from bitlif.scripts.benchmarks.limits import best_seconds, minimal_loop
from bitlif.scripts.benchmarks.work import bench_config, make_work, peak_memory
from bitlif.scripts.main import main

LIMITS = {
    "copy_gb_per_s": 10.0,
    "float64_gflop_per_s": 40.0,
    "float32_gflop_per_s": 80.0,
    "minimal_loop_m_per_s": 900.0,
}
MET = Row("met", "M neuron-steps/s", 250.0, 240.0, 1000.0, "minimal loop, 1 thread", 0.3, 200.0)
MISSED = Row("missed", "s", 2.0, 2.0, target=1.0, at_most=True, note="slow")
FREE = Row("free", "GFLOP/s", 20.0, 19.0)
LEARNED = Row("learning x", "M neuron-steps/s", 30.0, 29.0, 99.0, "l", 0.03, active=0.997)
NAMED = {
    "W1, lanes 1": 200.0,
    "W1, lanes 16": None,
    "W2, threads 2": 400.0,
    "W3": 40.0,
    "W4, all active": 20.0,
    "its products": None,
    "and the update, all active": None,
    "W4, 5 % active": 100.0,
    "and the update, 5 % active": None,
    "digits 65x10, learning": 1.0,
    "digits 65x10, step by step": 5.0,
    "first result of W1, warm cache": 1.0,
    "resident memory of W1": 200.0,
}

Measured = tuple[dict[str, float], list[Row]]


@pytest.fixture(scope="module")
def measured() -> Measured:
    return measure([1, 2], scale=0.01)


def test_every_limit_of_the_machine_is_measured(measured: Measured) -> None:
    limits, _ = measured
    assert list(limits) == list(LIMITS)
    assert all(0.0 < value < math.inf for value in limits.values())


def test_every_workload_has_its_row_and_target(measured: Measured) -> None:
    _, rows = measured
    targets = {row.name.strip(): row.target for row in rows}
    grid = {}
    for size in ("64x10", "256x256", "1024x1024"):
        for batch in (1, 32):
            for threads in (1, 2):
                grid[f"learning {size}, batch {batch}, threads {threads}"] = None
                grid[f"inference {size}, batch {batch}, threads {threads}"] = None
    assert targets == {
        **NAMED,
        **grid,
    }
    assert len(targets) == len(rows)


def test_quick_omits_workloads_without_a_target() -> None:
    limits, rows = measure([1], quick=True, scale=0.004)
    targets = {row.name.strip(): row.target for row in rows}
    # On one thread there is no target for the batch.
    wanted = dict(NAMED)
    del wanted["W2, threads 2"]
    assert targets == {**wanted, "W2, threads 1": None}
    assert list(limits) == list(LIMITS)


def test_active_share_is_given_where_errors_are_computed(measured: Measured) -> None:
    for row in measured[1]:
        learns = row.name.startswith(("learning", "W4", "   and", "digits"))
        assert (row.active is not None) == learns
        assert row.active is None or 0.0 < row.active <= 1.0
    shares = {row.name: row.active for row in measured[1]}
    # Learning begins with the same weights each time, so it has the same errors.
    for name in ("W4, 5 % active", "   and the update, 5 % active"):
        assert round(100 * (shares[name] or 0.0)) == 5


def test_every_row_is_sane(measured: Measured) -> None:
    limits, rows = measured
    for row in rows:
        assert 0.0 < row.value < math.inf
        if row.at_most:
            assert row.value == row.median
        else:
            # The value is of the fastest run.
            assert row.median <= row.value
        if row.limit == "minimal loop, 1 thread":
            assert row.unit == "M neuron-steps/s"
            assert row.ratio == row.value / limits["minimal_loop_m_per_s"]
        elif row.limit:
            assert row.limit == "float32 product"
            assert row.ratio == row.value / limits["float32_gflop_per_s"]
        else:
            assert row.ratio is None
        assert (row.synaptic is None) == (row.unit in ("s", "MiB", "GFLOP/s"))
        assert row.synaptic is None or row.synaptic > 0.0


def test_synaptic_events_are_of_the_same_run(measured: Measured) -> None:
    row = next(row for row in measured[1] if row.name.startswith("W1"))
    work = make_work(1024, 1024, 10, 1)
    assert work.neuron_steps == 10 * 1024
    assert work.synaptic_events == work.events.count * 1024
    assert row.synaptic is not None
    # Both are a number of events over the same time: two roundings each.
    expected = row.value * work.synaptic_events / work.neuron_steps
    assert abs(row.synaptic - expected) <= 6 * np.spacing(expected)


def test_target_is_a_lower_or_an_upper_bound() -> None:
    assert (MET.met, MISSED.met, FREE.met) == (True, False, None)
    assert replace(MET, value=199.9).met is False
    assert replace(MET, value=200.0).met is True
    assert replace(MISSED, value=1.0).met is True


def answer(monkeypatch: pytest.MonkeyPatch, *rows: Row) -> list[list[int | str]]:
    """Make `measure` return these rows; return the list of its future arguments."""
    asked: list[list[int | str]] = []

    def given(threads: list[int], *, quick: bool) -> Measured:
        asked.append([*threads, "quick"] if quick else threads)
        return LIMITS, list(rows)

    monkeypatch.setattr(engine, "measure", given)
    return asked


def test_json_is_limits_rows_and_missed_targets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = answer(monkeypatch, MET, MISSED, FREE)
    assert main(["bench", "--json"]) == 0
    assert asked == [[1, 2]]
    result = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert list(result) == ["limits", "rows", "missed"]
    assert result["limits"] == LIMITS
    assert result["missed"] == ["missed"]
    assert result["rows"][0] == {
        "name": "met", "unit": "M neuron-steps/s", "value": 250.0, "median": 240.0,
        "synaptic": 1000.0, "limit": "minimal loop, 1 thread", "ratio": 0.3, "target": 200.0,
        "at_most": False, "active": None, "note": "", "met": True,
    }  # fmt: skip
    assert [row["met"] for row in result["rows"]] == [True, False, None]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_check_fails_only_if_a_target_is_missed(
    form: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, MET, FREE)
    assert main(["bench", "--check", *form]) == 0
    answer(monkeypatch, MET, MISSED)
    assert main(["bench", "--check", *form]) == 1
    assert main(["bench", *form]) == 0


def test_table_shows_figures_targets_and_notes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, MET, MISSED, FREE, LEARNED)
    assert main(["bench"]) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in lines
        if line.startswith("│")
    ]
    assert ["copy, GB/s (read and written)", "10.0"] in cells
    assert ["met", "250", "240", "Mns/s", "1000", "0.30", ">= 200"] in cells
    assert ["missed", "2", "2", "s", "", "", "<= 1 missed"] in cells
    assert ["free", "20", "19", "GFLOP/s", "", "", ""] in cells
    assert ["learning x", "30", "29", "99", "0.03", "99.7 %"] in cells
    assert "missed: slow" in lines
    # No cell is broken over lines.
    assert not any(cell[0] == "" for cell in cells if cell[1:])


@pytest.mark.parametrize("threads", ["0", "257", "1,", "a", "1,-2", "1.5", "1 2"])
def test_invalid_threads_are_refused_before_the_work(
    threads: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = answer(monkeypatch)
    assert main(["bench", "--threads", threads]) == 2
    line = f"--threads must be numbers in 1 ..= 256 such as 1,2, not '{threads}'"
    assert capsys.readouterr() == ("", f"bitlif bench: {line}\n")
    assert asked == []


def test_threads_are_measured_as_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch)
    assert main(["bench", "--threads", "4,1", "--json"]) == 0
    assert asked == [[4, 1]]


def test_quick_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch)
    assert main(["bench", "--quick", "--json"]) == 0
    assert asked == [[1, 2, "quick"]]


def test_names_fit_the_table(
    measured: Measured, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, *measured[1])
    assert main(["bench"]) == 0
    text = capsys.readouterr().out
    for row in measured[1]:
        assert f"│ {row.name} " in text


def test_peak_memory_is_of_this_process(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t  3072 kB\nVmRSS:\t 1024 kB\n")
    assert peak_memory(status) == 3.0
    # Python with NumPy and Numba needs at least 20 MiB. Without the file, getrusage is used.
    for most in (peak_memory(), peak_memory(tmp_path / "missing")):
        assert 20.0 < most < 1 << 16


def test_workloads_have_the_requested_properties() -> None:
    config = bench_config(300, 200, 50, lanes=4)
    assert (config.layer.inputs, config.layer.neurons, config.layer.lanes) == (300, 200, 4)
    assert config.window.steps == 50
    for active, percent in ((1.0, 100), (0.05, 5)):
        work = make_work(300, 200, 50, 1, active=active)
        result = work.layer.run(work.events, work.targets, gradient=True)
        share = result.counters["active_errors"] / result.raster.size
        assert round(100 * share) == percent
    work = make_work(300, 200, 50, 3)
    assert work.events.windows == 3
    assert round(100 * work.layer.run(work.events.select([0])).raster.mean()) == 3


def test_call_is_warmed_up_and_timed() -> None:
    calls: list[str] = []
    fastest, median = best_seconds(lambda: calls.append("call"), 5, lambda: calls.append("before"))
    assert calls == ["before", "call"] * 6
    assert 0.0 <= fastest <= median


def test_learning_starts_from_the_same_weights_every_time() -> None:
    work = make_work(300, 200, 50, 2, active=0.05)
    weights, states = work.layer.weights, work.layer.lfsr_states
    expected = work.layer.learn(work.events, work.targets).counters["active_errors"]
    moved = work.layer.weights
    assert (moved != weights).any()
    work.layer.load(weights)
    work.layer.reset()
    row = engine._learning_row(LIMITS, "learning", work, 3)
    assert row.active == expected / work.neuron_steps
    np.testing.assert_array_equal(work.layer.weights, weights)
    assert work.layer.lfsr_states == states


def test_minimal_loop_leaks_fires_and_resets() -> None:
    # The minimal loop is a neuron: with noise of 12 bytes, between 0 and 3060, a drive
    # of 150 against a leak of 1/16 comes to rest at 2400, from where noise lets it fire.
    states = [np.array([k + 1], np.uint32) for k in range(3)]
    membrane, drive = np.zeros(1, np.int32), np.full(1, 150, np.int32)
    with np.errstate(over="ignore"):
        spikes = minimal_loop(membrane, *states, drive, 200)
        assert 0 < spikes < 200
        assert minimal_loop(np.zeros(1, np.int32), *states, np.zeros(1, np.int32), 50) == 0
    assert 0 <= membrane[0] <= 2400
