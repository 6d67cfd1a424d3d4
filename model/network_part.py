"""A layer inside a network: its arrays, and its part of the kernel's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .buffers import BLOCK_DRAWS, Buffers
from .config.network import NetworkConfig
from .counters import COUNTERS
from .engine.compile import compiled
from .lfsr import Streams, make_streams, start_stream
from .network_window import LayerParts, WindowRecords
from .snapshot import Opener, Snapshot
from .sweep import SWEEP_COUNTERS, Sweep
from .update import TILE
from .window import INFER

FORWARD_RECORDS = ("current", "membrane", "draws")
"""Signals of all layers that `bitlif.model.network.Network.run` can record."""

NETWORK_RECORDS = (*FORWARD_RECORDS, "adjoints", "gradients")
"""Signals of all layers that `bitlif.model.network.Network.learn` can record."""

WEIGHT_TYPE = np.int32
"""Type of the weights of all layers: one type for all formats, since code is compiled for each."""


class NetworkPart:
    """A layer of a network, and what creates its arrays."""

    def __init__(self, config: NetworkConfig, number: int, *, interpreted: bool) -> None:
        own = config.layers[number]
        self.config, self.sweep_config = own.config, own.sweep
        self.base, self.swept = config.derived(number), config.derived_sweep(number)
        self.hidden = number < len(config.layers) - 1
        self.learned = number >= config.learned_from
        self.interpreted = interpreted
        self.buffers = Buffers(own.config, interpreted, WEIGHT_TYPE)
        start = start_stream if interpreted else compiled(start_stream)
        self.opener = Opener(own.config, self.buffers, start)
        sizes = own.config.layer
        each = (2 + int(self.hidden)) * sizes.slots
        self.block = max(1, min(BLOCK_DRAWS // each, own.config.window.steps))
        self.streams = make_streams(
            own.sweep.lfsr.streams(sizes.lanes), own.sweep.leap, own.sweep.random_bits,
            self.block * each, start,
        )  # fmt: skip
        # Kept between runs: allocating the arrays costs as much as a small window.
        self._arrays = self._new_arrays()

    def _new_arrays(self) -> dict[str, Any]:
        zeros, sizes, steps = self.buffers.zeros, self.config.layer, self.config.window.steps
        shape, constants = (steps, sizes.neurons), self.swept.constants
        kinds = 2 + constants.hidden
        # As many as the update's streams hold.
        spikes = max(1, sizes.inputs // sizes.slots)
        surrogate = constants.surrogate
        surrogate = surrogate._replace(
            table=self.buffers.integers(int(value) for value in surrogate.table)
        )
        scratch = self.buffers.scratch(INFER)
        tile = zeros((TILE, sizes.inputs), self.buffers.stored)
        return {
            "table": self.buffers.table(),
            "noise": self.buffers.noise(),
            "scratch": scratch._replace(tile=tile),
            "sweep": Sweep(
                drive=zeros(shape, np.int64),
                derivative=zeros(shape, np.int64),
                randoms=zeros((self.block, kinds, sizes.neurons), np.int64),
                drawn=zeros((self.block * kinds * sizes.slots,), np.int64),
                membrane=zeros((sizes.neurons,), np.int64),
                current=zeros((sizes.neurons,), np.int64),
                gradient=zeros((sizes.inputs, sizes.neurons), np.int64),
                updates=zeros((spikes, 1, sizes.neurons), np.int64),
                update_drawn=zeros((spikes * sizes.slots,), np.int64),
                adjoints=zeros(shape, np.int64),
            ),
            "pointers": np.zeros(steps + 1, np.int64),
            "addresses": np.zeros(steps * sizes.inputs, np.int32),
            "transposed": zeros((sizes.neurons, sizes.inputs), np.int64),
            "constants": self.base.constants,
            "sweep_constants": constants._replace(surrogate=surrogate),
            "lanes": sizes.lanes,
            "sweep_bits": self.sweep_config.random_bits,
            "learned": int(self.learned),
            "teacher": int(self.config.membrane.reset == "teacher"),
        }

    def parts(self, own: Snapshot, streams: Streams, wanted: Sequence[str]) -> LayerParts:
        """Return the arguments of the kernel for a state that it may change."""
        # The sweep needs the membranes; what nobody wants is not recorded in every step.
        records = self.buffers.records(1, INFER, ("membrane", *wanted))
        return LayerParts(
            records=records._replace(gradient=self.buffers.zeros((0, 0, 0), np.int64)),
            weights=own.weights, state=own.state, streams=own.streams,
            update_streams=own.update_streams, sweep_streams=streams,
            counters=np.zeros(len(COUNTERS), np.int64),
            sweep_counters=np.zeros(len(SWEEP_COUNTERS), np.int64), **self._arrays,
        )  # fmt: skip

    def phase(self, learned: int) -> int:
        """Return the index of the phase after a number of windows."""
        return sum(learned >= end for end in self.base.phase_ends)

    def records(self, windows: int, wanted: Sequence[str]) -> WindowRecords:
        """Return the records of a run; those that are not wanted have size zero."""
        sizes, steps = self.config.layer, self.config.window.steps

        def optional(name: str, *shape: int) -> NDArray[Any]:
            return self.buffers.zeros((windows if name in wanted else 0, *shape), np.int64)

        return WindowRecords(
            np.zeros((windows, steps, sizes.neurons), np.uint8),
            **{name: optional(name, steps, sizes.neurons) for name in NETWORK_RECORDS[:-1]},
            gradients=optional("gradients", sizes.inputs, sizes.neurons),
        )
