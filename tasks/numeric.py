"""Inputs of windows as arrays: tables, time series and spikes, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, BitlifTypeError
from bitlif.model.events import Events
from bitlif.model.text import array_kind, quoted

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
