"""Safe reading of ``.npz`` files of plain arrays; every defect raises a `BitlifError`.

An ``.npz`` file is a ZIP archive of ``.npy`` files, and the sizes in the headers of both may be
wrong. All headers are read and checked first; arrays are only read if their sizes are right.
"""

from __future__ import annotations

import contextlib
import math
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError
from bitlif.model.storage.reading import open_regular, unreadable
from bitlif.model.text import path_text, quoted

MOST_BYTES = 1 << 29
"""Maximum bytes of all arrays of a file, unless the caller allows more."""

MOST_DIRECTORY = 1 << 16
"""Maximum bytes of an archive's directory, enough for some hundred names."""

HEADER_LIMIT = 1024
"""Maximum bytes of an array's header."""

END = struct.Struct("<4s4HLLH")
"""The ZIP format's end of central directory record."""

END_64 = b"PK\x06\x07"
"""Signature of the locator of a ZIP64 directory, which only archives beyond the limits need."""

LOCAL = struct.Struct("<4s2H")
"""First fields of the header of a member: signature, version, flags."""

ENCRYPTED = 1
CHUNK = 1 << 20


class Header(NamedTuple):
    """The header of an array.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    fortran : bool
        Whether the array is in Fortran order.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @property
    def size(self) -> int:
        """Size of the values in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


class ArrayFile:
    """An open ``.npz`` file of which only the headers have been read.

    Attributes
    ----------
    headers : dict of str to Header
        Headers by array name.
    """

    def __init__(self, what: str, path: str | Path, archive: zipfile.ZipFile, most: int) -> None:
        self.headers: dict[str, Header] = {}
        self._what, self._path = what, path
        self._name = f"{what} '{path_text(path)}'"
        self._archive = archive
        for member in archive.infolist():
            self._add(member)
        size = sum(header.size for header in self.headers.values())
        if size > most:
            raise BitlifError(f"{self._name} must hold at most {most} bytes, not {size}")

    def _add(self, member: zipfile.ZipInfo) -> None:
        name = member.filename.removesuffix(".npy")
        if name == member.filename:
            raise ValueError("a member is no array")
        if name in self.headers:
            raise BitlifError(
                f"{self._name} must contain each array once, but contains {quoted(name)} twice"
            )
        if member.flag_bits & ENCRYPTED or self._member_flags(member) & ENCRYPTED:
            raise BitlifError(f"{self._name} must not be encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BitlifError(
                f"{self._name} must be stored or deflated, not compressed by method "
                f"{member.compress_type}"
            )
        with self._archive.open(member) as file:
            header = _read_header(file)
            begin = file.tell()
        if header.dtype.hasobject:
            raise BitlifError(
                f"{self._name} must hold plain numbers, not Python objects as in {quoted(name)}"
            )
        if begin + header.size != member.file_size:
            raise ValueError("the member has another size")
        self.headers[name] = header

    def _member_flags(self, member: zipfile.ZipInfo) -> int:
        """Return the flags in the header of a member, which may differ from the directory's."""
        file = self._archive.fp
        assert file is not None
        file.seek(member.header_offset)
        flags: int = LOCAL.unpack(file.read(LOCAL.size))[2]
        return flags

    def outline(self, name: str) -> NDArray[Any]:
        """Return zeros with the shape and dtype of an array, without reading it or using memory."""
        header = self.headers[name]
        return np.broadcast_to(np.zeros((), header.dtype), header.shape)

    def read(self, name: str) -> NDArray[Any]:
        """Return an array in native byte order and C order, writable.

        Raises
        ------
        BitlifError
            If the file is damaged.
        """
        header = self.headers[name]
        values = bytearray()
        with _one_error(self._what, self._path), self._archive.open(f"{name}.npy") as file:
            _read_header(file)
            for place in range(0, header.size, CHUNK):
                values += file.read(min(CHUNK, header.size - place))
            # The checksum is verified at the end of the member.
            if len(values) != header.size or file.read(1):
                raise ValueError("the member has another size")
            array = np.frombuffer(values, header.dtype)
            array = array.reshape(header.shape, order="F" if header.fortran else "C")
            return np.require(array, header.dtype.newbyteorder("="), ["C", "W"])


@contextlib.contextmanager
def open_arrays(what: str, path: str | Path, needed: int = 0) -> Iterator[ArrayFile]:
    """Open an ``.npz`` file to read some of its arrays.

    Parameters
    ----------
    what : str
        Content of the file, for errors.
    path : str or Path
    needed : int
        Bytes that the arrays may have even if they exceed `MOST_BYTES`, for large layers.

    Raises
    ------
    BitlifError
        If the file cannot be read, is not an ``.npz`` file, is encrypted, contains Python
        objects or an array twice, or is larger than `MOST_BYTES` and `needed`.
    """
    with open_regular(what, path) as file, contextlib.ExitStack() as stack:
        with _one_error(what, path):
            _check_end(file)
            archive = stack.enter_context(zipfile.ZipFile(file))
            arrays = ArrayFile(what, path, archive, max(needed, MOST_BYTES))
        yield arrays


@contextlib.contextmanager
def _one_error(what: str, path: str | Path) -> Iterator[None]:
    """Convert all exceptions that a damaged file may cause to `BitlifError`."""
    try:
        yield
    except BitlifError:
        raise
    except OSError as error:
        raise unreadable(what, path, error) from error
    except Exception as error:
        # Damage may cause exceptions of many types in the ZIP reader, the decompressor, the parser
        # of array headers or the allocator.
        raise BitlifError(f"{what} '{path_text(path)}' is not an .npz file of arrays") from error


def load_arrays(what: str, path: str | Path) -> dict[str, NDArray[Any]]:
    """Return all arrays of a file by name; parameters and errors are those of `open_arrays`."""
    with open_arrays(what, path) as file:
        return {name: file.read(name) for name in file.headers}


def _check_end(file: BinaryIO) -> None:
    """Raise unless the size of the archive's directory is within its limit.

    `zipfile` reads the whole directory and creates an object for each entry.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - END.size - (1 << 16) - 20))
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or tail[max(0, place - 20) : place].startswith(END_64):
        raise ValueError("no end of a small archive's directory")
    if END.unpack_from(tail, place)[5] > MOST_DIRECTORY:
        raise ValueError("the directory is too large")
    file.seek(0)


def _read_header(file: Any) -> Header:
    version = np.lib.format.read_magic(file)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, fortran, dtype = reader(file, max_header_size=HEADER_LIMIT)
    if any(type(length) is not int or length < 0 for length in shape):
        raise ValueError("a length must be an integer from 0")
    return Header(shape, dtype, fortran)
