"""The figure of the gradient as a function of one weight."""

from __future__ import annotations

from typing import Any

from bitlif.study.claims.landscape import Landscape, Scan
from bitlif.study.claims.models import MODELS, RULES
from bitlif.study.statistics import mean_interval
from bitlif.tasks.colours import BLACK

from .figure_style import LABELS, STYLES, new_figure

TITLE = "Gradient over one weight: it falls through zero at the teacher's, at every noise"

LINEAR = {"likelihood": 1e-2, "clipped": 1e-4}
"""Largest gradient on the linear part of the axis; larger ones are on a log scale."""


def draw_landscape(landscape: Landscape) -> Any:
    """Return the figure: one row per rule, one column per sigma."""
    sigmas = list(dict.fromkeys(scan.sigma for scan in landscape.scans))
    figure = new_figure(3.3 * len(sigmas) + 0.6, 7.4)
    panels = figure.subplots(len(RULES), len(sigmas), sharex=True, sharey="row", squeeze=False)
    for row, rule in zip(panels, RULES, strict=True):
        for axes, sigma in zip(row, sigmas, strict=True):
            axes.set_yscale("symlog", linthresh=LINEAR[rule])
            axes.axhline(0.0, color=BLACK, linewidth=0.7)
            axes.axvline(landscape.teacher, color=BLACK, linewidth=0.9, linestyle=":")
            for model in MODELS:
                _curve(axes, landscape, landscape.scan(sigma, rule, model))
            axes.set_title(f"{rule}, sigma {sigma:g}", fontsize=10)
            note = "crosses zero at"
            for model in MODELS:
                crossing = landscape.scan(sigma, rule, model).crossing()
                reach = crossing.high - crossing.mean
                note += f"\n{model} {crossing.mean:.4f} ± {reach:.4f}"
            axes.text(0.02, 0.04, note, transform=axes.transAxes, fontsize=8, va="bottom")
        row[0].set_ylabel(f"{rule} rule: gradient\n1/T Σ error · trace")
    for axes in panels[-1]:
        axes.set_xlabel("weight w (threshold = 1)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    panels[0, 0].legend(handles, labels, loc="center left", fontsize=8, frameon=False)
    return figure


def _curve(axes: Any, landscape: Landscape, scan: Scan) -> None:
    ends = [mean_interval(column) for column in scan.gradient.T]
    style = {**STYLES[scan.model], "markersize": 2.5}
    axes.plot(
        landscape.weights, [end.mean for end in ends], label=LABELS[scan.model], linewidth=1.0,
        **style,
    )  # fmt: skip
    axes.fill_between(
        landscape.weights, [end.low for end in ends], [end.high for end in ends],
        color=style["color"], alpha=0.2, linewidth=0,
    )  # fmt: skip


def caption_landscape(landscape: Landscape) -> str:
    """Return the caption: what was measured, and the result."""
    held = sum(landscape.teacher in scan.crossing() for scan in landscape.scans)
    far = max(abs(scan.crossing().mean - landscape.teacher) for scan in landscape.scans)
    stable = sum(mean_interval(scan.slopes).high < 0 for scan in landscape.scans)
    sigmas = sorted({scan.sigma for scan in landscape.scans})
    gone = [
        sigma
        for sigma in sigmas
        if not landscape.scan(sigma, "clipped", "fixed").gradient[:, 0].any()
    ]
    left = {
        model: float(landscape.scan(sigmas[-1], "clipped", model).gradient[:, 0].mean())
        for model in MODELS
    }
    return (
        f"One synapse and one neuron; a teacher of the same model, weight w* = "
        f"{landscape.teacher:g} (dotted) and the same noise gives targets and resets. Mean "
        f"gradient over {landscape.windows} windows of {landscape.steps} steps, and over "
        f"{landscape.seeds} seeds with 95 % intervals (Student's t; bands). The 95 % interval of "
        f"the zero crossing holds w* for {held} of {len(landscape.scans)} combinations of sigma, "
        f"rule and model (of so many intervals one in twenty may miss); the farthest mean is "
        f"{far:.4f} from it. The slope there is negative, its whole interval below zero, in "
        f"{stable} of {len(landscape.scans)}: a stable fixed point. The likelihood rule never "
        f"vanishes; the clipped one does at small weights and low noise: at w = 0 the integers' "
        f"gradient is exactly zero up to sigma {max(gone):g}, and {left['fixed']:.2g} at "
        f"{sigmas[-1]:g} (float {left['float']:.2g}). Symmetric logarithmic axes, linear below "
        f"0.01 (likelihood) and 0.0001 (clipped)."
    )
