"""Explains how the model computes a value of a network; compare `bitlif.sim.compare.explain`.

An operation of the sweep is a row of equations with the names of docs/networks.md, up to the value
that differs: ``lam = (243 x 0 + 16 x -31 + 7) >> 4 = -31, kap = ...``. The number after the last
``=`` of an equation is the value, and all numbers are raw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.adjoint import SweepShift, shift_sweep
from bitlif.model.credit import feedback_weight
from bitlif.model.events import Events
from bitlif.model.fixed import saturate
from bitlif.model.lfsr import LfsrConfig
from bitlif.tasks.scenario import NetworkWork, Work

from .compare import Mismatch
from .explain import Place, explain_operation
from .network_expected import NetworkExpected
from .sweep_again import (
    Draws,
    first_states,
    step_draws,
    sweep_again,
    sweep_source,
    update_source,
)

MOST_TERMS = 6
"""Terms of a sum that are shown."""


def with_operation(
    first: Mismatch, work: NetworkWork, expected: NetworkExpected, counters: Sequence[str]
) -> Mismatch:
    """Return a mismatch of a network with the operation by which the model computes its value.

    Parameters
    ----------
    first : Mismatch
        Its signal has the name of `bitlif.sim.compare.network_crosscheck.signal_name`.
    work : NetworkWork
        What was run.
    expected : NetworkExpected
        The model's run, with the window of the mismatch and the one before it.
    counters : sequence of str
        Names of a layer's counters, in the order in which they were compared.
    """
    head, _, signal = first.signal.rpartition(": ")
    if not head:
        return first
    if signal == "counters":
        name = counters[[*first.place.values()][-1]]
        return replace(first, operation=f"the number of {name.replace('_', ' ')}")
    number, place = int(head.split()[0][6:]), tuple(first.place.values())
    return replace(first, operation=explain_network(work, expected, number, signal, place))


def explain_network(
    work: NetworkWork, expected: NetworkExpected, number: int, signal: str, place: Place
) -> str:
    """Return the operation that yields a value of a layer, as text; empty if there is none.

    Parameters
    ----------
    work, expected
        See `with_operation`.
    number : int
        Of the layer.
    signal : str
        Its name in a layer: that of an observable, ``"credit sum"``, ``"credit"`` or
        ``"adjoint membrane"``.
    place : tuple of int
        Index along the signal's axes; the first one is the window.
    """
    if signal in SWEPT and not (work.learns and number >= work.network.learned_from):
        return "w as it was loaded: it is not learned" if signal == "weight" else ""
    if signal in SWEPT:
        return SWEPT[signal](LayerSweep(work, expected, number, place[0]), *place[1:])
    layer_work, layer_run = _layer_run(work, expected, number)
    if signal != "noise draw":
        # The number of a draw counts all windows; the arrays begin with the first one kept.
        place = (place[0] - expected.since, *place[1:])
    return explain_operation(layer_work, layer_run, signal, place)


class LayerRun(NamedTuple):
    """A layer of the model's run, as `bitlif.sim.compare.explain` reads it."""

    observed: dict[str, NDArray[Any]]
    phases: list[int]
    targets: NDArray[Any]


def _layer_run(work: NetworkWork, expected: NetworkExpected, number: int) -> tuple[Work, LayerRun]:
    """Return a layer as if it ran alone, with its own input spikes."""
    network, own = work.network, expected.layers[number]
    observed = {name.replace("_", " "): values for name, values in own.observed.items()}
    events = Events.from_raster(_input_spikes(work, expected, number) > 0)
    targets = work.targets[expected.since :]
    if network.is_hidden(number):
        targets = np.zeros(observed["spike"].shape, np.int64)
    layer_work = Work(
        network.layers[number].config, work.weights[number], events,
        learn=work.learns and number >= network.learned_from,
    )  # fmt: skip
    return layer_work, LayerRun(observed, own.phases, targets)


def _input_spikes(work: NetworkWork, expected: NetworkExpected, number: int) -> NDArray[Any]:
    """Return the input spikes of a layer in the windows that were kept: (W, T, N)."""
    if number:
        return expected.layers[number - 1].observed["spike"]
    kept = len(expected.layers[0].observed["spike"])
    return work.events.select(range(expected.since, expected.since + kept)).raster()


