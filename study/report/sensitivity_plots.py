"""Interactive plots of sensitivity: shares of the variance, and heat maps over two axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bitlif.model.text import html_text
from bitlif.tasks.colours import BLACK, BLUE, ORANGE

from .labels import effect_text, factor_of, metric_of, percent, value_text, with_unit
from .plots import Plot, layout_of

Findings = Mapping[str, Any]

MAX_NUMBERS = 80
"""A heat map with more cells than this does not show their numbers."""

MAX_BARS = 12
"""Most bars of main effects, and most bars of interactions."""

MIN_SHARE, MIN_PAIRS = 0.001, 3
"""Interactions with a smaller share are drawn only if they are among the largest `MIN_PAIRS`."""


def drawn_effects(found: Findings) -> list[Findings]:
    """Return the effects that have a bar in the plot."""
    pairs = [
        pair for n, pair in enumerate(found["pairs"]) if n < MIN_PAIRS or pair["share"] >= MIN_SHARE
    ]
    return [*found["mains"][:MAX_BARS], *pairs[:MAX_BARS]]


def sensitivity_plot(found: Findings) -> Plot:
    """Return a bar plot of the shares of the variance, with marks for the share of noise alone."""
    rows = drawn_effects(found)
    places = list(range(len(rows)))
    names = [html_text(effect_text(effect["axes"])) for effect in rows]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [100 * effect["share"] for effect in rows],
        "y": places,
        "width": 0.42,
        "marker": {
            "color": [BLUE if len(effect["axes"]) == 1 else ORANGE for effect in rows],
            "pattern": {"shape": ["/" if effect["clear"] is False else "" for effect in rows]},
        },
        "text": [share_text(effect) for effect in rows],
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "text",
        "hovertext": [
            f"{name}: {share_text(effect)}{noise_text(effect)}"
            for name, effect in zip(names, rows, strict=True)
        ],
        "showlegend": False,
    }
    # Names stand above the bars: beside them they would fill a narrow screen.
    above = {
        "type": "scatter",
        "mode": "text",
        "x": [0.0] * len(rows),
        "y": [place - 0.4 for place in places],
        "text": names,
        "textposition": "middle right",
        "cliponaxis": False,
        "hoverinfo": "skip",
        "showlegend": False,
    }
    data = [bars, above]
    if rows[0]["noise"] is not None:
        mark = {"symbol": "line-ns-open", "size": 18, "color": BLACK, "line": {"width": 2.5}}
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "expected from the noise of the seeds alone",
                "x": [100 * effect["noise"] for effect in rows],
                "y": places,
                "marker": mark,
                "hoverinfo": "skip",
            }
        )
    layout = layout_of("share of the variance (%)", "", 150 + 48 * len(rows))
    largest = 100 * max(effect["share"] for effect in rows)
    layout["xaxis"] |= {"range": [0, 1.3 * largest or 1.0]}
    layout["yaxis"] |= {"range": [len(rows) - 0.6, -0.75], "showticklabels": False,
                        "showgrid": False}  # fmt: skip
    layout["margin"] |= {"l": 16, "t": 72}
    return {"data": data, "layout": layout}


def share_text(effect: Findings) -> str:
    """Return the share of an effect as text, in brackets if noise alone could be as large."""
    shown = f"{100 * effect['share']:.1f} %"
    return f"({shown})" if effect["clear"] is False else shown


def noise_text(effect: Findings) -> str:
    """Return the remark on noise that follows the share of an effect."""
    if effect["noise"] is None:
        return ""
    verdict = "" if effect["clear"] else ", not distinguishable from noise"
    return f"; noise alone {percent(effect['noise'])}{verdict}"


def grid_plot(findings: Findings, grid: Findings) -> Plot:
    """Return a heat map of the mean score over two axes."""
    score = metric_of(findings, findings["score"])
    rows, columns = range(len(grid["rows"])), range(len(grid["columns"]))
    cells = grid["mean"]
    few = len(rows) * len(columns) <= MAX_NUMBERS
    a, b = grid["axes"]
    hover = [
        [
            html_text(
                f"{a} = {grid['rows'][i]}, {b} = {grid['columns'][j]}: "
                + ("no point" if cells[i][j] is None else _cell_text(score, grid, i, j))
            )
            for j in columns
        ]
        for i in rows
    ]
    heat = {
        "type": "heatmap",
        "x": list(columns),
        "y": list(rows),
        "z": [
            [None if value is None else factor_of(score) * value for value in row] for row in cells
        ],
        "colorscale": "Cividis",
        "colorbar": {"thickness": 14},
        "xgap": 2,
        "ygap": 2,
        "hovertext": hover,
        "hoverinfo": "text",
        "hoverongaps": True,
    }
    if few:
        heat["text"] = [[value_text(score, value) for value in row] for row in cells]
        heat["texttemplate"] = "%{text}"
    layout = layout_of(b, a, 150 + 48 * max(4, min(12, len(rows))))
    layout["xaxis"] |= {"tickvals": list(columns), "showgrid": False,
                        "ticktext": [html_text(label) for label in grid["columns"]]}  # fmt: skip
    layout["yaxis"] |= {"tickvals": list(rows), "showgrid": False,
                        "ticktext": [html_text(label) for label in grid["rows"]]}  # fmt: skip
    return {"data": [heat], "layout": layout}


def _cell_text(score: Mapping[str, str], grid: Findings, row: int, column: int) -> str:
    points = grid["points"][row][column]
    mean = with_unit(score, value_text(score, grid["mean"][row][column]))
    return f"{mean}, mean of {points} point{'' if points == 1 else 's'}"
