"""The interactive plots of a report, as plotly.js takes them: dictionaries of data and layout."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from .labels import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
    effect_text,
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
Told = Mapping[str, Any]

MANY_POINTS = 60
"""With more points than this only those of the front get bars of their intervals."""

MANY_CELLS = 80
"""A heat map of more cells has no numbers in them."""

MANY_LEVELS = 12
"""An axis of more levels has no tick at each."""

MOST_BARS = 12
"""Of effects, alone and in pairs each."""

FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif"


def _layout(x: str, y: str, height: int) -> Plot:
    axis = {"automargin": True, "gridcolor": "#E6E6E6", "zeroline": False, "linecolor": "#555555"}
    return {
        "height": height,
        "font": {"family": FONT, "size": 14, "color": "#1A1A1A"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        # Room for the buttons above.
        "margin": {"l": 60, "r": 16, "t": 44, "b": 56},
        "xaxis": {**axis, "title": {"text": _safe(x), "standoff": 14}},
        "yaxis": {**axis, "title": {"text": _safe(y), "standoff": 14}},
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "bgcolor": "white", "font": {"color": "#1A1A1A"}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
    }


def _safe(text: str) -> str:
    # Texts of plots take some tags, which are to be seen here, not obeyed.
    return html.escape(text)


def hover_text(told: Told, point: Told) -> str:
    """Return what is shown of a point where the mouse is."""
    lines = [f"<b>point {point['point']}</b>"]
    lines += [_safe(line) for line in setting_text(point["setting"], "\n").split("\n")]
    for own in told["metrics"]:
        summary = point["metrics"][own["name"]]
        if summary["mean"] is None or own["name"] not in _shown_metrics(told):
            continue
        line = f"{own['title']}: {with_unit(own, mean_text(own, summary))}"
        if own["name"] == told["score"] and summary["low"] is not None:
            ends = (value_text(own, summary[end]) for end in ("low", "high"))
            line += f", {percent(told['confidence'])} in [{', '.join(ends)}]"
        lines.append(_safe(line))
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
            data.append({**_scatter(told, [point], score, cost, _safe(name), marker, bars=False)})
    layout = _layout(title_of(cost), title_of(score), 540)
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
        "hovertext": [hover_text(told, point) for point in points],
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
        "mode": "lines+markers",
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
    layout = {**_layout(f"{effect['axis']}{unit}", title_of(score), 330), "showlegend": False}
    layout["yaxis"]["range"] = list(score_range(told))
    layout["xaxis"] |= _ticks(effect)
    return {"data": [{**spots, "x": values}, means], "layout": layout}


def _ticks(effect: Told) -> Plot:
    places = [own["place"] for own in effect["levels"]]
    ticks: Plot = {"type": "log", "dtick": "D2"} if effect["log"] else {}
    if not effect["binned"] and len(places) <= MANY_LEVELS:
        labels = [_safe(own["label"]) for own in effect["levels"]]
        ticks |= {"tickvals": places, "ticktext": labels}
    return ticks


def _level_text(score: Mapping[str, str], axis: str, level: Told) -> str:
    mean = with_unit(score, mean_text(score, level))
    return _safe(f"{axis} = {level['label']}: {mean}, mean of {level['points']} points")


def sensitivity_plot(found: Told) -> Plot:
    """Return the shares of the variance as bars, what noise alone would make marked on them."""
    rows = found["mains"][:MOST_BARS] + found["pairs"][:MOST_BARS]
    places = list(range(len(rows)))
    names = [_safe(effect_text(own["axes"])) for own in rows]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [100 * own["share"] for own in rows],
        "y": places,
        "width": 0.42,
        "marker": {
            "color": [BLUE if len(own["axes"]) == 1 else ORANGE for own in rows],
            "pattern": {"shape": ["/" if own["clear"] is False else "" for own in rows]},
        },
        "text": [share_text(own) for own in rows],
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "text",
        "hovertext": [
            f"{name}: {share_text(own)}{noise_text(own)}"
            for name, own in zip(names, rows, strict=True)
        ],
        "showlegend": False,
    }
    # Above the bars: beside them long names would leave no room on a narrow screen.
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
                "name": "expected of the seeds' noise alone",
                "x": [100 * own["noise"] for own in rows],
                "y": places,
                "marker": mark,
                "hoverinfo": "skip",
            }
        )
    layout = _layout("share of the variance (%)", "", 150 + 48 * len(rows))
    largest = 100 * max(own["share"] for own in rows)
    layout["xaxis"] |= {"range": [0, 1.3 * largest or 1.0]}
    layout["yaxis"] |= {"range": [len(rows) - 0.6, -0.75], "showticklabels": False,
                        "showgrid": False}  # fmt: skip
    layout["margin"] |= {"l": 16, "t": 72}
    return {"data": data, "layout": layout}


def share_text(effect: Told) -> str:
    """Return an effect's share; in brackets if noise alone could be as large."""
    shown = f"{100 * effect['share']:.1f} %"
    return f"({shown})" if effect["clear"] is False else shown


def noise_text(effect: Told) -> str:
    """Return what is said of noise beside an effect's share."""
    if effect["noise"] is None:
        return ""
    told = "" if effect["clear"] else ", not told apart from it"
    return f"; noise alone {percent(effect['noise'])}{told}"


def grid_plot(told: Told, grid: Told) -> Plot:
    """Return the mean score over two axes as a heat map."""
    score = metric_of(told, told["score"])
    rows, columns = range(len(grid["rows"])), range(len(grid["columns"]))
    cells = grid["mean"]
    few = len(rows) * len(columns) <= MANY_CELLS
    a, b = grid["axes"]
    hover = [
        [
            _safe(
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
        "z": [[None if own is None else factor_of(score) * own for own in row] for row in cells],
        "colorscale": "Cividis",
        "colorbar": {"thickness": 14},
        "xgap": 2,
        "ygap": 2,
        "hovertext": hover,
        "hoverinfo": "text",
        "hoverongaps": True,
    }
    if few:
        heat["text"] = [[value_text(score, own) for own in row] for row in cells]
        heat["texttemplate"] = "%{text}"
    layout = _layout(b, a, 150 + 48 * max(4, min(12, len(rows))))
    layout["xaxis"] |= {"tickvals": list(columns), "showgrid": False,
                        "ticktext": [_safe(own) for own in grid["columns"]]}  # fmt: skip
    layout["yaxis"] |= {"tickvals": list(rows), "showgrid": False,
                        "ticktext": [_safe(own) for own in grid["rows"]]}  # fmt: skip
    return {"data": [heat], "layout": layout}


def _cell_text(score: Mapping[str, str], grid: Told, row: int, column: int) -> str:
    points = grid["points"][row][column]
    mean = with_unit(score, value_text(score, grid["mean"][row][column]))
    return f"{mean}, mean of {points} point{'' if points == 1 else 's'}"
