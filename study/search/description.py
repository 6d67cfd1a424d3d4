"""Validation of the description and the columns in a table of results, which may be damaged."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bitlif.model.text import quoted

from .space import LARGEST

KEYS = (
    "name", "title", "config", "task", "seeds", "search", "axes", "objectives", "board", "points",
    "metrics",
)  # fmt: skip
"""Required keys of a description."""

KINDS = ("values", "cases", "range")
DIRECTIONS = ("max", "min")


def read_description(content: bytes) -> dict[str, Any]:
    """Return the description in the metadata of a table.

    Raises
    ------
    ValueError
        If an entry is missing or invalid; the message names it.
    """
    try:
        description = json.loads(content, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("its description is nested too deeply") from error
    _require(isinstance(description, dict), "its description is not a table")
    if lacking := [key for key in KEYS if key not in description]:
        raise ValueError(f"its description lacks {', '.join(lacking)}")
    for key in ("name", "title", "config", "task", "search"):
        _require_text(key, description[key])
    _require(
        description["board"] is None or isinstance(description["board"], str),
        "its board is not text",
    )
    _require_data(description.get("data"))
    _require(_is_list(description["seeds"], int), "its seeds are not integers")
    _require(_is_list(description["points"], dict), "its points are not tables")
    for key in ("axes", "objectives", "metrics"):
        _require(_is_list(description[key], dict), f"its {key} are not tables")
    _require(bool(description["objectives"]), "its first objective is not one of its metrics")
    for axis in description["axes"]:
        _require_text("axis", axis.get("name"))
        _require(_is_list(axis.get("fields"), str), "the fields of an axis are not names")
        _require(axis.get("kind") in KINDS, f"an axis is of kind {quoted(axis.get('kind'))}")
        labels = axis.get("labels") or []
        _require(_is_list(labels, str, int, float, bool), "the labels of an axis are not values")
        _require(isinstance(axis.get("unit") or "", str), "the unit of an axis is not text")
    for metric in description["metrics"]:
        for key in ("name", "title"):
            _require_text(f"metric's {key}", metric.get(key))
        _require(isinstance(metric.get("unit") or "", str), "the unit of a metric is not text")
    for metric in (*description["metrics"], *description["objectives"]):
        _require_text("metric", metric.get("name"))
        direction = metric.get("direction")
        _require(direction in DIRECTIONS, f"a metric has direction {quoted(direction)}")
    _require_different("axes", [axis["name"] for axis in description["axes"]])
    _require_different("metrics", [metric["name"] for metric in description["metrics"]])
    _require_different("seeds", description["seeds"])
    return dict(description)


def _require_data(data: object) -> None:
    """Raise unless the description of own data, which most studies lack, has plain values."""
    if data is None:
        return
    _require(isinstance(data, dict), "its data are not a table")
    assert isinstance(data, dict)
    for key in ("source", "digest", "kind"):
        _require_text(f"data's {key}", data.get(key))
    for key in ("windows", "features"):
        _require(type(data.get(key)) is int, f"its data's {key} is {quoted(data.get(key))}")
    _require(isinstance(data.get("test"), str | float), "its data's test is not a share or digest")
    _require(_is_list(data.get("classes"), int, str), "its data's classes are not labels")
    options = data.get("options")
    good = isinstance(options, dict) and all(isinstance(own, str) for own in options)
    _require(good, "its data's options are not a table")


def _no_constant(word: str) -> float:
    raise ValueError(f"its description has {word}")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _require_text(what: str, value: object) -> None:
    # Not printable text: a configuration has line feeds.
    good = isinstance(value, str) and value != ""
    _require(good, f"its {what} is {quoted(value)}")


def _require_different(what: str, values: list[Any]) -> None:
    _require(len(set(values)) == len(values), f"its {what} are not all different")


def _is_list(value: object, *kinds: type) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, kinds) and (bool in kinds or not isinstance(item, bool)) for item in value
    )


def integers(table: pa.Table, name: str) -> NDArray[np.int64]:
    """Return a column of integers without nulls, (R,) int64; raise ValueError otherwise."""
    column = _column(table, name)
    _require(
        pa.types.is_int64(column.type) and not column.null_count,
        f"its column {name} must be of integers",
    )
    values: NDArray[np.int64] = column.to_numpy()
    return values


def texts(table: pa.Table, name: str) -> list[str]:
    """Return a column of R texts without nulls; raise ValueError otherwise."""
    column = _column(table, name)
    _require(
        pa.types.is_string(column.type) and not column.null_count,
        f"its column {name} must be of texts",
    )
    values: list[str] = column.to_pylist()
    return values


def reals(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column of numbers, (R,) float64, with NaN for nulls; raise ValueError otherwise."""
    column = _column(table, name)
    kinds = (pa.types.is_float64, pa.types.is_int64, pa.types.is_null)
    _require(
        any(is_kind(column.type) for is_kind in kinds), f"its column {name} must be of numbers"
    )
    values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
    # Nulls are NaN here, and comparisons with NaN are false.
    _require(not (np.abs(values) > LARGEST).any(), f"its column {name} must be finite")
    return values


def choices(table: pa.Table, name: str, *, kind: str, log: bool) -> list[Any]:
    """Return a column of R settings of an axis; raise ValueError if it is invalid."""
    column = _column(table, name)
    values: list[Any] = column.to_pylist()
    good = not column.null_count and all(isinstance(item, int | float | str) for item in values)
    _require(good, f"its column {name} must be of values without gaps")
    numbers = [item for item in values if isinstance(item, int | float)]
    _require(
        all(math.isfinite(number) and abs(number) <= LARGEST for number in numbers),
        f"its column {name} must be finite",
    )
    if kind == "range":
        _require(len(numbers) == len(values), f"its column {name} must be of numbers")
    if log:
        _require(min(numbers, default=1) > 0, f"its column {name} must be above 0")
    return values


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    count = table.column_names.count(name)
    _require(count == 1, f"it has {'no' if not count else 'more than one'} column {name}")
    return table.column(name)
