"""Files and folders that appear whole or not at all, and replace older ones in one step.

Everything is written beside its place under a hidden name, forced to the disk and then renamed. A
folder that is replaced and the new one swap their names in one system call (``renameat2`` with
``RENAME_EXCHANGE``), and the old one is removed afterwards. Where the system or the file system
lacks it, two renames do it, and a process killed between them leaves both folders, hidden. What a
killed process leaves is restored or removed by the next `NewFolder` or `new_file` of that name: a
lock on it, which ends with its process, says whether it is still being written.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from bitlif.model.errors import BitlifError

from .hidden import claimed, hidden, leftovers, lock
from .ownership import MARKER, read_marker, unknown

_EXCHANGE = 2  # of <linux/fs.h>
_AT_FDCWD = -100
_SUFFIX = r"(\.[A-Za-z0-9]{1,8})?"
_NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)


def exchange(one: Path, other: Path) -> bool:
    """Swap the names of two files or folders in one step; return False where that is missing."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    call.argtypes = [ctypes.c_int, ctypes.c_char_p] * 2 + [ctypes.c_uint]
    if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_SUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        sync(handle)
    finally:
        os.close(handle)


def sync(handle: int) -> None:
    """Force an open file or folder to the disk."""
    try:
        os.fsync(handle)
    except OSError as error:
        # Folders of some network file systems cannot be forced to the disk.
        if error.errno != errno.EINVAL:
            raise


def sync_tree(folder: Path) -> None:
    """Force all regular files of a folder to the disk, and the folder itself."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if stat.S_ISREG(path.lstat().st_mode):
                _sync(path)
        _sync(Path(root))


class Parents:
    """The folders above a path, those that were missing made, until they are given up."""

    def __init__(self, path: Path) -> None:
        self._made: list[Path] = []
        missing = [own for own in path.parents if not own.exists()]
        for own in reversed(missing):
            with contextlib.suppress(FileExistsError):
                own.mkdir()
                self._made.append(own)

    def keep(self) -> None:
        """Leave them."""
        self._made.clear()

    def discard(self) -> None:
        """Remove those that were made and are empty."""
        for own in reversed(self._made):
            with contextlib.suppress(OSError):
                own.rmdir()


class NewFolder(contextlib.AbstractContextManager["NewFolder"]):
    """A folder that is written under a hidden name beside its place.

    Making it restores or removes what killed processes left, and so shows whether the place can be
    written to, before any work is done.

    Parameters
    ----------
    path : Path
        Its place. A symbolic link stays, and what it points to is replaced.

    Attributes
    ----------
    path : Path
        The place, links followed.
    folder : Path
        What to fill.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        recover(self.path)
        self._parents = Parents(self.path)
        try:
            while True:
                self.folder = hidden(self.path, ".new")
                self.folder.mkdir()
                try:
                    self._handle: int | None = lock(self.folder, folder=True, wait=True)
                    break
                except FileNotFoundError:
                    continue  # another process took it for a dead one's
                except OSError:
                    self._handle = -1  # without locks nobody takes it for a dead one's
                    break
        except BaseException:
            self._parents.discard()
            raise

    def commit(self, check: Callable[[Path], None]) -> None:
        """Put the folder in its place, atomically, and remove what was there.

        Parameters
        ----------
        check : callable
            Called with a folder that is about to be replaced, and again with the same folder once
            it has got out of others' way; raises if it must stay.

        Raises
        ------
        OSError
            If the place was taken by others, or cannot be written. The old folder is then where
            it was.
        """
        sync_tree(self.folder)
        if not _holds_something(self.path):
            # Replaces an empty folder too, and fails if others have just filled it.
            self.folder.rename(self.path)
        else:
            check(self.path)
            # Its lock: the old folder, hidden for a moment, is no dead process's.
            with claimed(self.path, folder=True):
                if exchange(self.folder, self.path):
                    self._drop(self.folder, check, lambda: exchange(self.folder, self.path))
                else:
                    self._replace_in_two_steps(check)
        self._parents.keep()
        _sync(self.path.parent)
        self.close()

    def _replace_in_two_steps(self, check: Callable[[Path], None]) -> None:
        old = self.folder.with_suffix(".old")
        self.path.rename(old)
        try:
            self.folder.rename(self.path)
        except BaseException:
            old.rename(self.path)
            raise

        def undo() -> None:
            self.path.rename(self.folder)
            old.rename(self.path)

        self._drop(old, check, undo)

    def _drop(self, old: Path, check: Callable[[Path], None], undo: Callable[[], object]) -> None:
        """Remove the old folder, or take the replacement back if others wrote into it."""
        try:
            check(old)
        except BaseException:
            undo()
            raise
        shutil.rmtree(old, ignore_errors=True)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close it; an error that names it leaves it there, with a tool's log, until the next."""
        self.close(leave=isinstance(error, BitlifError) and str(self.folder) in str(error))

    def close(self, *, leave: bool = False) -> None:
        """Remove what was not put in its place, unless it is to be left. Idempotent."""
        if self._handle is None:
            return
        if not leave:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._parents.discard()
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = None


