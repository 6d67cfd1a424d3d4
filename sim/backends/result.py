"""What a run returns, and what is counted beside a core."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.result import Result


class Tally(NamedTuple):
    """What a core has done since its reset, as counted by its host."""

    windows_learned: int = 0
    clocks: int = 0
    synaptic_events: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CoreResult(Result):
    """Result of a run: `bitlif.model.result.Result`, with clock cycles and signatures.

    Attributes
    ----------
    step_clocks : (W, T) int64
        Clock cycles of each step, counted from the end of the previous one. The models use the
        formula of `bitlif.model.clocks`. Empty, (0, T), from a board and from a core that was
        opened with ``signature=False``.
    window_clocks : (W,) int64
        Clock cycles of each window, including the update and the schedule. Empty, (0,), where
        ``step_clocks`` is.
    step_signatures : (W, T) int64
        Signature at the end of each step, before the weight update. Empty, (0, T), from the float
        twin, a board, and a core that was opened with ``signature=False``.
    stopped : tuple of str
        Counters that have saturated at `bitlif.hdl.bus.registers.COUNTER_STOPPED`. For these,
        ``counters`` is a lower bound.
    """

    step_clocks: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    window_clocks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    step_signatures: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    stopped: tuple[str, ...] = ()
