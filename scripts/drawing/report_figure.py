"""The plots of ``bitlif report`` as PNG and PDF."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .pictures import own_style, require_matplotlib

Told = Mapping[str, Any]

MOST_GRIDS = 6
"""Maximum number of interactions drawn, the strongest first."""

MANY_CELLS = 48
"""Largest number of cells for which a heat map prints its values."""

MANY_LEVELS = 9
"""Largest number of levels for which an axis has a tick per level."""

LINE = 36
"""Characters that fit in a row of tick labels; longer rows are rotated."""


@own_style()
def save_pictures(folder: Path, told: Told) -> None:
    """Write the plots of findings (`bitlif.study.report.findings`) that are not empty.

    The same findings give the same bytes: the files have no creation date.
    """
    drawn = {"pareto": told["fronts"], "effects": told["effects"], "interactions": told["grids"]}
    draw = {"pareto": _fronts, "effects": _effects, "interactions": _grids}
    for name, parts in drawn.items():
        if not parts:
            continue
        figure = draw[name](told)
        figure.savefig(folder / f"{name}.png", format="png", backend="agg", dpi=130)
        figure.savefig(
            folder / f"{name}.pdf", format="pdf", backend="pdf", metadata={"CreationDate": None}
        )


def _panels(count: int, width: float, height: float, title: str) -> tuple[Any, list[Any]]:
    columns = min(count, 3 if count != 4 else 2)
    rows = -(-count // columns)
    size = (max(6.4, width * columns), height * rows + 0.5)
    figure = require_matplotlib()(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in axes[count:]:
        unused.set_axis_off()
    # Text from a study is not parsed as formulas.
    figure.suptitle(title, parse_math=False, wrap=True)
    return figure, axes[:count]


def _label(axes: Any, x: str, y: str) -> None:
    axes.set_xlabel(x, parse_math=False)
    axes.set_ylabel(y, parse_math=False)


def _mean(point: Told, name: str) -> float:
    value = point["metrics"][name]["mean"]
    return math.nan if value is None else value


def _half(summary: Told) -> float:
    return 0.0 if summary["high"] is None else summary["high"] - summary["mean"]


def _varied(told: Told) -> tuple[list[Told], list[str]]:
    """Return the fronts whose cost differs between points, and the other costs as text."""
    from bitlif.study.report.labels import mean_text, metric_of, with_unit

    varied, alike = [], []
    for front in told["fronts"]:
        there = [own["metrics"][front["cost"]] for own in told["points"]]
        summaries = [own for own in there if own["mean"] is not None]
        if len({own["mean"] for own in summaries}) > 1:
            varied.append(front)
        else:
            metric = metric_of(told, front["cost"])
            alike.append(f"{metric['title']} {with_unit(metric, mean_text(metric, summaries[0]))}")
    # If no cost differs between points, show all fronts.
    return (varied, alike) if varied else (told["fronts"], [])


def _fronts(told: Told) -> Any:
    from bitlif.study.report.labels import GREY, factor_of, metric_of, score_range, title_of
    from bitlif.tasks.colours import BLUE, GREEN, ORANGE, VERMILION

    score = metric_of(told, told["score"])
    points = {own["point"]: own for own in told["points"]}
    title = f"{told['study']['name']}: {score['title']} against cost, means over seeds"
    fronts, alike = _varied(told)
    if alike:
        title += f"\nthe same for all points: {', '.join(alike)}"
    figure, panels = _panels(len(fronts), 5.2, 4.2, title)
    own_factor = factor_of(score)
    for axes, front in zip(panels, fronts, strict=True):
        cost = metric_of(told, front["cost"])
        factor = factor_of(cost)
        beaten = [own for number, own in points.items() if number not in set(front["points"])]
        inside = [points[number] for number in front["points"]]
        axes.plot(
            [factor * _mean(own, cost["name"]) for own in beaten],
            [own_factor * _mean(own, score["name"]) for own in beaten],
            ".", color=GREY, markersize=6, label="beaten",
        )  # fmt: skip
        x = [factor * _mean(own, cost["name"]) for own in inside]
        y = [own_factor * _mean(own, score["name"]) for own in inside]
        bars = [own_factor * _half(own["metrics"][score["name"]]) for own in inside]
        axes.errorbar(
            x, y, bars, fmt="o", color=BLUE, markersize=5, elinewidth=1.2, capsize=2.5,
            label="front (bars: 95 %)",
        )  # fmt: skip
        step = "post" if cost["direction"] == "min" else "pre"
        axes.step(x, y, where=step, color=BLUE, linewidth=1.4)
        for key, name, colour, marker in (
            ("best", "best mean", GREEN, "D"),
            ("recommended", "recommended", VERMILION, "*"),
            ("for_board", f"for {told['board']}", ORANGE, "s"),
        ):
            if told[key] is not None:
                axes.plot(
                    factor * _mean(told[key], cost["name"]),
                    own_factor * _mean(told[key], score["name"]),
                    marker, color=colour, markerfacecolor="none", markersize=13,
                    markeredgewidth=1.8, linestyle="none", label=name,
                )  # fmt: skip
        _label(axes, title_of(cost), title_of(score))
        axes.set_ylim(score_range(told))
        # Large numbers, such as the bits of a network, are wide.
        axes.locator_params(axis="x", nbins=6)
        axes.grid(alpha=0.3)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    return figure


def _effects(told: Told) -> Any:
    from bitlif.study.report.labels import GREY, factor_of, metric_of, score_range, title_of
    from bitlif.tasks.colours import BLUE

    score = metric_of(told, told["score"])
    factor = factor_of(score)
    described = {own["name"]: own for own in told["study"]["axes"]}
    title = (
        f"{told['study']['name']}: mean over all points with a value (bars: 95 % from seed to "
        "seed); grey: each point"
    )
    figure, panels = _panels(len(told["effects"]), 4.6, 3.6, title)
    for axes, effect in zip(panels, told["effects"], strict=True):
        axis = described[effect["axis"]]
        levels = [own for own in effect["levels"] if own["mean"] is not None]
        values = [own["setting"][effect["axis"]] for own in told["points"]]
        if not effect["binned"]:
            places = [own["place"] for own in effect["levels"]]
            values = [places[axis["values"].index(own)] for own in values]
        scores = [factor * _mean(own, score["name"]) for own in told["points"]]
        axes.plot(values, scores, ".", color=GREY, alpha=0.5, markersize=5)
        axes.errorbar(
            [own["place"] for own in levels], [factor * own["mean"] for own in levels],
            [factor * _half(own) for own in levels],
            fmt="o" if effect["scale"] == "words" else "o-",
            color=BLUE, markersize=5, linewidth=1.5, elinewidth=1.2, capsize=2.5,
        )  # fmt: skip
        _ticks(axes, effect)
        axes.set_ylim(score_range(told))
        unit = f" ({axis['unit']})" if axis["unit"] else ""
        _label(axes, f"{effect['axis']}{unit}", title_of(score))
        axes.grid(alpha=0.3)
    return figure


def _ticks(axes: Any, effect: Told) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if effect["scale"] == "log":
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if effect["binned"] or len(effect["levels"]) > MANY_LEVELS:
        return
    axes.set_xticks([own["place"] for own in effect["levels"]], minor=False)
    labels = [own["label"] for own in effect["levels"]]
    turned = _turn(labels)
    axes.set_xticklabels(
        labels, rotation=turned, ha="right" if turned else "center", rotation_mode="anchor",
        parse_math=False,
    )  # fmt: skip
    axes.minorticks_off()
    axes.margins(x=0.25 if effect["scale"] == "words" else 0.1)


def _turn(labels: Sequence[str]) -> int:
    """Return the rotation of labels in degrees."""
    return 30 if sum(len(own) + 2 for own in labels) > LINE else 0


def _grids(told: Told) -> Any:
    from bitlif.study.report.labels import factor_of, metric_of, title_of, value_text

    score = metric_of(told, told["score"])
    factor = factor_of(score)
    grids = told["grids"][:MOST_GRIDS]
    title = f"{told['study']['name']}: mean {title_of(score)} over two axes"
    if len(grids) < len(told["grids"]):
        title += f", the {len(grids)} strongest of {len(told['grids'])} interactions"
    figure, panels = _panels(len(grids), 5.0, 3.9, title)
    for axes, grid in zip(panels, grids, strict=True):
        cells = np.array(
            [[math.nan if own is None else factor * own for own in row] for row in grid["mean"]]
        )
        axes.set_facecolor("#DDDDDD")
        image = axes.imshow(cells, cmap="cividis", aspect="auto", origin="lower")
        figure.colorbar(image, ax=axes)
        middle = (np.nanmin(cells) + np.nanmax(cells)) / 2
        if cells.size <= MANY_CELLS:
            for row, column in np.argwhere(~np.isnan(cells)):
                axes.text(
                    column, row, value_text(score, grid["mean"][row][column]),
                    ha="center", va="center", fontsize=8,
                    color="white" if cells[row, column] < middle else "black",
                )  # fmt: skip
        turned = _turn(grid["columns"])
        axes.set_xticks(
            range(len(grid["columns"])), grid["columns"], rotation=turned, fontsize=8,
            ha="right" if turned else "center", rotation_mode="anchor", parse_math=False,
        )  # fmt: skip
        axes.set_yticks(range(len(grid["rows"])), grid["rows"], fontsize=8, parse_math=False)
        _label(axes, grid["axes"][1], grid["axes"][0])
        if grid["share"] is not None:
            axes.set_title(f"interaction: {100 * grid['share']:.1f} % of the variance", fontsize=10)
    return figure
