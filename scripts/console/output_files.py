"""Output files and folders: checked before the work, written atomically, and never lost.

A command opens its outputs first. This creates a hidden file or folder beside the final path and
writes a few bytes to it, so that a path that is read-only, full or not ours is an error before the
work. If the result cannot be written at the end nevertheless, it is saved in another folder, which
the error names.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn, TypeVar

from bitlif.model.errors import BitlifError
from bitlif.model.storage.atomic import NewFile, NewFolder
from bitlif.model.storage.ownership import GOLDEN, require_ours, write_marker
from bitlif.model.text import path_text

T = TypeVar("T")

PROBE = bytes(4096)
"""Bytes that are written to test whether a path can be written."""


class KeptElsewhere(BitlifError):
    """The result could not be written to its path and was saved in `folder` instead."""

    def __init__(self, message: str, folder: Path) -> None:
        super().__init__(message)
        self.folder = folder


def require_place(what: str, path: Path, kind: str, *, force: bool = False) -> None:
    """Raise unless a folder can be created at `path`, or (with `force`) replaced there.

    Parameters
    ----------
    what : str
        The option that names the folder, for errors: ``"--out"``.
    path : Path
    kind : str
        The command that makes it, see `bitlif.model.storage.ownership`.
    force : bool
        Whether an earlier folder of the same kind may be replaced.

    Raises
    ------
    BitlifError
        If the path is a file, a mount point, the current directory or a folder that must not be
        replaced.
    """
    shown = path_text(path)
    absolute = path.absolute()
    above = next(parent for parent in (*absolute.parents, absolute) if parent.exists())
    if not above.is_dir():
        raise BitlifError(f"{what} must be in a folder, not in the file '{path_text(above)}'")
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise BitlifError(f"{what} must be a folder, not '{shown}', a link that leads nowhere")
    if not real.exists():
        return
    if Path.cwd().is_relative_to(real):
        raise BitlifError(
            f"{what} must be a new folder, not '{shown}', which contains the current one"
        )
    if not real.is_dir():
        raise BitlifError(f"{what} must be a folder, not the file '{shown}'")
    if real.is_mount():
        raise BitlifError(f"{what} must be a folder below '{shown}', which is a mount point")
    if any(real.iterdir()):
        require_ours(what, real, kind, place=path)
        if not force:
            raise BitlifError(
                f"{what} must be a new folder, not '{shown}': give --force to replace it"
            )


def require_other_files(what: str, path: Path, inputs: Mapping[str, str | None]) -> None:
    """Raise if `path` is one of the input files, under any name."""
    for name, given in inputs.items():
        if given and path.exists() and Path(given).exists() and path.samefile(given):
            raise BitlifError(f"{what} must not be the same file as {name}: '{path_text(path)}'")


class OutputFolder(AbstractContextManager["OutputFolder"]):
    """A folder of results.

    Parameters
    ----------
    path : Path
        The final path.
    kind : str
        The command that makes it.
    force : bool
        Whether an earlier folder of the same kind may be replaced.
    what : str
        The option that names the folder, for errors.

    Attributes
    ----------
    folder : Path
        The hidden folder beside `path`, to be filled before `settle`.

    Raises
    ------
    BitlifError
        If the path is not ours or cannot be written.
    """

    def __init__(self, path: Path, kind: str, *, force: bool = False, what: str = "--out") -> None:
        self.path, self._kind, self._force, self._what = path, kind, force, what
        require_place(what, path, kind, force=force)
        try:
            self._made = NewFolder(path)
        except OSError as error:
            raise _unwritable(what, path, error) from error
        self.folder = self._made.folder
        try:
            _probe(self.folder / "probe")
            (self.folder / "probe").unlink()
        except OSError as error:
            self._made.close()
            raise _unwritable(what, path, error) from error
        except BaseException:
            self._made.close()
            raise

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Remove the hidden folder unless it was moved to `path` or an error names it."""
        self._made.__exit__(kind, error, traceback)

    def write(self, fill: Callable[[Path], T]) -> T:
        """Fill the folder and move it to its final path.

        Parameters
        ----------
        fill : callable
            Writes all files to the folder that it is given. It is called again with another folder
            if the path cannot be written.

        Returns
        -------
        object
            The return value of `fill`.

        Raises
        ------
        KeptElsewhere
            If the path cannot be written.
        """
        try:
            result = fill(self.folder)
        except OSError as error:
            _keep(self._what, self.path, error, lambda folder: self._filled(folder, fill))
        self._commit(fill)
        return result

    def settle(self) -> None:
        """Move the folder with its present content to its final path. Raises as `write` does."""
        made = self.folder
        self._commit(lambda folder: shutil.copytree(made, folder, dirs_exist_ok=True))

    def _filled(self, folder: Path, fill: Callable[[Path], object]) -> None:
        fill(folder)
        if self._kind != GOLDEN:  # its manifest serves as the marker
            write_marker(folder, self._kind)

    def _commit(self, fill: Callable[[Path], object]) -> None:
        try:
            self._filled(self.folder, lambda folder: None)
            self._made.commit(self._check)
        except (OSError, BitlifError) as error:
            _keep(self._what, self.path, error, lambda folder: self._filled(folder, fill))

    def _check(self, folder: Path) -> None:
        # Another program may have filled it since the command started.
        if not self._force:
            raise BitlifError(f"another program has written to '{path_text(self.path)}' meanwhile")
        require_ours(self._what, folder, self._kind, place=self.path)


