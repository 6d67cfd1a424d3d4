"""Style of the claims' figures: colours, title, caption and number formats."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from bitlif.study.statistics import Interval
from bitlif.tasks.colours import BLUE, VERMILION

FIXED: dict[str, Any] = {"color": BLUE, "linestyle": "-", "marker": "o", "markersize": 4}
FLOAT: dict[str, Any] = {
    "color": VERMILION,
    "linestyle": "--",
    "marker": "s",
    "markersize": 4,
    "markerfacecolor": "none",
}
STYLES = {"float": FLOAT, "fixed": FIXED}
LABELS = {"float": "float", "fixed": "fixed point"}

DPI = 100
CAPTION_CHARACTERS = 14.6
"""Characters of the caption per inch of the figure's width."""


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure, with its size in inches, that needs no screen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.08, h_pad=0.08)
    return figure


def save_page(path: Path, figure: Any, title: str, caption: str) -> None:
    """Write the figure as PNG, with its title above and its caption below."""
    width = figure.get_size_inches()[0]
    figure.suptitle(title, fontsize=13, fontweight="bold")
    # Keep numbers and their units on one line.
    text = caption.replace(" %", "\u00a0%").replace(" · ", "\u00a0·\u00a0")
    text = textwrap.fill(text, int(width * CAPTION_CHARACTERS))
    figure.supxlabel(text, x=0.01, ha="left", fontsize=9)
    # Omit Matplotlib's version, so that the file depends only on the numbers.
    figure.savefig(path, format="png", backend="agg", metadata={"Software": None})


def errors(axes: Any, x: Any, intervals: list[Interval], style: dict[str, Any], **more: Any) -> Any:
    """Draw means with error bars that span their intervals."""
    means = [interval.mean for interval in intervals]
    below = [interval.mean - interval.low for interval in intervals]
    above = [interval.high - interval.mean for interval in intervals]
    return axes.errorbar(
        x, means, yerr=(below, above), capsize=2, linewidth=1.3, elinewidth=0.9, **style, **more
    )


def chance(p: float) -> str:
    """Return a test's p value as text, even if it is too small for a float.

    >>> chance(0.051), chance(0.0)
    ('p = 0.051', 'p < 1e-300')
    """
    return f"p = {p:.2g}" if p > 1e-300 else "p < 1e-300"


def span(interval: Interval, digits: int = 2) -> str:
    """Return the mean and the interval's ends as text.

    >>> span(Interval(0.5, 0.4, 0.6, 8), 1)
    '0.5 (0.4 to 0.6)'
    """
    mean, low, high = (f"{x:.{digits}f}" for x in (interval.mean, interval.low, interval.high))
    return f"{mean} ({low} to {high})"
