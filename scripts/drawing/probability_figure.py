"""The figure of the probability of a spike at a given potential."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitlif.study.claims.spike_probability import GAUSSIAN, SOURCES, Curve, Probability
from bitlif.study.statistics import gaussian_cumulative, proportion_interval
from bitlif.tasks.colours import BLACK, BLUE, GREEN, VERMILION

from .figure_style import chance, new_figure

TITLE = "Chance of a spike: the integers follow their own noise's distribution, not a Gaussian's"

COLOURS = dict(zip((GAUSSIAN, *SOURCES), (VERMILION, BLUE, GREEN), strict=True))
MARKERS = dict(zip((GAUSSIAN, *SOURCES), ("s", "o", "^"), strict=True))


def draw_probability(probability: Probability) -> Any:
    """Return the figure: the probability, its lower tail, and its difference from Phi."""
    figure = new_figure(13.5, 5.2)
    whole, tail, distance = figure.subplots(1, 3)
    x = np.linspace(-5.5, 5.5, 400)
    for axes in (whole, tail):
        axes.plot(x, gaussian_cumulative(x), color=BLACK, linewidth=0.9, label="Phi (Gaussian)")
    least = 0.3 / probability.curves[0].trials
    for curve in probability.curves:
        _points(whole, curve, curve.spikes / curve.trials)
        some = curve.spikes > 0
        _points(tail, curve, np.where(some, curve.spikes / curve.trials, np.nan))
        exact = np.where(curve.expected > 0, curve.expected, np.nan)
        style = {"color": COLOURS[curve.source], "linewidth": 1.0}
        if curve.model == "fixed":
            whole.plot(curve.distance, curve.expected, **style)
            tail.plot(curve.distance, exact, **style)
            tail.axvline(-curve.cutoff, color=COLOURS[curve.source], linestyle=":", linewidth=1.0)
        _residual(distance, curve)
    whole.set_ylabel("chance of a spike in a step")
    whole.set_title("measured (points) and exact (lines)", fontsize=10)
    whole.legend(loc="upper left", fontsize=8, frameon=False)
    tail.set_yscale("log")
    tail.set_ylim(least, 1.0)
    tail.set_xlim(-5.5, 0.0)
    tail.set_title("lower tail; dotted: where a source ends", fontsize=10)
    tail.set_ylabel("chance of a spike in a step")
    distance.axhline(0.0, color=BLACK, linewidth=0.9)
    distance.set_title("less Phi: measured (95 %) and exact (lines)", fontsize=10)
    distance.set_ylabel("difference of chances")
    for axes in (whole, tail, distance):
        axes.set_xlabel("distance from threshold, (Vb − u) / sigma")
        axes.grid(alpha=0.3)
    return figure


def _points(axes: Any, curve: Curve, values: Any) -> None:
    axes.plot(
        curve.distance, values, linestyle="none", marker=MARKERS[curve.source], markersize=3.5,
        color=COLOURS[curve.source], markerfacecolor="none", markeredgewidth=0.9,
        label=f"{curve.model if curve.model == 'float' else 'fixed point'}, {curve.source}",
    )  # fmt: skip


def _residual(axes: Any, curve: Curve) -> None:
    low, high = proportion_interval(curve.spikes, curve.trials)
    measured = curve.spikes / curve.trials
    axes.errorbar(
        curve.distance, measured - curve.gaussian, yerr=(measured - low, high - measured),
        linestyle="none", marker=MARKERS[curve.source], markersize=3, elinewidth=0.7,
        color=COLOURS[curve.source], markerfacecolor="none",
    )  # fmt: skip
    if curve.model == "fixed":
        axes.plot(
            curve.distance, curve.expected - curve.gaussian, color=COLOURS[curve.source],
            linewidth=1.0,
        )  # fmt: skip


def caption_probability(probability: Probability) -> str:
    """Return the caption: what was measured, and the result."""
    parts = []
    for curve in probability.curves:
        fit = curve.chi_square(curve.expected)
        if curve.model == "float":
            parts.append(
                f"float against Phi: chi-square {fit[0]:.1f} on {fit[1]} points, {chance(fit[2])}"
            )
            continue
        ideal = curve.chi_square(curve.gaussian)
        points, spikes, awaited = curve.beyond
        parts.append(
            f"{curve.source}, ends at {curve.cutoff:.2f} sigma: {fit[0]:.1f} on {fit[1]} points, "
            f"{chance(fit[2])}, against Phi {ideal[0]:.0f} on {ideal[1]}, {chance(ideal[2])}; "
            f"{spikes} spikes at the {points} potentials out of its reach, where Phi expects "
            f"{awaited:.1f}"
        )
    return (
        f"Neurons held at fixed potentials, {probability.curves[0].trials:,} steps each, sigma "
        f"{probability.sigma:g}. Exact curves count the integer draws that lift a raw potential "
        f"to the threshold. Intervals are exact binomial ones (Clopper and Pearson). Against the "
        f"exact curve ({'; '.join(parts)}). Points whose number of spikes has a variance below 9 "
        f"are left out of chi-square."
    )
