"""Throughput of the core of a network at a clock: windows per second, by the exact formula."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np

from bitlif.model.config.network import NetworkConfig
from bitlif.model.network import Network
from bitlif.model.network_clocks import window_clocks
from bitlif.tasks.digits import CLASSES, PIXELS, class_targets, load_digits_task
from bitlif.tasks.learner import target_levels
from bitlif.tasks.stimulus import random_work

COUNTED = 20
"""Windows that are counted."""

EPOCH = 1347
"""Windows of digits that are learned before the counted ones: one pass."""


@dataclass(frozen=True, slots=True)
class NetworkPace:
    """The throughput of the core of a network on a workload.

    Attributes
    ----------
    workload : str
    windows : int
        Number of windows that are counted.
    learning : bool
        Whether the core has learning hardware.
    learned_clocks, run_clocks : float
        Mean clock cycles of a window that is learned (0 without learning), and of one that is not,
        until all layers are idle. Windows that are not learned overlap, so more of them are done
        per second than this says.
    learned_per_s, runs_per_s : float
        Windows per second, one after another.
    """

    workload: str
    windows: int
    learning: bool
    learned_clocks: float
    run_clocks: float
    learned_per_s: float
    runs_per_s: float


def network_pace(config: NetworkConfig, mhz: float, *, learning: bool) -> NetworkPace:
    """Return the throughput, on digits if the network has their size, else on random spikes.

    Digits are counted after one epoch; random spikes run through the start weights.

    Parameters
    ----------
    config : NetworkConfig
    mhz : float
        Clock frequency.
    learning : bool
        Whether the core has learning hardware.
    """
    outer = config.outer
    sizes, network = outer.layer, Network(config)
    digits = (sizes.inputs, sizes.neurons) == (PIXELS + 1, CLASSES)
    if digits and importlib.util.find_spec("sklearn"):
        task = load_digits_task(outer.window.steps, 0)
        name, events = "digits, training windows after one epoch", task.train.select(range(COUNTED))
        targets = target_levels(outer, class_targets(task.train_labels))
        network.learn(task.train.select(range(EPOCH)), targets[:EPOCH])
        targets = targets[:COUNTED]
    else:
        work = random_work(outer, 0, COUNTED)
        name, events, targets = "random", work.events, np.asarray(work.targets)
    # Without learning first: it changes no weights.
    teacher = outer.membrane.reset == "teacher"
    ran = network.run(events, targets if teacher else None)
    run = float(window_clocks(config, events, ran, learn=False, learning_core=learning).mean())
    learned = 0.0
    if learning:
        swept = network.learn(events, targets, record=("adjoints", "membrane"))
        learned = float(window_clocks(config, events, swept, learn=True).mean())
    hertz = 1e6 * mhz
    return NetworkPace(
        name, COUNTED, learning, learned, run, hertz / learned if learned else 0.0, hertz / run
    )