def _holds_something(path: Path) -> bool:
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is not None
    except FileNotFoundError:
        return False


def recover(path: Path) -> None:
    """Restore or remove what processes left that were killed while they wrote folder `path`."""
    for old in leftovers(path, r"\.old"):
        with claimed(old, folder=True) as whose:
            if whose != "alive" and not os.path.lexists(path):
                # Killed between two renames.
                with contextlib.suppress(OSError):
                    old.rename(path)
            elif whose == "ours" and _marked(path):
                _remove(old)
    for made in leftovers(path, r"\.new"):
        with claimed(made, folder=True) as whose:
            if whose == "ours":
                _remove(made)


def _marked(path: Path) -> bool:
    try:
        return read_marker(path) is not None
    except (OSError, ValueError):
        return False


def _remove(folder: Path) -> None:
    """Remove a hidden folder of ours, unless others wrote into it while it had its name."""
    try:
        marker = read_marker(folder)
    except (OSError, ValueError):
        return
    if marker is None or next(unknown(folder, marker.files | {MARKER}), None) is None:
        shutil.rmtree(folder, ignore_errors=True)


class NewFile:
    """A file that is written under a hidden name beside its place.

    Making it removes what killed processes left, and shows whether the place can be written to,
    before any work is done.

    Parameters
    ----------
    path : Path
        Its place. A symbolic link stays, and what it points to is replaced.
    parents : bool
        Whether to make the folders above it that are missing.

    Attributes
    ----------
    path : Path
        The place, links followed.
    file : Path
        What to write, with the suffix of the path that was given. Where the place is no regular
        file (``/dev/stdout``, a pipe) it is the place itself.
    """

    def __init__(self, path: Path, *, parents: bool = False) -> None:
        self._handle: int | None = None
        self._mode = path.stat().st_mode if path.exists() else None
        if self._mode is not None and not (stat.S_ISREG(self._mode) or stat.S_ISDIR(self._mode)):
            # A pipe behind /dev/stdout has no path that links could be followed to.
            self.path = self.file = path
            _require_writable(path)
            return
        self.path = Path(os.path.realpath(path))
        if self.path.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        if not self.path.name or (self._mode is not None and stat.S_ISDIR(self._mode)):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if self._mode is not None:
            # Renaming would replace it all the same.
            _require_writable(path)
        for left in leftovers(self.path, _SUFFIX):
            with claimed(left, folder=False) as whose:
                if whose == "ours" and stat.S_ISREG(left.lstat().st_mode):
                    left.unlink()
        self._parents = Parents(self.path) if parents else None
        try:
            self._make(path.suffix if re.fullmatch(_SUFFIX, path.suffix) else "")
        except BaseException:
            if self._parents:
                self._parents.discard()
            raise

    def _make(self, end: str) -> None:
        while self._handle is None:
            self.file = hidden(self.path, end)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._handle = os.open(self.file, flags, 0o666)
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX)
            except OSError:
                return  # without locks nobody takes it for a dead process's
            if not self.file.exists():
                # Another process did.
                os.close(self._handle)
                self._handle = None

    def commit(self) -> None:
        """Put the file in its place, atomically.

        Raises
        ------
        OSError
            If it cannot be; the place is then as it was.
        """
        if self._handle is None:
            return
        if self._mode is not None:
            self.file.chmod(stat.S_IMODE(self._mode))
        _sync(self.file)
        self.file.replace(self.path)
        self._parents = None
        os.close(self._handle)
        self._handle = None
        _sync(self.path.parent)

    def close(self) -> None:
        """Remove what was not put in its place. Idempotent."""
        if self._handle is None:
            return
        self.file.unlink(missing_ok=True)
        if self._parents:
            self._parents.discard()
        os.close(self._handle)
        self._handle = None


def _require_writable(path: Path) -> None:
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give the hidden name of a new file, see `NewFile`; put it in its place when it is written.

    An error or interruption leaves `path` as it was.

    Raises
    ------
    OSError
        If the file cannot be written where it is to be, before anything is given.
    """
    made = NewFile(path)
    try:
        yield made.file
        made.commit()
    finally:
        made.close()


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file atomically, see `new_file`; text as UTF-8, with line ends as they are."""
    with new_file(path) as made:
        made.write_bytes(content.encode() if isinstance(content, str) else content)
