"""The interface that every backend implements: models, simulated gates and boards.

All quantities are raw integers: multiples of the LSB of their format. The float twin uses the same
unit without rounding, as float64, or real numbers if it is opened with ``units="real"``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.bus.registers import COUNTER_STOPPED
from bitlif.hdl.loadable import require_loadable
from bitlif.model.checks import (
    Spikes,
    check_events,
    check_targets,
    check_weights,
    require_no_targets,
)
from bitlif.model.config.config import Config
from bitlif.model.counters import COUNTERS
from bitlif.model.display import html_table
from bitlif.model.errors import BitlifError, BitlifTypeError
from bitlif.model.events import Events
from bitlif.model.result import LayerState
from bitlif.model.text import quoted, shortened

from .result import CoreResult, Tally
from .stepping import STOPPING, Stepped

CALL_STEPS = 1 << 15
"""Maximum steps per call of a backend: an interrupt is handled when the call returns."""


class Core(Stepped):
    """A layer that loads weights, runs and learns windows, and can be read back.

    `bitlif.open` returns one. A core is a context manager. It is not thread-safe.

    After an interrupt inside `run`, a whole number of its windows has run, from none to all, and
    everything that can be read agrees with that. A core that cannot guarantee this, such as a board
    that was interrupted or gates that failed, raises until it is reset.

    Parameters
    ----------
    config : Config
    learning : bool
        False: inference only, without learning hardware.
    """

    units = "raw"
    """Unit of weights, targets and records: ``"raw"`` LSBs, or ``"real"`` numbers."""

    counts_clocks = True
    """Whether results and `clocks` give clock cycles. False for a board."""

    def __init__(self, config: Config, *, learning: bool = True) -> None:
        super().__init__()
        self._config = self._built = config
        self._learning = learning

    @property
    def config(self) -> Config:
        """The configuration: the one passed to `bitlif.open`, or to the last `load_tables`."""
        return self._config

    @property
    def learning(self) -> bool:
        """Whether the core can learn."""
        return self._learning

    def __repr__(self) -> str:
        about = self._about()
        name, backend = shortened(self._config.name, 24), shortened(self.backend, 20)
        return f"<bitlif core '{name}' on {backend}: {about}>"

    def _repr_html_(self) -> str:
        facts = {"configuration": self._config.name, "backend": self.backend, **self._facts()}
        return html_table("bitlif core", facts)

    def _about(self) -> str:
        """Return sizes and state in words."""
        facts = self._facts()
        return f"{facts['inputs']} inputs, {facts['neurons']} neurons, {facts['state']}"

    def _facts(self) -> dict[str, Any]:
        """Return what a representation shows. Nothing is read from hardware."""
        sizes, state = self._config.layer, "learning" if self._learning else "inference only"
        return {
            "inputs": sizes.inputs,
            "neurons": sizes.neurons,
            "state": state if self._open else "closed",
        }

    # -- loading -----------------------------------------------------------------------------

    def load(self, weights: NDArray[Any]) -> None:
        """Set the raw weights: integers of shape (N, M) within the weight format.

        Raises
        ------
        BitlifError
            If shape, dtype or a value is wrong. The weights are then unchanged.
        """
        self._require_open()
        self._load(check_weights(self._config, weights))

    def load_tables(self, config: Config) -> None:
        """Load another configuration's error table and schedule, and reset; the weights stay.

        Raises
        ------
        BitlifError
            If the configurations differ in what is built into the core
            (`bitlif.hdl.loadable.require_loadable`). The rule is the same for all backends, so that
            what runs on the model runs on gates.
        """
        self._require_own()
        self._require_between_windows()
        if not isinstance(config, Config):
            raise BitlifTypeError(f"config must be a Config, not {quoted(config)}")
        require_loadable(self._built, config)
        self._half_loaded_tables = True
        self._config = config
        self._load_tables()
        self._reset()
        self._half_loaded_tables = False

    def reset(self) -> None:
        """Reset state, traces, LFSRs, phase, counters, signature and clock count. Idempotent.

        Weights, error table and schedule stay. A window that `step` has begun is abandoned.
        """
        self._require_usable()
        self._reset()

    # -- running -----------------------------------------------------------------------------

    def run(
        self,
        events: Spikes,
        targets: NDArray[Any] | None = None,
        *,
        learn: bool = False,
        record: Sequence[str] = (),
    ) -> CoreResult:
        """Run windows one after another.

        Parameters
        ----------
        events : Events or Result
            W windows of T steps and N inputs. The result of another layer stands for its output
            spikes.
        targets : (W,), (W, M) or (W, T, M) array, or None
            Labels, or real or raw targets, by the rule of `bitlif.model.targets`. Required to
            learn, and for a teacher's reset.
        learn : bool
            Update all weights at the end of each window.
        record : names from `records`
            What else to return for each step. Errors, traces and gradient require ``learn=True``.

        Returns
        -------
        CoreResult

        Raises
        ------
        BitlifError
            If an argument does not fit the configuration, or the core cannot learn: nothing has run
            then. If the gates stall.

        Warns
        -----
        BitlifWarning
            If a counter has saturated; see `CoreResult.stopped`.
        """
        self._require_open()
        config = self._config
        events = check_events(config, events)
        if events.windows == 0:
            raise BitlifError("events must hold at least one window, not 0")
        wanted = self._check_records(record, learn)
        if learn and not self._learning:
            raise BitlifError("learn must be False: the core was opened with learning=False")
        levels = None
        if targets is not None:
            levels = self._check_targets(targets, events.windows)
        else:
            require_no_targets(config, needed=learn)
        if learn:
            self._require_learnable()
            self._warn_of_idle()
        before = self.counters()
        parts: list[dict[str, Any]] = []
        count = self._windows_at_once(events)
        for first in range(0, events.windows, count):
            chosen = slice(first, first + count)
            whole = count >= events.windows
            some = events if whole else events.select(range(events.windows)[chosen])
            parts.append(self._run(some, None if levels is None else levels[chosen], learn, wanted))
        after = self.counters()
        joined = parts[0]
        if len(parts) > 1:
            joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        stopped = self._stopped_counters(after)
        counted = {name: after[name] - before[name] for name in after}
        return self._make_result(joined, counters=counted, stopped=stopped)

    def _make_result(self, joined: dict[str, Any], **facts: Any) -> CoreResult:
        """Return the result of a run from the arrays of all parts and what is counted."""
        return CoreResult(**facts, **joined)

    def learn(
        self, events: Spikes, targets: NDArray[Any], *, record: Sequence[str] = ()
    ) -> CoreResult:
        """Run windows and update all weights after each: `run` with ``learn=True``."""
        return self.run(events, targets, learn=True, record=record)

    # -- reading -----------------------------------------------------------------------------

    def weights(self) -> NDArray[Any]:
        """Return the raw weights: (N, M) int64."""
        self._require_open()
        return self._weights()

    def real_weights(self) -> NDArray[np.float64]:
        """Return the weights as real numbers, in the unit of the threshold: (N, M) float64."""
        lsb = 1.0 if self.units == "real" else float(self._config.synapse.weight.lsb)
        return np.asarray(self.weights() * lsb, np.float64)

    def state(self) -> LayerState:
        """Return what the next window starts from, except the weights."""
        self._require_open()
        return self._state()

    def counters(self) -> dict[str, int]:
        """Return the counters since the reset, keyed by `bitlif.model.counters.COUNTERS`.

        Hardware counters saturate at 2**32 - 1, and so do the models'. A result's counters are
        differences of these. `synaptic_events` is computed from the events and does not saturate.
        """
        self._require_open()
        counted = self._counters()
        return {
            name: min(counted[name], COUNTER_STOPPED) if name in STOPPING else counted[name]
            for name in COUNTERS
        }

    def windows_learned(self) -> int:
        """Return the number of windows learned since the reset, which the schedule counts."""
        self._require_open()
        return self._tally().windows_learned

    def phase(self) -> int:
        """Return the index of the schedule's phase for the next window."""
        return self.state().phase

    def clocks(self) -> int:
        """Return the clock cycles of all windows since the reset.

        Raises
        ------
        BitlifError
            If the core does not count them (`counts_clocks`).
        """
        self._require_open()
        if not self.counts_clocks:
            raise BitlifError(
                f"clocks must be read from a core that counts clock cycles: {self.backend} does not"
            )
        return self._tally().clocks

    def signature(self) -> int | None:
        """Return the 32-bit signature of all windows since the reset; None for the float twin.

        `bitlif.model.signature` defines what it covers.
        """
        self._require_open()
        return self._signature()

    # -- keeping -----------------------------------------------------------------------------

    @abstractmethod
    def fresh(self) -> Core:
        """Return a new core like this one, as after opening: same backend, same configuration.

        To test a core without moving its LFSRs, load its weights into a fresh one. For a board this
        is the integer model, which computes the same bits. For a float twin the noise has the next
        seed.
        """

    def save(self, path: str | Path) -> None:
        """Write the core's state, counters included, to an ``.npz`` file for `resume`.

        Raises
        ------
        BitlifError
            If the core is not a model: gates accept weights, table and schedule, but no state.
        """
        raise self._cannot_be_set()

    def resume(self, path: str | Path) -> None:
        """Restore the state that a core of the same backend and configuration saved.

        Raises
        ------
        BitlifError
            If the core is not a model. If the file cannot be read, is of another kind or
            configuration, or holds a value out of range: the core is then unchanged.
        """
        raise self._cannot_be_set()

    def __getstate__(self) -> dict[str, Any]:
        raise self._cannot_be_set()

    def _cannot_be_set(self) -> BitlifError:
        return BitlifTypeError(
            f"the core ({self.backend}) can be neither saved nor copied: only the backends model "
            f"and float can be set to a state"
        )

    def _windows_at_once(self, events: Events) -> int:
        """Return how many windows one call of the backend runs."""
        return max(1, CALL_STEPS // events.steps)

    def _check_targets(self, targets: NDArray[Any], windows: int) -> NDArray[Any]:
        """Return targets as (W, 1 or T, M), or raise."""
        return check_targets(self._config, targets, windows)

    # -- implemented by each backend ---------------------------------------------------------

    @abstractmethod
    def _load(self, weights: NDArray[Any]) -> None:
        """Load checked weights."""

    @abstractmethod
    def _load_tables(self) -> None:
        """Load the table and schedule of the current configuration."""

    @abstractmethod
    def _reset(self) -> None: ...

    @abstractmethod
    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        """Run checked windows; return the arrays of `CoreResult` by name, windows first.

        After an interrupt anywhere, the core is consistent or raises.
        """

    @abstractmethod
    def _weights(self) -> NDArray[Any]: ...

    @abstractmethod
    def _state(self) -> LayerState: ...

    @abstractmethod
    def _counters(self) -> dict[str, int]:
        """Return the counters since the reset, not yet limited to their last value."""

    @abstractmethod
    def _signature(self) -> int | None: ...

    @abstractmethod
    def _tally(self) -> Tally: ...
