"""Runs the same windows of a network on several backends, and compares them layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.network_clocks import window_clocks
from bitlif.model.network_result import NetworkResult
from bitlif.model.result import Result
from bitlif.sim.backends.network_core import NetworkCore
from bitlif.sim.backends.network_gates import NetworkGateCore
from bitlif.sim.backends.network_result import NETWORK_COUNTERS, NetworkCoreResult
from bitlif.sim.backends.stepping import LEARNING_RECORDS
from bitlif.tasks.scenario import NetworkWork

from .compare import Mismatch, SignalPair
from .crosscheck import BackendComparison, compare_windows
from .network_expected import compute_network_expected
from .network_explain import with_operation

STEP, SYNAPSE = ("window", "step", "neuron"), ("window", "input", "neuron")

FORWARD = {
    "draws": "noise draw", "current": "synaptic current", "membrane": "membrane potential",
    "raster": "spike",
}  # fmt: skip
"""Signals of the forward steps in the order of their computation, by the names of records."""

SWEPT = {"errors": "error", "adjoints": "adjoint current"}
"""Signals of the steps of a sweep."""

ORDER = (
    "weight sum", *FORWARD.values(), "kept membrane", "output event", *SWEPT.values(), "gradient",
    "weight",
)  # fmt: skip
"""All signals of a step, or of the end of a window that is learned, as they are computed."""

COMPARED_COUNTERS = tuple(name for name in NETWORK_COUNTERS if name != "synaptic_events")
"""Counters of each layer; gates count no synaptic operations."""

ENDS = ("gradient", "weight")
"""Signals of the end of a window that is learned."""


def crosscheck_network(
    cores: Sequence[NetworkCore], work: NetworkWork,
    report: Callable[[int], Any] = lambda window: None,
) -> list[BackendComparison]:  # fmt: skip
    """Reset and load all cores, run the same windows on each, and compare after every window.

    The first difference is the first one in the order of the computation: in a window, the forward
    steps, each from the first layer to the last; then the steps of the sweep, from the last one to
    the first, each from the last layer to the first; then the ends of the window.

    Parameters
    ----------
    cores : sequence of NetworkCore
        The others are compared with the first; see `bitlif.sim.compare.crosscheck.crosscheck`.
    work : NetworkWork
    report : callable
        Called with the number of each window after it has run.

    Raises
    ------
    BitlifError
        If a core is the float twin, or if the first core fails.
    """
    for core in cores:
        if isinstance(core, NetworkGateCore):
            # They are compared here, after everything that they depend on.
            core.checks_clocks = False
    layers, steps = len(work.network.layers), work.events.steps

    def first(pairs: dict[str, SignalPair], w: int) -> Mismatch | None:
        found = first_mismatch(pairs, w, layers, steps)
        return None if found is None else _explained(found, work, w)

    return compare_windows(
        cores, work, lambda core, w: _run_window(core, work, w), _axes, first, report
    )


def _explained(found: Mismatch, work: NetworkWork, w: int) -> Mismatch:
    """Return a mismatch of window w with the model's operation."""
    # An operation needs no window before the one before.
    expected = compute_network_expected(work.first_windows(w + 1), since=max(w - 1, 0))
    return with_operation(found, work, expected, COMPARED_COUNTERS)


def signal_name(layer: int, part: str, signal: str) -> str:
    """Return the name of a signal in reports: ``"layer.1 sweep: adjoint current"``."""
    return f"layer.{layer} {part}: {signal}"


