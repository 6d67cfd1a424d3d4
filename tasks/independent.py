"""Windows that are run independently of each other: each from the reset state of its layer.

The LFSRs usually carry on from window to window, so that a window's noise, and with it now and then
its answer, depends on how many windows were run before. The answers of a classifier must not depend
on the other windows of a batch, or on their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer
from bitlif.model.events import Events
from bitlif.model.layer import Layer
from bitlif.model.network import Network
from bitlif.model.result import Result

from .learner import Learner

CLEARED = {f"window__{name}": "clear" for name in ("state", "trace", "lfsr")}
"""Fields of a window that starts from the reset state."""


def prediction_config(config: Config) -> Config:
    """Return a configuration whose windows all start from the reset state, LFSRs included.

    A run of it equals runs of `config` with a reset before each window.

    >>> window = prediction_config(Config.load("tiny")).window
    >>> window.state, window.trace, window.lfsr
    ('clear', 'clear', 'clear')
    """
    return config.replace(**CLEARED)


def run_independent(layer: Learner, events: Events, *, record: Sequence[str] = ()) -> Result:
    """Run windows, each from a reset; return one result of all, without signatures and clocks.

    The integer model runs them together, in `prediction_config`; other layers are reset before each
    window, and after the last one.
    """
    config = layer.config
    if layer.backend == "model" and isinstance(config, NetworkConfig):
        network = Network(config.replace(**CLEARED))
        network.load(list(layer.weights()))
        found = network.run(events, record=record)
        totals = {
            name: sum(own.counters[name] for own in found.layers) for name in found.output.counters
        }
        return replace(found.output, counters=totals)
    if layer.backend == "model" and isinstance(config, Config):
        model = Layer(prediction_config(config))
        model.load(layer.weights())
        return model.run(events, record=record)
    layer.reset()
    parts = []
    for window in range(events.windows):
        parts.append(layer.run(events.select([window]), record=record))
        layer.reset()
    sizes = outer(layer.config).layer
    empty = np.zeros((0, events.steps, sizes.neurons), np.uint8)
    counters: dict[str, int] = {}
    for part in parts:
        for name, count in part.counters.items():
            counters[name] = counters.get(name, 0) + count
    recorded: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in record
    }
    return Result(np.concatenate([empty, *(part.raster for part in parts)]), counters, **recorded)
