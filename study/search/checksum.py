"""Parquet files that carry a checksum of themselves, which is verified before they are parsed.

The checksum is a SHA-256 of the whole file, in hexadecimal, in the metadata of the file's footer
under ``bitlif.sha256``; 64 zeros stand in its place while it is computed. Any program that reads
Parquet reads such a file.
"""

from __future__ import annotations

import hashlib
import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

KEY = "bitlif.sha256"
NOT_YET = "0" * 64

# What Thrift's compact protocol makes of the pair: the value is the next field, text, 64 long. It
# is the last such place in a file: what may come before are columns and their statistics.
PLACE = re.compile(re.escape(KEY.encode()) + rb"\x18@([0-9a-f]{64})")

MOST_ROWS = 1 << 20
"""Of a table that is read."""

MOST_BYTES = 1 << 28
"""Of the values of a table that is read."""


def to_bytes(table: pa.Table) -> bytes:
    """Return a table as a Parquet file with its checksum."""
    buffer = pa.BufferOutputStream()
    with pq.ParquetWriter(buffer, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({KEY: NOT_YET})
    content = buffer.getvalue().to_pybytes()
    start, digest = _place(content) or (0, b"")
    assert digest == NOT_YET.encode()
    made: bytes = content[:start] + _digest(content, start) + content[start + len(digest) :]
    return made


def verified(content: bytes) -> bool:
    """Return whether a file carries a checksum.

    Raises
    ------
    ValueError
        If it is not that of the file.
    """
    place = _place(content)
    if place is None:
        return False
    start, digest = place
    if _digest(content, start) != digest:
        raise ValueError("its checksum differs")
    return True


def _place(content: bytes) -> tuple[int, bytes] | None:
    """Return where the checksum starts, and what it is."""
    places = list(PLACE.finditer(content))
    return (places[-1].start(1), places[-1][1]) if places else None


def _digest(content: bytes, start: int) -> bytes:
    digest = hashlib.sha256(memoryview(content)[:start])
    digest.update(NOT_YET.encode())
    digest.update(memoryview(content)[start + len(NOT_YET) :])
    return digest.hexdigest().encode()


def parsed(content: bytes) -> pa.Table:
    """Return the table in a Parquet file, whatever is wrong with it.

    Everything is read in this thread. PyArrow would read a table in threads of its own, which may
    still hold the bytes when the interpreter ends, and then abort the process.

    Raises
    ------
    ValueError
        If there is none in it, or a very large one.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        sizes = [file.metadata.row_group(n).total_byte_size for n in range(file.num_row_groups)]
        if file.metadata.num_rows > MOST_ROWS or sum(sizes) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_ROWS} rows or {MOST_BYTES} bytes of values")
        # A text that many rows share is there once, until it is known how long all are together.
        texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
        reader = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts, pre_buffer=False)
        table = reader.read(use_threads=False)
        table.validate(full=True)
        return _with_plain_texts(table)
    except (pa.ArrowException, OSError, MemoryError, TypeError, KeyError) as error:
        raise ValueError(f"it is not a Parquet file of results: {error}") from error


def _with_plain_texts(table: pa.Table) -> pa.Table:
    for number, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            column = table.column(number)
            size = sum(
                pc.sum(pc.binary_length(own.dictionary).take(own.indices)).as_py() or 0
                for own in column.chunks
            )
            if size > MOST_BYTES:
                raise ValueError(f"its column {field.name} has {size} bytes")
            plain = field.with_type(field.type.value_type)
            table = table.set_column(number, plain, column.cast(plain.type))
    return table
