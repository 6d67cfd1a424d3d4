"""Plain loops over arrays: Numba compiles them faster than slice assignments, to the same code."""

from __future__ import annotations

from .engine import compilable


@compilable
def set_zero(array):  # type: ignore[no-untyped-def]
    """Set all elements of a one-dimensional array to zero."""
    for k in range(array.size):
        array[k] = 0
