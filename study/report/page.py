"""The report as one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from plotly.offline import get_plotlyjs

from bitlif.model.text import html_text

from .labels import effect_text, mean_text, metric_of, percent, title_of, value_text, with_unit
from .levels import words
from .markup import listed, paragraph, section
from .page_parts import SCRIPT, STYLE
from .page_tables import all_points, configurations, failures, studied
from .plots import Plot, effect_plot, front_plot, hover_texts
from .plots_shares import drawn, grid_plot, sensitivity_plot
from .sensitivity import EXACT

Told = Mapping[str, Any]

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
"""The browser itself forbids the page to load anything."""


def page(told: Told) -> str:
    """Return the page of a report's findings (`bitlif.study.report.findings`)."""
    plots: dict[str, Plot] = {}
    sections = [
        _summary(told),
        *(part(told, plots) for part in (_fronts, _effects, _sensitivity, _grids) if told["best"]),
        studied(told),
        failures(told),
        all_points(told),
        configurations(told),
    ]
    title = f"{told['study']['name']}: {told['study']['title']}"
    data = _json({"plots": plots, "points": hover_texts(told)})
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html_text(title)}</title>",
            f"<style>{STYLE}</style>",
            f"<script>{get_plotlyjs()}</script>",
            "</head><body><main>",
            f"<h1>{html_text(told['study']['title'])}</h1>",
            f'<p class="quiet">study {html_text(told["study"]["name"])}</p>',
            _contents(sections),
            *(own for own in sections if own),
            f'</main><script type="application/json" id="data">{data}</script>',
            f"<script>{SCRIPT}</script></body></html>",
            "",
        )
    )


def _json(data: Any) -> str:
    # Within a script only this character could end it.
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _contents(sections: Sequence[str]) -> str:
    links = []
    for own in filter(None, sections):
        name = own.split('"')[1]
        title = own.partition("<h2>")[2].partition("</h2>")[0]
        links.append(f'<a href="#{name}">{title}</a>')
    return f"<nav>{''.join(links)}</nav>"


def _summary(told: Told) -> str:
    study = told["study"]
    said = (
        f"{study['points']} points, {study['runs']} runs with {len(study['seeds'])} "
        f"seed{'' if len(study['seeds']) == 1 else 's'}, {study['failed_runs']} of them failed."
    )
    if not study["complete"]:
        said += " The study did not run to its end: this is of what there is."
    if told["best"] is None:
        return section(
            "summary", "Summary", paragraph(f"{said} None succeeded: there is nothing to compare.")
        )
    cards = [_card(told, "best", "Best mean", "best")]
    cards.append(_card(told, "recommended", "Recommended", "recommended"))
    if told["board"]:
        title = f"For {told['board']}"
        if told["for_board"]:
            cards.append(_card(told, "for_board", title, "board"))
        else:
            none = paragraph("No point is estimated to fit it.")
            cards.append(f'<div class="card board"><h3>{html_text(title)}</h3>{none}</div>')
    one = len(study["seeds"]) == 1
    spread = (
        "With one seed there are no intervals."
        if one
        else f"± is {percent(told['confidence'])} confidence over the seeds (Student's t)."
    )
    return section(
        "summary", "Summary", paragraph(said), f'<div class="cards">{"".join(cards)}</div>',
        paragraph(spread, quiet=True),
    )  # fmt: skip


def _card(told: Told, key: str, title: str, kind: str) -> str:
    point = told[key]
    score = metric_of(told, told["score"])
    large = with_unit(score, mean_text(score, point["metrics"][score["name"]]))
    rows = [(name, words(value)) for name, value in point["setting"].items()]
    for name in dict.fromkeys(own["cost"] for own in told["fronts"]):
        metric = metric_of(told, name)
        shown = with_unit(metric, mean_text(metric, point["metrics"][name]))
        rows.append((metric["title"], shown))
    if "loss" in point and point["point"] != point["best"]:
        lost = with_unit(score, value_text(score, point["loss"]))
        if point["loss_high"] is not None:
            lost += f", at most {value_text(score, point['loss_high'])}"
        rows.append(("loss against the best", lost))
    reason = paragraph(point["reason"] + ".", quiet=True) if "reason" in point else ""
    return (
        f'<div class="card {kind}"><h3>{html_text(title)}: point {point["point"]}</h3>'
        f'<div class="large">{html_text(large)}</div>'
        f'<div class="quiet">{html_text(score["title"])}</div>{listed(rows)}{reason}</div>'
    )


