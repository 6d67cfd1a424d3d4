"""Computes with the integer model every value of a network's run, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.lfsr import LfsrConfig, stream_states
from bitlif.model.network import Network, NetworkSnapshot
from bitlif.model.network_result import FORWARD_RECORDS, NETWORK_RECORDS
from bitlif.model.signature import Signature
from bitlif.model.sweep import SWEEP_COUNTERS
from bitlif.sim.backends.network_result import network_signature
from bitlif.tasks.scenario import NetworkWork
from bitlif.tasks.stimulus import random_work

from .expected import neuron_signals
from .sweep_again import first_states, sweep_again, sweep_source, update_source, window_errors

FORWARD_COUNTERS = ("current_saturations", "membrane_saturations")
"""Counters that every layer increments in the forward steps."""


def random_network_work(
    network: NetworkConfig, seed: int, windows: int, *, learns: bool = True
) -> NetworkWork:
    """Return spikes, weights and targets drawn from `seed`.

    Those of layer n are the ones of `bitlif.tasks.stimulus.random_work` with seed ``seed + n``:
    spikes of the first layer, targets of the last one.
    """
    drawn = [random_work(own.config, seed + n, windows) for n, own in enumerate(network.layers)]
    targets = drawn[-1].targets
    assert targets is not None
    weights = [own.weights for own in drawn]
    return NetworkWork(network, weights, drawn[0].events, targets, learns=learns, seed=seed)


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedLayer:
    """The run of one layer.

    Attributes
    ----------
    observed : dict of str to array
        Values by the names of golden arrays, windows first.
    phases : list of int
        Phase of the schedule in each window, and after the last.
    counters : dict of str to int
        Over the whole run; those of the sweep only if the layer is learned.
    final : dict of str to array
        Current, membrane and weights at the end.
    """

    observed: dict[str, NDArray[Any]]
    phases: list[int]
    counters: dict[str, int]
    final: dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkExpected:
    """The run of a network.

    Attributes
    ----------
    layers : list of ExpectedLayer
    signature : (W,) int64
        Signature of the network after each window.
    since : int
        Number of the first window that was kept.
    """

    layers: list[ExpectedLayer]
    signature: NDArray[np.int64]
    since: int = 0


def compute_network_expected(
    work: NetworkWork,
    *,
    interpreted: bool = False,
    since: int = 0,
    progress: Callable[[], None] | None = None,
) -> NetworkExpected:
    """Run the integer model window by window, and keep every value.

    Parameters
    ----------
    work : NetworkWork
    interpreted : bool
        Run the model without compiling it, which is faster for a few small windows.
    since : int
        First window to keep. Those before it are only run; signatures and counters start with it.
    progress : function or None
        Called after each window.

    Raises
    ------
    BitlifError
        If the engine's sweep and its step functions disagree, which is a bug.
    """
    network = work.network
    model = Network(network, interpreted=interpreted)
    model.load(work.weights)
    recorders = [_Recorder(network, number) for number in range(len(network.layers))]
    values: list[int] = []
    if since:
        _run_first(model, work, since)
    for w in range(since, work.events.windows):
        before = model.snapshot()
        one, goals = work.events.select([w]), work.targets[w : w + 1]
        raster = np.asarray(one.raster()[0], np.int64)
        weights = model.weights()
        if work.learns:
            result = model.learn(one, goals, record=NETWORK_RECORDS)
        else:
            given = goals if work.takes_targets else None
            result = model.run(one, given, record=FORWARD_RECORDS)
        drive = None
        for number, own in enumerate(recorders):
            levels = goals[0] if number == len(recorders) - 1 else np.zeros_like(goals[0])
            phase = own.phase(before)
            own.forward(result.layers[number], raster, weights[number], levels, phase)
            raster = np.asarray(result.layers[number].raster[0], np.int64)
        if work.learns:
            drive = window_errors(
                network, recorders[-1].last("membrane_potential"), goals[0],
                recorders[-1].phase(before),
            )  # fmt: skip
        for number in reversed(range(network.learned_from, len(recorders))):
            if drive is not None:
                spikes = raster_of(recorders, number - 1, one)
                drive = recorders[number].sweep(before, drive, spikes, weights[number], result)
        after, now = model.snapshot(), model.weights()
        for number, own in enumerate(recorders):
            sweep = result.sweep_counters[number] if work.learns else {}
            own.end(after, now[number], result.layers[number].counters, sweep)
        values.append(network_signature([own.signature.value for own in recorders]))
        if progress:
            progress()
    state = model.snapshot()
    layers = [own.expected(state) for own in recorders]
    return NetworkExpected(layers, np.array(values, np.int64), since)


def _run_first(model: Network, work: NetworkWork, count: int) -> None:
    """Run the first windows without keeping a value."""
    first = work.first_windows(count)
    if work.learns:
        model.learn(first.events, first.targets)
    else:
        model.run(first.events, first.targets if work.takes_targets else None)


def raster_of(recorders: Sequence[_Recorder], number: int, events: Events) -> NDArray[np.int64]:
    """Return the spikes of layer `number` in the last window, or the input spikes for -1."""
    if number < 0:
        return np.asarray(events.raster()[0], np.int64)
    return recorders[number].last("spike")


class _Recorder:
    """Collects the values of one layer."""

    def __init__(self, network: NetworkConfig, number: int) -> None:
        self.network, self.number = network, number
        self.own = network.layers[number]
        self.learned = number >= network.learned_from
        self.signature = Signature(self.own.config.layer)
        self.seen: dict[str, list[NDArray[Any]]] = {}
        self.phases: list[int] = []
        self.counters: dict[str, int] = {}
        self.final: dict[str, NDArray[Any]] = {}

    def last(self, name: str) -> NDArray[Any]:
        """Return the values of a signal in the last window."""
        return self.seen[name][-1]

    def phase(self, state: NetworkSnapshot) -> int:
        """Return the phase of the next window."""
        derived = self.network.derived(self.number)
        return derived.phase_at(state.layers[self.number].learned)

    def add(self, name: str, values: Any) -> None:
        """Keep the values of a signal in a window."""
        self.seen.setdefault(name, []).append(np.asarray(values))

    def forward(
        self, result: Any, raster: NDArray[Any], weights: NDArray[Any], targets: NDArray[Any],
        phase: int,
    ) -> None:  # fmt: skip
        """Keep the signals of the forward steps."""
        self.phases.append(phase)
        constants = self.network.derived(self.number).phases[phase]
        found = neuron_signals(
            self.own.config, result, raster, weights, np.asarray(targets, np.int64), constants
        )
        for name, values in found.items():
            self.add(name.replace(" ", "_"), np.asarray(values, np.int64))
        self.add("signature_by_step", self.signature.take_window(result))

    def sweep(
        self, before: NetworkSnapshot, drive: NDArray[Any], inputs: NDArray[Any],
        weights: NDArray[Any], result: Any,
    ) -> NDArray[Any]:  # fmt: skip
        """Keep the signals of the sweep; return the drive of the layer before."""
        states = self.lfsr_states(before, start=True)
        swept = sweep_again(
            self.network, self.number, drive=drive, membrane=self.last("membrane_potential"),
            spikes=self.last("spike"), inputs=inputs, weights=weights, phase=self.phases[-1],
            sweep_draws=sweep_source(self.own, states["sweep"]),
            update_draws=update_source(self.own, states["update"]),
        )  # fmt: skip
        adjoints = np.asarray(result.adjoints[self.number][0], np.int64)
        gradient = np.asarray(result.gradients[self.number][0], np.int64)
        if not (
            np.array_equal(swept.current, adjoints) and np.array_equal(swept.gradient, gradient)
        ):
            raise BitlifError(f"layer.{self.number}: two sweeps of one window differ: a bug")
        if self.network.is_hidden(self.number):
            self.add("credit_sum", swept.drive)
            self.add("surrogate", swept.derivative)
            self.add("credit", swept.taken)
        else:
            self.add("error", swept.taken)
        self.add("adjoint_membrane", swept.membrane)
        self.add("adjoint_current", swept.current)
        if self.own.sweep.update == "window":
            self.add("gradient", swept.gradient)
        return swept.before

    def end(
        self, after: NetworkSnapshot, weights: NDArray[Any], counted: dict[str, int],
        sweep: dict[str, int],
    ) -> None:  # fmt: skip
        """Keep what a window leaves."""
        learns = bool(sweep)
        if learns and self.learned:
            self.signature.take_weights(weights)
            self.add("weight", weights)
        for name, states in self.lfsr_states(after).items():
            self.add(f"{name}_lfsr", np.array(states, np.uint64))
        self.add("signature", np.array(self.signature.value, np.int64))
        found = {name: counted[name] for name in FORWARD_COUNTERS}
        if learns and self.learned:
            found |= {name: sweep[name] for name in sweep_counters(self.network, self.number)}
        for name, count in found.items():
            self.counters[name] = self.counters.get(name, 0) + count

    def lfsr_states(
        self, state: NetworkSnapshot, *, start: bool = False
    ) -> dict[str, tuple[int, ...]]:
        """Return the states of the LFSRs by purpose; at the start of a window if `start`."""
        config, layer = self.own.config, state.layers[self.number]
        clear = start and config.window.lfsr == "clear"
        sources: dict[str, tuple[LfsrConfig, Any]] = {
            "noise": (config.noise.lfsr, layer.streams),
            "update": (config.learning.lfsr, layer.update_streams),
            "sweep": (self.own.sweep.lfsr, state.streams[self.number]),
        }
        found = {}
        if not config.noise.drawn:
            del sources["noise"]
        for name, (source, streams) in sources.items():
            states = stream_states(streams, source.width)
            if clear:
                states = first_states(source, config.layer.lanes)
            found[name] = states
        return found

    def expected(self, state: NetworkSnapshot) -> ExpectedLayer:
        """Return everything that was kept."""
        now = state.layers[self.number].state
        final = {
            "synaptic_current": np.array(now.current, np.int64),
            "membrane": np.array(now.membrane, np.int64),
            "weights": np.array(state.layers[self.number].weights[:-1], np.int64),
        }
        observed = {name: np.array(values) for name, values in self.seen.items()}
        return ExpectedLayer(observed, [*self.phases, self.phase(state)], self.counters, final)


def sweep_counters(network: NetworkConfig, number: int) -> tuple[str, ...]:
    """Return the counters of the sweep that a layer can increment."""
    hidden = network.is_hidden(number)
    absent = ("error_saturations", "active_errors") if hidden else ("credit_saturations",)
    return tuple(name for name in SWEEP_COUNTERS if name not in absent)
