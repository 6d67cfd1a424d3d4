"""Means and proportions with their confidence intervals."""

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
    """A mean over independent repetitions, and the interval that holds the true one.

    Attributes
    ----------
    mean, low, high : float
    count : int
        Repetitions (seeds).
    """

    mean: float
    low: float
    high: float
    count: int

    def to_json(self) -> dict[str, Any]:
        """Return the four numbers by name."""
        return asdict(self)

    def __contains__(self, value: float) -> bool:
        """Whether the interval holds `value`."""
        return self.low <= value <= self.high


def mean_interval(
    values: Sequence[float] | NDArray[np.floating], confidence: float = CONFIDENCE
) -> Interval:
    """Return the mean and its confidence interval by Student's t, which takes it for normal.

    Of a single value nothing is known about the spread: the interval is that value alone.

    Raises
    ------
    BitlifError
        If there is no value, one is not finite, or SciPy is not installed.

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
    """Return the exact (Clopper and Pearson 1934) interval of each proportion: low and high ends.

    Examples
    --------
    >>> low, high = proportion_interval(np.array([0, 10]), 10)
    >>> low.round(4).tolist(), high.round(4).tolist()                      # 0.025 ** (1 / 10)
    ([0.0, 0.6915], [0.3085, 1.0])
    """
    special = _special()
    tail = (1 - confidence) / 2
    counts = np.asarray(successes, np.float64)
    # The beta quantiles are not defined where there are no successes, or nothing else.
    some, missed = np.maximum(counts, 1.0), np.maximum(trials - counts, 1.0)
    low = np.where(counts > 0, special.betaincinv(some, trials - some + 1, tail), 0.0)
    high = special.betaincinv(trials - missed + 1, missed, 1 - tail)
    return low, np.where(counts < trials, high, 1.0)


def chi_square_p(statistic: float, freedom: int) -> float:
    """Return the probability that chi-square with `freedom` degrees exceeds `statistic`."""
    return float(_special().chdtrc(freedom, statistic))


def gaussian_cumulative(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return Phi(x), the chance that a standard Gaussian is below x."""
    return np.asarray(_special().ndtr(x), np.float64)


def _special() -> Any:
    try:
        from scipy import special
    except ImportError as error:
        raise missing_extra("confidence intervals need SciPy", "demo", error) from error
    return special
