"""Fronts: the points that no other point beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def front(values: NDArray[np.float64], directions: Sequence[str]) -> NDArray[np.bool_]:
    """Say which points no other point dominates.

    A point dominates another if it is nowhere worse and somewhere better. Points that are equal
    everywhere do not dominate each other, so that all of them are in the front or none.

    Parameters
    ----------
    values : (P, K) float64
        K objectives of each point; a point with a NaN neither is in the front nor dominates.
    directions : K of str
        ``"max"`` or ``"min"``.

    Returns
    -------
    (P,) bool

    Examples
    --------
    Accuracy, the more the better, and bits, the fewer the better:

    >>> front(np.array([[0.9, 100], [0.8, 50], [0.7, 60], [0.9, 100]]), ("max", "min")).tolist()
    [True, True, False, True]
    """
    signs = np.array([-1.0 if own == "max" else 1.0 for own in directions])
    losses = values * signs
    inside = np.zeros(len(values), dtype=np.bool_)
    whole = np.flatnonzero(~np.isnan(losses).any(axis=1))
    # In lexicographic order nobody is dominated by a later one, only by one of the front so far.
    order = whole[np.lexsort(losses[whole].T[::-1])]
    kept: list[NDArray[np.float64]] = []
    for point in order:
        own = losses[point]
        if kept:
            so_far = np.array(kept)
            beaten = (so_far <= own).all(axis=1) & (so_far < own).any(axis=1)
            if beaten.any():
                continue
        kept.append(own)
        inside[point] = True
    return inside
