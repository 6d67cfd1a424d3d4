"""The complete state of a layer of the integer model as one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .buffers import Buffers
from .config.config import Config
from .errors import BitlifError
from .files.save_file import MAX_WINDOWS, Arrays, require_array, require_names
from .lfsr import Lfsr, LfsrConfig, Streams, make_streams, stream_states
from .state import state_variables
from .window import State


class Snapshot(NamedTuple):
    """Weights, state, traces, LFSRs and schedule of a layer.

    Its arrays are never modified: a run works on a copy, which then replaces the snapshot.
    """

    weights: NDArray[Any]
    """(N + 1, M) int; the last row is zero."""
    state: State
    streams: Streams
    """Streams of the noise."""
    update_streams: Streams
    """Streams of the stochastic rounding."""
    learned: int
    """Windows learned since the reset."""

    def copied(self) -> Snapshot:
        """Return a copy that a run may modify."""
        return Snapshot(
            self.weights.copy(),
            State(*(array.copy() for array in self.state)),
            copied_streams(self.streams),
            copied_streams(self.update_streams),
            self.learned,
        )


def copied_streams(streams: Streams) -> Streams:
    """Return a copy of streams that a run may modify."""
    return streams._replace(buffer=streams.buffer.copy(), offset=streams.offset.copy())


class Opener:
    """Creates snapshots of a layer, and converts them to arrays and back.

    Parameters
    ----------
    config : Config
    buffers : Buffers
    start : function
        `bitlif.model.lfsr.start_stream`, compiled or not.
    update_draws : int
        Draws of the update that a lane makes at a time; 0: as many as a single layer needs.
    """

    def __init__(
        self,
        config: Config,
        buffers: Buffers,
        start: Callable[..., None],
        *,
        update_draws: int = 0,
    ) -> None:
        self._config, self._buffers, self._start = config, buffers, start
        # At the end of a window a lane draws for all inputs at a time.
        self._update_draws = update_draws or config.layer.inputs
        lanes = config.layer.lanes
        self._fresh = Snapshot(
            buffers.weights(),
            buffers.state(),
            self._noise(config.noise.lfsr.streams(lanes)),
            self._update(config.learning.lfsr.streams(lanes)),
            0,
        )

    def fresh(self, weights: NDArray[Any] | None = None) -> Snapshot:
        """Return the initial state, with weights of shape (N + 1, M), by default zeros."""
        return self._fresh if weights is None else self._fresh._replace(weights=weights)

    def weights(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Return raw weights (N, M) as (N + 1, M), in the dtype of the engine."""
        weights = self._buffers.weights()
        weights[:-1] = raw
        return weights

    def ahead(self, streams: Streams, windows: int) -> Streams:
        """Return the noise streams as they will be after a number of windows."""
        noise, sizes, keeps = self._config.noise, self._config.layer, self._config.window
        positions = windows * keeps.steps * sizes.slots * noise.leap
        states = stream_states(streams, noise.lfsr.width)
        taps = _distinct_taps(noise.lfsr, sizes.lanes)
        moved = positions if keeps.lfsr == "carry" else 0
        sources = [Lfsr(t, state).jump(moved) for t, state in zip(taps, states, strict=True)]
        return self._noise(sources)._replace(origin=streams.origin)

    def lfsr_states(self, snapshot: Snapshot) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the states of the noise and of the update LFSRs; see `Layer.lfsr_states`."""
        learning = self._config.learning
        noise: tuple[int, ...] = ()
        if self._config.noise.drawn:
            noise = stream_states(snapshot.streams, self._config.noise.lfsr.width)
        if not learning.random_bits:
            return noise, ()
        return noise, stream_states(snapshot.update_streams, learning.lfsr.width)

    def _noise(self, sources: Sequence[Lfsr]) -> Streams:
        noise, draws = self._config.noise, self._buffers.lane_draws
        return make_streams(sources, noise.leap, noise.draw_bits, draws, self._start)

    def _update(self, sources: Sequence[Lfsr]) -> Streams:
        learning, draws = self._config.learning, self._update_draws
        return make_streams(sources, learning.leap, learning.random_bits, draws, self._start)

    # -- files -------------------------------------------------------------------------------

    def to_arrays(self, snapshot: Snapshot) -> Arrays:
        """Return a snapshot as a dict of arrays; see `from_arrays`."""
        noise, learning = self._config.noise, self._config.learning
        arrays = {name: np.array(own, np.int64) for name, own in snapshot.state._asdict().items()}
        return {
            "weights": np.array(snapshot.weights[:-1], np.int64),
            **arrays,
            "noise_lfsr": _words(stream_states(snapshot.streams, noise.lfsr.width)),
            "update_lfsr": _words(stream_states(snapshot.update_streams, learning.lfsr.width)),
            "windows_learned": np.array(snapshot.learned, np.int64),
        }

    def from_arrays(self, arrays: Arrays) -> Snapshot:
        """Return the snapshot that arrays of `to_arrays` describe.

        Raises
        ------
        BitlifError
            If an array is missing, or does not fit the configuration.
        """
        config, sizes = self._config, self._config.layer
        shapes = {own.name: (own.shape(config), own.format(config)) for own in state_variables()}
        require_names(arrays, (*shapes, "noise_lfsr", "update_lfsr", "windows_learned"))
        found = {
            name: require_array(arrays, name, shape, fmt.raw_min, fmt.raw_max)
            for name, (shape, fmt) in shapes.items()
        }
        learned = require_array(arrays, "windows_learned", (), 0, MAX_WINDOWS)
        state = self._buffers.state()
        for name, array in state._asdict().items():
            array[:] = found[name]
        fresh = self._fresh
        noise = self._noise(lfsr_sources(config.noise.lfsr, sizes.lanes, arrays, "noise_lfsr"))
        update = self._update(
            lfsr_sources(config.learning.lfsr, sizes.lanes, arrays, "update_lfsr")
        )
        return Snapshot(
            self.weights(found["weights"]),
            state,
            noise._replace(origin=fresh.streams.origin),
            update._replace(origin=fresh.update_streams.origin),
            int(learned),
        )


def _words(states: Sequence[int]) -> NDArray[np.uint64]:
    return np.array(states, np.uint64)


def _distinct_taps(lfsr: LfsrConfig, lanes: int) -> list[tuple[int, ...]]:
    """Return the polynomials of the distinct streams."""
    return [source.taps for source in dict.fromkeys(lfsr.streams(lanes))]


def lfsr_sources(lfsr: LfsrConfig, lanes: int, arrays: Arrays, name: str) -> list[Lfsr]:
    """Return the LFSRs with the states in `arrays`, one per distinct stream.

    Raises
    ------
    BitlifError
        If the states have the wrong shape or range, or wrong distances from each other.
    """
    taps = _distinct_taps(lfsr, lanes)
    states = require_array(arrays, name, (len(taps),), 1, (1 << lfsr.width) - 1)
    sources = [Lfsr(t, int(state)) for t, state in zip(taps, states, strict=True)]
    if lfsr.sharing == "phase":
        # The distances between lanes are constant.
        distance = sources[0].period // lanes
        for lane, source in enumerate(sources):
            if source != sources[0].jump(lane * distance):
                raise BitlifError(
                    f"{name}[{lane}] must be {lane * distance} positions ahead of {name}[0] on the "
                    f"stream"
                )
    return sources
