"""Files and folders that are written atomically: they appear complete or not at all.

Everything is written under a hidden name beside its final place, flushed to disk and then renamed.
A folder that is replaced swaps names with the new one in a single system call (``renameat2`` with
``RENAME_EXCHANGE``) and is then removed. Where the system or the file system lacks that call, two
renames are used; a process killed between them leaves both folders under hidden names. The next
`NewFolder` or `new_file` for the same path restores or removes what a killed process left. A lock,
which the system releases when its process ends, tells whether a hidden file is still being written.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from bitlif.model.errors import BitlifError

from .hidden import claimed, hidden, leftovers, lock
from .locks import lock_exclusively
from .ownership import MARKER, read_marker, unknown

_EXCHANGE = 2  # of <linux/fs.h>
_AT_FDCWD = -100
_SUFFIX = r"(\.[A-Za-z0-9]{1,8})?"
_NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)


def exchange(one: Path, other: Path) -> bool:
    """Swap the names of two files or folders atomically; return False if that is unsupported."""
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
    """Flush an open file or folder to disk."""
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot flush a folder.
        if error.errno != errno.EINVAL:
            raise


def sync_tree(folder: Path) -> None:
    """Flush a folder and all regular files in it to disk."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if stat.S_ISREG(path.lstat().st_mode):
                _sync(path)
        _sync(Path(root))


class Parents:
    """Creates the missing folders above a path, and removes them again unless they are kept."""

    def __init__(self, path: Path) -> None:
        self._made: list[Path] = []
        missing = [own for own in path.parents if not own.exists()]
        for own in reversed(missing):
            with contextlib.suppress(FileExistsError):
                own.mkdir()
                self._made.append(own)

    def keep(self) -> None:
        """Keep the folders that were created."""
        self._made.clear()

    def discard(self) -> None:
        """Remove the folders that were created, if they are empty."""
        for own in reversed(self._made):
            with contextlib.suppress(OSError):
                own.rmdir()


class NewFolder(contextlib.AbstractContextManager["NewFolder"]):
    """A folder that is written under a hidden name beside its final path.

    The constructor restores or removes what killed processes left for the same path. It fails at
    once if the path cannot be written, before any work is done.

    Parameters
    ----------
    path : Path
        The final path. A symbolic link is kept, and the folder that it points to is replaced.

    Attributes
    ----------
    path : Path
        The final path, with links resolved.
    folder : Path
        The hidden folder, to be filled before `commit`.

    Raises
    ------
    OSError
        If the folder cannot be created.
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
                    continue  # another process has removed it as a leftover
                except OSError:
                    self._handle = -1  # without locks, no process removes it
                    break
                except BaseException:
                    self.folder.rmdir()
                    raise
        except BaseException:
            self._parents.discard()
            raise

    def commit(self, check: Callable[[Path], None]) -> None:
        """Rename the folder to its final path atomically, and remove the folder it replaces.

        Parameters
        ----------
        check : callable
            Called with the folder that is about to be replaced, and again after that folder has
            its hidden name, when no other program can write to it by its path any more. It raises
            if the folder must not be removed.

        Raises
        ------
        OSError
            If the path cannot be written, or another program has created it meanwhile. The old
            folder then remains in its place.
        """
        sync_tree(self.folder)
        if not _holds_something(self.path):
            # This replaces an empty folder too, and fails if another program has just filled it.
            self.folder.rename(self.path)
        else:
            check(self.path)
            # The lock shows other processes that the old folder, once hidden, is no leftover.
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
        """Remove the old folder, or undo the replacement if another program wrote to it."""
        try:
            check(old)
        except BaseException:
            undo()
            raise
        shutil.rmtree(old, ignore_errors=True)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close it. If an error message names the folder, it is kept for the logs in it."""
        self.close(leave=isinstance(error, BitlifError) and str(self.folder) in str(error))

    def close(self, *, leave: bool = False) -> None:
        """Remove the hidden folder unless it was committed or `leave` is set. Idempotent."""
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
    """Restore or remove what killed processes left while they wrote the folder `path`."""
    for old in leftovers(path, r"\.old"):
        with claimed(old, folder=True) as whose:
            if whose != "alive" and not os.path.lexists(path):
                # Its process was killed between two renames.
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
    """Remove a hidden folder, unless another program wrote to it before it was hidden."""
    try:
        marker = read_marker(folder)
    except (OSError, ValueError):
        return
    if marker is None or next(unknown(folder, marker.files | {MARKER}), None) is None:
        shutil.rmtree(folder, ignore_errors=True)


class NewFile:
    """A file that is written under a hidden name beside its final path.

    The constructor removes what killed processes left for the same path. It fails at once if the
    path cannot be written, before any work is done.

    Parameters
    ----------
    path : Path
        The final path. A symbolic link is kept, and the file that it points to is replaced.
    parents : bool
        Whether to create missing folders above it.

    Attributes
    ----------
    path : Path
        The final path, with links resolved.
    file : Path
        The file to write, with the suffix of the given path. If that path exists and is not a
        regular file (``/dev/stdout``, a pipe), it is written directly.

    Raises
    ------
    OSError
        If the path cannot be written.
    """

    def __init__(self, path: Path, *, parents: bool = False) -> None:
        self._handle: int | None = None
        self._mode = path.stat().st_mode if path.exists() else None
        if self._mode is not None and not (stat.S_ISREG(self._mode) or stat.S_ISDIR(self._mode)):
            # A pipe behind /dev/stdout has no path that its links could be resolved to.
            self.path = self.file = path
            _require_writable(path)
            return
        self.path = Path(os.path.realpath(path))
        if self.path.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        if not self.path.name or (self._mode is not None and stat.S_ISDIR(self._mode)):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if self._mode is not None:
            # Renaming would replace a read-only file without an error.
            _require_writable(path)
        for left in leftovers(self.path, _SUFFIX):
            with claimed(left, folder=False) as whose:
                if whose == "ours" and stat.S_ISREG(left.lstat().st_mode):
                    left.unlink()
        self._parents = Parents(self.path) if parents else None
        try:
            self._make(path.suffix if re.fullmatch(_SUFFIX, path.suffix) else "")
        except BaseException:
            if self._handle is None and self._parents:
                self._parents.discard()
            self.close()
            raise

    def _make(self, end: str) -> None:
        while self._handle is None:
            self.file = hidden(self.path, end)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            try:
                self._handle = os.open(self.file, flags, 0o666)
            except OSError as error:
                # The caller knows the final path, not the hidden one.
                raise OSError(error.errno, error.strerror, str(self.path)) from error
            try:
                lock_exclusively(self._handle, wait=True)
            except OSError:
                return  # without locks, no process removes it
            if not self.file.exists():
                # Another process has removed it as a leftover.
                os.close(self._handle)
                self._handle = None

    def commit(self) -> None:
        """Rename the file to its final path, atomically.

        Raises
        ------
        OSError
            If it cannot be renamed. What was at the path is then unchanged.
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
        """Remove the hidden file unless it was committed. Idempotent."""
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
    """Yield the hidden path of a `NewFile`, and commit the file at the end of the block.

    An error or interruption leaves `path` unchanged.

    Raises
    ------
    OSError
        If the file cannot be written; before the block is entered, where that can be known.
    """
    made = NewFile(path)
    try:
        yield made.file
        made.commit()
    finally:
        made.close()


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file atomically, see `new_file`. Text is encoded as UTF-8, line ends unchanged."""
    with new_file(path) as made:
        made.write_bytes(content.encode() if isinstance(content, str) else content)
