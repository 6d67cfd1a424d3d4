"""The levels of an axis: its values, or bins where a range has many."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.study.search.results import ResultAxis, Results

MAX_VALUES = 12
"""A range with more values than this is divided into bins."""

BINS = 8

WIDE = 30.0
"""A range that spans more than this factor is shown on a logarithmic scale."""


@dataclass(frozen=True, slots=True, eq=False)
class AxisLevels:
    """The levels of one axis.

    Attributes
    ----------
    axis : ResultAxis
    labels : tuple of str
        Labels of the L levels, in order.
    codes : (P,) int64
        Index of the level of each point.
    places : (L,) float64
        Positions on the axis: the values, the centres of the bins, or 0, 1, ... for text.
    binned : bool
        Whether the levels are bins.
    scale : str
        ``"linear"``, ``"log"``, or ``"words"`` for text, which has no scale.
    """

    axis: ResultAxis
    labels: tuple[str, ...]
    codes: NDArray[np.int64]
    places: NDArray[np.float64]
    binned: bool
    scale: str


def axis_levels(results: Results, axis: ResultAxis) -> AxisLevels:
    """Return the levels that occur on an axis of the results."""
    found = results.settings[axis.name]
    values = ordered_values(axis, found)
    if axis.kind == "range" and len(values) > MAX_VALUES:
        return _bins(axis, np.array(found, dtype=np.float64))
    codes = np.array([values.index(value) for value in found], dtype=np.int64)
    numeric = all(is_number(value) for value in values)
    places = np.array(values if numeric else range(len(values)), dtype=np.float64)
    labels = tuple(scalar_text(value) for value in values)
    log = axis.log or is_wide(places)
    scale = "words" if not numeric else "log" if log else "linear"
    return AxisLevels(axis, labels, codes, places, False, scale)


def ordered_values(axis: ResultAxis, values: Sequence[Any]) -> list[Any]:
    """Return the distinct values of an axis, in the order of the study or else ascending."""
    found = set(values)
    listed = [label for label in axis.labels if label in found]
    rest = found.difference(listed)
    return listed + sorted(rest, key=lambda value: (isinstance(value, str), value))


def is_number(value: Any) -> bool:
    """Return whether a value is a number; truth values are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_wide(values: NDArray[np.float64]) -> bool:
    """Return whether values span more than a factor of `WIDE`.

    >>> is_wide(np.array([0.01, 1.0])), is_wide(np.array([0.0, 1.0])), is_wide(np.array([2.0, 3.0]))
    (True, False, False)
    """
    low, high = float(values.min()), float(values.max())
    return low > 0 and high / low > WIDE


def scalar_text(value: Any) -> str:
    """Return a setting's value as text.

    >>> scalar_text(True), scalar_text(0.1 + 0.2), scalar_text(12345678), scalar_text("s10.7")
    ('true', '0.3', '12345678', 's10.7')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten from `low` to `high`.

    >>> log_ticks(0.03, 1.0)
    [0.05, 0.1, 0.2, 0.5, 1.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return [tick for tick in ticks if low <= tick <= high]


def _bins(axis: ResultAxis, values: NDArray[np.float64]) -> AxisLevels:
    """Divide a range into bins of equal width, or of equal ratio if it is wide."""
    low, high = float(values.min()), float(values.max())
    log = axis.log or is_wide(values)
    space = np.geomspace if log else np.linspace
    edges = space(low, high, BINS + 1)
    codes = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1)
    labels = tuple(f"{a:.3g} to {b:.3g}" for a, b in itertools.pairwise(edges))
    middles = space(low, high, 2 * BINS + 1)[1::2]
    return AxisLevels(axis, labels, codes, middles, True, "log" if log else "linear")
