"""The figure of one learning window, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitlif.study.claims.bins import Bins, Window
from bitlif.tasks.colours import BLACK, BLUE, GREY, VERMILION

from .figure_style import LABELS, new_figure

TITLE = "One training window in steps: from spikes to the update of the weights at its end"


def draw_bins(bins: Bins) -> Any:
    """Return the figure: one column per model, one row per quantity."""
    figure = new_figure(13.5, 10.8)
    heights = (1.5, 1.4, 1.0, 1.0, 1.2, 1.3)
    panels = figure.subplots(len(heights), 2, height_ratios=heights, sharey="row")
    for column, window in enumerate(bins.windows):
        axes = panels[:, column]
        axes[0].set_title(f"{LABELS[window.model]}", fontsize=11, fontweight="bold", loc="center")
        _inputs(axes[0], bins)
        _membrane(axes[1], bins, window)
        steps = np.arange(window.error.size)
        axes[2].vlines(steps, 0.0, window.error, color=BLUE, linewidth=1.0)
        axes[2].axhline(0.0, color=BLACK, linewidth=0.6)
        axes[3].plot(steps, window.trace[:, bins.shown], color=BLUE, linewidth=1.2)
        _gradient(axes[4], bins, window)
        _update(axes[5], bins, window)
        for panel in axes[:5]:
            panel.set_xlim(-1, window.error.size)
            panel.set_xticks(range(0, window.error.size + 1, 50))
        for panel in axes[:4]:
            panel.tick_params(labelbottom=False)
        axes[4].set_xlabel("time (steps)")
        axes[5].set_xlabel("input")
    names = (
        "input spikes\n(input)",
        "potential Vb\n(threshold = 1)",
        "error e\n(sigma · d log p/dV)",
        f"PSP trace of\ninput {bins.shown}",
        "gradient so far\nΣ e · trace",
        "update at the\nend (LSB)",
    )
    for axes, name in zip(panels[:, 0], names, strict=True):
        axes.set_ylabel(name, fontsize=9)
    figure.align_ylabels(list(panels[:, 0]))
    return figure


def _inputs(axes: Any, bins: Bins) -> None:
    times, addresses = bins.events.times, bins.events.addresses
    highlighted = addresses == bins.shown
    axes.scatter(
        times[~highlighted], addresses[~highlighted], s=7, marker="|", linewidths=0.9, color=GREY
    )
    axes.scatter(
        times[highlighted],
        addresses[highlighted],
        s=30,
        marker="|",
        linewidths=1.8,
        color=VERMILION,
    )
    axes.set_ylim(-1.5, bins.events.units + 0.5)


def _membrane(axes: Any, bins: Bins, window: Window) -> None:
    axes.plot(np.arange(window.membrane.size), window.membrane, color=BLUE, linewidth=1.1)
    axes.axhline(1.0, color=BLACK, linewidth=0.8, linestyle="--")
    target, output = np.flatnonzero(bins.target), np.flatnonzero(window.output)
    marks = {"linewidths": 1.8, "s": 70, "marker": "|"}
    axes.scatter(target, np.full(target.size, 1.62), color=BLACK, label="target spike", **marks)
    axes.scatter(output, np.full(output.size, 1.3), color=VERMILION, label="output spike", **marks)
    axes.set_ylim(-0.15, 2.25)
    axes.legend(loc="upper left", ncols=2, fontsize=8, frameon=False)


def _gradient(axes: Any, bins: Bins, window: Window) -> None:
    axes.plot(window.running, color=GREY, linewidth=0.4)
    axes.plot(window.running[:, bins.shown], color=VERMILION, linewidth=1.5)
    axes.axhline(0.0, color=BLACK, linewidth=0.6)


def _update(axes: Any, bins: Bins, window: Window) -> None:
    colours = [VERMILION if j == bins.shown else GREY for j in range(window.update.size)]
    axes.bar(np.arange(window.update.size), window.update / bins.lsb, color=colours, width=0.8)
    axes.axhline(0.0, color=BLACK, linewidth=0.6)


def caption_bins(bins: Bins) -> str:
    """Return the caption: what was measured, and the result."""
    real, fixed = bins.windows
    settings = bins.settings
    apart = int(np.count_nonzero(real.output != fixed.output))
    return (
        f"Window {settings.windows + 1} of a student of the teacher task (likelihood rule, sigma "
        f"{settings.sigma:g}, T = {settings.steps} steps, rate "
        f"{settings.rate:g}); both models from the same weights and with the same noise "
        f"draws. A step is the bin of training: at most one spike "
        f"of an input, of the target ({int(bins.target.sum())} in all) and of the output "
        f"({int(fixed.output.sum())} fixed point, {int(real.output.sum())} float; they differ in "
        f"{apart} steps); the target resets the membrane. An error is "
        f"large where the target spikes and the potential was low, or the other way round; times "
        f"each input's trace it adds to that input's gradient, and after the last step w += rate "
        f"/ T · gradient, in fixed point rounded stochastically to 2^{round(np.log2(bins.lsb))}. "
        f"Red: input {bins.shown}. The updates of the two models differ by at most "
        f"{bins.largest_difference:.2f} LSB."
    )
