"""The folder of a study: results as they come, safe against being killed at any moment.

``study.toml``
    The study's file, as it was last run.
``parts/``
    Results in Parquet, a file for all that came at one time, with a checksum. Each is written
    beside its place and renamed into it when whole, so that it is there or not. A result is named
    by a hash of all that it depends on: a study that goes on, or a changed study file, computes
    only what is missing. So it does with what a damaged part held.
``results.parquet``
    The table: a row for each point and seed. It is made from the parts, and holds nothing that
    differs from one run of the same study to the next.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from bitlif.model.errors import BitlifError
from bitlif.model.storage.ownership import locked
from bitlif.model.text import path_text

from .checksum import MOST_BYTES, parsed, to_bytes, verified
from .evaluate import TASKS, Outcome, results_stamp
from .files import Folder, opened
from .metrics import EXTRAS, metrics_of
from .results import FILE, MARK

KIND, VERSION = "bitlif study", 2
"""Of the folder, in its mark. Version 1 had no version there, and no checksums."""

MARK_LENGTH = 4096
STUDY, PARTS, LOCK = "study.toml", "parts", ".lock"

MANY_PARTS = 200
"""Parts from which on they are put together before a study goes on."""

ROWS = 4096
"""Most rows of a part: what is lost where one is damaged."""

_PART = re.compile(r"[0-9]{6,9}\.parquet")

_METRICS = {own.name: own for task in TASKS for own in metrics_of(task, EXTRAS)}

SCHEMA = pa.schema([
    ("key", pa.string()),
    ("error", pa.string()),
    *((name, pa.float64()) for name in _METRICS),
    ("seconds", pa.float64()),
    ("worker", pa.string()),
])  # fmt: skip
"""Of a part: every metric that there is, null where it was not measured."""


class Store:
    """The results of a study in its folder, held by one process at a time.

    Parameters
    ----------
    folder, parts : Folder

    Attributes
    ----------
    outcomes : dict of str to Outcome
        What is there, by key.
    damaged : tuple of Path
        Parts that were found damaged, and have been removed.
    """

    def __init__(self, folder: Folder, parts: Folder) -> None:
        self.folder = folder.path
        self._folder = folder
        self._parts = parts
        self.outcomes, damaged = _read(parts)
        names = _names(parts)
        self._next = 1 + max((int(name.partition(".")[0]) for name in names), default=-1)
        for name in damaged:
            parts.remove(name)
        self.damaged = tuple(parts.path / name for name in damaged)
        if len(names) - len(damaged) >= MANY_PARTS:
            self.join()

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Write outcomes, all into one part; they are safe when this returns."""
        new = list(outcomes)
        if not new:
            return
        self._write(new)
        self.outcomes.update((own.key, own) for own in new)

    def forget_failures(self) -> int:
        """Drop failed results, so that they are computed again; return how many there were."""
        kept = {key: own for key, own in self.outcomes.items() if not own.error}
        dropped = len(self.outcomes) - len(kept)
        if dropped:
            self.outcomes = kept
            self.join()
        return dropped

    def join(self) -> None:
        """Put all parts into few."""
        old = _names(self._parts)
        own = [outcome for _, outcome in sorted(self.outcomes.items())]
        for start in range(0, len(own), ROWS):
            self._write(own[start : start + ROWS])
        # If it ends here, results are there twice, and alike.
        for name in old:
            self._parts.remove(name)

    def _write(self, outcomes: list[Outcome]) -> None:
        table = pa.Table.from_pylist([_row(own) for own in outcomes], SCHEMA)
        self._parts.write(f"{self._next:06d}.parquet", to_bytes(table))
        self._next += 1

    def write_table(self, table: pa.Table) -> Path:
        """Write the study's table, whole or not at all."""
        self._folder.write(FILE, to_bytes(table))
        return self.folder / FILE


