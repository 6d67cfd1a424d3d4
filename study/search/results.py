"""What a study leaves: a row for each point and seed, in a Parquet file that describes itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bitlif.model.config.config import Config, parse_config
from bitlif.model.errors import BitlifError
from bitlif.model.storage.reading import read_bytes
from bitlif.model.text import path_text, shortened, terminal_text

from .checksum import MOST_BYTES, MOST_ROWS, parsed, verified
from .description import choices, integers, read_description, reals, texts

FILE = "results.parquet"
"""Name of the file in a study's folder."""

METADATA = b"bitlif.study"
"""Key of the description in the file's schema."""

FORMAT, VERSION = b"bitlif.format", b"2"
"""Key and value, in the file's schema, of what a table is that must have a checksum."""

MARK = "bitlif-study.json"
"""Name of the file that says that a folder is a study's."""

AGAIN = "run the study again to go on"

CONFIDENCE = 0.95
"""Of every interval that a report shows."""

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ResultAxis:
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
class ResultMetric:
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
    axes : tuple of ResultAxis
    metrics : dict of str to ResultMetric
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
    checked : bool
        Whether the file has a checksum; those of earlier versions have none.
    """

    description: dict[str, Any]
    axes: tuple[ResultAxis, ...]
    metrics: dict[str, ResultMetric]
    points: NDArray[np.int64]
    seeds: tuple[int, ...]
    settings: dict[str, list[Any]]
    values: dict[str, Reals]
    failures: tuple[Failure, ...]
    checked: bool = True

    @property
    def score(self) -> ResultMetric:
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
    reach = half_widths(values, mean, (1 + CONFIDENCE) / 2)
    return Means(mean, mean - reach, mean + reach, count)


def half_widths(values: Reals, mean: Reals, quantile: float) -> Reals:
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
        If there is no such file, it does not hold the results of a study, or is damaged; or if
        there are no results yet.
    """
    file = path / FILE if path.is_dir() else path
    shown = f"'{path_text(file)}'"
    if not file.is_file():
        if (path / MARK).is_file():
            raise BitlifError(f"the study in '{path_text(path)}' has no results yet: {AGAIN}")
        what = f"a folder with {FILE}" if path.is_dir() else f"a folder or a file {FILE}"
        raise BitlifError(f"a study must be {what}, not '{path_text(path)}'")
    content = read_bytes("results", file, MOST_BYTES)
    try:
        checked = verified(content)
    except ValueError as error:
        raise BitlifError(f"{shown} is damaged ({error}): {AGAIN}") from error
    try:
        table = parsed(content)
    except ValueError as error:
        raise BitlifError(f"{shown} is not a Parquet file of results, or is damaged") from error
    metadata = table.schema.metadata or {}
    if FORMAT in metadata and not checked:
        raise BitlifError(f"{shown} is damaged (its checksum is missing): {AGAIN}")
    if METADATA not in metadata:
        raise BitlifError(f"{shown} does not hold the results of a study: it has no description")
    try:
        description = read_description(metadata[METADATA])
        parse_config(description["config"], "the study's configuration")
        results = _arranged(description, table, checked)
    except ValueError as error:
        why = shortened(terminal_text(error), 100)
        raise BitlifError(f"{shown} does not hold the results of a study: {why}") from error
    if not len(results.points):
        raise BitlifError(f"{shown} has no results yet: {AGAIN}")
    return results


def _arranged(description: dict[str, Any], table: pa.Table, checked: bool) -> Results:
    """Return results in the order of points and seeds; raise ValueError if they are none."""
    axes = tuple(
        ResultAxis(
            own["name"], tuple(own["fields"]), own["kind"], tuple(own.get("labels") or ()),
            own.get("unit") or "", bool(own.get("log")),
        )
        for own in description["axes"]
    )  # fmt: skip
    named = [ResultMetric(own["name"], own["title"], own["unit"] or "", own["direction"])
             for own in description["metrics"]]  # fmt: skip
    metrics = {own.name: own for own in named if own.name in table.column_names}
    if description["objectives"][0]["name"] not in metrics:
        raise ValueError("its first objective is none of its metrics")
    numbers, first, row = np.unique(
        integers(table, "point"), return_index=True, return_inverse=True
    )
    if len(numbers) and not 0 <= numbers[0] <= numbers[-1] < len(description["points"]):
        raise ValueError("it has points that its description has not")
    seed = integers(table, "seed").tolist()
    seeds = _in_order(description["seeds"], seed)
    if len(numbers) * len(seeds) > MOST_ROWS:
        raise ValueError(f"it has more than {MOST_ROWS} runs (points times seeds)")
    places = {own: place for place, own in enumerate(seeds)}
    column = np.array([places[own] for own in seed], dtype=np.intp)
    if len(np.unique(row * len(seeds) + column)) != len(seed):
        raise ValueError("it has a run twice")
    values = {}
    for name in metrics:
        values[name] = np.full((len(numbers), len(seeds)), np.nan)
        values[name][row, column] = reals(table, name)
    failures = tuple(
        Failure(int(numbers[row[n]]), int(seed[n]), error)
        for n, error in enumerate(texts(table, "error"))
        if error
    )
    settings = {}
    for axis in axes:
        own = choices(table, axis.name, kind=axis.kind, log=axis.log)
        settings[axis.name] = [own[n] for n in first]
    return Results(description, axes, metrics, numbers, seeds, settings, values, failures, checked)


def _in_order(planned: Sequence[int], found: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds of all rows, those that were planned first."""
    present = set(found)
    return tuple(own for own in planned if own in present) + tuple(sorted(present - set(planned)))
