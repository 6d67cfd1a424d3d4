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
from .credit import credit, credit_sum, feedback_weight
from .engine.compile import compilable, inlined
from .engine.loops import set_zero
from .lfsr import advance_offset, advance_stream, fill_stream, read_bits
from .surrogate import surrogate_value
from .table import error_value, table_bin
from .update import draw_rows, updated_weight

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
    """(block of steps, K draws per neuron, M) int32; zero unless rounding is stochastic. If the
    draws of a neuron fit in one word, it is in row 0; see `draw_place`"""
    membrane: Any
    """(M,) int64: adjoint membranes"""
    current: Any
    """(M,) int64: adjoint currents"""
    feedback: Any
    """(M, N) int32: feedback weights of this layer for the layer before"""
    adjoints: Any
    """(T + 1, M) int32: adjoint currents of all steps, and a row that stays zero"""
    counts: Any
    """(N,) int64: spikes of each input"""
    times: Any
    """(N, T) int32: the steps in which each input spiked; as many as `counts` says"""
    sum: Any
    """(M,) int32: part of a sum of adjoint currents"""
    gradient: Any
    """(N, M) int64: sums of the window"""
    updates: Any
    """(at least N, M) int32: draws of the update; zero without random bits"""


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
def fits_word(kinds, leap, bits):  # type: ignore[no-untyped-def]
    """Return whether the successive draws of a neuron are kept in one word of 31 bits."""
    return (kinds - 1) * leap + bits <= 31


@inlined
def draw_place(kind, kinds, leap, bits):  # type: ignore[no-untyped-def]
    """Return the row of one kind of draws, and the right shift of its words."""
    return (0, kind * leap) if fits_word(kinds, leap, bits) else (kind, 0)


@inlined
def read_step(words, position, leap, bits, lane, lanes, randoms):  # type: ignore[no-untyped-def]
    """Read the draws of the neurons of one lane: K successive draws each, to (K, M) int32."""
    kinds, neurons = randoms.shape
    rows, mask = kinds, (1 << bits) - 1
    if fits_word(kinds, leap, bits):
        rows, mask = 1, (1 << (kinds - 1) * leap + bits) - 1
    for kind in range(rows):
        row = randoms[kind]
        own = position + kind * leap
        for i in range(lane, neurons, lanes):
            row[i] = read_bits(words, own, mask)
            own += kinds * leap


