"""A signature over spikes, membranes and weights: two runs with the same one computed the same.

Each lane has a 32-bit MISR: ``s = (s << 1) ^ (POLYNOMIAL if the top bit was 1) ^ word`` (CRC-32's
polynomial). In every step it takes, slot by slot, the membrane potential before the noise (its low
32 bits) with the spike on bit 31; in every weight update, slot by slot and input by input, the new
weight. Slots without a neuron are left out. The layer's signature is the exclusive or of the lanes'
states, that of lane l rotated left by l.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .config import LayerConfig
from .errors import BitlifError
from .result import Result

WIDTH = 32
POLYNOMIAL = 0x04C11DB7


class Signature:
    """The signature of a layer, fed with the records of its windows in order.

    >>> from bitlif.model.config import LayerConfig
    >>> s = Signature(LayerConfig(inputs=1, neurons=1))
    >>> s.take_step(np.array([3]), np.array([1]))
    >>> hex(s.value)
    '0x80000003'
    """

    def __init__(self, sizes: LayerConfig) -> None:
        self._sizes = sizes
        self._lanes = [0] * sizes.lanes

    @property
    def value(self) -> int:
        """The folded signature, 32 bits."""
        folded = 0
        for lane, state in enumerate(self._lanes):
            turn = lane % WIDTH
            folded ^= ((state << turn) | (state >> (WIDTH - turn))) & 0xFFFFFFFF
        return folded

    def take_step(self, before: NDArray[np.integer], spikes: NDArray[np.integer]) -> None:
        """Take a step's membranes before the noise and spikes: both (M,)."""
        for neuron, (potential, spike) in enumerate(zip(before, spikes, strict=True)):
            word = (int(potential) & 0xFFFFFFFF) ^ (int(spike) << 31)
            self._take(neuron % self._sizes.lanes, word)

    def take_window(self, result: Result, window: int = 0) -> None:
        """Take all steps of a window of a run that recorded ``membrane``."""
        if result.membrane is None:
            raise BitlifError("a signature needs a run that recorded 'membrane'")
        pairs = zip(result.membrane[window], result.raster[window], strict=True)
        for before, spikes in pairs:
            self.take_step(before, spikes)

    def take_weights(self, weights: NDArray[np.integer]) -> None:
        """Take the weights (N, M) after an update."""
        for neuron in range(self._sizes.neurons):
            for weight in weights[:, neuron]:
                self._take(neuron % self._sizes.lanes, int(weight) & 0xFFFFFFFF)

    def _take(self, lane: int, word: int) -> None:
        state = self._lanes[lane]
        moved = (state << 1) & 0xFFFFFFFF
        self._lanes[lane] = moved ^ (POLYNOMIAL if state >> 31 else 0) ^ word
