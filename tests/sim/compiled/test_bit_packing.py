"""Packing and unpacking, compared with Python's integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlif.sim.compiled.bit_packing import from_integers, pack, unpack, words_for


def integer_of(row: np.ndarray) -> int:
    """Return a row of words as one integer."""
    return sum(int(word) << (32 * place) for place, word in enumerate(row))


def words_of(rows: list[int], bits: int) -> np.ndarray:
    """Return rows of `bits` bits, split into words by shifts alone."""
    words = -(-bits // 32)
    cut = [[(row >> (32 * place)) & 0xFFFFFFFF for place in range(words)] for row in rows]
    return np.array(cut, np.uint32).reshape(len(rows), words)


@given(st.integers(1, 300), st.data())
def test_integers_become_words_lowest_first(bits: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, (1 << bits) - 1), max_size=4))
    words = from_integers(rows, bits)
    assert words.dtype == np.uint32
    assert words.shape == (len(rows), words_for(bits))
    np.testing.assert_array_equal(words, words_of(rows, bits))


def test_integer_wider_than_its_row_raises() -> None:
    with pytest.raises(OverflowError):
        from_integers([1 << 64], 64)


@given(st.integers(1, 32), st.integers(0, 11), st.integers(0, 3), st.data())
def test_fields_are_packed_first_field_lowest(
    bits: int, count: int, rows: int, data: st.DataObject
) -> None:
    # Signed and unsigned views of the same bits.
    field = st.integers(-(1 << (bits - 1)), (1 << bits) - 1)
    values = data.draw(
        st.lists(st.lists(field, min_size=count, max_size=count), min_size=rows, max_size=rows)
    )
    words = pack(np.array(values, np.int64).reshape(rows, count), bits)
    assert words.dtype == np.uint32
    assert words.flags.c_contiguous
    assert words.shape == (rows, words_for(bits * count))
    for row, fields in zip(words, values, strict=True):
        assert integer_of(row) == sum(
            (value % (1 << bits)) << (place * bits) for place, value in enumerate(fields)
        )


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.int64])
def test_fields_of_any_integer_type_are_packed(kind: type[np.signedinteger]) -> None:
    words = pack(np.array([[-1, 0, 1, -2, 3]], kind), 6)
    assert integer_of(words[0]) == 63 | 1 << 12 | 62 << 18 | 3 << 24


@given(
    st.integers(1, 64), st.integers(0, 9), st.integers(1, 3), st.integers(0, 70),
    st.one_of(st.none(), st.integers(0, 40)), st.booleans(), st.data(),
)  # fmt: skip
def test_fields_are_unpacked_at_any_offset_and_stride(
    bits: int,
    count: int,
    rows: int,
    offset: int,
    gap: int | None,
    signed: bool,
    data: st.DataObject,
) -> None:
    stride = bits if gap is None else bits + gap
    size = offset + max(0, count - 1) * stride + (bits if count else 0)
    # The bits between the fields are random.
    raw = data.draw(st.lists(st.integers(0, (1 << size) - 1), min_size=rows, max_size=rows))
    fields = unpack(
        words_of(raw, size), bits, count, offset=offset, stride=0 if gap is None else stride,
        signed=signed,
    )  # fmt: skip
    assert fields.dtype == np.int64
    assert fields.shape == (rows, count)
    for found, row in zip(fields.tolist(), raw, strict=True):
        for place, value in enumerate(found):
            wanted = (row >> (offset + place * stride)) & ((1 << bits) - 1)
            if (signed or bits == 64) and wanted >> (bits - 1):
                wanted -= 1 << bits
            assert value == wanted


@given(st.integers(1, 32), st.booleans(), st.data())
def test_unpack_inverts_pack(bits: int, signed: bool, data: st.DataObject) -> None:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    values = np.array([data.draw(st.lists(st.integers(low, high), min_size=1))], np.int64)
    found = unpack(pack(values, bits), bits, values.shape[1], signed=signed)
    np.testing.assert_array_equal(found, values)


def test_64_bit_unsigned_is_returned_in_twos_complement() -> None:
    words = from_integers([(1 << 64) - 1, 1 << 63], 64)
    assert unpack(words, 64, 1).tolist() == [[-1], [-(1 << 63)]]
    assert unpack(words, 63, 1).tolist() == [[(1 << 63) - 1], [0]]
    assert unpack(words, 63, 1, offset=1).tolist() == [[(1 << 63) - 1], [1 << 62]]
