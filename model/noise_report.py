"""What a configuration's noise source really is: its exact distribution, its streams, its draws.

Nothing here takes the source to be Gaussian. Its exact PMF is compared with a Gaussian of the same
sigma, the streams with each other, and draws of the compiled engine with the PMF.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config.config import Config
from .derive import derive, effective_sigma
from .engine.compile import compiled
from .errors import require_int
from .extras import require_extra
from .fixed import round_shift
from .lfsr import make_streams, start_stream
from .noise import Pmf
from .period import draw_period, periods
from .window import Noise, draw_block

LAGS = 32
"""Lags, in draws of one lane, at which the autocorrelation is measured: 1 ..= LAGS."""

MIN_DRAWS, MAX_DRAWS = 1000, 1_000_000_000
"""Draws a lane that can be measured."""

LEAST_EXPECTED = 5.0
"""Expected count that a bin of the chi-square statistic has at least."""

TAILS = (3, 4)
"""Distances in sigma beyond which probabilities are given."""

BLOCK_DRAWS = 1 << 16
"""Draws of all lanes made at a time, but no fewer than `MIN_DRAWS` of each."""

BLOCK_BITS = 1 << 25
"""Bits of all streams made at a time: fewer draws, likewise, if the leap is long."""

NOTED_SHARE = 0.01
"""Share of a lane's period from which on its draws are noted not to be independent."""

UNIT = statistics.NormalDist()


# -- the exact distribution --------------------------------------------------------------------


def describe_distribution(pmf: Pmf) -> dict[str, Any]:
    """Return the exact properties of one draw beside those of a Gaussian of the same sigma.

    ``total_variation`` is between the PMF and that Gaussian rounded to the nearest level, what lies
    more than half a level spacing beyond the last level counted as missed; ``kolmogorov`` is the
    largest distance between the two cumulative distributions, the steps of the PMF's included.
    Both are probabilities. A ``tail`` is P(abs(draw) > k sigma), both sides together.
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
    """Return a Gaussian's probability of being more than `k` sigma from its mean."""
    return math.erfc(k / math.sqrt(2.0))


def gaussian_distances(pmf: Pmf) -> tuple[float, float]:
    """Return total variation and Kolmogorov distance; see `describe_distribution`."""
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


# -- the schedule ------------------------------------------------------------------------------


def describe_phases(config: Config) -> list[dict[str, Any]]:
    """Return each phase's asked sigma beside what the integers make of it.

    ``sigma_scaled`` is that of scale * draw, as the error table assumes it; ``sigma_rounded`` that
    of the noise as it is added, rounded to whole membrane LSBs. Sigmas are in the unit of the
    schedule; ``mean_rounded_lsb`` is in membrane LSBs.
    """
    derived = derive(config)
    shift = derived.constants.noise_shift
    lsb = config.membrane.format.lsb
    rounded = {
        constants.noise_scale: rounded_moments(
            config.noise.pmf, constants.noise_scale, derived.constants.noise_bias, shift
        )
        for constants in derived.phases
    }
    rows = []
    pairs = zip(config.schedule, derived.phases, strict=True)
    for number, (phase, constants) in enumerate(pairs):
        scaled = float(effective_sigma(config, constants.noise_scale, shift) * lsb)
        mean, variance = rounded[constants.noise_scale]
        rows.append(
            {
                "phase": number,
                "windows": phase.windows,
                "sigma_asked": phase.sigma,
                "noise_scale": constants.noise_scale,
                "noise_shift": shift,
                "sigma_scaled": scaled,
                "relative_error": scaled / phase.sigma - 1.0,
                "sigma_rounded": math.sqrt(variance) * float(lsb),
                "mean_rounded_lsb": float(mean),
            }
        )
    return rows


def rounded_moments(pmf: Pmf, scale: int, bias: int, shift: int) -> tuple[Fraction, Fraction]:
    """Return the exact mean and variance, in membrane LSBs, of a draw scaled and rounded."""
    first = second = 0
    for level, count in zip(pmf.levels, pmf.counts, strict=True):
        noise = round_shift(scale * level, bias, shift)
        first += count * noise
        second += count * noise * noise
    mean = Fraction(first, pmf.total)
    return mean, Fraction(second, pmf.total) - mean * mean


# -- the streams -------------------------------------------------------------------------------


