"""The backward sweep of a layer over one window, as the contract of networks defines it.

The layers of a network are swept from the last to the first, each over all steps from the last to
the first. In a step, for every neuron: credit (hidden layers), adjoint membrane, adjoint current,
with one draw each if rounding is stochastic. Then the exact sums of credit for the layer before,
from the weights as they are now. Then, for every input spike in the order of its address, the
gradient, or, with ``update = "spike"``, the update of its weights.

The functions run interpreted, or compiled by `bitlif.model.engine.compile`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .adjoint import adjoint_sum
from .credit import credit, credit_sum
from .engine.compile import compilable, inlined
from .engine.loops import set_zero
from .lfsr import advance_offset, advance_stream, fill_stream, read_bits
from .surrogate import surrogate_value
from .table import error_value, table_bin
from .update import updated_weight

(
    ACTIVE_ADJOINTS,
    CREDIT_SATURATIONS,
    ADJOINT_MEMBRANE_SATURATIONS,
    ADJOINT_CURRENT_SATURATIONS,
    ERROR_SATURATIONS,
    ACTIVE_ERRORS,
    WEIGHT_SATURATIONS,
) = range(7)
"""Indices of the counters of a sweep."""

SWEEP_COUNTERS = (
    "active_adjoints",
    "credit_saturations",
    "adjoint_membrane_saturations",
    "adjoint_current_saturations",
    "error_saturations",
    "active_errors",
    "weight_saturations",
)


class Sweep(NamedTuple):
    """Arrays that the sweep of a layer reads and writes; M neurons, N inputs, T steps."""

    drive: Any
    """(T, M) int64: errors of the last layer, or exact sums of credit of a hidden one"""
    derivative: Any
    """(T, M) int64: surrogate derivatives of a hidden layer"""
    randoms: Any
    """(block of steps, draws per neuron and step, M) int64; zero unless rounding is stochastic"""
    drawn: Any
    """Draws of one lane in a block, int64"""
    membrane: Any
    """(M,) int64: adjoint membranes"""
    current: Any
    """(M,) int64: adjoint currents"""
    gradient: Any
    """(N, M) int64: sums of the window"""
    updates: Any
    """(block of spikes, 1, M) int64: draws of the update by spikes"""
    update_drawn: Any
    """Draws of one lane in such a block, int64"""
    adjoints: Any
    """(T or 0, M) int64: record of the adjoint currents"""


@compilable
def drive_by_errors(  # type: ignore[no-untyped-def]
    membrane, targets, begin, end, table, sweep, counters, phase, c
):  # fmt: skip
    """Write the errors of steps ``begin ..< end`` of a window as the drive.

    They are computed from its recorded membranes, (T, M), and its targets, (1, T or 1, M).
    """
    for t in range(begin, end):
        row = t if targets.shape[1] > 1 else 0
        for i in range(membrane.shape[1]):
            index = table_bin(membrane[t, i], phase, c)
            target = targets[0, row, i]
            value, saturated = error_value(table.a[index], table.b[index], target, c)
            sweep.drive[t, i] = value
            counters[ERROR_SATURATIONS] += saturated
            counters[ACTIVE_ERRORS] += value != 0


@compilable
def derivatives(membrane, sweep, threshold, s):  # type: ignore[no-untyped-def]
    """Write the surrogate derivatives of a window from its recorded membranes: (T, M)."""
    for t in range(membrane.shape[0]):
        for i in range(membrane.shape[1]):
            sweep.derivative[t, i] = surrogate_value(membrane[t, i], threshold, s)


@inlined
def draw_block(streams, lanes, bits, count, drawn, randoms):  # type: ignore[no-untyped-def]
    """Draw random words for `count` steps or spikes: in each, slot by slot, all lanes at once.

    Empty slots draw too.

    Parameters
    ----------
    streams : Streams, updated
    lanes, bits, count : int
    drawn : (at least count * slots * K,) int64
        Scratch.
    randoms : (at least count, K, M) int64, written
        K draws per neuron, successive in its lane.
    """
    kinds, neurons = randoms.shape[1:]
    each = kinds * ((neurons + lanes - 1) // lanes)
    mask = (1 << bits) - 1
    own = streams.buffer.shape[0] > 1
    for lane in range(lanes):
        stream = lane if own else 0
        if own or lane == 0:
            position = fill_stream(streams, stream, count * each)
            words = streams.buffer[stream]
            for k in range(count * each):
                drawn[k] = read_bits(words, position + k * streams.leap, mask)
            advance_stream(streams, stream, count * each)
        for step in range(count):
            for kind in range(kinds):
                row = randoms[step, kind]
                k = step * each + kind
                for i in range(lane, neurons, lanes):
                    row[i] = drawn[k]
                    k += kinds
    advance_offset(streams, count * each)


@inlined
def adjoint_step(sweep, randoms, spikes, t, counters, c):  # type: ignore[no-untyped-def]
    """Compute the adjoints of all neurons in one step."""
    membrane, current, drive = sweep.membrane, sweep.current, sweep.drive[t]
    # Loops of one kind of sum each compile to vector instructions.
    if c.hidden:
        taken, random = sweep.derivative[t], randoms[0]
        count = 0
        for i in range(membrane.size):
            value, saturated = credit(drive[i], taken[i], random[i], c.credit)
            drive[i] = value
            count += saturated
            membrane[i] = membrane[i] * (1 - int(spikes[i]))
        counters[CREDIT_SATURATIONS] += count
    random = randoms[c.hidden]
    count = 0
    for i in range(membrane.size):
        value, saturated = adjoint_sum(membrane[i], drive[i], random[i], c.membrane)
        membrane[i] = value
        count += saturated
    counters[ADJOINT_MEMBRANE_SATURATIONS] += count
    random = randoms[c.hidden + 1]
    count = 0
    active = 0
    for i in range(membrane.size):
        value, saturated = adjoint_sum(current[i], membrane[i], random[i], c.current)
        current[i] = value
        count += saturated
        active += value != 0
    counters[ADJOINT_CURRENT_SATURATIONS] += count
    counters[ACTIVE_ADJOINTS] += active


@inlined
def credit_step(sweep, weights, before, feedback, t):  # type: ignore[no-untyped-def]
    """Write the exact sums of credit of one step for the layer before.

    A neuron whose derivative is 0 gets none, whatever the sum.
    """
    for j in range(before.drive.shape[1]):
        total = 0
        if before.derivative[t, j] != 0:
            total = credit_sum(weights[j], sweep.current, feedback)
        before.drive[t, j] = total


@inlined
def sum_step(sweep, addresses, first, last):  # type: ignore[no-untyped-def]
    """Add the adjoint currents to the gradient of every input that spiked."""
    current = sweep.current
    for k in range(first, last):
        row = sweep.gradient[addresses[k]]
        for i in range(current.size):
            row[i] += current[i]


@inlined
def update_step(  # type: ignore[no-untyped-def]
    sweep, addresses, first, last, weights, streams, lanes, counters, phase, c
):  # fmt: skip
    """Add each input spike's share to the weights of its input, spike by spike."""
    current, updates = sweep.current, sweep.updates
    block = updates.shape[0]
    count = 0
    for k in range(first, last):
        place = (k - first) % block
        if place == 0 and c.random_bits > 0:
            spikes = min(block, last - k)
            draw_block(streams, lanes, c.random_bits, spikes, sweep.update_drawn, updates)
        row, random = weights[addresses[k]], updates[place, 0]
        for i in range(current.size):
            weight, saturated = updated_weight(row[i], current[i], random[i], phase, c)
            row[i] = weight
            count += saturated
    counters[WEIGHT_SATURATIONS] += count