class LayerSweep:
    """The sweep of a layer in one window: what the model computed, and what it drew.

    Parameters
    ----------
    work, expected
        See `with_operation`.
    number : int
        Of the layer.
    window : int
    """

    def __init__(
        self, work: NetworkWork, expected: NetworkExpected, number: int, window: int
    ) -> None:
        self._work, self._expected, self._window = work, expected, window
        self._w = window - expected.since
        self.network, self.number = work.network, number
        self.own = self.network.layers[number]
        self.swept = self.network.derived_sweep(number)
        self.inputs = np.asarray(_input_spikes(work, expected, number)[self._w], np.int64)
        self.steps = len(self.inputs)

    def values(self, name: str) -> NDArray[Any]:
        """Return the values of a signal of this layer in the window."""
        values: NDArray[Any] = self._expected.layers[self.number].observed[name][self._w]
        return values

    def after(self) -> LayerSweep:
        """Return the next layer."""
        return LayerSweep(self._work, self._expected, self.number + 1, self._window)

    def later(self, name: str, t: int, i: int) -> int:
        """Return the value of an adjoint in the step before in the sweep, t + 1."""
        return int(self.values(name)[t + 1, i]) if t + 1 < self.steps else 0

    def _states(self, name: str, source: LfsrConfig) -> Sequence[int]:
        """Return the states of LFSRs at the start of the window."""
        if not self._window or self.own.config.window.lfsr == "clear":
            return first_states(source, self.own.config.layer.lanes)
        seen = self._expected.layers[self.number].observed[f"{name}_lfsr"]
        return [int(state) for state in seen[self._w - 1]]

    def _sweep_draws(self) -> Draws:
        return sweep_source(self.own, self._states("sweep", self.own.sweep.lfsr))

    def update_draws(self) -> Draws:
        """Return the draws of the updates, at the start of the window."""
        return update_source(self.own, self._states("update", self.own.config.learning.lfsr))

    def draw(self, t: int, i: int, kind: int) -> int:
        """Return a random word of a neuron in a step, or 0 without; `kind` counts from 0."""
        draws = self.swept.constants.draws
        shown = step_draws(self.own, draws, self.steps - t, self._sweep_draws())
        return int(shown[-1, i, kind])

    def start_weights(self) -> NDArray[np.int64]:
        """Return the weights at the start of the window: (N, M)."""
        if not self._window:
            return np.asarray(self._work.weights[self.number], np.int64)
        seen = self._expected.layers[self.number].observed["weight"]
        return np.asarray(seen[self._w - 1], np.int64)

    def weights_at(self, t: int) -> tuple[NDArray[np.int64], Draws]:
        """Return the weights when the sweep comes to step t, and the next draws of updates."""
        draws, after = self.update_draws(), t + 1
        if not self.swept.constants.spike_update or after == self.steps:
            return self.start_weights(), draws
        drive = "credit_sum" if self.network.is_hidden(self.number) else "error"
        swept = sweep_again(
            self.network, self.number, drive=self.values(drive)[after:],
            membrane=self.values("membrane_potential")[after:],
            spikes=self.values("spike")[after:], inputs=self.inputs[after:],
            weights=self.start_weights(), phase=self.phase(), sweep_draws=self._sweep_draws(),
            update_draws=draws,
        )  # fmt: skip
        return swept.weights, draws

    def phase(self) -> int:
        """Return the index of the window's phase."""
        return self._expected.layers[self.number].phases[self._w]


def _shifted(text: str, value: int, random: int, s: SweepShift) -> tuple[str, int]:
    """Return `shift_sweep` of a value as text, and its result."""
    result = shift_sweep(value, random, s)
    if s.toward_zero and s.right:
        text = f"({text}) >> {s.right}" if value >= 0 else f"-(-({text}) >> {s.right})"
    elif s.left:
        text = f"({text}) << {s.left}"
    elif s.right:
        text = f"({text}{f' + {s.bias}' if s.bias else ''}) >> {s.right}"
    if s.random_bits:
        inner = f"({text})" if s.left or s.right else text
        text = f"({inner} + {random}) >> {s.random_bits}"
    return text, result


def _equation(name: str, text: str, exact: int, f: Any) -> str:
    """Return an equation whose value is limited to the format of `f`."""
    value, saturated = saturate(exact, f.low, f.high)
    return f"{name} = {text} = {exact}" + (f", saturated to {value}" if saturated else "")


def _terms(products: Sequence[str], total: int, name: str) -> str:
    """Return a sum as an equation, with its first terms."""
    text = " + ".join(products[:MOST_TERMS]) + (" + ..." if len(products) > MOST_TERMS else "")
    return f"{name} = {text} = {total}" if products else f"{name} = 0"


def _credit_sum(own: LayerSweep, t: int, i: int) -> str:
    """Return the exact sum over the neurons of the next layer."""
    after, feedback = own.after(), own.swept.constants.credit.feedback
    kap, (weights, _) = after.values("adjoint_current")[t], after.weights_at(t)
    products = [
        f"{feedback_weight(int(weights[i, o]), feedback)} x {int(kap[o])}"
        for o in np.flatnonzero(kap)
    ]
    return _terms(products, int(own.values("credit_sum")[t, i]), "S")


def _surrogate(own: LayerSweep, t: int, i: int) -> str:
    """Return the surrogate derivative."""
    s, c = own.swept.constants.surrogate, own.network.derived(own.number).constants
    potential, value = int(own.values("membrane_potential")[t, i]), own.values("surrogate")[t, i]
    distance = f"|{potential} - {c.threshold}|"
    if s.reciprocal and abs(potential - c.threshold) < s.width:
        entry = f"min({distance} x {s.reciprocal} >> {s.shift}, {s.table.size - 1})"
        return f"g = table[{entry}] = {value}"
    return f"g = ({distance} < {s.width}) = {value}"


