r"""Derived bounds on the difference between a network in integers and its matched float twin.

Both run one window from a cleared state, on the same input spikes, draws, spikes of every layer,
and surrogate derivatives (`bitlif.model.floating.following`). Values of the integers are marked
with ', as real numbers; a capital letter is the bound on a difference: K on \|kap' - kap\|.

**Forward.** With the same spikes, the layers' states are independent of each other, and their
bounds are those of `bitlif.model.floating.bound`, with the values that the twin recorded, plus
their bounds, in place of the maxima of the formats. If the integers start from rounded weights w'
of the twin's w, with W = \|w' - w\|, the current i, with the bound I, gets one more term::

    I[t] <= a_s I[t-1] + |a_s' - a_s| (|i[t-1]| + I[t-1]) + sum of W_j over the spikes j in t + r

**Drive of the last layer.** The bound E on the error follows from that on the membrane, as for one
layer.

**Rounding** of a sum with s more fractional bits than its result, in LSBs of the result::

    toward_zero   r = 1 - 2^-s                 the largest dropped fraction
    nearest       r = 1/2
    stochastic    r = 1 - 2^-min(s, n + 1)     n random bits: first to nearest at 2^-n, at most
                                               2^-(n+1) off; then one of the neighbours, at most
                                               1 - 2^-n off. If s <= n, the first step is exact
    s = 0         r = 0

**Drive of a hidden layer.** Its sum S = sum of w_o kap_o over the next layer's neurons is exact.
From w' kap' - w kap = w (kap' - kap) + (w' - w) kap', and with the same g::

    D <= g sum_o (|w_o| K_o + W_o (|kap_o| + K_o)) + r_d         0 where g = 0

With signs, 1/8 stands for \|w\|, and for W 1/8 times the difference of the signs: 0 where W < \|w\|
or w' = w, else at most 2/8.

**Adjoints.** The gate (1 - z) of hidden layers is the same in both. From a' x' - a x =
a (x' - x) + (a' - a) x'::

    L[t] <= a_m (1-z) L[t+1] + |a_m' - a_m| (1-z) (|lam[t+1]| + L[t+1]) + D[t] + r_m
    K[t] <= a_s K[t+1] + |a_s' - a_s| (|kap[t+1]| + K[t+1])
          + b L[t] + |b' - b| (|lam[t]| + L[t]) + r_k

L and K are 0 after the last step. Saturation at the same limits cannot increase a difference, and
no difference is larger than the range of its format, so each bound is at most that.

**Gradient** of the synapse from j, and **weights** after updates with rate e, by window or spike::

    G_j <= sum of K[t] over the spikes of j
    W_j <= W_j(start) + e G_j + |e' - e| (|gradient_j| + G_j) + r_w
    W_j grows at each spike by e K[t] + |e' - e| (|kap[t]| + K[t]) + r_w

By spike, the credit in step t takes w and W as they are after the spikes of the steps later than t.
A layer that is not swept has no adjoints, and its weights stay as they are.

To all of these is added the rounding of the twin itself, in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitlif.model.adjoint import SweepShift
from bitlif.model.config.network import NetworkConfig
from bitlif.model.credit import SIGN_FRAC
from bitlif.model.events import Events
from bitlif.model.fixed import Format

from .bound import (
    FLOAT_STEP,
    error_bound,
    forward_bound,
    gain_difference,
    largest,
    leak_errors,
    update_bound,
)
from .constants import real_leak
from .network_result import FloatNetworkResult

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LayerBound:
    """Maximum differences between the integers of a layer, as real numbers, and the twin's.

    Attributes
    ----------
    current : (T, M)
        Synaptic current.
    membrane : (T, M)
        Membrane potential before the noise.
    noise : float
        Contribution of one draw to the membrane potential.
    drive : (T, M)
        Error of the last layer, or credit of a hidden one.
    adjoint_membrane, adjoint_current : (T, M)
    gradient, weights : (N, M)
        Gradient of the window, and weights after it.
    """

    current: Reals
    membrane: Reals
    noise: float
    drive: Reals
    adjoint_membrane: Reals
    adjoint_current: Reals
    gradient: Reals
    weights: Reals


def network_bound(
    network: NetworkConfig,
    twin: FloatNetworkResult,
    events: Events,
    targets: Reals,
    *,
    spikes: Sequence[NDArray[np.uint8]],
    derivatives: Sequence[Reals | None],
    weights: Sequence[Reals],
    raw: Sequence[NDArray[np.integer]] | None = None,
    phase: int = 0,
) -> tuple[LayerBound, ...]:
    """Return the bounds for one window of learning, one per layer.

    Parameters
    ----------
    network : NetworkConfig
    twin : FloatNetworkResult
        Result of the matched twin's `learn`, with all of
        `bitlif.model.floating.network_result.FLOAT_NETWORK_RECORDS` recorded.
    events : Events
        Input spikes of the window.
    targets : (T or 1, M) float
        Raw targets of the integer model, divided by ``2**target_bits``.
    spikes, derivatives : sequence of (1, T, M)
        What both models followed, one per layer; see `bitlif.model.floating.following`.
    weights : sequence of (N, M)
        Weights of the twin at the start of the window.
    raw : sequence of (N, M) int or None
        Raw weights of the integers at the start of the window; None: those of the twin, exactly.
    phase : int
        Index of the schedule's phase, in all layers.

    Raises
    ------
    ValueError
        If a signal was not recorded.
    """
    count = len(network.layers)
    if not (twin.adjoints and twin.adjoint_membranes and twin.gradients) or any(
        own.membrane is None or own.current is None for own in twin.layers
    ):
        raise ValueError("the run of the twin must have recorded all signals")
    found: list[LayerBound] = []
    drive = np.zeros(0)
    for number in reversed(range(count)):
        config = network.layers[number].config
        inputs = events.raster()[0] if number == 0 else spikes[number - 1][0]
        start = np.zeros_like(weights[number])
        if raw is not None:
            real = raw[number] * float(config.synapse.weight.lsb)
            start = np.abs(real - weights[number])
        resets = spikes[number][0]
        if config.membrane.reset == "teacher":
            resets = np.broadcast_to(targets >= 0.5, resets.shape).astype(np.uint8)
        added = inputs.astype(np.float64) @ start
        added *= 1.0 + FLOAT_STEP
        shown = twin.layers[number].current, twin.layers[number].membrane
        assert shown[0] is not None
        assert shown[1] is not None
        states = shown[0][0], shown[1][0]
        current, membrane, noise = forward_bound(config, resets, phase, added, states)
        if number == count - 1:
            drive = error_bound(config, phase, states[1], membrane, targets)
        gates = 1.0 - spikes[number][0] * (number < count - 1)
        own = _SweepBound(network, number, twin, inputs, gates, weights[number], start, phase)
        bound, handed = own.of(drive, derivatives[number - 1] if number else None)
        found.append(LayerBound(current, membrane, noise, drive, **bound))
        drive = handed
    return tuple(reversed(found))


def sweep_rounding(fmt: Format, shift: SweepShift) -> float:
    """Return the maximum rounding error of a shift of the sweep; see the module's docstring."""
    total = shift.right + shift.random_bits - shift.left
    if total == 0:
        return 0.0
    if not shift.toward_zero and not shift.random_bits:
        return float(fmt.lsb) / 2
    bits = total if shift.toward_zero else min(total, shift.random_bits + 1)
    return float(fmt.lsb) * (1.0 - 2.0**-bits)


