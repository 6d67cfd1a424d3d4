"""Rows of equal fields as 32-bit words, lowest first: how ports pass compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WORD = 32

Words = NDArray[np.uint32]


def words_for(bits: int) -> int:
    """Return how many words a row of so many bits takes."""
    return -(-bits // WORD)


def from_integers(rows: list[int], bits: int) -> Words:
    """Return packed rows of `bits` bits, given as integers: (R, words)."""
    size = 4 * words_for(bits)
    data = b"".join(row.to_bytes(size, "little") for row in rows)
    return np.frombuffer(data, "<u4").astype(np.uint32).reshape(len(rows), size // 4)


def pack(values: NDArray[Any], bits: int) -> Words:
    """Return rows of fields side by side, the first lowest.

    Parameters
    ----------
    values : (R, count) int
        Fields; negative ones in two's complement.
    bits : int
        Of a field, 1 ..= 32.
    """
    rows, count = values.shape
    fields = values.astype(np.int64).astype(np.uint64) & np.uint64((1 << bits) - 1)
    # A word more than needed, for the upper part of a field that ends with the last bit.
    out = np.zeros((rows, words_for(count * bits) + 1), np.uint64)
    for place in range(count):
        word, shift = divmod(place * bits, WORD)
        moved = fields[:, place] << np.uint64(shift)
        out[:, word] |= moved & np.uint64(0xFFFFFFFF)
        out[:, word + 1] |= moved >> np.uint64(WORD)
    return np.ascontiguousarray(out[:, :-1], np.uint32)


def unpack(
    words: Words, bits: int, count: int, *, offset: int = 0, stride: int = 0, signed: bool = False
) -> NDArray[np.int64]:
    """Return the fields of packed rows: (R, count).

    Parameters
    ----------
    words : (R, words) uint32
    bits : int
        Of a field, 1 ..= 64; 64 unsigned bits come in two's complement.
    count : int
        Fields of a row.
    offset, stride : int
        Bits before the first field, and from one to the next (0: `bits`).
    signed : bool
        Whether fields are in two's complement.
    """
    out = np.zeros((len(words), count), np.uint64)
    wide = np.zeros((len(words), words.shape[1] + 2), np.uint64)
    wide[:, : words.shape[1]] = words
    for place in range(count):
        word, shift = divmod(offset + place * (stride or bits), WORD)
        value = wide[:, word] >> np.uint64(shift)
        value |= wide[:, word + 1] << np.uint64(WORD - shift)
        if shift:
            value |= wide[:, word + 2] << np.uint64(2 * WORD - shift)
        out[:, place] = value
    if bits < 64:
        out &= np.uint64((1 << bits) - 1)
        if signed:
            sign = np.uint64(1 << (bits - 1))
            return np.asarray((out ^ sign).view(np.int64) - (1 << (bits - 1)))
    return out.view(np.int64)
