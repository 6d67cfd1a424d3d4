"""The demo's picture: one digit from spikes to decision, the learning curves, the weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.events import Events
from bitlif.tasks.colours import BLUE, GREEN, GREY, VERMILION
from bitlif.tasks.digits import BIAS_RATE, MAX_RATE, PIXELS

from .pictures import own_style

FULL_COLOUR = 98.0
"""Percentile of the weights' magnitudes at which the colour scale saturates.

A few weights are several times larger than the others, which would otherwise look pale.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Contents of the picture.

    Attributes
    ----------
    label : int
        Class of the digit shown.
    inputs : Events
        Its window.
    raster, membrane : (T, 10)
        Output spikes, and membrane potentials before the noise, in the unit of `threshold`.
    threshold : float
    accuracy : dict of str to list of float
        Test accuracy after each epoch, by model.
    network_accuracy : list of float
        Test accuracy of the network, in integers, after each epoch.
    integer_weights, float_weights : (65, 10) float
        In the unit of `threshold`.
    weight_format : str
    recognised : bool
        Whether the integer model recognises the digit.
    """

    label: int
    inputs: Events
    raster: NDArray[np.uint8]
    membrane: NDArray[np.float64]
    threshold: float
    accuracy: dict[str, list[float]]
    network_accuracy: list[float]
    integer_weights: NDArray[np.float64]
    float_weights: NDArray[np.float64]
    weight_format: str
    recognised: bool


@own_style()
def draw_demo(path: Path, shown: Shown) -> None:
    """Write the picture as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9.6), dpi=110, layout="constrained")
    integer, real = (100 * shown.accuracy[name][-1] for name in ("integer", "float"))
    figure.suptitle(
        f"Unseen digits right: layer in integers ({shown.weight_format} weights) {integer:.1f} %, "
        f"in float64 {real:.1f} %; a network {100 * shown.network_accuracy[-1]:.1f} %",
        fontsize=14,
        fontweight="bold",
    )
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.75, 1.0), hspace=0.04)
    upper, lower = parts
    grid = upper.add_gridspec(3, 2, width_ratios=(2.1, 1.0), height_ratios=(1.35, 1.0, 1.0))
    inputs = upper.add_subplot(grid[0, 0])
    outputs = upper.add_subplot(grid[1, 0], sharex=inputs)
    potential = upper.add_subplot(grid[2, 0], sharex=inputs)
    side = grid[:, 1].subgridspec(2, 1, height_ratios=(1.0, 1.35))
    _draw_inputs(inputs, shown)
    _draw_outputs(outputs, shown)
    _draw_membrane(potential, shown)
    _draw_digit(upper.add_subplot(side[0]), shown)
    _draw_curves(upper.add_subplot(side[1]), shown)
    _draw_weights(lower, shown)
    figure.savefig(path, format="png", backend="agg")


def _draw_inputs(axes: Any, shown: Shown) -> None:
    times, addresses = shown.inputs.times, shown.inputs.addresses
    axes.scatter(times, addresses, s=4, marker="|", linewidths=1.0, color=GREY)
    axes.set_ylabel("input\n(pixel number)")
    axes.set_ylim(PIXELS + 1.5, -1.5)
    axes.set_yticks([0, 16, 32, 48, 64], ["0", "16", "32", "48", "bias"])
    axes.set_title("Input spikes: the darker a pixel, the more often", loc="left", fontsize=10)
    axes.tick_params(labelbottom=False)


def _draw_outputs(axes: Any, shown: Shown) -> None:
    times, neurons = np.nonzero(shown.raster)
    true = neurons == shown.label
    marks = {"marker": "|", "s": 55, "linewidths": 1.6}
    axes.scatter(times[~true], neurons[~true], color=GREY, **marks)
    axes.scatter(times[true], neurons[true], color=BLUE, **marks)
    axes.set_ylabel("output\n(class)")
    classes = shown.raster.shape[1]
    axes.set_ylim(classes - 0.3, -0.7)
    axes.set_yticks(range(classes))
    axes.tick_params(axis="y", labelsize=8, labelbottom=False)
    axes.tick_params(labelbottom=False)
    counts = shown.raster.sum(axis=0)
    axes.set_title(
        f"Output spikes: neuron {shown.label} (blue) fires {counts[shown.label]} times, all others "
        f"together {counts.sum() - counts[shown.label]}",
        loc="left",
        fontsize=10,
    )