class OutputFile(AbstractContextManager["OutputFile"]):
    """A file of results.

    Parameters
    ----------
    path : Path
        The final path.
    inputs : mapping of str to (str or None)
        Input files by their options; the output must be none of them.
    parents : bool
        Whether to create missing folders above it.
    what : str
        The option that names the file, for errors.

    Raises
    ------
    BitlifError
        If the path is an input or cannot be written.
    """

    def __init__(
        self,
        path: Path,
        inputs: Mapping[str, str | None] | None = None,
        *,
        parents: bool = False,
        what: str = "--out",
    ) -> None:
        self.path, self._what = path, what
        require_other_files(what, path, inputs or {})
        if path.is_dir():
            raise BitlifError(f"{what} must be a file, not the folder '{path_text(path)}'")
        try:
            self._made = NewFile(path, parents=parents)
        except OSError as error:
            raise _unwritable(what, path, error) from error
        if self._made.file != self._made.path:
            try:
                _probe(self._made.file)
                os.truncate(self._made.file, 0)
            except OSError as error:
                self._made.close()
                raise _unwritable(what, path, error) from error
            except BaseException:
                self._made.close()
                raise

    def __exit__(self, *exception: object) -> None:
        """Remove the hidden file unless it was moved to `path`."""
        self._made.close()

    def write(self, fill: Callable[[Path], object]) -> None:
        """Write the file and move it to its final path.

        Parameters
        ----------
        fill : callable
            Writes the file whose path it is given. It is called again with another path if the
            first cannot be written.

        Raises
        ------
        KeptElsewhere
            If the path cannot be written.
        """
        try:
            fill(self._made.file)
            self._made.commit()
        except OSError as error:
            name = self.path.name
            _keep(self._what, self.path, error, lambda folder: fill(folder / name), name)

    def write_text(self, text: str) -> None:
        """Write text as UTF-8 and move the file to its final path. Raises as `write` does."""
        self.write(lambda path: path.write_bytes(text.encode()))


def _probe(path: Path) -> None:
    with path.open("wb") as file:
        file.write(PROBE)
        file.flush()
        os.fsync(file.fileno())


def _unwritable(what: str, path: Path, error: OSError) -> BitlifError:
    return BitlifError(f"{what} '{path_text(path)}' cannot be written: {error.strerror or error}")


def _other_places() -> Iterator[Path]:
    finders: tuple[Callable[[], str | Path], ...] = (tempfile.gettempdir, Path.home, Path.cwd)
    for find in finders:
        try:
            yield Path(find())
        except (OSError, RuntimeError):  # it does not exist, or is unknown
            continue


def _keep(
    what: str, path: Path, error: OSError | BitlifError, fill: Callable[[Path], object],
    name: str = "",
) -> NoReturn:  # fmt: skip
    """Save a result in another folder because its path cannot be written, and raise."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    for place in _other_places():
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix="bitlif-kept-", dir=place))
            fill(folder)
        except OSError:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            continue
        raise KeptElsewhere(
            f"{what} '{path_text(path)}' could not be written ({reason}): "
            f"the result is in '{path_text(folder / name)}'", folder,
        ) from error  # fmt: skip
    raise BitlifError(
        f"{what} '{path_text(path)}' could not be written ({reason}), nor could any other folder"
    ) from error
