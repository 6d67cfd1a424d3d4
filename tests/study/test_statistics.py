"""Confidence intervals against published quantiles and simulated coverage."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from bitlif.model.errors import BitlifError
from bitlif.study.statistics import (
    Interval,
    chi_square_p,
    gaussian_cumulative,
    mean_interval,
    proportion_interval,
)


def test_mean_interval_uses_student_t_quantiles() -> None:
    # Published t quantiles with 4 degrees of freedom: 2.776 for 95 %, 4.604 for 99 %.
    values = [0.0, 1.0, 2.0, 3.0, 4.0]
    standard_error = math.sqrt(2.5 / 5)
    for confidence, quantile in ((0.95, 2.776), (0.99, 4.604)):
        interval = mean_interval(values, confidence)
        assert (interval.mean, interval.count) == (2.0, 5)
        # The published values are rounded to 1e-3.
        assert abs((interval.high - 2.0) / standard_error - quantile) <= 5e-4
        assert interval.high - 2.0 == pytest.approx(2.0 - interval.low, rel=1e-12)


def test_mean_intervals_have_the_stated_coverage() -> None:
    random = np.random.default_rng(1)
    held = sum(0.0 in mean_interval(random.standard_normal(5)) for _ in range(2000))
    # The count in 2000 trials has a standard deviation of 9.7; the limits are four of them.
    assert abs(held - 1900) <= 39


def test_interval_contains_its_ends() -> None:
    interval = Interval(1.0, 0.5, 1.5, 3)
    assert 0.5 in interval
    assert 1.5 in interval
    assert 1.6 not in interval
    assert mean_interval([3.0]) == Interval(3.0, 3.0, 3.0, 1)
    assert interval.to_json() == {"mean": 1.0, "low": 0.5, "high": 1.5, "count": 3}


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_values_without_a_mean_raise(values: list[float]) -> None:
    with pytest.raises(BitlifError, match=r"^values must be one or more finite numbers$"):
        mean_interval(values)


def test_proportion_interval_has_exact_binomial_tails() -> None:
    trials = 30
    low, high = proportion_interval(np.arange(trials + 1), trials)

    def at_most(k: int, p: float) -> float:
        return sum(math.comb(trials, j) * p**j * (1 - p) ** (trials - j) for j in range(k + 1))

    for k in range(trials + 1):
        # Quantiles are accurate to about 1e-12; a tail changes by at most `trials` times that.
        if k < trials:
            assert at_most(k, high[k]) == pytest.approx(0.025, abs=1e-10)
        if k > 0:
            assert 1 - at_most(k - 1, low[k]) == pytest.approx(0.025, abs=1e-10)
    assert (low[0], high[trials]) == (0.0, 1.0)


def test_tails_match_published_values() -> None:
    # The 95 % quantile of chi-square with 10 degrees is 18.307; Phi(1.96) is 0.9750.
    assert abs(chi_square_p(18.307, 10) - 0.05) < 5e-5
    assert gaussian_cumulative(np.array([0.0, 1.96])).round(4).tolist() == [0.5, 0.975]


def test_missing_scipy_names_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(BitlifError, match=r"which is not installed: pip install '"):
        mean_interval([1.0, 2.0])
