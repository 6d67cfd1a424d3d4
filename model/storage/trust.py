"""Folders and files that no other user can change; ssh demands the same of its keys.

Compiled code is loaded from disk and run: whoever can write it can run code as the user who loads
it. A cache is therefore used only if no other user except the superuser can change it: the folder
itself, the folders above it, and every link on the way to it.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import stat
import tempfile
from collections.abc import Collection
from pathlib import Path

from bitlif.model.errors import BitlifError
from bitlif.model.logging import warn_once
from bitlif.model.text import path_text

MOST_LINKS = 40
"""Most symbolic links that are followed on a path, as in the Linux kernel."""


def distrust(path: Path, owners: Collection[int] = ()) -> str:
    """Return the reason why other users could change what is at a path; empty if they cannot.

    Parameters
    ----------
    path : Path
        Of a folder or file. If it does not exist, the folder that would hold it is checked.
    owners : collection of int
        Numbers of users who are trusted besides this user and the superuser.

    Returns
    -------
    str
        A clause that names the folder, file or link at fault.
    """
    trusted = {0, os.geteuid(), *owners}
    # Not `resolve`: every link on the way must be safe too.
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
        if links > MOST_LINKS:
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
    # In a sticky folder such as /tmp, users can replace only what belongs to them.
    if status.st_mode & stat.S_ISVTX and stat.S_ISDIR(status.st_mode) and not last:
        return ""
    others = status.st_mode & stat.S_IWOTH
    group = status.st_mode & stat.S_IWGRP and not _own_group(status.st_gid)
    return f"'{path_text(place)}' can be written by other users" if others or group else ""


def _owner(status: os.stat_result) -> int:
    return status.st_uid


@functools.cache
def _own_group(group: int) -> bool:
    """Return whether a group has no member but this user; many systems make one for each user."""
    try:
        import grp
        import pwd

        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except (ImportError, KeyError):
        return False
    return (
        user.pw_gid == group
        and entry.gr_name == user.pw_name
        and set(entry.gr_mem) <= {user.pw_name}
    )


def _user(number: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError):
        return f"number {number}"


def read_trusted(path: Path, owners: Collection[int] = ()) -> bytes | None:
    """Return the content of a regular file that other users cannot write, or None.

    The caller has checked the folder that holds the file. Symbolic links are not followed.
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
    """Create a folder that other users cannot change, with its missing parents.

    Parameters
    ----------
    folder : Path
    owners : collection of int
        As for `distrust`.
    mode : int
        Permissions of the folders that are created.

    Returns
    -------
    str
        The reason why the folder cannot be used; empty if it can. Either other users could change
        it, or it cannot be created or written.
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
    """Create a folder and its missing parents, each with at most the permissions `mode`."""
    for own in reversed([own for own in (folder, *folder.parents) if not own.exists()]):
        own.mkdir(mode=mode, exist_ok=True)


def user_cache() -> Path | None:
    """Return the user's cache folder, which may not exist yet; None if the user has no home.

    It is ``$XDG_CACHE_HOME`` or ``~/.cache`` on Linux, and what is customary on other systems.
    """
    import platformdirs

    try:
        return platformdirs.user_cache_path()
    except RuntimeError:  # no home folder is known
        return None


def own_cache() -> Path:
    """Return the user's cache folder, created if necessary.

    If it is unsafe or cannot be created, `private_folder` is returned and the reason is printed.
    """
    folder = user_cache()
    if folder is None:
        fault = "this user has no home folder"
    else:
        fault = make_own(folder)
        if not fault:
            return folder
    private = private_folder()
    warn_once(f"{fault}: compiled code is kept in '{path_text(private)}'")
    return private


@functools.cache
def private_folder() -> Path:
    """Return a temporary folder that only this user can change.

    It has the same name in every process of this user, and so is reused. If another user has taken
    that name, the folder is one of this process alone and is removed when the process ends.

    Raises
    ------
    BitlifError
        If other users can change every temporary folder.
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
    # A forked child must not remove the folder of its parent.
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
