"""A task that is not part of bitlif: which half of the inputs spikes."""

from __future__ import annotations

import numpy as np

from bitlif import Config, Events, tasks
from bitlif.model.errors import BitlifError


class Blinking(tasks.Classification):
    """Two classes: spikes in the lower, or in the upper, half of the inputs."""

    name = "blinking"
    config = "tiny"
    item = "blink"
    epochs = 3
    study_epochs = 2

    def check(self, config: Config) -> None:
        """Raise unless there is a neuron per class, and an input per half."""
        if config.layer.neurons != 2 or config.layer.inputs < 2:
            raise BitlifError(
                f"blinking needs at least 2 inputs and 2 neurons, not {config.layer.inputs} and "
                f"{config.layer.neurons}"
            )

    def load(self, config: Config, seed: int) -> tasks.Examples:
        """Return 30 windows to train with and 20 to test with."""
        random = np.random.default_rng(seed)
        inputs, steps = config.layer.inputs, config.window.steps
        labels = random.integers(0, 2, 50)
        upper = np.arange(inputs) >= inputs // 2
        chances = np.where(upper == labels[:, None], 0.6, 0.02)
        events = Events.from_raster(random.random((50, steps, inputs)) < chances[:, None, :])
        return tasks.Examples(
            events.select(range(30)), events.select(range(30, 50)), labels[:30], labels[30:]
        )


BLINKING = Blinking()