@inlined
def draw_block(streams, lanes, bits, count, randoms):  # type: ignore[no-untyped-def]
    """Draw random words for `count` steps: in each, slot by slot, all lanes at once.

    Empty slots draw too.

    Parameters
    ----------
    streams : Streams, updated
    lanes, bits, count : int
    randoms : (at least count, K, M) int32, written
        K draws per neuron, successive in its lane.
    """
    kinds, neurons = randoms.shape[1:]
    each = kinds * ((neurons + lanes - 1) // lanes)
    own = streams.buffer.shape[0] > 1
    position = 0
    for lane in range(lanes):
        stream = lane if own else 0
        if own or lane == 0:
            position = fill_stream(streams, stream, count * each)
        words = streams.buffer[stream]
        for step in range(count):
            start = position + step * each * streams.leap
            read_step(words, start, streams.leap, bits, lane, lanes, randoms[step])
        if own or lane == lanes - 1:
            advance_stream(streams, stream, count * each)
    advance_offset(streams, count * each)


@inlined
def adjoint_step(sweep, randoms, leap, bits, spikes, t, counters, c):  # type: ignore[no-untyped-def]
    """Compute the adjoints of all neurons in one step."""
    kinds, mask = randoms.shape[0], (1 << bits) - 1
    membrane, current, drive = sweep.membrane, sweep.current, sweep.drive[t]
    # Loops of one kind of sum each compile to vector instructions.
    if c.hidden:
        place, shift = draw_place(0, kinds, leap, bits)
        taken, random = sweep.derivative[t], randoms[place]
        count = 0
        for i in range(membrane.size):
            own = (random[i] >> shift) & mask
            value, saturated = credit(drive[i], taken[i], own, c.credit)
            drive[i] = value
            count += saturated
            membrane[i] = 0 if spikes[i] else membrane[i]
        counters[CREDIT_SATURATIONS] += count
    place, shift = draw_place(c.hidden, kinds, leap, bits)
    random = randoms[place]
    count = 0
    for i in range(membrane.size):
        own = (random[i] >> shift) & mask
        value, saturated = adjoint_sum(membrane[i], drive[i], own, c.membrane)
        membrane[i] = value
        count += saturated
    counters[ADJOINT_MEMBRANE_SATURATIONS] += count
    place, shift = draw_place(c.hidden + 1, kinds, leap, bits)
    random, adjoints = randoms[place], sweep.adjoints[t]
    count = 0
    active = 0
    for i in range(membrane.size):
        own = (random[i] >> shift) & mask
        value, saturated = adjoint_sum(current[i], membrane[i], own, c.current)
        current[i] = value
        adjoints[i] = value
        count += saturated
        active += value != 0
    counters[ADJOINT_CURRENT_SATURATIONS] += count
    counters[ACTIVE_ADJOINTS] += active


@inlined
def transpose_feedback(weights, feedback, kind):  # type: ignore[no-untyped-def]
    """Write the feedback weights, (M, N), from the forward weights, (at least N, M)."""
    for o in range(feedback.shape[0]):
        row = feedback[o]
        for j in range(row.size):
            row[j] = feedback_weight(weights[j, o], kind)


@inlined
def next_active(adjoints, o):  # type: ignore[no-untyped-def]
    """Return the first neuron from `o` on whose adjoint current is not 0, or their number."""
    while o < adjoints.size and adjoints[o] == 0:
        o += 1
    return o


@inlined
def credit_step(sweep, credits):  # type: ignore[no-untyped-def]
    """Write the exact sums of credit of one step for the layer before."""
    adjoints, feedback = sweep.current, sweep.feedback
    size = adjoints.size
    set_zero(credits)
    a = next_active(adjoints, 0)
    while a < size:
        # Four at a time, completed by the last neuron with a factor of 0.
        b = next_active(adjoints, a + 1)
        c = next_active(adjoints, b + 1)
        d = next_active(adjoints, c + 1)
        first, second = feedback[a], feedback[min(b, size - 1)]
        third, fourth = feedback[min(c, size - 1)], feedback[min(d, size - 1)]
        p, q = adjoints[a], adjoints[b] if b < size else 0
        r, s = adjoints[c] if c < size else 0, adjoints[d] if d < size else 0
        for j in range(credits.size):
            credits[j] += (p * first[j] + q * second[j]) + (r * third[j] + s * fourth[j])
        a = next_active(adjoints, d + 1)


@inlined
def credit_now(sweep, weights, before, kind, t):  # type: ignore[no-untyped-def]
    """Write these sums from weights that change from step to step.

    A neuron whose derivative is 0 gets none, whatever the sum.
    """
    for j in range(before.drive.shape[1]):
        total = 0
        if before.derivative[t, j] != 0:
            total = credit_sum(weights[j], sweep.current, kind)
        before.drive[t, j] = total


@compilable
def list_times(sweep, pointers, addresses):  # type: ignore[no-untyped-def]
    """List the steps in which each input spiked, from the events of a window."""
    counts, times = sweep.counts, sweep.times
    set_zero(counts)
    for t in range(pointers.size - 1):
        for k in range(pointers[t], pointers[t + 1]):
            j = addresses[k]
            times[j, counts[j]] = t
            counts[j] += 1


@compilable
def sum_window(sweep):  # type: ignore[no-untyped-def]
    """Write the gradient: for every input, the sum of the adjoint currents over its spikes.

    Adjoint currents have at most 16 bits, so 2^15 of them fit in a sum of 32 bits.
    """
    adjoints, part = sweep.adjoints, sweep.sum
    zero = adjoints.shape[0] - 1
    for j in range(sweep.gradient.shape[0]):
        row, times, stop = sweep.gradient[j], sweep.times[j], sweep.counts[j]
        set_zero(row)
        k = 0
        while k < stop:
            set_zero(part)
            end = min(stop, k + (1 << 15))
            while k < end:
                a = adjoints[times[k]]
                b = adjoints[times[k + 1] if k + 1 < end else zero]
                c = adjoints[times[k + 2] if k + 2 < end else zero]
                d = adjoints[times[k + 3] if k + 3 < end else zero]
                for i in range(part.size):
                    part[i] += (a[i] + b[i]) + (c[i] + d[i])
                k += 4
            k = end
            for i in range(part.size):
                row[i] += part[i]


@inlined
def update_step(  # type: ignore[no-untyped-def]
    sweep, addresses, first, last, done, total, weights, streams, lanes, block, counters, phase, c
):  # fmt: skip
    """Add each input spike's share to the weights of its input, spike by spike.

    Of the `total` spikes of the window, `done` came before this step in the order of the sweep.
    """
    current, updates = sweep.current, sweep.updates
    count = 0
    for k in range(first, last):
        number = done + k - first
        place = number % block
        if place == 0 and c.random_bits > 0:
            draw_rows(streams, lanes, c.random_bits, min(block, total - number), updates)
        row, random = weights[addresses[k]], updates[place]
        for i in range(current.size):
            weight, saturated = updated_weight(row[i], current[i], random[i], phase, c)
            row[i] = weight
            count += saturated
    counters[WEIGHT_SATURATIONS] += count


@compilable
def sweep_layer(  # type: ignore[no-untyped-def]
    pointers, addresses, spikes, weights, sweep, before, passes, feedback, streams,
    update_streams, update_block, lanes, random_bits, counters, phase, c, s,
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
    update_block : int
        Spikes whose draws the streams of the update can hold.
    lanes, random_bits : int
    counters : (len(SWEEP_COUNTERS),) int64, updated
    phase : PhaseConstants
        With the rate for the sweep.
    c : Constants
    s : SweepConstants
    """
    set_zero(sweep.membrane)
    set_zero(sweep.current)
    if passes and not s.spike_update:
        transpose_feedback(weights, sweep.feedback, feedback)
    steps, block = spikes.shape[0], sweep.randoms.shape[0]
    end = pointers[steps]
    for back in range(steps):
        t = steps - 1 - back
        place = back % block
        if place == 0 and s.draws > 0:
            count = min(block, steps - back)
            draw_block(streams, lanes, random_bits, count, sweep.randoms)
        adjoint_step(
            sweep, sweep.randoms[place], streams.leap, random_bits, spikes[t], t, counters, s
        )
        if passes and s.spike_update:
            credit_now(sweep, weights, before, feedback, t)
        elif passes:
            credit_step(sweep, before.drive[t])
        if s.spike_update:
            update_step(
                sweep, addresses, pointers[t], pointers[t + 1], end - pointers[t + 1],
                end - pointers[0], weights, update_streams, lanes, update_block, counters, phase, c,
            )  # fmt: skip
    if not s.spike_update:
        list_times(sweep, pointers, addresses)
        sum_window(sweep)
