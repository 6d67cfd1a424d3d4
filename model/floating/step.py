"""The learning rule in real numbers, step by step: float64 functions, interpreted or compiled.

These are the equations of the float model (`docs/contract.md`, "The rule") with two additions from
the integer model: limits at which signals saturate (infinite in the ideal twin), and a choice of
the error function, ideal Gaussian or piecewise from the distribution of the noise.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.engine.compile import compilable
from bitlif.model.engine.loops import copy_into, set_zero

GAUSSIAN, PIECEWISE, TABLE = range(3)
"""Source of the error function: Gaussian noise, the PMF of the noise, or a table of the user."""


class FloatConstants(NamedTuple):
    """Real parameters; the limits of signals that do not saturate are infinite."""

    leak_s: float
    leak_m: float
    gain: float
    threshold: float
    sigma: float
    rate: float
    teacher_reset: bool
    subtracts: bool
    keep_noise: bool
    rule: int
    clipped: bool
    guard: float
    limit: float
    span: float
    current_low: float
    current_high: float
    membrane_low: float
    membrane_high: float
    trace_current_high: float
    trace_high: float
    error_low: float
    error_high: float
    weight_low: float
    weight_high: float


class FloatArrays(NamedTuple):
    """Arrays of the error function and of the state; all float64."""

    knots: Any
    """(K + 1,) boundaries of the noise's cells in sigma"""
    cumulative: Any
    """(K + 1,) probability below each boundary"""
    table_a: Any
    table_b: Any
    current: Any
    membrane: Any
    trace_current: Any
    trace: Any


class FloatRecords(NamedTuple):
    """Arrays that a run writes; all but the raster may have size zero."""

    raster: Any
    current: Any
    membrane: Any
    errors: Any
    traces: Any
    gradient: Any


def float_scratch(config: Config) -> tuple[Any, ...]:
    """Return the scratch arrays of `run_float_windows`, in the order of its parameters."""
    inputs, neurons, steps = config.layer.inputs, config.layer.neurons, config.window.steps
    shapes = (neurons, (steps, neurons), (steps, inputs), (neurons, inputs), inputs, (2, inputs))
    return tuple(np.zeros(shape) for shape in shapes)


@compilable
def clamp(x: float, low: float, high: float) -> float:
    """Return the number in ``low ..= high`` nearest to `x`."""
    return min(max(x, low), high)


@compilable
def gaussian_hazard(x: float) -> float:
    """Return phi(x) / (1 - Phi(x)), with a relative error of about 1e-13 for every x.

    For large x, where both would underflow, this is the continued fraction
    x + 1/(x + 2/(x + 3/(...))) of the Mills ratio (Laplace).
    """
    if x < 25.0:
        density = math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
        return density / (0.5 * math.erfc(x / math.sqrt(2.0)))
    return x + 1.0 / (x + 2.0 / (x + 3.0 / (x + 4.0 / (x + 5.0 / x))))


@compilable
def gaussian_error(x: float, clipped: bool, guard: float, limit: float) -> float:
    """Return B(x) for Gaussian noise, at most `limit`; A(x) is B(-x)."""
    if clipped:
        p = 0.5 * math.erfc(-x / math.sqrt(2.0))
        rest = 0.5 * math.erfc(x / math.sqrt(2.0))
        density = math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
        return min(p * density / max(p * rest, guard), limit)
    # The hazard exceeds x, so it need not be computed beyond the limit.
    return limit if x >= limit else min(gaussian_hazard(x), limit)


@compilable
def piecewise_errors(x, clipped, guard, limit, knots, cumulative):  # type: ignore[no-untyped-def]
    """Return A(x) and B(x) for noise whose cumulative distribution is linear between `knots`."""
    last = knots.size - 1
    y = -x
    if y <= knots[0] or y >= knots[last]:
        never = 0.0 if clipped else limit
        return (0.0, never) if y <= knots[0] else (never, 0.0)
    low = 0
    high = last
    while high - low > 1:
        middle = (low + high) // 2
        if knots[middle] <= y:
            low = middle
        else:
            high = middle
    # The density is symmetric. It is computed in the lower tail, where differences do not cancel,
    # and each tail probability on its own side.
    mirrored = last - 1 - low
    cell = min(low, mirrored)
    density = (cumulative[cell + 1] - cumulative[cell]) / (knots[cell + 1] - knots[cell])
    rest = cumulative[low] + density * (y - knots[low])
    p = cumulative[mirrored] + density * (knots[low + 1] - y)
    if clipped:
        floor = max(p * rest, guard)
        return min(rest * density / floor, limit), min(p * density / floor, limit)
    a = limit if p * limit <= density else density / p
    b = limit if rest * limit <= density else density / rest
    return a, b


@compilable
def float_error(x, target, f, arrays):  # type: ignore[no-untyped-def]
    """Return the error of a neuron `x` sigma above its threshold."""
    if f.rule == TABLE:
        bins = arrays.table_a.size
        place = (x + f.span) / (2.0 * f.span) * bins
        index = int(clamp(math.floor(place), 0.0, bins - 1.0))
        a, b = arrays.table_a[index], arrays.table_b[index]
    elif f.rule == PIECEWISE:
        # The outermost bins of the table also hold all distances beyond its span.
        inside = clamp(x, -f.span, f.span)
        a, b = piecewise_errors(
            inside, f.clipped, f.guard, f.limit, arrays.knots, arrays.cumulative
        )
    else:
        a = 0.0
        if target > 0.0:
            a = gaussian_error(-x, f.clipped, f.guard, f.limit)
        b = gaussian_error(x, f.clipped, f.guard, f.limit)
    return clamp(target * a - (1.0 - target) * b, f.error_low, f.error_high)


