"""The chi-square distribution: how often chance alone gives a statistic as large."""

from __future__ import annotations

import math

import numpy as np


def chi_square_survival(statistic: float, freedom: int) -> float:
    """Return the probability that chi-square exceeds `statistic`.

    Parameters
    ----------
    statistic : float
        At least 0.
    freedom : int
        Degrees of freedom, at least 1.

    Notes
    -----
    For integer degrees of freedom the regularised upper incomplete gamma function Q(n/2, x/2) is a
    finite sum (Abramowitz and Stegun, 26.4.4 and 26.4.5).

    Examples
    --------
    >>> round(chi_square_survival(3.841459, 1), 6), round(chi_square_survival(18.307038, 10), 6)
    (0.05, 0.05)
    """
    x = statistic / 2
    if x <= 0:
        return 1.0
    begins = freedom % 2 / 2
    powers = begins + np.arange(freedom // 2)
    # Terms x^k e^-x / k!: as logarithms, for factors beyond what a float holds.
    gammas = [math.lgamma(power + 1) for power in powers.tolist()]
    terms = np.exp(powers * math.log(x) - x - np.asarray(gammas))
    first = math.erfc(math.sqrt(x)) if begins else 0.0
    return min(1.0, math.fsum([first, *terms.tolist()]))
