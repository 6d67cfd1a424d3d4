"""Compares a run of the gates with the integer model and locates the first mismatch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitlif.sim.probes import MISSING, observables
from bitlif.tasks.scenario import Work

from .expected import Expected, compute_expected
from .explain import Place, explain_operation

if TYPE_CHECKING:
    from bitlif.sim.cocotb.cosim import CosimRun

STEP_SIGNALS = (
    "weight sum", "synaptic current", "membrane potential", "noise draw", "spike",
    "kept membrane", "error", "synaptic trace", "PSP trace", "output event", "step signature",
)  # fmt: skip
"""The signals of a step in the order of their computation, which decides what differs first."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first value that differs between two runs.

    Attributes
    ----------
    signal : str
        Name of the signal.
    place : dict of str to int
        Index by axis: window, step, neuron or input, as far as they apply.
    gates, model : int
        The two values. `bitlif.sim.probes.MISSING` stands for a value that was never produced,
        or has undefined bits.
    operation : str
        The operation by which the model computes its value, with the integers; may be empty.
    """

    signal: str
    place: dict[str, int]
    gates: int
    model: int
    operation: str

    def __str__(self) -> str:
        return self.describe()

    def describe(self, tested: str = "the gates", reference: str = "the model") -> str:
        """Return one sentence: signal, place, both values and the operation.

        Parameters
        ----------
        tested, reference : str
            What to call the two runs.
        """
        where = ", ".join(f"{axis} {index}" for axis, index in self.place.items())
        gates = "no value" if self.gates == MISSING else str(self.gates)
        text = f"{self.signal} at {where}: {gates} in {tested}, {self.model} in {reference}"
        return f"{text}; the model computes {self.operation}" if self.operation else text


@dataclass(frozen=True, slots=True, eq=False)
class RunComparison:
    """The result of comparing a run of the gates with the model.

    Attributes
    ----------
    compared : dict of str to int
        Number of values compared, by signal.
    mismatches : dict of str to int
        Number of values that differ, by signal.
    first : Mismatch or None
        The first value that differs.
    by_window : (W, 2) int64
        Values compared and values that differ in each window, without those read at the end.
    """

    compared: dict[str, int]
    mismatches: dict[str, int]
    first: Mismatch | None
    by_window: NDArray[np.int64]

    @property
    def agrees(self) -> bool:
        """Whether all values are equal."""
        return not any(self.mismatches.values())

    @property
    def values(self) -> int:
        """Number of values compared."""
        return sum(self.compared.values())


@dataclass(frozen=True, slots=True, eq=False)
class SignalPair:
    """The values of one signal from both runs.

    Attributes
    ----------
    gates, model : arrays of equal shape
    axes : tuple of str
        Names of the axes.
    """

    gates: NDArray[Any]
    model: NDArray[Any]
    axes: tuple[str, ...]

    @property
    def differs(self) -> NDArray[np.bool_]:
        """Mask of the values that differ."""
        return np.asarray(self.gates != self.model)


def compare_run(work: Work, core: CosimRun, expected: Expected | None = None) -> RunComparison:
    """Compare everything that a simulated core produced with the model's run of the same windows.

    Parameters
    ----------
    work : Work
        What was run.
    core : CosimRun
        The result of the gates.
    expected : Expected or None
        The result of the model; computed here if None.

    Returns
    -------
    RunComparison
    """
    expected = expected or compute_expected(work)
    pairs = _pairs(work, core, expected)
    compared = {name: int(pair.gates.size) for name, pair in pairs.items()}
    mismatches = {name: int(pair.differs.sum()) for name, pair in pairs.items()}
    by_window = _by_window(pairs, work.events.windows)
    return RunComparison(compared, mismatches, _first_mismatch(work, pairs, expected), by_window)


def _by_window(pairs: dict[str, SignalPair], windows: int) -> NDArray[np.int64]:
    counts = np.zeros((windows, 2), np.int64)
    for pair in pairs.values():
        # The clock cycles between the ends of windows belong to no single window.
        if pair.axes[0] == "window" and len(pair.gates) == windows:
            differs = pair.differs.reshape(windows, -1)
            counts += np.stack([np.full(windows, differs.shape[1]), differs.sum(axis=1)], axis=1)
    return counts


def _pairs(work: Work, core: CosimRun, expected: Expected) -> dict[str, SignalPair]:
    neuron, trace = ("window", "step", "neuron"), ("window", "step", "input")
    axes = {
        "synaptic trace": trace,
        "PSP trace": trace,
        "gradient": ("window", "input", "neuron"),
        "weight": ("window", "input", "neuron"),
        "noise LFSR": ("window", "LFSR"),
        "update LFSR": ("window", "LFSR"),
        "signature": ("window", "number"),
    }
    seen = observables(work.config, learning=work.learning, learn=work.learns)
    pairs = {
        one.name: SignalPair(
            core.observed[one.name], expected.observed[one.name], axes.get(one.name, neuron)
        )
        for one in seen
    }
    pairs["output event"] = SignalPair(core.raster.astype(np.int64), expected.raster, neuron)
    pairs["rows shown"] = SignalPair(
        np.array(list(core.extra_rows.values())), np.zeros(len(seen), np.int64), ("observable",)
    )
    pairs["weights read back"] = SignalPair(core.weights, expected.weights, ("input", "neuron"))
    if not core.stalled:
        for name, values in core.state.items():
            unit = "input" if "trace" in name else "neuron"
            pairs[f"{name} read back"] = SignalPair(values, getattr(expected.state, name), (unit,))
    pairs["phase"] = SignalPair(
        np.array([core.phase]), np.array([expected.state.phase]), ("number",)
    )
    pairs["counters"] = SignalPair(
        np.array(list(core.counters.values())),
        np.array(list(expected.counters.values())),
        ("counter",),
    )
    if work.stall == 0.0:
        # The start of the first step is not observed: counting starts with its first event.
        own, model = core.step_clocks.copy(), expected.step_clocks.copy()
        own[0, 0] = model[0, 0] = 0
        pairs["clocks of steps"] = SignalPair(own, model, ("window", "step"))
        ends = core.window_clocks[1:] - core.window_clocks[:-1]
        due = expected.step_clocks.sum(axis=1) + expected.window_end
        pairs["clocks of windows"] = SignalPair(ends, due[1:], ("window",))
    return pairs


def locate_first_mismatch(
    pairs: dict[str, SignalPair], windows: int, steps: int
) -> tuple[str, Place] | None:
    """Return signal and index of the value that differs first in the order of computation.

    Parameters
    ----------
    pairs : dict of str to SignalPair
        In the order in which a window computes them.
    windows, steps : int
        Lengths of the axes of windows and steps.
    """
    candidates = []
    for rank, (name, pair) in enumerate(pairs.items()):
        places = np.argwhere(pair.differs)
        if not places.size:
            continue
        place = tuple(int(index) for index in places[0])
        step_signal = name in STEP_SIGNALS
        window = place[0] if pair.axes[0] == "window" else windows
        if name.startswith("clocks"):
            # Different spikes and errors take a different time, so wrong values are reported first.
            window, step_signal = windows + 1, False
        step = place[1] if step_signal else steps
        order = STEP_SIGNALS.index(name) if step_signal else rank
        candidates.append(((window, step, order), name, place))
    if not candidates:
        return None
    _, name, place = min(candidates)
    return name, place


def _first_mismatch(
    work: Work, pairs: dict[str, SignalPair], expected: Expected
) -> Mismatch | None:
    """Return the first mismatch with the model's operation, or None."""
    found = locate_first_mismatch(pairs, work.events.windows, work.config.window.steps)
    if found is None:
        return None
    name, place = found
    pair = pairs[name]
    return Mismatch(
        name,
        dict(zip(pair.axes, place, strict=True)),
        int(pair.gates[place]),
        int(pair.model[place]),
        explain_operation(work, expected, name, place),
    )
