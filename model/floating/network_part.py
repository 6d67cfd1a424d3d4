"""A layer inside the float twin of a network: its arrays, and its arguments of the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.state import recorded, require_fields, state_variables

from .constants import error_functions, float_constants, float_sweep_constants
from .network_step import FloatNetworkRecords, FloatParts, FloatSweep
from .snapshot import FloatSnapshot
from .step import FloatArrays, FloatRecords, float_scratch

Reals = NDArray[np.float64]

_CARRIED = state_variables("neuron", "input")


class FloatNetworkPart:
    """A layer of the float twin of a network, and what creates its arrays.

    Parameters
    ----------
    network : NetworkConfig
    number : int
        Index of the layer.
    seed : int
        Seed of the twin; the noise of each layer is a stream of its own.
    matched, gated : bool
    """

    def __init__(
        self, network: NetworkConfig, number: int, *, seed: int, matched: bool, gated: bool = True
    ) -> None:
        config = network.layers[number].config
        self.config = config
        self.learned = number >= network.learned_from
        self._hidden = number < len(network.layers) - 1
        self.phase_ends = network.derived(number).phase_ends
        sizes, steps = config.layer, config.window.steps
        for kind in (FloatSnapshot, FloatArrays):
            require_fields(kind, (own.name for own in _CARRIED))
        # The first layer's noise is that of a single layer of the same seed.
        key = (number,) if number else ()
        self.random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        self.fresh = FloatSnapshot(
            weights=np.zeros((sizes.inputs, sizes.neurons)),
            **{own.name: np.zeros(own.shape(config)) for own in _CARRIED},
            random=dict(self.random.bit_generator.state),
            learned=0,
        )
        self._functions = error_functions(config)
        self._constants = [
            float_constants(config, phase, matched=matched) for phase in range(len(config.schedule))
        ]
        shape = (steps, sizes.neurons)
        inputs = {name: np.zeros((0, steps, sizes.inputs)) for name in recorded("input")}
        # Kept between runs: allocating the arrays costs as much as a small window.
        self._arrays: dict[str, Any] = {
            "scratch": float_scratch(config),
            "records": FloatRecords(
                raster=np.zeros((1, *shape), np.uint8),
                **{name: np.zeros((1, *shape)) for name in recorded("neuron")},
                errors=np.zeros((0, *shape)),
                **inputs,
                gradient=np.zeros((0, sizes.neurons, sizes.inputs)),
            ),
            "pointers": np.zeros(steps + 1, np.int64),
            "addresses": np.zeros(steps * sizes.inputs, np.int32),
            "s": float_sweep_constants(network, number, matched=matched, gated=gated),
            "learned": self.learned,
        }
        self._sweep = FloatSweep(
            drive=np.zeros(shape),
            derivative=np.zeros(shape),
            membrane=np.zeros(shape),
            current=np.zeros(shape),
            gradient=np.zeros((sizes.inputs, sizes.neurons)),
            counters=np.zeros(2, np.int64),
        )

    def phase(self, learned: int) -> int:
        """Return the index of the phase after a number of windows."""
        return sum(learned >= end for end in self.phase_ends)

    def draw(self, state: dict[str, Any], noise: Reals) -> dict[str, Any]:
        """Fill `noise` from the generator in the given state; return its state afterwards."""
        if not self.config.noise.drawn:
            noise[:] = 0.0
            return state
        self.random.bit_generator.state = state
        self.random.standard_normal(out=noise)
        return dict(self.random.bit_generator.state)

    def parts(
        self, own: FloatSnapshot, noise: Reals, spikes: NDArray[np.uint8], derivatives: Reals
    ) -> FloatParts:
        """Return the arguments of the kernel for a state that it may change."""
        return FloatParts(
            weights=own.weights,
            arrays=FloatArrays(
                *self._functions, **{name.name: getattr(own, name.name) for name in _CARRIED}
            ),
            sweep=self._sweep._replace(counters=np.zeros(2, np.int64)),
            noise=noise, spikes=spikes, derivatives=derivatives,
            f=self._constants[self.phase(own.learned)], **self._arrays,
        )  # fmt: skip

    def records(self, windows: int, wanted: tuple[str, ...]) -> FloatNetworkRecords:
        """Return the records of a run; those that are not wanted have size zero."""
        sizes, steps = self.config.layer, self.config.window.steps
        shape = (steps, sizes.neurons)
        missing = "errors" if self._hidden else "credits"

        def optional(name: str, *size: int) -> Reals:
            return np.zeros((windows if name in wanted and name != missing else 0, *size))

        return FloatNetworkRecords(
            np.zeros((windows, *shape), np.uint8),
            **{
                name: optional(name, *shape)
                for name in FloatNetworkRecords._fields[1:]
                if name != "gradients"
            },
            gradients=optional("gradients", sizes.inputs, sizes.neurons),
        )