def describe_lanes(config: Config) -> dict[str, Any]:
    """Return the LFSRs of the lanes, their periods, and how far they are from each other.

    A lane's ``position`` is that of its first draw on lane 0's stream, in bits; None where lanes
    have polynomials, and so streams, of their own. ``bits_to_next_lane`` is the way from there to
    the next lane's position (from the last lane's to the first's). ``draws_to_next_lane`` says how
    many draws the lane makes until it makes the next one's, from the first on: None if never.
    ``soonest_repeat`` is the least of these over all pairs of lanes.
    """
    noise, lanes = config.noise, config.layer.lanes
    sources = noise.lfsr.streams(lanes)
    period = sources[0].period
    own = noise.lfsr.sharing == "polynomial"
    distance = 0 if noise.lfsr.sharing == "shared" else period // lanes
    rows = []
    for lane, source in enumerate(sources):
        ahead = ((lane + 1) % lanes - lane) * distance % period
        alone = own or lanes == 1
        rows.append(
            {
                "lane": lane,
                "width": source.width,
                "taps": list(source.taps),
                "leap": noise.leap,
                "state": source.state,
                "stream_period_bits": period,
                "period_draws": draw_period(noise.leap, period),
                "position": None if own else lane * distance,
                "bits_to_next_lane": None if alone else ahead,
                "draws_to_next_lane": None if alone else draws_ahead(ahead, noise.leap, period),
            }
        )
    soonest = None
    if not own:
        ways = [
            (draws, (a, b))
            for a, b in itertools.permutations(range(lanes), 2)
            if (draws := draws_ahead((b - a) * distance % period, noise.leap, period)) is not None
        ]
        if ways:
            draws, pair = min(ways)
            soonest = {"draws": draws, "lanes": list(pair)}
    return {
        "sharing": noise.lfsr.sharing,
        "draw_bits": noise.draw_bits,
        "bits_shared_with_next_draw": max(0, noise.draw_bits - noise.leap),
        "lanes": rows,
        "neuron_period_steps": periods(config).neuron_steps,
        "soonest_repeat": soonest,
    }


def draws_ahead(distance: int, leap: int, period: int) -> int | None:
    """Return how many draws go over `distance` bits of a stream of that period; None if none does.

    >>> draws_ahead(64, 32, 255), draws_ahead(1, 32, 255), draws_ahead(1, 34, 255)
    (2, 8, None)
    """
    common = math.gcd(leap, period)
    if distance % common:
        return None
    turn = period // common
    return distance // common * pow(leap // common, -1, turn) % turn


