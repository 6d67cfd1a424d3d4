"""The same windows on several backends, compared with the first of them window by window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.core_signals import COUNTERS
from bitlif.model.errors import BitlifError
from bitlif.model.state import state_variables
from bitlif.sim.backends.core import LEARNING_RECORDS, Core, CoreResult
from bitlif.sim.probes import MISSING, RECORDED
from bitlif.tasks.scenario import Work, targets_by_step

from .compare import Difference, Pair, differing
from .expected import expect
from .explain import operation

AXES = {
    "PSP trace": ("window", "step", "input"),
    "gradient": ("window", "input", "neuron"),
    "weight": ("window", "input", "neuron"),
    "step signature": ("window", "step"),
    "clocks of steps": ("window", "step"),
    "clocks of windows": ("window",),
    "weights read back": ("input", "neuron"),
}
"""Axes of what is not of windows, steps and neurons."""


@dataclass(slots=True)
class Comparison:
    """One backend held against the first.

    Attributes
    ----------
    backend : str
    compared, mismatches : dict of str to int
        Values by name; those up to the first window that differs.
    first : Difference or None
        ``gates`` is this backend's value, ``model`` the first's.
    windows : int
        How many were run.
    clocks : int or None
        That they took; None if the backend counts none, or the core stopped to move.
    signature : int or None
        At the end; None if the core stopped to move.
    note : str
        Why it stopped.
    """

    backend: str
    compared: dict[str, int] = field(default_factory=dict)
    mismatches: dict[str, int] = field(default_factory=dict)
    first: Difference | None = None
    windows: int = 0
    clocks: int | None = None
    signature: int | None = None
    note: str = ""

    @property
    def values(self) -> int:
        """How many values were compared."""
        return sum(self.compared.values())

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not any(self.mismatches.values())


def crosscheck(
    cores: Sequence[Core], work: Work, report: Callable[[int], Any] = lambda window: None
) -> list[Comparison]:
    """Reset all cores, load the work's weights, run its windows, compare after each.

    Parameters
    ----------
    cores : sequence of Core
        The first is what the others are held against; no float twin (see
        `bitlif.sim.compare.float_check`). A core that differs, or that stops to move, is left out
        of the windows that follow.
    work : Work
    report : callable
        Gets each window's number after it has run.

    Raises
    ------
    BitlifError
        If a core is the float twin, or the first one fails.
    """
    if any(core.backend == "float" for core in cores):
        raise BitlifError("the float twin cannot be compared bit for bit: leave it out")
    outcomes = [Comparison(core.backend) for core in cores]
    for core in cores:
        core.reset()
        core.load(work.weights)
    targets = None
    if work.targets is not None:
        shape = (work.events.windows, work.events.steps, work.config.layer.neurons)
        targets = targets_by_step(work.config, work.events, work.targets).reshape(shape)
    for w in range(work.events.windows):
        goals = None if targets is None else targets[w : w + 1]
        reference = _seen(cores[0], work, w, goals)
        outcomes[0].windows = w + 1
        for core, outcome in zip(cores[1:], outcomes[1:], strict=True):
            if outcome.first is not None:
                continue
            outcome.windows = w + 1
            try:
                seen = _seen(core, work, w, goals)
            except BitlifError as error:
                outcome.mismatches["end of the window"] = 1
                clocks = int(reference["clocks of windows"][0]) if cores[0].counts_clocks else 0
                outcome.first = Difference("end of the window", {"window": w}, MISSING, clocks, "")
                outcome.note = str(error)
                continue
            own = {
                name: Pair(values, reference[name], _axes(name))
                for name, values in seen.items()
                if name in reference
            }
            _count(outcome, own)
            outcome.first = _first(work, own, w)
        report(w)
    for core, outcome in zip(cores, outcomes, strict=True):
        # A core that stopped in mid-window answers nothing until its reset.
        if not outcome.note:
            outcome.clocks = core.clocks() if core.counts_clocks else None
            outcome.signature = core.signature()
    return outcomes


def _axes(name: str) -> tuple[str, ...]:
    """Return the names of the axes of what is compared."""
    if name in AXES:
        return AXES[name]
    if name.endswith("LFSR"):
        return ("LFSR",)
    if name in ("counters", "phase", "signature"):
        return ("number",)
    if name.endswith("read back"):
        return ("input" if "trace" in name else "neuron",)
    return ("window", "step", "neuron")


def _seen(core: Core, work: Work, w: int, targets: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    """Run a window; return all that the core then shows, in the order in which it came to be."""
    record = [name for name in core.records if work.learns or name not in LEARNING_RECORDS]
    goals = targets if work.takes_targets else None
    out = core.run(work.events.select([w]), goals, learn=work.learns, record=record)
    seen = {RECORDED[name]: _recorded(out, name) for name in record}
    seen["output event"] = out.raster
    if core.counts_clocks:  # a board tells neither clocks nor the signature of a step
        seen |= {
            "step signature": out.step_signatures,
            "clocks of steps": out.step_clocks,
            "clocks of windows": out.window_clocks,
        }
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


def _count(outcome: Comparison, pairs: dict[str, Pair]) -> None:
    for name, pair in pairs.items():
        outcome.compared[name] = outcome.compared.get(name, 0) + int(pair.gates.size)
        wrong = int(pair.differs.sum())
        outcome.mismatches[name] = outcome.mismatches.get(name, 0) + wrong


def _first(work: Work, pairs: dict[str, Pair], w: int) -> Difference | None:
    """Return what a window came to first that differs, with the model's operation."""
    found = differing(pairs, windows=1, steps=work.config.window.steps)
    if found is None:
        return None
    name, place = found
    pair = pairs[name]
    here = (place[0] + w, *place[1:]) if pair.axes[0] == "window" else place
    return Difference(
        name, {"window": w} | dict(zip(pair.axes, here, strict=True)),
        int(pair.gates[place]), int(pair.model[place]),
        operation(work, expect(work.first_windows(w + 1)), name, here),
    )  # fmt: skip
