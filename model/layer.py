"""A layer of the integer model: weights and state, and windows run through them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import window
from .base_layer import BaseLayer
from .buffers import Buffers
from .checks import (
    Integers,
    Spikes,
    check_events,
    check_targets,
    check_weights,
    require_learnable,
    require_no_targets,
    warn_of_idle,
)
from .config.config import Config
from .counters import ACTIVE_ERRORS, COUNTERS, WEIGHT_SATURATIONS
from .derive import derive
from .digest import digest_weights
from .engine.compile import NO_JIT, compiled, jit_disabled
from .errors import require_bool, require_int
from .events import Events
from .files.save_file import Arrays
from .gradient import dense_gradient, sparse_gradient
from .lfsr import Streams, start_stream
from .logging import warn_once
from .result import LAYER_RECORDS, LayerState, Result, check_records
from .snapshot import Opener, Snapshot
from .update import update_window
from .window import GRADIENT, INFER, LEARN, PREPARE

LARGE_WINDOW = 1 << 24
"""Minimum number of products in a window's gradient for which a matrix product is considered."""

DENSE_SHARE = 0.4
"""Minimum share of active errors for the matrix product, which is then faster (measured).

Both ways give the same bits.
"""

PIECE_WORK = 1 << 28
"""Work between two checks for an interrupt, in additions: about 0.1 s."""

UNIT_WORK = 16
"""Cost of one step of a neuron or trace, in additions (measured)."""

WINDOW_WORK = 1 << 12
"""Cost of a window's random streams, in additions (measured)."""


class Task(NamedTuple):
    """Arguments that all threads of a run share."""

    events: Events
    targets: NDArray[np.uint16]
    mode: int
    records: window.Records


class Seat(NamedTuple):
    """Arrays that one thread of a run writes to."""

    state: window.State
    streams: Streams
    scratch: window.Scratch
    counters: NDArray[np.int64]


