"""The figure of ``bitlif noise``: distribution, autocorrelation, correlation of lanes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.noise_report.distribution import levels_in_sigma, probabilities
from bitlif.model.noise_report.draws import LAGS, LEAST_EXPECTED, Measurement
from bitlif.tasks.colours import BLACK, BLUE, GREEN, ORANGE, VERMILION

from .pictures import own_style, require_matplotlib

LANE_STYLES = ((BLUE, "o"), (VERMILION, "s"), (GREEN, "^"), (BLACK, "D"))
"""Colour and marker of each lane; further lanes are not drawn."""

WRITTEN_LANES = 8
"""Largest number of lanes for which correlations are printed in their cells."""

POINTS = 60
"""Approximate number of measured levels that are drawn."""

SMALLEST_DENSITY = 1e-9
"""Lower limit of the logarithmic axis, in 1/sigma."""


@own_style()
def save_figure(path: Path, config: Config, measurement: Measurement) -> None:
    """Write the picture as PNG: three panels, or four if there are lanes to correlate."""
    lanes = measurement.counts.shape[0]
    rows, columns = (2, 2) if lanes > 1 else (1, 3)
    size = (5.8 * columns, 4.4 * rows)
    figure = require_matplotlib()(figsize=size, dpi=130, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    axes = figure.subplots(rows, columns).ravel()
    noise = config.noise
    figure.suptitle(
        f"noise of '{config.name}': {noise.kind} of {noise.words} × {noise.word_bits} bits, "
        f"{measurement.draws:,} draws a lane, {lanes} lane{'s' if lanes > 1 else ''}",
        parse_math=False,
    )
    _distribution(axes[0], measurement, logarithmic=False)
    _distribution(axes[1], measurement, logarithmic=True)
    _autocorrelation(axes[2], measurement)
    if lanes > 1:
        _lanes(figure, axes[3], measurement)
    figure.savefig(path, format="png", backend="agg")


def _distribution(axes: Any, measurement: Measurement, *, logarithmic: bool) -> None:
    pmf = measurement.pmf
    knots = pmf.knots_in_sigma()
    width = np.diff(knots)
    density = probabilities(pmf) / width
    reach = max(4.5, 1.05 * float(knots[-1]))
    x = np.linspace(-reach, reach, 801)
    gaussian = np.exp(-(x**2) / 2.0) / math.sqrt(2.0 * math.pi)
    axes.plot(
        x, gaussian, color=ORANGE, linestyle="--", zorder=3, label="Gaussian of the same sigma"
    )
    axes.stairs(density, knots, color=BLUE, linewidth=1.6, label="this source, exact")
    counts = measurement.counts.sum(axis=0)
    total = int(counts.sum())
    # Show single levels, because the density varies within a group where the curve is steep.
    middle, stride = counts.size // 2, max(1, counts.size // POINTS)
    shown = np.arange(middle % stride, counts.size, stride)
    shown = shown[total * probabilities(pmf)[shown] >= LEAST_EXPECTED]
    scale = 1.0 / (total * width[shown])
    axes.errorbar(
        levels_in_sigma(pmf)[shown], counts[shown] * scale, 1.96 * np.sqrt(counts[shown]) * scale,
        fmt=".", color=BLACK, markersize=4, elinewidth=0.8, zorder=4,
        label="measured, all lanes (bars: 95 %)",
    )  # fmt: skip
    axes.set_xlim(-reach, reach)
    axes.set_xlabel("draw (sigma)")
    axes.set_ylabel("probability density (1/sigma)")
    if not logarithmic:
        axes.set_ylim(0.0, 1.45 * max(float(density.max()), float(gaussian.max())))
        axes.set_title(f"distribution of a draw: excess kurtosis {_signed(pmf.kurtosis, '.3f')}")
        axes.legend(loc="upper center", fontsize="small", frameon=False)
        return
    axes.set_yscale("log")
    lowest = min(float(density.min()), float(gaussian.min())) / 3.0
    axes.set_ylim(max(lowest, SMALLEST_DENSITY), 2.0)
    axes.set_title(f"logarithmic: none beyond ±{pmf.cutoff:.2f} sigma (dotted)")
    for side in (-pmf.cutoff, pmf.cutoff):
        axes.axvline(side, color=VERMILION, linewidth=1.8, linestyle=":")


def _autocorrelation(axes: Any, measurement: Measurement) -> None:
    lags = np.arange(1, LAGS + 1)
    lanes = measurement.counts.shape[0]
    values = measurement.autocorrelation
    largest = max(float(np.abs(values).max()), measurement.band)
    power = _power(largest)
    values, band = values / 10.0**power, measurement.band / 10.0**power
    axes.axhspan(-band, band, color=ORANGE, alpha=0.25, linewidth=0, label="95 % of white noise")
    axes.axhline(0.0, color=BLACK, linewidth=0.8)
    few = lanes <= len(LANE_STYLES)
    for lane, correlation in enumerate(values):
        colour, marker = LANE_STYLES[lane] if few else (BLUE, ".")
        shift = 0.18 * (lane - (lanes - 1) / 2) if few else 0.0
        label = f"lane {lane}" if few else f"each of {lanes} lanes" if lane == 0 else None
        axes.plot(
            lags + shift, correlation, marker, color=colour, markersize=3.5, label=label,
            alpha=1.0 if few else 0.4,
        )  # fmt: skip
    low = min(float(values.min()), -1.6 * band)
    high = max(float(values.max()), 1.6 * band)
    axes.set_ylim(low - 0.1 * (high - low), high + 0.25 * (high - low))
    axes.set_xlim(0.0, LAGS + 1.0)
    axes.set_xlabel("lag (draws of a lane)")
    axes.set_ylabel(_label(power))
    axes.set_title("autocorrelation: draws of a lane with its later ones")
    axes.legend(loc="upper right", fontsize="small", frameon=False, ncols=3)


def _lanes(figure: Any, axes: Any, measurement: Measurement) -> None:
    values = measurement.cross_correlation
    # The correlation of a lane with itself is omitted: it would dominate the colour scale.
    np.fill_diagonal(values, np.nan)
    lanes = values.shape[0]
    # Values within the band are pale.
    limit = max(float(np.nanmax(np.abs(values))), 3.0 * measurement.band)
    power = _power(limit)
    values = values / 10.0**power
    band, limit = (x / 10.0**power for x in (measurement.band, limit))
    axes.set_facecolor("#DDDDDD")
    image = axes.imshow(values, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
    bar = figure.colorbar(image, ax=axes, label=f"{_label(power)}, lines: 95 % of white noise")
    for edge in (-band, band):
        bar.ax.axhline(edge, color=BLACK, linewidth=1.0)
    if lanes <= WRITTEN_LANES:
        axes.set_xticks(range(lanes))
        axes.set_yticks(range(lanes))
        for a, b in np.ndindex(lanes, lanes):
            dark = abs(values[a, b]) > 0.6 * limit
            text = "" if a == b else _signed(float(values[a, b]), ".2f")
            colour = "white" if dark else BLACK
            axes.text(b, a, text, ha="center", va="center", fontsize=9, color=colour)
    axes.set_xlabel("lane")
    axes.set_ylabel("lane")
    axes.set_title("correlation of two lanes' draws of the same number")


def _power(largest: float) -> int:
    """Return the power of ten by which correlations up to `largest` are scaled; 0 from 0.1 up."""
    power = math.floor(math.log10(largest))
    return 0 if power == -1 else power


def _label(power: int) -> str:
    return "correlation r" if power == 0 else rf"correlation r ($10^{{{power}}}$)"


def _signed(value: float, form: str) -> str:
    return format(value, f"+{form}").replace("-", "\N{MINUS SIGN}")
