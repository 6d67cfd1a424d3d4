"""A picture of one test window of each class: what went in, what came out, what was taught."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import outer
from bitlif.model.errors import BitlifError, require_bool, require_int
from bitlif.model.extras import missing_extra
from bitlif.model.result import Result

from .colours import BLUE, GREY, VERMILION
from .learner import as_learner
from .readouts import readout
from .registry import get
from .task import Examples, Task, run_test
from .training import checked_examples

MOST_CLASSES = 6
"""Largest number of classes that are drawn, one column each."""


def draw_classes(
    core: Any,
    task: Task | str,
    *,
    seed: int = 0,
    examples: Examples | None = None,
    probe: Any = None,
    place: int = 0,
    sort: bool = False,
) -> Any:
    """Return a figure of a test window of each class: input spikes above, output spikes below.

    The spikes of the neuron of the class have another colour than those of the others. The steps in
    which the task teaches this neuron to spike are shaded, if its targets differ by step.

    Parameters
    ----------
    core : Core
        The trained layer.
    task : Task or str
        With labels.
    seed, examples, probe
        As for `bitlif.tasks.train`.
    place : int
        Which of the test windows of each class: 0 is the first.
    sort : bool
        Whether the inputs are in the order of their first spikes in the window of the first class,
        so that other orders stand out.

    Raises
    ------
    BitlifError
        If the task has no labels, a class has too few test windows, or Matplotlib is not installed.
    """
    task, core = get(task), as_learner(core)
    examples = checked_examples(task, outer(core.config), seed, examples)
    if examples.test_labels is None:
        raise BitlifError(f"task '{task.name}' must have labels to draw its classes")
    place, sort = require_int("place", place, 0, 1 << 30), require_bool("sort", sort)
    classes = np.unique(examples.test_labels)[:MOST_CLASSES]
    chosen = [_window_of(examples.test_labels, int(own), place) for own in classes]
    probe = as_learner(core.fresh() if probe is None else probe)
    read = readout(task.readout)
    result = run_test(core, probe, examples, read)
    answers = read.classify(result)
    rasters = [examples.test.select([window]).raster()[0] for window in chosen]
    order = _order(rasters[0]) if sort else np.arange(rasters[0].shape[1])
    taught = _taught_steps(task, examples, outer(core.config).layer.neurons)
    figure, axes = _grid(len(classes))
    for column, (own, window) in enumerate(zip(classes.tolist(), chosen, strict=True)):
        above, below = axes[0][column], axes[1][column]
        step, unit = np.nonzero(rasters[column][:, order])
        height = min(max(190.0 / order.size, 2.0), 10.0)
        above.scatter(step, unit, s=height**2, marker="|", color=BLUE)
        above.set_title(f"class {own}, read as {answers[window]}", fontsize="medium")
        above.set_ylim(order.size - 0.5, -0.5)
        _draw_output(below, result, window, own, taught.get(own))
        below.set_xlabel("time (steps)")
        below.set_xlim(-1, result.raster.shape[1])
    which = "input, in the order of the first window" if sort else "input"
    axes[0][0].set_ylabel(which, fontsize="small" if sort else "medium")
    axes[1][0].set_ylabel("neuron")
    _legend(figure, taught=bool(taught), columns=3 if len(classes) > 2 else 1)
    return figure


def _draw_output(
    axes: Any, result: Result, window: int, own: int, taught: NDArray[np.bool_] | None
) -> None:
    """Draw the output spikes of a window, those of the neuron `own` in another colour."""
    neurons = result.raster.shape[2]
    step, neuron = np.nonzero(result.raster[window])
    height = min(max(70.0 / neurons, 2.0), 14.0)
    if taught is not None:
        for at in np.flatnonzero(taught):
            axes.axvspan(at - 0.5, at + 0.5, color=GREY, alpha=0.25, linewidth=0)
    for mine, colour in ((False, BLUE), (True, VERMILION)):
        shown = (neuron == own) == mine
        axes.scatter(step[shown], neuron[shown], s=height**2, marker="|", color=colour, zorder=3)
    axes.set_ylim(neurons - 0.5, -0.5)


def _window_of(labels: NDArray[np.int64], own: int, place: int) -> int:
    """Return the number of the test window at a place among those of a class."""
    windows = np.flatnonzero(labels == own)
    if place >= windows.size:
        raise BitlifError(
            f"place must be in 0 ..= {windows.size - 1}, the test windows of class {own}, "
            f"not {place}"
        )
    return int(windows[place])


def _order(raster: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the inputs in the order of their first spikes; inputs without spikes come last."""
    first = np.where(raster.any(axis=0), raster.argmax(axis=0), len(raster))
    return np.argsort(first, kind="stable")


def _taught_steps(task: Task, examples: Examples, neurons: int) -> dict[int, NDArray[np.bool_]]:
    """Return the steps in which the neuron of each class is to spike; empty if in all alike."""
    targets = np.asarray(task.targets(examples, neurons))
    labels = examples.train_labels
    if targets.ndim < 3 or labels is None:
        return {}
    return {
        int(own): targets[int(np.flatnonzero(labels == own)[0]), :, own] > 0
        for own in np.unique(labels)
    }


def _grid(columns: int) -> tuple[Any, Any]:
    """Return a new figure, and its axes by row and column."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise missing_extra("pictures need Matplotlib", "demo", error) from error
    figure = Figure(figsize=(max(2.9 * columns, 5.0), 5.0), layout="constrained")
    axes = figure.subplots(
        2, columns, sharex=True, sharey="row", squeeze=False, height_ratios=(3, 1)
    )
    for own in axes.ravel():
        for line in (own.xaxis, own.yaxis):
            line.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    return figure, axes


def _legend(figure: Any, *, taught: bool, columns: int) -> None:
    """Add a legend of the colours below the axes."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def mark(colour: str, label: str) -> Line2D:
        return Line2D([], [], color=colour, marker="|", linestyle="", markersize=10, label=label)

    handles: list[Any] = [
        mark(VERMILION, "neuron of the class"),
        mark(BLUE, "inputs, and other neurons"),
    ]
    if taught:
        handles.append(Patch(color=GREY, alpha=0.25, label="target spikes of the class"))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
