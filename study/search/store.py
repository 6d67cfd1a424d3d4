"""The folder of a study, which keeps every result as it arrives and survives a kill at any time.

``study.toml``
    The study file of the last run.
``parts/``
    Results in Parquet files with checksums. Results that arrive together share a file, which is
    written atomically. The key of a result is a hash of everything that it depends on. A resumed
    study or a changed study file therefore computes only the missing results, including those of
    damaged parts.
``results.parquet``
    The table with one row per point and seed. It is made from the parts and is identical for every
    run of the same study.
``data.json``, ``data.npz``, ``test.npz``
    Of studies of own data: the digests of the data, and a copy of them and of separate test data,
    which `bitlif.tasks.data_file.load_data` reads. A study cannot be resumed with other data.
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
from bitlif.model.text import path_text
from bitlif.tasks.data_file import Data
from bitlif.tasks.registry import BUILT_IN

from .checksum import MAX_BYTES, parse_table, to_bytes, verify_checksum
from .evaluate import Outcome, results_stamp
from .files import Folder, opened_folder
from .metrics import EXTRAS, metrics_of
from .own_data import OwnData, to_npz
from .results import FILE, MARKER

KIND, VERSION = "bitlif study", 2
"""Kind and version in the marker of the folder. Version 1 had neither version nor checksums."""

MAX_MARKER_BYTES = 4096
STUDY, PARTS, LOCK = "study.toml", "parts", ".lock"
DATA, TEST, DIGESTS = "data.npz", "test.npz", "data.json"

MAX_PARTS = 200
"""Number of parts at which they are merged when a study is opened."""

MAX_ROWS = 4096
"""Most rows of a merged part, which bounds the loss if one is damaged."""

PLAIN = ("key", "error", "seconds", "worker")
"""Columns other than metrics."""

_PART = re.compile(r"[0-9]{6,9}\.parquet")

_METRICS = tuple(
    dict.fromkeys(metric.name for task in BUILT_IN for metric in metrics_of(task, EXTRAS))
)


def schema_of(others: Iterable[str] = ()) -> pa.Schema:
    """Return the columns of a part: every metric, null where it was not measured.

    Parameters
    ----------
    others : iterable of str
        Measures of tasks that do not come with bitlif.
    """
    return pa.schema([
        ("key", pa.string()),
        ("error", pa.string()),
        *((name, pa.float64()) for name in (*_METRICS, *others)),
        ("seconds", pa.float64()),
        ("worker", pa.string()),
    ])  # fmt: skip


SCHEMA = schema_of()
"""Columns of a part of the tasks that come with bitlif."""


class Store:
    """The results in the folder of a study, which one process holds at a time.

    Parameters
    ----------
    folder, parts : Folder
        The folder of the study and the folder of its parts.

    Attributes
    ----------
    outcomes : dict of str to Outcome
        Stored results by key.
    damaged : tuple of Path
        Damaged parts, which have been removed.
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
        if len(names) - len(damaged) >= MAX_PARTS:
            self.merge()

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Write outcomes into one new part; they are on disk when this returns."""
        new = list(outcomes)
        if not new:
            return
        self._write(new)
        self.outcomes.update((added.key, added) for added in new)

    def forget_failures(self) -> int:
        """Drop failed results, so that they are computed again; return their number."""
        kept = {key: stored for key, stored in self.outcomes.items() if not stored.error}
        dropped = len(self.outcomes) - len(kept)
        if dropped:
            self.outcomes = kept
            self.merge()
        return dropped

    def merge(self) -> None:
        """Merge all parts into as few as possible."""
        old = _names(self._parts)
        ordered = [outcome for _, outcome in sorted(self.outcomes.items())]
        for start in range(0, len(ordered), MAX_ROWS):
            self._write(ordered[start : start + MAX_ROWS])
        # If the process ends here, results are stored twice, with equal values.
        for name in old:
            self._parts.remove(name)

    def _write(self, outcomes: list[Outcome]) -> None:
        others = sorted({name for outcome in outcomes for name in outcome.values} - {*_METRICS})
        table = pa.Table.from_pylist([_row(outcome) for outcome in outcomes], schema_of(others))
        self._parts.write(f"{self._next:06d}.parquet", to_bytes(table))
        self._next += 1

    def write_table(self, table: pa.Table) -> Path:
        """Write the table of the study atomically and return its path."""
        self._folder.write(FILE, to_bytes(table))
        return self.folder / FILE


@contextmanager
def open_store(
    path: Path, text: str, *, force: bool = False, own: OwnData | None = None
) -> Iterator[Store]:
    """Lock the folder of a study, new or from an earlier run, and read its results.

    Parameters
    ----------
    path : Path
        The folder.
    text : str
        Content of the study file, of which a copy is kept.
    force : bool
        Start over: discard existing results.
    own : OwnData or None
        The data of the study, if its task is one of own data; a copy is kept.

    Raises
    ------
    BitlifError
        If the folder holds foreign files, another process runs a study in it, or its results were
        computed by another version or from other data.
    """
    if path.exists() and not path.is_dir():
        raise BitlifError(f"--out must be a folder, not the file '{path_text(path)}'")
    with ExitStack() as stack:
        folder = stack.enter_context(opened_folder(path))
        _require_own(folder)
        try:
            stack.enter_context(folder.locked(LOCK))
        except BlockingIOError as error:
            raise BitlifError(
                f"another process is running the study in '{path_text(path)}'"
            ) from error
        parts = stack.enter_context(folder.subfolder(PARTS))
        if force:
            for name in _names(parts):
                parts.remove(name)
            for name in (FILE, DIGESTS, DATA, TEST):
                folder.remove(name)
        for name in parts.names():
            if name.startswith(".") and _PART.fullmatch(name[1:]):
                parts.remove(name)
        if force or MARKER not in folder.names():
            # An old marker is overwritten: a folder without one counts as foreign.
            marker = {"kind": KIND, "version": VERSION, "sources": results_stamp()}
            folder.write(MARKER, json.dumps(marker).encode() + b"\n")
        _require_same_version(folder)
        if own is not None:
            _keep_data(folder, own)
        folder.write(STUDY, text.encode())
        yield Store(folder, parts)


def _require_own(folder: Folder) -> None:
    """Raise unless a folder is empty or carries the marker of a study.

    A study that was killed while it started leaves some files and no marker.
    """
    names = folder.names()
    if MARKER in names:
        _read_marker(folder)
    elif others := [name for name in names if name not in (LOCK, PARTS, f".{MARKER}")]:
        raise _foreign(folder, f", which holds '{path_text(others[0])}'")


def _foreign(folder: Folder, why: str) -> BitlifError:
    return BitlifError(
        f"--out must be a new folder or a study's, not '{path_text(folder.path)}'{why}"
    )


def _read_marker(folder: Folder) -> dict[str, Any]:
    try:
        marker = json.loads(folder.read(MARKER, MAX_MARKER_BYTES) or b"")
    except (ValueError, RecursionError):
        marker = None
    if not isinstance(marker, dict) or marker.get("kind") != KIND:
        raise _foreign(folder, f", whose {MARKER} is damaged or another program's")
    return marker


def _require_same_version(folder: Folder) -> None:
    marker = _read_marker(folder)
    if (marker.get("version"), marker.get("sources")) != (VERSION, results_stamp()):
        raise BitlifError(
            f"'{path_text(folder.path)}' holds results of another version of bitlif, which may "
            "differ: give --force to start over, or another --out"
        )


def _keep_data(folder: Folder, own: OwnData) -> None:
    """Write a copy of own data and their digests, or raise if the folder has those of other data.

    The digests are written last, so that they vouch for a complete copy.
    """
    content = folder.read(DIGESTS, MAX_MARKER_BYTES)
    if content is None:
        folder.write(DATA, to_npz(own.data))
        if isinstance(own.test, Data):
            folder.write(TEST, to_npz(own.test))
        folder.write(DIGESTS, json.dumps(own.digests()).encode() + b"\n")
        return
    try:
        known = json.loads(content)
    except (ValueError, RecursionError):
        known = None
    now = own.digests()
    if known == now:
        return
    again = "give --force to start over, or another --out"
    if not isinstance(known, dict) or known.keys() != now.keys():
        raise BitlifError(f"'{path_text(folder.path / DIGESTS)}' is damaged: {again}")
    what, copy = ("data", DATA) if known["data"] != now["data"] else ("test data", TEST)
    where = f", of which {copy} is a copy" if copy in folder.names() else ""
    raise BitlifError(
        f"'{path_text(folder.path)}' holds results of other {what}{where}: the {what} of the study "
        f"have changed since; {again}"
    )


def _names(parts: Folder) -> list[str]:
    return [name for name in parts.names() if _PART.fullmatch(name)]


def _read(parts: Folder) -> tuple[dict[str, Outcome], list[str]]:
    """Return the results in all parts, and the names of damaged parts."""
    outcomes: dict[str, Outcome] = {}
    damaged = []
    for name in _names(parts):
        content = parts.read(name, MAX_BYTES) or b""
        try:
            if not verify_checksum(content):
                raise ValueError("it has no checksum")
            table = parse_table(content)
            others = [name for name in table.schema.names if name not in SCHEMA.names]
            if not table.schema.equals(schema_of(others)):
                raise ValueError("it has other columns")
        except ValueError:
            damaged.append(name)
            continue
        for row in table.to_pylist():
            outcome = _outcome(row)
            known = outcomes.setdefault(outcome.key, outcome)
            if (known.error, known.values) != (outcome.error, outcome.values):
                where = path_text(parts.path / name)
                raise BitlifError(f"'{where}' contradicts another part about run {outcome.key}")
    return outcomes, damaged


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "key": outcome.key,
        "error": outcome.error,
        **outcome.values,
        "seconds": outcome.seconds,
        "worker": outcome.worker,
    }


def _outcome(row: Mapping[str, Any]) -> Outcome:
    values = {name: row[name] for name in row if name not in PLAIN and row[name] is not None}
    return Outcome(row["key"], row["error"], values, row["seconds"], worker=row["worker"])
