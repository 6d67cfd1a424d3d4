"""The part of a core's interface that runs a window step by step, for closed loops."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.bus.registers import COUNTER_STOPPED, REGISTERS
from bitlif.model.arrays import as_array
from bitlif.model.checks import (
    check_step_spikes,
    require_learnable,
    require_no_targets,
    warn_of_idle,
)
from bitlif.model.config.config import Config
from bitlif.model.counters import COUNTERS
from bitlif.model.errors import BitlifError, BitlifTypeError, require_bool, warn
from bitlif.model.result import RECORDS, check_records
from bitlif.model.text import array_kind

from .lifetime import Lifetime
from .result import StepResult

STOPPING = tuple(name for name in COUNTERS if name.upper() in REGISTERS)
"""Counters that the hardware has: they saturate."""

LEARNING_RECORDS = ("errors", "traces", "gradient", "adjoints")
"""Names that a core can record only while it learns."""


class Stepped(Lifetime):
    """A core whose windows can be run step by step.

    Between two steps of a window, only `step`, `step_position`, `reset`, `close` and `fresh` are
    available: all other calls raise until the window has ended.
    """

    records: tuple[str, ...] = RECORDS
    """Names that `run` can record. Empty for netlists and boards, which show only their ports."""

    known_records: tuple[str, ...] = RECORDS
    """Names that cores of this kind, on any backend, can record."""

    _config: Config
    _learning: bool

    def __init__(self) -> None:
        super().__init__()
        self._half_loaded_tables = False
        self._learns = False

    @property
    def step_position(self) -> int:
        """Number of steps of the current window that have run: 0 between windows, below T."""
        self._require_usable()
        return self._position()

    def step(
        self,
        spikes: NDArray[Any] | Sequence[int],
        targets: NDArray[Any] | None = None,
        *,
        learn: bool = False,
        record: Sequence[str] = (),
    ) -> StepResult:
        """Run the next step of a window, for a closed loop.

        The first step begins a window. Its last step ends it: the weights are then updated if
        `learn` is true, and the schedule advances. All bits are those of `run` with the same
        spikes and targets. They may depend on the results of all steps before.

        Parameters
        ----------
        spikes : (n,) int or (N,) bool
            The inputs that spike: their numbers, each at most once and in any order, or a mask.
        targets : (M,) array or None
            Targets of this step, by the rule of `run`. Required to learn, and for a teacher's
            reset.
        learn : bool
            Whether to learn from this window: the same for all its steps.
        record : names from `records`
            What else to return. Errors, traces and gradient require ``learn=True``; the gradient
            is returned by the last step of the window.

        Returns
        -------
        StepResult

        Raises
        ------
        BitlifError
            If an argument does not fit the configuration or the window's earlier steps, or the
            core cannot learn: nothing has run then. If the gates stall.

        Warns
        -----
        BitlifWarning
            At the end of a window, if a counter has saturated.

        Notes
        -----
        After an interrupt, the step has run either completely or not at all; `step_position` tells
        which. A board that was interrupted raises until it is reset.

        Examples
        --------
        >>> import bitlif
        >>> core = bitlif.open(bitlif.Config.load("tiny"))
        >>> core.step([0, 3]).step, core.step([]).step, core.step_position
        (0, 1, 2)
        """
        self._require_usable()
        config, position = self._config, self._position()
        require_bool("learn", learn)
        wanted = self._check_records(record, learn)
        if learn and not self._learning:
            raise BitlifError("learn must be False: the core was opened with learning=False")
        if position and learn != self._learns:
            raise BitlifError(
                f"learn must be {self._learns} in all steps of this window, as in its first one, "
                f"not {learn} in step {position}"
            )
        addresses = check_step_spikes(config, spikes)
        levels = None
        if targets is not None:
            levels = self._step_targets(targets)
        else:
            require_no_targets(config, needed=learn)
        if not position:
            if learn:
                self._require_learnable()
                self._warn_of_idle()
            self._learns = learn
        result = self._step(addresses, levels, learn, wanted)
        if result.ended:
            self._stopped_counters(self.counters())
        return result

    def _require_learnable(self) -> None:
        """Raise if the configuration cannot learn."""
        require_learnable(self._config)

    def _warn_of_idle(self) -> None:
        """Warn if no rate of the schedule can change a weight."""
        warn_of_idle(self._config)

    def _step_targets(self, targets: NDArray[Any]) -> NDArray[Any]:
        """Return the targets of one step as (1, 1, M), or raise."""
        array = as_array("targets", targets)
        if array.shape != (self._config.layer.neurons,):
            raise BitlifTypeError(
                f"targets of a step must have the shape ({self._config.layer.neurons},), "
                f"not {array_kind(array)}"
            )
        return self._check_targets(array[None], 1)

    def _stopped_counters(self, counters: dict[str, int]) -> tuple[str, ...]:
        """Return the counters that have saturated, and warn of them."""
        stopped = tuple(n for n in counters if n in STOPPING and counters[n] == COUNTER_STOPPED)
        if stopped:
            more = f" and {len(stopped) - 1} other counters" if stopped[1:] else ""
            warn(
                f"{stopped[0]}{more} stopped counting at {COUNTER_STOPPED}: the result's counts "
                f"are lower bounds; reset the core to count from 0"
            )
        return stopped

    def _check_records(self, record: Sequence[str], learn: bool) -> tuple[str, ...]:
        names = check_records(record, self.known_records)
        for name in names:
            if name not in self.records:
                if self.records:
                    raise BitlifError(
                        f"record must name some of {', '.join(self.records)} on {self.backend}, "
                        f"not '{name}', which its gates do not compute"
                    )
                raise BitlifError(
                    f"record must be empty, not '{name}': {self.backend} shows its ports only"
                )
            if name in LEARNING_RECORDS and not learn:
                raise BitlifError(f"record must name '{name}' only with learn=True")
        return names

    def _require_usable(self) -> None:
        """Raise unless the core is open and completely loaded."""
        self._require_own()
        if self._half_loaded_tables:
            raise BitlifError(
                f"the core ({self.backend}) was interrupted while tables were loaded: load them "
                f"again"
            )

    def _require_open(self) -> None:
        """Raise unless the core is usable and between two windows."""
        self._require_usable()
        self._require_between_windows()

    def _require_between_windows(self) -> None:
        if position := self._position():
            raise BitlifError(
                f"the core ({self.backend}) has run {position} of the {self._config.window.steps} "
                f"steps of a window: run the others with step(), or reset() it"
            )

    @abstractmethod
    def counters(self) -> dict[str, int]:
        """Return the counters since the reset; see `bitlif.sim.backends.core.Core.counters`."""

    @abstractmethod
    def _check_targets(self, targets: NDArray[Any], windows: int) -> NDArray[Any]: ...

    @abstractmethod
    def _position(self) -> int:
        """Return the number of steps that the current window has run; 0 for a core in error."""

    @abstractmethod
    def _step(
        self,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
        learn: bool,
        record: tuple[str, ...],
    ) -> StepResult:
        """Run a checked step; its addresses ascend, and its targets have the shape (1, 1, M)."""
