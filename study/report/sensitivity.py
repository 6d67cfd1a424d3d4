"""The share of the score's variance that each axis explains, alone and in pairs.

For a complete grid this is the exact functional analysis of variance of the means over the seeds.
For any other set of points a forest is fitted to the means and analysed
(`bitlif.study.report.forest_anova`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitlif.study.search.results import ResultAxis, Results

from .anova import Variances, decompose
from .axis_levels import is_wide, ordered_values
from .forest_anova import MIN_POINTS, forest_variances

Reals = NDArray[np.float64]

SIGNIFICANCE = 0.05
"""Level of the F tests that distinguish effects from noise."""

ROUNDING = 1e-12
"""A share of at most this is attributed to rounding."""

EXACT = "exact"
FOREST = "forest"


@dataclass(frozen=True, slots=True)
class Effect:
    """A main effect, or an interaction of two axes beyond their main effects.

    Attributes
    ----------
    axes : tuple of str
        Names of one or two axes.
    share : float
        Share of the variance, 0 to 1.
    noise : float or None
        Expected share from the noise of the seeds alone; None with one seed.
    clear : bool or None
        Whether the effect is distinguishable from noise; None with one seed.
    """

    axes: tuple[str, ...]
    share: float
    noise: float | None
    clear: bool | None


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The effects of all axes.

    Attributes
    ----------
    method : str
        `EXACT` or `FOREST`.
    mains, pairs : tuple of Effect
        Largest first.
    higher : float
        Share of interactions of three or more axes, including what is not separable from them.
    noise : float or None
        Share of the noise of the seeds in the variance of the means; None with one seed.
    deviation : float
        Square root of the total variance, in the score's unit.
    points : int
        Number of points analysed.
    fit : float or None
        Cross-validated R^2 of the forest on held-out points; None for a complete grid.
    """

    method: str
    mains: tuple[Effect, ...]
    pairs: tuple[Effect, ...]
    higher: float
    noise: float | None
    deviation: float
    points: int
    fit: float | None


def sensitivity(results: Results) -> Sensitivity | None:
    """Return the effects of all axes on the score; None if too few points have a score."""
    values = results.values[results.score.name]
    means = results.means(results.score.name)
    there = means.count > 0
    axes = [axis for axis in results.axes if len(set(results.settings[axis.name])) > 1]
    if not axes or there.sum() < 2:
        return None
    noise = seed_variance(values[there])
    codes, sizes = _codes(results, axes, there)
    cells = np.ravel_multi_index(tuple(codes.T), sizes)
    if there.sum() == np.prod(sizes, dtype=float) == len(np.unique(cells)):
        grid = np.empty(sizes)
        grid.flat[cells] = means.mean[there]
        return _exact(axes, decompose(grid), sizes, noise)
    if there.sum() < MIN_POINTS:
        return None
    ranges = {n for n, axis in enumerate(axes) if axis.kind == "range"}
    real = codes.astype(np.float64)
    for n in ranges:
        real[:, n] = np.array(results.settings[axes[n].name], dtype=np.float64)[there]
        if axes[n].log or is_wide(real[:, n]):
            real[:, n] = np.log(real[:, n])
    found, fit = forest_variances(real, means.mean[there], ranges)
    own_noise = None if noise is None else noise[0] * (1 - 1 / int(there.sum()))
    return _forest(axes, found, own_noise, int(there.sum()), fit, float(means.mean[there].var()))


def _codes(
    results: Results, axes: list[ResultAxis], there: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    columns, sizes = [], []
    for axis in axes:
        setting = results.settings[axis.name]
        values = ordered_values(axis, setting)
        columns.append([values.index(setting[n]) for n in np.flatnonzero(there)])
        sizes.append(len(values))
    return np.array(columns, dtype=np.int64).T, tuple(sizes)


def seed_variance(values: Reals) -> tuple[float, int] | None:
    """Estimate the noise variance of a point's mean, and its degrees of freedom.

    If every point has every seed, the seeds are treated as blocks: what a seed does to all points
    equally moves all means together and is not counted as noise.

    Parameters
    ----------
    values : (P, S) float64
        Score per point and seed; NaN where it is missing.

    Returns
    -------
    (float, int) or None
        Variance in the square of the score's unit, and degrees of freedom; None without any.
    """
    there = ~np.isnan(values)
    points, seeds = values.shape
    if there.all():
        free = (points - 1) * (seeds - 1)
        if not free:
            return None
        rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
        return float((rest**2).sum() / free / seeds), free
    count = there.sum(axis=1)
    free = int((count - 1)[count > 0].sum())
    if not free:
        return None
    filled = np.where(there, values, 0.0)
    mean = filled.sum(axis=1) / np.where(count, count, 1)
    square = float((np.where(there, values - mean[:, None], 0.0) ** 2).sum())
    return square / free * float((1 / count[count > 0]).mean()), free


def _exact(
    axes: list[ResultAxis],
    found: Variances,
    sizes: tuple[int, ...],
    noise: tuple[float, int] | None,
) -> Sensitivity:
    points = int(np.prod(sizes))

    def effect(effect_axes: tuple[int, ...], variance: float) -> Effect:
        free = int(np.prod([sizes[n] - 1 for n in effect_axes]))
        names = tuple(axes[n].name for n in effect_axes)
        if noise is None:
            return Effect(names, _share(variance, found.total), None, None)
        # The expected sum of squares from noise is the degrees of freedom times its variance.
        expected = free * noise[0] / points
        share = _share(variance, found.total)
        clear = share > ROUNDING and _beyond_noise(
            variance * points / free, noise[0], free, noise[1]
        )
        return Effect(names, share, _share(expected, found.total), clear)

    own_noise = None if noise is None else noise[0] * (1 - 1 / points)
    return Sensitivity(
        EXACT, _largest_first([effect((n,), value) for n, value in found.mains.items()]),
        _largest_first([effect(pair, value) for pair, value in found.pairs.items()]),
        _share(found.higher, found.total),
        None if own_noise is None else _share(own_noise, found.total),
        float(np.sqrt(found.total)), points, None,
    )  # fmt: skip


def _beyond_noise(effect: float, noise: float, free: int, noise_free: int) -> bool:
    """Return whether an F test finds a mean square larger than that of the noise."""
    from scipy.stats import f

    if noise == 0.0:
        return True
    return bool(f.sf(effect / noise, free, noise_free) < SIGNIFICANCE)


def _forest(
    axes: list[ResultAxis],
    found: Variances,
    noise: float | None,
    points: int,
    fit: float,
    spread: float,
) -> Sensitivity:
    own_noise = None if noise is None else _share(noise, spread)

    def effect(effect_axes: tuple[int, ...], variance: float) -> Effect:
        share = _share(variance, found.total)
        # A forest has no degrees of freedom: an effect must exceed the total share of the noise.
        clear = None if own_noise is None else share > own_noise
        return Effect(tuple(axes[n].name for n in effect_axes), share, own_noise, clear)

    return Sensitivity(
        FOREST, _largest_first([effect((n,), value) for n, value in found.mains.items()]),
        _largest_first([effect(pair, value) for pair, value in found.pairs.items()]),
        _share(found.higher, found.total), own_noise, float(np.sqrt(found.total)), points, fit,
    )  # fmt: skip


def _share(variance: float, total: float) -> float:
    return variance / total if total > 0 else 0.0


def _largest_first(effects: list[Effect]) -> tuple[Effect, ...]:
    return tuple(sorted(effects, key=lambda effect: -effect.share))
