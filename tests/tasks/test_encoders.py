"""Encoders: exactly the spikes that integers say, the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.tasks.encoders import encode_latency, encode_rate

LEVELS = np.array([[0.0, 1e-6, 2.0**-16, 0.1, 0.25, 1 / 3, 0.5, 0.9, 0.99999, 1.0]])
ONE = 1 << 16


def quantised(x: float) -> int:
    return math.floor(Fraction(x) * ONE + Fraction(1, 2))


@pytest.mark.parametrize("max_rate", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 7, 64])
def test_regular_spikes_follow_the_exact_line(max_rate: float, steps: int) -> None:
    events = encode_rate(LEVELS, steps, max_rate=max_rate, regular=True)
    rate = quantised(max_rate)
    for unit, x in enumerate(LEVELS[0]):
        line = Fraction(quantised(x) * rate, ONE * ONE)
        # A spike in each step in which the line passes a whole number.
        expected = [t for t in range(steps) if math.floor(line * (t + 1)) > math.floor(line * t)]
        assert events.times[events.addresses == unit].tolist() == expected
        assert events.counts()[0, unit] == math.floor(line * steps)


def test_phase_keeps_distance_and_count() -> None:
    intensities = np.tile([[0.25, 0.5, 1.0]], (40, 1))
    events = encode_rate(intensities, 64, max_rate=0.5, regular=True, seed=3)
    # Rates 1/8, 1/4, 1/2: every 8th, 4th, 2nd step, from a phase of its own for every window.
    assert (events.counts() == [8, 16, 32]).all()
    raster = events.raster()
    for unit, period in enumerate((8, 4, 2)):
        assert (raster[:, period:, unit] == raster[:, :-period, unit]).all()
        first = raster[:, :period, unit].argmax(axis=1)
        assert set(first) == set(range(period))


def test_drawn_spikes_are_draws_below_the_rate() -> None:
    intensities = np.array([[0.0, 0.3, 1.0], [1.0, 2.0**-16, 0.7]])
    events = encode_rate(intensities, 50, max_rate=0.4, seed=11)
    draws = np.random.default_rng(11).integers(0, 1 << 32, (2, 50, 3))
    rate = quantised(0.4)
    for w, t, j in np.ndindex(2, 50, 3):
        chance = Fraction(quantised(intensities[w, j]) * rate, 1 << 32)
        assert events.raster()[w, t, j] == (Fraction(int(draws[w, t, j]), 1 << 32) < chance)


def test_regular_count_is_within_one_of_the_rate() -> None:
    # Spikes are the whole numbers in (f, f + r T] for a phase f in [0, 1) and a rate r <= 1 a step:
    # floor(f + r T) - floor(f) of them, and floor(f + r T) is floor(r T) or one more.
    intensities = np.tile(LEVELS, (200, 1))
    for steps in (1, 7, 64):
        counts = encode_rate(intensities, steps, max_rate=0.9, regular=True, seed=8).counts()
        for unit, x in enumerate(LEVELS[0]):
            least = math.floor(Fraction(quantised(x) * quantised(0.9), ONE * ONE) * steps)
            assert set(counts[:, unit].tolist()) <= {least, least + 1}
    # In the mean over phases it is the rate: for 1/3 of 0.9 over 7 steps, 2.1, both counts occur.
    counts = encode_rate(intensities, 7, max_rate=0.9, regular=True, seed=8).counts()
    assert set(counts[:, 5].tolist()) == {2, 3}


def test_a_draw_equal_to_the_rate_is_no_spike(monkeypatch: pytest.MonkeyPatch) -> None:
    # `rand < p`, so that p = k / 2**32 spikes in exactly k of 2**32 draws; a tie never comes up in
    # a test of real draws, so the draws are planted: rate - 1, rate, rate + 1, and both ends.
    rate = quantised(0.4)
    intensities = np.array([[0.0, 2.0**-16, 0.7, 1.0]])
    chances = [quantised(x) * rate for x in intensities[0]]
    planted = np.array([[max(c - 1, 0), c, c + 1, 0, (1 << 32) - 1] for c in chances]).T[None]

    class Planted:
        def integers(self, low: int, high: int, shape: tuple[int, ...], dtype: type) -> Any:
            assert (low, high, shape, dtype) == (0, 1 << 32, planted.shape, np.int64)
            return planted

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Planted())
    raster = encode_rate(intensities, 5, max_rate=0.4, seed=1).raster()[0]
    for unit, chance in enumerate(chances):
        assert raster[:, unit].tolist() == [chance > 0, False, False, chance > 0, False]


def test_rates_zero_and_one_are_exact() -> None:
    events = encode_rate(np.array([[0.0, 1.0]]), 2000, max_rate=1.0, seed=0)
    assert events.counts().tolist() == [[0, 2000]]


def test_drawn_spikes_match_the_rate() -> None:
    # One fixed seed; a right encoder fails at it with a chance of 1e-4 for each intensity.
    steps = 100_000
    counts = encode_rate(np.array([[0.01, 0.3, 0.77]]), steps, max_rate=0.5, seed=1).counts()[0]
    for count, x in zip(counts, (0.01, 0.3, 0.77), strict=True):
        chance = quantised(x) / ONE / 2
        assert stats.binomtest(int(count), steps, chance).pvalue > 1e-4


@pytest.mark.parametrize("regular", [False, True])
def test_seed_determines_the_spikes(regular: bool) -> None:
    intensities = np.full((2, 20), 0.4)
    a, b, c = (encode_rate(intensities, 30, seed=seed, regular=regular) for seed in (5, 5, 6))
    assert a.raster().tolist() == b.raster().tolist()
    assert a.raster().tolist() != c.raster().tolist()


def test_latency_is_linear() -> None:
    for steps in (1, 2, 5, 64, 1000):
        events = encode_latency(LEVELS, steps)
        for unit, x in enumerate(LEVELS[0]):
            level = quantised(x)
            times = events.times[events.addresses == unit].tolist()
            if level == 0:
                assert times == []
            else:
                exact = Fraction((ONE - level) * (steps - 1), ONE)
                assert times == [math.floor(exact + Fraction(1, 2))]
        assert events.counts()[0].max() == 1


def test_extreme_intensities_spike_first_and_last() -> None:
    for steps in (1, 5, 1000, 32769):
        events = encode_latency(np.array([[2.0**-16, 1.0]]), steps)
        assert events.raster()[0, steps - 1, 0]
        assert events.raster()[0, 0, 1]


ENCODERS: list[Callable[..., Events]] = [
    lambda x, steps: encode_rate(x, steps, seed=1),
    lambda x, steps: encode_rate(x, steps, regular=True),
    encode_latency,
]


@pytest.mark.parametrize("encode", ENCODERS)
def test_empty_and_dark_inputs_keep_their_shape(encode: Callable[..., Events]) -> None:
    for windows in (0, 1, 3):
        events = encode(np.zeros((windows, 4)), 6)
        assert (events.windows, events.steps, events.units, events.count) == (windows, 6, 4, 0)


@pytest.mark.parametrize("encode", ENCODERS)
def test_integers_and_float32_are_accepted(encode: Callable[..., Events]) -> None:
    expected = encode(np.array([[0.0, 1.0, 1.0]]), 6).raster().tolist()
    for kind in (np.float32, np.float16, np.int64, np.uint8):
        assert encode(np.array([[0, 1, 1]], kind), 6).raster().tolist() == expected


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize(
    ("intensities", "message"),
    [
        (np.zeros(3), r"^intensities must be numbers of .*, not float64 of shape \(3,\)$"),
        (np.zeros((1, 2, 3)), r"^intensities must be numbers of shape \(windows, inputs\), not"),
        (
            np.zeros((1, 2), bool),
            r"^intensities must be numbers of .*, not bool of shape \(1, 2\)$",
        ),
        (np.zeros((1, 2), complex), r"^intensities must be numbers of .*, not complex128"),
        ([["a"]], r"^intensities must be numbers of shape .*, not <U1 of shape \(1, 1\)$"),
        (np.array([[0.5, 1.1]]), r"^intensities must be in 0 \.\.= 1, not 1\.1$"),
        (np.array([[0.5, -0.1]]), r"^intensities must be in 0 \.\.= 1, not -0\.1$"),
        (np.array([[0.5, np.nan]]), r"^intensities must be in 0 \.\.= 1, not nan$"),
        (np.array([[0.5, np.inf]]), r"^intensities must be in 0 \.\.= 1, not inf$"),
        (np.array([[0, 2]]), r"^intensities must be in 0 \.\.= 1, not 2$"),
        (np.zeros((2, 0)), r"^units must be in 1 \.\.= 65536, not 0$"),
    ],
)
def test_bad_intensities_are_refused(
    encode: Callable[..., Events], intensities: Any, message: str
) -> None:
    with pytest.raises(BitlifError, match=message):
        encode(intensities, 4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 0}, r"^steps must be in 1 \.\.= 1048576, not 0$"),
        ({"steps": 4.0}, r"^steps must be an integer in 1 \.\.= 1048576, not 4\.0$"),
        ({"max_rate": 1.1}, r"^max_rate must be in 0 \.\.= 1, not 1\.1$"),
        ({"max_rate": -0.1}, r"^max_rate must be in 0 \.\.= 1, not -0\.1$"),
        ({"max_rate": math.nan}, r"^max_rate must be in 0 \.\.= 1, not nan$"),
        ({"seed": None}, r"^seed must be an integer when spikes are drawn, not None$"),
        ({"seed": -1}, r"^seed must be in 0 \.\.= \d+, not -1$"),
        ({"seed": 1.5}, r"^seed must be an integer in 0 \.\.= \d+, not 1\.5$"),
        ({"seed": "1", "regular": True}, r"^seed must be an integer in 0 \.\.= \d+, not '1'$"),
    ],
)
def test_bad_parameters_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        encode_rate(np.zeros((1, 2)), **{"steps": 4, "seed": 1, **fields})


def test_latency_refuses_no_steps() -> None:
    with pytest.raises(BitlifError, match=r"^steps must be in 1 \.\.= 1048576, not 0$"):
        encode_latency(np.zeros((1, 2)), 0)
