"""The figure of cooling against constant noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitlif.study.claims.cooling import COOLED, HOT, SCHEDULES, Cooling
from bitlif.study.claims.models import MODELS
from bitlif.study.claims.students import TEACHER_SIGMA
from bitlif.study.statistics import mean_interval
from bitlif.tasks.colours import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION

from .figure_style import LABELS, errors, new_figure, span

TITLE = "Cooling from high noise learns what constant noise does not, on sparse inputs too"

COLOURS = dict(zip(SCHEDULES, (BLACK, GREEN, ORANGE, VERMILION, BLUE), strict=True))
MARKERS = {"fixed": "o", "float": "s"}
DENSEST = 1


def draw_cooling(cooling: Cooling) -> Any:
    """Return the figure: learning curves above; final values by density of the inputs below."""
    figure = new_figure(11.0, 8.6)
    panels = figure.subplots(2, 2, sharey=True)
    for column, rule in enumerate(("clipped", "likelihood")):
        _curves(panels[0, column], cooling, rule)
        _densities(panels[1, column], cooling, rule)
    for row in panels:
        row[0].set_ylabel("correlation with the teacher")
        row[0].set_ylim(-0.08, 1.0)
    _legend(panels[0, 1])
    return figure


def _style(schedule: str, model: str) -> dict[str, Any]:
    fixed = model == "fixed"
    return {"color": COLOURS[schedule], "linestyle": "-" if fixed else "--"}


def _name(schedule: str) -> str:
    return f"{HOT:g} → {TEACHER_SIGMA:g}" if schedule == COOLED else f"sigma {schedule}"


def _legend(axes: Any) -> None:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=COLOURS[schedule], label=_name(schedule)) for schedule in SCHEDULES
    ]
    for model in ("fixed", "float"):
        style = {**_style(COOLED, model), "color": GREY, "marker": MARKERS[model]}
        lines.append(Line2D([], [], label=LABELS[model], markerfacecolor="none", **style))
    axes.legend(handles=lines, loc="lower right", ncols=2, fontsize=9, frameon=False)


def _curves(axes: Any, cooling: Cooling, rule: str) -> None:
    for schedule in SCHEDULES:
        for model in MODELS:
            curve = cooling.course(DENSEST, rule, schedule, model).agreement.mean(axis=0)
            axes.plot(
                np.concatenate(([0], cooling.marks)), np.concatenate(([0.0], curve)),
                **_style(schedule, model),
            )  # fmt: skip
    axes.set_xlabel("windows learned")
    axes.set_title(
        f"{rule} rule, {cooling.input_rates[DENSEST]:g} spikes a step and input", fontsize=10
    )
    axes.grid(alpha=0.3)


def _densities(axes: Any, cooling: Cooling, rule: str) -> None:
    sparsities = list(cooling.input_rates)
    for shift, schedule in enumerate(SCHEDULES):
        for model in MODELS:
            ends = [
                mean_interval(cooling.course(sparsity, rule, schedule, model).final)
                for sparsity in sparsities
            ]
            # Side by side, so that no bar hides another.
            move = 0.05 * (shift - 2) + (0.015 if model == "fixed" else -0.015)
            marker = {"marker": MARKERS[model], "markersize": 4, "markerfacecolor": "none"}
            places = np.arange(len(sparsities)) + move
            errors(axes, places, ends, {**_style(schedule, model), **marker})
    rates = [f"{cooling.input_rates[sparsity]:g}" for sparsity in sparsities]
    axes.set_xticks(range(len(sparsities)), rates)
    axes.set_xlabel("spikes a step and input (weight × density is constant)")
    axes.set_title(f"{rule} rule, after {cooling.marks[-1]} windows", fontsize=10)
    axes.grid(alpha=0.3)


def caption_cooling(cooling: Cooling) -> str:
    """Return the caption: what was measured, and the result."""
    sparsest = max(cooling.input_rates)
    found = {
        (sparsity, model): span(
            mean_interval(cooling.course(sparsity, "clipped", COOLED, model).final)
        )
        for sparsity in (DENSEST, sparsest)
        for model in MODELS
    }
    gain = {
        (sparsity, model): span(cooling.gain(sparsity, "clipped", f"{HOT:g}", model))
        for sparsity in (DENSEST, sparsest)
        for model in MODELS
    }
    silent = {
        model: ", ".join(
            schedule
            for schedule in SCHEDULES
            if not any(
                cooling.course(sparsity, "clipped", schedule, model).final.any()
                for sparsity in cooling.input_rates
            )
        )
        for model in MODELS
    }
    cost = span(cooling.gain(DENSEST, "likelihood", f"{TEACHER_SIGMA:g}", "fixed"))
    return (
        f"Students from zero weights, one teacher of noise {TEACHER_SIGMA:g} for all of a seed; "
        f"{cooling.seeds} seeds, 95 % intervals (Student's t), differences paired by seed. A "
        f"silent student (no weight at half an LSB) counts 0. Cooled, the clipped rule reaches "
        f"{found[DENSEST, 'fixed']} in fixed point, {found[DENSEST, 'float']} in float; at the "
        f"sparsest inputs {found[sparsest, 'fixed']} and {found[sparsest, 'float']}. It "
        f"stays silent at constant sigma {silent['fixed']} (float {silent['float']}). Cooling "
        f"ends above constant sigma {HOT:g} by {gain[DENSEST, 'fixed']} (float "
        f"{gain[DENSEST, 'float']}), sparsest {gain[sparsest, 'fixed']} (float "
        f"{gain[sparsest, 'float']}). For the likelihood rule cooled less constant "
        f"{TEACHER_SIGMA:g} is {cost} in fixed point."
    )
