"""Pictures of runs and training, as Matplotlib figures.

Matplotlib is imported when a function is called. The figures need no screen: a notebook shows them,
and ``figure.savefig(path)`` writes them to a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, BitlifTypeError, require_int
from bitlif.model.events import Events
from bitlif.model.extras import missing_extra
from bitlif.model.result import Result
from bitlif.model.text import quoted, shortened, terminal_text

from .colours import BLUE, VERMILION
from .learner import as_learner
from .scores import require_matrix
from .task import Epoch

NUMBERED = 20
"""Largest number of classes whose counts are written into the cells of a confusion matrix."""

LABEL = 16
"""Most characters of the name of a class at an axis."""

MARK = 3.0, 14.0
"""Smallest and largest height of the mark of a spike, in points."""


def draw_raster(spikes: Result | Events, *, window: int = 0) -> Any:
    """Return a figure of the spikes of one window: a mark per spike, units over steps.

    Parameters
    ----------
    spikes : Result or Events
        For a result, its output spikes are drawn.
    window : int

    Raises
    ------
    BitlifError
        If the window is out of range, or Matplotlib is not installed.
    """
    if not isinstance(spikes, (Events, Result)):
        raise BitlifTypeError(f"spikes must be Events or a Result, not {quoted(spikes)}")
    events = spikes.spikes if isinstance(spikes, Result) else spikes
    one = events.select([require_int("window", window, 0, events.windows - 1)])
    figure, axes = _axes(8.0, 3.5)
    # A mark is as high as most of its row, of the 200 points that the axes are high.
    height = min(max(140.0 / one.units, MARK[0]), MARK[1])
    axes.scatter(one.times, one.addresses, s=height**2, marker="|", color=BLUE)
    _count(axes.xaxis, axes.yaxis)
    axes.set_xlim(-1, one.steps)
    axes.set_ylim(one.units - 0.5, -0.5)
    axes.set_xlabel("time (steps)")
    axes.set_ylabel("neuron" if isinstance(spikes, Result) else "input")
    return figure


def draw_weights(core: Any) -> Any:
    """Return a figure of a core's weights as an image, neurons over inputs; one for each layer."""
    weights: Any = as_learner(core).real_weights()
    if not isinstance(weights, list):
        figure, axes = _axes(8.0, 3.5)
        _draw_layer(figure, axes, weights)
        return figure
    figure, panels = _axes(8.0, 3.0 * len(weights), len(weights))
    for number, (own, axes) in enumerate(zip(weights, panels, strict=True)):
        _draw_layer(figure, axes, own)
        axes.set_title(f"layer.{number}")
    return figure


def _draw_layer(figure: Any, axes: Any, weights: NDArray[np.float64]) -> None:
    top = float(np.abs(weights).max()) or 1.0
    image = axes.imshow(weights.T, cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto")
    _count(axes.xaxis, axes.yaxis)
    axes.set_xlabel("input")
    axes.set_ylabel("neuron")
    figure.colorbar(image, ax=axes, label="weight (threshold units)")


def draw_learning_curve(history: list[Epoch]) -> Any:
    """Return a figure of training and test accuracy, or of spikes without labels, by epoch."""
    if not isinstance(history, (list, tuple)) or not all(isinstance(own, Epoch) for own in history):
        raise BitlifTypeError(f"history must be a list of Epoch, not {quoted(history)}")
    if not history:
        raise BitlifError("history must hold at least one epoch, not 0")
    figure, axes = _axes(6.0, 4.0)
    numbers = [epoch.number for epoch in history]
    if np.isnan(history[-1].test_accuracy):
        axes.plot(numbers, [epoch.spikes for epoch in history], color=BLUE, marker="o")
        axes.set_ylabel("output spikes per window")
    else:
        train = [100 * epoch.train_accuracy for epoch in history]
        test = [100 * epoch.test_accuracy for epoch in history]
        axes.plot(numbers, train, color=VERMILION, marker="s", linestyle="--", label="training")
        axes.plot(numbers, test, color=BLUE, marker="o", label="test")
        axes.set_ylabel("accuracy (%)")
        axes.legend(frameon=False)
    _count(axes.xaxis)
    axes.set_xlabel("epoch")
    axes.grid(alpha=0.3)
    return figure


def draw_confusion(matrix: NDArray[np.int64], *, classes: Sequence[object] | None = None) -> Any:
    """Return a figure of a confusion matrix, (true class, predicted class).

    The counts are written into the cells of up to `NUMBERED` classes.

    Parameters
    ----------
    matrix : (K, K) int
    classes : sequence of (int or str), optional
        Name of each class, for the axes of up to `NUMBERED` classes; None: its number.

    Raises
    ------
    BitlifError
        If it is not a square matrix of counts, the names are not one per class, or Matplotlib is
        not installed.
    """
    matrix = require_matrix(matrix)
    names = range(len(matrix)) if classes is None else classes
    if len(names) != len(matrix):
        raise BitlifError(f"classes must be {len(matrix)} names, not {len(names)}")
    figure, axes = _axes(5.0, 4.5)
    top = max(int(matrix.max()), 1)
    image = axes.imshow(matrix, cmap="Blues", vmin=0, vmax=top)
    if len(matrix) <= NUMBERED:
        size = min(8.0, 100.0 / len(matrix) / len(str(top)) * 2)
        for (true, predicted), count in np.ndenumerate(matrix):
            colour = "white" if count > top / 2 else "black"
            axes.text(
                predicted, true, str(count), ha="center", va="center", color=colour, fontsize=size
            )
        texts = [shortened(terminal_text(name), LABEL) for name in names]
        # Names that are longer than their column are written upwards.
        steep = 90 if max(map(len, texts)) * len(texts) > 36 else 0
        axes.set_xticks(range(len(matrix)), texts, rotation=steep, parse_math=False)
        axes.set_yticks(range(len(matrix)), texts, parse_math=False)
    else:
        _count(axes.xaxis, axes.yaxis)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    figure.colorbar(image, ax=axes, label="test windows")
    return figure


def _count(*lines: Any) -> None:
    """Put the ticks of axes at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    for line in lines:
        # One tick is enough: an axis can show a single neuron or epoch.
        line.set_major_locator(
            MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
        )


def _axes(width: float, height: float, rows: int | None = None) -> tuple[Any, Any]:
    """Return a new figure, in inches, and its axes, or a list of `rows` axes."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("pictures need Matplotlib", "demo", error) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots() if rows is None else figure.subplots(rows, squeeze=False)[:, 0]
