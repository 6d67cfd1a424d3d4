"""The picture of ``bitlif encode``: the spikes of a few windows, below their time series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bitlif.model.events import Events
from bitlif.model.text import shortened, terminal_text
from bitlif.tasks.colours import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION
from bitlif.tasks.data_file import Data
from bitlif.tasks.encoding import Encoder

from .pictures import own_style

PANELS = 4
"""Most windows that are drawn."""

NAMED = 40
"""Most inputs that are named at the axis."""

CHANNEL_STYLES = (
    (BLUE, "-"), (VERMILION, "--"), (GREEN, ":"), (BLACK, "-."), (ORANGE, "-"), (GREY, "--"),
)  # fmt: skip
"""Colours and lines of the channels of a series; further channels are not drawn."""

DPI = 100


@own_style()
def save_figure(path: Path, data: Data, encoder: Encoder, events: Events) -> None:
    """Write a PNG with the spikes of up to `PANELS` windows, of different classes if possible."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    chosen = chosen_windows(data)
    series = data.kind == "series"
    named = events.units <= NAMED
    height = max(2.6, 0.16 * events.units + 1.0 if named else 4.5)
    rows = [1.6, height] if series else [height]
    figure = Figure(
        figsize=(2.6 + 2.6 * len(chosen), sum(rows) + 0.5), dpi=DPI, layout="constrained"
    )
    panels = figure.subplots(
        len(rows), len(chosen), squeeze=False, sharex="col", sharey="row",
        gridspec_kw={"height_ratios": rows},
    )  # fmt: skip
    names = encoder.input_names(data.names)
    for column, window in enumerate(chosen):
        axes = panels[-1, column]
        one = events.select([window])
        # A mark fills most of its row.
        mark = min(9.0, max(1.0, 50.0 * height / events.units))
        axes.scatter(one.times, one.addresses, s=mark**2, marker="|", color=BLUE, linewidths=1.0)
        axes.set_xlim(-0.5, events.steps - 0.5)
        axes.set_ylim(events.units - 0.5, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
        axes.set_xlabel("time (steps)")
        panels[0, column].set_title(_title(data, window), fontsize=10, parse_math=False)
        if series:
            _draw_series(panels[0, column], data, window, events.steps, legend=column == 0)
    first = panels[-1, 0]
    if named:
        texts = [_text(name) for name in names]
        first.set_yticks(range(events.units), texts, fontsize=8, parse_math=False)
        first.set_ylabel("input")
    else:
        first.yaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
        first.set_ylabel("input (number)")
    if series:
        panels[0, 0].set_ylabel("value")
    # Matplotlib's version is omitted, so that the file depends only on the data.
    figure.savefig(path, format="png", backend="agg", metadata={"Software": None})


def chosen_windows(data: Data) -> list[int]:
    """Return the windows to draw: the first one of each class, then the first ones, in order."""
    first = [] if data.labels is None else sorted(np.unique(data.labels, return_index=True)[1])
    if len(first) > 1:
        return [int(window) for window in first[:PANELS]]
    return list(range(min(PANELS, data.windows)))


def _title(data: Data, window: int) -> str:
    if data.labels is None:
        return f"window {window}"
    return f"window {window}, class {_text(data.labels[window])}"


def _draw_series(axes: Any, data: Data, window: int, steps: int, *, legend: bool) -> None:
    """Draw the channels of a series over the steps of the window."""
    values = np.asarray(data.inputs)[window, : len(CHANNEL_STYLES)]
    samples = values.shape[1]
    if samples <= steps:
        time = np.linspace(0, steps - 1, samples)
    else:
        time = (np.arange(samples) + 0.5) * steps / samples - 0.5
    for row, name, (colour, line) in zip(values, data.names, CHANNEL_STYLES, strict=False):
        axes.plot(time, row, color=colour, linestyle=line, linewidth=1.2, label=_text(name))
    axes.grid(alpha=0.3)
    if legend:
        for text in axes.legend(frameon=False, fontsize=8).get_texts():
            text.set_parse_math(False)


def _text(name: object) -> str:
    """Return a name for the picture, in one short line."""
    return shortened(terminal_text(name), 24)
