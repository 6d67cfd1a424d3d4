"""The exact distribution of a noise source, compared with a Gaussian of the same sigma."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.noise import Pmf

TAILS = (3, 4)
"""Distances from the mean, in sigma, whose tail probabilities are reported."""

UNIT = statistics.NormalDist()


def describe_distribution(pmf: Pmf) -> dict[str, Any]:
    """Return the exact properties of one draw and its distances to a Gaussian of the same sigma.

    Returns
    -------
    dict
        ``levels`` (their number), ``lowest`` and ``highest`` in draw units, ``sigma`` in draw
        units, ``cutoff_sigma``, ``excess_kurtosis``, and:

        ``total_variation``
            Distance between the PMF and the Gaussian rounded to the nearest level. The Gaussian's
            probability more than half a level spacing beyond the last level counts as missed.
        ``kolmogorov``
            Largest distance between the two cumulative distributions, on both sides of each step.
        ``tails``
            P(abs(draw) > k sigma), two-sided, for each k of `TAILS`.
    """
    total_variation, kolmogorov = gaussian_distances(pmf)
    return {
        "levels": len(pmf.levels),
        "lowest": pmf.levels[0],
        "highest": pmf.levels[-1],
        "sigma": float(pmf.sigma),
        "cutoff_sigma": pmf.cutoff,
        "excess_kurtosis": pmf.kurtosis,
        "total_variation": total_variation,
        "kolmogorov": kolmogorov,
        "tails": [
            {"sigma": k, "probability": float(tail_probability(pmf, k)), "gaussian": both_tails(k)}
            for k in TAILS
        ],
    }


def tail_probability(pmf: Pmf, k: int) -> Fraction:
    """Return P(abs(draw) > k sigma), exactly.

    >>> tail_probability(Pmf((-2, 0, 2), (1, 14, 1)), 2), tail_probability(Pmf((-1, 1), (1, 1)), 1)
    (Fraction(1, 8), Fraction(0, 1))
    """
    bound = k * k * pmf.moment(2)
    pairs = zip(pmf.levels, pmf.counts, strict=True)
    return Fraction(sum(count for level, count in pairs if level * level > bound), pmf.total)


def both_tails(k: float) -> float:
    """Return the two-sided tail probability of a Gaussian beyond `k` sigma."""
    return math.erfc(k / math.sqrt(2.0))


def gaussian_distances(pmf: Pmf) -> tuple[float, float]:
    """Return the total variation and Kolmogorov distances; see `describe_distribution`."""
    knots = [UNIT.cdf(knot) for knot in pmf.knots_in_sigma()]
    cell = np.diff(knots)
    exact = probabilities(pmf)
    total_variation = 0.5 * (float(np.abs(exact - cell).sum()) + 2.0 * knots[0])
    after = pmf.cumulative()[1:]
    before = pmf.cumulative()[:-1]
    ideal = np.array([UNIT.cdf(level) for level in levels_in_sigma(pmf)])
    kolmogorov = max(np.abs(after - ideal).max(), np.abs(before - ideal).max())
    return total_variation, float(kolmogorov)


def probabilities(pmf: Pmf) -> NDArray[np.float64]:
    """Return the probability of each level: shape (levels,)."""
    return np.array([count / pmf.total for count in pmf.counts])


def levels_in_sigma(pmf: Pmf) -> NDArray[np.float64]:
    """Return the levels in sigma: shape (levels,)."""
    sigma = float(pmf.sigma)
    return np.array([level / sigma for level in pmf.levels])
