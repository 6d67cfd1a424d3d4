"""The results of a study: one row per point and seed, in a self-describing Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig, parse_any_config
from bitlif.model.errors import BitlifError
from bitlif.model.storage.reading import read_bytes
from bitlif.model.text import path_text, shortened, terminal_text

from .base import AnyConfig
from .checksum import MAX_BYTES, MAX_ROWS, parse_table, verify_checksum
from .description import choices, integers, read_description, reals, texts

FILE = "results.parquet"
"""Name of the results file in the folder of a study."""

METADATA = b"bitlif.study"
"""Key of the description in the metadata of the schema."""

FORMAT, VERSION = b"bitlif.format", b"2"
"""Key and value in the metadata of the schema that require a checksum."""

MARKER = "bitlif-study.json"
"""Name of the file that marks the folder of a study."""

RESUME = "run the study again to resume it"

CONFIDENCE = 0.95
"""Confidence level of all intervals."""

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ResultAxis:
    """An axis of the results: what was varied.

    Attributes
    ----------
    name : str
        Name of the axis and of its column.
    fields : tuple of str
        Configuration fields that vary along the axis.
    kind : str
        ``"values"``, ``"cases"`` or ``"range"``.
    labels : tuple
        Values or names of cases, in order; empty for a range.
    unit : str
    log : bool
        Whether a range is logarithmic.
    """

    name: str
    fields: tuple[str, ...]
    kind: str
    labels: tuple[Any, ...]
    unit: str
    log: bool


@dataclass(frozen=True, slots=True)
class ResultMetric:
    """A metric of the results; `direction` is ``"max"`` or ``"min"``, whichever is better."""

    name: str
    title: str
    unit: str
    direction: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed run: the number of its point, its seed and its error message."""

    point: int
    seed: int
    error: str


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Means over the seeds, with confidence intervals.

    Attributes
    ----------
    mean : (P,) float64
        NaN where no seed has a value.
    low, high : (P,) float64
        Ends of Student's t intervals; NaN with fewer than two values.
    count : (P,) int64
        Number of seeds with a value.
    """

    mean: Reals
    low: Reals
    high: Reals
    count: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """The results of a study with P points and S seeds.

    Attributes
    ----------
    description : dict
        Description of the study as it was written; see `Plan.describe`.
    axes : tuple of ResultAxis
    metrics : dict of str to ResultMetric
        Metrics that have a column, by name.
    points : (P,) int64
        Numbers of the points with results, ascending.
    seeds : tuple of int
    settings : dict of str to list
        Value at each point, by axis.
    values : dict of str to (P, S) float64
        Values by metric; NaN for failed and missing runs.
    failures : tuple of Failure
        Failed runs, by point and seed.
    checked : bool
        Whether the file has a checksum, which files of earlier versions lack.
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
        """The metric of the first objective."""
        return self.metrics[self.description["objectives"][0]["name"]]

    @property
    def of_networks(self) -> bool:
        """Whether networks were studied, not single layers."""
        return isinstance(self._base(), NetworkConfig)

    def gain(self, name: str) -> Reals:
        """Return the values of a metric, (P, S), negated if it is minimised: larger is better."""
        return self.values[name] if self.metrics[name].direction == "max" else -self.values[name]

    def means(self, name: str) -> Means:
        """Return the means of a metric over the seeds."""
        return means_of(self.values[name])

    def setting(self, index: int) -> dict[str, Any]:
        """Return the value of every axis at the point with an index (not its number)."""
        return {axis.name: self.settings[axis.name][index] for axis in self.axes}

    def config(self, index: int) -> AnyConfig:
        """Return the complete configuration of the point with an index."""
        from .space import apply_edits

        return apply_edits(self._base(), self.description["points"][int(self.points[index])])

    def _base(self) -> AnyConfig:
        return parse_any_config(self.description["config"], "the study's configuration")


