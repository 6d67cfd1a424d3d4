"""Pareto fronts: the points that no other point dominates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def front(values: NDArray[np.float64], directions: Sequence[str]) -> NDArray[np.bool_]:
    """Return which points are on the Pareto front.

    A point dominates another if it is no worse in any objective and better in at least one. Equal
    points do not dominate each other: either all of them are on the front or none.

    Parameters
    ----------
    values : (P, K) float64
        The K objectives of each point. A point with a NaN is not on the front and dominates none.
    directions : sequence of K str
        ``"max"`` or ``"min"`` per objective.

    Returns
    -------
    (P,) bool
        True for points on the front.

    Examples
    --------
    Accuracy is maximised and the number of bits is minimised:

    >>> front(np.array([[0.9, 100], [0.8, 50], [0.7, 60], [0.9, 100]]), ("max", "min")).tolist()
    [True, True, False, True]
    """
    signs = np.array([-1.0 if direction == "max" else 1.0 for direction in directions])
    losses = values * signs
    inside = np.zeros(len(values), dtype=np.bool_)
    whole = np.flatnonzero(~np.isnan(losses).any(axis=1))
    # In lexicographic order only an earlier point of the front can dominate a point.
    order = whole[np.lexsort(losses[whole].T[::-1])]
    kept: list[NDArray[np.float64]] = []
    for point in order:
        loss = losses[point]
        if kept:
            so_far = np.array(kept)
            beaten = (so_far <= loss).all(axis=1) & (so_far < loss).any(axis=1)
            if beaten.any():
                continue
        kept.append(loss)
        inside[point] = True
    return inside
