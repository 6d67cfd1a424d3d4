"""Packs rows of fields into 32-bit words, lowest first: the format of ports in compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WORD = 32

Words = NDArray[np.uint32]


def words_for(bits: int) -> int:
    """Return the number of words that hold `bits` bits."""
    return -(-bits // WORD)


def from_integers(rows: list[int], bits: int) -> Words:
    """Return rows of `bits` bits, given as integers, as an (R, words) array."""
    size = 4 * words_for(bits)
    data = b"".join(row.to_bytes(size, "little") for row in rows)
    return np.frombuffer(data, "<u4").astype(np.uint32).reshape(len(rows), size // 4)


def pack(values: NDArray[Any], bits: int) -> Words:
    """Pack fields side by side, the first one in the lowest bits.

    Parameters
    ----------
    values : (R, count) int
        Fields. Negative values are packed in two's complement.
    bits : int
        Bits per field, 1 ..= 32.

    Returns
    -------
    (R, words) uint32 array
    """
    rows, count = values.shape
    fields = values.astype(np.int64).astype(np.uint64) & np.uint64((1 << bits) - 1)
    # One extra word takes the (empty) upper part of the last field.
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
    """Unpack fields from packed rows.

    Parameters
    ----------
    words : (R, words) uint32
    bits : int
        Bits per field, 1 ..= 64. Unsigned fields of 64 bits are returned as two's complement.
    count : int
        Fields per row.
    offset, stride : int
        Bits before the first field, and from one field to the next (0: `bits`).
    signed : bool
        Whether fields are in two's complement.

    Returns
    -------
    (R, count) int64 array
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
