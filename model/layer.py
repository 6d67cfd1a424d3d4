"""A layer of the integer model: weights and state, and windows run through them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import window
from .buffers import Buffers
from .checks import Integers, check_events, check_targets, check_weights, warn_of_idle
from .config.config import Config
from .derive import derive
from .digest import digest_weights
from .engine.compile import NO_JIT, compiled, jit_disabled
from .errors import BitlifError, BitlifTypeError, require_bool, require_int, require_kind
from .events import Events
from .files.save_file import Arrays, load_saved, save_arrays
from .gradient import dense_gradient, sparse_gradient
from .lfsr import Streams, start_stream
from .logging import say_once
from .result import LAYER_RECORDS, RECORDS, LayerState, Result, check_records
from .snapshot import Opener, Snapshot
from .text import quoted
from .update import update_window
from .window import COUNTERS, GRADIENT, INFER, LEARN, PREPARE

LARGE_WINDOW = 1 << 24
"""Products of a window's gradient from which on a matrix product may beat a sparse pass."""

DENSE_SHARE = 0.4
"""Share of active errors from which on it does (measured; both ways give the same bits)."""

PIECE_WORK = 1 << 28
"""Work of the windows between which an interrupt is answered, in additions: about 0.1 s."""

UNIT_WORK = 16
"""Additions that a step of one neuron, or of one trace, takes as long as (measured)."""

