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
from .engine.words import fits_word
from .errors import BitlifError
from .files.save_file import Arrays
from .lfsr import Lfsr, Streams, make_streams, start_stream, stream_states
from .network_result import DIGESTS, FORWARD_RECORDS
from .network_window import LayerParts, WindowRecords
from .snapshot import Opener, Snapshot, lfsr_sources
from .sweep import SWEEP_COUNTERS, Sweep
from .window import INFER, Records

SWEEP_LFSR = "sweep_lfsr"
"""Name of the array with the states of the sweep's LFSRs."""

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
        sizes = own.config.layer
        # Many draws at a time make the cost of moving the history of each lane small.
        self.update_draws = max(
            sizes.inputs, sizes.slots, min(sizes.inputs * sizes.slots, BLOCK_DRAWS)
        )
        self.opener = Opener(own.config, self.buffers, start, update_draws=self.update_draws)
        each = (2 + int(self.hidden)) * sizes.slots
        self.block = max(1, min(BLOCK_DRAWS // each, own.config.window.steps))
        self._start, self._draws = start, self.block * each
        self.streams = self._streams(own.sweep.lfsr.streams(sizes.lanes))
        # Kept between runs: allocating the arrays costs as much as a small window.
        self._arrays = self._new_arrays()

    def _streams(self, sources: Sequence[Lfsr]) -> Streams:
        sweep = self.sweep_config
        return make_streams(sources, sweep.leap, sweep.random_bits, self._draws, self._start)

    def to_arrays(self, own: Snapshot, streams: Streams) -> Arrays:
        """Return the complete state of the layer as arrays."""
        states = stream_states(streams, self.sweep_config.lfsr.width)
        return {**self.opener.to_arrays(own), SWEEP_LFSR: np.array(states, np.uint64)}

    def from_arrays(self, arrays: Arrays) -> tuple[Snapshot, Streams]:
        """Return the state that arrays of `to_arrays` describe.

        Raises
        ------
        BitlifError
            If an array is missing, or does not fit the configuration.
        """
        if SWEEP_LFSR not in arrays:
            raise BitlifError(f"a state must contain the array {SWEEP_LFSR}, which is missing")
        lanes = self.config.layer.lanes
        sources = lfsr_sources(self.sweep_config.lfsr, lanes, arrays, SWEEP_LFSR)
        own = {name: array for name, array in arrays.items() if name != SWEEP_LFSR}
        streams = self._streams(sources)._replace(origin=self.streams.origin)
        return self.opener.from_arrays(own), streams

    def _new_arrays(self) -> dict[str, Any]:
        zeros, sizes, steps = self.buffers.zeros, self.config.layer, self.config.window.steps
        shape, constants = (steps, sizes.neurons), self.swept.constants
        kinds = 2 + constants.hidden
        spike_update = constants.spike_update
        block = self.update_draws // (sizes.slots if spike_update else sizes.inputs)
        surrogate = constants.surrogate
        surrogate = surrogate._replace(
            table=self.buffers.integers(int(value) for value in surrogate.table)
        )
        return {
            "table": self.buffers.table(),
            "noise": self.buffers.noise(),
            **self._forward_arrays(),
            "sweep": Sweep(
                words=int(self.swept.words),
                update_words=int(self.swept.update_words),
                drive=zeros(shape, np.int32),
                wide_drive=zeros((0 if self.swept.words else steps, sizes.neurons), np.int64),
                driven=np.zeros(steps, np.uint8),
                derivative=zeros(shape, np.uint8),
                block=self.block,
                randoms=zeros((kinds, sizes.neurons), np.int32),
                membrane=zeros((sizes.neurons,), np.int32),
                current=zeros((sizes.neurons,), np.int32),
                feedback=zeros((sizes.neurons, sizes.inputs), np.int32),
                adjoints=zeros((steps + 1, sizes.neurons), np.int16),
                touched=np.zeros(sizes.neurons, np.uint8),
                counts=np.zeros(sizes.inputs, np.int64),
                times=np.zeros((sizes.inputs, steps), np.int32),
                rows=(1 << (16 - self.sweep_config.current.bits)) // 4 * 4,
                sum=zeros((sizes.neurons,), np.int16),
                gradient=zeros((sizes.inputs, sizes.neurons), self._gradient_type()),
                updates=zeros((max(sizes.inputs, block), sizes.neurons), np.int32),
            ),
            "update_block": block,
            "constants": self.base.constants,
            "sweep_constants": constants._replace(surrogate=surrogate),
            "lanes": sizes.lanes,
            "sweep_bits": self.sweep_config.random_bits,
            "learned": int(self.learned),
            "teacher": int(self.config.membrane.reset == "teacher"),
        }

    def _gradient_type(self) -> Any:
        gradient = self.swept.ranges["sweep gradient"]
        return np.int32 if fits_word(gradient.low, gradient.high) else np.int64

    def window_records(self, wanted: Sequence[str]) -> Records:
        """Return the records of one window, of which those that nobody wants have size zero."""
        # The sweep needs the membranes.
        records = self.buffers.records(1, INFER, ("membrane", *wanted))
        return records._replace(gradient=self.buffers.zeros((0, 0, 0), np.int64))

    def _forward_arrays(self) -> dict[str, Any]:
        inputs, steps = self.config.layer.inputs, self.config.window.steps
        return {
            "scratch": self.buffers.scratch(INFER),
            "pointers": np.zeros(steps + 1, np.int64),
            "addresses": np.zeros(steps * inputs, np.int32),
        }

    def parts(
        self, own: Snapshot, streams: Streams, records: Records, *, new: bool = False
    ) -> LayerParts:
        """Return the arguments of the kernel for a state that it may change.

        The work arrays are kept between runs. With `new`, those of the forward steps are made anew,
        for another thread.
        """
        arrays = {**self._arrays, **self._forward_arrays()} if new else self._arrays
        return LayerParts(
            records=records,
            weights=own.weights, state=own.state, streams=own.streams,
            update_streams=own.update_streams, sweep_streams=streams,
            counters=np.zeros(len(COUNTERS), np.int64),
            sweep_counters=np.zeros(len(SWEEP_COUNTERS), np.int64), **arrays,
        )  # fmt: skip

    def phase(self, learned: int) -> int:
        """Return the index of the phase after a number of windows."""
        return self.base.phase_at(learned)

    def records(self, windows: int, wanted: Sequence[str]) -> WindowRecords:
        """Return the records of a run; those that are not wanted have size zero."""
        sizes, steps = self.config.layer, self.config.window.steps

        def optional(name: str, *shape: int) -> NDArray[Any]:
            return self.buffers.zeros((windows if name in wanted else 0, *shape), np.int64)

        shape = (steps, sizes.neurons)
        return WindowRecords(
            np.zeros((windows, *shape), np.uint8),
            **{name: optional(name, *shape) for name in (*FORWARD_RECORDS, "adjoints")},
            errors=optional("" if self.hidden else "errors", *shape),
            gradients=optional("gradients", sizes.inputs, sizes.neurons),
            step_digests=optional(DIGESTS, steps, sizes.lanes),
            update_digests=optional(DIGESTS if self.learned else "", sizes.lanes),
        )
