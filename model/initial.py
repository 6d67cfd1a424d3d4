"""Start weights of a layer in a network: exact integers, the same on every machine."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from .fixed import Format, round_fraction
from .sections import Settings
from .sweep_sections import InitialConfig


def start_weights(config: Settings, initial: InitialConfig) -> NDArray[np.int64]:
    """Return the raw weights that a layer starts with: (N, M) int64.

    Weight k, row by row, is ``low + (u * (high - low + 1) >> 32)``: u is the upper half of word k
    of NumPy's bit generator ``PCG64(seed)``; low and high are the configured numbers as raw
    weights, rounded to nearest and limited to the weight format.

    >>> from bitlif.model.config.config import Config
    >>> start_weights(Config.load("tiny"), InitialConfig(low=-0.1, high=0.2))[0].tolist()
    [1, 3, -2, 3]
    """
    weight, sizes = config.synapse.weight, config.layer
    low, high = raw_bounds(weight, initial)
    words = np.random.PCG64(initial.seed).random_raw(sizes.inputs * sizes.neurons)
    upper = (words >> np.uint64(32)).astype(np.int64)
    return (low + (upper * (high - low + 1) >> 32)).reshape(sizes.inputs, sizes.neurons)


def raw_bounds(weight: Format, initial: InitialConfig) -> tuple[int, int]:
    """Return the least and the largest start weight as raw integers."""
    low, high = (
        min(max(round_fraction(Fraction(value) / weight.lsb), weight.raw_min), weight.raw_max)
        for value in (initial.low, initial.high)
    )
    return low, high
