"""Parquet files with an embedded checksum, which is verified before they are parsed.

The checksum is the SHA-256 of the whole file in hexadecimal. It is stored in the metadata of the
footer under ``bitlif.sha256`` and counts as 64 zeros while it is computed. Any Parquet reader can
read such a file.
"""

from __future__ import annotations

import hashlib
import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

KEY = "bitlif.sha256"
PLACEHOLDER = "0" * 64

# The pair in Thrift's compact protocol: the value is the next field, text of length 64. The last
# match in the file is the checksum; columns and statistics can only match earlier.
PATTERN = re.compile(re.escape(KEY.encode()) + rb"\x18@([0-9a-f]{64})")

MAX_ROWS = 1 << 20
"""Most rows of a table to read."""

MAX_BYTES = 1 << 28
"""Most bytes of values in a table to read."""


def to_bytes(table: pa.Table) -> bytes:
    """Return a table as a Parquet file with its checksum."""
    buffer = pa.BufferOutputStream()
    with pq.ParquetWriter(buffer, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({KEY: PLACEHOLDER})
    content = buffer.getvalue().to_pybytes()
    start, digest = _place(content) or (0, b"")
    assert digest == PLACEHOLDER.encode()
    made: bytes = content[:start] + _digest(content, start) + content[start + len(digest) :]
    return made


def verify_checksum(content: bytes) -> bool:
    """Verify the checksum of a file; return False if it has none.

    Raises
    ------
    ValueError
        If the checksum does not match.
    """
    place = _place(content)
    if place is None:
        return False
    start, digest = place
    if _digest(content, start) != digest:
        raise ValueError("its checksum differs")
    return True


def _place(content: bytes) -> tuple[int, bytes] | None:
    """Return the offset and the value of the checksum."""
    places = list(PATTERN.finditer(content))
    return (places[-1].start(1), places[-1][1]) if places else None


def _digest(content: bytes, start: int) -> bytes:
    digest = hashlib.sha256(memoryview(content)[:start])
    digest.update(PLACEHOLDER.encode())
    digest.update(memoryview(content)[start + len(PLACEHOLDER) :])
    return digest.hexdigest().encode()


def parse_table(content: bytes) -> pa.Table:
    """Return the table in a Parquet file that may be damaged.

    The file is read in the calling thread. PyArrow's own threads may still hold the bytes when the
    interpreter exits, which aborts the process.

    Raises
    ------
    ValueError
        If the file is not valid Parquet or its table is too large.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        sizes = [file.metadata.row_group(n).total_byte_size for n in range(file.num_row_groups)]
        if file.metadata.num_rows > MAX_ROWS or sum(sizes) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_ROWS} rows or {MAX_BYTES} bytes of values")
        # Texts stay dictionary-encoded until their total length has been checked.
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
                pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0
                for chunk in column.chunks
            )
            if size > MAX_BYTES:
                raise ValueError(f"its column {field.name} has {size} bytes")
            plain = field.with_type(field.type.value_type)
            table = table.set_column(number, plain, column.cast(plain.type))
    return table
