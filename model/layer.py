"""A layer of the integer model: weights and state, and windows run through them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import window
from .config import Config
from .derive import PhaseConstants, derive
from .engine import compiled
from .errors import BitlifError, BitlifTypeError, require_int
from .events import Events
from .fixed import Format
from .gradient import dense_gradient, sparse_gradient
from .lfsr import Lfsr, LfsrConfig, Streams, make_streams, start_stream, stream_states
from .result import Result, check_records
from .update import TILE, update_window
from .window import COUNTERS, GRADIENT, INFER, LEARN, PREPARE

BLOCK_DRAWS = 4096
"""Draws made at a time: a block of steps whose noise stays in the nearest cache."""

LARGE_WINDOW = 1 << 24
"""Products of a window's gradient from which on a matrix product may be faster than a sparse pass."""

DENSE_SHARE = 0.4
"""Share of active errors from which on it is (measured; both ways give the same bits)."""

Integers = NDArray[np.integer]


def storage(fmt: Format) -> type[np.signedinteger]:
    """Return the narrowest NumPy type that holds a weight format."""
    return np.int8 if fmt.bits <= 8 else np.int16 if fmt.bits <= 16 else np.int32


class Layer:
    """A layer of noisy neurons that runs, and learns in, whole windows; integers throughout.

    Parameters
    ----------
    config : Config
    threads : int
        Threads for batches of windows that do not depend on each other. Results never depend on it.
    interpreted : bool
        Run the specification itself, on Python's unbounded integers: slow, and the measure of the
        compiled engine.

    Examples
    --------
    >>> import numpy as np
    >>> from bitlif.model.events import Events
    >>> layer = Layer(Config.load("tiny"))
    >>> spikes = Events.from_times([0, 1], [0, 1], steps=layer.config.window.steps,
    ...                            units=layer.config.layer.inputs)
    >>> layer.run(spikes).raster.shape == (1, layer.config.window.steps, layer.config.layer.neurons)
    True
    """

    def __init__(self, config: Config, *, threads: int = 1, interpreted: bool = False) -> None:
        if not isinstance(config, Config):
            raise BitlifTypeError(f"config must be a Config, not {config!r}")
        self._config = config
        self._threads = require_int("threads", threads, 1, 256)
        self._interpreted = interpreted
        self._derived = derive(config)
        sizes = config.layer
        kind = storage(config.synapse.weight)
        self._weights: Any = self._zeros((sizes.inputs + 1, sizes.neurons), kind)
        columns = (self._integers(column) for column in self._derived.table)
        self._table = window.Table(*columns)
        noise = config.noise
        popcount = noise.kind == "popcount"
        shape = (noise.draw_bits, 1) if popcount else (noise.words, noise.word_bits)
        self._noise = window.Noise(shape, self._integers(noise.quantiles))
        self._block = max(1, min(BLOCK_DRAWS // sizes.neurons, config.window.steps))
        self._start = self._kernel(start_stream)
        self.reset()

    # -- what a layer is ---------------------------------------------------------------------

    @property
    def config(self) -> Config:
        """The configuration."""
        return self._config

    @property
    def weights(self) -> NDArray[np.int64]:
        """A copy of the raw weights: shape (N, M), int64; row j belongs to input j."""
        return self._weights[:-1].astype(np.int64)

    @property
    def windows_learned(self) -> int:
        """Windows learned since `reset`: it is what the schedule counts."""
        return self._learned

    @property
    def phase(self) -> int:
        """Index of the schedule's phase that the next window runs in."""
        return sum(self._learned >= end for end in self._derived.phase_ends)

    @property
    def lfsr_states(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """States of the noise LFSRs and of the update LFSRs, one a distinct stream."""
        widths = (self._config.noise.lfsr.width, self._config.learning.lfsr.width)
        pair = zip((self._streams, self._update_streams), widths, strict=True)
        first, second = (stream_states(streams, width) for streams, width in pair)
        return first, second

    @property
    def membrane(self) -> NDArray[np.int64]:
        """A copy of the raw membrane potentials that the next step starts from: shape (M,)."""
        return self._state.membrane.astype(np.int64)

    def load(self, weights: Integers) -> None:
        """Set the raw weights: integers of shape (N, M) within the weight format, else an error."""
        self._weights[:-1] = check_weights(self._config, weights)

    def reset(self) -> None:
        """Go back to the beginning: state, traces, LFSRs and schedule; the weights stay."""
        self._learned = 0
        self._state = self._new_state()
        config = self._config
        self._streams = self._open(
            config.noise.lfsr, config.noise.leap, config.noise.draw_bits, self._draws_of_block()
        )
        learning = config.learning
        self._update_streams = self._open(
            learning.lfsr, learning.leap, learning.random_bits, config.layer.inputs
        )

    # -- running -----------------------------------------------------------------------------

    def run(
        self,
        events: Events,
        targets: Integers | None = None,
        *,
        gradient: bool = False,
        record: Sequence[str] = (),
    ) -> Result:
        """Run windows without changing a weight.

        Parameters
        ----------
        events : Events
        targets : (W, M) or (W, T, M) int
            Raw, ``0 ..= 2**target_bits``. Needed for errors, for the gradient and for a teacher's
            reset.
        gradient : bool
            Also give the gradient of each window.
        record : names of `bitlif.model.result.RECORDS`
            What else to give for each step.
        """
        wanted = check_records((*record, "gradient") if gradient else tuple(record))
        learning = {"errors", "traces", "gradient"} & set(wanted)
        mode = GRADIENT if "gradient" in wanted else PREPARE if learning else INFER
        levels = self._check(events, targets, needed=mode != INFER)
        return self._run(events, levels, mode, wanted)

    def learn(self, events: Events, targets: Integers, *, record: Sequence[str] = ()) -> Result:
        """Run windows one after another, each ending with the update of all weights.

        Parameters are those of `run`.
        """
        levels = self._check(events, targets, needed=True)
        return self._run(events, levels, LEARN, check_records(tuple(record)))

    def _check(
        self, events: Events, targets: Integers | None, *, needed: bool
    ) -> NDArray[np.uint16]:
        check_events(self._config, events)
        if targets is None:
            if needed or self._config.membrane.reset == "teacher":
                raise BitlifError("targets must be given for learning or a teacher's reset")
            return np.zeros((0, 1, self._config.layer.neurons), np.uint16)
        levels = check_targets(self._config, targets, events.windows)
        return levels.astype(object) if self._interpreted else levels

    def _run(
        self, events: Events, targets: NDArray[np.uint16], mode: int, wanted: tuple[str, ...]
    ) -> Result:
        records = self._new_records(events.windows, mode, wanted)
        counters = np.zeros(len(COUNTERS), np.int64)
        if mode == LEARN:
            self._learn(events, targets, records, counters)
        else:
            self._batch(events, targets, mode, records, counters)
        given = {name: getattr(records, name).astype(np.int64) for name in wanted}
        tally = {name: int(count) for name, count in zip(COUNTERS, counters, strict=True)}
        return Result(records.raster, tally, **given)

    def _learn(
        self,
        events: Events,
        targets: NDArray[np.uint16],
        records: window.Records,
        counters: NDArray[np.int64],
    ) -> None:
        """Learn window by window, in one compiled call a phase unless the windows are large."""
        size = self._config.layer.inputs * self._config.layer.neurons * events.steps
        large = size >= LARGE_WINDOW and not self._interpreted
        scratch = self._new_scratch(LEARN)
        first = 0
        while first < events.windows:
            phase = self._derived.phases[self.phase]
            last = events.windows
            if self.phase < len(self._derived.phase_ends):
                last = min(last, first + self._derived.phase_ends[self.phase] - self._learned)
            if large:
                last = first + 1
                self._windows(
                    first, last, PREPARE, events, targets, self._state, scratch, self._streams,
                    records, counters,
                )  # fmt: skip
                out = records.gradient[first if records.gradient.shape[0] > 1 else 0]
                self._large_gradient(scratch, out)
                counters[5] += self._kernel(update_window)(
                    self._weights, out, self._update_streams, self._config.layer.lanes,
                    scratch.tile, phase, self._derived.constants,
                )  # fmt: skip
            else:
                self._windows(
                    first, last, LEARN, events, targets, self._state, scratch, self._streams,
                    records, counters,
                )  # fmt: skip
            self._learned += last - first
            first = last

    def _batch(
        self,
        events: Events,
        targets: NDArray[np.uint16],
        mode: int,
        records: window.Records,
        counters: NDArray[np.int64],
    ) -> None:
        """Run windows in as many contiguous groups as threads; each starts from its LFSR position."""
        keeps = self._config.window
        independent = keeps.state == "clear" and (mode == INFER or keeps.trace == "clear")
        groups = min(self._threads, events.windows) if independent else 1
        if groups <= 1:
            self._group(0, events.windows, mode, events, targets, self._state, self._streams,
                        records, counters)  # fmt: skip
            return
        edges = [events.windows * k // groups for k in range(groups + 1)]
        states = [self._new_state() for _ in range(groups - 1)] + [self._state]
        streams = [self._streams_at(start) for start in edges[:-1]]
        tallies = [np.zeros_like(counters) for _ in range(groups)]
        with ThreadPoolExecutor(groups) as pool:
            jobs = [
                pool.submit(self._group, edges[k], edges[k + 1], mode, events, targets, states[k],
                            streams[k], records, tallies[k])
                for k in range(groups)
            ]  # fmt: skip
            for job in jobs:
                job.result()
        self._streams = streams[-1]
        counters += sum(tallies)

    def _group(
        self, first: int, last: int, mode: int, events: Events, targets: NDArray[np.uint16],
        state: window.State, streams: Streams, records: window.Records,
        counters: NDArray[np.int64],
    ) -> None:  # fmt: skip
        size = self._config.layer.inputs * self._config.layer.neurons * events.steps
        scratch = self._new_scratch(mode)
        if mode != GRADIENT or size < LARGE_WINDOW or self._interpreted:
            self._windows(
                first, last, mode, events, targets, state, scratch, streams, records, counters
            )
            return
        for w in range(first, last):
            self._windows(
                w, w + 1, PREPARE, events, targets, state, scratch, streams, records, counters
            )
            out = records.gradient[w if records.gradient.shape[0] > 1 else 0]
            self._large_gradient(scratch, out)

    def _windows(
        self, first: int, last: int, mode: int, events: Events, targets: NDArray[np.uint16],
        state: window.State, scratch: window.Scratch, streams: Streams, records: window.Records,
        counters: NDArray[np.int64],
    ) -> None:  # fmt: skip
        keeps = self._config.window
        clear = tuple(int(keep == "clear") for keep in (keeps.state, keeps.trace, keeps.lfsr))
        self._kernel(window.run_windows)(
            first, last, mode, self._weights, events.pointers, events.addresses, targets, state,
            self._table, self._noise, streams, self._update_streams, scratch, records, counters,
            self._config.layer.lanes, clear, self._phase_constants(), self._derived.constants,
        )  # fmt: skip

    def _large_gradient(self, scratch: window.Scratch, out: Integers) -> None:
        share = np.count_nonzero(scratch.errors) / scratch.errors.size
        if share < DENSE_SHARE:
            self._kernel(sparse_gradient)(
                scratch.errors, scratch.traces, out, scratch.by_neuron, scratch.active
            )
        else:
            config = self._config
            product = -config.error.format.raw_min * config.trace.format.raw_max
            dense_gradient(scratch.errors, scratch.traces, out, product, self._threads)

    # -- arrays ------------------------------------------------------------------------------

    def _kernel(self, function: Any) -> Any:
        return function if self._interpreted else compiled(function)

    def _phase_constants(self) -> PhaseConstants:
        return self._derived.phases[self.phase]

    def _zeros(self, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
        """Return an array of zeros; of Python's unbounded integers when interpreted."""
        if self._interpreted:
            return np.full(shape, 0, object)
        return np.zeros(shape, kind)

    def _integers(self, values: Any) -> NDArray[Any]:
        if self._interpreted:
            return np.array([int(value) for value in values], object)
        return np.array(values, np.int64)

    def _draws_of_block(self) -> int:
        return self._block * self._config.layer.slots

    def _open(self, lfsr: LfsrConfig, leap: int, reach: int, draws: int) -> Streams:
        sources = lfsr.streams(self._config.layer.lanes)
        return make_streams(sources, leap, reach, draws, self._start)

    def _streams_at(self, windows: int) -> Streams:
        """Return the noise streams where they will be after this many more windows."""
        noise = self._config.noise
        if self._config.window.lfsr == "clear":
            windows = 0
        ahead = windows * self._config.window.steps * self._config.layer.slots * noise.leap
        states = stream_states(self._streams, noise.lfsr.width)
        taps = [
            source.taps for source in dict.fromkeys(noise.lfsr.streams(self._config.layer.lanes))
        ]
        sources = [Lfsr(t, state).jump(ahead) for t, state in zip(taps, states, strict=True)]
        streams = make_streams(
            sources, noise.leap, noise.draw_bits, self._draws_of_block(), self._start
        )
        return streams._replace(origin=self._streams.origin)

    def _new_state(self) -> window.State:
        inputs, neurons = self._config.layer.inputs, self._config.layer.neurons
        return window.State(
            *(self._zeros((n,), np.int64) for n in (neurons, neurons, inputs, inputs))
        )

    def _new_scratch(self, mode: int) -> window.Scratch:
        config = self._config
        inputs, neurons = config.layer.inputs, config.layer.neurons
        steps = config.window.steps if mode != INFER else 0
        narrow = {np.int8: np.int16, np.int16: np.int32, np.int32: np.int64}
        weight = storage(config.synapse.weight)
        zeros = self._zeros
        tile = TILE if mode == LEARN else 0
        return window.Scratch(
            narrow_sum=zeros((neurons,), narrow[weight]),
            weight_sum=zeros((neurons,), np.int64),
            membrane=zeros((neurons,), np.int64),
            targets=zeros((neurons,), np.int64),
            resets=zeros((neurons,), np.uint8),
            lane_draws=zeros((self._draws_of_block(),), np.int64),
            draws=zeros((self._block * neurons,), np.int64),
            spiked=zeros((inputs,), np.uint8),
            errors=zeros((steps, neurons), np.int16),
            traces=zeros((steps, inputs), np.uint16),
            by_neuron=zeros((neurons, steps), np.int16),
            active=np.zeros(steps, np.int64),
            tile=zeros((tile, inputs), weight),
        )

    def _new_records(self, windows: int, mode: int, wanted: tuple[str, ...]) -> window.Records:
        inputs, neurons = self._config.layer.inputs, self._config.layer.neurons
        steps = self._config.window.steps
        gradient_windows = windows if "gradient" in wanted else 1 if mode >= GRADIENT else 0
        wide = self._derived.ranges["gradient"].bits > 32
        kind = np.int64 if wide else np.int32

        def optional(name: str, size: int) -> NDArray[Any]:
            return self._zeros((windows if name in wanted else 0, steps, size), np.int64)

        return window.Records(
            raster=np.zeros((windows, steps, neurons), np.uint8),
            current=optional("current", neurons),
            membrane=optional("membrane", neurons),
            draws=optional("draws", neurons),
            errors=optional("errors", neurons),
            traces=optional("traces", inputs),
            gradient=self._zeros((gradient_windows, neurons, inputs), kind),
        )


def check_weights(config: Config, weights: Integers) -> Integers:
    """Return raw weights of shape (N, M) if they fit the configuration; else raise."""
    array = np.asarray(weights)
    shape = (config.layer.inputs, config.layer.neurons)
    if array.shape != shape or not np.issubdtype(array.dtype, np.integer):
        raise BitlifTypeError(
            f"weights must be integers of shape (inputs, neurons) = {shape}, "
            f"not {array.dtype} of shape {array.shape}"
        )
    _require_range("weights", array, config.synapse.weight.raw_min, config.synapse.weight.raw_max)
    return array


def check_events(config: Config, events: Events) -> None:
    """Raise unless `events` are windows of the configuration's inputs and steps."""
    if not isinstance(events, Events):
        raise BitlifTypeError(f"events must be Events, not {type(events).__name__}")
    if events.units != config.layer.inputs or events.steps != config.window.steps:
        raise BitlifError(
            f"events must have {config.layer.inputs} units and {config.window.steps} steps a window, "
            f"not {events.units} and {events.steps}"
        )


def check_targets(config: Config, targets: Integers, windows: int) -> NDArray[np.uint16]:
    """Return raw targets as (W, T or 1, M) uint16 if they fit the configuration; else raise."""
    array = np.asarray(targets)
    neurons, steps = config.layer.neurons, config.window.steps
    shapes = ((windows, neurons), (windows, steps, neurons))
    if array.shape not in shapes or not np.issubdtype(array.dtype, np.integer):
        raise BitlifTypeError(
            f"targets must be integers of shape {shapes[0]} or {shapes[1]}, "
            f"not {array.dtype} of shape {array.shape}"
        )
    _require_range("targets", array, 0, 1 << config.error.target_bits)
    if array.ndim == 2:
        array = array[:, None, :]
    return np.ascontiguousarray(array, np.uint16)


def _require_range(name: str, array: Integers, low: int, high: int) -> None:
    if array.size and (array.min() < low or array.max() > high):
        wrong = int(array.min()) if array.min() < low else int(array.max())
        raise BitlifError(f"{name} must be in {low} ..= {high}, not {wrong}")


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
