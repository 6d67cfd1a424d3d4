"""Targets in time have their spikes at the given steps and nothing elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bitlif
from bitlif import Config, Events, tasks
from bitlif.model.errors import BitlifError

TINY = Config.load("tiny")


@pytest.mark.parametrize(
    ("options", "column"),
    [
        ({}, [0, 0, 0, 1, 0, 0, 0, 0]),
        ({"width": 3}, [0, 0, 1, 1, 1, 0, 0, 0]),
        ({"width": 2}, [0, 0, 0, 1, 1, 0, 0, 0]),
        ({"width": 8}, [1, 1, 1, 1, 1, 1, 1, 1]),
        ({"peak": 0.25}, [0, 0, 0, 0.25, 0, 0, 0, 0]),
        ({"kernel": "triangle"}, [0, 0, 0, 1, 0, 0, 0, 0]),
        ({"kernel": "triangle", "width": 5}, [0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3, 0, 0]),
        ({"kernel": "triangle", "width": 4, "peak": 0.6}, [0, 0, 0.3, 0.6, 0.4, 0.2, 0, 0]),
    ],
)
def test_target_spike_has_a_width_and_a_kernel(options: Any, column: list[float]) -> None:
    targets = tasks.spike_time_targets([[-1, 3]], 8, **options)
    assert targets.shape == (1, 8, 2)
    np.testing.assert_allclose(targets[0, :, 1], column)
    assert not targets[0, :, 0].any()


def test_target_spikes_are_cut_at_the_window_and_the_larger_target_holds() -> None:
    targets = tasks.spike_time_targets([[[0, 2, 7]]], 8, width=3, kernel="triangle")
    assert targets[0, :, 0].tolist() == [1, 0.5, 1, 0.5, 0, 0, 0.5, 1]


def test_times_can_be_events() -> None:
    times = np.array([[3, -1], [0, 7]])
    events = Events.from_times([3, 8, 15], [0, 0, 1], steps=8, units=2)
    for width in (1, 4):
        np.testing.assert_array_equal(
            tasks.spike_time_targets(events, 8, width=width),
            tasks.spike_time_targets(times, 8, width=width),
        )
    assert tasks.spike_time_targets(np.zeros((0, 2), int), 8).shape == (0, 8, 2)


@pytest.mark.parametrize(
    ("times", "options", "text"),
    [
        ([[8]], {}, r"times must be in 0 \.\.= 7, or -1 for none, not 8"),
        ([[-2]], {}, r"times must be in 0 \.\.= 7, or -1 for none, not -2"),
        ([3], {}, r"times must be Events, or integers of shape .*, not int64 of shape \(1,\)"),
        ([[0.5]], {}, "times must be Events, or integers .*, not float64"),
        ([[0], [0, 1]], {}, "times must be an array, with rows of equal length"),
        (Events.from_times([], [], steps=9, units=2), {}, "times must have 8 steps .* not 9"),
        ([[0]], {"width": 9}, r"width must be in 1 \.\.= 8, not 9"),
        ([[0]], {"kernel": "gauss"}, "kernel must be .*box.*triangle"),
        ([[0]], {"peak": 1.5}, r"peak must be in 0 \.\.= 1, not 1\.5"),
    ],
)
def test_wrong_times_are_refused(times: Any, options: Any, text: str) -> None:
    with pytest.raises(BitlifError, match=text):
        tasks.spike_time_targets(times, 8, **options)


def test_first_spike_is_taught_to_the_neuron_of_the_class_only() -> None:
    targets = tasks.first_spike_targets([2, 0], 3, 6, time=3, width=2, peak=0.5)
    wanted = np.zeros((2, 6, 3))
    wanted[0, 3:5, 2] = wanted[1, 3:5, 0] = 0.5
    np.testing.assert_array_equal(targets, wanted)
    for labels, options, text in (
        ([3], {"time": 3}, r"labels must be in 0 \.\.= 2, the neurons, not 3"),
        ([0], {"time": 6}, r"time must be in 0 \.\.= 5, not 6"),
        ([0], {"time": 5, "width": 2}, "width must be"),
    ):
        with pytest.raises(BitlifError, match=text):
            tasks.first_spike_targets(labels, 3, 6, **options)


def test_counts_are_constant_targets() -> None:
    assert tasks.count_targets([[8, 0], [2.5, 16]], 16).tolist() == [[0.5, 0], [0.15625, 1]]
    for counts, text in (
        ([[17]], r"counts must be in 0 \.\.= 16, the steps, not 17"),
        ([[np.nan]], "the steps, not nan"),
        ([3], "counts must be numbers of shape"),
        ([["3"]], "counts must be numbers of shape"),
    ):
        with pytest.raises(BitlifError, match=text):
            tasks.count_targets(counts, 16)


def test_layers_learn_targets_in_time_on_each_model() -> None:
    spikes = Events.from_raster(np.random.default_rng(0).random((20, 16, 6)) < 0.4)
    targets = tasks.spike_time_targets(np.full((20, 4), 9), 16)
    for backend in ("model", "float"):
        with bitlif.open(TINY, backend) as core:
            core.learn(spikes, targets)
            assert core.weights().any()
