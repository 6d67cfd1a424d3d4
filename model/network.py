"""A network of the integer model: layers in a row that learn by a backward sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .base_layer import Kept
from .checks import (
    check_events,
    check_targets,
    check_weights,
    require_learnable_network,
    require_no_targets,
)
from .config.network import NetworkConfig
from .counters import COUNTERS
from .display import one_line
from .engine.compile import compiled, jit_disabled
from .errors import BitlifError, BitlifTypeError, located_in_layer, require_bool, require_int
from .events import Events
from .files.save_file import Arrays
from .lfsr import Streams, stream_states
from .network_part import NetworkPart
from .network_result import (
    DIGESTS,
    FORWARD_RECORDS,
    NETWORK_RECORDS,
    NetworkResult,
    network_result,
)
from .network_seat import Seat, first_seat, on_threads, seat_ahead
from .network_window import run_network
from .result import LayerState, Result, check_records
from .sections import WindowConfig
from .snapshot import Snapshot
from .state import state_variables
from .sweep import SWEEP_COUNTERS
from .text import quoted

LENGTHS = (4, 16)
"""Lengths of the kernel's tuples, which are padded, for the same reason."""

PIECE_WORK = 1 << 26
"""Work between two checks for an interrupt, in synapses times steps: about 0.1 s."""

THREAD_WORK = 1 << 24
"""Least work of a thread, in synapses times steps: a few times what starting it takes."""


class NetworkSnapshot(NamedTuple):
    """The complete state of a network: that of each layer, and the LFSRs of the sweeps."""

    layers: tuple[Snapshot, ...]
    streams: tuple[Streams, ...]

    @property
    def learned(self) -> int:
        """Windows learned since the reset."""
        return self.layers[-1].learned


