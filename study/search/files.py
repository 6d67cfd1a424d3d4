"""File access in folders that another user may have prepared: no symbolic link is followed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from filelock import lock_descriptor

from bitlif.model.errors import BitlifError
from bitlif.model.storage.atomic import sync
from bitlif.model.storage.ownership import open_folder, open_lock
from bitlif.model.text import path_text


class Folder:
    """An open folder, whose files are accessed through its descriptor instead of its path.

    Parameters
    ----------
    path : Path
        Path for messages and for readers of the files.
    handle : int
        Open descriptor of the folder.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.handle = handle

    def names(self) -> list[str]:
        """Return the names of all entries, sorted."""
        with os.scandir(self.handle) as entries:
            return sorted(entry.name for entry in entries)

    def read(self, name: str, limit: int) -> bytes | None:
        """Return the content of a regular file; None if it is missing or longer than `limit` bytes.

        Raises
        ------
        BitlifError
            If the file cannot be read.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            handle = os.open(name, flags, dir_fd=self.handle)
            with os.fdopen(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    return None
                content = file.read(limit + 1)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP):
                return None
            where = path_text(self.path / name)
            raise BitlifError(f"'{where}' cannot be read: {error.strerror or error}") from error
        return content if len(content) <= limit else None

    def write(self, name: str, content: bytes) -> None:
        """Write a file atomically and durably: under a hidden name, synchronised, then renamed.

        Raises
        ------
        BitlifError
            If the file cannot be written.
        """
        temporary = f".{name}"
        # A killed study may have left it, or somebody else may have put a link there.
        self.remove(temporary)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(temporary, flags, 0o666, dir_fd=self.handle), "wb") as file:
                file.write(content)
                file.flush()
                sync(file.fileno())
            os.rename(temporary, name, src_dir_fd=self.handle, dst_dir_fd=self.handle)
            sync(self.handle)
        except OSError as error:
            self.remove(temporary)
            where = path_text(self.path / name)
            reason = error.strerror or error
            raise BitlifError(f"'{where}' cannot be written: {reason}") from error

    def remove(self, name: str) -> None:
        """Remove a file, or a link itself, if it exists."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.handle)

    @contextlib.contextmanager
    def subfolder(self, name: str) -> Iterator[Folder]:
        """Open a folder inside this one, which is created if it does not exist.

        Raises
        ------
        BitlifError
            If it is a link or not a folder.
        """
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=self.handle)
        handle = open_folder(f"'{path_text(self.path)}':", name, self.handle)
        try:
            yield Folder(self.path / name, handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold an exclusive lock on a file, which is created if it does not exist.

        The lock ends with the process that holds it, however that process ends.

        Raises
        ------
        BlockingIOError
            If the lock is held elsewhere.
        BitlifError
            If the file is a link or not a regular file, or cannot be locked.
        """
        # `filelock.FileLock` opens its file by path. If the folder were replaced with a link in
        # the meantime, the lock would be created elsewhere, so only the locking itself is taken
        # from filelock, on a descriptor that was opened relative to this folder.
        handle = open_lock("lock", name, self.handle)
        try:
            try:
                held = lock_descriptor(handle, blocking=False)
            except OSError as error:
                where = path_text(self.path / name)
                reason = error.strerror or error
                raise BitlifError(f"'{where}' cannot be locked: {reason}") from error
            if not held:
                raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), name)
            yield
        finally:
            os.close(handle)


@contextlib.contextmanager
def opened_folder(path: Path) -> Iterator[Folder]:
    """Open a folder, which may be a link; it is created with its parents if it does not exist."""
    path.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Folder(path, handle)
    finally:
        os.close(handle)
