"""Gates against the integer model: how much was compared, and what differs first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitlif.sim.probes import MISSING, observables
from bitlif.tasks.scenario import Work

from .expected import Expected, expect
from .explain import Place, operation

if TYPE_CHECKING:
    from bitlif.sim.cocotb.cosim import CosimRun

STEP_SIGNALS = (
    "weight sum", "synaptic current", "membrane potential", "noise draw", "spike",
    "kept membrane", "error", "synaptic trace", "PSP trace", "output event", "step signature",
)  # fmt: skip
"""In the order in which a step computes them; what differs first is looked for in it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first value that differs.

    Attributes
    ----------
    signal : str
    place : dict of str to int
        Window, step, neuron, input..., as far as they apply.
    gates, model : int
    operation : str
        How the model came to its value, with the integers.
    """

    signal: str
    place: dict[str, int]
    gates: int
    model: int
    operation: str

    def __str__(self) -> str:
        """Return it as one sentence."""
        where = ", ".join(f"{axis} {index}" for axis, index in self.place.items())
        gates = "nothing" if self.gates == MISSING else str(self.gates)
        text = f"{self.signal} at {where}: gates {gates}, model {self.model}"
        return f"{text} = {self.operation}" if self.operation else text


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What was compared.

    Attributes
    ----------
    compared : dict of str to int
        Values by observable.
    mismatches : dict of str to int
    first : Difference or None
    by_window : (W, 2) int64
        Values compared and differing of each window; what is read at the end is in none.
    """

    compared: dict[str, int]
    mismatches: dict[str, int]
    first: Difference | None
    by_window: NDArray[np.int64]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not any(self.mismatches.values())

    @property
    def values(self) -> int:
        """How many values were compared."""
        return sum(self.compared.values())


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One observable from both sides.

    Attributes
    ----------
    gates, model : arrays of one shape
    axes : tuple of str
        Names of the axes.
    """

    gates: NDArray[Any]
    model: NDArray[Any]
    axes: tuple[str, ...]

    @property
    def differs(self) -> NDArray[np.bool_]:
        """Where the two are not the same."""
        return np.asarray(self.gates != self.model)


def judge(work: Work, core: CosimRun, expected: Expected | None = None) -> Verdict:
    """Run the model over the same windows and compare all that the core showed.

    Parameters
    ----------
    work : Work
    core : CosimRun
    expected : Expected or None
        The model's run, if it is there already.
    """
    expected = expected or expect(work)
    pairs = _pairs(work, core, expected)
    compared = {name: int(pair.gates.size) for name, pair in pairs.items()}
    mismatches = {name: int(pair.differs.sum()) for name, pair in pairs.items()}
    by_window = _by_window(pairs, work.events.windows)
    return Verdict(compared, mismatches, _first(work, pairs, expected), by_window)


def _by_window(pairs: dict[str, Pair], windows: int) -> NDArray[np.int64]:
    counts = np.zeros((windows, 2), np.int64)
    for pair in pairs.values():
        # The clocks between windows' ends belong to no one window.
        if pair.axes[0] == "window" and len(pair.gates) == windows:
            differs = pair.differs.reshape(windows, -1)
            counts += np.stack([np.full(windows, differs.shape[1]), differs.sum(axis=1)], axis=1)
    return counts


def _pairs(work: Work, core: CosimRun, expected: Expected) -> dict[str, Pair]:
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
        one.name: Pair(
            core.observed[one.name], expected.observed[one.name], axes.get(one.name, neuron)
        )
        for one in seen
    }
    pairs["output event"] = Pair(core.raster.astype(np.int64), expected.raster, neuron)
    pairs["rows shown"] = Pair(
        np.array(list(core.extra_rows.values())), np.zeros(len(seen), np.int64), ("observable",)
    )
    pairs["weights read back"] = Pair(core.weights, expected.weights, ("input", "neuron"))
    if not core.stuck:
        for name, values in core.state.items():
            unit = "input" if "trace" in name else "neuron"
            pairs[f"{name} read back"] = Pair(values, getattr(expected.state, name), (unit,))
    pairs["phase"] = Pair(np.array([core.phase]), np.array([expected.state.phase]), ("number",))
    pairs["counters"] = Pair(
        np.array(list(core.counters.values())),
        np.array(list(expected.counters.values())),
        ("counter",),
    )
    if work.stall == 0.0:
        # The first step's beginning is not seen: the clock starts with its first event.
        own, model = core.step_clocks.copy(), expected.step_clocks.copy()
        own[0, 0] = model[0, 0] = 0
        pairs["clocks of steps"] = Pair(own, model, ("window", "step"))
        ends = core.window_clocks[1:] - core.window_clocks[:-1]
        due = expected.step_clocks.sum(axis=1) + expected.window_end
        pairs["clocks of windows"] = Pair(ends, due[1:], ("window",))
    return pairs


def differing(pairs: dict[str, Pair], windows: int, steps: int) -> tuple[str, Place] | None:
    """Return name and place of the difference that a step or window came to first.

    Parameters
    ----------
    pairs : dict of str to Pair
        In the order in which a window comes to them.
    windows, steps : int
        Of the pairs that have axes of windows and steps.
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
            # Other spikes and errors take other clocks: what was computed wrongly comes first.
            window, step_signal = windows + 1, False
        step = place[1] if step_signal else steps
        order = STEP_SIGNALS.index(name) if step_signal else rank
        candidates.append(((window, step, order), name, place))
    if not candidates:
        return None
    _, name, place = min(candidates)
    return name, place


def _first(work: Work, pairs: dict[str, Pair], expected: Expected) -> Difference | None:
    """Return the first difference, with the model's operation."""
    found = differing(pairs, work.events.windows, work.config.window.steps)
    if found is None:
        return None
    name, place = found
    pair = pairs[name]
    return Difference(
        name,
        dict(zip(pair.axes, place, strict=True)),
        int(pair.gates[place]),
        int(pair.model[place]),
        operation(work, expected, name, place),
    )
