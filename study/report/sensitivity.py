"""How much of the score's variance each axis explains, alone and in pairs.

Of a complete grid this is exact: the functional analysis of variance of the means over the seeds.
Of anything else it is that of a forest fitted to them (`bitlif.study.report.forest`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitlif.study.search.results import Results, Varied

from .anova import Variances, decompose
from .forest import LEAST_POINTS, forest_variances
from .levels import in_order, is_wide

Reals = NDArray[np.float64]

SIGNIFICANCE = 0.05
"""An effect is told apart from noise if noise alone were as large in fewer cases than this."""

ROUNDING = 1e-12
"""A share no larger than this is one of rounding errors."""

EXACT = "exact"
FOREST = "forest"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one axis explains, or what two explain beyond what each does alone.

    Attributes
    ----------
    axes : tuple of str
        One or two.
    share : float
        Of the variance, 0 to 1.
    noise : float or None
        The share that the seeds' noise alone would make here, on average; None with one seed.
    clear : bool or None
        Whether it is told apart from noise; None with one seed.
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
        Share of what three or more axes do together, or of what is not told from it.
    noise : float or None
        Share that the seeds' noise has in the variance of the means; None with one seed.
    deviation : float
        Square root of the variance of which all these are shares, in the score's unit.
    points : int
        Points that it is of.
    fit : float or None
        Of a forest: the share of the variance of points left out that it foretells (R^2,
        cross-validated).
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
    """Return what each axis explains of the score; None where too few points have one."""
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
    if there.sum() < LEAST_POINTS:
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
    results: Results, axes: list[Varied], there: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    columns, sizes = [], []
    for axis in axes:
        own = results.settings[axis.name]
        values = in_order(axis, own)
        columns.append([values.index(own[n]) for n in np.flatnonzero(there)])
        sizes.append(len(values))
    return np.array(columns, dtype=np.int64).T, tuple(sizes)


def seed_variance(values: Reals) -> tuple[float, int] | None:
    """Return the variance that the seeds' noise gives a point's mean, and its degrees of freedom.

    Where every point has every seed, what a seed does to all points alike is left out (as a block):
    it moves all means together and makes no effect of an axis.

    Parameters
    ----------
    values : (P, S) float64
        NaN where there is none.
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
    axes: list[Varied], found: Variances, sizes: tuple[int, ...], noise: tuple[float, int] | None
) -> Sensitivity:
    points = int(np.prod(sizes))

    def effect(own: tuple[int, ...], variance: float) -> Effect:
        free = int(np.prod([sizes[n] - 1 for n in own]))
        names = tuple(axes[n].name for n in own)
        if noise is None:
            return Effect(names, _share(variance, found.total), None, None)
        # The sum of squares of noise over an effect is its degrees of freedom times the noise's.
        expected = free * noise[0] / points
        share = _share(variance, found.total)
        clear = share > ROUNDING and _beyond_noise(
            variance * points / free, noise[0], free, noise[1]
        )
        return Effect(names, share, _share(expected, found.total), clear)

    own_noise = None if noise is None else noise[0] * (1 - 1 / points)
    return Sensitivity(
        EXACT, _largest_first([effect((n,), own) for n, own in found.mains.items()]),
        _largest_first([effect(pair, own) for pair, own in found.pairs.items()]),
        _share(found.higher, found.total),
        None if own_noise is None else _share(own_noise, found.total),
        float(np.sqrt(found.total)), points, None,
    )  # fmt: skip


def _beyond_noise(effect: float, noise: float, free: int, noise_free: int) -> bool:
    """Return whether a mean square is larger than noise's by an F test."""
    from scipy.stats import f

    if noise == 0.0:
        return True
    return bool(f.sf(effect / noise, free, noise_free) < SIGNIFICANCE)


def _forest(
    axes: list[Varied],
    found: Variances,
    noise: float | None,
    points: int,
    fit: float,
    spread: float,
) -> Sensitivity:
    own_noise = None if noise is None else _share(noise, spread)

    def effect(own: tuple[int, ...], variance: float) -> Effect:
        share = _share(variance, found.total)
        # A forest has no degrees of freedom: an effect must be larger than all noise together.
        clear = None if own_noise is None else share > own_noise
        return Effect(tuple(axes[n].name for n in own), share, own_noise, clear)

    return Sensitivity(
        FOREST, _largest_first([effect((n,), own) for n, own in found.mains.items()]),
        _largest_first([effect(pair, own) for pair, own in found.pairs.items()]),
        _share(found.higher, found.total), own_noise, float(np.sqrt(found.total)), points, fit,
    )  # fmt: skip


def _share(variance: float, total: float) -> float:
    return variance / total if total > 0 else 0.0


def _largest_first(effects: list[Effect]) -> tuple[Effect, ...]:
    return tuple(sorted(effects, key=lambda effect: -effect.share))
