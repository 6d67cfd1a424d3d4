"""The noise of each phase against the enumeration of all words."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from noise_sources import EPS, SMALL_SOURCES, all_draws, configured, mean_of

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.noise_report.phases import describe_phases, rounded_moments


@pytest.mark.parametrize("noise", SMALL_SOURCES)
@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (5, 3), (77, 6)])
def test_rounded_moments_match_enumeration(noise: dict[str, Any], scale: int, shift: int) -> None:
    half = Fraction(1, 2)
    rounded = [math.floor(Fraction(scale * draw, 2**shift) + half) for draw in all_draws(noise)]
    mean = mean_of(rounded)
    variance = mean_of([(value - mean) ** 2 for value in rounded])
    bias = (1 << shift) >> 1
    assert rounded_moments(configured(noise).noise.pmf, scale, bias, shift) == (mean, variance)


def test_sigma_of_phase_is_within_half_a_step_of_the_scale() -> None:
    config = Config.load("tiny")
    rows = describe_phases(config)
    assert [row["sigma_asked"] for row in rows] == [phase.sigma for phase in config.schedule]
    lsb = float(config.membrane.format.lsb)
    for row, constants in zip(rows, derive(config).phases, strict=True):
        step = 0.5 ** row["noise_shift"] * float(config.noise.pmf.sigma) * lsb
        assert row["noise_scale"] == constants.noise_scale
        assert row["sigma_scaled"] == pytest.approx(row["noise_scale"] * step, rel=4 * EPS)
        assert abs(row["sigma_scaled"] - row["sigma_asked"]) <= step / 2 + EPS
        assert row["relative_error"] == row["sigma_scaled"] / row["sigma_asked"] - 1
        # Rounding to an LSB changes each value, and therefore sigma, by at most half an LSB.
        assert abs(row["sigma_rounded"] - row["sigma_scaled"]) <= lsb / 2
        assert abs(row["mean_rounded_lsb"]) <= 0.5
