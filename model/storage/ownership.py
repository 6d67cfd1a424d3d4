"""Which folders bitlif may replace: those with a marker file that only bitlif writes.

A result folder contains `MARKER`, a JSON object with the name and version of the format, the
command that made the folder (``kind``) and the names of all files in it. A folder is replaced only
if it has such a marker, is of the same kind and contains nothing else. In a golden set,
``manifest.json`` serves as the marker: it states its kind and lists the files.

Locks and folders are opened without following symbolic links, so that a link planted by another
user has no effect.
"""

from __future__ import annotations

import errno
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
"""The kind of a golden set, as in its manifest."""

GOLDEN_NETWORK = "bitlif golden network"
"""The kind of a golden set of a network in its manifest. For ownership, its kind is `GOLDEN`."""

EARLIER = ("report.json", "difference.json")
"""Files by which earlier versions recognised their folders; other programs write them too."""

MARKER_LIMIT = 16 << 20
"""Most bytes of a marker."""

TEMPORARY = re.compile(r"\..+\.bitlif-[0-9a-f]{8}(\.new|\.old|\.[A-Za-z0-9]{1,8})?")
"""Hidden names of files that are being written, see `bitlif.model.storage.atomic`."""


@dataclass(frozen=True, slots=True)
class Marker:
    """The content of a folder's marker.

    Attributes
    ----------
    kind : str
        The command that made the folder.
    files : frozenset of str
        Names relative to the folder, with ``/`` between the parts; names of folders end with
        ``/``. The marker itself is not listed.
    """

    kind: str
    files: frozenset[str]


def write_marker(folder: Path, kind: str) -> None:
    """Write the marker of a folder that the command `kind` made, listing its present files."""
    names = sorted(name for name in _names(folder) if name != MARKER)
    content = {"format": FORMAT, "version": VERSION, "kind": kind, "files": names}
    (folder / MARKER).write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def read_marker(folder: Path) -> Marker | None:
    """Return the content of a folder's marker, or None if there is no marker.

    Raises
    ------
    BitlifError
        If the marker is damaged or of another version.
    """
    content = _read(folder / MARKER)
    if content is None:
        return _read_manifest(folder)
    parsed = _parsed(content)
    if not (isinstance(parsed, dict) and parsed.get("format") == FORMAT):
        raise _damaged(folder / MARKER)
    _require_version(folder / MARKER, parsed.get("version"))
    kind, files = parsed.get("kind"), parsed.get("files")
    if not (isinstance(kind, str) and _are_names(files)):
        raise _damaged(folder / MARKER)
    assert isinstance(files, list)
    return Marker(kind, frozenset(files))


def _read_manifest(folder: Path) -> Marker | None:
    """Return the content of a golden set's manifest; None if it is missing or foreign."""
    content = _read(folder / MANIFEST)
    parsed = None if content is None else _parsed(content)
    if not (isinstance(parsed, dict) and parsed.get("kind") in (GOLDEN, GOLDEN_NETWORK)):
        return None
    _require_version(folder / MANIFEST, parsed.get("version"))
    try:
        files = [parsed["config"]["file"], *(array["file"] for array in parsed["arrays"])]
    except (LookupError, TypeError):
        files = None
    if not _are_names(files):
        raise _damaged(folder / MANIFEST)
    assert files is not None
    return Marker(GOLDEN, frozenset([MANIFEST, *files]))


def _damaged(path: Path) -> BitlifError:
    return BitlifError(
        f"'{path_text(path)}', the marker of a result folder, is damaged: "
        "remove it by hand, or choose another folder"
    )


def _require_version(path: Path, version: object) -> None:
    if version != VERSION or isinstance(version, bool):
        raise BitlifError(
            f"'{path_text(path)}' must have version {VERSION}, not {quoted(version)}: "
            "it was made by another version of bitlif"
        )


def _read(path: Path) -> bytes | None:
    """Return the content of a marker; None if it is no regular file or is too large."""
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
    """Return whether these are relative names of files inside a folder."""
    return isinstance(files, list) and all(
        isinstance(name, str)
        and not name.startswith("/")
        and not {"..", "."} & set(name.split("/"))
        for name in files
    )


def _names(folder: Path, above: str = "") -> Iterator[str]:
    """Yield the names of everything in a folder; each folder, with ``/``, before its content."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield f"{above}{entry.name}/"
                yield from _names(Path(entry.path), f"{above}{entry.name}/")
            else:
                yield above + entry.name


def unknown(folder: Path, files: Collection[str]) -> Iterator[str]:
    """Yield the names of files in a folder that are not among `files`.

    Links, pipes and devices are always yielded, because bitlif makes none. Files that bitlif is
    writing at this moment are not.

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
    """Raise unless a folder was made by the command `kind` and contains nothing else.

    Parameters
    ----------
    what : str
        The option or argument that names the folder, for errors: ``"--out"``.
    folder : Path
    kind : str
    place : Path or None
        The path for errors, if it differs from `folder`.

    Raises
    ------
    BitlifError
        If the folder has no marker or one of another kind, or contains any other file.
    """
    shown = path_text(place or folder)
    marker = read_marker(folder)
    if marker is None:
        if any((folder / name).is_file() for name in EARLIER):
            raise BitlifError(
                f"{what} must be a new folder, not '{shown}', which has no marker of bitlif: "
                "if an earlier version made it, remove it by hand"
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
            f"{what} must hold only files of bitlif, but '{shown}' also holds {quoted(first)}"
        )


def open_folder(what: str, name: str | Path, folder: int | None = None) -> int:
    """Open a folder that is not a symbolic link; the caller closes the descriptor.

    Parameters
    ----------
    what : str
        What the folder is, for errors: ``"parts"``.
    name : path
    folder : int or None
        Descriptor of the folder that `name` is relative to.

    Raises
    ------
    BitlifError
        If it is a link, is not a folder, or cannot be opened.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        # For a link, Linux reports that it is not a directory.
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise BitlifError(f"{what} '{path_text(name)}' must be a folder, not a link") from error
        reason = error.strerror or error
        raise BitlifError(f"{what} '{path_text(name)}' cannot be opened: {reason}") from error


def open_lock(what: str, name: str | Path, folder: int | None = None) -> int:
    """Open a lock file, created if necessary; the caller closes the descriptor.

    Nothing is ever written to it, so that a link to another file does no harm.

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
        If it is a symbolic link, is not a regular file, or cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(name, flags, 0o666, dir_fd=folder)
    except OSError as error:
        link = error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO)
        reason = "it must be a regular file, not a link" if link else error.strerror or error
        raise BitlifError(f"{what} '{path_text(name)}' cannot be opened: {reason}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        reason = "it must be a regular file, not a link"
        raise BitlifError(f"{what} '{path_text(name)}' cannot be opened: {reason}")
    return handle
