"""The interactive plots of a report, as dictionaries of data and layout for plotly.js."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bitlif.model.text import html_text
from bitlif.tasks.colours import BLUE, GREEN, ORANGE, VERMILION

from .axis_levels import log_ticks
from .labels import (
    GREY,
    factor_of,
    mean_text,
    metric_of,
    percent,
    score_range,
    setting_text,
    title_of,
    value_text,
    with_unit,
)

Plot = dict[str, Any]
Findings = Mapping[str, Any]

MAX_ERROR_BARS = 60
"""With more points than this, only those on the front have error bars."""

MAX_TICKS = 12
"""An axis with more levels than this does not have a tick at each."""

FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif"


def layout_of(x: str, y: str, height: int) -> Plot:
    """Return the layout of a plot with axis titles `x` and `y`; `height` is in pixels."""
    axis = {"automargin": True, "gridcolor": "#E6E6E6", "zeroline": False, "linecolor": "#555555"}
    return {
        "height": height,
        "font": {"family": FONT, "size": 14, "color": "#1A1A1A"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        # The top margin holds the buttons.
        "margin": {"l": 60, "r": 16, "t": 44, "b": 56},
        "xaxis": {**axis, "title": {"text": html_text(x), "standoff": 14}},
        "yaxis": {**axis, "title": {"text": html_text(y), "standoff": 14}},
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "bgcolor": "white", "font": {"color": "#1A1A1A"}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
    }


def hover_texts(findings: Findings) -> dict[str, str]:
    """Return the hover text of each point by the number of the point."""
    return {str(point["point"]): _hover_text(findings, point) for point in findings["points"]}


def _hover_text(findings: Findings, point: Findings) -> str:
    lines = [f"<b>point {point['point']}</b>"]
    lines += [html_text(line) for line in setting_text(point["setting"], "\n").split("\n")]
    for metric in findings["metrics"]:
        summary = point["metrics"][metric["name"]]
        if summary["mean"] is None or metric["name"] not in _shown_metrics(findings):
            continue
        line = f"{metric['title']}: {with_unit(metric, mean_text(metric, summary))}"
        if metric["name"] == findings["score"] and summary["low"] is not None:
            ends = (value_text(metric, summary[end]) for end in ("low", "high"))
            line += f", {percent(findings['confidence'])} in [{', '.join(ends)}]"
        lines.append(html_text(line))
    lines.append(f"{point['seeds']} seed{'' if point['seeds'] == 1 else 's'}")
    return "<br>".join(lines)


def _shown_metrics(findings: Findings) -> set[str]:
    return {findings["score"], *(front["cost"] for front in findings["fronts"])}


def front_plot(findings: Findings, front: Findings) -> Plot:
    """Return a plot of the score against a cost.

    It shows all points, the front, and the best and recommended points.
    """
    score, cost = metric_of(findings, findings["score"]), metric_of(findings, front["cost"])
    by_number = {point["point"]: point for point in findings["points"]}
    inside = [by_number[number] for number in front["points"]]
    numbers = set(front["points"])
    others = [
        point
        for point in findings["points"]
        if point["point"] not in numbers
        and None not in (_mean(point, findings["score"]), _mean(point, front["cost"]))
    ]
    error_bars = len(others) + len(inside) <= MAX_ERROR_BARS
    # The front is a staircase: between two points only the score of the cheaper one is attained.
    shape = "hv" if cost["direction"] == "min" else "vh"
    data = [
        _scatter(
            findings, others, score, cost, "dominated", {"color": GREY, "size": 7}, bars=error_bars
        ),
        {
            **_scatter(
                findings, inside, score, cost, "front", {"color": BLUE, "size": 10}, bars=True
            ),
            "mode": "lines+markers",
            "line": {"color": BLUE, "width": 2, "shape": shape},
        },
    ]
    for key, name, colour, symbol in (
        ("best", "best mean", GREEN, "diamond-open"),
        ("recommended", "recommended", VERMILION, "star-open"),
        ("for_board", f"for {findings['board']}", ORANGE, "square-open"),
    ):
        point = findings[key]
        if point is not None and _mean(point, front["cost"]) is not None:
            marker = {"color": colour, "size": 19, "symbol": symbol, "line": {"width": 2.5}}
            data.append(
                {**_scatter(findings, [point], score, cost, html_text(name), marker, bars=False)}
            )
    layout = layout_of(title_of(cost), title_of(score), 540)
    # The legend takes two lines on narrow screens.
    layout["margin"]["t"] = 84
    layout["yaxis"]["range"] = list(score_range(findings))
    return {"data": data, "layout": layout}


def _mean(point: Findings, name: str) -> float | None:
    mean: float | None = point["metrics"][name]["mean"]
    return mean


def _scatter(
    findings: Findings,
    points: Sequence[Findings],
    score: Mapping[str, str],
    cost: Mapping[str, str],
    name: str,
    marker: Plot,
    *,
    bars: bool,
) -> Plot:
    made = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [factor_of(cost) * (_mean(point, cost["name"]) or 0.0) for point in points],
        "y": [factor_of(score) * (_mean(point, score["name"]) or 0.0) for point in points],
        # The page looks up the hover texts by the number of the point.
        "customdata": [point["point"] for point in points],
        "hoverinfo": "text",
        "marker": marker,
    }
    if bars:
        made["error_y"] = _bars([point["metrics"][score["name"]] for point in points], score)
    return made


def _bars(summaries: Sequence[Findings], score: Mapping[str, str]) -> Plot:
    halves = [
        0.0 if summary["high"] is None else factor_of(score) * (summary["high"] - summary["mean"])
        for summary in summaries
    ]
    return {"type": "data", "array": halves, "thickness": 1.2, "width": 3}


def effect_plot(findings: Findings, effect: Findings) -> Plot:
    """Return a plot of the score over one axis: every point and the mean of each level."""
    score = metric_of(findings, findings["score"])
    axis = next(
        described for described in findings["study"]["axes"] if described["name"] == effect["axis"]
    )
    levels = [level for level in effect["levels"] if level["mean"] is not None]
    points = [point for point in findings["points"] if _mean(point, findings["score"]) is not None]
    values = [point["setting"][effect["axis"]] for point in points]
    if not effect["binned"]:
        place = {level["label"]: level["place"] for level in effect["levels"]}
        order = dict(zip(axis["values"], axis["labels"], strict=True))
        values = [place[order[value]] for value in values]
    spots = _scatter(findings, points, score, score, "points", {"color": GREY, "size": 6,
                     "opacity": 0.55}, bars=False)  # fmt: skip
    means = {
        "type": "scatter",
        # Text values have no order, so no line joins them.
        "mode": "markers" if effect["scale"] == "words" else "lines+markers",
        "name": "mean",
        "x": [level["place"] for level in levels],
        "y": [factor_of(score) * level["mean"] for level in levels],
        "error_y": _bars(levels, score),
        "line": {"color": BLUE, "width": 2},
        "marker": {"color": BLUE, "size": 9},
        "hovertext": [_level_text(score, effect["axis"], level) for level in levels],
        "hoverinfo": "text",
    }
    unit = f" ({axis['unit']})" if axis["unit"] else ""
    layout = {**layout_of(f"{effect['axis']}{unit}", title_of(score), 330), "showlegend": False}
    layout["yaxis"]["range"] = list(score_range(findings))
    layout["xaxis"] |= _ticks(effect, values)
    return {"data": [{**spots, "x": values}, means], "layout": layout}


def _ticks(effect: Findings, values: Sequence[float]) -> Plot:
    places = [level["place"] for level in effect["levels"]]
    ticks: Plot = {"ticklabeloverflow": "allow"}
    if effect["scale"] == "words":
        # Labels are centred below their positions and need half a step at either end.
        ticks["range"] = [-0.5, len(places) - 0.5]
    if effect["scale"] == "log":
        shown = log_ticks(min(values), max(values))
        ticks |= {"type": "log", "tickvals": shown, "ticktext": [f"{tick:g}" for tick in shown]}
    if not effect["binned"] and len(places) <= MAX_TICKS:
        labels = [html_text(level["label"]) for level in effect["levels"]]
        ticks |= {"tickvals": places, "ticktext": labels}
    return ticks


def _level_text(score: Mapping[str, str], axis: str, level: Findings) -> str:
    mean = with_unit(score, mean_text(score, level))
    return html_text(f"{axis} = {level['label']}: {mean}, mean of {level['points']} points")
