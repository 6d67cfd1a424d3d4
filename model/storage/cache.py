"""Compiled cores on disk: each is built once, and never visible before it is complete.

An entry is a folder named by a hash of everything that it depends on. It is built in a hidden
folder and renamed when complete. A lock keeps a second process or thread from building the same
entry; the system releases the lock when its process ends. A build that is killed leaves at most its
hidden folder, which the next build of the same entry removes. Existing entries are used without a
lock, so the whole cache may be read-only.

A compiled core runs inside the process that loads it, and its key is no secret. A folder is
therefore used only if no other user except the superuser can write it, and so is an entry; see
`bitlif.model.storage.trust`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bitlif.model.errors import BitlifError
from bitlif.model.extras import require_extra
from bitlif.model.logging import warn_once
from bitlif.model.text import path_text

from .trust import distrust, make_folders, make_own, own_cache, private_folder, user_cache

VARIABLE = "BITLIF_CACHE"
"""Environment variable that names the folder; the default is ``bitlif`` in the user's cache."""

NOTE = "entry.json"
"""Name of the file with the hash of an entry's product."""


def cache_folder() -> Path | None:
    """Return the folder of compiled cores, which may not exist; None if the user has no home."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).absolute()
    home = user_cache()
    return None if home is None else home / "bitlif"


def _root() -> Path:
    """Return `cache_folder`, or a private folder if other users could change that one."""
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
    warn_once(f"{fault}: compiled cores are kept in '{path_text(private)}'")
    return private


def key_of(parts: Mapping[str, str]) -> str:
    """Return the name of the entry that depends on these texts, in any order."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()[:32]


def cached(key: str, product: str, make: Callable[[Path], None]) -> Path:
    """Return the path of the file `product` of an entry, after building the entry if necessary.

    Parameters
    ----------
    key : str
        Name of the entry, from `key_of`.
    product : str
        Name of the file. It is verified against its hash before its path is returned.
    make : callable
        Writes `product`, and any other file worth keeping, to the folder that it is given. It may
        call `cached` for another entry.

    Raises
    ------
    BitlifError
        If the cache cannot be written; if an entry has been changed, or other users could have
        changed it.
    Exception
        Whatever `make` raises. The entry does not exist then, but its hidden folder remains with
        the logs that the error names.
    """
    root = _root()
    entry = root / key
    try:
        if not entry.exists():
            make_folders(root)
            _make_once(entry, product, make)
    except OSError as error:
        raise BitlifError(
            f"the cache of compiled cores, '{root}', cannot be used ({error.strerror or error}): "
            f"set {VARIABLE} to a folder that can be written"
        ) from error
    _check(entry / product)
    return entry / product


def _make_once(entry: Path, product: str, make: Callable[[Path], None]) -> None:
    """Build an entry under its lock, unless another process or thread has just built it."""
    require_extra("the cache of compiled cores needs {}", "gates", "filelock")
    from filelock import FileLock

    # A lock file that other processes create instead of locking would survive a killed process.
    lock = FileLock(entry.with_name(f"{entry.name}.lock"), mode=0o644, fallback_to_soft=False)
    with lock:
        if not entry.exists():
            _make(entry, product, make)


def _make(entry: Path, product: str, make: Callable[[Path], None]) -> None:
    """Build an entry, whose lock is held: no other process is using its older hidden folders."""
    for old in entry.parent.glob(f".{entry.name}-*"):
        shutil.rmtree(old, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=f".{entry.name}-", dir=entry.parent))
    make(made)
    if not (made / product).is_file():
        raise BitlifError(
            f"{product} was not built, and no tool reported an error; the logs are in '{made}'"
        )
    note = {"sha256": _digest(made / product)}
    (made / NOTE).write_text(json.dumps(note) + "\n", "utf-8")
    for path in made.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o022)
    made.chmod(0o755)
    made.rename(entry)


def _check(product: Path) -> None:
    """Raise unless the file is unchanged, and only this user or the superuser can change it."""
    fault = distrust(product)
    if fault:
        raise BitlifError(f"{fault}: remove '{product.parent}' to rebuild it")
    try:
        recorded = json.loads(product.with_name(NOTE).read_text("utf-8"))["sha256"]
        found = _digest(product)
    except (OSError, ValueError, KeyError, TypeError):
        recorded, found = "", "nothing"
    if recorded != found:
        raise BitlifError(
            f"'{product}' has changed since it was built: remove '{product.parent}' to rebuild it"
        )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