class Network(Kept[NetworkSnapshot]):
    """A network of noisy neurons in the integer model, which runs and learns whole windows.

    It starts with the weights of `NetworkConfig.initial_weights`.

    Parameters
    ----------
    config : NetworkConfig
    threads : int
        Number of threads for windows that are run without learning and do not depend on each other
        (``window.state = "clear"``), 1 ..= 256. Results do not depend on it.
    interpreted : bool
        Run the specification itself on Python integers; see `bitlif.model.layer.Layer`.

    Raises
    ------
    BitlifError
        If an argument has the wrong type or is out of range.

    Examples
    --------
    >>> network = Network(NetworkConfig.load("tiny"))
    >>> spikes = Events.from_times([0, 1], [0, 1], steps=16, units=6)
    >>> network.run(spikes).output.raster.shape
    (1, 16, 4)
    """

    _snapshot_type = NetworkSnapshot
    _config: NetworkConfig

    def __init__(
        self, config: NetworkConfig, *, threads: int = 1, interpreted: bool = False
    ) -> None:
        if not isinstance(config, NetworkConfig):
            raise BitlifTypeError(f"config must be a NetworkConfig, not {quoted(config)}")
        self._config = config
        self._threads = require_int("threads", threads, 1, 256)
        self._interpreted = require_bool("interpreted", interpreted) or jit_disabled()
        self._parts = [
            NetworkPart(config, number, interpreted=self._interpreted)
            for number in range(len(config.layers))
        ]
        self._kernel = run_network if self._interpreted else compiled(run_network)
        self._asked = interpreted
        # The complete state, only ever replaced as a whole.
        self._now = self._fresh()
        self.load(config.initial_weights())

    def _fresh(self) -> NetworkSnapshot:
        return NetworkSnapshot(
            tuple(part.opener.fresh() for part in self._parts),
            tuple(part.streams for part in self._parts),
        )

    @property
    def config(self) -> NetworkConfig:
        """The configuration."""
        return self._config

    @property
    def kind(self) -> str:
        """Kind of the files that `save` writes."""
        return "integer network"

    def to_arrays(self) -> Arrays:
        """Return the complete state as arrays, named ``"layer.0.weights"`` and so on."""
        now = self._now
        return {
            f"layer.{number}.{name}": array
            for number, part in enumerate(self._parts)
            for name, array in part.to_arrays(now.layers[number], now.streams[number]).items()
        }

    def from_arrays(self, arrays: Arrays) -> NetworkSnapshot:
        """Return the snapshot that arrays of `to_arrays` describe; see `Kept.from_arrays`."""
        own: list[Arrays] = [{} for _ in self._parts]
        prefixes = [f"layer.{number}." for number in range(len(own))]
        for name, array in arrays.items():
            for number, prefix in enumerate(prefixes):
                if name.startswith(prefix):
                    own[number][name[len(prefix) :]] = array
                    break
            else:
                raise BitlifError(f"a state must not contain an array {quoted(name)}")
        found = []
        for number, part in enumerate(self._parts):
            with located_in_layer(number):
                found.append(part.from_arrays(own[number]))
        layers = tuple(layer for layer, _ in found)
        if len({layer.learned for layer in layers}) > 1:
            raise BitlifError("windows_learned must be the same in all layers")
        return NetworkSnapshot(layers, tuple(streams for _, streams in found))

    def _arguments(self) -> dict[str, Any]:
        return {"threads": self._threads, "interpreted": self._asked}

    def __repr__(self) -> str:
        facts = {**self._config.facts(), "windows learned": self.windows_learned}
        return one_line(type(self).__name__, facts)

    @property
    def windows_learned(self) -> int:
        """Windows learned since the reset."""
        return self._now.learned

    @property
    def phases(self) -> tuple[int, ...]:
        """Index of the phase of each layer's schedule that the next window runs in."""
        return tuple(part.phase(self.windows_learned) for part in self._parts)

    def weights(self) -> list[NDArray[np.int64]]:
        """Return copies of the raw weights of all layers: (N, M) int64 each."""
        return [np.array(own.weights[:-1], np.int64) for own in self._now.layers]

    def sweep_lfsr(self) -> tuple[tuple[int, ...], ...]:
        """Return the states of the sweeps' LFSRs: per layer, one per distinct stream."""
        return tuple(
            stream_states(own, part.sweep_config.lfsr.width)
            for own, part in zip(self._now.streams, self._parts, strict=True)
        )

    def states(self) -> list[LayerState]:
        """Return a copy of the state of each layer before the next window.

        The traces stay 0: the sweep has none.
        """
        found = []
        for part, own in zip(self._parts, self._now.layers, strict=True):
            noise, update = part.opener.lfsr_states(own)
            names = (variable.name for variable in state_variables("neuron", "input"))
            values = {name: np.array(getattr(own.state, name), np.int64) for name in names}
            phase = part.phase(own.learned)
            found.append(LayerState(**values, noise_lfsr=noise, update_lfsr=update, phase=phase))
        return found

    def load(self, weights: Sequence[NDArray[np.integer]]) -> None:
        """Set the raw weights of all layers: a list of (N, M) integers.

        Raises
        ------
        BitlifError
            If the number of arrays, a shape, a dtype or a value is wrong: nothing changes then.
        """
        if len(weights) != len(self._parts):
            raise BitlifError(
                f"weights must be a list of {len(self._parts)} arrays, one per layer, "
                f"not of {len(weights)}"
            )
        checked = [
            check_weights(part.config, own) for part, own in zip(self._parts, weights, strict=True)
        ]
        self._now = self._now._replace(
            layers=tuple(
                now._replace(weights=part.opener.weights(raw))
                for now, part, raw in zip(self._now.layers, self._parts, checked, strict=True)
            )
        )

    def reset(self) -> None:
        """Reset states, LFSRs and schedules to their initial values; keep the weights."""
        fresh = self._fresh()
        layers = tuple(
            new._replace(weights=old.weights)
            for new, old in zip(fresh.layers, self._now.layers, strict=True)
        )
        self._now = fresh._replace(layers=layers)

    def run(
        self, events: Events | Result, targets: Any = None, *, record: Sequence[str] = ()
    ) -> NetworkResult:
        """Run windows through all layers without changing a weight.

        Parameters
        ----------
        events : Events or Result
            W windows of input spikes of the first layer.
        targets : (W, M) or (W, T, M) int or None
            Raw targets of the last layer; required for a teacher's reset.
        record : sequence of str
            Signals of all layers: ``"current"``, ``"membrane"``, ``"draws"``, and ``"digests"``
            for the signature.
        """
        spikes, levels = self._checked(events, targets, needed=False)
        return self._run(spikes, levels, 0, check_records(record, (*FORWARD_RECORDS, DIGESTS)))

    def learn(
        self,
        events: Events | Result,
        targets: NDArray[np.integer],
        *,
        record: Sequence[str] = (),
    ) -> NetworkResult:
        """Run windows one after another, and learn from each by a backward sweep.

        Parameters
        ----------
        events, targets
            As for `run`; targets are required.
        record : sequence of str
            Besides those of `run`, ``"adjoints"`` and ``"gradients"`` of all layers, and
            ``"errors"`` of the last.

        Raises
        ------
        BitlifError
            If an argument does not fit the configuration: nothing has run then.
        """
        spikes, levels = self._checked(events, targets, needed=True)
        return self._run(spikes, levels, 1, check_records(record, (*NETWORK_RECORDS, DIGESTS)))

    def _checked(
        self, events: Events | Result, targets: Any, *, needed: bool
    ) -> tuple[Events, NDArray[np.uint16]]:
        spikes = check_events(self._parts[0].config, events)
        last = self._parts[-1].config
        if needed:
            require_learnable_network(self._config)
        if targets is None:
            require_no_targets(last, needed=needed)
            return spikes, np.zeros((0, 1, last.layer.neurons), np.uint16)
        levels = check_targets(last, targets, spikes.windows)
        return spikes, levels.astype(object) if self._interpreted else levels

    def _run(
        self, spikes: Events, levels: NDArray[np.uint16], learn: int, wanted: tuple[str, ...]
    ) -> NetworkResult:
        records = tuple(part.records(spikes.windows, wanted) for part in self._parts)
        totals = [dict.fromkeys(COUNTERS, 0) for _ in self._parts]
        sweeps = [dict.fromkeys(SWEEP_COUNTERS, 0) for _ in self._parts]
        none = levels[:0]
        forward = tuple(name for name in (*FORWARD_RECORDS, DIGESTS) if name in wanted)
        steps = self._window.steps
        first = 0
        while first < spikes.windows:
            # An interrupt is handled between two pieces, each of a whole number of windows.
            last = self._piece_end(first, spikes.windows, learn)
            seats, edges = self._seats(first, last, learn, forward)
            learned = self.windows_learned
            phases, rates = phase_constants(self._parts, learned)
            calls = [
                (
                    edges[k], edges[k + 1], 0, steps, learn, len(self._parts), spikes.pointers,
                    spikes.addresses, levels, none, padded(seat.parts), phases, rates,
                    padded(records), self._window.cleared,
                )
                for k, seat in enumerate(seats)
            ]  # fmt: skip
            on_threads(self._kernel, calls)
            learned += (last - first) * learn
            self._now = NetworkSnapshot(
                tuple(own._replace(learned=learned) for own in seats[-1].layers), seats[-1].streams
            )
            for seat in seats:
                for number, part in enumerate(seat.parts):
                    for name, count in zip(COUNTERS, part.counters, strict=True):
                        totals[number][name] += int(count)
                    for name, count in zip(SWEEP_COUNTERS, part.sweep_counters, strict=True):
                        sweeps[number][name] += int(count)
            first = last
        return network_result(records, totals, sweeps, wanted, learn=bool(learn))

    @property
    def _window(self) -> WindowConfig:
        return self._parts[0].config.window

    def _window_work(self) -> int:
        sizes = [part.config.layer for part in self._parts]
        return sum(own.inputs * own.neurons for own in sizes) * self._window.steps

    def _seats(
        self, first: int, last: int, learn: int, wanted: tuple[str, ...]
    ) -> tuple[list[Seat], list[int]]:
        """Return a seat for each thread, and the windows at which their blocks begin and end."""
        now, windows = self._now, last - first
        count = 1
        if not learn and self._window.state == "clear":
            most = max(1, windows * self._window_work() // THREAD_WORK)
            count = min(self._threads, windows, most)
        edges = [first + windows * k // count for k in range(count + 1)]
        seats = [first_seat(self._parts, *now, wanted)]
        for start in edges[1:-1]:
            seats.append(seat_ahead(self._parts, *now, wanted, start - first))
        return seats, edges

    def _piece_end(self, first: int, windows: int, learn: int) -> int:
        """Return the end of a piece that takes about 0.1 s at most and ends with a phase."""
        most = max(1, PIECE_WORK // self._window_work()) * (1 if learn else self._threads)
        last = min(windows, first + (1 if self._interpreted else most))
        if learn:
            for part, own in zip(self._parts, self._now.layers, strict=True):
                for end in part.base.phase_ends:
                    if own.learned < end:
                        last = min(last, first + end - own.learned)
        return last


def phase_constants(
    parts: Sequence[NetworkPart], learned: int
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return what the kernel takes of the phase after so many windows: of steps, and of sweeps."""
    numbers = [part.phase(learned) for part in parts]
    return (
        padded([part.base.phases[n] for part, n in zip(parts, numbers, strict=True)]),
        padded([part.swept.phases[n] for part, n in zip(parts, numbers, strict=True)]),
    )


def padded(items: Sequence[Any]) -> tuple[Any, ...]:
    """Return items of the layers as a tuple of one of `LENGTHS`; the last one is repeated."""
    length = next(length for length in LENGTHS if length >= len(items))
    return (*items, *(items[-1],) * (length - len(items)))
