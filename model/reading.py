"""Reading files that others made: regular files of a bounded size, or one clear error."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from .errors import BitlifError
from .text import path_text

TEXT_LIMIT = 16 << 20
"""Bytes of a text file (a configuration, a study, a table) beyond which it is refused."""


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
        reason = error.strerror or error
        raise BitlifError(f"{what} '{path_text(path)}' cannot be read: {reason}") from error
    except ValueError as error:  # a name that no file can have
        raise BitlifError(f"{what} '{path_text(path)}' cannot be read: {error}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BitlifError(f"{what} '{path_text(path)}' must be a regular file")
    return os.fdopen(handle, "rb")


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
            reason = error.strerror or error
            raise BitlifError(f"{what} '{path_text(path)}' cannot be read: {reason}") from error
    if len(content) > limit:
        raise BitlifError(f"{what} '{path_text(path)}' must have at most {limit} bytes")
    return content


def read_text(what: str, path: str | Path, limit: int = TEXT_LIMIT) -> str:
    """Return the text of a regular UTF-8 file of at most `limit` bytes; else raise.

    Raises
    ------
    BitlifError
        As `read_bytes`; if the file is not UTF-8.
    """
    content = read_bytes(what, path, limit)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BitlifError(f"{what} '{path_text(path)}' must be UTF-8 text") from error
