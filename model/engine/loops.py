"""Loops over arrays, which Numba compiles faster than slice assignments, to equal machine code."""

from __future__ import annotations

from .compile import compilable


@compilable
def set_zero(array):  # type: ignore[no-untyped-def]
    """Set all elements of a one-dimensional array to zero."""
    for k in range(array.size):
        array[k] = 0


@compilable
def copy_into(target, source):  # type: ignore[no-untyped-def]
    """Copy all elements of a one-dimensional array into another of the same size."""
    for k in range(target.size):
        target[k] = source[k]
