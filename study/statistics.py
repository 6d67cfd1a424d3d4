"""Confidence intervals of means and proportions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, require_real
from bitlif.model.extras import missing_extra

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over independent repetitions with its confidence interval.

    Attributes
    ----------
    mean, low, high : float
        The mean and the ends of the interval, in the unit of the values.
    count : int
        Number of repetitions (seeds).
    """

    mean: float
    low: float
    high: float
    count: int

    def to_json(self) -> dict[str, Any]:
        """Return the four numbers by name."""
        return asdict(self)

    def __contains__(self, value: float) -> bool:
        """Return whether `value` lies in the interval."""
        return self.low <= value <= self.high


def mean_interval(
    values: Sequence[float] | NDArray[np.floating], confidence: float = CONFIDENCE
) -> Interval:
    """Return the mean with its Student's t confidence interval, which assumes normality.

    The interval of a single value has zero width.

    Parameters
    ----------
    values : (N,) float
        At least one value.
    confidence : float
        Confidence level, above 0 and up to 1.

    Returns
    -------
    Interval

    Raises
    ------
    BitlifError
        If there are no values, a value is not finite, or SciPy is not installed.

    Examples
    --------
    >>> interval = mean_interval([1.0, 2.0, 3.0])
    >>> round(interval.low, 3), interval.mean, round(interval.high, 3)     # t = 4.303
    (-0.484, 2.0, 4.484)
    """
    require_real("confidence", confidence, 0.0, 1.0, open_low=True)
    array = np.asarray(values, np.float64)
    if array.size == 0 or not np.isfinite(array).all():
        raise BitlifError("values must be one or more finite numbers")
    mean = float(array.mean())
    if array.size == 1:
        return Interval(mean, mean, mean, 1)
    reach = float(_special().stdtrit(array.size - 1, 0.5 + confidence / 2))
    half = reach * float(array.std(ddof=1)) / array.size**0.5
    return Interval(mean, mean - half, mean + half, int(array.size))


def proportion_interval(
    successes: NDArray[np.integer], trials: int, confidence: float = CONFIDENCE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the exact interval of each proportion (Clopper and Pearson 1934).

    Parameters
    ----------
    successes : (K,) int
        Numbers of successes, 0 to `trials`.
    trials : int
        Number of trials of each proportion.
    confidence : float
        Confidence level.

    Returns
    -------
    low, high : (K,) float64
        Ends of the intervals.

    Examples
    --------
    >>> low, high = proportion_interval(np.array([0, 10]), 10)
    >>> low.round(4).tolist(), high.round(4).tolist()                      # 0.025 ** (1 / 10)
    ([0.0, 0.6915], [0.3085, 1.0])
    """
    special = _special()
    tail = (1 - confidence) / 2
    counts = np.asarray(successes, np.float64)
    # The beta quantiles are undefined for no successes and for no failures.
    some, missed = np.maximum(counts, 1.0), np.maximum(trials - counts, 1.0)
    low = np.where(counts > 0, special.betaincinv(some, trials - some + 1, tail), 0.0)
    high = special.betaincinv(trials - missed + 1, missed, 1 - tail)
    return low, np.where(counts < trials, high, 1.0)


def binomial_tail(
    successes: NDArray[np.integer], trials: NDArray[np.integer], share: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the probability of at least so many successes, exactly.

    Parameters
    ----------
    successes, trials : (K,) int
        Numbers of successes, 0 to the number of trials.
    share : (K,) float
        Probability of a success.

    Returns
    -------
    (K,) float64
        One-sided p-values of the exact binomial test.

    Examples
    --------
    >>> tail = binomial_tail(np.array([0, 2, 3]), np.array([3, 3, 3]), np.array([0.5, 0.5, 0.5]))
    >>> tail.tolist()
    [1.0, 0.5, 0.125]
    """
    above = np.asarray(successes, np.float64) - 1
    return np.where(above < 0, 1.0, _special().bdtrc(np.maximum(above, 0), trials, share))


def chi_square_p(statistic: float, freedom: int) -> float:
    """Return the p-value of a chi-square statistic with `freedom` degrees of freedom."""
    return float(_special().chdtrc(freedom, statistic))


def gaussian_cumulative(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return Phi(x), the probability that a standard Gaussian is below x, with the shape of x."""
    return np.asarray(_special().ndtr(x), np.float64)


def _special() -> Any:
    try:
        from scipy import special
    except ImportError as error:
        raise missing_extra("confidence intervals need SciPy", "demo", error) from error
    return special
