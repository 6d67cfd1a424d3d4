"""Conversion of arguments to arrays: what NumPy cannot convert raises a `BitlifTypeError`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BitlifTypeError
from .text import array_kind, quoted


def as_array(name: str, value: Any) -> NDArray[Any]:
    """Return an argument as an array of whatever dtype it has.

    Raises
    ------
    BitlifTypeError
        If it is a list whose rows have unequal lengths.
    """
    try:
        return np.asarray(value)
    except ValueError as error:
        raise BitlifTypeError(
            f"{name} must be an array, with rows of equal length, not {quoted(value)}"
        ) from error


def as_reals(name: str, value: Any) -> NDArray[np.float64]:
    """Return an argument as an array of float64: integers, booleans and floats of any size.

    Raises
    ------
    BitlifTypeError
        If it holds anything else, such as text or complex numbers.

    Examples
    --------
    >>> as_reals("targets", [[0, 1]])
    array([[0., 1.]])
    """
    array = as_array(name, value)
    try:
        if array.dtype.kind in "fiubO":
            return np.asarray(array, np.float64)
    except (TypeError, ValueError):
        pass
    raise BitlifTypeError(f"{name} must be real numbers, not {array_kind(array)}")
