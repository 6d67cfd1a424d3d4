"""Words of 32 bits: arithmetic in half the width where every intermediate is known to fit.

Numba computes in 64 bits, so that vector instructions handle half as many values as they could. The
step functions are therefore compiled a second time, for arguments that are words, and the kernels
choose by a flag that is derived from the ranges of all intermediates. Results are the same.
"""

from __future__ import annotations

from typing import Any

WORD_BITS = 32


def fits_word(low: int, high: int) -> bool:
    """Return whether a word holds all integers in ``low ..= high``.

    >>> fits_word(-(1 << 31), (1 << 31) - 1), fits_word(0, 1 << 31)
    (True, False)
    """
    return low >= -(1 << (WORD_BITS - 1)) and high < 1 << (WORD_BITS - 1)


def word(x: Any) -> Any:
    """Return `x` itself; compiled, as a word. A sum, product or shift with a word is a word.

    Shifts must be by less than 32 bits.
    """
    return x


def wide(x: Any) -> Any:
    """Return `x` itself; compiled, as an integer of 64 bits: the counterpart of `word`."""
    return x
