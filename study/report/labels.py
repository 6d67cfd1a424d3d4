"""Findings as text for readers: units, numbers with intervals, settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .axis_levels import scalar_text

GREY = "#8C8C8C"
"""Grey of the marks of single points."""

ROUNDING = 1e-9
"""An interval narrower than this fraction of its mean is attributed to rounding."""


def metric_of(findings: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return the description of a metric in findings."""
    return next(metric for metric in findings["metrics"] if metric["name"] == name)


def factor_of(metric: Mapping[str, str]) -> float:
    """Return the factor from values to displayed values: 100 for shares, which show as percent."""
    return 100.0 if metric["unit"].startswith("share") else 1.0


def unit_of(metric: Mapping[str, str]) -> str:
    """Return the unit of displayed values.

    >>> unit_of({"unit": "share of digits"}), unit_of({"unit": "bits"})
    ('% of digits', 'bits')
    """
    unit = metric["unit"]
    return "%" + unit.removeprefix("share") if unit.startswith("share") else unit


def title_of(metric: Mapping[str, str]) -> str:
    """Return a metric's title with its unit, unless the title contains the unit.

    >>> title_of({"title": "test accuracy", "unit": "share of digits"})
    'test accuracy (% of digits)'
    >>> title_of({"title": "logic cells", "unit": "cells"})
    'logic cells'
    """
    unit = unit_of(metric)
    return metric["title"] if unit in metric["title"] else f"{metric['title']} ({unit})"


def value_text(metric: Mapping[str, str], value: float | None) -> str:
    """Return a value as text: a percentage with two decimals, else four significant digits."""
    if value is None:
        return "–"
    if factor_of(metric) == 100.0:
        return f"{100 * value:.2f}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def mean_text(metric: Mapping[str, str], summary: Mapping[str, float | None]) -> str:
    """Return a mean with the half-width of its interval, both with the same number of decimals.

    >>> steps = {"title": "steps", "unit": ""}
    >>> mean_text(steps, {"mean": 12.034, "low": 11.5, "high": 12.568})
    '12.03 ± 0.53'
    >>> mean_text(steps, {"mean": 12345.0, "low": 12345.0, "high": 12345.0})
    '12,345'
    """
    mean, low, high = summary["mean"], summary["low"], summary["high"]
    if mean is None or low is None or high is None or high - low <= ROUNDING * abs(mean):
        return value_text(metric, mean)
    half = (high - low) / 2
    if factor_of(metric) == 100.0:
        return f"{value_text(metric, mean)} ± {value_text(metric, half)}"
    decimals = max(0, 1 - math.floor(math.log10(half)))
    return f"{mean:,.{decimals}f} ± {half:,.{decimals}f}"


def percent(share: float) -> str:
    r"""Return a share as a percentage with three significant digits.

    >>> percent(0.95), percent(1.314)
    ('95\xa0%', '131\xa0%')
    """
    return f"{100 * share:.3g}\N{NO-BREAK SPACE}%"


def with_unit(metric: Mapping[str, str], text: str) -> str:
    """Append the unit of a metric, if it has one, to the text of a value."""
    unit = unit_of(metric)
    return f"{text} {unit}" if unit else text


def setting_text(setting: Mapping[str, Any], separator: str = ", ") -> str:
    """Return the setting of a point as text, one item per axis.

    >>> setting_text({"noise.words": 4, "learning.rate": 0.125})
    'noise.words = 4, learning.rate = 0.125'
    """
    return separator.join(f"{name} = {scalar_text(value)}" for name, value in setting.items())


def effect_text(axes: tuple[str, ...] | list[str]) -> str:
    """Return the name of a main effect or of an interaction."""
    return " × ".join(axes)


def score_range(findings: Mapping[str, Any]) -> tuple[float, float]:
    """Return the limits of the score's axis in plots, in displayed units.

    All means lie within the limits. At either side there is room for error bars of half the span
    of the means; the intervals of two or three seeds can be much longer and are clipped.
    """
    summaries = [point["metrics"][findings["score"]] for point in findings["points"]]
    there = [summary for summary in summaries if summary["mean"] is not None]
    lows = min(summary["mean"] if summary["low"] is None else summary["low"] for summary in there)
    highs = max(
        summary["mean"] if summary["high"] is None else summary["high"] for summary in there
    )
    least, most = (
        min(summary["mean"] for summary in there),
        max(summary["mean"] for summary in there),
    )
    room = (most - least) / 2 or abs(most) / 20 or 1.0
    low, high = max(lows, least - room), min(highs, most + room)
    margin = (most - least + room) / 20
    factor = factor_of(metric_of(findings, findings["score"]))
    return factor * (low - margin), factor * (high + margin)