def _select(place: str, label: str, choices: Sequence[tuple[str, str]]) -> str:
    options = "".join(f'<option value="{html_text(a)}">{html_text(b)}</option>' for a, b in choices)
    return (
        f'<div class="choose"><label for="{place}-choice">{html_text(label)}</label>'
        f'<select id="{place}-choice" data-for="{place}" autocomplete="off">{options}</select>'
        "</div>"
    )


def _plot(place: str, name: str) -> str:
    return f'<div class="plot" id="{place}" data-plot="{html_text(name)}"></div>'


def _fronts(told: Told, plots: dict[str, Plot]) -> str:
    score = metric_of(told, told["score"])
    if not told["fronts"]:
        return section("fronts", "Pareto fronts", paragraph("The study measured no cost."))
    choices = []
    for own in told["fronts"]:
        name = f"front-{own['cost']}"
        plots[name] = front_plot(told, own)
        choices.append((name, metric_of(told, own["cost"])["title"]))
    return section(
        "fronts", "Pareto fronts",
        paragraph(
            f"The front (blue) is of the points that no other one beats in both {score['title']} "
            "and cost, by their means over the seeds. Bars are "
            f"{percent(told['confidence'])} intervals, cut off where they would hide all else."
        ),
        _select("front", f"{score['title']} against", choices), _plot("front", choices[0][0]),
    )  # fmt: skip


def _effects(told: Told, plots: dict[str, Plot]) -> str:
    parts = []
    for number, own in enumerate(told["effects"]):
        name = f"effect-{number}"
        plots[name] = effect_plot(told, own)
        parts.append(_plot(name, name))
    return section(
        "effects", "Effect of each axis",
        paragraph(
            "Grey: each point. Blue: the mean of the points with this value, whatever else they "
            f"have; bars are its {percent(told['confidence'])} interval from seed to seed, not the "
            "spread of the points. A failed point is missing in its means."
        ),
        f'<div class="effects">{"".join(parts)}</div>',
    )  # fmt: skip


def method_text(found: Told) -> str:
    """Return how the sensitivities were found, in words."""
    if found["method"] == EXACT:
        how = (
            f"Exact: functional analysis of variance of the means of a complete grid of "
            f"{found['points']} points; F tests against the seeds' noise at 5 %."
        )
    else:
        how = (
            f"From a model, as the {found['points']} points are no complete grid: functional "
            "analysis of variance of a forest of 100 extremely randomised trees over all "
            f"combinations of values. It foretells {100 * found['fit']:.0f} % of the variance of "
            "points left out (R², cross-validated)."
        )
    if found["noise"] is None:
        return f"{how} With one seed, how much is noise is not known."
    return f"{how} The seeds' noise is {percent(found['noise'])} of that variance."


def _sensitivity(told: Told, plots: dict[str, Plot]) -> str:
    found = told["sensitivity"]
    title = "Sensitivity"
    if found is None or not (found["mains"] or found["pairs"]):
        return section("sensitivity", title, paragraph("Too few points to tell."))
    plots["sensitivity"] = sensitivity_plot(found)
    score = metric_of(told, told["score"])
    deviation = with_unit(score, value_text(score, found["deviation"]))
    left_out = len(found["mains"]) + len(found["pairs"]) - len(drawn(found))
    weaker = f" Of the weakest effects {left_out} are not drawn." if left_out else ""
    return section(
        "sensitivity", title,
        paragraph(
            f"Shares of the variance of {score['title']} (standard deviation {deviation}) that "
            "each axis explains alone (blue), and that two explain beyond that (orange). In "
            "brackets and hatched: not told apart from noise. Three and more axes: "
            f"{100 * found['higher']:.1f} %."
        ),
        paragraph(f"{method_text(found)}{weaker}", quiet=True),
        _plot("sensitivity-plot", "sensitivity"),
    )  # fmt: skip


def _grids(told: Told, plots: dict[str, Plot]) -> str:
    if not told["grids"]:
        return section("interactions", "Interactions", paragraph("There is one axis only."))
    choices = []
    for number, own in enumerate(told["grids"]):
        plots[f"grid-{number}"] = grid_plot(told, own)
        share = "" if own["share"] is None else f" ({100 * own['share']:.1f} %)"
        choices.append((f"grid-{number}", effect_text(own["axes"]) + share))
    score = metric_of(told, told["score"])
    return section(
        "interactions", "Interactions",
        paragraph(
            f"Mean {title_of(score)} over two axes. In brackets: the share of the variance that "
            "the two explain beyond what each does alone."
        ),
        _select("grid", "axes", choices), _plot("grid", "grid-0"),
    )  # fmt: skip
