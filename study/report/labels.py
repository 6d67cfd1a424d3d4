"""How findings are written for people: units, numbers with intervals, settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .levels import words

BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, GREY = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#8C8C8C",
)  # fmt: skip
"""Okabe and Ito's colours, told apart with any colour vision, and a grey."""


ROUNDING = 1e-9
"""An interval narrower than this share of its mean is one of rounding errors."""


def metric_of(told: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return what findings say of a metric."""
    return next(own for own in told["metrics"] if own["name"] == name)


def factor_of(metric: Mapping[str, str]) -> float:
    """Return what values are multiplied with to be shown: shares are shown in percent."""
    return 100.0 if metric["unit"].startswith("share") else 1.0


def unit_of(metric: Mapping[str, str]) -> str:
    """Return the unit in which values are shown.

    >>> unit_of({"unit": "share of digits"}), unit_of({"unit": "bits"})
    ('% of digits', 'bits')
    """
    unit = metric["unit"]
    return "%" + unit.removeprefix("share") if unit.startswith("share") else unit


def title_of(metric: Mapping[str, str]) -> str:
    """Return a metric's name for people, with its unit unless the name says it.

    >>> title_of({"title": "test accuracy", "unit": "share of digits"})
    'test accuracy (% of digits)'
    >>> title_of({"title": "logic cells", "unit": "cells"})
    'logic cells'
    """
    unit = unit_of(metric)
    return metric["title"] if unit in metric["title"] else f"{metric['title']} ({unit})"


def value_text(metric: Mapping[str, str], value: float | None) -> str:
    """Return a value as it is shown: two decimals of a percentage, else four digits."""
    if value is None:
        return "–"
    if factor_of(metric) == 100.0:
        return f"{100 * value:.2f}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def mean_text(metric: Mapping[str, str], summary: Mapping[str, float | None]) -> str:
    """Return a mean with half the width of its interval, if it has one, in as many decimals.

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
    r"""Return a share in percent.

    >>> percent(0.95), percent(1.314)
    ('95\xa0%', '131\xa0%')
    """
    return f"{100 * share:.3g}\N{NO-BREAK SPACE}%"


def with_unit(metric: Mapping[str, str], text: str) -> str:
    """Return a shown value with its unit behind it, if it has one."""
    unit = unit_of(metric)
    return f"{text} {unit}" if unit else text


def setting_text(setting: Mapping[str, Any], between: str = ", ") -> str:
    """Return a point's setting in a line.

    >>> setting_text({"noise.words": 4, "learning.rate": 0.125})
    'noise.words = 4, learning.rate = 0.125'
    """
    return between.join(f"{name} = {words(value)}" for name, value in setting.items())


def effect_text(axes: tuple[str, ...] | list[str]) -> str:
    """Return the name of an axis, or of two of them together."""
    return " × ".join(axes)


def score_range(told: Mapping[str, Any]) -> tuple[float, float]:
    """Return the ends of an axis of the score, as it is shown, on which all means have room.

    Bars of intervals get as much again as the means take, half of it at either side; intervals of
    two or three seeds can be many times wider, and are cut off.
    """
    summaries = [own["metrics"][told["score"]] for own in told["points"]]
    there = [own for own in summaries if own["mean"] is not None]
    lows = min(own["mean"] if own["low"] is None else own["low"] for own in there)
    highs = max(own["mean"] if own["high"] is None else own["high"] for own in there)
    least, most = min(own["mean"] for own in there), max(own["mean"] for own in there)
    room = (most - least) / 2 or abs(most) / 20 or 1.0
    low, high = max(lows, least - room), min(highs, most + room)
    margin = (most - least + room) / 20
    factor = factor_of(metric_of(told, told["score"]))
    return factor * (low - margin), factor * (high + margin)
