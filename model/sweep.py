"""The backward sweep of a layer over one window, as the contract of networks defines it.

The layers of a network are swept from the last to the first, each over all steps from the last to
the first. In a step, for every neuron: credit (hidden layers), adjoint membrane, adjoint current,
with one draw each if rounding is stochastic. Then the exact sums of credit for the layer before,
from the weights as they are now. Then, for every input spike in the order of its address, the
gradient, or, with ``update = "spike"``, the update of its weights.

A step whose drive and adjoints are all 0 leaves them 0, whatever the draws, so only its draws are
skipped.

The functions run interpreted, or compiled by `bitlif.model.engine.compile`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .adjoint import adjoint_sum
from .credit import credit
from .engine.compile import compilable, inlined
from .engine.loops import not_negative, set_zero
from .engine.words import wide, word
from .sweep_credit import hand_back, transpose_feedback
from .sweep_draws import close_draws, draw_place, open_draws, read_draws
from .sweep_gradient import list_step, sum_window, update_step
from .table import error_value, table_bin

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

    words: int
    """1 if words of 32 bits hold every intermediate of the sweep, and of its credit"""
    update_words: int
    """1 if words hold every intermediate of the update"""
    drive: Any
    """(T, M) int32: errors of the last layer, or exact sums of credit of a hidden one"""
    wide_drive: Any
    """(T or 0, M) int64: used instead of `drive` if words do not hold them"""
    driven: Any
    """(T,) uint8: 1 if the drive of a step may differ from 0, else it is not used"""
    derivative: Any
    """(T, M) uint8: surrogate derivatives of a hidden layer in its driven steps"""
    block: int
    """Steps whose draws the streams can hold"""
    randoms: Any
    """(K draws per neuron, M) int32: draws of a step; zero unless rounding is stochastic. If the
    draws of a neuron fit in one word, it is in row 0; see `bitlif.model.sweep_draws.draw_place`"""
    membrane: Any
    """(M,) int32: adjoint membranes"""
    current: Any
    """(M,) int32: adjoint currents"""
    feedback: Any
    """(M, N) int32: feedback weights of this layer for the layer before"""
    adjoints: Any
    """(T + 1, M) int16: adjoint currents of all steps, and a row that stays zero"""
    touched: Any
    """(M,) uint8: 1 if any adjoint current of the window is not 0"""
    counts: Any
    """(N,) int64: spikes of each input in steps with an adjoint current that is not 0"""
    times: Any
    """(N, T) int32: these steps; as many as `counts` says"""
    rows: int
    """Rows of `adjoints` that `sum` can add: a multiple of four, or 0 for none"""
    sum: Any
    """(M,) int16: part of a sum of adjoint currents"""
    gradient: Any
    """(N, M) int32 or int64: sums of the window"""
    updates: Any
    """(at least N, M) int32: draws of the update; zero without random bits"""


@inlined
def errors_of_step(membrane, targets, table, drive, counters, phase, c):  # type: ignore[no-untyped-def]
    """Write the errors of a step as the drive, all (M,); return the number that is not 0."""
    count = 0
    active = 0
    for i in range(membrane.size):
        index = not_negative(table_bin(membrane[i], phase, c))
        value, saturated = error_value(table.a[index], table.b[index], targets[i], c)
        drive[i] = value
        count += saturated
        active += value != 0
    counters[ERROR_SATURATIONS] += count
    counters[ACTIVE_ERRORS] += active
    return active


@compilable
def drive_by_errors(  # type: ignore[no-untyped-def]
    membrane, targets, begin, end, table, sweep, counters, phase, c
):  # fmt: skip
    """Write the errors of steps ``begin ..< end`` of a window as the drive.

    They are computed from its recorded membranes, (T, M), and its targets, (1, T or 1, M).
    """
    for t in range(begin, end):
        row = targets[0, t if targets.shape[1] > 1 else 0]
        if sweep.words:
            active = errors_of_step(membrane[t], row, table, sweep.drive[t], counters, phase, c)
        else:
            large = sweep.wide_drive[t]
            active = errors_of_step(membrane[t], row, table, large, counters, phase, c)
        sweep.driven[t] = active > 0


@inlined
def credit_loop(  # type: ignore[no-untyped-def]
    sweep, drive, derivative, leap, bits, driven, spikes, counters, c, kind
):  # fmt: skip
    """Round the credit of one step of a hidden layer, and cut the sweep at its spikes."""
    membrane = sweep.membrane
    if driven:
        kinds, mask = sweep.randoms.shape[0], (1 << bits) - 1
        place, shift = draw_place(0, kinds, leap, bits)
        random = sweep.randoms[place]
        count = kind(0)
        for i in range(membrane.size):
            own = (kind(random[i]) >> shift) & mask
            value, saturated = credit(kind(drive[i]), kind(derivative[i]), own, c.credit)
            drive[i] = wide(value)
            count += saturated
        counters[CREDIT_SATURATIONS] += wide(count)
    for i in range(membrane.size):
        kept = membrane[i]
        membrane[i] = 0 if spikes[i] else kept


@inlined
def adjoint_loop(sweep, drive, adjoints, leap, bits, counters, c, kind):  # type: ignore[no-untyped-def]
    """Compute the adjoints of one step; return how many neurons have any that is not 0."""
    membrane, current, touched = sweep.membrane, sweep.current, sweep.touched
    kinds, mask = sweep.randoms.shape[0], (1 << bits) - 1
    first, first_shift = draw_place(c.hidden, kinds, leap, bits)
    second, second_shift = draw_place(c.hidden + 1, kinds, leap, bits)
    firsts, seconds = sweep.randoms[first], sweep.randoms[second]
    membranes = kind(0)
    currents = kind(0)
    active = kind(0)
    awake = kind(0)
    for i in range(membrane.size):
        own = (kind(firsts[i]) >> first_shift) & mask
        lam, saturated = adjoint_sum(kind(membrane[i]), kind(drive[i]), own, c.membrane)
        membrane[i] = wide(lam)
        membranes += saturated
        own = (kind(seconds[i]) >> second_shift) & mask
        kap, saturated = adjoint_sum(kind(current[i]), lam, own, c.current)
        current[i] = wide(kap)
        adjoints[i] = wide(kap)
        currents += saturated
        active += kap != 0
        awake += (lam | kap) != 0
        touched[i] = touched[i] | (kap != 0)
    counters[ADJOINT_MEMBRANE_SATURATIONS] += wide(membranes)
    counters[ADJOINT_CURRENT_SATURATIONS] += wide(currents)
    counters[ACTIVE_ADJOINTS] += wide(active)
    return wide(awake), wide(active)


@inlined
def adjoint_step(  # type: ignore[no-untyped-def]
    sweep, drive, derivative, driven, adjoints, leap, bits, spikes, counters, c, kind
):  # fmt: skip
    """Compute the adjoints of one step; `kind` is `word` or `wide`.

    Return how many neurons have any adjoint, and any adjoint current, that is not 0.
    """
    if not driven:
        set_zero(drive)
    if c.hidden:
        credit_loop(sweep, drive, derivative, leap, bits, driven, spikes, counters, c, kind)
    return adjoint_loop(sweep, drive, adjoints, leap, bits, counters, c, kind)


@compilable
def sweep_layer(  # type: ignore[no-untyped-def]
    pointers, addresses, spikes, weights, sweep, before, passes, before_membrane, before_threshold,
    before_constants, streams, update_streams, update_block, lanes, bits, counters, phase, c, s,
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
    passes : int
        Whether the layer before is swept.
    before_membrane : (T, N) int
        Its recorded membranes.
    before_threshold : int
    before_constants : SweepConstants
        Of the layer before.
    streams, update_streams : Streams
        Random bits of the sweep and of the update, updated.
    update_block : int
        Spikes whose draws the streams of the update can hold.
    lanes, bits : int
        Lanes, and random bits of a rounding.
    counters : (len(SWEEP_COUNTERS),) int64, updated
    phase : PhaseConstants
        With the rate for the sweep.
    c : Constants
    s : SweepConstants
    """
    set_zero(sweep.membrane)
    set_zero(sweep.current)
    set_zero(sweep.touched)
    set_zero(sweep.counts)
    feedback = before_constants.credit.feedback
    if passes and not s.spike_update:
        transpose_feedback(weights, sweep.feedback, feedback)
    steps, block, leap = spikes.shape[0], sweep.block, streams.leap
    each = s.draws * ((spikes.shape[1] + lanes - 1) // lanes)
    end = pointers[steps]
    awake = 0
    position = 0
    for back in range(steps):
        t = steps - 1 - back
        place = back % block
        count = min(block, steps - back + place)
        if place == 0 and s.draws > 0:
            position = open_draws(streams, count * each)
        driven = sweep.driven[t]
        adjoints = sweep.adjoints[t]
        active = 0
        if driven or awake > 0:
            if s.draws > 0:
                at = position + place * each * leap
                read_draws(streams, at, lanes, bits, sweep.randoms)
            if sweep.words:
                awake, active = adjoint_step(
                    sweep, sweep.drive[t], sweep.derivative[t], driven, adjoints, leap, bits,
                    spikes[t], counters, s, word,
                )  # fmt: skip
            else:
                awake, active = adjoint_step(
                    sweep, sweep.wide_drive[t], sweep.derivative[t], driven, adjoints, leap, bits,
                    spikes[t], counters, s, wide,
                )  # fmt: skip
        else:
            set_zero(adjoints)
        if place == count - 1 and s.draws > 0:
            close_draws(streams, count * each)
        if passes:
            before.driven[t] = active > 0
            if active > 0:
                hand_back(
                    sweep, before, before_membrane[t], before_threshold, before_constants.surrogate,
                    weights, feedback, s.spike_update, t,
                )  # fmt: skip
        if s.spike_update:
            counters[WEIGHT_SATURATIONS] += update_step(
                sweep, addresses, pointers[t], pointers[t + 1], end - pointers[t + 1],
                end - pointers[0], weights, update_streams, lanes, update_block, phase, c,
            )  # fmt: skip
        elif active > 0:
            list_step(sweep, t, addresses, pointers[t], pointers[t + 1])
    if not s.spike_update:
        sum_window(sweep)