def _credit(own: LayerSweep, t: int, i: int) -> str:
    """Return the credit, which hidden layers take."""
    c = own.swept.constants.credit
    g, total = int(own.values("surrogate")[t, i]), int(own.values("credit_sum")[t, i])
    text = f"{g} x {total}" + (f" x {c.take}" if c.take > 1 else "")
    text, exact = _shifted(text, g * total * c.take, own.draw(t, i, 0), c.shift)
    equation = _equation("d", text, exact, c)
    return f"{_credit_sum(own, t, i)}, {_surrogate(own, t, i)}, {equation}"


def _adjoint_membrane(own: LayerSweep, t: int, i: int) -> str:
    s, f = own.swept.constants, own.swept.constants.membrane
    state, cut = own.later("adjoint_membrane", t, i), ""
    if s.hidden:
        drive, taken = _credit(own, t, i), int(own.values("credit")[t, i])
        if own.values("spike")[t, i]:
            state, cut = 0, " (spike)"
    else:
        taken = int(own.values("error")[t, i])
        drive = f"d = {taken} (error)"
    text = f"{f.keep} x {state}{cut} + {f.take} x {taken}"
    text, exact = _shifted(text, f.keep * state + f.take * taken, own.draw(t, i, s.hidden), f.shift)
    return f"{drive}, {_equation('lam', text, exact, f)}"


def _adjoint_current(own: LayerSweep, t: int, i: int) -> str:
    f, state = own.swept.constants.current, own.later("adjoint_current", t, i)
    taken = int(own.values("adjoint_membrane")[t, i])
    text, exact = _shifted(
        f"{f.keep} x {state} + {f.take} x {taken}", f.keep * state + f.take * taken,
        own.draw(t, i, own.swept.constants.hidden + 1), f.shift,
    )  # fmt: skip
    return f"{_adjoint_membrane(own, t, i)}, {_equation('kap', text, exact, f)}"


def _gradient(own: LayerSweep, j: int, i: int) -> str:
    """Return the sum over the spikes of an input."""
    kap = own.values("adjoint_current")[:, i]
    steps = [t for t in reversed(range(own.steps)) if own.inputs[t, j] and kap[t]]
    products = [f"{int(kap[t])} (step {t})" for t in steps]
    return _terms(products, int(sum(kap[t] for t in steps)), "G")


def _changed(own: LayerSweep, before: int, gradient: int, random: int) -> str:
    """Return the update of a weight as an equation."""
    c, phase = own.network.derived(own.number).constants, own.swept.phases[own.phase()]
    s = SweepShift(0, phase.rate_left, phase.rate_bias, phase.rate_right, c.random_bits)
    text, change = _shifted(f"{phase.rate} x {gradient}", phase.rate * gradient, random, s)
    value, saturated = saturate(before + change, c.weight_low, c.weight_high)
    limited = f", saturated to {value}" if saturated else ""
    return f"w = {before} + ({text}) = {before + change}{limited}"


def _weight(own: LayerSweep, j: int, i: int) -> str:
    """Return the update of a weight at the end of the window, or its last one in the sweep."""
    if own.swept.constants.spike_update:
        return _spike_updates(own, j, i)
    config = own.own.config
    slot, lane = divmod(i, config.layer.lanes)
    random = 0
    if config.learning.random_bits:
        random = int(own.update_draws().take(slot * config.layer.inputs + j + 1)[lane, -1])
    before, gradient = int(own.start_weights()[j, i]), int(own.values("gradient")[j, i])
    return f"{_gradient(own, j, i)}, {_changed(own, before, gradient, random)}"


def _spike_updates(own: LayerSweep, j: int, i: int) -> str:
    """Return the last update of a weight in the sweep, which goes back from the last step."""
    start, spikes = int(own.start_weights()[j, i]), np.flatnonzero(own.inputs[:, j])
    if not spikes.size:
        return f"w = {start}, as input {j} does not spike"
    t, sizes = int(spikes[0]), own.own.config.layer
    weights, draws = own.weights_at(t)
    slot, lane = divmod(i, sizes.lanes)
    random, earlier = 0, int(np.count_nonzero(own.inputs[t, :j]))
    if own.own.config.learning.random_bits:
        random = int(draws.take(earlier * sizes.slots + slot + 1)[lane, -1])
    kap = int(own.values("adjoint_current")[t, i])
    text = _changed(own, int(weights[j, i]), kap, random)
    which = (
        "the only update" if spikes.size == 1 else f"the last of {spikes.size} updates of {start}"
    )
    return f"kap = {kap} (step {t}), {text}, {which}"


SWEPT: dict[str, Callable[[LayerSweep, int, int], str]] = {
    "credit sum": _credit_sum,
    "credit": _credit,
    "adjoint membrane": _adjoint_membrane,
    "adjoint current": _adjoint_current,
    "gradient": _gradient,
    "weight": _weight,
}
