"""A layer of the integer model: weights and state, and windows run through them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import window
from .buffers import Buffers
from .checks import Integers, check_events, check_targets, check_weights
from .config import Config
from .derive import derive
from .engine import compiled
from .errors import BitlifError, BitlifTypeError, require_int
from .events import Events
from .gradient import dense_gradient, sparse_gradient
from .lfsr import Lfsr, LfsrConfig, Streams, make_streams, start_stream, stream_states
from .result import RECORDS, LayerState, Result, check_records
from .text import quoted
from .update import update_window
from .window import COUNTERS, GRADIENT, INFER, LEARN, PREPARE

LARGE_WINDOW = 1 << 24
"""Products of a window's gradient from which on a matrix product may beat a sparse pass."""

DENSE_SHARE = 0.4
"""Share of active errors from which on it does (measured; both ways give the same bits)."""


class Task(NamedTuple):
    """What all threads of a run share."""

    events: Events
    targets: NDArray[np.uint16]
    mode: int
    records: window.Records


class Seat(NamedTuple):
    """What one thread of a run has for itself."""

    state: window.State
    streams: Streams
    scratch: window.Scratch
    counters: NDArray[np.int64]


class Layer:
    """A layer of noisy neurons that runs, and learns in, whole windows; integers throughout.

    Parameters
    ----------
    config : Config
    threads : int
        Threads for batches of windows that do not depend on each other. No result depends on it.
    interpreted : bool
        Run the specification itself, on Python's unbounded integers: slow, and the measure of the
        compiled engine.

    Examples
    --------
    >>> layer = Layer(Config.load("tiny"))
    >>> spikes = Events.from_times([0, 1], [0, 1], steps=16, units=6)
    >>> layer.run(spikes).raster.shape
    (1, 16, 4)
    """

    def __init__(self, config: Config, *, threads: int = 1, interpreted: bool = False) -> None:
        if not isinstance(config, Config):
            raise BitlifTypeError(f"config must be a Config, not {quoted(config)}")
        self._config = config
        self._threads = require_int("threads", threads, 1, 256)
        self._interpreted = interpreted
        self._derived = derive(config)
        self._buffers = Buffers(config, interpreted)
        self._weights = self._buffers.weights()
        self._table = self._buffers.table()
        self._noise = self._buffers.noise()
        self._scratch: dict[int, window.Scratch] = {}
        self.reset()

    # -- what a layer is ---------------------------------------------------------------------

    @property
    def config(self) -> Config:
        """The configuration."""
        return self._config

    @property
    def records(self) -> tuple[str, ...]:
        """What `run` and `learn` can record."""
        return RECORDS

    @property
    def weights(self) -> NDArray[np.int64]:
        """A copy of the raw weights: shape (N, M), int64; row j belongs to input j."""
        return np.array(self._weights[:-1], np.int64)

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
        """States of the noise LFSRs and of the update LFSRs, one a distinct stream.

        Of the latter there are none where rounding draws nothing (``random_bits`` 0).
        """
        learning = self._config.learning
        noise = stream_states(self._streams, self._config.noise.lfsr.width)
        if not learning.random_bits:
            return noise, ()
        return noise, stream_states(self._update_streams, learning.lfsr.width)

    @property
    def membrane(self) -> NDArray[np.int64]:
        """A copy of the raw membrane potentials that the next step starts from: shape (M,)."""
        return np.array(self._state.membrane, np.int64)

    @property
    def state(self) -> LayerState:
        """A copy of all that the next window starts from, but the weights."""
        current, membrane, trace_current, trace = (
            np.array(values, np.int64) for values in self._state
        )
        return LayerState(current, membrane, trace_current, trace, *self.lfsr_states, self.phase)

    def load(self, weights: Integers) -> None:
        """Set the raw weights: integers of shape (N, M) within the weight format, else an error."""
        self._weights[:-1] = check_weights(self._config, weights)

    def reset(self) -> None:
        """Go back to the beginning: state, traces, LFSRs and schedule; the weights stay."""
        self._learned = 0
        self._state = self._buffers.state()
        noise, learning = self._config.noise, self._config.learning
        draws, inputs = self._buffers.lane_draws, self._config.layer.inputs
        self._streams = self._open(noise.lfsr, noise.leap, noise.draw_bits, draws)
        self._update_streams = self._open(
            learning.lfsr, learning.leap, learning.random_bits, inputs
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
        wanted = check_records(tuple(record))
        return self._run(events, self._check(events, targets, needed=True), LEARN, wanted)

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
        records = self._buffers.records(events.windows, mode, wanted)
        counters = np.zeros(len(COUNTERS), np.int64)
        task = Task(events, targets, mode, records)
        if mode == LEARN:
            self._learn(task, counters)
        else:
            self._batch(task, counters)
        given = {name: getattr(records, name) for name in wanted}
        if self._interpreted:
            given = {name: array.astype(np.int64) for name, array in given.items()}
        tally = {name: int(count) for name, count in zip(COUNTERS, counters, strict=True)}
        return Result(records.raster, tally, **given)

    def _learn(self, task: Task, counters: NDArray[np.int64]) -> None:
        """Learn window by window, in one compiled call a phase unless the windows are large."""
        seat = Seat(self._state, self._streams, self._own_scratch(LEARN), counters)
        first, windows = 0, task.events.windows
        while first < windows:
            last = windows
            if self.phase < len(self._derived.phase_ends):
                left = self._derived.phase_ends[self.phase] - self._learned
                last = min(last, first + left)
            if self._large(task):
                last = first + 1
                gradient = self._large_window(first, task, seat)
                counters[5] += self._kernel(update_window)(
                    self._weights, gradient, self._update_streams, self._config.layer.lanes,
                    seat.scratch.tile, seat.scratch.randoms, self._phase_constants(),
                    self._derived.constants,
                )  # fmt: skip
            else:
                self._windows(first, last, task, seat)
            self._learned += last - first
            first = last

    def _batch(self, task: Task, counters: NDArray[np.int64]) -> None:
        """Run windows in as many contiguous groups as threads, each from its LFSR position."""
        keeps, windows = self._config.window, task.events.windows
        traced = task.mode != INFER
        independent = keeps.state == "clear" and (keeps.trace == "clear" or not traced)
        groups = min(self._threads, windows) if independent else 1
        if groups <= 1:
            scratch = self._own_scratch(task.mode)
            self._group(0, windows, task, Seat(self._state, self._streams, scratch, counters))
            return
        edges = [windows * k // groups for k in range(groups + 1)]
        seats = [
            Seat(
                self._state if k == groups - 1 else self._buffers.state(),
                self._streams_at(edges[k]),
                self._buffers.scratch(task.mode),
                np.zeros_like(counters),
            )
            for k in range(groups)
        ]
        with ThreadPoolExecutor(groups) as pool:
            jobs = [
                pool.submit(self._group, edges[k], edges[k + 1], task, seats[k])
                for k in range(groups)
            ]
            for job in jobs:
                job.result()
        self._streams = seats[-1].streams
        for seat in seats:
            counters += seat.counters

    def _group(self, first: int, last: int, task: Task, seat: Seat) -> None:
        if task.mode != GRADIENT or not self._large(task):
            self._windows(first, last, task, seat)
            return
        for w in range(first, last):
            self._large_window(w, task, seat)

    def _windows(self, first: int, last: int, task: Task, seat: Seat) -> None:
        keeps = self._config.window
        clear = tuple(int(keep == "clear") for keep in (keeps.state, keeps.trace, keeps.lfsr))
        self._kernel(window.run_windows)(
            first, last, task.mode, self._weights, task.events.pointers, task.events.addresses,
            task.targets, seat.state, self._table, self._noise, seat.streams,
            self._update_streams, seat.scratch, task.records, seat.counters,
            self._config.layer.lanes, clear, self._phase_constants(), self._derived.constants,
        )  # fmt: skip

    def _large(self, task: Task) -> bool:
        sizes = self._config.layer
        return (
            sizes.inputs * sizes.neurons * task.events.steps >= LARGE_WINDOW
            and not self._interpreted
        )

    def _large_window(self, w: int, task: Task, seat: Seat) -> NDArray[Any]:
        """Run window `w`; write and return its gradient in the way that its activity asks for."""
        scratch, records, active = seat.scratch, task.records, COUNTERS.index("active_errors")
        before = seat.counters[active]
        self._windows(w, w + 1, task._replace(mode=PREPARE), seat)
        gradient = records.gradient[w if records.gradient.shape[0] > 1 else 0]
        if (seat.counters[active] - before) / scratch.errors.size < DENSE_SHARE:
            self._kernel(sparse_gradient)(
                scratch.errors, scratch.traces, gradient, scratch.by_neuron, scratch.active
            )
        else:
            error, trace = self._config.error.format, self._config.trace.format
            product = -error.raw_min * trace.raw_max
            dense_gradient(scratch.errors, scratch.traces, gradient, product, self._threads)
        return gradient  # type: ignore[no-any-return]

    # -- parts -------------------------------------------------------------------------------

    def _kernel(self, function: Any) -> Any:
        return function if self._interpreted else compiled(function)

    def _phase_constants(self) -> Any:
        return self._derived.phases[self.phase]

    def _own_scratch(self, mode: int) -> window.Scratch:
        """Return scratch that is kept between runs: making large arrays anew costs page faults."""
        if mode not in self._scratch:
            self._scratch = {mode: self._buffers.scratch(mode)}
        return self._scratch[mode]

    def _open(self, lfsr: LfsrConfig, leap: int, reach: int, draws: int) -> Streams:
        sources = lfsr.streams(self._config.layer.lanes)
        return make_streams(sources, leap, reach, draws, self._kernel(start_stream))

    def _streams_at(self, windows: int) -> Streams:
        """Return the noise streams where they will be after this many more windows."""
        noise, sizes, keeps = self._config.noise, self._config.layer, self._config.window
        ahead = windows * keeps.steps * sizes.slots * noise.leap if keeps.lfsr == "carry" else 0
        states = stream_states(self._streams, noise.lfsr.width)
        taps = [source.taps for source in dict.fromkeys(noise.lfsr.streams(sizes.lanes))]
        sources = [Lfsr(t, state).jump(ahead) for t, state in zip(taps, states, strict=True)]
        streams = make_streams(
            sources, noise.leap, noise.draw_bits, self._buffers.lane_draws,
            self._kernel(start_stream),
        )  # fmt: skip
        return streams._replace(origin=self._streams.origin)
