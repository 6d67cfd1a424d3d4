"""The picture of a classified window shows its spikes and the classes of the neurons."""

from __future__ import annotations

import io

import numpy as np
import pytest

from bitlif.model.events import Events
from bitlif.scripts.drawing.window_figure import NAMED, draw_window

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("neurons", [2, NAMED + 1])
def test_every_spike_is_drawn(neurons: int) -> None:
    inputs = Events.from_raster(RANDOM.random((1, 20, 7)) < 0.3)
    outputs = Events.from_raster(RANDOM.random((1, 20, neurons)) < 0.3)
    classes = [f"class $k_{number}" for number in range(neurons)]
    figure = draw_window(inputs, outputs, classes, 0, 1, 12)
    above, below = figure.axes
    for axes, events in ((above, inputs), (below, outputs)):
        points = np.asarray(axes.collections[0].get_offsets())
        np.testing.assert_array_equal(points, np.column_stack((events.times, events.addresses)))
    assert "window 12: class $k_0, but classified as class $k_1" in figure.get_suptitle()
    labels = [own.get_text() for own in below.get_yticklabels()]
    assert (labels == classes) == (neurons <= NAMED)
    figure.savefig(io.BytesIO(), format="png")


def test_windows_without_spikes_are_drawn() -> None:
    none = Events.from_raster(np.zeros((1, 5, 3), bool))
    figure = draw_window(none, none, ["a", "b", "c"], 2, 2, 0)
    assert "c, recognised" in figure.get_suptitle()
    figure.savefig(io.BytesIO(), format="png")
