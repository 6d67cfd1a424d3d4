"""The figure of the transition from a temporal code to a rate code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bitlif.study.claims.coding import ACCURACY, WIDTHS, Code, Coding
from bitlif.study.claims.models import MODELS
from bitlif.study.claims.spike_trains import CATCH, KERNEL_STEPS, chance_jitter
from bitlif.study.statistics import Interval, mean_interval
from bitlif.tasks.colours import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION

from .figure_style import LABELS, STYLES, errors, new_figure, span

TITLE = "From a temporal to a rate code as the noise grows, at the same number of spikes"

Numbers = Callable[[Code], Any]


def draw_coding(coding: Coding) -> Any:
    """Return the figure: precision in the upper row, information and its cost in the lower."""
    figure = new_figure(13.5, 8.6)
    panels = figure.subplots(2, 4)
    jitter, correlation, fano, spikes = panels[0]
    information, smoothing, efficiency, cost = panels[1]
    _both(jitter, coding, lambda code: code.measures["jitter"])
    jitter.axhline(chance_jitter(), color=BLACK, linestyle=":", linewidth=1.0)
    jitter.set_ylim(0, 1.15 * chance_jitter())
    jitter.text(0.02, chance_jitter() + 0.08, " chance", fontsize=8, va="bottom")
    jitter.set_title("spike-time jitter (steps)", fontsize=10)
    _both(correlation, coding, lambda code: code.measures["reliability"])
    correlation.set_title("reliability (mean pairwise correlation)", fontsize=10)
    correlation.set_ylim(0, 1)
    _both(fano, coding, lambda code: code.measures["fano_factor"])
    fano.set_title("Fano factor of the counts", fontsize=10)
    fano.set_ylim(bottom=0)
    fano.legend(loc="upper left", fontsize=9, frameon=False)
    _cost(spikes, coding, "spikes", "output spikes")
    _information(information, coding)
    _smoothing(smoothing, coding)
    _both(efficiency, coding, lambda code: code.bits_per_spike)
    efficiency.set_title("bits a spike (spike times)", fontsize=10)
    efficiency.set_ylim(bottom=0)
    _cost(cost, coding, "operations", "synaptic operations")
    for axes in panels.ravel():
        axes.grid(alpha=0.3)
        if axes is not smoothing:
            axes.set_xscale("log")
            axes.set_xlabel("sigma (threshold = 1 at sigma 0)")
    return figure


def _row(coding: Coding, model: str) -> list[Code]:
    return [coding.code(sigma, model) for sigma in coding.settings.sigmas]


def _intervals(coding: Coding, model: str, numbers: Numbers) -> list[Interval]:
    return [mean_interval(numbers(code)) for code in _row(coding, model)]


def _both(axes: Any, coding: Coding, numbers: Numbers) -> None:
    for model in MODELS:
        errors(
            axes, coding.settings.sigmas, _intervals(coding, model, numbers), STYLES[model],
            label=LABELS[model],
        )  # fmt: skip


def _information(axes: Any, coding: Coding) -> None:
    kinds: tuple[tuple[str, str, Numbers], ...] = (
        ("times", BLUE, lambda code: code.times),
        ("counts", VERMILION, lambda code: code.widths[:, -1]),
    )
    for name, colour, numbers in kinds:
        for model in MODELS:
            style = {**STYLES[model], "color": colour}
            label = f"{name}, {LABELS[model]}"
            errors(
                axes, coding.settings.sigmas, _intervals(coding, model, numbers), style, label=label
            )
    most = float(np.log2(coding.settings.stimuli))
    axes.axhline(most, color=BLACK, linestyle=":", linewidth=1.0)
    axes.set_ylim(0, 1.45 * most)
    axes.legend(loc="upper right", fontsize=8, frameon=False)
    axes.set_title("information about the stimulus\n(bits a neuron; dotted: all)", fontsize=10)


def _smoothing(axes: Any, coding: Coding) -> None:
    """Draw each sigma's information as a function of smoothing, as a share of its maximum."""
    sigmas = coding.settings.sigmas
    chosen = sorted({sigmas[0], sigmas[len(sigmas) // 3], sigmas[2 * len(sigmas) // 3], sigmas[-1]})
    for sigma, colour in zip(chosen, (BLUE, GREEN, ORANGE, VERMILION), strict=False):
        for model in MODELS:
            code = coding.code(sigma, model)
            share = (code.widths / code.times[:, None]).mean(axis=0)
            style = {**STYLES[model], "color": colour}
            label = f"sigma {sigma:g}" if model == "fixed" else None
            axes.plot(range(len(WIDTHS)), share, label=label, **style)
    names = [f"{width:g}" if np.isfinite(width) else "count" for width in WIDTHS]
    axes.set_xticks(range(len(WIDTHS)), names)
    axes.set_xlabel("smoothing (standard deviation, steps)")
    axes.set_ylim(0, 1.05)
    axes.legend(loc="lower center", fontsize=8, frameon=False)
    axes.set_title("share of the information left\nby smoothing", fontsize=10)


def _cost(axes: Any, coding: Coding, what: str, title: str) -> None:
    for name, colour in (("times", BLUE), ("counts", VERMILION)):
        for model in MODELS:
            codes = [code for code in _row(coding, model) if code.decided(name).all()]
            ends = [mean_interval(code.measures[f"decision_{what}_{name}"]) for code in codes]
            style = {**STYLES[model], "color": colour}
            label = f"from {name}, {LABELS[model]}"
            errors(axes, [code.sigma for code in codes], ends, style, label=label)
    bottom, top = axes.get_ylim()
    axes.set_ylim(0, top + 0.6 * (top - bottom))
    axes.set_xlim(_limits(coding))
    axes.legend(loc="upper right", fontsize=8, frameon=False)
    axes.set_title(f"{title} a decision\n({100 * ACCURACY:.0f} % of decisions right)", fontsize=10)
    axes.axhline(0.0, color=GREY, linewidth=0.5)


def _limits(coding: Coding) -> tuple[float, float]:
    """Return the limits of the sigma axis, even if only some sigmas have a point."""
    return coding.settings.sigmas[0] / 1.25, coding.settings.sigmas[-1] * 1.25


def caption_coding(coding: Coding) -> str:
    """Return the caption: what was measured, and the result."""
    settings = coding.settings
    low, high = (_ends(coding, sigma) for sigma in (settings.sigmas[0], settings.sigmas[-1]))
    counts = [float(code.measures["count"].mean()) for code in coding.codes]
    return (
        f"{settings.stimuli} frozen stimuli of {settings.steps} steps, {settings.trials} trials "
        f"each, {settings.neurons} neurons, {settings.seeds} seeds; 95 % intervals (Student's "
        f"t). The threshold rises with sigma so that the mean count stays the noiseless one's: "
        f"{min(counts):.2f} to "
        f"{max(counts):.2f} spikes a window and neuron over all sigmas and both models. Jitter: "
        f"standard deviation over trials of the spike nearest to a noiseless spike, within {CATCH} "
        f"steps and half way to its neighbours. Reliability: Schreiber's correlation, Gaussian of "
        f"{KERNEL_STEPS:g} steps. Information: decisions of a nearest-mean decoder on smoothed "
        f"trains (van Rossum's metric), cross-validated, Miller's bias correction; a lower bound. "
        f"Times: the best of {len(WIDTHS) - 1} smoothings; counts: nothing but the count. Costs: "
        f"maximum-likelihood decoders of all {settings.neurons} neurons over the window so far; no "
        f"point where a seed never decides. Fixed point, sigma {settings.sigmas[0]:g} and "
        f"{settings.sigmas[-1]:g}: jitter {low['jitter']} and {high['jitter']} steps; reliability "
        f"{low['reliability']} and {high['reliability']}; Fano factor {low['fano_factor']} and "
        f"{high['fano_factor']}; bits in times beyond counts {low['beyond']} and "
        f"{high['beyond']}; share of the times' bits at the finest smoothing {low['fine']} and "
        f"{high['fine']}. The counts' own bits go from {low['counts']} to {high['counts']}: noise "
        f"moves no information from times into counts, it coarsens the times at which spikes "
        f"still tell something."
    )


def _ends(coding: Coding, sigma: float) -> dict[str, str]:
    code = coding.code(sigma, "fixed")
    values = {name: code.measures[name] for name in ("jitter", "reliability", "fano_factor")}
    values |= {"beyond": code.times_beyond_counts, "fine": code.fine_share}
    values["counts"] = code.widths[:, -1]
    digits = {"fano_factor": 3}
    return {
        name: span(mean_interval(values_of), digits.get(name, 2))
        for name, values_of in values.items()
    }
