"""The demo's waveform: one simulated learning step of the core, clock cycle by clock cycle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bitlif.scripts.support.waveform import MOVED, Beat, Wave, beats, excerpts
from bitlif.tasks.colours import BLUE, GREY

from .pictures import own_style

TALL, LOW, GAP, APART = 1.0, 0.62, 0.32, 0.3
"""Heights of rows with two numbers and with one, and gaps between rows and between groups."""

CUT, SLANT = 1.3, 0.13
"""Widths in clock cycles: of the gap for omitted cycles, and of a hexagon's slanted side."""


ROWS = (
    ("clk", None), ("i_events.valid", "events valid"), ("i_events.ready", "events ready"),
    ("i_events.address", None), ("i_targets.valid", "targets valid"),
    ("i_targets.ready", "targets ready"), ("i_targets", None), ("gather", None),
    ("neurons", None), ("learn", None), ("send", None),
    ("slot to neurons", None), ("neurons that spike", None), ("errors", None),
    ("trace written", None), ("gradient row written", None), ("o_events.valid", "out valid"),
    ("o_events.ready", "out ready"), ("o_events.address", None), ("step_done", "step done"),
)  # fmt: skip
"""Rows from top to bottom, with the label of each row that is not a bus."""

GROUPS = (
    "i_events.valid", "i_targets.valid", "gather", "slot to neurons", "o_events.valid", "step_done",
)  # fmt: skip
"""First row of each group."""


class _Paper:
    """Axes in clock cycles, with gaps, and rows from top to bottom."""

    def __init__(self, axes: Any, wave: Wave) -> None:
        self.axes, self.wave = axes, wave
        self.parts = excerpts(wave)
        self.offsets, place = [], 0.0
        for start, stop in self.parts:
            self.offsets.append(place - start)
            place += stop - start + CUT
        self.width = place - CUT

    def pieces(self, start: int, stop: int) -> list[tuple[float, float]]:
        """Return the intervals on the axis in which a value is drawn."""
        return [
            (max(start, first) + offset, min(stop, final) + offset)
            for (first, final), offset in zip(self.parts, self.offsets, strict=True)
            if start < final and stop > first
        ]

    def line(self, values: list[int], bottom: float, height: float, colour: str) -> None:
        """Draw a signal of one bit."""
        for (first, final), offset in zip(self.parts, self.offsets, strict=True):
            own = [bottom + height * value for value in values[first:final]]
            edges = np.arange(first, final + 1) + offset
            self.axes.stairs(own, edges, baseline=None, color=colour, linewidth=1.4)

    def clock(self, bottom: float, height: float) -> None:
        """Draw the clock signal, which rises at the start of each cycle."""
        for (first, final), offset in zip(self.parts, self.offsets, strict=True):
            halves = np.arange(2 * first, 2 * final + 1) / 2 + offset
            levels = [bottom + height * (1 - half % 2) for half in range(2 * (final - first))]
            self.axes.stairs(levels, halves, baseline=None, color=GREY, linewidth=1.1)

    def bus(self, row: list[Beat], bottom: float, height: float) -> None:
        """Draw values as hexagons, and a line where the bus is idle."""
        middle, top = bottom + height / 2, bottom + height
        for part in self.parts:
            (piece,) = self.pieces(*part)
            self.axes.plot(piece, [middle] * 2, color="#AAAAAA", linewidth=0.9, zorder=1)
        for beat in row:
            pieces = self.pieces(beat.start, beat.stop)
            for left, right in pieces:
                xs = [left, left + SLANT, right - SLANT, right, right - SLANT, left + SLANT]
                ys = [middle, top, top, middle, bottom, bottom]
                self.axes.fill(xs, ys, facecolor=beat.fill, edgecolor="none", zorder=2)
                self.axes.fill(xs, ys, facecolor="none", edgecolor="black", linewidth=0.8, zorder=4)
                self._say(beat.text, left, right, middle)
            for left, right in self.pieces(beat.stop - 1, beat.stop) if beat.moves else ():
                slant = SLANT if beat.stop - beat.start == 1 else 0.0
                xs = [left, left + slant, right - SLANT, right, right - SLANT, left + slant]
                ys = [middle, top, top, middle, bottom, bottom]
                self.axes.fill(xs, ys, facecolor=MOVED, edgecolor="none", zorder=3)

    def _say(self, text: str, left: float, right: float, middle: float) -> None:
        """Print a value in its hexagon, or after the last clock cycle if it is too long."""
        where: dict[str, Any] = {"x": (left + right) / 2, "ha": "center"}
        if text.isalpha() and len(text) > 2.7 * (right - left) + 1.4:
            if right < self.width - 0.5:
                return
            where = {"x": right + 0.15, "ha": "left"}
        self.axes.text(
            y=middle, s=text, va="center", fontsize=7.5, linespacing=0.95, zorder=5, **where
        )


