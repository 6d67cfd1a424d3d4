"""Draws of the compiled engine, measured and compared with the exact distribution."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.engine.compile import compiled
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.extras import require_extra
from bitlif.model.lfsr import make_streams, start_stream
from bitlif.model.noise import Pmf
from bitlif.model.window import Noise, draw_block

from .distribution import UNIT, levels_in_sigma, probabilities

LAGS = 32
"""The autocorrelation is measured at lags of 1 ..= LAGS draws of one lane."""

MIN_DRAWS, MAX_DRAWS = 1000, 1_000_000_000
"""Range of the number of draws per lane."""

LEAST_EXPECTED = 5.0
"""Minimum expected count of a bin of the chi-square statistic."""

BLOCK_DRAWS = 1 << 16
"""Draws of all lanes made at a time, but at least `MIN_DRAWS` per lane."""

BLOCK_BITS = 1 << 25
"""Bits of all streams made at a time: with a long leap, this limits the draws of a block."""


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Sums over draws of the compiled engine, from which all statistics are computed.

    Attributes
    ----------
    pmf : Pmf
        The exact distribution.
    draws : int
        Number of draws per lane.
    counts : (lanes, levels) int64
        Occurrences of each level.
    lagged : (lanes, LAGS + 1) float64
        Sums of products of draws at lags 0 ..= LAGS, in squared draw units; exact below 2**53.
    crossed : (lanes, lanes) float64
        Sums of products of simultaneous draws of two lanes, in the same unit.
    """

    pmf: Pmf
    draws: int
    counts: NDArray[np.int64]
    lagged: NDArray[np.float64]
    crossed: NDArray[np.float64]

    @property
    def band(self) -> float:
        """Bound on the correlation that white noise of equal length meets with probability 0.95."""
        return UNIT.inv_cdf(0.975) / math.sqrt(self.draws)

    @property
    def autocorrelation(self) -> NDArray[np.float64]:
        """Autocorrelation at lags 1 ..= LAGS about the exact mean, 0: shape (lanes, LAGS)."""
        ratio: NDArray[np.float64] = self.lagged[:, 1:] / self.lagged[:, :1]
        return ratio

    @property
    def cross_correlation(self) -> NDArray[np.float64]:
        """Correlation between lanes about the exact mean, 0: shape (lanes, lanes)."""
        power = self.crossed.diagonal()
        ratio: NDArray[np.float64] = self.crossed / np.sqrt(np.outer(power, power))
        return ratio

    def moments(self) -> NDArray[np.float64]:
        """Return mean, variance (draw units) and excess kurtosis per lane: shape (lanes, 3)."""
        sigma = float(self.pmf.sigma)
        share = self.counts / self.draws
        levels = levels_in_sigma(self.pmf)
        mean = share @ levels
        centred = levels - mean[:, None]
        variance = (share * centred**2).sum(axis=1)
        fourth = (share * centred**4).sum(axis=1)
        return np.column_stack((sigma * mean, sigma**2 * variance, fourth / variance**2 - 3.0))

    def exact_moments(self) -> NDArray[np.float64]:
        """Return mean, variance and excess kurtosis of the PMF: shape (3,)."""
        return np.array([0.0, float(self.pmf.moment(2)), self.pmf.kurtosis])

    def standard_errors(self) -> NDArray[np.float64]:
        """Return the standard errors of `moments` for independent draws, to first order: (3,)."""
        second = self.pmf.moment(2)
        m4, m6, m8 = (self.pmf.moment(k) / second ** (k // 2) for k in (4, 6, 8))
        of_kurtosis = m8 - m4**2 - 4 * m4 * (m6 - m4) + 4 * m4**2 * (m4 - 1)
        variances = (second, second**2 * (m4 - 1), of_kurtosis)
        return np.array([math.sqrt(variance / self.draws) for variance in variances])

    def bins(self) -> NDArray[np.int64]:
        """Return the index of the first level of each bin of `chi_square`: shape (bins,)."""
        return merge_levels(self.draws * probabilities(self.pmf), LEAST_EXPECTED)

    def chi_square(self) -> NDArray[np.float64]:
        """Return the sum of (counted - expected)^2 / expected over bins, per lane: (lanes,)."""
        first = self.bins()
        expected = np.add.reduceat(self.draws * probabilities(self.pmf), first)
        counted = np.add.reduceat(self.counts, first, axis=1)
        statistic: NDArray[np.float64] = ((counted - expected) ** 2 / expected).sum(axis=1)
        return statistic


def merge_levels(expected: NDArray[np.float64], least: float) -> NDArray[np.int64]:
    """Return the first index of each run of neighbours whose expected counts sum to `least`.

    >>> merge_levels(np.array([1.0, 4.0, 6.0, 3.0, 3.0, 1.0]), 5.0).tolist()
    [0, 2, 3]
    """
    first = [0]
    total = 0.0
    for index, count in enumerate(expected):
        if total >= least:
            first.append(index)
            total = 0.0
        total += float(count)
    if total < least and len(first) > 1:
        first.pop()
    return np.array(first, np.int64)


def measure_draws(
    config: Config, draws: int, report: Callable[[int], Any] = lambda count: None
) -> Measurement:
    """Measure the first `draws` draws of every lane, made by the compiled engine.

    Parameters
    ----------
    config : Config
    draws : int
        Draws per lane, `MIN_DRAWS` ..= `MAX_DRAWS`.
    report : callable
        Progress callback: called with the number of draws per lane since the last call.

    Raises
    ------
    BitlifError
        If `draws` is out of range, or there is no noise.
    """
    draws = require_int("draws", draws, MIN_DRAWS, MAX_DRAWS)
    if not config.noise.drawn:
        raise BitlifError("noise.kind must not be 'none': there are no draws to measure")
    noise, lanes, pmf = config.noise, config.layer.lanes, config.noise.pmf
    levels = np.array(pmf.levels, np.int64)
    spacing = int(np.gcd.reduce(np.diff(levels)))
    places = (levels - levels[0]) // spacing
    block = min(draws, max(MIN_DRAWS, min(BLOCK_DRAWS, BLOCK_BITS // noise.leap) // lanes))
    streams = make_streams(
        noise.streams(lanes), noise.leap, noise.draw_bits, block, compiled(start_stream)
    )
    shape = (noise.draw_bits, 1) if noise.kind == "popcount" else (noise.words, noise.word_bits)
    source = Noise(shape, noise.quantiles)
    make = compiled(draw_block)
    lane_draws, made = np.zeros((lanes, block), np.int64), np.zeros(block * lanes, np.int64)
    counts = np.zeros((lanes, int(places[-1]) + 1), np.int64)
    lagged, crossed = np.zeros((lanes, LAGS + 1)), np.zeros((lanes, lanes))
    # The history before the first draw is zero, which adds nothing to a sum of products.
    real = np.zeros((lanes, LAGS + block))
    for first in range(0, draws, block):
        count = min(block, draws - first)
        fresh = made[: count * lanes]
        # With one neuron per lane, a step takes one draw of each lane.
        make(streams, source, lanes, count, lane_draws, fresh)
        rows = np.ascontiguousarray(fresh.reshape(count, lanes).T)
        real[:, LAGS : LAGS + count] = rows
        for lane in range(lanes):
            place = (rows[lane] - levels[0]) // spacing
            counts[lane] += np.bincount(place, minlength=counts.shape[1])
        own = real[:, LAGS : LAGS + count]
        for lag in range(LAGS + 1):
            earlier = real[:, LAGS - lag : LAGS - lag + count]
            lagged[:, lag] += np.einsum("ij,ij->i", earlier, own)
        crossed += own @ own.T
        real[:, :LAGS] = real[:, count : LAGS + count].copy()
        report(count)
    return Measurement(pmf, draws, counts[:, places], lagged, crossed)


def require_scipy() -> None:
    """Raise unless SciPy, which has the chi-square distribution, is installed."""
    require_extra("the chi-square test needs SciPy", "demo", "scipy.special")


def describe_draws(measurement: Measurement) -> dict[str, Any]:
    """Return the statistics of the draws as a JSON object.

    ``p`` is the p-value of the chi-square test: the probability that equally many independent
    draws from the PMF give a statistic at least as large.

    Raises
    ------
    BitlifError
        If SciPy is not installed.
    """
    require_scipy()
    from scipy.special import chdtrc

    bins = measurement.bins().size
    rows = []
    for lane, (moments, chi_square, correlation) in enumerate(
        zip(
            measurement.moments(),
            measurement.chi_square(),
            measurement.autocorrelation,
            strict=True,
        )
    ):
        largest = int(np.abs(correlation).argmax())
        rows.append(
            {
                "lane": lane,
                **_named(moments),
                "chi_square": float(chi_square),
                "bins": bins,
                "p": float(chdtrc(bins - 1, float(chi_square))),
                "autocorrelation": correlation.tolist(),
                "largest_autocorrelation": {"lag": largest + 1, "r": float(correlation[largest])},
                "lags_outside_band": int((np.abs(correlation) > measurement.band).sum()),
            }
        )
    cross = measurement.cross_correlation
    return {
        "draws": measurement.draws,
        "exact": _named(measurement.exact_moments()),
        "standard_error": _named(measurement.standard_errors()),
        "band": measurement.band,
        "lanes": rows,
        "cross_correlation": cross.tolist(),
        "largest_cross_correlation": largest_pair(cross),
    }


def largest_pair(correlation: NDArray[np.float64]) -> dict[str, Any] | None:
    """Return the two most correlated lanes and their r, or None if there is only one lane."""
    lanes = correlation.shape[0]
    if lanes == 1:
        return None
    upper = np.abs(np.triu(correlation, 1))
    a, b = (int(k) for k in np.unravel_index(upper.argmax(), upper.shape))
    return {"lanes": [a, b], "r": float(correlation[a, b])}


def _named(moments: NDArray[np.float64]) -> dict[str, float]:
    names = ("mean", "variance", "excess_kurtosis")
    return dict(zip(names, moments.tolist(), strict=True))
