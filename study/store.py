"""The folder of a study: results as they come, safe against being killed at any moment.

``study.toml``
    The study's file, as it was last run.
``parts/``
    Results in Parquet, a file for all that came at one time. Each is written beside its place and
    renamed into it when whole, so that it is there or not. A result is named by a hash of all that
    it depends on: a study that goes on, or a changed study file, computes only what is missing.
``results.parquet``
    The table: a row for each point and seed. It is made from the parts, and holds nothing that
    differs from one run of the same study to the next.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from bitlif.model.errors import BitlifError

from .evaluate import TASKS, Outcome, results_stamp
from .metrics import EXTRAS, metrics_of
from .results import FILE

MARK = "bitlif-study.json"
KIND = "bitlif study"
STUDY, PARTS, LOCK = "study.toml", "parts", ".lock"

MANY_PARTS = 200
"""Parts from which on they are put together before a study goes on."""

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
    folder : Path
    outcomes : dict of str to Outcome
        What is there already, by key.
    """

    def __init__(self, folder: Path, outcomes: dict[str, Outcome]) -> None:
        self.folder = folder
        self.outcomes = outcomes
        numbers = [int(path.stem) for path in _parts(folder)]
        self._next = max(numbers, default=-1) + 1

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Write outcomes, all into one part; they are safe when this returns."""
        new = list(outcomes)
        if not new:
            return
        _write(pa.Table.from_pylist([_row(own) for own in new], SCHEMA), self._part())
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
        """Put all parts into one."""
        old = _parts(self.folder)
        rows = [_row(own) for _, own in sorted(self.outcomes.items())]
        _write(pa.Table.from_pylist(rows, SCHEMA), self._part())
        # If it ends here, results are there twice, and alike.
        for path in old:
            path.unlink()

    def _part(self) -> Path:
        self._next += 1
        return self.folder / PARTS / f"{self._next - 1:06d}.parquet"

    def write_table(self, table: pa.Table) -> Path:
        """Write the study's table, whole or not at all."""
        path = self.folder / FILE
        _write(table, path)
        return path


@contextmanager
def open_store(folder: Path, text: str, *, force: bool = False) -> Iterator[Store]:
    """Hold a study's folder, new or from an earlier run, and read what is there.

    Parameters
    ----------
    folder : Path
    text : str
        The study's file, of which a copy is kept.
    force : bool
        Begin anew: throw away what is there.

    Raises
    ------
    BitlifError
        If the folder holds others' files; if another process runs a study in it; if its results
        were computed by another version; if a part is damaged.
    """
    _require_own(folder)
    (folder / PARTS).mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        _hold(lock, folder)
        mark = folder / MARK
        if force:
            for path in (*_parts(folder), folder / FILE, mark):
                path.unlink(missing_ok=True)
        for path in (folder / PARTS).glob(".*"):
            path.unlink()
        if not mark.exists():
            _write_text(mark, json.dumps({"kind": KIND, "sources": results_stamp()}) + "\n")
        _require_same_version(mark)
        _write_text(folder / STUDY, text)
        store = Store(folder, _read(folder))
        if len(_parts(folder)) >= MANY_PARTS:
            store.join()
        yield store


def _require_own(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).exists():
        # A study that was killed as it began leaves these, and no mark yet.
        if {path.name for path in folder.iterdir()} <= {LOCK, PARTS, f".{MARK}"}:
            return
        raise BitlifError(f"--out must be a new folder or a study's, not '{folder}'")
    if folder.exists() and not folder.is_dir():
        raise BitlifError(f"--out must be a folder, not the file '{folder}'")


def _hold(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BitlifError(f"another process runs the study in '{folder}'") from error


def _require_same_version(mark: Path) -> None:
    try:
        noted = json.loads(mark.read_text("utf-8"))
        kind, sources = noted["kind"], noted["sources"]
    except (ValueError, KeyError, TypeError):
        kind, sources = "", ""
    if kind != KIND:
        raise BitlifError(f"--out must be a new folder or a study's, not '{mark.parent}'")
    if sources != results_stamp():
        raise BitlifError(
            f"'{mark.parent}' holds results of another version of bitlif, which may differ: "
            "give --force to begin anew, or another --out"
        )


def _parts(folder: Path) -> list[Path]:
    return sorted((folder / PARTS).glob("[0-9]*.parquet"))


def _read(folder: Path) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    for path in _parts(folder):
        try:
            rows = pq.read_table(path).to_pylist()
        except (OSError, pa.ArrowInvalid) as error:
            raise BitlifError(f"'{path}' is damaged: remove it, and its runs are made again") from (
                error
            )
        for row in rows:
            own = _outcome(row)
            known = outcomes.setdefault(own.key, own)
            if (known.error, known.values) != (own.error, own.values):
                raise BitlifError(f"'{path}' contradicts another part about run {own.key}")
    return outcomes


def _row(own: Outcome) -> dict[str, Any]:
    return {"key": own.key, "error": own.error, **own.values, "seconds": own.seconds,
            "worker": own.worker}  # fmt: skip


def _outcome(row: Mapping[str, Any]) -> Outcome:
    values = {name: row[name] for name in _METRICS if row.get(name) is not None}
    return Outcome(row["key"], row["error"], values, row["seconds"], worker=row["worker"])


def _write(table: pa.Table, path: Path) -> None:
    made = path.with_name(f".{path.name}")
    pq.write_table(table, made)
    _settle(made, path)


def _write_text(path: Path, text: str) -> None:
    made = path.with_name(f".{path.name}")
    made.write_text(text, "utf-8")
    _settle(made, path)


def _settle(made: Path, path: Path) -> None:
    """Rename a file into its place once the disk has it: a power cut leaves it whole, or not."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.rename(path)