@compilable
def sweep_layer(  # type: ignore[no-untyped-def]
    pointers, addresses, spikes, weights, sweep, before, passes, feedback, streams,
    update_streams, lanes, random_bits, counters, phase, c, s,
):  # fmt: skip
    """Sweep one layer over a window.

    Parameters
    ----------
    pointers, addresses : arrays of int
        Input events of the layer in this window; see `bitlif.model.events.Events`.
    spikes : (T, M) uint8
        The layer's own spikes.
    weights : (N + 1, M) int
        Updated with ``update = "spike"``.
    sweep : Sweep
    before : Sweep
        That of the layer before, which receives the credit if `passes` is 1.
    passes, feedback : int
        Whether the layer before is swept, and its feedback.
    streams, update_streams : Streams
        Random bits of the sweep and of the update, updated.
    lanes, random_bits : int
    counters : (len(SWEEP_COUNTERS),) int64, updated
    phase : PhaseConstants
        With the rate for the sweep.
    c : Constants
    s : SweepConstants
    """
    set_zero(sweep.membrane)
    set_zero(sweep.current)
    for j in range(sweep.gradient.shape[0]):
        set_zero(sweep.gradient[j])
    steps, block = spikes.shape[0], sweep.randoms.shape[0]
    for back in range(steps):
        t = steps - 1 - back
        place = back % block
        if place == 0 and s.draws > 0:
            count = min(block, steps - back)
            draw_block(streams, lanes, random_bits, count, sweep.drawn, sweep.randoms)
        adjoint_step(sweep, sweep.randoms[place], spikes[t], t, counters, s)
        if sweep.adjoints.size > 0:
            for i in range(sweep.current.size):
                sweep.adjoints[t, i] = sweep.current[i]
        if passes:
            credit_step(sweep, weights, before, feedback, t)
        if s.spike_update:
            update_step(
                sweep, addresses, pointers[t], pointers[t + 1], weights, update_streams, lanes,
                counters, phase, c,
            )  # fmt: skip
        else:
            sum_step(sweep, addresses, pointers[t], pointers[t + 1])
