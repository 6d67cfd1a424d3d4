"""Reading files that others made: regular files of a bounded size, or one clear error."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import BinaryIO

from bitlif.model.errors import BitlifError
from bitlif.model.text import path_text

TEXT_LIMIT = 1 << 20
"""Bytes of a text file (a configuration, a study, a table) beyond which it is refused."""

OTHER_ENCODINGS = {
    # UTF-32 first: the mark of UTF-16 is the beginning of its own.
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def open_regular(what: str, path: str | Path) -> BinaryIO:
    """Open a regular file for reading, without ever waiting for one that is not.

    Parameters
    ----------
    what : str
        What it holds, for errors.
    path : path

    Raises
    ------
    BitlifError
        If it cannot be opened, or is a folder, a device, a pipe or a socket.
    """
    try:
        # A pipe that nobody writes to would keep a plain `open` waiting for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(what, path, error) from error
    except ValueError as error:  # a name that no file can have
        raise BitlifError(f"{what} '{path_text(path)}' cannot be read: {error}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BitlifError(f"{what} '{path_text(path)}' must be a regular file")
    return os.fdopen(handle, "rb")


def unreadable(what: str, path: str | Path, error: OSError) -> BitlifError:
    """Return the error for a file that the system does not let us read."""
    return BitlifError(f"{what} '{path_text(path)}' cannot be read: {error.strerror or error}")


def read_bytes(what: str, path: str | Path, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes; else raise.

    Raises
    ------
    BitlifError
        As `open_regular`; if the file is larger.
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
    r"""Return the text of a regular UTF-8 file of at most `limit` bytes; else raise.

    A byte order mark is left out and lines end in ``"\n"`` (in the file also in CR LF).

    Raises
    ------
    BitlifError
        As `read_bytes`; if the file is in another encoding or ends its lines with CR alone.
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
    """Return the name of the encoding that a text's first bytes tell; "" for UTF-8 or unknown.

    >>> other_encoding("# steps 4".encode("utf-16")), other_encoding(b"# steps 4")
    ('UTF-16', '')
    """
    for mark, name in OTHER_ENCODINGS.items():
        if head.startswith(mark):
            return name
    # Without a mark: every other byte of ASCII text is 0.
    pair = head[:2]
    return "UTF-16" if len(pair) == 2 and (pair[0] == 0) != (pair[1] == 0) else ""
