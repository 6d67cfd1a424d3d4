"""The figure of hidden codes: a row for each task."""

from __future__ import annotations

from typing import Any

from bitlif.study.claims.class_decoding import BINS
from bitlif.study.claims.hidden import CONTROLS, Hidden, HiddenSettings
from bitlif.study.claims.hidden_networks import SHIPPED
from bitlif.study.claims.models import MODELS
from bitlif.study.statistics import Interval
from bitlif.tasks.colours import BLACK, GREY

from .figure_style import LABELS, STYLES, errors, new_figure, span

TITLE = "Output layers read counts of hidden spikes, even where their times tell more"

CONTROL_LABELS = {
    "intact": "intact",
    "shuffled": "times\nshuffled",
    "first": "first\nspikes",
    "equal": "counts\nequal",
    "ranks": "ranks",
}

MARKERS = ("v", "^", "o", "<", ">")
"""Markers of the trained networks, in the order of `names_trained`."""


def draw_hidden(hidden: Hidden) -> Any:
    """Return the figure: cost, noise, controls, information, jitter and sparseness per task."""
    subjects = hidden.settings.subjects
    figure = new_figure(18.0, 1.2 + 2.9 * len(subjects))
    panels = figure.subplots(len(subjects), 6, squeeze=False)
    for row, subject in zip(panels, subjects, strict=True):
        draws = (_cost, _noise, _controls, _information, _jitter, _sparseness)
        for axes, draw in zip(row, draws, strict=True):
            draw(axes, hidden, subject.name)
            axes.grid(alpha=0.3)
            axes.tick_params(labelsize=8)
        row[0].set_ylabel(f"{subject.title}\ntest accuracy (%)", fontsize=10)
    titles = (
        "accuracy and hidden spikes",
        "noise: ● in the test, ▲ in training too",
        "altered codes: ● output layer, ◆ decoder",
        "about the class: ● in counts, ◆ in times",
        "jitter of first spikes",
        "sparseness: ● population, ◆ lifetime",
    )
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, fontsize=9)
    _legend(figure)
    return figure


def names_trained(settings: HiddenSettings) -> dict[str, str]:
    """Return the names of the trained networks with their labels, noise first."""
    found = {f"sigma {sigma:g}": f"σ {sigma:g}" for sigma in settings.trained_sigmas}
    found[SHIPPED] = "as\nshipped"
    return found | {f"width {factor:g}": f"width\n×{factor:g}" for factor in settings.widths}


def _percent(interval: Interval) -> Interval:
    return Interval(100 * interval.mean, 100 * interval.low, 100 * interval.high, interval.count)


def _cost(axes: Any, hidden: Hidden, task: str) -> None:
    from matplotlib.lines import Line2D

    names, handles = names_trained(hidden.settings), []
    for marker, (name, label) in zip(MARKERS, names.items(), strict=False):
        for model in MODELS:
            style = {**STYLES[model], "linestyle": "none", "marker": marker, "markersize": 5}
            code = hidden.code(task, model, name)
            right = _percent(code.interval("accuracy"))
            errors(axes, [code.interval("hidden_spikes").mean], [right], style)
        text = label.replace("\n", " ")
        handles.append(Line2D([], [], color=BLACK, linestyle="none", marker=marker, label=text))
    axes.margins(x=0.15)
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top + 0.35 * (top - bottom))
    axes.legend(
        handles=handles, loc="upper left", ncols=3, fontsize=7, frameon=False, columnspacing=0.6,
        handletextpad=0.0, markerscale=0.7,
    )  # fmt: skip
    axes.set_xlabel("hidden spikes a window", fontsize=8)


def _noise(axes: Any, hidden: Hidden, task: str) -> None:
    settings = hidden.settings
    for model in MODELS:
        trained = [
            _percent(hidden.code(task, model, f"sigma {x:g}").interval("accuracy"))
            for x in settings.trained_sigmas
        ]
        tested = [
            _percent(hidden.code(task, model, f"test sigma {x:g}").interval("accuracy"))
            for x in settings.tested_sigmas
        ]
        errors(axes, settings.tested_sigmas, tested, {**STYLES[model], "marker": "o"})
        style = {**STYLES[model], "linestyle": ":", "marker": "^", "markersize": 5}
        errors(axes, settings.trained_sigmas, trained, style)
    axes.set_xlabel("sigma (thresholds)", fontsize=8)


def _controls(axes: Any, hidden: Hidden, task: str) -> None:
    for shift, model in zip((-0.12, 0.12), MODELS, strict=True):
        code = hidden.code(task, model)
        places = [number + shift for number in range(len(CONTROLS))]
        for reader, marker in (("output", "o"), ("decoder", "D")):
            found = [_percent(code.interval(f"{reader}_{control}")) for control in CONTROLS]
            style = {**STYLES[model], "linestyle": "none", "marker": marker}
            errors(axes, places, found, style)
    axes.set_xticks(range(len(CONTROLS)), [CONTROL_LABELS[name] for name in CONTROLS], fontsize=7)
    axes.set_ylim(0, 104)


