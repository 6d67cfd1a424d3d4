"""Hidden names under which files and folders are written, and whether their writers are alive.

Whatever is being written is locked, and the system releases the lock when its process ends. See
`bitlif.model.storage.atomic`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from .locks import lock_exclusively


def hidden(path: Path, end: str) -> Path:
    """Return a new hidden name beside a file or folder, ending with `end`."""
    return path.with_name(f"{_stem(path)}{secrets.token_hex(4)}{end}")


def _stem(path: Path) -> str:
    name = path.name
    if len(os.fsencode(name)) > 150:
        # The name of a file has at most 255 bytes.
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return f".{name}.bitlif-"


def leftovers(path: Path, end: str) -> list[Path]:
    """Return the hidden files or folders of `path`, left by dead processes or still being written.

    Parameters
    ----------
    path : Path
        The file or folder that they were written for.
    end : str
        Regular expression for the end of their names.
    """
    pattern = re.compile(re.escape(_stem(path)) + "[0-9a-f]{8}" + end)
    with contextlib.suppress(FileNotFoundError), os.scandir(path.parent) as entries:
        return sorted(path.parent / own.name for own in entries if pattern.fullmatch(own.name))
    return []


def lock(path: Path, *, folder: bool, wait: bool) -> int:
    """Lock a hidden file or folder and return the descriptor that holds the lock.

    Raises
    ------
    BlockingIOError
        If another process or thread holds the lock, unless `wait`.
    FileNotFoundError
        If it does not exist, or was removed while this call waited.
    OSError
        If it cannot be opened, or the file system has no locks.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    handle = os.open(path, flags | (os.O_DIRECTORY if folder else 0))
    try:
        lock_exclusively(handle, wait=wait)
        # It may have been removed while we waited.
        if not os.path.samestat(os.fstat(handle), path.lstat()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    except BaseException:
        os.close(handle)
        raise
    return handle


@contextlib.contextmanager
def claimed(path: Path, *, folder: bool) -> Iterator[str]:
    """Lock what a dead process may have left, and yield whose it is.

    Yields
    ------
    str
        "ours" while this call holds the lock, "alive" if the writer still runs, "unknown" if the
        file system has no locks.
    """
    try:
        handle = lock(path, folder=folder, wait=False)
    except (BlockingIOError, FileNotFoundError):
        yield "alive"
        return
    except OSError:
        # Not every file system has locks.
        yield "unknown"
        return
    try:
        yield "ours"
    finally:
        os.close(handle)
