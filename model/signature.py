"""A signature over spikes, membrane potentials and weights, used to compare runs.

Each lane has a 32-bit MISR: ``s = (s << 1) ^ (POLYNOMIAL if the top bit was 1) ^ word``, with the
polynomial of CRC-32. In every step it takes, slot by slot, the low 32 bits of the membrane
potential before the noise, XORed with the spike at bit 31. In every weight update it takes the new
weights, slot by slot and input by input. Slots without a neuron are skipped. The signature of the
layer is the XOR of the states of all lanes, with the state of lane l rotated left by l.
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
    """Return the state of a lane after one more 32-bit word; the state has 32 bits."""
    return ((state << 1) & MASK) ^ (POLYNOMIAL if state >> (WIDTH - 1) else 0) ^ (word & MASK)


@compilable
def folded(lanes: Any) -> int:
    """Return the XOR of the states of all lanes, with the state of lane l rotated left by l."""
    value = 0
    for lane in range(lanes.size):
        turn = lane % WIDTH
        state = lanes[lane]
        value ^= ((state << turn) | (state >> (WIDTH - turn))) & MASK
    return value


@compilable
def sign_steps(lanes: Any, before: Any, spikes: Any, values: Any) -> None:
    """Add steps to the signature, and write the signature after each step.

    Parameters
    ----------
    lanes : (lanes,) int64, updated
    before : (T, M) int64
        Membrane potentials before the noise.
    spikes : (T, M) int64
    values : (T,) int64, written
    """
    for t in range(before.shape[0]):
        for neuron in range(before.shape[1]):
            lane = neuron % lanes.size
            word = (before[t, neuron] & MASK) ^ (spikes[t, neuron] << (WIDTH - 1))
            lanes[lane] = take_word(lanes[lane], word)
        values[t] = folded(lanes)


@compilable
def sign_weights(lanes: Any, weights: Any) -> None:
    """Add weights of shape (N, M) to the signature, slot by slot and input by input."""
    for neuron in range(weights.shape[1]):
        lane = neuron % lanes.size
        for row in range(weights.shape[0]):
            lanes[lane] = take_word(lanes[lane], weights[row, neuron])


class Signature:
    """The signature of a layer, computed from the records of its windows in order.

    >>> from bitlif.model.sections import LayerConfig
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
        """States of the lanes, 32 bits each; can be set to continue an earlier signature."""
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
        """Add steps; return the signature after each step, (T,).

        Parameters
        ----------
        before : (T, M) int
            Membrane potentials before the noise.
        spikes : (T, M) int
        """
        values = np.zeros(len(before), np.int64)
        compiled(sign_steps)(self._lanes, _words(before), _words(spikes), values)
        return values

    def take_window(self, result: Result, window: int = 0) -> NDArray[np.int64]:
        """Add all steps of a window of a run that recorded ``membrane``; see `take_steps`."""
        if result.membrane is None:
            raise BitlifError("a signature needs a run that recorded 'membrane'")
        return self.take_steps(result.membrane[window], result.raster[window])

    def take_weights(self, weights: NDArray[np.integer]) -> None:
        """Add weights of shape (N, M) after an update."""
        compiled(sign_weights)(self._lanes, _words(weights))


def _words(values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return values in one dtype and layout, so that functions are compiled once."""
    return np.ascontiguousarray(values, np.int64)
