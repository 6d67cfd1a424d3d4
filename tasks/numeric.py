"""Inputs of windows as arrays: tables, time series and spikes, checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, BitlifTypeError
from bitlif.model.events import Events
from bitlif.model.text import array_kind, quoted

from .spike_codes import ONE

SHAPES = (
    "a table (windows, features), time series (windows, channels, samples) or spikes "
    "(windows, steps, inputs) of bool"
)


def as_inputs(X: Any, names: tuple[str, ...] = ()) -> NDArray[np.float64] | Events:
    """Return the inputs of windows: a table, time series, or spikes.

    Parameters
    ----------
    X : (windows, features) or (windows, channels, samples) of numbers, or spikes
        Spikes are `Events`, or bool of shape (windows, steps, inputs).
    names : tuple of str
        Names of features or channels, for errors.

    Returns
    -------
    (windows, features) or (windows, channels, samples) float64, or Events

    Raises
    ------
    BitlifError
        If the array has another shape, no column, a value that is not a number, or NaN or infinity.
    """
    if isinstance(X, Events):
        return X
    try:
        array = np.asarray(X)
    except (TypeError, ValueError) as error:
        raise BitlifTypeError(f"X must be {SHAPES}, not {quoted(X)}") from error
    if array.dtype.kind == "O":
        array = _from_objects(array)
    if array.dtype == np.bool_ and array.ndim == 3:
        if 0 in array.shape[1:]:
            raise BitlifError(f"X must have steps and inputs, not {array_kind(array)}")
        return Events.from_raster(array)
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiub":
        hint = (
            "; flatten images: X.reshape(len(X), -1)" if array.ndim == 4
            else "; one feature: X.reshape(-1, 1)" if array.ndim == 1 and array.dtype.kind in "fiub"
            else ""
        )  # fmt: skip
        raise BitlifTypeError(f"X must be {SHAPES}, not {array_kind(array)}{hint}")
    if 0 in array.shape[1:]:
        noun = "feature" if array.ndim == 2 else "channel and sample"
        raise BitlifError(f"X must have at least one {noun}, not {array_kind(array)}")
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array, np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        place = np.argwhere(~finite)[0]
        name = f"{names[place[1]]!r}" if names else str(place[1])
        sample = f", sample {place[2]}" if values.ndim == 3 else ""
        raise BitlifError(
            f"X must be finite, not {values[tuple(place)]} in row {place[0]}, "
            f"{'column' if values.ndim == 2 else 'channel'} {name}{sample} (rows count from 0)"
        )
    return values


def _from_objects(array: NDArray[Any]) -> NDArray[Any]:
    """Return Python numbers as float64; None is a missing value."""
    if array.ndim not in (2, 3):
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    for place in np.ndindex(array.shape):
        try:
            float(array[place])
        except (TypeError, ValueError, OverflowError):
            raise BitlifTypeError(
                f"X must hold numbers, not {quoted(array[place])} in row {place[0]}, "
                f"column {place[1]} (rows count from 0)"
            ) from None
    return array


def kind_of(values: NDArray[np.float64] | Events) -> str:
    """Return the kind of inputs: ``"table"``, ``"series"`` or ``"spikes"``."""
    if isinstance(values, Events):
        return "spikes"
    return "table" if values.ndim == 2 else "series"


def windows_of(values: NDArray[np.float64] | Events) -> int:
    """Return the number of windows."""
    return values.windows if isinstance(values, Events) else len(values)


def scale_of(
    values: NDArray[np.float64], quantile: float, shared: bool
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Return low, middle and high of each feature: two quantiles and the median between them.

    They are values of the data, so that they do not depend on the order of the windows.

    Parameters
    ----------
    values : (windows, features) or (windows, channels, samples) float64
    quantile : float
        Share of the values below the low one, and above the high one. If both are equal, the
        extremes are used.
    shared : bool
        Whether all features have one scale.
    """
    features = values.shape[1]
    columns: Iterator[NDArray[np.float64]] = (values[:, k].ravel() for k in range(features))
    if shared:
        columns = iter([values.ravel()])
    scales = []
    for column in columns:
        last = column.size - 1
        below = int(quantile * last)
        placed = np.partition(column, [below, last // 2, last - below])
        least, middle, most = (float(placed[k]) for k in (below, last // 2, last - below))
        if least == most:
            least, most = float(column.min()), float(column.max())
        # Adding 0.0 removes the sign of -0.0, so that equal scales have equal text.
        scales.append((least + 0.0, middle + 0.0, most + 0.0))
    low, middles, high = zip(*(scales * (features if shared else 1)), strict=True)
    return low, middles, high


def levels_of(
    values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return values as levels from 0 at `low` to 2**16 at `high`, clipped; 0 where both are equal.

    >>> levels_of(np.array([[1.0, 9.0]]), np.array([0.0, 0.0]), np.array([4.0, 0.0])).tolist()
    [[16384, 0]]
    """
    # Halves, so that the difference of two large doubles stays finite.
    span = high / 2 - low / 2
    part = (np.clip(values, low, high) / 2 - low / 2) / np.where(span > 0, span, 1.0)
    return np.floor(np.clip(part, 0.0, 1.0) * ONE + 0.5).astype(np.int64)
