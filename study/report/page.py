"""The report as one self-contained HTML page: it loads nothing from the network or from disk.

The page is rendered from the Jinja2 templates in ``templates/``. ``page.html`` is the frame; each
section has a template named after its identifier. ``page.css`` and ``page.js`` are copied into the
page, and so is plotly.js.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from bitlif.model.text import html_text

from . import labels
from .axis_levels import scalar_text
from .diagnosis import NAMES
from .forest_anova import TREES
from .plots import Plot, effect_plot, front_plot, hover_texts
from .sensitivity_plots import drawn_effects, grid_plot, sensitivity_plot

Findings = Mapping[str, Any]

TEMPLATES = importlib.resources.files("bitlif.study.report") / "templates"

SECTIONS = {
    "summary": "Summary",
    "fronts": "Pareto fronts",
    "effects": "Effect of each axis",
    "sensitivity": "Sensitivity",
    "interactions": "Interactions",
    "diagnosis": "Diagnosis",
    "study": "What was studied",
    "failures": "Failed runs",
    "points": "All points",
    "config": "Recommended configuration",
}
"""Titles of the sections by identifier, in the order of the page."""

PLOTTED = ("fronts", "effects", "sensitivity", "interactions")
"""Sections that need at least one successful run."""


def render_page(findings: Findings) -> str:
    """Return the HTML page of a report.

    Parameters
    ----------
    findings : mapping
        As returned by `bitlif.study.report.findings.analyse`.

    Returns
    -------
    str
        The page. The same findings give the same text.
    """
    plots = _plots(findings)
    data = {"plots": plots, "points": hover_texts(findings)}
    context = {
        "findings": findings,
        "study": findings["study"],
        "score": labels.metric_of(findings, findings["score"]),
        "sections": _sections(findings),
        "style": Markup(_template("page.css")),
        "script": Markup(_template("page.js")),
        "plotly": Markup(get_plotlyjs()),
        "data": Markup(_json(data)),
        "front_options": _front_options(findings),
        "grid_options": _grid_options(findings),
        "undrawn": _undrawn(findings),
        "failures": _failures(findings),
        "point_columns": _point_columns(findings),
        "rows": _rows(findings),
    }
    return _environment().get_template("page.html").render(context)


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


@functools.cache
def _environment() -> Environment:
    """Return the Jinja2 environment; every value is escaped by `bitlif.model.text.html_text`."""
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        # Beside escaping markup, this makes control characters visible.
        finalize=lambda value: value if isinstance(value, Markup) else Markup(html_text(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "capitalised": lambda text: text[:1].upper() + text[1:],
        "percent": labels.percent,
        "plural": lambda count: "" if count == 1 else "s",
        "preformatted": lambda text: Markup(html_text(text, lines=True)),
        "scalar": scalar_text,
    }
    environment.globals |= {
        "mean_text": labels.mean_text,
        "metric_of": labels.metric_of,
        "setting_text": labels.setting_text,
        "title_of": labels.title_of,
        "trees": TREES,
        "value_text": labels.value_text,
        "with_unit": labels.with_unit,
    }
    return environment


def _json(data: Any) -> str:
    # "<" is the only character that could end the script element around the data.
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _sections(findings: Findings) -> list[dict[str, str]]:
    omitted: set[str] = set() if findings["best"] else set(PLOTTED)
    if not findings["failures"]:
        omitted.add("failures")
    if not findings["diagnosis"]:
        omitted.add("diagnosis")
    if not (findings["recommended"] or findings["for_board"]):
        omitted.add("config")
    return [
        {"id": section, "title": title}
        for section, title in SECTIONS.items()
        if section not in omitted
    ]


def _plots(findings: Findings) -> dict[str, Plot]:
    """Return the plots of the page by name."""
    if not findings["best"]:
        return {}
    plots = {f"front-{front['cost']}": front_plot(findings, front) for front in findings["fronts"]}
    for number, effect in enumerate(findings["effects"]):
        plots[f"effect-{number}"] = effect_plot(findings, effect)
    found = findings["sensitivity"]
    if found and (found["mains"] or found["pairs"]):
        plots["sensitivity"] = sensitivity_plot(found)
    for number, grid in enumerate(findings["grids"]):
        plots[f"grid-{number}"] = grid_plot(findings, grid)
    return plots


def _front_options(findings: Findings) -> list[tuple[str, str]]:
    """Return plot name and title of every front."""
    costs = [front["cost"] for front in findings["fronts"]]
    return [(f"front-{cost}", labels.metric_of(findings, cost)["title"]) for cost in costs]


def _grid_options(findings: Findings) -> list[tuple[str, str]]:
    """Return plot name and title of every heat map."""
    options = []
    for number, grid in enumerate(findings["grids"]):
        share = "" if grid["share"] is None else f" ({100 * grid['share']:.1f} %)"
        options.append((f"grid-{number}", labels.effect_text(grid["axes"]) + share))
    return options


def _undrawn(findings: Findings) -> int:
    """Return how many effects have no bar in the sensitivity plot."""
    found = findings["sensitivity"]
    if not found:
        return 0
    return len(found["mains"]) + len(found["pairs"]) - len(drawn_effects(found))


def _failures(findings: Findings) -> list[dict[str, Any]]:
    """Return the failures with the seeds of the same point and error together."""
    settings = {point["point"]: point["setting"] for point in findings["points"]}
    groups: dict[tuple[int, str], list[int]] = {}
    for failure in findings["failures"]:
        groups.setdefault((failure["point"], failure["error"]), []).append(failure["seed"])
    return [
        {"point": point, "seeds": seeds, "setting": settings[point], "error": error}
        for (point, error), seeds in groups.items()
    ]


def _shown_metrics(findings: Findings) -> list[dict[str, str]]:
    """Return the metrics that the table of points shows: not those of the diagnosis."""
    return [metric for metric in findings["metrics"] if metric["name"] not in NAMES]


def _point_columns(findings: Findings) -> list[str]:
    axes = [axis["name"] for axis in findings["study"]["axes"]]
    metrics = [labels.title_of(metric) for metric in _shown_metrics(findings)]
    return ["point", *axes, "seeds", *metrics, "on the front against", "error"]


def _rows(findings: Findings) -> list[dict[str, Any]]:
    """Return the rows of the table of points; a cell is the value to sort by and its text."""
    fronts = [
        (labels.metric_of(findings, front["cost"])["title"], set(front["points"]))
        for front in findings["fronts"]
    ]
    recommended = (findings["recommended"] or {}).get("point")
    rows = []
    for point in findings["points"]:
        number, setting, error = point["point"], point["setting"], point["error"]
        on_fronts = ", ".join(title for title, points in fronts if number in points)
        cells = [(number, str(number))]
        cells += [(value, scalar_text(value)) for value in setting.values()]
        cells.append((point["seeds"], str(point["seeds"])))
        for metric in _shown_metrics(findings):
            summary = point["metrics"][metric["name"]]
            cells.append((summary["mean"], labels.mean_text(metric, summary)))
        cells.append((on_fronts, on_fronts))
        rows.append(
            {
                "cells": cells,
                "error": error,
                "recommended": number == recommended,
                "search_text": ", ".join((labels.setting_text(setting), on_fronts, error)).lower(),
            }
        )
    return rows
