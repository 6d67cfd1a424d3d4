"""A signature over spikes, membranes and weights: two runs with the same one computed the same.

Each lane has a 32-bit MISR: ``s = (s << 1) ^ (POLYNOMIAL if the top bit was 1) ^ word`` (CRC-32's
polynomial). In every step it takes, slot by slot, the membrane potential before the noise (its low
32 bits) with the spike on bit 31; in every weight update, slot by slot and input by input, the new
weight. Slots without a neuron are left out. The layer's signature is the exclusive or of the lanes'
states, that of lane l rotated left by l.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.sections import LayerConfig

from .engine.compile import compilable, compiled
from .errors import BitlifError
from .result import Result

WIDTH = 32
POLYNOMIAL = 0x04C11DB7
MASK = 0xFFFFFFFF


@compilable
def take_word(state: int, word: int) -> int:
    """Return a lane's state after it has taken a word; both of 32 bits."""
    return ((state << 1) & MASK) ^ (POLYNOMIAL if state >> (WIDTH - 1) else 0) ^ (word & MASK)


@compilable
def folded(lanes: Any) -> int:
    """Return the exclusive or of all lanes' states, that of lane l rotated left by l."""
    value = 0
    for lane in range(lanes.size):
        turn = lane % WIDTH
        state = lanes[lane]
        value ^= ((state << turn) | (state >> (WIDTH - turn))) & MASK
    return value


@compilable
def sign_steps(lanes: Any, before: Any, spikes: Any, values: Any) -> None:
    """Take steps' membranes before the noise and spikes, (T, M); leave each step's signature."""
    for t in range(before.shape[0]):
        for neuron in range(before.shape[1]):
            lane = neuron % lanes.size
            word = (before[t, neuron] & MASK) ^ (spikes[t, neuron] << (WIDTH - 1))
            lanes[lane] = take_word(lanes[lane], word)
        values[t] = folded(lanes)


@compilable
def sign_weights(lanes: Any, weights: Any) -> None:
    """Take the weights (N, M), slot by slot and input by input."""
    for neuron in range(weights.shape[1]):
        lane = neuron % lanes.size
        for row in range(weights.shape[0]):
            lanes[lane] = take_word(lanes[lane], weights[row, neuron])


class Signature:
    """The signature of a layer, fed with the records of its windows in order.

    >>> from bitlif.model.config.config import LayerConfig
    >>> s = Signature(LayerConfig(inputs=1, neurons=1))
    >>> s.take_steps(np.array([[3]]), np.array([[1]]))
    array([2147483651])
    >>> hex(s.value)
    '0x80000003'
    """

    def __init__(self, sizes: LayerConfig) -> None:
        self._lanes = np.zeros(sizes.lanes, np.int64)

    @property
    def lanes(self) -> tuple[int, ...]:
        """The lanes' registers, 32 bits each: to go on from later."""
        return tuple(int(lane) for lane in self._lanes)

    @lanes.setter
    def lanes(self, lanes: tuple[int, ...]) -> None:
        self._lanes[:] = lanes

    @property
    def value(self) -> int:
        """The folded signature, 32 bits."""
        return int(folded(self._lanes))

    def take_steps(
        self, before: NDArray[np.integer], spikes: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """Take steps' membranes before the noise and spikes, (T, M); return (T,) signatures."""
        values = np.zeros(len(before), np.int64)
        compiled(sign_steps)(self._lanes, _words(before), _words(spikes), values)
        return values

    def take_window(self, result: Result, window: int = 0) -> NDArray[np.int64]:
        """Take all steps of a window of a run that recorded ``membrane``, as `take_steps`."""
        if result.membrane is None:
            raise BitlifError("a signature needs a run that recorded 'membrane'")
        return self.take_steps(result.membrane[window], result.raster[window])

    def take_weights(self, weights: NDArray[np.integer]) -> None:
        """Take the weights (N, M) after an update."""
        compiled(sign_weights)(self._lanes, _words(weights))


def _words(values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return values in one type and layout, for which the functions are compiled once."""
    return np.ascontiguousarray(values, np.int64)
