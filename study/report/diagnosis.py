"""The diagnosis in a report: what was measured of every run, beside the limits of its values."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitlif.study.search.metrics import DIAGNOSIS
from bitlif.study.search.results import Results
from bitlif.tasks.limits import (
    ACTIVE,
    ERRORS_SATURATED,
    SATURATED,
    UPDATES_LOST,
    WEIGHTS_AT_ENDS,
)

LIMITS: dict[str, tuple[str, float]] = {
    "current_saturated": ("max", SATURATED),
    "membrane_saturated": ("max", SATURATED),
    "error_saturated": ("max", ERRORS_SATURATED),
    "synaptic_trace_saturated": ("max", SATURATED),
    "trace_saturated": ("max", SATURATED),
    "weight_saturated": ("max", ERRORS_SATURATED),
    "active_errors": ("min", ACTIVE),
    "weights_at_ends": ("max", WEIGHTS_AT_ENDS),
    "updates_lost": ("max", UPDATES_LOST),
    "silent_neurons": ("max", 0.0),
    "always_firing": ("max", 0.0),
    "unused_classes": ("max", 0.0),
}
"""Largest (or smallest) value in range, by metric; those of `bitlif.tasks.limits`."""

NAMES = tuple(metric.name for metric in DIAGNOSIS)


def diagnosed(results: Results) -> list[dict[str, Any]]:
    """Return the lowest and highest value of each metric of a diagnosis, and what is out of range.

    Parameters
    ----------
    results : Results
        Results of P points and S seeds.

    Returns
    -------
    list of dict
        One per metric that has a limit and was measured: its name, ``limit``, ``at_least`` (whether
        the limit is the smallest value in range), ``low`` and ``high`` over all runs, and the
        numbers of the ``points`` with a run out of range.
    """
    rows = []
    for name, (kind, limit) in LIMITS.items():
        values = results.values.get(name)
        if values is None or np.isnan(values).all():
            continue
        # Comparisons with NaN, which stands for a failed run, are false.
        wrong = values < limit if kind == "min" else values > limit
        rows.append(
            {
                "name": name,
                "limit": limit,
                "at_least": kind == "min",
                "low": float(np.nanmin(values)),
                "high": float(np.nanmax(values)),
                "points": results.points[wrong.any(axis=1)].tolist(),
            }
        )
    return rows
