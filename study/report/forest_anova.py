"""Functional analysis of variance for points that do not form a complete grid.

A forest of regression trees is fitted to the means of the points. The fitted function is known
everywhere and constant on boxes, so that its averages over all axes but one or two are exact sums
over leaves (Hutter, Hoos and Leyton-Brown, An efficient approach for assessing hyperparameter
importance, ICML 2014). The averages are taken over the whole forest instead of tree by tree, which
removes what only single trees see.

The splits are random and every tree is fitted to all points (Geurts, Ernst and Wehenkel, Extremely
randomized trees, 2006). The forest therefore reproduces the means at the points, and on a complete
grid its decomposition equals the exact one.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .anova import Variances
from .axis_levels import MAX_VALUES

Reals = NDArray[np.float64]

TREES = 100
FOLDS = 5
MIN_POINTS = 10
"""Fewest points to which a forest is fitted."""

RANGE_LEVELS = 16
"""Evenly spaced values over which a range is averaged."""

MAX_CELLS = 1 << 14
"""The variance is computed over all cells up to this number, else over a sample of this size."""


def forest_variances(x: Reals, y: Reals, ranges: Collection[int]) -> tuple[Variances, float]:
    """Fit a forest and decompose its variance, with the same weight for every value of an axis.

    Parameters
    ----------
    x : (P, K) float64
        Coordinates of the points: codes of values, or the numbers of a range or their logarithms.
    y : (P,) float64
        Mean score of each point.
    ranges : collection of int
        Indices of the axes that are ranges.

    Returns
    -------
    variances : Variances
        In the square of the unit of `y`.
    fit : float
        Cross-validated R^2 on held-out points.
    """
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.model_selection import KFold, cross_val_predict

    model = ExtraTreesRegressor(TREES, random_state=0)
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    residuals = cross_val_predict(model, x, y, cv=folds) - y
    spread = float(((y - y.mean()) ** 2).sum())
    fit = 1.0 - float((residuals**2).sum()) / spread if spread > 0 else 0.0
    model.fit(x, y)
    levels = [_levels(x[:, axis], axis in ranges) for axis in range(x.shape[1])]
    return _decompose(model, levels), fit


def _levels(values: Reals, is_range: bool) -> NDArray[np.float32]:
    # The trees compare in single precision.
    levels = np.unique(values)
    if is_range and len(levels) > MAX_VALUES:
        levels = np.linspace(levels[0], levels[-1], 2 * RANGE_LEVELS + 1)[1::2]
    return levels.astype(np.float32)


def _decompose(model: Any, levels: list[NDArray[np.float32]]) -> Variances:
    axes = range(len(levels))
    mains = {axis: np.zeros(len(levels[axis])) for axis in axes}
    pairs = {
        (a, b): np.zeros((len(levels[a]), len(levels[b])))
        for a, b in itertools.combinations(axes, 2)
    }
    mean = 0.0
    for tree in model.estimators_:
        value, inside = _leaves(tree.tree_, levels)
        # The fraction of the levels of each axis that lie in each leaf.
        shares = np.array([mask.mean(axis=1) for mask in inside])
        mean += float(value @ shares.prod(axis=0)) / TREES
        for axis in axes:
            others = np.delete(shares, axis, axis=0).prod(axis=0)
            mains[axis] += (value * others) @ inside[axis] / TREES
        for (a, b), sums in pairs.items():
            others = np.delete(shares, (a, b), axis=0).prod(axis=0)
            sums += (inside[a] * (value * others)[:, None]).T @ inside[b] / TREES
    alone = {axis: main - mean for axis, main in mains.items()}
    of_mains = {axis: float((effect**2).mean()) for axis, effect in alone.items()}
    of_pairs = {
        (a, b): float(((cell_means - mean - alone[a][:, None] - alone[b]) ** 2).mean())
        for (a, b), cell_means in pairs.items()
    }
    total = _variance(model, levels)
    rest = total - sum(of_mains.values()) - sum(of_pairs.values())
    return Variances(total, of_mains, of_pairs, max(0.0, rest))


def _leaves(tree: Any, levels: list[NDArray[np.float32]]) -> tuple[Reals, list[Reals]]:
    """Return the values of the leaves, (L,), and per axis which levels each leaf holds, (L, n)."""
    low = np.full((tree.node_count, len(levels)), -np.inf)
    high = np.full((tree.node_count, len(levels)), np.inf)
    # Parents come before their children.
    for node, (left, right, axis, cut) in enumerate(
        zip(tree.children_left, tree.children_right, tree.feature, tree.threshold, strict=True)
    ):
        if left < 0:
            continue
        for child in (left, right):
            low[child], high[child] = low[node], high[node]
        high[left, axis] = low[right, axis] = cut
    leaves = tree.children_left < 0
    inside = [
        (
            (axis_levels > low[leaves, axis, None]) & (axis_levels <= high[leaves, axis, None])
        ).astype(np.float64)
        for axis, axis_levels in enumerate(levels)
    ]
    return tree.value[leaves, 0, 0], inside


def _variance(model: Any, levels: list[NDArray[np.float32]]) -> float:
    sizes = [len(axis_levels) for axis_levels in levels]
    if np.prod(sizes, dtype=float) <= MAX_CELLS:
        cells = np.indices(sizes).reshape(len(sizes), -1)
    else:
        random = np.random.default_rng(0)
        cells = np.array([random.integers(0, size, MAX_CELLS) for size in sizes])
    places = np.column_stack(
        [axis_levels[cell] for axis_levels, cell in zip(levels, cells, strict=True)]
    )
    return float(model.predict(places).var())
