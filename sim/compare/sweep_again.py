"""The backward sweep of a network's layer computed once more, with all intermediate values.

The engine keeps only adjoint currents and gradients. Here the step functions of the model, as
Python functions, compute credit, adjoint membranes and updates again from recorded spikes and
membranes, so that they can be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.adjoint import adjoint_sum
from bitlif.model.config.network import NetworkConfig, NetworkLayer
from bitlif.model.constants import PhaseConstants
from bitlif.model.credit import SIGN, credit
from bitlif.model.lfsr import Lfsr, LfsrConfig, read_bits
from bitlif.model.surrogate import surrogate_value
from bitlif.model.table import error_value, table_bin
from bitlif.model.update import updated_weight

Integers = NDArray[np.int64]


class Draws:
    """The random bits of a source, lane by lane, from given states of its LFSRs.

    Parameters
    ----------
    source : LfsrConfig
    lanes : int
    states : sequence of int
        State of each distinct LFSR.
    leap, bits : int
        Positions between two draws, and bits of a draw.
    """

    def __init__(
        self, source: LfsrConfig, lanes: int, states: Sequence[int], leap: int, bits: int
    ) -> None:
        distinct, self._of_lane = source.registers(lanes)
        self._now = [Lfsr(own.taps, state) for own, state in zip(distinct, states, strict=True)]
        self._leap, self._bits = leap, bits

    def take(self, count: int) -> Integers:
        """Return the next `count` draws of each lane: (lanes, count)."""
        mask, words = (1 << self._bits) - 1, (count * self._leap + self._bits) // 32 + 3
        drawn = []
        for register in self._now:
            packed = register.words(words)
            places = range(0, count * self._leap, self._leap)
            drawn.append([int(read_bits(packed, k, mask)) for k in places])  # type: ignore[no-untyped-call]
        self._now = [register.jump(count * self._leap) for register in self._now]
        return np.array([drawn[own] for own in self._of_lane], np.int64).reshape(-1, count)


def sweep_source(own: NetworkLayer, states: Sequence[int]) -> Draws:
    """Return the draws of a layer's sweep from these states of its LFSRs."""
    sweep = own.sweep
    return Draws(sweep.lfsr, own.config.layer.lanes, states, sweep.leap, sweep.random_bits)


def update_source(own: NetworkLayer, states: Sequence[int]) -> Draws:
    """Return the draws of a layer's updates from these states of its LFSRs."""
    learning = own.config.learning
    lanes, bits = own.config.layer.lanes, learning.random_bits
    return Draws(learning.lfsr, lanes, states, learning.leap, bits)


def first_states(source: LfsrConfig, lanes: int) -> tuple[int, ...]:
    """Return the states of a source's distinct LFSRs at their seeds."""
    return tuple(one.state for one in source.registers(lanes)[0])


class SweptWindow(NamedTuple):
    """Everything that the sweep of a layer computes in one window; N inputs, M neurons."""

    drive: Integers
    """(T, M): errors of the last layer, or exact sums of credit"""
    derivative: Integers
    """(T, M): surrogate derivatives; 1 in the last layer"""
    taken: Integers
    """(T, M): what the adjoint membrane takes: the error, or the rounded credit"""
    membrane: Integers
    """(T, M): adjoint membranes"""
    current: Integers
    """(T, M): adjoint currents"""
    gradient: Integers
    """(N, M): sum of the window; zero with updates by spike"""
    weights: Integers
    """(N, M) after the sweep, before an update at the end of the window"""
    before: Integers
    """(T, N): exact sums of credit of the layer before; zero if it takes none"""


def window_errors(
    network: NetworkConfig, membrane: Integers, targets: Integers, phase: int
) -> Integers:
    """Return the errors of the last layer in a window: (T, M).

    Parameters
    ----------
    network : NetworkConfig
    membrane : (T, M) int
        Membrane potentials before the noise.
    targets : (T, M) int
    phase : int
        Index of the phase.
    """
    derived = network.derived(len(network.layers) - 1)
    c, own = derived.constants, derived.phases[phase]
    a, b = derived.table
    found = np.zeros(membrane.shape, np.int64)
    for place, potential in np.ndenumerate(membrane):
        index = table_bin(int(potential), own, c)
        found[place], _ = error_value(int(a[index]), int(b[index]), int(targets[place]), c)
    return found


