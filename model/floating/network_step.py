"""Windows of the float twin of a network: forward through all layers, then the sweep back.

These are the equations of `docs/networks.md`, "The sweep in real numbers", with the order of
operations of `bitlif.model.sweep`. In the matched twin, every signal saturates where that of the
integer model does; in the ideal twin the limits are infinite. The functions run interpreted, or
compiled by `bitlif.model.engine.compile`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from bitlif.model.engine.compile import compilable
from bitlif.model.engine.loops import set_zero

from .step import clamp, float_error, run_float_windows

WINDOW, DENSITY, PIECEWISE_DENSITY = range(3)
"""Surrogate derivatives: 1 near the threshold, that of Gaussian noise, that of the noise's PMF."""

ACTIVE_ERRORS, ACTIVE_ADJOINTS = range(2)
"""Indices of the counters of a sweep."""


class FloatSweepConstants(NamedTuple):
    """Real parameters of the sweep of a layer; limits that do not apply are infinite."""

    hidden: bool
    gated: bool
    """Whether a spike cuts the way back through the membrane: in hidden layers."""
    spike_update: bool
    sign: bool
    """Whether the credit of this layer takes the signs of the next layer's weights, as 1/8."""
    surrogate: int
    width: float
    span: float
    """Distances from this one on, in the unit of the membrane, give 0."""
    scale: float
    """Derivative at a density of 1 (PIECEWISE_DENSITY)."""
    top: float
    """Largest derivative (PIECEWISE_DENSITY)."""
    credit_low: float
    credit_high: float
    membrane_low: float
    membrane_high: float
    current_low: float
    current_high: float


class FloatSweep(NamedTuple):
    """Arrays of one window that the sweep of a layer reads and writes; float64."""

    drive: Any
    """(T, M): errors of the last layer; sums of credit, then the credit, of a hidden one"""
    derivative: Any
    """(T, M): surrogate derivatives of a hidden layer"""
    membrane: Any
    """(T, M): adjoint membranes"""
    current: Any
    """(T, M): adjoint currents"""
    gradient: Any
    """(N, M)"""
    counters: Any
    """(2,) int64"""


class FloatParts(NamedTuple):
    """Everything that the windows of one layer read and write; M neurons, N inputs, T steps."""

    weights: Any
    """(N, M)"""
    arrays: Any
    """FloatArrays"""
    scratch: Any
    """Result of `bitlif.model.floating.step.float_scratch`"""
    records: Any
    """FloatRecords of one window, with current and membrane"""
    sweep: Any
    """FloatSweep"""
    pointers: Any
    """(T + 1,) int64: input events of one window of a hidden or last layer"""
    addresses: Any
    """(T N,) int32"""
    noise: Any
    """(windows of the piece, T, M): draws in sigma"""
    spikes: Any
    """(windows or 0, T, M) uint8: spikes that replace the layer's own"""
    derivatives: Any
    """(windows or 0, T, M): derivatives that replace the layer's own"""
    f: Any
    """FloatConstants"""
    s: Any
    """FloatSweepConstants"""
    learned: bool
    """Whether the layer is swept."""


class FloatNetworkRecords(NamedTuple):
    """Records of all windows of one layer; all but the raster may have size zero."""

    raster: Any
    """(W, T, M) uint8"""
    current: Any
    membrane: Any
    errors: Any
    credits: Any
    adjoint_membranes: Any
    adjoints: Any
    """(W, T, M) each"""
    gradients: Any
    """(W, N, M)"""


@compilable
def float_surrogate(distance, s, arrays):  # type: ignore[no-untyped-def]
    """Return the surrogate derivative at a distance ``Vb - u``."""
    distance = abs(distance)
    if s.surrogate == WINDOW:
        return 1.0 if distance < s.width else 0.0
    x = distance / s.width
    if s.surrogate == DENSITY:
        return math.exp(-0.5 * x * x)
    knots, cumulative = arrays.knots, arrays.cumulative
    low = 0
    high = knots.size - 1
    # The density is symmetric. In the lower tail the differences do not cancel.
    if distance >= s.span or -x <= knots[0]:
        return 0.0
    while high - low > 1:
        middle = (low + high) // 2
        if knots[middle] <= -x:
            low = middle
        else:
            high = middle
    density = (cumulative[low + 1] - cumulative[low]) / (knots[low + 1] - knots[low])
    return min(s.scale * density, s.top)


