"""The tables of a report's page: what was studied, what failed, every point, configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bitlif.model.text import html_text

from .labels import mean_text, metric_of, setting_text, title_of
from .levels import words
from .markup import listed, paragraph, section, table

Told = Mapping[str, Any]

FILTER = (
    '<div class="choose"><label for="filter">show only</label><input id="filter" type="search" '
    'placeholder="parts of a setting, with commas" autocomplete="off">'
    '<span id="count" class="quiet" role="status"></span></div>'
)


def studied(told: Told) -> str:
    """Return the section of the study: its base, axes, seeds, search."""
    study = told["study"]
    goals = ", ".join(f"{own['name']} ({own['direction']})" for own in study["objectives"])
    rows = [
        ("task", study["task"]),
        *((name, str(own)) for name, own in study["length"].items()),
        ("search", study["search"]),
        ("seeds", ", ".join(str(own) for own in study["seeds"])),
        ("objectives", goals),
        *([("board", study["board"])] if study["board"] else []),
    ]
    axes = "".join(
        f'<tr><td class="word">{html_text(own["name"])}</td>'
        f'<td class="word">{html_text(own["unit"])}</td>'
        f'<td class="long">{html_text(_values(own))}</td>'
        f'<td class="word">{html_text(", ".join(own["fields"]))}</td></tr>'
        for own in study["axes"]
    )
    heads = "".join(f'<th class="word">{own}</th>' for own in ("axis", "unit", "values", "sets"))
    base = (
        f"<summary>base configuration</summary><pre>{html_text(study['config'], lines=True)}</pre>"
    )
    return section(
        "study", "What was studied", listed(rows), table(heads, axes), f"<details>{base}</details>"
    )


def _values(axis: Told) -> str:
    if axis["span"]:
        low, high = axis["span"]
        return f"{words(low)} to {words(high)}"
    return ", ".join(axis["labels"])


def failures(told: Told) -> str:
    """Return the section of runs that failed; nothing where there are none."""
    if not told["failures"]:
        return ""
    settings = {own["point"]: own["setting"] for own in told["points"]}
    seeds: dict[tuple[int, str], list[str]] = {}
    for own in told["failures"]:
        seeds.setdefault((own["point"], own["error"]), []).append(str(own["seed"]))
    rows = "".join(
        f'<tr><td>{point}</td><td class="word">{", ".join(own)}</td>'
        f'<td class="long">{html_text(setting_text(settings[point]))}</td>'
        f'<td class="long">{html_text(error)}</td></tr>'
        for (point, error), own in seeds.items()
    )
    heads = "<th>point</th>" + "".join(
        f'<th class="word">{own}</th>' for own in ("seeds", "setting", "error")
    )
    return section("failures", "Runs that failed", table(heads, rows, tall=True))


def all_points(told: Told) -> str:
    """Return the section of all points, which can be sorted and filtered."""
    titles = [
        "point", *(own["name"] for own in told["study"]["axes"]), "seeds",
        *(title_of(own) for own in told["metrics"]), "in the front against", "error",
    ]  # fmt: skip
    heads = "".join(
        f'<th scope="col"><button type="button">{html_text(own)}</button></th>' for own in titles
    )
    fronts = [(metric_of(told, own["cost"])["title"], set(own["points"])) for own in told["fronts"]]
    recommended = (told["recommended"] or {}).get("point")
    rows = [
        _row(told, own, [name for name, inside in fronts if own["point"] in inside], recommended)
        for own in told["points"]
    ]
    return section(
        "points", "All points", FILTER, table(heads, "".join(rows), tall=True, name="table"),
        paragraph("A click on a column's head sorts by it.", quiet=True),
    )  # fmt: skip


def _row(told: Told, point: Told, fronts: list[str], recommended: int | None) -> str:
    inside = ", ".join(fronts)
    measured = [(own, point["metrics"][own["name"]]) for own in told["metrics"]]
    cells = [
        _cell(point["point"]),
        *(_cell(own) for own in point["setting"].values()),
        _cell(point["seeds"]),
        *(_cell(summary["mean"], mean_text(own, summary)) for own, summary in measured),
        _cell(inside),
        f'<td class="long">{html_text(point["error"])}</td>',
    ]
    found = ", ".join((setting_text(point["setting"]), inside, point["error"])).lower()
    kind = ' class="recommended"' if point["point"] == recommended else ""
    return f'<tr{kind} data-text="{html_text(found)}">{"".join(cells)}</tr>'


def _cell(value: Any, shown: str | None = None) -> str:
    if value is None:
        return "<td></td>"
    content = html_text(words(value) if shown is None else shown)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'<td data-value="{value!r}">{content}</td>'
    return f'<td class="word">{content}</td>'


def configurations(told: Told) -> str:
    """Return the section of what is recommended, as TOML to copy."""
    parts = []
    for key, name in (("recommended", "recommended"), ("for_board", f"for {told['board']}")):
        point = told[key]
        if point is not None:
            title = f"{name}: point {point['point']}, {setting_text(point['setting'])}"
            parts.append(
                f"<h3>{html_text(title)}</h3>"
                f'<button type="button" data-copy="toml-{key}">copy</button>'
                f'<pre id="toml-{key}">{html_text(point["config"], lines=True)}</pre>'
            )
    return section("config", "Recommended configuration", *parts) if parts else ""
