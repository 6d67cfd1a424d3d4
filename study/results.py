"""What a study leaves: a row for each point and seed, in a Parquet file that describes itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bitlif.model.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.toml import parse_config

FILE = "results.parquet"
"""Name of the file in a study's folder."""

METADATA = b"bitlif.study"
"""Key of the description in the file's schema."""

KEYS = (
    "name", "title", "config", "task", "seeds", "search", "axes", "objectives", "board", "points",
    "metrics",
)  # fmt: skip
"""What a description must say."""

CONFIDENCE = 0.95
"""Of every interval that a report shows."""

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Varied:
    """What was varied.

    Attributes
    ----------
    name : str
        Also the name of its column.
    fields : tuple of str
        Fields of the configuration that change along it.
    kind : str
        ``"values"``, ``"cases"`` or ``"range"``.
    labels : tuple
        Its values or the names of its cases, in order; empty for a range.
    unit : str
    log : bool
        Whether a range is looked at by its logarithm.
    """

    name: str
    fields: tuple[str, ...]
    kind: str
    labels: tuple[Any, ...]
    unit: str
    log: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, and whether more (``"max"``) or less (``"min"``) of it is better."""

    name: str
    title: str
    unit: str
    direction: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that gave no metrics: its point's number, its seed, and why."""

    point: int
    seed: int
    error: str


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Means over seeds, with the ends of their intervals.

    Attributes
    ----------
    mean : (P,) float64
        NaN where no seed has a value.
    low, high : (P,) float64
        Of Student's t interval; NaN where fewer than two seeds have values.
    count : (P,) int64
        Seeds with a value.
    """

    mean: Reals
    low: Reals
    high: Reals
    count: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """The results of a study, P points by S seeds.

    Attributes
    ----------
    description : dict
        As the study wrote it.
    axes : tuple of Varied
    metrics : dict of str to Measured
        Those that have a column.
    points : (P,) int64
        Numbers of the points that have rows, ascending.
    seeds : tuple of int
    settings : dict of str to list
        For each axis its value at each point.
    values : dict of str to (P, S) float64
        For each metric; NaN where a run failed or there was none.
    failures : tuple of Failure
        By point and seed.
    """

    description: dict[str, Any]
    axes: tuple[Varied, ...]
    metrics: dict[str, Measured]
    points: NDArray[np.int64]
    seeds: tuple[int, ...]
    settings: dict[str, list[Any]]
    values: dict[str, Reals]
    failures: tuple[Failure, ...]

    @property
    def score(self) -> Measured:
        """Return what was searched for: the first objective."""
        return self.metrics[self.description["objectives"][0]["name"]]

    def gain(self, name: str) -> Reals:
        """Return a metric's values, (P, S), with a sign that makes more the better."""
        return self.values[name] if self.metrics[name].direction == "max" else -self.values[name]

    def means(self, name: str) -> Means:
        """Return a metric's means over the seeds."""
        return means_of(self.values[name])

    def setting(self, index: int) -> dict[str, Any]:
        """Return the values of the axes at the point of an index (not a number)."""
        return {axis.name: self.settings[axis.name][index] for axis in self.axes}

    def config(self, index: int) -> Config:
        """Return the whole configuration of the point of an index."""
        from .space import edited

        base = parse_config(self.description["config"], "the study's configuration")
        return edited(base, self.description["points"][int(self.points[index])])


def means_of(values: Reals) -> Means:
    """Return the means of the rows of (P, S) values, some of them NaN.

    >>> found = means_of(np.array([[1.0, 3.0], [2.0, np.nan]]))
    >>> found.mean.tolist(), found.count.tolist()
    ([2.0, 2.0], [2, 1])
    >>> round(float(found.high[0]), 3), bool(np.isnan(found.high[1]))
    (14.706, True)
    """
    there = ~np.isnan(values)
    count = there.sum(axis=1)
    filled = np.where(there, values, 0.0)
    with np.errstate(invalid="ignore"):
        mean = filled.sum(axis=1) / count
    # A metric that is the same for every seed has no spread, not one of rounding errors.
    first = values[np.arange(len(values)), there.argmax(axis=1)]
    same = (np.where(there, values, first[:, None]) == first[:, None]).all(axis=1)
    mean = np.where(same, first, mean)
    reach = reach_of(values, mean, (1 + CONFIDENCE) / 2)
    return Means(mean, mean - reach, mean + reach, count)


