"""The picture of a classified window: input spikes above the spikes of the neurons, by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bitlif.model.events import Events
from bitlif.model.text import shortened, terminal_text
from bitlif.tasks.colours import BLUE, VERMILION

from .pictures import require_matplotlib

NAMED = 20
"""Most neurons whose classes are written at the axis."""

LABEL = 16
"""Most characters of the name of a class."""


def draw_window(
    inputs: Events,
    outputs: Events,
    classes: list[Any],
    true: int,
    predicted: int,
    number: int,
    hidden: Sequence[Events] = (),
) -> Any:
    """Return a figure of one window.

    Parameters
    ----------
    inputs, outputs : Events
        One window each.
    classes : list of (int or str)
        Class of each neuron.
    true, predicted : int
        Neurons of the true and of the predicted class.
    number : int
        Of the window, for the title.
    hidden : sequence of Events
        One window of each hidden layer of a network.
    """
    from matplotlib.ticker import MaxNLocator

    size = (8.0, 5.0 + 2.5 * len(hidden))
    figure = require_matplotlib()(figsize=size, layout="constrained")
    above, *between, below = figure.subplots(2 + len(hidden), 1, sharex=True)
    verdict = "as" if true == predicted else "but classified as"
    names = [shortened(terminal_text(own), LABEL) for own in classes]
    said = f"{verdict} {names[predicted]}" if true != predicted else "recognised"
    figure.suptitle(f"test window {number}: {names[true]}, {said}", parse_math=False)
    _marks(above, inputs, [BLUE] * inputs.count)
    above.set_ylabel("input")
    for layer, (axes, events) in enumerate(zip(between, hidden, strict=True), 1):
        _marks(axes, events, [BLUE] * events.count)
        axes.set_ylabel("hidden neuron" if len(hidden) == 1 else f"neuron of hidden layer {layer}")
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    colours = [BLUE if unit == true else VERMILION for unit in outputs.addresses.tolist()]
    _marks(below, outputs, colours)
    below.set_ylabel("neuron" if len(names) > NAMED else "neuron of class")
    if len(names) <= NAMED:
        below.set_yticks(range(len(names)), names, parse_math=False)
        above.yaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    below.set_xlabel("time (steps)")
    below.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10], integer=True))
    return figure


def _marks(axes: Any, events: Events, colours: list[str]) -> None:
    """Draw a mark per spike, at most as high as a row of the 130 points of the axes."""
    height = min(max(100.0 / events.units, 3.0), 12.0)
    axes.scatter(events.times, events.addresses, s=height**2, marker="|", c=colours)
    axes.set_xlim(-1, events.steps)
    axes.set_ylim(events.units - 0.5, -0.5)
