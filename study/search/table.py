"""The table of a study: one row per point and seed, identical whenever it is made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from .axis import Axis
from .evaluate import Outcome
from .plan import Plan
from .results import FORMAT, METADATA, VERSION
from .search import Point


def make_table(
    plan: Plan,
    points: Sequence[Point],
    keys: Mapping[tuple[int, int], str],
    outcomes: Mapping[str, Outcome],
    *,
    complete: bool,
) -> pa.Table:
    """Return the table of results of a study.

    Parameters
    ----------
    plan : Plan
    points : sequence of Point
    keys : mapping of (int, int) to str
        Key of the run, by number of the point and seed.
    outcomes : mapping of str to Outcome
        Results by key; runs without a result are left out of the table.
    complete : bool
        Whether the study has finished.

    Returns
    -------
    pyarrow.Table
        Columns ``point``, ``seed``, one per axis, ``key``, ``error``, and one per metric (null
        where it was not measured). Rows are in the order of points and seeds.
    """
    rows = [
        (point, seed, outcome)
        for point in points
        for seed in plan.seeds
        if (outcome := outcomes.get(keys[point.number, seed])) is not None
    ]
    columns: dict[str, pa.Array] = {
        "point": pa.array([point.number for point, _, _ in rows], pa.int64()),
        "seed": pa.array([seed for _, seed, _ in rows], pa.int64()),
    }
    for number, axis in enumerate(plan.axes):
        columns[axis.name] = _column(axis, [point.choices[number] for point, _, _ in rows])
    columns["key"] = pa.array([outcome.key for _, _, outcome in rows], pa.string())
    columns["error"] = pa.array([outcome.error for _, _, outcome in rows], pa.string())
    for metric in plan.metrics:
        values = [outcome.values.get(metric.name) for _, _, outcome in rows]
        if metric.whole:
            columns[metric.name] = pa.array(
                [None if value is None else int(value) for value in values], pa.int64()
            )
        else:
            columns[metric.name] = pa.array(values, pa.float64())
    description = plan.describe([point.edits for point in points], complete=complete)
    text = json.dumps(description, ensure_ascii=False, allow_nan=False)
    return pa.table(columns).replace_schema_metadata({METADATA: text.encode(), FORMAT: VERSION})


def _column(axis: Axis, choices: Sequence[Any]) -> pa.Array:
    shown = axis.labels or (axis.low, axis.high, axis.step)
    if all(isinstance(value, bool) for value in shown):
        return pa.array(choices, pa.bool_())
    if all(isinstance(value, int) for value in shown):
        return pa.array(choices, pa.int64())
    if all(isinstance(value, int | float) for value in shown):
        return pa.array([float(value) for value in choices], pa.float64())
    return pa.array([str(value) for value in choices], pa.string())