@compilable
def list_float_events(raster, begin, end, pointers, addresses):  # type: ignore[no-untyped-def]
    """Write the spikes of steps ``begin ..< end`` of a window, (T, M), as events."""
    count = pointers[begin]
    for t in range(begin, end):
        for i in range(raster.shape[1]):
            if raster[t, i]:
                addresses[count] = i
                count += 1
        pointers[t + 1] = count


@compilable
def copy_rows(records, w, begin, end, window):  # type: ignore[no-untyped-def]
    """Copy rows ``begin ..< end`` of one window to the records of all, if they are wanted."""
    if records.size > 0:
        for a in range(begin, end):
            for b in range(window.shape[1]):
                records[w, a, b] = window[a, b]


@compilable
def float_errors(own, targets, begin, end):  # type: ignore[no-untyped-def]
    """Write the errors of steps ``begin ..< end`` of a window as the drive of the last layer."""
    membrane, drive = own.records.membrane[0], own.sweep.drive
    for t in range(begin, end):
        row = t if targets.shape[1] > 1 else 0
        for i in range(membrane.shape[1]):
            x = (membrane[t, i] - own.f.threshold) / own.f.sigma
            drive[t, i] = float_error(x, targets[0, row, i], own.f, own.arrays)
            own.sweep.counters[ACTIVE_ERRORS] += drive[t, i] != 0.0


@compilable
def float_derivatives(own, w):  # type: ignore[no-untyped-def]
    """Write the surrogate derivatives of window `w`, or those that replace them."""
    membrane, derivative = own.records.membrane[0], own.sweep.derivative
    forced = own.derivatives.size > 0
    for t in range(membrane.shape[0]):
        for i in range(membrane.shape[1]):
            if forced:
                derivative[t, i] = own.derivatives[w, t, i]
            else:
                derivative[t, i] = float_surrogate(
                    membrane[t, i] - own.f.threshold, own.s, own.arrays
                )


@compilable
def float_credit(weights, current, sign):  # type: ignore[no-untyped-def]
    """Return the sum of feedback weight times adjoint current over the next layer's neurons."""
    total = 0.0
    for i in range(current.size):
        weight = weights[i]
        if sign:
            weight = 0.125 * ((weight > 0.0) - (weight < 0.0))
        total += weight * current[i]
    return total


@compilable
def sweep_float_layer(pointers, addresses, spikes, own, before, passes, apply):  # type: ignore[no-untyped-def]
    """Sweep one layer over a window; compare `bitlif.model.sweep.sweep_layer`.

    Parameters
    ----------
    pointers, addresses : arrays of int
        Input events of the layer in this window.
    spikes : (T, M) uint8
        The layer's spikes, which cut the sweep in hidden layers.
    own, before : FloatParts
        The layer, and the one before it, which receives the credit if `passes` is true.
    passes, apply : bool
        Whether the layer before is swept, and whether spikes update the weights.
    """
    sweep, f, s, weights = own.sweep, own.f, own.s, own.weights
    steps, neurons = spikes.shape
    for j in range(weights.shape[0]):
        set_zero(sweep.gradient[j])
    active = 0
    for back in range(steps):
        t = steps - 1 - back
        drive, membrane, current = sweep.drive[t], sweep.membrane[t], sweep.current[t]
        for i in range(neurons):
            after, later = 0.0, 0.0
            if back:
                after, later = sweep.membrane[t + 1, i], sweep.current[t + 1, i]
            if s.hidden:
                drive[i] = clamp(sweep.derivative[t, i] * drive[i], s.credit_low, s.credit_high)
                if s.gated and spikes[t, i]:
                    after = 0.0
            value = clamp(f.leak_m * after + drive[i], s.membrane_low, s.membrane_high)
            membrane[i] = value
            value = clamp(f.leak_s * later + f.gain * value, s.current_low, s.current_high)
            current[i] = value
            active += value != 0.0
        if passes:
            for j in range(weights.shape[0]):
                total = 0.0
                if before.sweep.derivative[t, j] != 0.0:
                    total = float_credit(weights[j], current, before.s.sign)
                before.sweep.drive[t, j] = total
        for k in range(pointers[t], pointers[t + 1]):
            if apply:
                row = weights[addresses[k]]
                for i in range(neurons):
                    row[i] = clamp(row[i] + f.rate * current[i], f.weight_low, f.weight_high)
            else:
                row = sweep.gradient[addresses[k]]
                for i in range(neurons):
                    row[i] += current[i]
    sweep.counters[ACTIVE_ADJOINTS] += active


