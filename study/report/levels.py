"""The values of an axis as few levels: its own, or bins of a range."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.study.search.results import Results, Varied

MOST_VALUES = 12
"""A range with more values than this is cut into bins."""

BINS = 8

WIDE = 30.0
"""A range over more than this factor is looked at by its logarithm."""


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """An axis in levels.

    Attributes
    ----------
    axis : Varied
    labels : tuple of str
        L of them, in order.
    codes : (P,) int64
        The level of each point.
    places : (L,) float64
        Where they lie: the values, the middles of the bins, or 0, 1, ... of words.
    binned : bool
        Whether a level is a bin.
    scale : str
        How places are looked at: ``"linear"``, ``"log"``, or ``"words"`` that have no scale.
    """

    axis: Varied
    labels: tuple[str, ...]
    codes: NDArray[np.int64]
    places: NDArray[np.float64]
    binned: bool
    scale: str


def levels_of(results: Results, axis: Varied) -> Levels:
    """Return the levels of an axis that occur."""
    own = results.settings[axis.name]
    values = in_order(axis, own)
    if axis.kind == "range" and len(values) > MOST_VALUES:
        return _bins(axis, np.array(own, dtype=np.float64))
    codes = np.array([values.index(value) for value in own], dtype=np.int64)
    numeric = all(is_number(value) for value in values)
    places = np.array(values if numeric else range(len(values)), dtype=np.float64)
    labels = tuple(words(value) for value in values)
    log = axis.log or is_wide(places)
    scale = "words" if not numeric else "log" if log else "linear"
    return Levels(axis, labels, codes, places, False, scale)


def in_order(axis: Varied, values: Sequence[Any]) -> list[Any]:
    """Return the different values of an axis, as the study listed them or else ascending."""
    found = set(values)
    listed = [label for label in axis.labels if label in found]
    rest = found.difference(listed)
    return listed + sorted(rest, key=lambda value: (isinstance(value, str), value))


def is_number(value: Any) -> bool:
    """Say whether a value has a place on a scale."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_wide(values: NDArray[np.float64]) -> bool:
    """Say whether values are better looked at by their logarithm.

    >>> is_wide(np.array([0.01, 1.0])), is_wide(np.array([0.0, 1.0])), is_wide(np.array([2.0, 3.0]))
    (True, False, False)
    """
    low, high = float(values.min()), float(values.max())
    return low > 0 and high / low > WIDE


def words(value: Any) -> str:
    """Return a value as it is shown.

    >>> words(True), words(0.1 + 0.2), words(12345678), words("s10.7")
    ('true', '0.3', '12345678', 's10.7')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def log_ticks(low: float, high: float) -> list[float]:
    """Return the numbers 1, 2 and 5 times powers of ten between two others.

    >>> log_ticks(0.03, 1.0)
    [0.05, 0.1, 0.2, 0.5, 1.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return [tick for tick in ticks if low <= tick <= high]


def _bins(axis: Varied, values: NDArray[np.float64]) -> Levels:
    """Cut a range into bins of equal width, of its logarithm if it is wide."""
    low, high = float(values.min()), float(values.max())
    log = axis.log or is_wide(values)
    space = np.geomspace if log else np.linspace
    edges = space(low, high, BINS + 1)
    codes = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1)
    labels = tuple(f"{a:.3g} to {b:.3g}" for a, b in itertools.pairwise(edges))
    middles = space(low, high, 2 * BINS + 1)[1::2]
    return Levels(axis, labels, codes, middles, True, "log" if log else "linear")