def _draw_membrane(axes: Any, shown: Shown) -> None:
    steps = np.arange(shown.membrane.shape[0])
    trace = shown.membrane[:, shown.label] / shown.threshold
    axes.axhline(1.0, color=VERMILION, linewidth=1.2, linestyle="--", label="threshold u")
    axes.plot(steps, trace, color=BLUE, linewidth=1.3, label="membrane before the noise, Vb")
    fired = shown.raster[:, shown.label] > 0
    axes.scatter(
        steps[fired], trace[fired], s=22, color=VERMILION, zorder=3, label="spike, then reset to 0"
    )
    axes.set_ylabel("potential\n(threshold = 1)")
    axes.set_xlabel("time (steps)")
    axes.set_xlim(-1, shown.membrane.shape[0])
    top, bottom = max(trace.max(), 1.0), min(trace.min(), 0.0)
    axes.set_ylim(bottom - 0.1 * (top - bottom), top + 0.42 * (top - bottom))
    axes.legend(loc="upper center", ncols=3, fontsize=8, frameon=False)
    axes.set_title(
        f"Neuron {shown.label}: noise lets it fire below the threshold, or not above it",
        loc="left",
        fontsize=10,
    )


def _draw_digit(axes: Any, shown: Shown) -> None:
    counts = np.bincount(shown.inputs.addresses, minlength=PIXELS + 1)[:PIXELS]
    axes.imshow(counts.reshape(8, 8), cmap="gray_r", vmin=0)
    axes.set_xticks([])
    axes.set_yticks([])
    which = "First test digit recognised" if shown.recognised else "A test digit, not recognised"
    axes.set_title(f"{which}: a {shown.label}", fontsize=10)
    axes.set_xlabel(f"input spikes of each pixel (black: {counts.max()})", fontsize=9)


def _draw_curves(axes: Any, shown: Shown) -> None:
    from matplotlib.ticker import MaxNLocator

    styles = {
        "integer": {"color": BLUE, "marker": "o", "markersize": 4},
        "float": {"color": VERMILION, "marker": "s", "markersize": 4, "linestyle": "--"},
    }
    courses = [(f"layer, {name}", styles[name], own) for name, own in shown.accuracy.items()]
    network = {"color": GREEN, "marker": "^", "markersize": 5}
    courses.append(("network, integer", network, shown.network_accuracy))
    for name, style, accuracy in courses:
        epochs = range(1, len(accuracy) + 1)
        label = f"{name}: {100 * accuracy[-1]:.1f} % at the end"
        axes.plot(epochs, [100 * share for share in accuracy], label=label, **style)
    axes.set_xlabel("epoch (one pass over the training digits)")
    axes.set_ylabel("test accuracy (%)")
    axes.grid(alpha=0.3)
    axes.set_xlim(0.5, len(shown.accuracy["integer"]) + 0.5)
    # Leave room for the legend below the curves.
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom - 0.45 * (top - bottom), top)
    axes.legend(loc="lower right", frameon=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_title("Unseen digits right after each epoch", loc="left", fontsize=10)


def _draw_weights(figure: Any, shown: Shown) -> None:
    classes = shown.integer_weights.shape[1]
    images = figure.subplots(2, classes, sharex=True, sharey=True)
    both = np.stack((shown.integer_weights, shown.float_weights))[:, :PIXELS] / shown.threshold
    top = full_colour(both)
    picture = None
    for row, weights in zip(images, both, strict=True):
        for neuron, axes in enumerate(row):
            pixels = weights[:, neuron].reshape(8, 8)
            picture = axes.imshow(pixels, cmap="RdBu_r", vmin=-top, vmax=top)
            axes.set_xticks([])
            axes.set_yticks([])
    for neuron in range(classes):
        images[0, neuron].set_title(str(neuron), fontsize=10)
    images[0, 0].set_ylabel("integer", fontsize=10)
    images[1, 0].set_ylabel("float", fontsize=10)
    figure.suptitle(
        "Weights of the ten neurons as images: red pixels speak for the class, blue ones against "
        f"it (bias left out; it spikes at {BIAS_RATE:g} a step, full ink at {MAX_RATE:g})",
        fontsize=10,
    )
    bar = figure.colorbar(picture, ax=images, shrink=0.9, pad=0.01, extend="both")
    bar.set_label("weight (threshold = 1,\nbefore the gain)", fontsize=9)


def full_colour(weights: NDArray[np.float64]) -> float:
    """Return the magnitude, above 0, at which the colour scale saturates."""
    return float(np.percentile(np.abs(weights), FULL_COLOUR)) or 1.0