@compilable
def forward_float_layer(pointers, addresses, own, targets, place, w, begin, end, clear):  # type: ignore[no-untyped-def]
    """Run steps ``begin ..< end`` of window `w`, whose draws are at `place`, of one layer."""
    # Spikes that replace the layer's own reset it, unless the teacher does.
    resets = own.spikes[w : w + 1]
    if own.f.teacher_reset:
        resets = own.spikes[:0]
    weight_sum, errors, traces, gradient, spiked, spare = own.scratch
    run_float_windows(
        0, 1, begin, end, False, False, own.weights, pointers, addresses, targets,
        own.noise[place : place + 1], resets, own.arrays, weight_sum, errors, traces, gradient,
        spiked, spare, own.records, clear, own.f,
    )  # fmt: skip


@compilable
def update_float_layer(own):  # type: ignore[no-untyped-def]
    """Update the weights of a layer by the gradient of its sweep."""
    weights, f = own.weights, own.f
    for j in range(weights.shape[0]):
        for i in range(weights.shape[1]):
            moved = weights[j, i] + f.rate * own.sweep.gradient[j, i]
            weights[j, i] = clamp(moved, f.weight_low, f.weight_high)


@compilable
def sweep_float_window(w, pointers, addresses, count, layers, records, learn):  # type: ignore[no-untyped-def]
    """Sweep window `w` from the last layer to the first, and learn from it if `learn` is true."""
    for back in range(count):
        number = count - 1 - back
        own = layers[number]
        if own.learned:
            # The first layer of all hands no credit back: a copy of it stands for none.
            before = layers[max(number - 1, 0)]
            passes = number > 0 and before.learned
            if passes:
                float_derivatives(before, w)
            start, listed = own.pointers, own.addresses
            if number == 0:
                start, listed = pointers, addresses
            spikes = own.spikes[w] if own.spikes.size > 0 else own.records.raster[0]
            apply = learn and own.s.spike_update
            sweep_float_layer(start, listed, spikes, own, before, passes, apply)
            steps, shown = spikes.shape[0], records[number]
            if own.s.hidden:
                copy_rows(shown.credits, w, 0, steps, own.sweep.drive)
            copy_rows(shown.adjoint_membranes, w, 0, steps, own.sweep.membrane)
            copy_rows(shown.adjoints, w, 0, steps, own.sweep.current)
            copy_rows(shown.gradients, w, 0, own.weights.shape[0], own.sweep.gradient)
    for number in range(count):
        own = layers[number]
        if learn and own.learned and not own.s.spike_update:
            update_float_layer(own)


def run_float_network(  # type: ignore[no-untyped-def]
    first, last, begin, end, sweeps, learn, count, pointers, addresses, targets, none, layers,
    records, clear,
):  # fmt: skip
    """Run steps ``begin ..< end`` of windows ``first ..< last`` through all layers.

    Parameters
    ----------
    first, last, begin, end : int
    sweeps : bool
        Compute the errors, and sweep back after the last step.
    learn : bool
        Update the weights by the sweep.
    count : int
        Number of layers. The tuples may be longer: code is compiled for each length of them.
    pointers, addresses : arrays of int
        Input events of the first layer; see `bitlif.model.events.Events`.
    targets : (windows or 0, T or 1, M)
        Targets of the last layer, 0 ..= 1.
    none : (0, 1, M)
        No targets.
    layers : tuple of FloatParts
    records : tuple of FloatNetworkRecords
    clear : (state, trace) of bool
        Whether each is cleared at the start of a window.
    """
    steps = records[0].raster.shape[1]
    for w in range(first, last):
        goals = targets[w : w + 1] if targets.size > 0 else none
        begins = pointers[w * steps : (w + 1) * steps + 1]
        for number in range(count):
            own = layers[number]
            given = goals if own.f.teacher_reset else none
            start, listed = own.pointers, own.addresses
            if number == 0:
                start, listed = begins, addresses
            forward_float_layer(start, listed, own, given, w - first, w, begin, end, clear)
            shown = records[number]
            copy_rows(shown.raster, w, begin, end, own.records.raster[0])
            copy_rows(shown.current, w, begin, end, own.records.current[0])
            copy_rows(shown.membrane, w, begin, end, own.records.membrane[0])
            if number + 1 < count:
                after = layers[number + 1]
                spikes = own.spikes[w] if own.spikes.size > 0 else own.records.raster[0]
                list_float_events(spikes, begin, end, after.pointers, after.addresses)
        if sweeps:
            own = layers[count - 1]
            float_errors(own, goals, begin, end)
            copy_rows(records[count - 1].errors, w, begin, end, own.sweep.drive)
            if end == steps:
                sweep_float_window(w, begins, addresses, count, layers, records, learn)