@compilable
def run_float_windows(  # type: ignore[no-untyped-def]
    first, last, begin, end, learn, need_errors, weights, pointers, addresses, targets, noise,
    resets, arrays, weight_sum, errors, traces, gradient, spiked, spare, records, clear, f,
):  # fmt: skip
    """Run steps ``begin ..< end`` of windows ``first ..< last`` in float64.

    See also `bitlif.model.window.run_windows`.

    Parameters
    ----------
    weights : (N, M)
    noise : (W, T, M)
        Draws in sigma.
    resets : (W, T, M) uint8 or size zero
        Steps that reset the membrane, instead of the spikes of the neuron or teacher.
    errors, traces, gradient, spare : (T, M), (T, N), (M, N), (2, N)
        Scratch.
    """
    steps, neurons = records.raster.shape[1:]
    inputs = weights.shape[0]
    for w in range(first, last):
        if clear[0] and begin == 0:
            set_zero(arrays.current)
            set_zero(arrays.membrane)
        if clear[1] and begin == 0:
            set_zero(arrays.trace_current)
            set_zero(arrays.trace)
        trace_current, trace = arrays.trace_current, arrays.trace
        if need_errors and not learn:
            # Only learned windows update the traces; see `bitlif.model.window.run_windows`.
            if begin == 0:
                copy_into(spare[0], arrays.trace_current)
                copy_into(spare[1], arrays.trace)
            trace_current, trace = spare[0], spare[1]
        for t in range(begin, end):
            set_zero(weight_sum)
            set_zero(spiked)
            for k in range(pointers[w * steps + t], pointers[w * steps + t + 1]):
                spiked[addresses[k]] = 1
                for i in range(neurons):
                    weight_sum[i] += weights[addresses[k], i]
            for i in range(neurons):
                target = 0.0
                if targets.size > 0:
                    target = targets[w, t if targets.shape[1] > 1 else 0, i]
                current = f.leak_s * arrays.current[i] + weight_sum[i]
                current = clamp(current, f.current_low, f.current_high)
                arrays.current[i] = current
                before = f.leak_m * arrays.membrane[i] + f.gain * current
                before = clamp(before, f.membrane_low, f.membrane_high)
                draw = f.sigma * noise[w, t, i]
                spike = before + draw >= f.threshold
                records.raster[w, t, i] = spike
                reset = spike
                if f.teacher_reset:
                    reset = target >= 0.5
                if resets.size > 0:
                    reset = resets[w, t, i] > 0
                kept = before
                if f.keep_noise:
                    kept = before + draw
                if f.subtracts and reset:
                    kept -= f.threshold
                kept = clamp(kept, f.membrane_low, f.membrane_high)
                arrays.membrane[i] = 0.0 if reset and not f.subtracts else kept
                if need_errors:
                    errors[t, i] = float_error((before - f.threshold) / f.sigma, target, f, arrays)
                if records.current.size > 0:
                    records.current[w, t, i] = current
                if records.membrane.size > 0:
                    records.membrane[w, t, i] = before
            if need_errors:
                for j in range(inputs):
                    value = f.leak_s * trace_current[j] + spiked[j]
                    value = min(value, f.trace_current_high)
                    trace_current[j] = value
                    value = min(f.leak_m * trace[j] + f.gain * value, f.trace_high)
                    trace[j] = value
                    traces[t, j] = value
        if need_errors:
            record_errors(w, begin, end, errors, traces, records)
        if need_errors and end == steps:
            finish_window(w, learn, weights, errors, traces, gradient, records, f)


@compilable
def finish_window(w, learn, weights, errors, traces, gradient, records, f):  # type: ignore[no-untyped-def]
    """Sum and record the gradient of a window, and update the weights if `learn` is true."""
    steps, neurons = errors.shape
    inputs = traces.shape[1]
    for i in range(neurons):
        row = gradient[i]
        set_zero(row)
        for t in range(steps):
            error = errors[t, i]
            if error != 0.0:
                for j in range(inputs):
                    row[j] += error * traces[t, j]
        if learn:
            for j in range(inputs):
                moved = weights[j, i] + f.rate * row[j]
                weights[j, i] = clamp(moved, f.weight_low, f.weight_high)
        if records.gradient.size > 0:
            for j in range(inputs):
                records.gradient[w, i, j] = row[j]


@compilable
def record_errors(w, begin, end, errors, traces, records):  # type: ignore[no-untyped-def]
    """Record the errors and traces of steps ``begin ..< end`` of a window."""
    for t in range(begin, end):
        if records.errors.size > 0:
            for i in range(errors.shape[1]):
                records.errors[w, t, i] = errors[t, i]
        if records.traces.size > 0:
            for j in range(traces.shape[1]):
                records.traces[w, t, j] = traces[t, j]
