"""Runs the same windows on several backends and compares each with the first one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.core_signals import COUNTERS
from bitlif.model.errors import BitlifError
from bitlif.model.state import state_variables
from bitlif.sim.backends.core import Core
from bitlif.sim.backends.result import CoreResult
from bitlif.sim.backends.stepping import LEARNING_RECORDS
from bitlif.sim.probes import MISSING, RECORDED
from bitlif.tasks.scenario import NetworkWork, Work, targets_by_step

from .compare import Mismatch, SignalPair, locate_first_mismatch
from .expected import compute_expected
from .explain import explain_operation

AXES = {
    "PSP trace": ("window", "step", "input"),
    "gradient": ("window", "input", "neuron"),
    "weight": ("window", "input", "neuron"),
    "step signature": ("window", "step"),
    "clocks of steps": ("window", "step"),
    "clocks of windows": ("window",),
    "weights read back": ("input", "neuron"),
}
"""Axes of the signals whose axes are not window, step and neuron."""


@dataclass(slots=True)
class BackendComparison:
    """The result of comparing one backend with the first one.

    Attributes
    ----------
    backend : str
        Name of the backend.
    compared, mismatches : dict of str to int
        Number of values compared, and of values that differ, by signal. Counted up to the first
        window with a mismatch.
    first : Mismatch or None
        ``gates`` is the value of this backend, ``model`` that of the first one.
    windows : int
        Number of windows run.
    clocks : int or None
        Number of clock cycles; None if the backend does not count them or its core stalled.
    signature : int or None
        Signature at the end; None if the core stalled.
    note : str
        The error if the core stalled.
    """

    backend: str
    compared: dict[str, int] = field(default_factory=dict)
    mismatches: dict[str, int] = field(default_factory=dict)
    first: Mismatch | None = None
    windows: int = 0
    clocks: int | None = None
    signature: int | None = None
    note: str = ""

    @property
    def values(self) -> int:
        """Number of values compared."""
        return sum(self.compared.values())

    @property
    def agrees(self) -> bool:
        """Whether all values are equal."""
        return not any(self.mismatches.values())


def crosscheck(
    cores: Sequence[Core], work: Work, report: Callable[[int], Any] = lambda window: None
) -> list[BackendComparison]:
    """Reset and load all cores, run the same windows on each, and compare after every window.

    Parameters
    ----------
    cores : sequence of Core
        The others are compared with the first. The float twin is not accepted; see
        `bitlif.sim.compare.float_check`. After a mismatch or a stall, a core is left out of the
        windows that follow.
    work : Work
        Weights, events and targets.
    report : callable
        Called with the number of each window after it has run.

    Returns
    -------
    list of BackendComparison
        One per core, the first included.

    Raises
    ------
    BitlifError
        If a core is the float twin, or if the first core fails.
    """
    targets = None
    if work.targets is not None:
        shape = (work.events.windows, work.events.steps, work.config.layer.neurons)
        by_step = targets_by_step(work.config, work.events, work.targets)
        # Their dtype says that they are raw; see `bitlif.model.targets`.
        targets = by_step.reshape(shape).astype(np.uint16)

    def run_window(core: Core, w: int) -> dict[str, NDArray[Any]]:
        return _run_window(core, work, w, None if targets is None else targets[w : w + 1])

    def first(pairs: dict[str, SignalPair], w: int) -> Mismatch | None:
        return _first_mismatch(work, pairs, w)

    return compare_windows(cores, work, run_window, _axes, first, report)


def compare_windows(
    cores: Sequence[Any], work: Work | NetworkWork,
    run_window: Callable[[Any, int], dict[str, NDArray[Any]]],
    axes: Callable[[str], tuple[str, ...]],
    first: Callable[[dict[str, SignalPair], int], Mismatch | None], report: Callable[[int], Any],
) -> list[BackendComparison]:  # fmt: skip
    """Reset and load all cores, run windows on each, and compare each with the first one.

    Parameters
    ----------
    cores : sequence of Core or of NetworkCore
    work : Work or NetworkWork
    run_window : callable
        Runs a window on a core, and returns its signals by name.
    axes : callable
        Returns the axes of a signal.
    first : callable
        Returns the first mismatch of a window.
    report : callable
        Called with the number of each window.

    Raises
    ------
    BitlifError
        If a core is the float twin, or if the first core fails.
    """
    if any(core.backend == "float" for core in cores):
        raise BitlifError("the float twin cannot be compared bit for bit: leave it out")
    for core in cores:
        core.reset()
        core.load(work.weights)
    outcomes = [BackendComparison(core.backend) for core in cores]
    for w in range(work.events.windows):
        reference = run_window(cores[0], w)
        outcomes[0].windows = w + 1
        for core, outcome in zip(cores[1:], outcomes[1:], strict=True):
            if outcome.first is not None:
                continue
            outcome.windows = w + 1
            try:
                seen = run_window(core, w)
            except BitlifError as error:
                outcome.mismatches["end of the window"] = 1
                ends = reference.get("clocks of windows")
                clocks = 0 if ends is None else int(ends[0])
                outcome.first = Mismatch("end of the window", {"window": w}, MISSING, clocks, "")
                outcome.note = str(error)
                continue
            own = {
                name: SignalPair(values, reference[name], axes(name))
                for name, values in seen.items()
                if name in reference
            }
            _count(outcome, own)
            outcome.first = first(own, w)
        report(w)
    for core, outcome in zip(cores, outcomes, strict=True):
        # A core that stalled in a window cannot be read until it is reset.
        if not outcome.note:
            outcome.clocks = core.clocks() if core.counts_clocks else None
            outcome.signature = core.signature()
    return outcomes


def _axes(name: str) -> tuple[str, ...]:
    """Return the axes of a signal."""
    if name in AXES:
        return AXES[name]
    if name.endswith("LFSR"):
        return ("LFSR",)
    if name in ("counters", "phase", "signature"):
        return ("number",)
    if name.endswith("read back"):
        return ("input" if "trace" in name else "neuron",)
    return ("window", "step", "neuron")


def _run_window(
    core: Core, work: Work, w: int, targets: NDArray[Any] | None
) -> dict[str, NDArray[Any]]:
    """Run a window and return all visible signals in the order of their computation."""
    record = [name for name in core.records if work.learns or name not in LEARNING_RECORDS]
    goals = targets if work.takes_targets else None
    out = core.run(work.events.select([w]), goals, learn=work.learns, record=record)
    seen = {RECORDED[name]: _recorded(out, name) for name in record}
    seen["output event"] = out.raster
    if core.counts_clocks:  # a board reports neither clock cycles nor the signature of a step
        if out.step_signatures.size:
            seen["step signature"] = out.step_signatures
        seen |= {"clocks of steps": out.step_clocks, "clocks of windows": out.window_clocks}
    if work.learns:
        seen["weight"] = core.weights()[None]
    else:
        seen["weights read back"] = core.weights()
    state = core.state()
    for own in state_variables("neuron", "input"):
        seen[f"{own.name} read back"] = getattr(state, own.name)
    seen["noise LFSR"] = np.array(state.noise_lfsr, np.uint64)
    seen["update LFSR"] = np.array(state.update_lfsr, np.uint64)
    seen["phase"] = np.array([state.phase])
    counters = core.counters()
    seen["counters"] = np.array([counters[name] for name in COUNTERS])
    seen["signature"] = np.array([core.signature()])
    return seen


def _recorded(out: CoreResult, name: str) -> NDArray[Any]:
    values: NDArray[Any] = getattr(out, name)
    return values.transpose(0, 2, 1) if name == "gradient" else values


def _count(outcome: BackendComparison, pairs: dict[str, SignalPair]) -> None:
    for name, pair in pairs.items():
        outcome.compared[name] = outcome.compared.get(name, 0) + int(pair.gates.size)
        wrong = int(pair.differs.sum())
        outcome.mismatches[name] = outcome.mismatches.get(name, 0) + wrong


def _first_mismatch(work: Work, pairs: dict[str, SignalPair], w: int) -> Mismatch | None:
    """Return the first mismatch of a window with the model's operation, or None."""
    found = locate_first_mismatch(pairs, windows=1, steps=work.config.window.steps)
    if found is None:
        return None
    name, place = found
    pair = pairs[name]
    here = (place[0] + w, *place[1:]) if pair.axes[0] == "window" else place
    return Mismatch(
        name, {"window": w} | dict(zip(pair.axes, here, strict=True)),
        int(pair.gates[place]), int(pair.model[place]),
        explain_operation(work, compute_expected(work.first_windows(w + 1)), name, here),
    )  # fmt: skip
