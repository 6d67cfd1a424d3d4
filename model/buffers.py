"""The arrays of a layer, in the dtypes of the engine or as Python integers.

The interpreted specification uses arrays of Python integers (dtype object), which cannot overflow.
The engine uses the narrowest dtypes that the derived widths allow.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config.config import Config
from .derive import derive
from .engine.words import WORD_BITS, fits_word
from .fixed import Format
from .state import recorded, require_fields, state_variables
from .update import TILE
from .window import GRADIENT, INFER, LEARN, Noise, Records, Scratch, State, Table

BLOCK_DRAWS = 8192
"""Draws made at a time: few enough to stay in the cache, and enough to make the cost of moving the
history of each lane small."""


def storage(fmt: Format) -> type[np.signedinteger[Any]]:
    """Return the narrowest NumPy type that holds a weight format."""
    return np.int8 if fmt.bits <= 8 else np.int16 if fmt.bits <= 16 else np.int32


STEP_RANGES = (
    "weight sum", "synaptic current sum", "membrane sum", "noise product", "noisy membrane",
    "reduced membrane",
)  # fmt: skip
"""Ranges of the intermediates of a neuron's step; others are no wider."""


@dataclass(frozen=True, slots=True)
class Buffers:
    """Creates the arrays of a layer, with Python integers if `interpreted` is true.

    `weight_type` is the NumPy type of the weights; None: the narrowest one.
    """

    config: Config
    interpreted: bool
    weight_type: Any = None

    @property
    def stored(self) -> Any:
        """NumPy type of the weights."""
        return self.weight_type or storage(self.config.synapse.weight)

    def zeros(self, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
        """Return zeros of a NumPy type, or Python integers."""
        return np.full(shape, 0, object) if self.interpreted else np.zeros(shape, kind)

    def integers(self, values: Iterable[int]) -> NDArray[Any]:
        """Return an int64 array, or one of Python integers."""
        if self.interpreted:
            return np.array([int(value) for value in values], object)
        return np.array(list(values), np.int64)

    @property
    def block(self) -> int:
        """Number of steps whose noise is drawn at a time."""
        return max(1, min(BLOCK_DRAWS // self.config.layer.neurons, self.config.window.steps))

    @property
    def lane_draws(self) -> int:
        """Number of draws per lane in a block."""
        return self.block * self.config.layer.slots

    def weights(self) -> NDArray[Any]:
        """Return zero weights with an additional row that stays zero: (N + 1, M)."""
        sizes = self.config.layer
        return self.zeros((sizes.inputs + 1, sizes.neurons), self.stored)

    def table(self) -> Table:
        """Return the error table."""
        return Table(*(self.integers(column) for column in derive(self.config).table))

    def noise(self) -> Noise:
        """Return the construction of draws; a popcount is a sum of one-bit words."""
        noise = self.config.noise
        shape = (noise.words, noise.word_bits)
        if noise.kind in ("popcount", "none"):
            shape = noise.draw_bits, 1
        return Noise(shape, self.integers(noise.quantiles))

    def state(self) -> State:
        """Return a cleared state."""
        require_fields(State, (own.name for own in state_variables("neuron", "input")))
        shapes = {own.name: own.shape(self.config) for own in state_variables()}
        # Formats of neurons are signed, so that 32 bits hold every value of 32 bits.
        kinds = {own.name: np.int32 for own in state_variables("neuron")}
        return State(
            *(self.zeros(shapes[name], kinds.get(name, np.int64)) for name in State._fields)
        )

    def scratch(self, mode: int) -> Scratch:
        """Return scratch arrays for one thread; those not used in `mode` have size zero."""
        inputs, neurons = self.config.layer.inputs, self.config.layer.neurons
        steps = self.config.window.steps if mode != INFER else 0
        weight = self.stored
        wider: dict[Any, Any] = {np.int8: np.int16, np.int16: np.int32, np.int32: np.int64}
        # Networks have 32-bit weights of any format, few of which need sums of 64 bits.
        narrow = self.weight_type or wider[weight]
        spare = np.dtype(narrow).itemsize * 8 - self.config.synapse.weight.bits
        zeros = self.zeros
        return Scratch(
            rows=min(252, (1 << spare) // 4 * 4),
            words=int(self._fit_words()),
            narrow_sum=zeros((neurons,), narrow),
            weight_sum=zeros((neurons,), np.int32),
            wide_sum=zeros((neurons,), np.int64),
            membrane=zeros((neurons,), np.int32),
            targets=zeros((neurons,), np.int64),
            resets=zeros((neurons,), np.uint8),
            lane_draws=zeros((self.config.layer.lanes, self.lane_draws), np.int32),
            draws=zeros((self.block * neurons,), np.int32),
            spiked=zeros((inputs,), np.uint8),
            errors=zeros((steps, neurons), np.int16),
            traces=zeros((steps, inputs), np.uint16),
            by_neuron=zeros((neurons, steps), np.int16),
            active=np.zeros(steps, np.int64),
            tile=zeros((TILE if mode == LEARN else 0, inputs), weight),
            randoms=zeros((inputs,), np.int64),
            trace_current=zeros((inputs if mode != INFER else 0,), np.int64),
            trace=zeros((inputs if mode != INFER else 0,), np.int64),
        )

    def _fit_words(self) -> bool:
        """Return whether words hold every intermediate of a neuron's step."""
        derived = derive(self.config)
        shifts = (derived.constants.current.shift, derived.constants.membrane.shift)
        return max(*shifts, derived.constants.noise_shift) < WORD_BITS and all(
            fits_word(derived.ranges[name].low, derived.ranges[name].high)
            for name in STEP_RANGES
            if name in derived.ranges
        )

    def records(self, windows: int, mode: int, wanted: tuple[str, ...]) -> Records:
        """Return the arrays that a run writes; those that are not `wanted` have size zero."""
        of_neurons, of_inputs = _recorded_names()
        inputs, neurons = self.config.layer.inputs, self.config.layer.neurons
        steps = self.config.window.steps
        gradients = windows if "gradient" in wanted else 1 if mode >= GRADIENT else 0
        wide = derive(self.config).ranges["gradient"].bits > 32
        updates = windows if "digests" in wanted and mode == LEARN else 0

        def optional(name: str, size: int) -> NDArray[Any]:
            # A network reads the membranes of one window, and copies what is recorded.
            kind = np.int32 if self.weight_type and name == "membrane" else np.int64
            return self.zeros((windows if name in wanted else 0, steps, size), kind)

        return Records(
            raster=np.zeros((windows, steps, neurons), np.uint8),
            **{name: optional(name, neurons) for name in of_neurons},
            draws=optional("draws", neurons),
            errors=optional("errors", neurons),
            **{name: optional(name, inputs) for name in of_inputs},
            gradient=self.zeros((gradients, neurons, inputs), np.int64 if wide else np.int32),
            step_digests=optional("digests", self.config.layer.lanes),
            update_digests=self.zeros((updates, self.config.layer.lanes), np.int64),
        )


@functools.cache
def _recorded_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what runs record per neuron and per input; the declarations are complete by now."""
    names = recorded("neuron"), recorded("input")
    require_fields(Records, (*names[0], *names[1]))
    return names
