"""One interface over every way to run a layer: what a core takes, what it gives, what it refuses.

All quantities are raw: in LSBs of their formats. From the float twin they come as float64, in the
same unit, unrounded.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.bus.registers import COUNTER_STOPPED, REGISTERS
from bitlif.hdl.loadable import require_loadable
from bitlif.model.checks import check_events, check_targets, check_weights, warn_of_idle
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, BitlifTypeError, warn
from bitlif.model.events import Events
from bitlif.model.extras import missing_extra
from bitlif.model.result import RECORDS, LayerState, Result, check_records
from bitlif.model.text import quoted
from bitlif.model.window import COUNTERS

STOPPING = tuple(name for name in COUNTERS if name.upper() in REGISTERS)
"""Counters that gates count, which stop at their last value."""

LEARNING_RECORDS = ("errors", "traces", "gradient")
"""Of `bitlif.model.result.RECORDS`, what a core computes only while it learns."""

CALL_STEPS = 1 << 15
"""Most steps of the windows that go down in one call: a keyboard interrupt waits for its end."""


class Tally(NamedTuple):
    """What a core has done since its reset, as far as it is counted beside it."""

    windows_learned: int = 0
    clocks: int = 0
    synaptic_events: int = 0


def no_amaranth(what: str, error: ModuleNotFoundError) -> BitlifError:
    """Return what to say where a module of Amaranth is missing; any other is none of ours."""
    if (error.name or "").partition(".")[0] != "amaranth":
        raise error
    return missing_extra(f"{what} needs Amaranth", "gates", error)


@dataclass(frozen=True, slots=True, eq=False)
class CoreResult(Result):
    """What a run gives: `bitlif.model.result.Result`, and what the hardware says besides.

    Attributes
    ----------
    step_clocks : (W, T) int64
        Clocks of each step, from the end of the one before. From the models: by the formula of
        `bitlif.model.clocks`. Empty, (0, T), from a board, which counts none.
    window_clocks : (W,) int64
        Clocks of each window, update and schedule included. Empty, (0,), from a board.
    step_signatures : (W, T) int64
        The signature with each step's end, before the update of the weights; empty, (0, T), from
        the float twin, which has no bits to sign, and from a board, which is asked at the end only.
    stopped : tuple of str
        Counters that have come to their last value, `bitlif.hdl.bus.registers.COUNTER_STOPPED`: of
        these ``counters`` holds the least that the run can have counted.
    """

    step_clocks: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    window_clocks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    step_signatures: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    stopped: tuple[str, ...] = ()


class Core(ABC):
    """A layer that takes weights, runs and learns windows, and can be read, whatever it runs on.

    Made by `bitlif.sim.open`; a context manager. One thread at a time may use it.

    After an interrupt inside `run`, a whole number of its windows has run, from none to all, and
    everything that can be read agrees on it. A core that cannot promise this, as a board that was
    interrupted or gates that failed, raises until its `reset`.

    Parameters
    ----------
    config : Config
    learning : bool
        False: inference only, without learning hardware.
    """

    backend: str
    """The name that `bitlif.sim.open` was given."""

    records: tuple[str, ...] = RECORDS
    """What `run` can record: netlists and boards show their ports only, so nothing."""

    counts_clocks = True
    """Whether results and `clocks` tell clocks; a board does not."""

    stays_in_process = True
    """Whether a forked child must leave it alone: only models are plain memory."""

    def __init__(self, config: Config, *, learning: bool = True) -> None:
        self._config = self._built = config
        self._learning = learning
        self._half_loaded_tables = False
        self._process = os.getpid()
        self._open = True

    # -- what a core is ----------------------------------------------------------------------

    @property
    def config(self) -> Config:
        """The configuration: the one that it was opened with, or the last of `load_tables`."""
        return self._config

    @property
    def learning(self) -> bool:
        """Whether it can learn."""
        return self._learning

    # -- loading -----------------------------------------------------------------------------

    def load(self, weights: NDArray[Any]) -> None:
        """Set the raw weights: integers (N, M) within the weight format.

        Raises
        ------
        BitlifError
            If shape, dtype or a value is wrong; nothing is loaded then.
        """
        self._require_open()
        self._load(check_weights(self._config, weights))

    def load_tables(self, config: Config) -> None:
        """Load another configuration's error table and schedule, and reset; the weights stay.

        Raises
        ------
        BitlifError
            If the two differ in what is built in (`bitlif.hdl.loadable.require_loadable`); on every
            backend alike, so that what runs on the model runs on gates.
        """
        self._require_own()
        if not isinstance(config, Config):
            raise BitlifTypeError(f"config must be a Config, not {quoted(config)}")
        require_loadable(self._built, config)
        self._half_loaded_tables = True
        self._config = config
        self._load_tables()
        self._reset()
        self._half_loaded_tables = False

    def reset(self) -> None:
        """Go back to the beginning: state, traces, LFSRs, phase, counters, signature, clocks.

        Weights, error table and schedule stay.
        """
        self._require_open()
        self._reset()

    # -- running -----------------------------------------------------------------------------

    def run(
        self,
        events: Events,
        targets: NDArray[Any] | None = None,
        *,
        learn: bool = False,
        record: Sequence[str] = (),
    ) -> CoreResult:
        """Run windows one after another.

        Parameters
        ----------
        events : Events
            W windows of T steps of N inputs.
        targets : (W, M) or (W, T, M) int or None
            Raw, ``0 ..= 2**target_bits``; needed to learn, and for a teacher's reset.
        learn : bool
            End each window with the update of all weights.
        record : names, of `records`
            What else to give of each step; errors, traces and gradient while learning only.

        Raises
        ------
        BitlifError
            If an argument does not fit the configuration, or the core cannot learn; nothing has
            run then. If gates stop to move.

        Warns
        -----
        BitlifWarning
            If a counter has stopped, which `CoreResult.stopped` names.
        """
        self._require_open()
        config = self._config
        check_events(config, events)
        if events.windows == 0:
            raise BitlifError("events must hold at least one window, not 0")
        wanted = self._check_records(tuple(record), learn)
        if learn and not self._learning:
            raise BitlifError("learn must be False: the core was opened with learning=False")
        levels = None
        if targets is not None:
            levels = check_targets(config, targets, events.windows)
        elif learn or config.membrane.reset == "teacher":
            raise BitlifError("targets must be given for learning or a teacher's reset")
        if learn:
            warn_of_idle(config)
        before = self.counters()
        parts = []
        count = self._windows_at_once(events)
        for first in range(0, events.windows, count):
            chosen = slice(first, first + count)
            some = events.select(range(events.windows)[chosen])
            parts.append(self._run(some, None if levels is None else levels[chosen], learn, wanted))
        after = self.counters()
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        stopped = tuple(n for n in after if n in STOPPING and after[n] == COUNTER_STOPPED)
        if stopped:
            more = f" and {len(stopped) - 1} other counters" if stopped[1:] else ""
            warn(
                f"{stopped[0]}{more} stopped counting at {COUNTER_STOPPED}, so that a run's count "
                f"is the least that it can be: reset the core to count anew"
            )
        counted = {name: after[name] - before[name] for name in after}
        return CoreResult(counters=counted, stopped=stopped, **joined)

    def learn(
        self, events: Events, targets: NDArray[Any], *, record: Sequence[str] = ()
    ) -> CoreResult:
        """Run windows, each ending with the update of all weights: `run` with ``learn=True``."""
        return self.run(events, targets, learn=True, record=record)

    # -- reading -----------------------------------------------------------------------------

    def weights(self) -> NDArray[Any]:
        """Return the raw weights: (N, M) int64."""
        self._require_open()
        return self._weights()

    def state(self) -> LayerState:
        """Return all that the next window starts from, but the weights."""
        self._require_open()
        return self._state()

    def counters(self) -> dict[str, int]:
        """Return the counters since the reset, by the names of `bitlif.model.window.COUNTERS`.

        Those of gates stop at 2**32 - 1, and those of the models with them; a result's are
        differences of these. `synaptic_events` follow from the events and do not stop.
        """
        self._require_open()
        counted = self._counters()
        return {
            name: min(counted[name], COUNTER_STOPPED) if name in STOPPING else counted[name]
            for name in COUNTERS
        }

    def windows_learned(self) -> int:
        """Return the windows learned since the reset: they are what the schedule counts."""
        self._require_open()
        return self._tally().windows_learned

    def phase(self) -> int:
        """Return the schedule's phase that the next window runs in."""
        return self.state().phase

    def clocks(self) -> int:
        """Return the clocks that all windows since the reset took.

        Raises
        ------
        BitlifError
            If the core does not count them (`counts_clocks`).
        """
        self._require_open()
        if not self.counts_clocks:
            raise BitlifError(
                f"clocks must be asked of model or compiled gates: {self.backend} counts none"
            )
        return self._tally().clocks

    def signature(self) -> int | None:
        """Return the signature of all windows since the reset, 32 bits; None from the float twin.

        `bitlif.model.signature` says what goes into it.
        """
        self._require_open()
        return self._signature()

    # -- keeping -----------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write where the core stands, counters included, to an ``.npz`` file, for `resume`.

        Raises
        ------
        BitlifError
            If this is no model: gates take weights, table and schedule, but no state.
        """
        raise self._cannot_be_set()

    def resume(self, path: str | Path) -> None:
        """Go on from where a core of the same backend and configuration stood at its `save`.

        Raises
        ------
        BitlifError
            If this is no model; if the file cannot be read, is of another kind or configuration, or
            holds a value that the configuration does not allow. The core is then as it was.
        """
        raise self._cannot_be_set()

    def __getstate__(self) -> dict[str, Any]:
        raise self._cannot_be_set()

    def _cannot_be_set(self) -> BitlifError:
        return BitlifTypeError(
            f"the core ({self.backend}) can be neither saved nor copied: only the backends model "
            f"and float can be set to a state"
        )

    # -- opening and closing -----------------------------------------------------------------

    def close(self) -> None:
        """Release all resources. Idempotent. In a forked child, the parent's core stays open."""
        if self._open:
            self._open = False
            if not self._in_child():
                self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _require_own(self) -> None:
        if not self._open:
            raise BitlifError(f"the core ({self.backend}) is closed: open another")
        if self._in_child():
            raise BitlifError(
                f"the core ({self.backend}) is of the process that opened it: open another here"
            )

    def _require_open(self) -> None:
        self._require_own()
        if self._half_loaded_tables:
            raise BitlifError(
                f"the core ({self.backend}) was interrupted while it took tables: load them again"
            )

    def _in_child(self) -> bool:
        return self.stays_in_process and os.getpid() != self._process

    def _windows_at_once(self, events: Events) -> int:
        """Return how many windows go down in one call."""
        return max(1, CALL_STEPS // events.steps)

    def _check_records(self, record: tuple[str, ...], learn: bool) -> tuple[str, ...]:
        for name in check_records(record):
            if name not in self.records:
                raise BitlifError(
                    f"record must be empty, not '{name}': {self.backend} shows its ports only"
                )
            if name in LEARNING_RECORDS and not learn:
                raise BitlifError(f"record must name '{name}' only with learn=True")
        return record

    # -- what each backend does --------------------------------------------------------------

    @abstractmethod
    def _load(self, weights: NDArray[Any]) -> None:
        """Take checked weights."""

    @abstractmethod
    def _load_tables(self) -> None:
        """Take table and schedule of the configuration as it now is."""

    @abstractmethod
    def _reset(self) -> None: ...

    @abstractmethod
    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        """Run checked windows; return the arrays of `CoreResult` by name, windows first.

        The core must agree with itself, or raise, wherever an interrupt comes.
        """

    @abstractmethod
    def _weights(self) -> NDArray[Any]: ...

    @abstractmethod
    def _state(self) -> LayerState: ...

    @abstractmethod
    def _counters(self) -> dict[str, int]:
        """Return the counters since the reset, which may go on beyond their last value."""

    @abstractmethod
    def _signature(self) -> int | None: ...

    @abstractmethod
    def _tally(self) -> Tally: ...

    def _close(self) -> None:  # noqa: B027 - the models have nothing to give back
        pass