def _information(axes: Any, hidden: Hidden, task: str) -> None:
    names = names_trained(hidden.settings)
    for shift, model in zip((-0.12, 0.12), MODELS, strict=True):
        for kind, marker in (("counts", "o"), ("times", "D")):
            found = [
                hidden.code(task, model, name).interval(f"{kind}_information") for name in names
            ]
            style = {**STYLES[model], "linestyle": "none", "marker": marker}
            places = [number + shift for number in range(len(names))]
            errors(axes, places, found, style)
    axes.set_xticks(range(len(names)), list(names.values()), fontsize=7)
    axes.margins(y=0.15)
    axes.set_ylabel("information (bits)", fontsize=8)


def _jitter(axes: Any, hidden: Hidden, task: str) -> None:
    sigmas = hidden.settings.tested_sigmas
    for model in MODELS:
        found = [
            hidden.code(task, model, f"test sigma {x:g}").interval("latency_jitter") for x in sigmas
        ]
        errors(axes, sigmas, found, STYLES[model])
    axes.set_ylim(bottom=0)
    axes.set_ylabel("standard deviation (steps)", fontsize=8)
    axes.set_xlabel("sigma in test (thresholds)", fontsize=8)


def _sparseness(axes: Any, hidden: Hidden, task: str) -> None:
    names = names_trained(hidden.settings)
    for shift, model in zip((-0.12, 0.12), MODELS, strict=True):
        for kind, marker in (("population", "o"), ("lifetime", "D")):
            found = [
                hidden.code(task, model, name).interval(f"{kind}_sparseness") for name in names
            ]
            style = {**STYLES[model], "linestyle": "none", "marker": marker}
            places = [number + shift for number in range(len(names))]
            errors(axes, places, found, style)
    axes.axhline(0.0, color=GREY, linewidth=0.5)
    axes.axhline(1.0, color=BLACK, linestyle=":", linewidth=1.0)
    axes.set_ylim(0, 1.05)
    axes.set_xticks(range(len(names)), list(names.values()), fontsize=7)


def _legend(figure: Any) -> None:
    """Draw the legend of both models below the title."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=LABELS[model], **STYLES[model]) for model in reversed(MODELS)]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, fontsize=9, frameon=False)


def caption_hidden(hidden: Hidden) -> str:
    """Return the caption: what was measured, and the result in fixed point."""
    settings = hidden.settings
    epochs = ", ".join(f"{own.title} {own.epochs}" for own in settings.subjects)
    sigmas = settings.trained_sigmas
    found = "; ".join(f"{text}: {_across(hidden, name, digits)}" for name, text, digits in QUOTED)
    return (
        f"Networks with one hidden layer, trained for fewer epochs than shipped ({epochs}), "
        f"{settings.seeds} seeds; 95 % intervals (Student's t), differences paired by seed. σ: "
        f"noise of the hidden layer in training and test, {sigmas[0]:g} or {sigmas[-1]:g} of the "
        f"threshold; width: of the surrogate derivative, relative to the shipped one. Altered "
        f"codes of the shipped network are read by its output layer, and by linear decoders "
        f"trained on the same altered code: times shuffled within the window; only first spikes; "
        f"one spike per neuron, at its first spike or else in the last step (counts equal); one "
        f"spike per neuron, in the order of the first spikes (ranks). Information: answers of "
        f"decoders of counts, and of counts in {BINS} bins, with Miller's correction. Jitter: over "
        f"{settings.trials} runs of the same window, in neurons that spiked in all. Sparseness of "
        f"Vinje and Gallant, over neurons and over windows. In fixed point, {found}."
    )


QUOTED = (
    ("shuffling_loss", "points lost by the output layer if times are shuffled", 1),
    ("equalising_loss", "if counts are equalised", 1),
    ("decoder_equalising_loss", "by a decoder if counts are equalised", 1),
    ("times_beyond_counts", "bits in times beyond counts", 2),
    ("test_noise_loss", "points lost if tested at σ 0.4 instead of 0", 1),
    ("training_noise_gain", "gained if trained at σ 0.4 instead of 0", 1),
    ("width_gain", "gained by twice instead of half the width", 1),
    ("width_spikes", "its hidden spikes, relative", 2),
)
"""Findings of the caption with their words and digits."""


def _across(hidden: Hidden, name: str, digits: int) -> str:
    """Return a finding of all tasks in fixed point."""
    return ", ".join(
        f"{own.title} {span(hidden.finding(name, own.name, 'fixed'), digits)}"
        for own in hidden.settings.subjects
    )
