"""A network of two layers that learns within a window, small enough for four-state simulators."""

from __future__ import annotations

import numpy as np
from network_faults import start_weights

from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.events import Events
from bitlif.tasks.scenario import NetworkWork

STEPS, INPUTS, NEURONS = 4, 5, 3


def small_network(rate: float = 0.02) -> NetworkConfig:
    """Return the network; a hidden layer of four neurons, and rows of two slots in both layers."""
    common = {
        "sweep": {"surrogate": {"width": 0.8}}, "learning": {"rate": rate},
        "error": {"index_bits": 4},
    }  # fmt: skip
    layers = [
        {"inputs": INPUTS, "neurons": 4, "lanes": 2, "gates": {"synapses": 4}, **common},
        {"neurons": NEURONS, "lanes": 1, "gates": {"synapses": 2}, **common},
    ]
    return network_from_dict({"name": "small", "window": {"steps": STEPS}, "layer": layers})


def small_work(windows: int) -> NetworkWork:
    """Return weights, spikes and targets with which all weights change in the first window."""
    config, random = small_network(), np.random.default_rng(5)
    events = Events.from_raster(random.random((windows, STEPS, INPUTS)) < 0.5)
    targets = random.integers(0, 1025, (windows, 1, NEURONS)).astype(np.uint16)
    by_step = np.repeat(targets, STEPS, axis=1)
    return NetworkWork(config, start_weights(config), events, by_step)
