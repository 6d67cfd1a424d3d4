"""The step functions of the neuron: boundaries, signs and dead zones that others fell into."""

from __future__ import annotations

import pytest

from bitlif.model.config.config import Config
from bitlif.model.constants import Filter
from bitlif.model.derive import derive
from bitlif.model.fixed import Rounding
from bitlif.model.neuron import fires, keep_membrane, leaky_sum, noise_level


@pytest.mark.parametrize("shift", range(1, 8))
@pytest.mark.parametrize(
    ("rounding", "lowest", "highest"),
    [
        (Rounding.NEAREST, lambda k: -((1 << (k - 1)) - 1), lambda k: 1 << (k - 1)),
        (Rounding.FLOOR, lambda k: -((1 << k) - 1), lambda k: 0),
    ],
)
def test_dead_zone_of_a_leak_is_the_documented_one(shift, rounding, lowest, highest) -> None:
    leak = Filter((1 << shift) - 1, 1, rounding.bias(shift), shift, -4096, 4095)
    stuck = [v for v in range(-600, 601) if leaky_sum(v, 0, leak)[0] == v]
    assert stuck == list(range(lowest(shift), highest(shift) + 1))


def test_every_other_value_decays_into_the_dead_zone() -> None:
    for rounding in Rounding:
        leak = Filter(7, 1, rounding.bias(3), 3, -4096, 4095)
        for start in (-4096, 4095):
            v = start
            for _ in range(200):
                v = leaky_sum(v, 0, leak)[0]
            assert leaky_sum(v, 0, leak)[0] == v


def test_spike_is_at_the_threshold_or_above() -> None:
    c = derive(Config.load("tiny")).constants
    assert [fires(c.threshold + d, 0, c) for d in (-1, 0, 1)] == [False, True, True]
    assert [fires(c.threshold - 5, n, c) for n in (4, 5, 6)] == [False, True, True]


def test_most_negative_values_keep_their_sign() -> None:
    # A magnitude-then-sign datapath turns the most negative number into a positive one.
    leak = Filter(7, 8, 4, 3, -128, 127)
    assert leaky_sum(-128, 0, leak) == (-112, False)
    assert leaky_sum(-128, -128, leak) == (-128, True)
    assert leaky_sum(127, 127, leak) == (127, True)
    assert leaky_sum(-128, 127, leak) == (15, False)


def test_noise_is_symmetric_but_for_the_tie_that_rounds_up() -> None:
    config = Config.load("tiny")
    c, phase = derive(config).constants, derive(config).phases[0]
    half = 1 << (c.noise_shift - 1)
    for draw in config.noise.pmf.levels:
        tie = (phase.noise_scale * draw) % (2 * half) == half
        assert noise_level(draw, phase, c) + noise_level(-draw, phase, c) == int(tie)


def test_reset_clears_and_injection_decides_what_is_kept() -> None:
    config = Config.load("tiny")
    threshold = derive(config).constants
    membrane = derive(config.replace(membrane__injection="membrane")).constants
    assert keep_membrane(50, 7, True, threshold) == (0, False)
    assert keep_membrane(50, 7, False, threshold) == (50, False)
    assert keep_membrane(50, 7, False, membrane) == (57, False)
    assert keep_membrane(511, 7, False, membrane) == (511, True)
    assert keep_membrane(-512, -7, False, membrane) == (-512, True)
    assert keep_membrane(511, 7, False, threshold) == (511, False)
    subtracting = [c._replace(subtracted=60) for c in (threshold, membrane)]
    assert [keep_membrane(50, 17, True, c) for c in subtracting] == [(-10, False), (7, False)]
    assert [keep_membrane(50, 17, False, c) for c in subtracting] == [(50, False), (67, False)]
    # The sum is exact, and limited once.
    assert keep_membrane(511, 7, True, subtracting[1]) == (458, False)
    assert keep_membrane(-500, 600, True, subtracting[0]) == (-512, True)


def test_decay_and_input_are_rounded_once_together() -> None:
    # 0.5 + 0.5 of an LSB: rounded apart they would give 0 + 0 by floor or 1 + 1 by nearest.
    for rounding in Rounding:
        f = Filter(4, 4, rounding.bias(3), 3, -100, 100)
        assert leaky_sum(1, 1, f) == (1, False)
