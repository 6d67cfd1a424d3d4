"""Folders and files that only this user can change, as ssh asks of its keys.

Compiled code is loaded from disk and runs: whoever can write it can run code as the user who loads
it. So a cache is used only where no other user but the superuser can change it: the folder, all
folders above it and all links on the way to it.
"""

from __future__ import annotations

import atexit
import functools
import grp
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from bitlif.model.errors import BitlifError
from bitlif.model.logging import say_once
from bitlif.model.text import path_text

LINKS = 40
"""Symbolic links on a path beyond which it leads nowhere, as in the kernel."""


def distrust(path: Path, owners: Collection[int] = ()) -> str:
    """Return why others could change what is at a path, or nothing if they cannot.

    Parameters
    ----------
    path : Path
        Of a folder or file. What does not exist is judged by the folder that it would be in.
    owners : collection of int
        Users that are trusted besides this one and the superuser.

    Returns
    -------
    str
        A clause that names the culprit.
    """
    trusted = {0, os.geteuid(), *owners}
    # Not `resolve`: a link on the way must be in good hands too.
    pending = list(reversed(Path(os.path.abspath(path)).parts))  # noqa: PTH100
    current, links = Path(pending.pop()), 0
    fault = _fault(current, current.lstat(), trusted, last=not pending)
    while pending and not fault:
        part = pending.pop()
        if part == "..":
            current = current.parent
            continue
        place = current / part
        try:
            status = place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return _fault(current, current.lstat(), trusted, last=False)
        except OSError as error:
            return f"'{path_text(place)}' cannot be read ({error.strerror})"
        fault = _fault(place, status, trusted, last=not pending)
        if not stat.S_ISLNK(status.st_mode):
            current = place
            continue
        links += 1
        if links > LINKS:
            return f"'{path_text(path)}' is a link that leads nowhere"
        target = Path(os.readlink(place))  # noqa: PTH115
        if target.is_absolute():
            current = Path("/")
        pending += reversed([part for part in target.parts if part != "/"])
    return fault


def _fault(place: Path, status: os.stat_result, trusted: Collection[int], *, last: bool) -> str:
    owner = _owner(status)
    if owner not in trusted:
        return f"'{path_text(place)}' belongs to another user ({_user(owner)})"
    if stat.S_ISLNK(status.st_mode):
        return ""
    # Of a sticky folder, as /tmp is, nobody can replace what is another's.
    if status.st_mode & stat.S_ISVTX and stat.S_ISDIR(status.st_mode) and not last:
        return ""
    others = status.st_mode & stat.S_IWOTH
    group = status.st_mode & stat.S_IWGRP and not _own_group(status.st_gid)
    return f"'{path_text(place)}' can be written by other users" if others or group else ""


def _owner(status: os.stat_result) -> int:
    return status.st_uid


@functools.cache
def _own_group(group: int) -> bool:
    """Return whether a group is this user's alone, as many systems make for each user."""
    try:
        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return (
        user.pw_gid == group
        and entry.gr_name == user.pw_name
        and set(entry.gr_mem) <= {user.pw_name}
    )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"number {number}"


def read_trusted(path: Path, owners: Collection[int] = ()) -> bytes | None:
    """Return the content of a regular file that others cannot write; None if it is none.

    The folder that it is in must have been found trustworthy before.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(handle)
        trusted = {0, os.geteuid(), *owners}
        if not stat.S_ISREG(status.st_mode) or _fault(path, status, trusted, last=True):
            return None
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


def make_own(folder: Path, owners: Collection[int] = (), mode: int = 0o700) -> str:
    """Make a folder, and those above it that are missing, and see that others cannot change it.

    Parameters
    ----------
    folder : Path
    owners : collection of int
        As of `distrust`.
    mode : int
        Of the folders that are made.

    Returns
    -------
    str
        Why it cannot be used, or nothing: others could change it, or it cannot be made or written.
    """
    fault = distrust(folder, owners)
    if fault:
        return fault
    try:
        make_folders(folder, mode)
    except OSError as error:
        return f"'{path_text(folder)}' cannot be made ({error.strerror})"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"'{path_text(folder)}' cannot be written"
    return distrust(folder, owners)


def make_folders(folder: Path, mode: int = 0o700) -> None:
    """Make a folder and those above it that are missing, all with this mode at most."""
    for own in reversed([own for own in (folder, *folder.parents) if not own.exists()]):
        own.mkdir(mode=mode, exist_ok=True)


def user_cache(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the user's cache folder, which need not exist; None if the user has no home."""
    chosen = environment.get("XDG_CACHE_HOME", "")
    # Its specification says that a relative one is void.
    if Path(chosen).is_absolute():
        return Path(chosen)
    home = environment.get("HOME", "")
    if not Path(home).is_absolute():
        try:
            home = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:
            return None
    return Path(home) / ".cache" if Path(home).is_absolute() else None


def own_cache() -> Path:
    """Return the user's cache folder, made if need be, or `private_folder`, which is told."""
    folder = user_cache()
    if folder is None:
        fault = "this user has no home folder"
    else:
        fault = make_own(folder)
        if not fault:
            return folder
    private = private_folder()
    say_once(f"{fault}: compiled code is kept in '{path_text(private)}'")
    return private


@functools.cache
def private_folder() -> Path:
    """Return a folder of this user alone among the temporary ones.

    It is kept from one process to the next. Where another user has taken its name, it is one of
    this process alone, which is removed when the process ends.

    Raises
    ------
    BitlifError
        If all temporary folders can be changed by others.
    """
    for base in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):
        folder = Path(base) / f"bitlif-{os.geteuid()}"
        if not make_own(folder):
            return folder
        try:
            made = Path(tempfile.mkdtemp(prefix="bitlif-", dir=base))
        except OSError:
            continue
        if not distrust(made):
            atexit.register(_remove, made, os.getpid())
            return made
        made.rmdir()
    raise BitlifError(
        "compiled code needs a folder that only this user can write, and no temporary folder can "
        "hold one: set TMPDIR to one"
    )


def _remove(folder: Path, process: int) -> None:
    # Not in a child that was forked from the process that made it.
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