class Layer(BaseLayer[Snapshot]):
    """A layer of noisy neurons in the integer model, which runs and learns whole windows.

    Parameters
    ----------
    config : Config
        Layers of one configuration draw identical noise; use `Config.seeded` for layers whose
        noise is to differ.
    threads : int
        Number of threads for batches of independent windows, 1 ..= 256. Results do not depend on
        it.
    interpreted : bool
        Run the specification itself on Python integers of unlimited size, instead of the compiled
        engine that is tested against it: the same results, hundreds of times slower. With
        NUMBA_DISABLE_JIT set, every layer is interpreted.

    Raises
    ------
    BitlifError
        If an argument has the wrong type or is out of range.

    Notes
    -----
    Layers can be pickled and copied at any moment; copies continue to the bit.

    After an interrupt or an error inside `run` or `learn`, the state is that after a whole number
    of their windows, from none to all: weights, state, traces, LFSRs, `windows_learned` and
    `phase` are consistent. Interrupts are handled within about 0.1 s, or after the current window
    if that is longer.

    Examples
    --------
    >>> layer = Layer(Config.load("tiny"))
    >>> spikes = Events.from_times([0, 1], [0, 1], steps=16, units=6)
    >>> layer.run(spikes).raster.shape
    (1, 16, 4)
    >>> layer
    <Layer name='tiny' inputs=6 neurons=4 windows_learned=0>
    """

    kind = "integer"
    _snapshot_type = Snapshot

    def __init__(self, config: Config, *, threads: int = 1, interpreted: bool = False) -> None:
        super().__init__(config)
        self._threads = require_int("threads", threads, 1, 256)
        self._asked = require_bool("interpreted", interpreted)
        self._interpreted = interpreted or jit_disabled()
        if self._interpreted and not interpreted:
            warn_once(NO_JIT)
        self._derived = derive(config)
        self._buffers = Buffers(config, self._interpreted)
        self._table = self._buffers.table()
        self._noise = self._buffers.noise()
        self._scratch: dict[int, window.Scratch] = {}
        self._opener = Opener(config, self._buffers, self._kernel(start_stream))
        # The complete state, only ever replaced as a whole: see `BaseLayer`.
        self._now = self._opener.fresh()

    @property
    def weights(self) -> NDArray[np.int64]:
        """A copy of the raw weights: shape (N, M), int64; row j belongs to input j."""
        return np.array(self._now.weights[:-1], np.int64)

    @property
    def lfsr_states(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """States of the noise LFSRs and of the update LFSRs, one per distinct stream.

        The second tuple is empty if the rounding of updates uses no random bits
        (``random_bits`` 0).
        """
        return self._opener.lfsr_states(self._now)

    @property
    def membrane(self) -> NDArray[np.int64]:
        """A copy of the raw membrane potentials before the next step: shape (M,)."""
        return np.array(self._now.state.membrane, np.int64)

    @property
    def state(self) -> LayerState:
        """A copy of the state before the next window, without the weights."""
        now = self._now
        noise, update = self._opener.lfsr_states(now)
        return LayerState(
            **{name: np.array(own, np.int64) for name, own in now.state._asdict().items()},
            noise_lfsr=noise, update_lfsr=update, phase=self._phase(now),
        )  # fmt: skip

    def load(self, weights: Integers) -> None:
        """Set the raw weights: integers of shape (N, M).

        Raises
        ------
        BitlifError
            If the shape or dtype is wrong, or a weight is outside the weight format.
        """
        raw = check_weights(self._config, weights)
        self._now = self._now._replace(weights=self._opener.weights(raw))

    def reset(self) -> None:
        """Reset state, traces, LFSRs and schedule to their initial values; keep the weights."""
        self._now = self._opener.fresh(self._now.weights)

    def to_arrays(self) -> Arrays:
        """Return the complete state as a dict of arrays; see `bitlif.model.snapshot`."""
        return self._opener.to_arrays(self._now)

    def from_arrays(self, arrays: Arrays) -> Snapshot:
        """Return the snapshot that arrays of `to_arrays` describe."""
        return self._opener.from_arrays(arrays)

    def _arguments(self) -> dict[str, Any]:
        return {"threads": self._threads, "interpreted": self._asked}

    def run(
        self,
        events: Spikes,
        targets: Integers | None = None,
        *,
        gradient: bool = False,
        record: Sequence[str] = (),
    ) -> Result:
        """Run windows without changing the weights.

        Parameters
        ----------
        events : Events or Result
            Input spikes, or the result of another layer whose output spikes are the input.
        targets : (W,), (W, M) or (W, T, M) array
            Labels, or targets per window or per step, by the rule of `bitlif.model.targets`.
            Required for errors, for the gradient and for the teacher's reset.
        gradient : bool
            Also return the gradient of each window.
        record : sequence of str
            Signals to return for each step: names of `bitlif.model.result.LAYER_RECORDS`.

        Returns
        -------
        Result

        Raises
        ------
        BitlifError
            If an argument has the wrong type, shape or range, or required targets are missing.
        """
        names = check_records(record, LAYER_RECORDS)
        wanted = (*names, "gradient") if gradient else names
        learning = {"errors", "traces", "gradient"} & set(wanted)
        mode = GRADIENT if "gradient" in wanted else PREPARE if learning else INFER
        spikes = check_events(self._config, events)
        levels = self._levels(targets, spikes.windows, needed=mode != INFER)
        return self._run(spikes, levels, mode, wanted)

    def learn(self, events: Spikes, targets: Integers, *, record: Sequence[str] = ()) -> Result:
        """Run windows one after another, and update all weights at the end of each.

        Parameters, return value and errors are those of `run`.

        Warns
        -----
        BitlifWarning
            If no learning rate of the schedule can change a weight.
        """
        wanted = check_records(record, LAYER_RECORDS)
        require_learnable(self._config)
        warn_of_idle(self._config)
        spikes = check_events(self._config, events)
        return self._run(spikes, self._levels(targets, spikes.windows, needed=True), LEARN, wanted)

    def _levels(
        self, targets: Integers | None, windows: int, *, needed: bool
    ) -> NDArray[np.uint16]:
        """Return checked raw targets, an empty array if there are none."""
        if needed:
            require_learnable(self._config)
        if targets is None:
            require_no_targets(self._config, needed=needed)
            return np.zeros((0, 1, self._config.layer.neurons), np.uint16)
        levels = check_targets(self._config, targets, windows)
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
            # An interrupt is handled between two pieces, each of a whole number of windows.
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
        """Return the number of windows between two checks for an interrupt."""
        sizes, steps = self._config.layer, task.events.steps
        if self._interpreted or (self._large(task) and task.mode == LEARN):
            return 1
        work = sizes.inputs * sizes.neurons + UNIT_WORK * (sizes.inputs + sizes.neurons)
        pieces = 1 if task.mode == LEARN else self._threads
        return max(1, PIECE_WORK // (steps * work + WINDOW_WORK)) * pieces

    def _learn(
        self, first: int, last: int, task: Task, counters: NDArray[np.int64]
    ) -> tuple[int, Snapshot]:
        """Learn windows up to `last` or the end of the phase; return the next one and the state."""
        now = self._now.copied()
        phase = self._phase(now)
        if phase < len(self._derived.phase_ends):
            last = min(last, first + self._derived.phase_ends[phase] - now.learned)
        seat = Seat(now.state, now.streams, self._own_scratch(LEARN), counters)
        if self._large(task):
            gradient = self._large_window(first, task, now, seat)
            counters[WEIGHT_SATURATIONS] += self._kernel(update_window)(
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
        """Run windows in one contiguous group per thread, each from its own LFSR position."""
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
        """Run windows in the mode of the task, or in another one if `mode` is given."""
        keeps = self._config.window
        self._kernel(window.run_windows)(
            first, last, 0, keeps.steps, task.mode if mode is None else mode,
            int(task.mode == LEARN), now.weights, task.events.pointers, task.events.addresses,
            task.targets, seat.state, self._table, self._noise, seat.streams, now.update_streams,
            seat.scratch, task.records, seat.counters, self._config.layer.lanes, keeps.cleared,
            self._derived.phases[self._phase(now)], self._derived.constants,
        )  # fmt: skip

    def _large(self, task: Task) -> bool:
        sizes = self._config.layer
        return (
            sizes.inputs * sizes.neurons * task.events.steps >= LARGE_WINDOW
            and not self._interpreted
        )

    def _large_window(self, w: int, task: Task, now: Snapshot, seat: Seat) -> NDArray[Any]:
        """Run window `w`; write and return its gradient, summed in the faster of two ways."""
        scratch, records = seat.scratch, task.records
        before = seat.counters[ACTIVE_ERRORS]
        self._windows(w, w + 1, task, now, seat, PREPARE)
        gradient = records.gradient[w if records.gradient.shape[0] > 1 else 0]
        if (seat.counters[ACTIVE_ERRORS] - before) / scratch.errors.size < DENSE_SHARE:
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

    def _own_scratch(self, mode: int) -> window.Scratch:
        """Return scratch arrays kept between runs: allocating large arrays costs page faults."""
        if mode not in self._scratch:
            self._scratch = {mode: self._buffers.scratch(mode)}
        return self._scratch[mode]
