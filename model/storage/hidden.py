"""Hidden names under which files and folders are written, and whether their writers still live.

What is being written is locked: the lock ends with its process. See `bitlif.model.storage.atomic`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path


def hidden(path: Path, end: str) -> Path:
    """Return a new hidden name beside a file or folder, ending with `end`."""
    return path.with_name(f"{_stem(path)}{secrets.token_hex(4)}{end}")


def _stem(path: Path) -> str:
    name = path.name
    if len(os.fsencode(name)) > 150:
        # A file's name has at most 255 bytes.
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return f".{name}.bitlif-"


def leftovers(path: Path, end: str) -> list[Path]:
    """Return what earlier processes left, or others still write, for a file or folder."""
    pattern = re.compile(re.escape(_stem(path)) + "[0-9a-f]{8}" + end)
    with contextlib.suppress(FileNotFoundError), os.scandir(path.parent) as entries:
        return sorted(path.parent / own.name for own in entries if pattern.fullmatch(own.name))
    return []


def lock(path: Path, *, folder: bool, wait: bool) -> int:
    """Return a descriptor that holds the lock of a hidden file or folder itself, or raise."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    handle = os.open(path, flags | (os.O_DIRECTORY if folder else 0))
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        # It may have been removed while we waited.
        if not os.path.samestat(os.fstat(handle), path.lstat()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    except BaseException:
        os.close(handle)
        raise
    return handle


@contextlib.contextmanager
def claimed(path: Path, *, folder: bool) -> Iterator[str]:
    """Hold what may be a dead process's: "ours", or "alive", or "unknown" without locks."""
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
