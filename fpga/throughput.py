"""Throughput of a core at a clock: steps and synaptic operations per second."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.clocks import quiet_step, window_clocks
from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.layer import Layer
from bitlif.tasks.digits import CLASSES, PIXELS, class_targets, load_digits_task
from bitlif.tasks.learner import target_levels
from bitlif.tasks.stimulus import random_work

WINDOWS = 100
"""Windows of a workload that are counted, from its first."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The throughput of a core on a workload.

    Attributes
    ----------
    workload : str
    windows : int
        Number of windows.
    learning : bool
        Whether the core learns.
    quiet_clocks : int
        Clock cycles of a step without events, spikes and errors.
    clocks : float
        Mean clock cycles of a step of the workload, including weight updates.
    quiet_steps_per_s, steps_per_s : float
    peak_operations_per_s : float
        Most synaptic operations per second: S weights are added in one clock cycle. An operation
        is one input event at one neuron.
    operations_per_s : float
        Synaptic operations per second on the workload.
    peak_products_per_s : float
        Most products of the gradient per second: L in one clock cycle; 0 without learning.
    """

    workload: str
    windows: int
    learning: bool
    quiet_clocks: int
    clocks: float
    quiet_steps_per_s: float
    steps_per_s: float
    peak_operations_per_s: float
    operations_per_s: float
    peak_products_per_s: float = 0.0


def pace(config: Config, mhz: float, *, learning: bool) -> Pace:
    """Return the throughput on digits if the layer has their size, else on random spikes.

    Parameters
    ----------
    config : Config
    mhz : float
        Clock frequency.
    learning : bool
        Whether the core has learning hardware, and learns.
    """
    sizes, widths = config.layer, gate_sizes(config)
    targets: NDArray[Any]
    weights: NDArray[Any]
    digits = (sizes.inputs, sizes.neurons) == (PIXELS + 1, CLASSES)
    if digits and importlib.util.find_spec("sklearn"):
        task = load_digits_task(config.window.steps, 0)
        name, events = "digits, first training windows", task.train.select(range(WINDOWS))
        targets = target_levels(config, class_targets(task.train_labels[:WINDOWS]))
        weights = np.zeros((sizes.inputs, sizes.neurons), np.int64)
    else:
        work = random_work(config, 0, WINDOWS)
        name, events = "random", work.events
        targets, weights = np.asarray(work.targets), np.asarray(work.weights)
    layer = Layer(config)
    layer.load(weights)
    if learning:
        result = layer.learn(events, targets, record=("errors",))
    else:
        # Reset by the teacher needs targets even without learning.
        teacher = config.membrane.reset == "teacher"
        result = layer.run(events, targets if teacher else None)
    spent = window_clocks(config, events, result, learn=learning, learning_core=learning)
    clocks, hertz = int(spent.sum()), 1e6 * mhz
    steps = events.windows * events.steps
    quiet = quiet_step(config, learn=learning, learning_core=learning)
    return Pace(
        name, events.windows, learning, quiet, clocks / steps, hertz / quiet,
        hertz * steps / clocks, hertz * widths.synapses,
        hertz * operations(config, events) / clocks, hertz * widths.products if learning else 0.0,
    )  # fmt: skip


def operations(config: Config, events: Events) -> int:
    """Return the number of synaptic operations: each event reaches every neuron."""
    return int(events.pointers[-1]) * config.layer.neurons
