"""The picture of ``bitlif quantize``: accuracy and cost of all networks that were tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bitlif.study.report.pareto import front
from bitlif.tasks.colours import BLACK, BLUE, GREY, VERMILION

from .figure_style import new_figure
from .pictures import own_style

MARGIN = 2.0
"""Percentage points below the worst network of the front and of the path."""


@own_style()
def draw_trials(path: Path, report: dict[str, Any]) -> None:
    """Write the picture of a report as PNG.

    Parameters
    ----------
    path : Path
    report : dict
        With ``trials`` and ``path``, and the accuracies.
    """
    points = np.array([(own["accuracy"], own["cost"]) for own in report["trials"]])
    path_points = np.array([(own["accuracy"], own["cost"]) for own in report["path"]])
    best = points[front(points, ("max", "min"))]
    best = best[np.argsort(best[:, 1])]
    # Networks that fail would flatten the rest.
    seen = 100 * np.array([*best[:, 0], *path_points[:, 0], report["accuracy"]["before"]])
    low, high = seen.min() - MARGIN, seen.max() + MARGIN / 4
    below = int((100 * points[:, 0] < low).sum())
    tried = f"tried ({below} more are below)" if below else "tried"
    figure = new_figure(7.0, 4.2)
    axes = figure.subplots()
    axes.axhline(
        100 * report["accuracy"]["before"], color=BLACK, linestyle=":", label="in real numbers"
    )
    axes.scatter(points[:, 1], 100 * points[:, 0], s=14, color=GREY, alpha=0.5, label=tried)
    axes.plot(best[:, 1], 100 * best[:, 0], color=VERMILION, linestyle="--", label="Pareto front")
    axes.plot(
        path_points[:, 1], 100 * path_points[:, 0], color=BLUE, marker="o", markersize=4,
        label="accepted, one after another",
    )  # fmt: skip
    axes.set_ylim(low, high)
    axes.set_xlabel("cells and memory, sum relative to the first network's (2 = the first)")
    axes.set_ylabel(f"accuracy of {report['windows']:,} windows (%)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    figure.savefig(path, format="png", backend="agg", metadata={"Software": None})
