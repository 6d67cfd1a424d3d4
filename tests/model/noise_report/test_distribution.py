"""The reported distribution against the enumeration of all words."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from noise_sources import EPS, SMALL_SOURCES, all_draws, configured, mean_of
from scipy import stats

from bitlif.model.noise_report.distribution import describe_distribution, tail_probability


@pytest.mark.parametrize("noise", SMALL_SOURCES)
def test_distribution_matches_enumeration(noise: dict[str, Any]) -> None:
    draws = all_draws(noise)
    second, fourth = (mean_of([draw**k for draw in draws]) for k in (2, 4))
    pmf = configured(noise).noise.pmf
    found = describe_distribution(pmf)
    sigma = math.sqrt(second)
    assert (found["levels"], found["lowest"], found["highest"]) == (
        len(set(draws)),
        min(draws),
        max(draws),
    )
    # Each value is rounded to a double once; the subtraction adds one rounding.
    assert found["sigma"] == pytest.approx(sigma, rel=2 * EPS)
    assert found["cutoff_sigma"] == pytest.approx(max(draws) / sigma, rel=4 * EPS)
    assert found["excess_kurtosis"] == pytest.approx(float(fourth / second**2 - 3), abs=4 * EPS)
    for k, tail in zip((3, 4), found["tails"], strict=True):
        beyond = sum(draw**2 > k * k * second for draw in draws)
        assert tail_probability(pmf, k) == Fraction(beyond, len(draws))
        assert tail["sigma"] == k
        assert tail["probability"] == beyond / len(draws)
        assert tail["gaussian"] == pytest.approx(2 * stats.norm.sf(k), rel=8 * EPS)


@pytest.mark.parametrize("noise", SMALL_SOURCES)
def test_distances_to_gaussian_of_same_sigma(noise: dict[str, Any]) -> None:
    draws = np.array(all_draws(noise))
    levels, counts = np.unique(draws, return_counts=True)
    gaussian = stats.norm(scale=math.sqrt(mean_of([int(d) ** 2 for d in draws])))
    inner = (levels[1:] + levels[:-1]) / 2
    last = levels[-1] + (levels[-1] - levels[-2]) / 2
    # The Gaussian's probability of each level's cell; `missed` lies outside all cells.
    share = np.diff(gaussian.cdf([-last, *inner, last]))
    missed = 2 * gaussian.sf(last)
    variation = (np.abs(counts / draws.size - share).sum() + missed) / 2
    kolmogorov = stats.ks_1samp(draws, gaussian.cdf).statistic
    found = describe_distribution(configured(noise).noise.pmf)
    # Each cell is a difference of two cumulative probabilities, each within a few ULPs of 1.
    assert found["total_variation"] == pytest.approx(variation, abs=8 * levels.size * EPS)
    assert found["kolmogorov"] == pytest.approx(kolmogorov, abs=16 * EPS)
