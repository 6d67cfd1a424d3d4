"""Trainings of the ready-made networks in compiled gates, epoch by epoch those of the model."""

from __future__ import annotations

import pytest
from network_training import compare_training

pytestmark = pytest.mark.long

TRAININGS = {
    "digits-96": ((96, 10), 2, 600),
    "randman": ((96, 10), 2, 1500),
    "yin-yang": ((120, 3), 2, 1000),
}
"""Widths of the gates, epochs, and windows of an epoch: a few minutes each."""


@pytest.mark.parametrize("name", TRAININGS)
def test_gates_learn_a_task_as_the_model(name: str) -> None:
    synapses, epochs, windows = TRAININGS[name]
    done = compare_training(name, synapses, epochs=epochs, windows=windows)
    assert done.windows == epochs * windows
    assert done.clocks > 5_000_000
    # It learns something, too: chance is 10 %, or a third.
    assert done.accuracies[-1] > 0.5
