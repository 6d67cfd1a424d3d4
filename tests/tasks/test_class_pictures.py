"""The picture of classes shows the spikes of one window of each."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from blinking_task import BLINKING

import bitlif
from bitlif import Config, tasks
from bitlif.model.errors import BitlifError

PATTERNS = Config.load("patterns")
TINY = Config.load("tiny").replace(layer__neurons=2, layer__lanes=1)


def offsets(axes: Any) -> list[list[float]]:
    return [point.tolist() for own in axes.collections for point in own.get_offsets()]


def test_picture_shows_inputs_outputs_and_target_spikes() -> None:
    with bitlif.open(PATTERNS) as core:
        tasks.train(core, "patterns", epochs=1)
        figure = tasks.draw_classes(core, "patterns", sort=True, place=2)
        examples = tasks.get("patterns").load(PATTERNS, 0)
        with core.fresh() as probe:
            probe.load(core.weights())
            raster = probe.run(examples.test).raster
    above, below = figure.axes[:3], figure.axes[3:]
    for own in range(3):
        window = 6 + own  # the third of its class
        drawn = sorted((step, neuron) for step, neuron in offsets(below[own]))
        assert drawn == sorted(
            zip(*map(np.ndarray.tolist, np.nonzero(raster[window])), strict=True)
        )
        mine = below[own].collections[1].get_offsets()
        assert (np.asarray(mine)[:, 1] == own).all()
        assert len(below[own].patches) == 9  # three spikes of three steps
        assert len(offsets(above[own])) == 40
        assert above[own].get_title().startswith(f"class {own}, read as ")
    # Sorted by the first window, the inputs of the first class spike one after the other.
    ordered = sorted(offsets(above[0]), key=lambda point: point[1])
    assert [step for step, _ in ordered] == sorted(step for step, _ in ordered)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")


def test_constant_targets_are_not_drawn() -> None:
    with bitlif.open(TINY) as core:
        figure = tasks.draw_classes(core, BLINKING)
        assert len(figure.axes) == 4
        assert not figure.axes[2].patches
        with pytest.raises(BitlifError, match=r"place must be in 0 \.\.= \d+, the test windows of"):
            tasks.draw_classes(core, BLINKING, place=99)
    with (
        bitlif.open(Config.load("tiny")) as core,
        pytest.raises(BitlifError, match="'teacher' must have labels to draw its classes"),
    ):
        tasks.draw_classes(core, "teacher")