def width(fmt: Format) -> float:
    """Return the difference of the largest and the smallest value of a format."""
    return float(fmt.real(fmt.raw_max) - fmt.real(fmt.raw_min))


class _SweepBound:
    """The bounds of the sweep of one layer, from the last step to the first."""

    def __init__(
        self,
        network: NetworkConfig,
        number: int,
        twin: FloatNetworkResult,
        inputs: NDArray[np.uint8],
        gates: Reals,
        weights: Reals,
        wrong: Reals,
        phase: int,
    ) -> None:
        self.network, self.number = network, number
        self.inputs, self.gates = inputs, gates
        self.weights, self.wrong = weights.copy(), wrong.copy()
        own = network.layers[number]
        self.config, self.sweep = own.config, own.sweep
        self.lam, self.kap = twin.adjoint_membranes[number][0], twin.adjoints[number][0]
        self.total = twin.gradients[number][0]
        self.derived = network.derived_sweep(number)
        unit = own.sweep.current.lsb
        self.rate, self.rate_error, self.rounding = update_bound(
            own.config, phase, self.derived.phases[phase], unit
        )

    def of(self, drive: Reals, derivative: Reals | None) -> tuple[dict[str, Reals], Reals]:
        """Return the bounds from the one on the drive, and the bound on the credit handed back."""
        number = self.number
        steps, neurons = self.lam.shape
        shape, zeros = (steps, neurons), np.zeros(neurons)
        bounds = {
            "adjoint_membrane": np.zeros(shape), "adjoint_current": np.zeros(shape),
            "gradient": np.zeros(self.weights.shape), "weights": self.wrong,
        }  # fmt: skip
        handed = np.zeros((steps, self.weights.shape[0]))
        if number < self.network.learned_from:
            return bounds, handed
        leak_m, leak_s = real_leak(self.config.membrane.decay), real_leak(self.config.synapse.decay)
        wrong_s, wrong_m = leak_errors(self.config)
        gain, wrong_gain = self.config.membrane.gain, gain_difference(self.config)
        sweep, constants = self.sweep, self.derived.constants
        rounding_m = sweep_rounding(sweep.membrane, constants.membrane.shift)
        rounding_k = sweep_rounding(sweep.current, constants.current.shift)
        rounding_m += FLOAT_STEP * largest(sweep.membrane)
        rounding_k += FLOAT_STEP * largest(sweep.current)
        lam, kap = np.abs(self.lam), np.abs(self.kap)
        after, later, after_size, later_size = zeros, zeros, zeros, zeros
        for t in reversed(range(steps)):
            leaked = leak_m * after + wrong_m * (after_size + after)
            after = np.minimum(
                self.gates[t] * leaked + drive[t] + rounding_m, width(sweep.membrane)
            )
            leaked = leak_s * later + wrong_s * (later_size + later)
            later = leaked + gain * after + wrong_gain * (lam[t] + after) + rounding_k
            later = np.minimum(later, width(sweep.current))
            after_size, later_size = lam[t], kap[t]
            bounds["adjoint_membrane"][t], bounds["adjoint_current"][t] = after, later
            if derivative is not None and number > self.network.learned_from:
                handed[t] = self._credit(derivative[0, t], kap[t], later)
            here = self.inputs[t] > 0
            if sweep.update == "spike":
                self._spike(here, self.kap[t], later)
            else:
                bounds["gradient"][here] += later
        bounds["gradient"] += steps * FLOAT_STEP * (np.abs(self.total) + steps * kap.max(axis=0))
        if sweep.update == "window":
            gradient = bounds["gradient"]
            self.wrong += self.rate * gradient + self.rounding
            self.wrong += self.rate_error * (np.abs(self.total) + gradient)
            self.wrong += FLOAT_STEP * largest(self.config.synapse.weight)
        limit = width(self.config.synapse.weight)
        bounds["weights"] = np.minimum(self.wrong, limit)
        return bounds, handed

    def _spike(self, here: NDArray[np.bool_], kap: Reals, later: Reals) -> None:
        """Move the twin's weights of the inputs that spike, and the bound on them."""
        fmt = self.config.synapse.weight
        low, high = float(fmt.real(fmt.raw_min)), float(fmt.real(fmt.raw_max))
        self.weights[here] = np.clip(self.weights[here] + self.rate * kap, low, high)
        grown = self.rate * later + self.rate_error * (np.abs(kap) + later) + self.rounding
        self.wrong[here] += grown + FLOAT_STEP * largest(fmt)

    def _credit(self, derivative: Reals, kap: Reals, later: Reals) -> Reals:
        """Return the bound on the credit of the layer before in one step."""
        before = self.network.layers[self.number - 1].sweep
        size, wrong = np.abs(self.weights), self.wrong
        if before.feedback == "sign":
            one = 2.0**-SIGN_FRAC
            wrong = np.where((wrong > 0) & (wrong >= size), 2 * one, 0.0)
            size = one * (size > 0)
        total = size @ later + wrong @ (kap + later)
        total += len(kap) * FLOAT_STEP * (size @ kap)
        shift = self.network.derived_sweep(self.number - 1).constants.credit.shift
        bound = derivative * total + sweep_rounding(before.credit, shift)
        bound = np.minimum(bound + FLOAT_STEP * largest(before.credit), width(before.credit))
        return np.where(derivative > 0, bound, 0.0)
