"""Loops over arrays, which Numba compiles faster than slice assignments, to equal machine code."""

from __future__ import annotations

from .compile import compilable, inlined


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


@inlined
def not_negative(index):  # type: ignore[no-untyped-def]
    """Return an index, so that the compiler sees that it does not count from the end."""
    return index & 0x7FFFFFFF


@inlined
def sum_rows(array, places, start, stop, most, narrow, total):  # type: ignore[no-untyped-def]
    """Write the exact sum of the rows of an array at ``places[start:stop]`` to `total`.

    The last row of the array is zero and completes groups of four. Up to `most` rows, a multiple of
    four, are added in `narrow`, whose type they cannot overflow, and these sums in `total`.
    """
    zero = array.shape[0] - 1
    if stop - start > most or start == stop:
        set_zero(total)
    k = start
    while k < stop and most > 0:
        end = min(stop, k + most)
        first = True
        while k < end:
            a = array[not_negative(places[k])]
            b = array[not_negative(places[k + 1]) if k + 1 < end else zero]
            c = array[not_negative(places[k + 2]) if k + 2 < end else zero]
            d = array[not_negative(places[k + 3]) if k + 3 < end else zero]
            if first:
                for i in range(narrow.size):
                    narrow[i] = (a[i] + b[i]) + (c[i] + d[i])
            else:
                for i in range(narrow.size):
                    narrow[i] += (a[i] + b[i]) + (c[i] + d[i])
            first = False
            k += 4
        k = end
        if stop - start > most:
            for i in range(narrow.size):
                total[i] += narrow[i]
        else:
            copy_into(total, narrow)
    while k < stop:
        row = array[places[k]]
        for i in range(total.size):
            total[i] += row[i]
        k += 1