def means_of(values: Reals) -> Means:
    """Return the means of the rows of (P, S) values; NaN stands for a missing value.

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
    # Equal values must have exactly zero spread, without rounding errors.
    first = values[np.arange(len(values)), there.argmax(axis=1)]
    same = (np.where(there, values, first[:, None]) == first[:, None]).all(axis=1)
    mean = np.where(same, first, mean)
    reach = half_widths(values, mean, (1 + CONFIDENCE) / 2)
    return Means(mean, mean - reach, mean + reach, count)


def half_widths(values: Reals, mean: Reals, quantile: float) -> Reals:
    """Return the half-widths of Student's t intervals of the means of rows.

    Parameters
    ----------
    values : (P, S) float64
        NaN stands for a missing value.
    mean : (P,) float64
        Means of the rows.
    quantile : float
        Quantile of the t distribution.

    Returns
    -------
    (P,) float64
        NaN for rows with fewer than two values.
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
        The folder of the study, or the Parquet file.

    Raises
    ------
    BitlifError
        If the file is missing, damaged or not a file of results, or has no results yet.
    """
    file = path / FILE if path.is_dir() else path
    shown = f"'{path_text(file)}'"
    if not file.is_file():
        if (path / MARKER).is_file():
            raise BitlifError(f"the study in '{path_text(path)}' has no results yet: {RESUME}")
        what = f"a folder with {FILE}" if path.is_dir() else f"a folder or a file {FILE}"
        raise BitlifError(f"a study must be {what}, not '{path_text(path)}'")
    content = read_bytes("results", file, MAX_BYTES)
    try:
        checked = verify_checksum(content)
    except ValueError as error:
        raise BitlifError(f"{shown} is damaged ({error}): {RESUME}") from error
    try:
        table = parse_table(content)
    except ValueError as error:
        raise BitlifError(f"{shown} is not a Parquet file of results, or is damaged") from error
    metadata = table.schema.metadata or {}
    if FORMAT in metadata and not checked:
        raise BitlifError(f"{shown} is damaged (its checksum is missing): {RESUME}")
    if METADATA not in metadata:
        raise BitlifError(f"{shown} does not hold the results of a study: it has no description")
    try:
        description = read_description(metadata[METADATA])
        parse_any_config(description["config"], "the study's configuration")
        results = _arrange(description, table, checked)
    except ValueError as error:
        why = shortened(terminal_text(error), 100)
        raise BitlifError(f"{shown} does not hold the results of a study: {why}") from error
    if not len(results.points):
        raise BitlifError(f"{shown} has no results yet: {RESUME}")
    return results


def _arrange(description: dict[str, Any], table: pa.Table, checked: bool) -> Results:
    """Return results in the order of points and seeds; raise ValueError if they are invalid."""
    axes = tuple(
        ResultAxis(
            item["name"], tuple(item["fields"]), item["kind"], tuple(item.get("labels") or ()),
            item.get("unit") or "", bool(item.get("log")),
        )
        for item in description["axes"]
    )  # fmt: skip
    named = [
        ResultMetric(metric["name"], metric["title"], metric["unit"] or "", metric["direction"])
        for metric in description["metrics"]
    ]
    metrics = {metric.name: metric for metric in named if metric.name in table.column_names}
    if description["objectives"][0]["name"] not in metrics:
        raise ValueError("its first objective is not one of its metrics")
    numbers, first, row = np.unique(
        integers(table, "point"), return_index=True, return_inverse=True
    )
    if len(numbers) and not 0 <= numbers[0] <= numbers[-1] < len(description["points"]):
        raise ValueError("it has points that are missing from its description")
    seed = integers(table, "seed").tolist()
    seeds = _ordered_seeds(description["seeds"], seed)
    if len(numbers) * len(seeds) > MAX_ROWS:
        raise ValueError(f"it has more than {MAX_ROWS} runs (points times seeds)")
    places = {value: place for place, value in enumerate(seeds)}
    column = np.array([places[value] for value in seed], dtype=np.intp)
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
        chosen = choices(table, axis.name, kind=axis.kind, log=axis.log)
        settings[axis.name] = [chosen[n] for n in first]
    return Results(description, axes, metrics, numbers, seeds, settings, values, failures, checked)


def _ordered_seeds(planned: Sequence[int], found: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds that occur, planned seeds first."""
    present = set(found)
    return tuple(name for name in planned if name in present) + tuple(
        sorted(present - set(planned))
    )
