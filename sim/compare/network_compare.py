"""Compares a simulated network with the integer model and locates the first mismatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bitlif.hdl.core_signals import FORWARD_COUNTERS, SWEPT_COUNTERS
from bitlif.model.network import Network
from bitlif.model.network_clocks import network_window_ends
from bitlif.sim.probes import MISSING
from bitlif.tasks.scenario import NetworkWork

from .compare import Mismatch, RunComparison, SignalPair
from .network_crosscheck import STEP, SYNAPSE, first_mismatch, signal_name
from .network_expected import ExpectedLayer, NetworkExpected, compute_network_expected
from .network_explain import with_operation

if TYPE_CHECKING:
    from bitlif.sim.cocotb.network_cosim import LayerRun, NetworkRun

SWEEP = ("error", "adjoint current")
AT_END = ("gradient", "weight")


def compare_network_run(
    work: NetworkWork, run: NetworkRun, expected: NetworkExpected | None = None
) -> RunComparison:
    """Compare everything that a simulated network produced with the model's run.

    Parameters
    ----------
    work : NetworkWork
        What was run.
    run : NetworkRun
        The result of the gates.
    expected : NetworkExpected or None
        The result of the model; computed here if None.

    Clock cycles are not compared if streams stalled.
    """
    expected = compute_network_expected(work) if expected is None else expected
    windowed: dict[str, SignalPair] = {}
    ends: dict[str, SignalPair] = {}
    for number, (own, right) in enumerate(zip(run.layers, expected.layers, strict=True)):
        windowed |= _observed(number, own, right)
        ends |= _final(number, own, right, run.stalled)
    last = len(run.layers) - 1
    windowed[signal_name(last, "forward", "output event")] = SignalPair(
        run.raster.astype(np.int64), expected.layers[last].observed["spike"], STEP
    )
    ends["signature"] = SignalPair(np.array([run.signature]), expected.signature[-1:], ("number",))
    if not work.stall:
        due = _window_ends(work)
        for number, own in enumerate(run.layers):
            found = np.full(due.shape[1], MISSING, np.int64)
            given = own.final["window_ends"][: len(found)]
            found[: len(given)] = given
            ends[f"layer.{number} end: clocks of windows"] = SignalPair(
                found, due[number], ("window",)
            )
    return _comparison(work, windowed, ends, expected)


def _observed(number: int, own: LayerRun, right: ExpectedLayer) -> dict[str, SignalPair]:
    """Return the pairs of all observables of a layer, windows first."""
    pairs = {}
    for name, values in own.observed.items():
        part = "sweep" if name in SWEEP else "end" if name in AT_END else "forward"
        key = name.lower().replace(" ", "_")
        model = np.asarray(right.observed[key])
        axes = SYNAPSE if name in AT_END else STEP
        pairs[signal_name(number, part, name)] = SignalPair(values, model, axes)
    return pairs


def _final(
    number: int, own: LayerRun, right: ExpectedLayer, stalled: bool
) -> dict[str, SignalPair]:
    """Return the pairs of what is read at the end."""
    pairs = {
        "rows shown": SignalPair(
            np.array(list(own.extra_rows.values())), np.zeros(len(own.extra_rows), np.int64),
            ("observable",),
        ),
        "signature": SignalPair(
            own.final["signature"], right.observed["signature"][-1:], ("number",)
        ),
    }  # fmt: skip
    names = SWEPT_COUNTERS if "phase" in own.final else FORWARD_COUNTERS
    counted = np.array([right.counters.get(name, 0) for name in names], np.int64)
    pairs["counters"] = SignalPair(own.final["counters"], counted, ("counter",))
    if "phase" in own.final:
        pairs["phase"] = SignalPair(own.final["phase"], np.array(right.phases[-1:]), ("number",))
    if not stalled:
        state = {"current": "synaptic_current", "membrane": "membrane"}
        for name, key in state.items():
            pairs[f"{name} read back"] = SignalPair(own.final[name], right.final[key], ("neuron",))
        for name in ("noise", "update", "sweep"):
            if f"{name}_lfsr" in own.final:
                states = right.observed[f"{name}_lfsr"][-1]
                pairs[f"{name} LFSR"] = SignalPair(own.final[f"{name}_lfsr"], states, ("LFSR",))
        pairs["weights read back"] = SignalPair(
            own.final["weights"], right.final["weights"], ("input", "neuron")
        )
    return {signal_name(number, "end", name): pair for name, pair in pairs.items()}


def _window_ends(work: NetworkWork) -> np.ndarray:
    """Return the clock cycle in which each layer ends each window: (L, W)."""
    model = Network(work.network)
    model.load(work.weights)
    results = []
    for w in range(work.events.windows):
        one, goals = work.events.select([w]), work.targets[w : w + 1]
        if work.learns:
            results.append(model.learn(one, goals, record=("membrane", "adjoints")))
        else:
            results.append(model.run(one, goals if work.takes_targets else None))
    learns = [True] * work.events.windows if work.learns else None
    return network_window_ends(work.network, work.events, results, learns)


def _comparison(
    work: NetworkWork, windowed: dict[str, SignalPair], ends: dict[str, SignalPair],
    expected: NetworkExpected,
) -> RunComparison:  # fmt: skip
    windows, layers = work.events.windows, len(work.network.layers)
    pairs = windowed | ends
    counts = np.zeros((windows, 2), np.int64)
    first: Mismatch | None = None
    for w in range(windows):
        own = {
            name: SignalPair(pair.gates[w : w + 1], pair.model[w : w + 1], pair.axes)
            for name, pair in windowed.items()
        }
        counts[w] = (
            sum(pair.gates.size for pair in own.values()),
            sum(int(pair.differs.sum()) for pair in own.values()),
        )
        if first is None:
            first = first_mismatch(own, w, layers, work.events.steps)
    if first is None:
        for name, pair in ends.items():
            places = np.argwhere(pair.differs)
            if places.size:
                here = tuple(int(index) for index in places[0])
                spot = dict(zip(pair.axes, here, strict=True))
                first = Mismatch(name, spot, int(pair.gates[here]), int(pair.model[here]), "")
                break
    if first is not None:
        counters = SWEPT_COUNTERS if work.learns else FORWARD_COUNTERS
        first = with_operation(first, work, expected, counters)
    return RunComparison(
        {name: int(pair.gates.size) for name, pair in pairs.items()},
        {name: int(pair.differs.sum()) for name, pair in pairs.items()},
        first, counts,
    )  # fmt: skip


def resets_of(work: NetworkWork) -> tuple[int, ...]:
    """Return clock cycles at which a reset falls into the forward steps and into the sweep.

    They count from the loading of the weights, and are exact if no stream stalls.
    """
    ends = _window_ends(work)
    first = int(ends[:, 0].max())
    if not work.learns:
        return (first // 2,)
    model = Network(work.network)
    model.load(work.weights)
    one = work.events.select([0])
    result = model.run(one, work.targets[:1] if work.takes_targets else None)
    forward = int(network_window_ends(work.network, one, [result], [False]).max())
    return forward // 2, (forward + first) // 2
