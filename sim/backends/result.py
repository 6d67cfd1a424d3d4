"""What a run and a step return, and what is counted beside a core."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.display import one_line
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
        Clock cycles of each step, counted from the end of the previous one; steps overlap. The
        models use the formula of `bitlif.model.clocks`. Empty, (0, T), from a board and from a
        core that was opened with ``signature=False``.
    window_clocks : (W,) int64
        Clock cycles of each window, including the update and the schedule. Empty, (0,), where
        ``step_clocks`` is.
    step_signatures : (W, T) int64
        Signature at the end of each step, before the weight update. Empty, (0, T), from the float
        twin, a board, a core that was opened with ``signature=False``, and from netlists and
        Amaranth's simulator, which do not show it while steps overlap.
    stopped : tuple of str
        Counters that have saturated at `bitlif.hdl.bus.registers.COUNTER_STOPPED`. For these,
        ``counters`` is a lower bound.
    """

    step_clocks: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    window_clocks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    step_signatures: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    stopped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class StepResult:
    """Result of one step of a window. Values are those that `run` returns for the same step.

    Only clock cycles differ: a step by itself takes more than one that overlaps its neighbours.

    Attributes
    ----------
    spikes : (M,) bool
    step : int
        Number of the step in its window, 0 ..= T - 1.
    ended : bool
        Whether this step ended the window.
    clocks : int or None
        Clock cycles of the step by itself, counted from the end of the step before. None where the
        core counts none.
    window_clocks : int or None
        Clock cycles of the window, including the update and the schedule. None except in its last
        step.
    signature : int or None
        Signature at the end of the step, before the weight update. None from the float twin, a
        board, and a core that was opened with ``signature=False``.
    current, membrane, draws, errors : (M,) or None
        Recorded signals.
    traces : (N,) or None
    gradient : (M, N) or None
        Of the whole window, in its last step.

    Examples
    --------
    >>> StepResult(np.array([True, False]), step=3, ended=False)
    <StepResult step=3 spikes=1>
    """

    spikes: NDArray[np.bool_]
    step: int
    ended: bool
    clocks: int | None = None
    window_clocks: int | None = None
    signature: int | None = None
    current: NDArray[Any] | None = None
    membrane: NDArray[Any] | None = None
    draws: NDArray[Any] | None = None
    errors: NDArray[Any] | None = None
    traces: NDArray[Any] | None = None
    gradient: NDArray[Any] | None = None

    def __repr__(self) -> str:
        facts: dict[str, object] = {"step": self.step, "spikes": int(self.spikes.sum())}
        if self.ended:
            facts["ended"] = True
        return one_line(type(self).__name__, facts)