def reach_of(values: Reals, mean: Reals, quantile: float) -> Reals:
    """Return how far from the means of rows their Student's t intervals reach: (P,).

    NaN where fewer than two of a row's values are there.
    """
    from scipy.stats import t

    there = ~np.isnan(values)
    count = there.sum(axis=1)
    square = (np.where(there, values, 0.0) - mean[:, None]) ** 2
    enough = np.where(count > 1, count, 2)
    error = np.sqrt(np.where(there, square, 0.0).sum(axis=1) / (enough - 1) / enough)
    return np.where(count > 1, t.ppf(quantile, enough - 1) * error, np.nan)


def read_results(path: Path) -> Results:
    """Read the results of a study.

    Parameters
    ----------
    path : Path
        Its folder, or the Parquet file.

    Raises
    ------
    BitlifError
        If there is no such file, or it does not hold the results of a study.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        what = f"a folder with {FILE}" if path.is_dir() else f"a folder or a file {FILE}"
        raise BitlifError(f"a study must be {what}, not '{path}'")
    try:
        table = pq.ParquetFile(file).read()
    except pa.ArrowInvalid as error:
        raise BitlifError(f"'{file}' is not a Parquet file") from error
    text = (table.schema.metadata or {}).get(METADATA)
    if text is None:
        raise BitlifError(f"'{file}' does not hold the results of a study: it has no description")
    try:
        return _arranged(json.loads(text), table)
    except (ValueError, TypeError, KeyError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise BitlifError(f"'{file}' does not hold the results of a study: {why}") from error


def _arranged(description: Any, table: pa.Table) -> Results:
    if not isinstance(description, dict):
        raise TypeError("its description is no table")
    if lacking := [key for key in KEYS if key not in description]:
        raise ValueError(f"its description lacks {', '.join(lacking)}")
    axes = tuple(
        Varied(
            own["name"], tuple(own["fields"]), own["kind"], tuple(own.get("labels") or ()),
            own.get("unit") or "", bool(own.get("log")),
        )
        for own in description["axes"]
    )  # fmt: skip
    named = [Measured(own["name"], own["title"], own["unit"] or "", own["direction"])
             for own in description["metrics"]]  # fmt: skip
    metrics = {own.name: own for own in named if own.name in table.column_names}
    if not any(own["name"] in metrics for own in description["objectives"][:1]):
        raise ValueError("its first objective is none of its metrics")
    needed = ["point", "seed", "error", *(axis.name for axis in axes)]
    if lacking := [name for name in needed if name not in table.column_names]:
        raise ValueError(f"it has no column {', '.join(lacking)}")
    numbers, first, row = np.unique(
        table["point"].to_numpy(), return_index=True, return_inverse=True
    )
    seed = table["seed"].to_numpy()
    seeds = _in_order(description["seeds"], seed.tolist())
    column = np.array([seeds.index(own) for own in seed.tolist()], dtype=np.intp)
    values = {}
    for name in metrics:
        values[name] = np.full((len(numbers), len(seeds)), np.nan)
        values[name][row, column] = table[name].cast(pa.float64(), safe=False).to_numpy()
    errors = table["error"].to_pylist()
    failures = tuple(
        Failure(int(numbers[row[n]]), int(seed[n]), error)
        for n, error in enumerate(errors)
        if error
    )
    settings = {}
    for axis in axes:
        own = table[axis.name].to_pylist()
        settings[axis.name] = [own[n] for n in first]
    return Results(description, axes, metrics, numbers, seeds, settings, values, failures)


def _in_order(planned: Sequence[int], found: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds of all rows, those that were planned first."""
    present = set(found)
    return tuple(own for own in planned if own in present) + tuple(sorted(present - set(planned)))
