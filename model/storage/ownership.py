"""Which folders and files are ours: a marker that only bitlif writes, and opening without links.

A result folder holds `MARKER`, a JSON object with the format's name and version, the command that
made the folder (``kind``) and the names of all files in it. Only a folder with such a marker, of
the same kind and with nothing else in it, is ever replaced. A golden set needs no second file: its
``manifest.json`` says what it is and lists its files.

Locks and folders of ours are opened without following symbolic links, so that a link that somebody
else put there leads nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitlif.model.errors import BitlifError
from bitlif.model.text import path_text, quoted

MARKER = "bitlif.json"
FORMAT = "bitlif folder"
VERSION = 1

MANIFEST = "manifest.json"
"""The marker of a golden set."""

GOLDEN = "bitlif golden vectors"
"""The kind of a golden set, in its manifest and here."""

EARLIER = ("report.json", "difference.json")
"""Files by which earlier versions knew their folders; other programs write them too."""

MARKER_LIMIT = 16 << 20
"""Bytes of a marker beyond which it is not ours."""

TEMPORARY = re.compile(r"\..+\.bitlif-[0-9a-f]{8}(\.new|\.old|\.[A-Za-z0-9]{1,8})?")
"""Names of what bitlif is writing, see `bitlif.model.storage.atomic`."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What a folder's marker says.

    Attributes
    ----------
    kind : str
        The command that made the folder.
    files : frozenset of str
        Names relative to the folder, with ``/`` between the parts; a folder's name ends with
        ``/``. The marker itself is not among them.
    """

    kind: str
    files: frozenset[str]


def write_marker(folder: Path, kind: str) -> None:
    """Mark a folder as made by `kind`, with everything that is in it now."""
    names = sorted(name for name in _names(folder) if name != MARKER)
    content = {"format": FORMAT, "version": VERSION, "kind": kind, "files": names}
    (folder / MARKER).write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def read_marker(folder: Path) -> Marker | None:
    """Return what a folder's marker says; None if it has none.

    Raises
    ------
    BitlifError
        If the marker is damaged or of another version.
    """
    content = _read(folder / MARKER)
    if content is None:
        return _read_manifest(folder)
    told = _parsed(content)
    if not (isinstance(told, dict) and told.get("format") == FORMAT):
        raise _damaged(folder / MARKER)
    _require_version(folder / MARKER, told.get("version"))
    kind, files = told.get("kind"), told.get("files")
    if not (isinstance(kind, str) and _are_names(files)):
        raise _damaged(folder / MARKER)
    assert isinstance(files, list)
    return Marker(kind, frozenset(files))


def _read_manifest(folder: Path) -> Marker | None:
    """Return what a golden set's manifest says; None if there is none, or another program's."""
    content = _read(folder / MANIFEST)
    told = None if content is None else _parsed(content)
    if not (isinstance(told, dict) and told.get("kind") == GOLDEN):
        return None
    _require_version(folder / MANIFEST, told.get("version"))
    try:
        files = [told["config"]["file"], *(own["file"] for own in told["arrays"])]
    except (LookupError, TypeError):
        files = None
    if not _are_names(files):
        raise _damaged(folder / MANIFEST)
    assert files is not None
    return Marker(GOLDEN, frozenset([MANIFEST, *files]))


def _damaged(path: Path) -> BitlifError:
    return BitlifError(
        f"'{path_text(path)}', which says whose the folder is, is damaged: "
        "remove the folder yourself, or give another"
    )


def _require_version(path: Path, version: object) -> None:
    if version != VERSION or isinstance(version, bool):
        raise BitlifError(
            f"'{path_text(path)}' must have version {VERSION}, not {quoted(version)}: "
            "another bitlif made it"
        )


def _read(path: Path) -> bytes | None:
    """Return the content of a marker; None if there is no regular file of its size."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        content = file.read(MARKER_LIMIT + 1)
    return content if len(content) <= MARKER_LIMIT else None


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _are_names(files: object) -> bool:
    """Return whether these are names of files inside a folder."""
    return isinstance(files, list) and all(
        isinstance(name, str)
        and not name.startswith("/")
        and not {"..", "."} & set(name.split("/"))
        for name in files
    )