WINDOW_WORK = 1 << 12
"""The same of a window, for its random streams."""


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
        Layers of one configuration draw identical noise: give each its own by `Config.seeded`.
    threads : int
        Threads for batches of windows that do not depend on each other. No result depends on it.
    interpreted : bool
        Run the specification itself, on Python's unbounded integers: slow, and the measure of the
        compiled engine. So does every layer where NUMBA_DISABLE_JIT switches Numba off.

    Notes
    -----
    After an interrupt or an error inside `run` or `learn`, the layer stands where a whole number of
    their windows has run, from none to all: weights, state, traces, LFSRs, `windows_learned` and
    `phase` agree. It is answered within about 0.1 s, or when a longer window has ended.

    Examples
    --------
    >>> layer = Layer(Config.load("tiny"))
    >>> spikes = Events.from_times([0, 1], [0, 1], steps=16, units=6)
    >>> layer.run(spikes).raster.shape
    (1, 16, 4)
    """

    kind = "integer"
    """Of the files that it writes."""

    def __init__(self, config: Config, *, threads: int = 1, interpreted: bool = False) -> None:
        if not isinstance(config, Config):
            raise BitlifTypeError(f"config must be a Config, not {quoted(config)}")
        self._config = config
        self._threads = require_int("threads", threads, 1, 256)
        self._asked = require_bool("interpreted", interpreted)
        self._interpreted = interpreted or jit_disabled()
        if self._interpreted and not interpreted:
            say_once(NO_JIT)
        self._derived = derive(config)
        self._buffers = Buffers(config, self._interpreted)
        self._table = self._buffers.table()
        self._noise = self._buffers.noise()
        self._scratch: dict[int, window.Scratch] = {}
        self._opener = Opener(config, self._buffers, self._kernel(start_stream))
        # All that changes, replaced as a whole by one assignment: see `snapshot`.
        self._now = self._opener.fresh()

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
        return np.array(self._now.weights[:-1], np.int64)

    @property
    def windows_learned(self) -> int:
        """Windows learned since `reset`: it is what the schedule counts."""
        return self._now.learned

    @property
    def phase(self) -> int:
        """Index of the schedule's phase that the next window runs in."""
        return self._phase(self._now.learned)

    @property
    def lfsr_states(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """States of the noise LFSRs and of the update LFSRs, one a distinct stream.

        Of the latter there are none where rounding draws nothing (``random_bits`` 0).
        """
        return self._opener.lfsr_states(self._now)

    @property
    def membrane(self) -> NDArray[np.int64]:
        """A copy of the raw membrane potentials that the next step starts from: shape (M,)."""
        return np.array(self._now.state.membrane, np.int64)

    @property
    def state(self) -> LayerState:
        """A copy of all that the next window starts from, but the weights."""
        now = self._now
        current, membrane, trace_current, trace = (np.array(own, np.int64) for own in now.state)
        rest = (*self._opener.lfsr_states(now), self._phase(now.learned))
        return LayerState(current, membrane, trace_current, trace, *rest)

    def load(self, weights: Integers) -> None:
        """Set the raw weights: integers of shape (N, M) within the weight format, else an error."""
        raw = check_weights(self._config, weights)
        self._now = self._now._replace(weights=self._opener.weights(raw))

    def reset(self) -> None:
        """Go back to the beginning: state, traces, LFSRs and schedule; the weights stay."""
        self._now = self._opener.fresh(self._now.weights)

    def snapshot(self) -> Snapshot:
        """Return where the layer stands, weights included, for `restore`. Nothing is copied."""
        return self._now

    def restore(self, snapshot: Snapshot) -> None:
        """Go back, or on, to a snapshot of this layer."""
        require_kind("snapshot", snapshot, Snapshot)
        self._now = snapshot

    def save(self, path: str | Path) -> None:
        """Write where the layer stands to an ``.npz`` file, for `resume`."""
        save_arrays(path, self.kind, self._config, self.to_arrays())

    def resume(self, path: str | Path) -> None:
        """Go on from where a layer of the same configuration stood when `save` wrote the file.

        Raises
        ------
        BitlifError
            If the file cannot be read, is of another configuration or kind of layer, or holds a
            value that the configuration does not allow. The layer is then as it was.
        """
        self._now = self.from_arrays(load_saved(path, self.kind, self._config))

    def to_arrays(self) -> Arrays:
        """Return where the layer stands as plain arrays; see `bitlif.model.snapshot`."""
        return self._opener.to_arrays(self._now)

    def from_arrays(self, arrays: Arrays) -> Snapshot:
        """Return the snapshot that arrays from elsewhere stand for, if they fit; else raise."""
        return self._opener.from_arrays(arrays)

    def __getstate__(self) -> dict[str, Any]:
        own = {"config": self._config, "threads": self._threads, "interpreted": self._asked}
        return {**own, "arrays": self.to_arrays()}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        arrays = saved.pop("arrays")
        Layer.__init__(self, **saved)
        self._now = self.from_arrays(arrays)

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
        record : names of `bitlif.model.result.LAYER_RECORDS`
            What else to give for each step.
        """
        names = (*record, "gradient") if gradient else tuple(record)
        wanted = check_records(names, LAYER_RECORDS)
        learning = {"errors", "traces", "gradient"} & set(wanted)
        mode = GRADIENT if "gradient" in wanted else PREPARE if learning else INFER
        levels = self._check(events, targets, needed=mode != INFER)
        return self._run(events, levels, mode, wanted)

    def learn(self, events: Events, targets: Integers, *, record: Sequence[str] = ()) -> Result:
        """Run windows one after another, each ending with the update of all weights.

        Parameters are those of `run`.
        """
        wanted = check_records(tuple(record), LAYER_RECORDS)
        warn_of_idle(self._config)
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
        first, windows = 0, events.windows
        most = self._windows_at_once(task)
        while first < windows:
            # An interrupt comes between two windows: it finds the layer before or after a piece.
            last = min(windows, first + most)
            piece = self._learn if mode == LEARN else self._batch
            last, now = piece(first, last, task, counters)
            self._now = now
            first = last
        given = {name: getattr(records, name) for name in wanted if name != "digests"}
        if self._interpreted:
            given = {name: array.astype(np.int64) for name, array in given.items()}
        if "digests" in wanted:
            both = (records.step_digests, records.update_digests)
            given["digests"] = tuple(np.asarray(array, np.int64) for array in both)
        tally = {name: int(count) for name, count in zip(COUNTERS, counters, strict=True)}
        return Result(records.raster, tally, **given)

    def _windows_at_once(self, task: Task) -> int:
        """Return how many windows run before an interrupt is answered."""
        sizes, steps = self._config.layer, task.events.steps
        if self._interpreted or (self._large(task) and task.mode == LEARN):
            return 1
        work = sizes.inputs * sizes.neurons + UNIT_WORK * (sizes.inputs + sizes.neurons)
        pieces = 1 if task.mode == LEARN else self._threads
        return max(1, PIECE_WORK // (steps * work + WINDOW_WORK)) * pieces

    def _learn(
        self, first: int, last: int, task: Task, counters: NDArray[np.int64]
    ) -> tuple[int, Snapshot]:
        """Learn windows up to `last` or the phase's end; return which is next, and the outcome."""
        now = self._now.copied()
        phase = self._phase(now.learned)
        if phase < len(self._derived.phase_ends):
            last = min(last, first + self._derived.phase_ends[phase] - now.learned)
        seat = Seat(now.state, now.streams, self._own_scratch(LEARN), counters)
        if self._large(task):
            gradient = self._large_window(first, task, now, seat)
            counters[5] += self._kernel(update_window)(
                now.weights, gradient, now.update_streams, self._config.layer.lanes,
                seat.scratch.tile, seat.scratch.randoms, self._derived.phases[phase],
                self._derived.constants,
            )  # fmt: skip
            if task.records.update_digests.size:
                digest = task.records.update_digests[first]
                self._kernel(digest_weights)(now.weights, len(gradient.T), digest.size, digest)
        else:
            self._windows(first, last, task, now, seat)
        return last, now._replace(learned=now.learned + last - first)

    def _batch(
        self, first: int, last: int, task: Task, counters: NDArray[np.int64]
    ) -> tuple[int, Snapshot]:
        """Run windows in as many contiguous groups as threads, each from its LFSR position."""
        now = self._now.copied()
        independent = self._config.window.state == "clear"
        groups = min(self._threads, last - first) if independent else 1
        if groups <= 1:
            seat = Seat(now.state, now.streams, self._own_scratch(task.mode), counters)
            self._group(first, last, task, now, seat)
            return last, now
        edges = [first + (last - first) * k // groups for k in range(groups + 1)]
        seats = [
            Seat(
                window.State(*(array.copy() for array in now.state)),
                self._opener.ahead(now.streams, edges[k] - first),
                self._buffers.scratch(task.mode),
                np.zeros_like(counters),
            )
            for k in range(groups)
        ]
        with ThreadPoolExecutor(groups) as pool:
            jobs = [
                pool.submit(self._group, edges[k], edges[k + 1], task, now, seats[k])
                for k in range(groups)
            ]
            for job in jobs:
                job.result()
        for seat in seats:
            counters += seat.counters
        return last, now._replace(state=seats[-1].state, streams=seats[-1].streams)

    def _group(self, first: int, last: int, task: Task, now: Snapshot, seat: Seat) -> None:
        if task.mode != GRADIENT or not self._large(task):
            self._windows(first, last, task, now, seat)
            return
        for w in range(first, last):
            self._large_window(w, task, now, seat)

    def _windows(
        self, first: int, last: int, task: Task, now: Snapshot, seat: Seat, mode: int | None = None
    ) -> None:
        """Run windows, up to another `mode` than the task's if one is given."""
        keeps = self._config.window
        clear = tuple(int(keep == "clear") for keep in (keeps.state, keeps.trace, keeps.lfsr))
        self._kernel(window.run_windows)(
            first, last, task.mode if mode is None else mode, int(task.mode == LEARN),
            now.weights, task.events.pointers, task.events.addresses, task.targets, seat.state,
            self._table, self._noise, seat.streams, now.update_streams, seat.scratch,
            task.records, seat.counters, self._config.layer.lanes, clear,
            self._derived.phases[self._phase(now.learned)], self._derived.constants,
        )  # fmt: skip

    def _large(self, task: Task) -> bool:
        sizes = self._config.layer
        return (
            sizes.inputs * sizes.neurons * task.events.steps >= LARGE_WINDOW
            and not self._interpreted
        )

    def _large_window(self, w: int, task: Task, now: Snapshot, seat: Seat) -> NDArray[Any]:
        """Run window `w`; write and return its gradient in the way that its activity asks for."""
        scratch, records, active = seat.scratch, task.records, COUNTERS.index("active_errors")
        before = seat.counters[active]
        self._windows(w, w + 1, task, now, seat, PREPARE)
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

    def _kernel(self, function: Any) -> Any:
        return function if self._interpreted else compiled(function)

    def _phase(self, learned: int) -> int:
        return sum(learned >= end for end in self._derived.phase_ends)

    def _own_scratch(self, mode: int) -> window.Scratch:
        """Return scratch that is kept between runs: making large arrays anew costs page faults."""
        if mode not in self._scratch:
            self._scratch = {mode: self._buffers.scratch(mode)}
        return self._scratch[mode]
