"""Compiled cores on disk: each made once, by whoever comes first, and never seen half made.

An entry is a folder named by a hash of all that it depends on. It is made in a folder of its own
and renamed when whole; a lock, which ends with the process that holds it, keeps a second process
or thread from making the same. A build that is killed leaves at most its own folder, which the
next build of the same entry removes. Entries that are there are used without any lock: a folder
with all that is wanted may be read-only.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bitlif.model.errors import BitlifError

VARIABLE = "BITLIF_CACHE"
"""Environment variable that names the folder; else ``bitlif`` in the user's cache folder."""

NOTE = "entry.json"


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of compiled cores, which need not exist."""
    chosen = environment.get(VARIABLE)
    if chosen:
        return Path(chosen).absolute()
    home = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home).absolute() / "bitlif"


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
        If the folder cannot be written; if an entry is not what was once put there. What `make`
        raises: no entry is left then, but its folder stays, with the logs that the error names.
    """
    root = cache_folder()
    entry = root / key
    try:
        if not entry.exists():
            root.mkdir(parents=True, exist_ok=True)
            with (root / f"{key}.lock").open("w", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
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
    made.chmod(0o755)
    made.rename(entry)


def _check(product: Path) -> None:
    """Raise unless the file is the one that was put there."""
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
