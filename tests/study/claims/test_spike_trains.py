"""Measures of spike trains against trains of known precision."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bitlif.study.claims.spike_trains import (
    CATCH,
    KERNEL_STEPS,
    chance_jitter,
    fano_factor,
    reliability,
    spike_precision,
)


def shifted(offsets: np.ndarray, event: int, steps: int) -> np.ndarray:
    trains = np.zeros((offsets.size, steps), np.int64)
    trains[np.arange(offsets.size), event + offsets] = 1
    return trains


def test_fano_factor_of_known_distributions() -> None:
    random = np.random.default_rng(0)
    trials = 20_000
    # The variance of n normal values has a relative standard deviation of sqrt(2 / n), and that of
    # Poisson counts with mean 4 at most sqrt((2 + 1 / 4) / n). The limits are four of them.
    spread = 4 * math.sqrt(2.25 / trials)
    assert abs(fano_factor(random.poisson(4.0, trials)) - 1.0) < 1.5 * spread
    assert abs(fano_factor(random.binomial(100, 0.3, trials)) - 0.7) < 1.5 * spread * 0.7
    assert fano_factor(np.full(10, 3)) == 0.0
    assert math.isnan(fano_factor(np.zeros(10, np.int64)))


def test_jitter_is_the_standard_deviation_of_offsets() -> None:
    offsets = np.random.default_rng(1).integers(-3, 4, 500)
    measured = spike_precision(shifted(offsets, 50, 100), np.array([50]))
    assert measured.jitter == pytest.approx(float(offsets.std(ddof=1)), rel=1e-12)
    assert measured.found == 1.0


def test_independent_spikes_have_chance_jitter() -> None:
    offsets = np.random.default_rng(2).integers(-CATCH, CATCH + 1, 50_000)
    measured = spike_precision(shifted(offsets, 50, 100), np.array([50]))
    # The standard deviation of n uniform values has a relative error of about 0.45 / sqrt(n).
    assert abs(measured.jitter / chance_jitter() - 1) < 4 * 0.45 / math.sqrt(offsets.size)


def test_nearest_spike_within_reach_counts() -> None:
    trains = np.zeros((4, 100), np.int64)
    trains[0, 50 + CATCH] = 1
    trains[1, 50 + CATCH + 1] = 1  # out of reach
    trains[2, [47, 52]] = 1  # 52 is nearer
    trains[3, [48, 52]] = 1  # a tie: the later one counts
    measured = spike_precision(trains, np.array([50]))
    assert measured.found == 0.75
    assert measured.jitter == pytest.approx(float(np.std([CATCH, 2, 2], ddof=1)))


def test_spike_half_way_belongs_to_one_event() -> None:
    trains = np.zeros((2, 100), np.int64)
    trains[:, 53] = 1
    found = spike_precision(trains, np.array([50, 56])).found
    assert found == 0.5


def test_precision_without_events_is_nan() -> None:
    measured = spike_precision(np.zeros((3, 10), np.int64), np.array([], np.int64))
    assert math.isnan(measured.jitter)
    assert math.isnan(measured.found)


def test_reliability_of_two_spikes_is_gaussian() -> None:
    # Two Gaussians of width s at distance d have a cosine of exp(-d^2 / (4 s^2)). Far from the ends
    # the sum over steps equals the integral up to exp(-2 pi^2 s^2), which is negligible at s = 3.
    for distance in (0, 3, 6):
        trains = shifted(np.array([0, distance]), 50, 110)
        exact = math.exp(-(distance**2) / (4 * KERNEL_STEPS**2))
        assert reliability(trains) == pytest.approx(exact, abs=1e-12)


def test_silent_trial_correlates_with_none() -> None:
    trains = shifted(np.array([0, 0, 0]), 20, 40)
    trains[2] = 0
    # One of three pairs.
    assert reliability(trains) == pytest.approx(1 / 3, abs=1e-12)
