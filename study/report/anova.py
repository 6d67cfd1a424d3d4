"""Exact functional analysis of variance (ANOVA) of a function on a complete grid."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


SAME = 16 * float(np.finfo(np.float64).eps)
"""Relative differences up to this are rounding errors."""


@dataclass(frozen=True, slots=True, eq=False)
class Variances:
    """The variance of a function on a grid, split by axis and by pair of axes.

    Attributes
    ----------
    total : float
        The variance of the function, in the square of its unit.
    mains : dict of int to float
        Variance explained by each axis alone.
    pairs : dict of (int, int) to float
        Variance explained by two axes beyond their separate effects.
    higher : float
        Variance explained only by three or more axes together.
    """

    total: float
    mains: dict[int, float]
    pairs: dict[tuple[int, int], float]
    higher: float


def decompose(values: Reals) -> Variances:
    """Decompose the variance of a function on a complete grid.

    The function is written as the sum of its mean, a function of each axis, a function of each
    pair of axes, and a remainder. Each term has mean zero along each of its axes, so that the
    variances of the terms add up to the total.

    Parameters
    ----------
    values : (L1, ..., LK) float64
        The function on K axes; all values have the same weight.

    Returns
    -------
    Variances

    Examples
    --------
    A sum of two axes has no interaction, and XOR is nothing but interaction:

    >>> found = decompose(np.array([[0.0, 1.0], [4.0, 5.0]]))
    >>> found.total, found.mains, found.pairs
    (4.25, {0: 4.0, 1: 0.25}, {(0, 1): 0.0})
    >>> found = decompose(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> found.total, found.mains, found.pairs
    (0.25, {0: 0.0, 1: 0.0}, {(0, 1): 0.25})
    """
    axes = range(values.ndim)
    rest = values - values.mean()
    if np.ptp(values) <= SAME * np.abs(values).max(initial=0.0):
        # Means of equal values differ by rounding, whose shares would mean nothing.
        rest = np.zeros_like(rest)
    total = float((rest**2).mean())
    alone = {axis: _over_others(rest, (axis,)) for axis in axes}
    mains = {axis: float((effect**2).mean()) for axis, effect in alone.items()}
    for effect in alone.values():
        rest = rest - effect
    pairs = {}
    for a, b in itertools.combinations(axes, 2):
        both = _over_others(rest, (a, b))
        pairs[a, b] = float((both**2).mean())
        rest = rest - both
    return Variances(total, mains, pairs, float((rest**2).mean()))


def _over_others(values: Reals, axes: tuple[int, ...]) -> Reals:
    others = tuple(axis for axis in range(values.ndim) if axis not in axes)
    mean: Reals = values.mean(axis=others, keepdims=True)
    return mean