@contextmanager
def open_store(path: Path, text: str, *, force: bool = False) -> Iterator[Store]:
    """Hold a study's folder, new or from an earlier run, and read what is there.

    Parameters
    ----------
    path : Path
    text : str
        The study's file, of which a copy is kept.
    force : bool
        Begin anew: throw away what is there.

    Raises
    ------
    BitlifError
        If the folder holds others' files; if another process runs a study in it; if its results
        were computed by another version.
    """
    if path.exists() and not path.is_dir():
        raise BitlifError(f"--out must be a folder, not the file '{path_text(path)}'")
    with ExitStack() as stack:
        folder = stack.enter_context(opened(path))
        _require_own(folder)
        try:
            stack.enter_context(locked("lock", LOCK, folder.handle, wait=False))
        except BlockingIOError as error:
            raise BitlifError(f"another process runs the study in '{path_text(path)}'") from error
        parts = stack.enter_context(folder.inner(PARTS))
        if force:
            for name in _names(parts):
                parts.remove(name)
            folder.remove(FILE)
        for name in parts.names():
            if name.startswith(".") and _PART.fullmatch(name[1:]):
                parts.remove(name)
        if force or MARK not in folder.names():
            # Written over an earlier one: a folder without it would be taken for another's.
            mark = {"kind": KIND, "version": VERSION, "sources": results_stamp()}
            folder.write(MARK, json.dumps(mark).encode() + b"\n")
        _require_same_version(folder)
        folder.write(STUDY, text.encode())
        yield Store(folder, parts)


def _require_own(folder: Folder) -> None:
    """Raise unless there is nothing in a folder, or it has a mark that says that it is a study's.

    A study that was killed as it began leaves some files, and no mark yet.
    """
    names = folder.names()
    if MARK in names:
        _read_mark(folder)
    elif others := [name for name in names if name not in (LOCK, PARTS, f".{MARK}")]:
        raise _foreign(folder, f", which holds '{path_text(others[0])}'")


def _foreign(folder: Folder, why: str) -> BitlifError:
    return BitlifError(
        f"--out must be a new folder or a study's, not '{path_text(folder.path)}'{why}"
    )


def _read_mark(folder: Folder) -> dict[str, Any]:
    try:
        noted = json.loads(folder.read(MARK, MARK_LENGTH) or b"")
    except (ValueError, RecursionError):
        noted = None
    if not isinstance(noted, dict) or noted.get("kind") != KIND:
        raise _foreign(folder, f", whose {MARK} is damaged or another program's")
    return noted


def _require_same_version(folder: Folder) -> None:
    noted = _read_mark(folder)
    if (noted.get("version"), noted.get("sources")) != (VERSION, results_stamp()):
        raise BitlifError(
            f"'{path_text(folder.path)}' holds results of another version of bitlif, which may "
            "differ: give --force to begin anew, or another --out"
        )


def _names(parts: Folder) -> list[str]:
    return [name for name in parts.names() if _PART.fullmatch(name)]


def _read(parts: Folder) -> tuple[dict[str, Outcome], list[str]]:
    """Return what all parts hold, and the names of those that are damaged."""
    outcomes: dict[str, Outcome] = {}
    damaged = []
    for name in _names(parts):
        content = parts.read(name, MOST_BYTES) or b""
        try:
            if not verified(content):
                raise ValueError("it has no checksum")
            table = parsed(content)
            if not table.schema.equals(SCHEMA):
                raise ValueError("it has other columns")
        except ValueError:
            damaged.append(name)
            continue
        for row in table.to_pylist():
            own = _outcome(row)
            known = outcomes.setdefault(own.key, own)
            if (known.error, known.values) != (own.error, own.values):
                where = path_text(parts.path / name)
                raise BitlifError(f"'{where}' contradicts another part about run {own.key}")
    return outcomes, damaged


def _row(own: Outcome) -> dict[str, Any]:
    return {"key": own.key, "error": own.error, **own.values, "seconds": own.seconds,
            "worker": own.worker}  # fmt: skip


def _outcome(row: Mapping[str, Any]) -> Outcome:
    values = {name: row[name] for name in _METRICS if row.get(name) is not None}
    return Outcome(row["key"], row["error"], values, row["seconds"], worker=row["worker"])
