"""Random spikes, weights and targets that include the ends of every format."""

from __future__ import annotations

import operator

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.events import Events

from .scenario import Work

RATES = (0.05, 0.3, 0.9)
"""Probabilities of an input spike, used by the windows in turn: sparse, usual, dense."""


def random_work(config: Config, seed: int, windows: int, *, stall: float = 0.0) -> Work:
    """Return a learning scenario drawn from `seed`.

    Weights of even neurons are drawn from the whole format, and include both of its ends; those of
    odd neurons are near zero, where membranes stay near the threshold. Targets are drawn from the
    whole range, in every third window only from its ends. Events use the probabilities of `RATES`
    in turn.

    Parameters
    ----------
    config : Config
    seed : int
    windows : int
    stall : float
        Probability per clock cycle that a stream stalls.
    """
    seed, windows = operator.index(seed), operator.index(windows)
    random = np.random.default_rng([seed, 0x7E57])
    sizes, steps, fmt = config.layer, config.window.steps, config.synapse.weight
    rates = np.array([RATES[(seed + w) % len(RATES)] for w in range(windows)])
    events = Events.from_raster(
        random.random((windows, steps, sizes.inputs)) < rates[:, None, None]
    )
    shape = (sizes.inputs, sizes.neurons)
    weights = random.integers(fmt.raw_min, fmt.raw_max, shape, endpoint=True)
    weights[:, 1::2] >>= 2
    weights[0, 0], weights[-1, -1] = fmt.raw_max, fmt.raw_min
    one = 1 << config.error.target_bits
    targets = random.integers(0, one, (windows, steps, sizes.neurons), endpoint=True)
    targets[2::3] = one * random.integers(0, 2, targets[2::3].shape)
    return Work(config, weights, events, targets.astype(np.uint16), stall=stall, seed=seed)