# -- draws -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Sums over draws of the compiled engine, from which all statistics follow.

    Attributes
    ----------
    pmf : Pmf
        The exact distribution.
    draws : int
        Draws of each lane.
    counts : (lanes, levels) int64
        How often each level occurred.
    lagged : (lanes, LAGS + 1) float64
        Sums of the products of draws 0 ..= LAGS apart, in squared draw units; exact below 2**53.
    crossed : (lanes, lanes) float64
        Sums of the products of two lanes' draws of the same number, likewise.
    """

    pmf: Pmf
    draws: int
    counts: NDArray[np.int64]
    lagged: NDArray[np.float64]
    crossed: NDArray[np.float64]

    @property
    def band(self) -> float:
        """Largest correlation that 95 % of equally long white noise stays within."""
        return UNIT.inv_cdf(0.975) / math.sqrt(self.draws)

    @property
    def autocorrelation(self) -> NDArray[np.float64]:
        """Correlation of draws 1 ..= LAGS apart about the exact mean, 0: shape (lanes, LAGS)."""
        ratio: NDArray[np.float64] = self.lagged[:, 1:] / self.lagged[:, :1]
        return ratio

    @property
    def cross_correlation(self) -> NDArray[np.float64]:
        """Correlation of lanes about the exact mean, 0: shape (lanes, lanes)."""
        power = self.crossed.diagonal()
        ratio: NDArray[np.float64] = self.crossed / np.sqrt(np.outer(power, power))
        return ratio

    def moments(self) -> NDArray[np.float64]:
        """Return each lane's mean, variance (draw units) and excess kurtosis: shape (lanes, 3)."""
        sigma = float(self.pmf.sigma)
        share = self.counts / self.draws
        levels = levels_in_sigma(self.pmf)
        mean = share @ levels
        centred = levels - mean[:, None]
        variance = (share * centred**2).sum(axis=1)
        fourth = (share * centred**4).sum(axis=1)
        return np.column_stack((sigma * mean, sigma**2 * variance, fourth / variance**2 - 3.0))

    def exact_moments(self) -> NDArray[np.float64]:
        """Return the PMF's mean, variance and excess kurtosis: shape (3,)."""
        return np.array([0.0, float(self.pmf.moment(2)), self.pmf.kurtosis])

    def standard_errors(self) -> NDArray[np.float64]:
        """Return those of `moments` for independent draws, to first order: shape (3,)."""
        second = self.pmf.moment(2)
        m4, m6, m8 = (self.pmf.moment(k) / second ** (k // 2) for k in (4, 6, 8))
        of_kurtosis = m8 - m4**2 - 4 * m4 * (m6 - m4) + 4 * m4**2 * (m4 - 1)
        variances = (second, second**2 * (m4 - 1), of_kurtosis)
        return np.array([math.sqrt(variance / self.draws) for variance in variances])

    def bins(self) -> NDArray[np.int64]:
        """Return the first level (its index) of each bin of `chi_square`: shape (bins,)."""
        return merge_levels(self.draws * probabilities(self.pmf), LEAST_EXPECTED)

    def chi_square(self) -> NDArray[np.float64]:
        """Return each lane's sum of (counted - expected)^2 / expected over bins: shape (lanes,)."""
        first = self.bins()
        expected = np.add.reduceat(self.draws * probabilities(self.pmf), first)
        counted = np.add.reduceat(self.counts, first, axis=1)
        statistic: NDArray[np.float64] = ((counted - expected) ** 2 / expected).sum(axis=1)
        return statistic


def merge_levels(expected: NDArray[np.float64], least: float) -> NDArray[np.int64]:
    """Return the first index of each run of neighbours that together expect at least `least`.

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
    """Make the first `draws` draws of every lane with the compiled engine and sum them up.

    Parameters
    ----------
    config : Config
    draws : int
        Draws a lane, `MIN_DRAWS` ..= `MAX_DRAWS`.
    report : callable
        Called with how many draws a lane were made since it was last called.
    """
    draws = require_int("draws", draws, MIN_DRAWS, MAX_DRAWS)
    noise, lanes, pmf = config.noise, config.layer.lanes, config.noise.pmf
    levels = np.array(pmf.levels, np.int64)
    spacing = int(np.gcd.reduce(np.diff(levels)))
    places = (levels - levels[0]) // spacing
    block = min(draws, max(MIN_DRAWS, min(BLOCK_DRAWS, BLOCK_BITS // noise.leap) // lanes))
    streams = make_streams(
        noise.lfsr.streams(lanes), noise.leap, noise.draw_bits, block, compiled(start_stream)
    )
    shape = (noise.draw_bits, 1) if noise.kind == "popcount" else (noise.words, noise.word_bits)
    source = Noise(shape, noise.quantiles)
    make = compiled(draw_block)
    lane_draws, made = np.zeros(block, np.int64), np.zeros(block * lanes, np.int64)
    counts = np.zeros((lanes, int(places[-1]) + 1), np.int64)
    lagged, crossed = np.zeros((lanes, LAGS + 1)), np.zeros((lanes, lanes))
    # Before the first draw stand zeros: they add nothing to a sum of products.
    real = np.zeros((lanes, LAGS + block))
    for first in range(0, draws, block):
        count = min(block, draws - first)
        fresh = made[: count * lanes]
        # One neuron a lane: a step is one draw of each.
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
    """Raise unless SciPy is there, which has the chi-square distribution."""
    require_extra("the chi-square test needs SciPy", "demo", "scipy.special")


def describe_draws(measurement: Measurement) -> dict[str, Any]:
    """Return the statistics of the draws.

    ``p`` is the probability that as many independent draws of the PMF give a chi-square as large.

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
    """Return the two lanes that correlate most, and their r; None if there is one lane."""
    lanes = correlation.shape[0]
    if lanes == 1:
        return None
    upper = np.abs(np.triu(correlation, 1))
    a, b = (int(k) for k in np.unravel_index(upper.argmax(), upper.shape))
    return {"lanes": [a, b], "r": float(correlation[a, b])}


def _named(moments: NDArray[np.float64]) -> dict[str, float]:
    names = ("mean", "variance", "excess_kurtosis")
    return dict(zip(names, moments.tolist(), strict=True))


# -- all of it ---------------------------------------------------------------------------------


def describe_noise(config: Config, measurement: Measurement) -> dict[str, Any]:
    """Return everything known about the noise of `config` as one JSON object; see the parts."""
    lanes = describe_lanes(config)
    return {
        "config": config.name,
        "kind": config.noise.kind,
        "words": config.noise.words,
        "word_bits": config.noise.word_bits,
        "distribution": describe_distribution(config.noise.pmf),
        "phases": describe_phases(config),
        "streams": lanes,
        "measured": describe_draws(measurement),
        "remarks": remarks(config, lanes, measurement.draws),
    }


def remarks(config: Config, lanes: dict[str, Any], draws: int) -> list[str]:
    """Return what to know before the measured numbers are read: sentences, none if all is well."""
    found = []
    period = lanes["lanes"][0]["period_draws"]
    if draws > NOTED_SHARE * period:
        found.append(
            f"a lane repeats itself after {period} draws: {draws} of them are not independent, "
            f"but the standard errors, the band and p take them to be"
        )
    if shared := lanes["bits_shared_with_next_draw"]:
        found.append(
            f"successive draws share {shared} of their {config.noise.draw_bits} bits: they are not "
            f"independent, but the standard errors, the band and p take them to be"
        )
    soonest = lanes["soonest_repeat"]
    if config.noise.lfsr.sharing == "shared" and config.layer.lanes > 1:
        found.append("all lanes read the same draws: their noise is one and the same")
    elif soonest and soonest["draws"] < draws:
        a, b = soonest["lanes"]
        found.append(
            f"lane {a} makes the draws of lane {b} again after {soonest['draws']} draws, "
            f"within those measured"
        )
    return found
