"""Files in folders that another user may have prepared: no symbolic link is followed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from bitlif.model.errors import BitlifError
from bitlif.model.storage.atomic import sync
from bitlif.model.storage.ownership import open_folder
from bitlif.model.text import path_text


class Folder:
    """A folder that is held open: its files are found through it, not by its path.

    Parameters
    ----------
    path : Path
        For errors, and for those who read what is there.
    handle : int
        Its descriptor.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.handle = handle

    def names(self) -> list[str]:
        """Return the names of all that is in it, sorted."""
        with os.scandir(self.handle) as entries:
            return sorted(entry.name for entry in entries)

    def read(self, name: str, limit: int) -> bytes | None:
        """Return a regular file's content; None if there is no such file, or it is too long.

        Raises
        ------
        BitlifError
            If it cannot be read.
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
        """Write a file beside its place and rename it into it; a power cut then does no harm."""
        made = f".{name}"
        # What a killed study left, or a link that somebody put there.
        self.remove(made)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(made, flags, 0o666, dir_fd=self.handle), "wb") as file:
                file.write(content)
                file.flush()
                sync(file.fileno())
            os.rename(made, name, src_dir_fd=self.handle, dst_dir_fd=self.handle)
            sync(self.handle)
        except OSError as error:
            self.remove(made)
            where = path_text(self.path / name)
            reason = error.strerror or error
            raise BitlifError(f"'{where}' cannot be written: {reason}") from error

    def remove(self, name: str) -> None:
        """Remove a file, or a link itself, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.handle)

    @contextlib.contextmanager
    def inner(self, name: str) -> Iterator[Folder]:
        """Open a folder in it, made if need be.

        Raises
        ------
        BitlifError
            If it is a link, or no folder.
        """
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=self.handle)
        handle = open_folder(f"'{path_text(self.path)}':", name, self.handle)
        try:
            yield Folder(self.path / name, handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """Open a folder, made if need be with those above it; it may be a link to one."""
    path.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Folder(path, handle)
    finally:
        os.close(handle)
