"""The patterns task: three classes that differ in the times of their spikes and in nothing else.

A pattern is an order in which the inputs spike. In every window each input spikes exactly once, at
its place in the pattern plus a jitter of up to `JITTER` steps. All inputs have the same number of
spikes in all windows, and the number of spikes over time is the same for all patterns, so that
neither rates nor their course tell the classes apart.

The neuron of the class is taught to spike at three times of the window (`TARGET_TIMES`), and all
neurons to be silent otherwise. A neuron learns which inputs spike together just before these times.
Constant targets, as for rates (`RATE`), leave a layer of the ready-made configuration near chance.

The gain, noise, time constants and rate of this configuration were chosen on validation windows
(``part="validation"``), over five seeds, out of twelve that differ in one of them. Longer memories
help the constant targets: with a membrane of 8 steps instead of 4 they reach 95 % there.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, require_choice, require_int
from bitlif.model.events import Events

from .labels import label_targets
from .readouts import Readout
from .task import Classification, Examples
from .temporal_targets import NO_SPIKE, first_spike_targets, spike_time_targets

CLASSES = 3
JITTER = 3
"""Largest shift of a spike, in steps."""
TRAIN_WINDOWS = 150
TEST_WINDOWS = 300
TARGET_TIMES = (0.25, 0.5, 0.75)
"""Times of the target spikes of ``"times"``, as shares of the window."""
WIDTH = 3
"""Steps of a target spike of ``"times"``."""
FIRST_TIME = 0.3125
"""Time of the target spike of ``"first"``, as a share of the window."""
LEAST_STEPS = 16

TARGETS = ("times", "first", "rate")
"""Targets that the task can teach."""
PARTS = ("test", "validation")
"""Windows that the task can test on."""


class PatternsTask(Classification):
    """Three patterns of one spike per input, which differ in time only.

    Parameters
    ----------
    targets : str
        ``"times"``: the neuron of the class spikes at `TARGET_TIMES`. ``"first"``: once, at
        `FIRST_TIME`. ``"rate"``: in half of all steps, whenever they are.
    readout : str or Readout
        How the class is read: by ``"count"``, or by ``"first_spike"``, which suits ``"first"``.
    part : str
        ``"test"``; or ``"validation"``, other windows of the same patterns on which to choose the
        fields of a configuration.
    name : str

    Raises
    ------
    BitlifError
        If `targets` or `part` is unknown.
    """

    name = "patterns"
    config = "patterns"
    epochs = 10
    study_epochs = 10

    def __init__(
        self,
        targets: str = "times",
        *,
        readout: str | Readout = "count",
        part: str = "test",
        name: str = "patterns",
    ) -> None:
        super().__init__()
        self.taught = require_choice("targets", targets, TARGETS)
        self.part = require_choice("part", part, PARTS)
        self.readout = readout
        self.name = name

    def check(self, config: Config) -> None:
        """Raise unless the layer has a neuron per class, and inputs and steps for patterns."""
        sizes, steps = config.layer, config.window.steps
        if sizes.neurons != CLASSES or sizes.inputs < CLASSES or steps < LEAST_STEPS:
            raise BitlifError(
                f"the patterns need a layer of {CLASSES} neurons, at least {CLASSES} inputs and "
                f"{LEAST_STEPS} steps, not {sizes.neurons}, {sizes.inputs} and {steps}"
            )

    def load(self, config: Config, seed: int) -> Examples:
        """Return `TRAIN_WINDOWS` to train with and `TEST_WINDOWS` to test with.

        The patterns are drawn from `seed` too: another seed, other patterns.
        """
        seed = require_int("seed", seed, 0, (1 << 31) - 1)
        inputs, steps = config.layer.inputs, config.window.steps
        patterns = draw_patterns(inputs, steps, seed)
        train, test = np.arange(TRAIN_WINDOWS) % CLASSES, np.arange(TEST_WINDOWS) % CLASSES
        return Examples(
            jittered(patterns, train, steps, [seed, 1]),
            jittered(patterns, test, steps, [seed, 2 + PARTS.index(self.part)]),
            train,
            test,
            pattern_targets(self.taught, train, steps),
        )

    def depends_on(self, config: Config) -> Hashable:
        """Return the number of inputs and the steps of a window."""
        return config.layer.inputs, config.window.steps

    def targets(self, examples: Examples, neurons: int) -> NDArray[np.float64]:
        """Return the targets of the training windows: (W, M) or (W, T, M) float64."""
        if examples.train_targets is not None:
            return examples.train_targets
        return super().targets(examples, neurons)


def draw_patterns(inputs: int, steps: int, seed: int) -> NDArray[np.int64]:
    """Return the time of each input's spike in each pattern: (3, N) int64.

    The times of each pattern are the same, evenly spaced; their order is drawn.
    """
    random = np.random.default_rng([seed, 0x9A77])
    places = JITTER + np.arange(inputs) * (steps - 2 * JITTER) // inputs
    return np.array([random.permutation(places) for _ in range(CLASSES)])


def jittered(
    patterns: NDArray[np.int64], labels: NDArray[np.int64], steps: int, key: list[int]
) -> Events:
    """Return windows of the patterns of `labels`, each spike moved by up to `JITTER` steps."""
    random = np.random.default_rng([*key, 0x3177])
    times = patterns[labels]
    times = times + random.integers(-JITTER, JITTER, times.shape, endpoint=True)
    windows, inputs = times.shape
    return Events.from_times(
        (np.arange(windows)[:, None] * steps + times).ravel(),
        np.tile(np.arange(inputs), windows),
        steps=steps, units=inputs, windows=windows,
    )  # fmt: skip


def pattern_targets(taught: str, labels: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
    """Return the real targets of labels, (W, M) or (W, T, M); `taught` is one of `TARGETS`."""
    if taught == "rate":
        return label_targets(labels, CLASSES)
    if taught == "first":
        return first_spike_targets(labels, CLASSES, steps, time=int(FIRST_TIME * steps))
    times = np.full((labels.size, CLASSES, len(TARGET_TIMES)), NO_SPIKE)
    times[np.arange(labels.size), labels] = [int(share * steps) for share in TARGET_TIMES]
    return spike_time_targets(times, steps, width=WIDTH)


RATE = PatternsTask("rate", name="patterns-rate")
"""The control: constant targets, and spikes counted."""

FIRST_SPIKE = PatternsTask("first", readout="first_spike", name="patterns-first-spike")
"""One target spike, and the class by the first spike."""
