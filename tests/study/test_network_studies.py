"""What the shipped studies of networks found, and the table of it in the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.study.search.results import Results, half_widths, means_of, read_results

DOCS = Path(__file__).parents[2] / "docs"


def results(name: str) -> Results:
    return read_results(DOCS / "studies" / f"network-{name}")


def row(found: Results, *setting: Any) -> int:
    """Return the index of the point with a setting."""
    points = range(len(found.points))
    (index,) = [n for n in points if tuple(found.setting(n).values()) == setting]
    return index


def gain(found: Results, better: tuple[Any, ...], worse: tuple[Any, ...]) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a gain of accuracy, paired by seed."""
    accuracy = found.values["accuracy"]
    difference = accuracy[[row(found, *better)]] - accuracy[[row(found, *worse)]]
    means = means_of(difference)
    assert half_widths(difference, means.mean, 0.975)[0] == pytest.approx(
        means.high[0] - means.mean[0]
    )
    return float(means.low[0]), float(means.high[0])


@pytest.mark.parametrize("name", ["weights", "adjoints", "credit", "feedback", "update"])
def test_every_point_is_in_the_table_of_the_documentation(name: str) -> None:
    found, text = results(name), (DOCS / "studies.md").read_text("utf-8")
    accuracy, hidden = found.means("accuracy"), found.means("hidden_spikes")
    for index in range(len(found.points)):
        setting = " | ".join(str(value) for value in found.setting(index).values())
        half = 100 * (accuracy.high[index] - accuracy.mean[index])
        line = (
            f"| {setting} | {100 * accuracy.mean[index]:.2f} ± {half:.2f} "
            f"| {hidden.mean[index]:.0f} |"
        )
        assert line in text


def test_six_adjoint_bits_are_enough_unless_rounded_toward_zero() -> None:
    found = results("adjoints")
    low, _ = gain(found, ("stochastic", 6), ("toward_zero", 6))
    assert low > 0.03
    hidden = found.means("hidden_spikes").mean
    assert hidden[row(found, "toward_zero", 6)] > 4 * hidden[row(found, "stochastic", 6)]
    # No other difference from 10 stochastic bits is distinguishable from the spread of the seeds.
    for rounding in ("stochastic", "nearest"):
        for bits in (6, 8, 12):
            low, high = gain(found, (rounding, bits), ("stochastic", 10))
            assert high > 0
            assert low > -0.02


def test_feedback_needs_signs_but_not_weights() -> None:
    found = results("feedback")
    for neurons in (24, 48, 96):
        assert gain(found, ("transpose", neurons), ("none", neurons))[0] > 0.03
        low, high = gain(found, ("transpose", neurons), ("sign", neurons))
        assert low < 0 < high
    # A learned layer of 24 neurons is better than a fixed one of 96.
    assert gain(found, ("transpose", 24), ("none", 96))[0] > 0.02


def test_updates_by_spike_cost_accuracy_at_these_rates() -> None:
    found = results("update")
    for bits in (10, 12, 14, 16):
        assert gain(found, ("window", bits), ("spike", bits))[0] > 0.005
    bits = found.means("bits").mean
    assert bits[row(found, "spike", 12)] < 0.6 * bits[row(found, "window", 12)]


def test_weights_need_eight_bits() -> None:
    found = results("weights")
    assert gain(found, (12, 12), (8, 8))[1] < 0.02
    assert gain(found, (12, 12), (6, 12))[0] > 0.01
    assert gain(found, (12, 12), (12, 6))[0] > 0.005
    assert gain(found, (8, 8), (6, 6))[0] > 0.02


def test_bits_of_credit_and_surrogate_make_no_clear_difference() -> None:
    accuracy = results("credit").means("accuracy").mean
    assert np.ptp(accuracy) < 0.01