def _names(folder: Path, above: str = "") -> Iterator[str]:
    """Yield the names of everything in a folder, folders with ``/`` before what is in them."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda own: own.name):
            if entry.is_dir(follow_symlinks=False):
                yield f"{above}{entry.name}/"
                yield from _names(Path(entry.path), f"{above}{entry.name}/")
            else:
                yield above + entry.name


def unknown(folder: Path, files: Collection[str]) -> Iterator[str]:
    """Yield the names of what is in a folder and not among `files`.

    Links, pipes and devices are unknown whatever their names: bitlif makes none. What bitlif is
    just writing is known.

    Parameters
    ----------
    folder : Path
    files : collection of str
        As `Marker.files`.
    """
    known = set(files)
    for name in files:
        parts = name.split("/")
        known.update("/".join(parts[:count]) + "/" for count in range(1, len(parts)))
    skipped = ""
    for name in _names(folder):
        if skipped and name.startswith(skipped):
            continue
        kind = (folder / name).lstat().st_mode
        ours = stat.S_ISREG(kind) or stat.S_ISDIR(kind)
        last = name.rstrip("/").rpartition("/")[2]
        if ours and TEMPORARY.fullmatch(last):
            skipped = name if name.endswith("/") else skipped
        elif not ours or name not in known:
            skipped = name if name.endswith("/") else skipped
            yield name


def require_ours(what: str, folder: Path, kind: str, *, place: Path | None = None) -> None:
    """Raise unless a folder was made by `kind` and holds nothing else.

    Parameters
    ----------
    what : str
        What names the folder, for errors: ``"--out"``.
    folder : Path
    kind : str
    place : Path or None
        What errors say of it, if it has another name for now.

    Raises
    ------
    BitlifError
    """
    shown = path_text(place or folder)
    marker = read_marker(folder)
    if marker is None:
        if any((folder / name).is_file() for name in EARLIER):
            raise BitlifError(
                f"{what} must be a new folder, not '{shown}', which no marker says is bitlif's: "
                "if an earlier version made it, remove it yourself"
            )
        first = next(_names(folder), "")
        raise BitlifError(
            f"{what} must be a new or empty folder, not '{shown}', which holds {quoted(first)}"
        )
    if marker.kind != kind:
        raise BitlifError(
            f"{what} must be a new folder or one of kind {quoted(kind)}, "
            f"not '{shown}' of kind {quoted(marker.kind)}"
        )
    first = next(unknown(folder, marker.files | {MARKER}), "")
    if first:
        raise BitlifError(
            f"{what} must hold only what bitlif wrote, not '{shown}' with {quoted(first)} in it"
        )


def open_folder(what: str, name: str | Path, folder: int | None = None) -> int:
    """Return a descriptor of a folder that is not a symbolic link; the caller closes it.

    Parameters
    ----------
    what : str
        What it is, for errors: ``"parts"``.
    name : path
    folder : int or None
        Descriptor of the folder that `name` is relative to.

    Raises
    ------
    BitlifError
        If it is a link or no folder, or cannot be opened.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        # Linux says of a link that it is no directory.
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise BitlifError(f"{what} '{path_text(name)}' must be a folder and no link") from error
        reason = error.strerror or error
        raise BitlifError(f"{what} '{path_text(name)}' cannot be opened: {reason}") from error


def open_lock(what: str, name: str | Path, folder: int | None = None) -> int:
    """Return a descriptor of a lock file, made if need be; the caller closes it.

    Nothing is ever written into it, so that a link of any kind to another file does no harm.

    Parameters
    ----------
    what : str
        What it locks, for errors: ``"lock of the study"``.
    name : path
    folder : int or None
        Descriptor of the folder that `name` is relative to.

    Raises
    ------
    BitlifError
        If it is a symbolic link or no regular file, or cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(name, flags, 0o666, dir_fd=folder)
    except OSError as error:
        link = error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO)
        reason = "it must be a regular file and no link" if link else error.strerror or error
        raise BitlifError(f"{what} '{path_text(name)}' cannot be opened: {reason}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        reason = "it must be a regular file and no link"
        raise BitlifError(f"{what} '{path_text(name)}' cannot be opened: {reason}")
    return handle


@contextlib.contextmanager
def locked(
    what: str, name: str | Path, folder: int | None = None, *, wait: bool = True
) -> Iterator[None]:
    """Hold a lock file, see `open_lock`; it is released even if the process is killed.

    Raises
    ------
    BlockingIOError
        Unless `wait`, if another process or thread holds it.
    BitlifError
        As `open_lock`.
    """
    handle = open_lock(what, name, folder)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)