def sweep_again(
    network: NetworkConfig,
    number: int,
    *,
    drive: Integers,
    membrane: Integers,
    spikes: NDArray[Any],
    inputs: NDArray[Any],
    weights: Integers,
    phase: int,
    sweep_draws: Draws,
    update_draws: Draws,
) -> SweptWindow:
    """Return the sweep of one layer over a window.

    Parameters
    ----------
    network : NetworkConfig
    number : int
        Of the layer.
    drive : (T, M) int
        Errors of the last layer, or exact sums of credit.
    membrane, spikes : (T, M) int
        Of the layer's neurons: membrane potentials before the noise, and spikes.
    inputs : (T, N) int or bool
        Input spikes.
    weights : (N, M) int
        At the start of the window.
    phase : int
        Index of the phase.
    sweep_draws, update_draws : Draws
        At the start of the window.
    """
    own, swept = network.layers[number], network.derived_sweep(number)
    constants, c = swept.constants, network.derived(number).constants
    steps, neurons = membrane.shape
    draws = step_draws(own, constants.draws, steps, sweep_draws)
    first = constants.hidden
    derivative = np.ones((steps, neurons), np.int64)
    if constants.hidden:
        for place, potential in np.ndenumerate(membrane):
            derivative[place] = surrogate_value(int(potential), c.threshold, constants.surrogate)
    taken, lam, kap = (np.zeros((steps, neurons), np.int64) for _ in range(3))
    gradient, weights = np.zeros(weights.shape, np.int64), weights.copy()
    passes = number > network.learned_from
    feedback = network.derived_sweep(number - 1).constants.credit.feedback if passes else 0
    before = np.zeros((steps, len(weights)), np.int64)
    last_lam, last_kap = [0] * neurons, [0] * neurons
    for t in reversed(range(steps)):
        for i in range(neurons):
            random = draws[steps - 1 - t, i]
            value = int(drive[t, i])
            if constants.hidden:
                value, _ = credit(value, int(derivative[t, i]), random[0], constants.credit)
                last_lam[i] *= 1 - int(spikes[t, i])
            taken[t, i] = value
            last_lam[i], _ = adjoint_sum(last_lam[i], value, random[first], constants.membrane)
            last_kap[i], _ = adjoint_sum(
                last_kap[i], last_lam[i], random[first + 1], constants.current
            )
        lam[t], kap[t] = last_lam, last_kap
        if passes:
            before[t] = (np.sign(weights) if feedback == SIGN else weights) @ kap[t]
        for j in np.flatnonzero(inputs[t]):
            if constants.spike_update:
                _update_row(weights[j], kap[t], own, swept.phases[phase], c, update_draws)
            else:
                gradient[j] += kap[t]
    return SweptWindow(drive, derivative, taken, lam, kap, gradient, weights, before)


def step_draws(own: NetworkLayer, kinds: int, steps: int, draws: Draws) -> NDArray[Any]:
    """Return the draws of the sweep, (steps in the order of the sweep, M, kinds), or zeros."""
    sizes = own.config.layer
    shown = np.zeros((steps, sizes.neurons, 3), object)
    if not kinds:
        return shown
    lanes = draws.take(steps * sizes.slots * kinds).reshape(-1, steps, sizes.slots, kinds)
    for i in range(sizes.neurons):
        slot, lane = divmod(i, sizes.lanes)
        # Python integers, as the step functions take in the interpreted model.
        shown[:, i, :kinds] = lanes[lane, :, slot].tolist()
    return shown


def _update_row(
    row: Integers, kap: Integers, own: Any, phase: PhaseConstants, c: Any, draws: Draws
) -> None:
    """Update the weights of one input after one of its spikes, in place."""
    sizes, bits = own.config.layer, c.random_bits
    drawn = draws.take(sizes.slots) if bits else np.zeros((sizes.lanes, sizes.slots), np.int64)
    for i in range(row.size):
        slot, lane = divmod(i, sizes.lanes)
        row[i], _ = updated_weight(int(row[i]), int(kap[i]), int(drawn[lane, slot]), phase, c)
