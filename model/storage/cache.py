"""Compiled cores on disk: each made once, by whoever comes first, and never seen half made.

An entry is a folder named by a hash of all that it depends on. It is made in a folder of its own
and renamed when whole; a lock, which ends with the process that holds it, keeps a second process
or thread from making the same. A build that is killed leaves at most its own folder, which the
next build of the same entry removes. Entries that are there are used without any lock: a folder
with all that is wanted may be read-only.

A compiled core runs in the process that loads it, and a key is no secret. So a folder is used only
if no other user but the superuser can write it, and so is an entry, see
`bitlif.model.storage.trust`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bitlif.model.errors import BitlifError
from bitlif.model.logging import say_once
from bitlif.model.text import path_text

from .trust import distrust, make_folders, make_own, own_cache, private_folder, user_cache

VARIABLE = "BITLIF_CACHE"
"""Environment variable that names the folder; else ``bitlif`` in the user's cache folder."""

NOTE = "entry.json"


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder of compiled cores, which need not exist; None if there is no home."""
    chosen = environment.get(VARIABLE)
    if chosen:
        return Path(chosen).absolute()
    home = user_cache(environment)
    return None if home is None else home / "bitlif"


def _root() -> Path:
    """Return the folder that is used: that one, or a private one where others could change it."""
    folder = cache_folder()
    if folder is None:
        return own_cache() / "bitlif"
    if os.environ.get(VARIABLE):
        fault = distrust(folder)
        if not fault:
            return folder
    else:
        fault = "" if folder.is_dir() and not distrust(folder) else make_own(folder)
        if not fault:
            return folder
    private = private_folder() / "bitlif"
    say_once(f"{fault}: compiled cores are kept in '{path_text(private)}'")
    return private


def key_of(parts: Mapping[str, str]) -> str:
    """Return the name of the entry that depends on these texts."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()[:32]


def cached(key: str, product: str, make: Callable[[Path], None]) -> Path:
    """Return the file `product` of an entry; make the entry first if it is not there.

    Parameters
    ----------
    key : str
    product : str
        Name of the file that is checked before it is given out.
    make : callable
        Leaves it, and whatever else is worth keeping, in the folder that it is given; may ask for
        another entry meanwhile.

    Raises
    ------
    BitlifError
        If the folder cannot be written; if an entry is not what was once put there, or others
        could have put it there. What `make` raises: no entry is left then, but its folder stays,
        with the logs that the error names.
    """
    root = _root()
    entry = root / key
    try:
        if not entry.exists():
            make_folders(root)
            with _lock(root / f"{key}.lock"):
                if not entry.exists():
                    _make(entry, product, make)
    except OSError as error:
        raise BitlifError(
            f"the cache of compiled cores, '{root}', cannot be used ({error.strerror or error}): "
            f"set {VARIABLE} to a folder that can be written"
        ) from error
    _check(entry / product)
    return entry / product


def _make(entry: Path, product: str, make: Callable[[Path], None]) -> None:
    """Make an entry under its lock, so that all older unfinished ones of its name are dead."""
    for old in entry.parent.glob(f".{entry.name}-*"):
        shutil.rmtree(old, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=f".{entry.name}-", dir=entry.parent))
    make(made)
    if not (made / product).is_file():
        raise BitlifError(f"no {product} was made, and no tool said why; its logs are in '{made}'")
    note = {"sha256": _digest(made / product)}
    (made / NOTE).write_text(json.dumps(note) + "\n", "utf-8")
    for path in made.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o022)
    made.chmod(0o755)
    made.rename(entry)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock of an entry; wait for it where another process or thread has it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o644), "r+b", buffering=0) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check(product: Path) -> None:
    """Raise unless the file is the one that was put there, by this user or the superuser."""
    fault = distrust(product)
    if fault:
        raise BitlifError(f"{fault}: remove '{product.parent}', and it is built anew")
    try:
        noted = json.loads(product.with_name(NOTE).read_text("utf-8"))["sha256"]
        found = _digest(product)
    except (OSError, ValueError, KeyError, TypeError):
        noted, found = "", "nothing"
    if noted != found:
        raise BitlifError(
            f"'{product}' is not what was once built there: remove '{product.parent}', "
            "and it is built anew"
        )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