def _run_window(core: Any, work: NetworkWork, w: int) -> dict[str, NDArray[Any]]:
    """Run a window and return all visible signals of all layers."""
    record = [name for name in core.records if work.learns or name not in LEARNING_RECORDS]
    goals = work.targets[w : w + 1] if work.takes_targets else None
    out: NetworkCoreResult = core.run(
        work.events.select([w]), goals, learn=work.learns, record=record
    )
    seen: dict[str, NDArray[Any]] = {}
    for number, own in enumerate(out.layers):
        for part, names in (("forward", FORWARD), ("sweep", SWEPT)):
            for name, signal in names.items():
                values = getattr(own, name)
                if values is not None and len(values):
                    seen[signal_name(number, part, signal)] = values
        if own.gradient is not None:
            values = own.gradient.transpose(0, 2, 1)
            seen[signal_name(number, "end", "gradient")] = values
    if out.step_signatures.size:
        seen["step signature"] = out.step_signatures
    if core.counts_clocks:
        seen["clocks of windows"] = out.window_clocks
    else:
        seen["clocks of windows"] = _clocks(work, out, w)
    signatures = core.layer_signatures()
    rows = zip(core.weights(), core.state(), core.sweep_lfsr(), core.layer_counters(), strict=True)
    for number, (weights, state, sweep, counters) in enumerate(rows):
        ends = {
            "weight": weights[None],
            "current read back": state.current,
            "membrane read back": state.membrane,
            "noise LFSR": np.array(state.noise_lfsr, np.uint64),
            "update LFSR": np.array(state.update_lfsr, np.uint64),
            "sweep LFSR": np.array(sweep, np.uint64),
            "phase": np.array([state.phase]),
            "counters": np.array([counters[name] for name in COMPARED_COUNTERS]),
            "signature": np.array([signatures[number]]),
        }
        seen |= {signal_name(number, "end", name): values for name, values in ends.items()}
    seen["signature"] = np.array([core.signature()])
    return seen


def _clocks(work: NetworkWork, out: NetworkCoreResult, w: int) -> NDArray[np.int64]:
    """Return the clock cycles that gates take for what the model did in a window."""
    layers = tuple(Result(own.raster, membrane=own.membrane) for own in out.layers)
    adjoints = tuple(own.adjoints for own in out.layers if own.adjoints is not None)
    return window_clocks(
        work.network, work.events.select([w]), NetworkResult(layers, adjoints=adjoints),
        learn=work.learns, learning_core=work.learns,
    )  # fmt: skip


def _axes(name: str) -> tuple[str, ...]:
    """Return the axes of a signal."""
    signal = name.rpartition(": ")[2]
    if signal in ENDS:
        return SYNAPSE
    if signal.endswith("LFSR"):
        return ("LFSR",)
    if signal.endswith("read back"):
        return ("neuron",)
    if signal in ("counters", "phase", "signature"):
        return ("number",)
    return {"step signature": ("window", "step"), "clocks of windows": ("window",)}.get(
        signal, STEP
    )


def first_mismatch(
    pairs: dict[str, SignalPair], window: int, layers: int, steps: int
) -> Mismatch | None:
    """Return the first value of a window that differs, in the order of its computation, or None.

    Parameters
    ----------
    pairs : dict of str to SignalPair
        By names of `signal_name`; of one window.
    window : int
        Its number.
    layers, steps : int
    """
    found = []
    for rank, (name, pair) in enumerate(pairs.items()):
        places = np.argwhere(pair.differs)
        if not places.size:
            continue
        head, _, signal = name.rpartition(": ")
        layer, part = (int(head.split()[0][6:]), head.split()[1]) if head else (layers, "end")
        order: tuple[int, ...] = (2, 0, 0, rank)
        place = places[0]
        if part == "forward":
            order = (0, int(place[1]), layer, ORDER.index(signal))
        elif part == "sweep":
            # A sweep goes back from the last step, and from the last layer.
            place = places[places[:, 1] == places[:, 1].max()][0]
            order = (1, steps - 1 - int(place[1]), layers - layer, ORDER.index(signal))
        elif signal in ENDS:
            order = (2, 0, ORDER.index(signal), layers - layer)
        else:
            order = (3, 0, 0, rank)
        found.append((order, name, tuple(int(index) for index in place)))
    if not found:
        return None
    _, name, here = min(found)
    pair = pairs[name]
    spot = {"window": window} | {
        axis: index for axis, index in zip(pair.axes, here, strict=True) if axis != "window"
    }
    return Mismatch(name, spot, int(pair.gates[here]), int(pair.model[here]), "")
