"""The interactive plots of a report, as plotly.js takes them: dictionaries of data and layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bitlif.model.text import html_text

from .labels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
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
from .levels import log_ticks

Plot = dict[str, Any]
Told = Mapping[str, Any]

MANY_POINTS = 60
"""With more points than this only those of the front get bars of their intervals."""

MANY_LEVELS = 12
"""An axis of more levels has no tick at each."""

FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif"


def layout_of(x: str, y: str, height: int) -> Plot:
    """Return the layout of a plot with these titles of its axes, `height` in pixels."""
    axis = {"automargin": True, "gridcolor": "#E6E6E6", "zeroline": False, "linecolor": "#555555"}
    return {
        "height": height,
        "font": {"family": FONT, "size": 14, "color": "#1A1A1A"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        # Room for the buttons above.
        "margin": {"l": 60, "r": 16, "t": 44, "b": 56},
        "xaxis": {**axis, "title": {"text": html_text(x), "standoff": 14}},
        "yaxis": {**axis, "title": {"text": html_text(y), "standoff": 14}},
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "bgcolor": "white", "font": {"color": "#1A1A1A"}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
    }


def hover_texts(told: Told) -> dict[str, str]:
    """Return what is shown of each point where the mouse is, by its number."""
    return {str(point["point"]): _hover_text(told, point) for point in told["points"]}


def _hover_text(told: Told, point: Told) -> str:
    lines = [f"<b>point {point['point']}</b>"]
    lines += [html_text(line) for line in setting_text(point["setting"], "\n").split("\n")]
    for own in told["metrics"]:
        summary = point["metrics"][own["name"]]
        if summary["mean"] is None or own["name"] not in _shown_metrics(told):
            continue
        line = f"{own['title']}: {with_unit(own, mean_text(own, summary))}"
        if own["name"] == told["score"] and summary["low"] is not None:
            ends = (value_text(own, summary[end]) for end in ("low", "high"))
            line += f", {percent(told['confidence'])} in [{', '.join(ends)}]"
        lines.append(html_text(line))
    lines.append(f"{point['seeds']} seed{'' if point['seeds'] == 1 else 's'}")
    return "<br>".join(lines)


def _shown_metrics(told: Told) -> set[str]:
    return {told["score"], *(own["cost"] for own in told["fronts"])}


def front_plot(told: Told, front: Told) -> Plot:
    """Return the score against a cost: all points, the front, what is best and recommended."""
    score, cost = metric_of(told, told["score"]), metric_of(told, front["cost"])
    by_number = {point["point"]: point for point in told["points"]}
    inside = [by_number[own] for own in front["points"]]
    numbers = set(front["points"])
    others = [
        point
        for point in told["points"]
        if point["point"] not in numbers
        and None not in (_mean(point, told["score"]), _mean(point, front["cost"]))
    ]
    bars = len(others) + len(inside) <= MANY_POINTS
    # A front is a staircase: between two of its points there is only what the cheaper one gives.
    shape = "hv" if cost["direction"] == "min" else "vh"
    data = [
        _scatter(told, others, score, cost, "beaten", {"color": GREY, "size": 7}, bars=bars),
        {
            **_scatter(told, inside, score, cost, "front", {"color": BLUE, "size": 10}, bars=True),
            "mode": "lines+markers",
            "line": {"color": BLUE, "width": 2, "shape": shape},
        },
    ]
    for key, name, colour, symbol in (
        ("best", "best mean", GREEN, "diamond-open"),
        ("recommended", "recommended", VERMILION, "star-open"),
        ("for_board", f"for {told['board']}", ORANGE, "square-open"),
    ):
        point = told[key]
        if point is not None and _mean(point, front["cost"]) is not None:
            marker = {"color": colour, "size": 19, "symbol": symbol, "line": {"width": 2.5}}
            data.append(
                {**_scatter(told, [point], score, cost, html_text(name), marker, bars=False)}
            )
    layout = layout_of(title_of(cost), title_of(score), 540)
    # On narrow screens the legend takes two lines.
    layout["margin"]["t"] = 84
    layout["yaxis"]["range"] = list(score_range(told))
    return {"data": data, "layout": layout}


def _mean(point: Told, name: str) -> float | None:
    mean: float | None = point["metrics"][name]["mean"]
    return mean


def _scatter(
    told: Told, points: Sequence[Told], score: Mapping[str, str], cost: Mapping[str, str],
    name: str, marker: Plot, *, bars: bool,
) -> Plot:  # fmt: skip
    made = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [factor_of(cost) * (_mean(point, cost["name"]) or 0.0) for point in points],
        "y": [factor_of(score) * (_mean(point, score["name"]) or 0.0) for point in points],
        # The page has the texts of all points once, by number.
        "customdata": [point["point"] for point in points],
        "hoverinfo": "text",
        "marker": marker,
    }
    if bars:
        made["error_y"] = _bars([point["metrics"][score["name"]] for point in points], score)
    return made


def _bars(summaries: Sequence[Told], score: Mapping[str, str]) -> Plot:
    halves = [
        0.0 if own["high"] is None else factor_of(score) * (own["high"] - own["mean"])
        for own in summaries
    ]
    return {"type": "data", "array": halves, "thickness": 1.2, "width": 3}


def effect_plot(told: Told, effect: Told) -> Plot:
    """Return the score over one axis: every point, and the mean of each level."""
    score = metric_of(told, told["score"])
    axis = next(own for own in told["study"]["axes"] if own["name"] == effect["axis"])
    levels = [own for own in effect["levels"] if own["mean"] is not None]
    points = [point for point in told["points"] if _mean(point, told["score"]) is not None]
    values = [point["setting"][effect["axis"]] for point in points]
    if not effect["binned"]:
        place = {own["label"]: own["place"] for own in effect["levels"]}
        order = dict(zip(axis["values"], axis["labels"], strict=True))
        values = [place[order[value]] for value in values]
    spots = _scatter(told, points, score, score, "points", {"color": GREY, "size": 6,
                     "opacity": 0.55}, bars=False)  # fmt: skip
    means = {
        "type": "scatter",
        # What has no order has no line.
        "mode": "markers" if effect["scale"] == "words" else "lines+markers",
        "name": "mean",
        "x": [own["place"] for own in levels],
        "y": [factor_of(score) * own["mean"] for own in levels],
        "error_y": _bars(levels, score),
        "line": {"color": BLUE, "width": 2},
        "marker": {"color": BLUE, "size": 9},
        "hovertext": [_level_text(score, effect["axis"], own) for own in levels],
        "hoverinfo": "text",
    }
    unit = f" ({axis['unit']})" if axis["unit"] else ""
    layout = {**layout_of(f"{effect['axis']}{unit}", title_of(score), 330), "showlegend": False}
    layout["yaxis"]["range"] = list(score_range(told))
    layout["xaxis"] |= _ticks(effect, values)
    return {"data": [{**spots, "x": values}, means], "layout": layout}


def _ticks(effect: Told, values: Sequence[float]) -> Plot:
    places = [own["place"] for own in effect["levels"]]
    ticks: Plot = {"ticklabeloverflow": "allow"}
    if effect["scale"] == "words":
        # Words stand under their places: room for half of one at either end.
        ticks["range"] = [-0.5, len(places) - 0.5]
    if effect["scale"] == "log":
        shown = log_ticks(min(values), max(values))
        ticks |= {"type": "log", "tickvals": shown, "ticktext": [f"{own:g}" for own in shown]}
    if not effect["binned"] and len(places) <= MANY_LEVELS:
        labels = [html_text(own["label"]) for own in effect["levels"]]
        ticks |= {"tickvals": places, "ticktext": labels}
    return ticks


def _level_text(score: Mapping[str, str], axis: str, level: Told) -> str:
    mean = with_unit(score, mean_text(score, level))
    return html_text(f"{axis} = {level['label']}: {mean}, mean of {level['points']} points")
