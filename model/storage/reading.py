"""Reads files of unknown origin: regular files of bounded size only, with clear errors."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import BinaryIO

from bitlif.model.errors import BitlifError
from bitlif.model.text import path_text

TEXT_LIMIT = 1 << 20
"""Most bytes of a text file: a configuration, a study, a table."""

OTHER_ENCODINGS = {
    # UTF-32 first: its mark begins with that of UTF-16.
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def open_regular(what: str, path: str | Path) -> BinaryIO:
    """Open a regular file for reading; never block on a pipe or device.

    Parameters
    ----------
    what : str
        What the file holds, for errors.
    path : path

    Raises
    ------
    BitlifError
        If it cannot be opened or is not a regular file.
    """
    try:
        # A plain `open` of a pipe without a writer would block for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(what, path, error) from error
    except ValueError as error:  # not a possible file name
        raise BitlifError(f"{what} '{path_text(path)}' cannot be read: {error}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BitlifError(f"{what} '{path_text(path)}' must be a regular file")
    return os.fdopen(handle, "rb")


def unreadable(what: str, path: str | Path, error: OSError) -> BitlifError:
    """Return the error for a file that cannot be read."""
    return BitlifError(f"{what} '{path_text(path)}' cannot be read: {error.strerror or error}")


def read_bytes(what: str, path: str | Path, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    Raises
    ------
    BitlifError
        As `open_regular`, and if the file is larger.
    """
    with open_regular(what, path) as file:
        try:
            content = file.read(limit + 1)
        except OSError as error:
            raise unreadable(what, path, error) from error
    if len(content) > limit:
        raise BitlifError(f"{what} '{path_text(path)}' must have at most {limit} bytes")
    return content


def read_text(what: str, path: str | Path, limit: int = TEXT_LIMIT) -> str:
    r"""Return the text of a regular UTF-8 file of at most `limit` bytes.

    A byte order mark is removed, and CR LF line ends become ``"\n"``.

    Raises
    ------
    BitlifError
        As `read_bytes`, and if the file has another encoding or ends its lines with CR alone.
    """
    content = read_bytes(what, path, limit)
    encoding = other_encoding(content)
    if encoding:
        raise BitlifError(f"{what} '{path_text(path)}' must be UTF-8 text, not {encoding}")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BitlifError(f"{what} '{path_text(path)}' must be UTF-8 text") from error
    if "\r" in text:
        raise BitlifError(
            f"{what} '{path_text(path)}' must end its lines with LF or CR LF, not with CR alone"
        )
    return text


def other_encoding(head: bytes) -> str:
    """Return the encoding that the first bytes of a text indicate; "" for UTF-8 or unknown.

    >>> other_encoding("# steps 4".encode("utf-16")), other_encoding(b"# steps 4")
    ('UTF-16', '')
    """
    for mark, name in OTHER_ENCODINGS.items():
        if head.startswith(mark):
            return name
    # Without a mark, every other byte of ASCII text is 0.
    pair = head[:2]
    return "UTF-16" if len(pair) == 2 and (pair[0] == 0) != (pair[1] == 0) else ""