@own_style()
def draw_waveform(path: Path, wave: Wave) -> None:
    """Write the picture as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 8.2), dpi=110)
    axes = figure.add_axes((0.125, 0.075, 0.87, 0.87))
    paper = _Paper(axes, wave)
    found, top = beats(wave), 0.0
    marks: list[tuple[float, str]] = []
    for name, signal in ROWS:
        tall = any("\n" in beat.text for beat in found.get(name, []))
        height = TALL if tall else LOW
        top -= height + GAP + (APART if name in GROUPS else 0.0)
        lanes = " (lanes 0, 1)" if tall and name != "neurons that spike" else ""
        marks.append((top + height / 2, name + lanes))
        if name == "clk":
            paper.clock(top, height)
        elif signal is not None:
            driven = name in ("i_events.valid", "i_targets.valid", "o_events.ready")
            paper.line(wave[signal], top, height, BLUE if driven else "black")
        else:
            paper.bus(found[name], top, height)
    _draw_time(axes, paper, top - GAP)
    axes.set_yticks([mark for mark, _ in marks], [name for _, name in marks], fontsize=9.5)
    axes.tick_params(axis="y", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    sizes = wave.config.layer
    figure.suptitle(
        f"Step {wave.step} of a window of the {wave.config.name} core ({sizes.inputs} inputs, "
        f"{sizes.neurons} neurons on {sizes.lanes} lanes), as its Verilog was simulated: "
        f"{wave.clocks} clocks",
        fontsize=13,
        fontweight="bold",
        y=0.975,
        parse_math=False,
    )
    figure.savefig(path, format="png", backend="agg")


def _draw_time(axes: Any, paper: _Paper, bottom: float) -> None:
    """Draw the numbers of clock cycles, the clock edges and the gaps."""
    ticks, labels = [], []
    for (start, stop), offset in zip(paper.parts, paper.offsets, strict=True):
        for clock in range(start, stop):
            if clock % 5 == 0 or (clock == start and clock % 5 in (1, 2, 3)):
                ticks.append(clock + offset)
                labels.append(str(clock))
        edges = np.arange(start, stop + 1) + offset
        axes.vlines(edges, bottom, 0, color="#E4E4E4", linewidth=0.6, zorder=0)
    for (_, stop), (start, _), offset in zip(
        paper.parts, paper.parts[1:], paper.offsets, strict=False
    ):
        left = stop + offset
        axes.axvspan(left + 0.25, left + CUT - 0.25, color="#EEEEEE", linewidth=0, zorder=0)
        axes.text(
            left + CUT / 2, bottom / 2, f"{start - stop} clocks left out", rotation=90,
            ha="center", va="center", fontsize=9, color=GREY,
        )  # fmt: skip
    axes.set_xlim(-0.2, paper.width + 1.6)
    axes.set_ylim(bottom, 0.0)
    axes.set_xticks(ticks, labels, fontsize=9)
    axes.set_xlabel(
        "clocks of the step; registers change at grey lines.   Blue lines: driven from "
        "outside.   Blue ends of values: handed over with that clock.   Orange: a spike, or an "
        "error that is kept.   Grey: other steps",
        fontsize=9,
    )
