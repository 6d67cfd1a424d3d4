"""Windows of a layer: the loops around the step functions, in the order that the contract defines.

In a step, for every neuron: synaptic decay and input, membrane, noise draw, spike, error, reset.
The gradient combines the errors and traces of the same step. At the end of a window: gradient,
rate, rounding, weight saturation.

The functions run interpreted, or compiled by `bitlif.model.engine.compile`. Arrays are passed in
NamedTuples; optional arrays that are not requested have size zero.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .counters import (
    ACTIVE_ERRORS,
    CURRENT_SATURATIONS,
    ERROR_SATURATIONS,
    MEMBRANE_SATURATIONS,
    SYNAPTIC_EVENTS,
    WEIGHT_SATURATIONS,
)
from .digest import digest_step, digest_weights
from .engine.compile import compilable, inlined
from .engine.loops import copy_into, set_zero, sum_rows
from .engine.words import wide, word
from .gradient import sparse_gradient
from .lfsr import advance_offset, advance_stream, fill_stream, restart_streams
from .neuron import fires, keep_membrane, leaky_sum, noise_level
from .noise import draw_noise
from .table import error_value, table_bin
from .trace import trace_steps
from .update import update_window

INFER, PREPARE, GRADIENT, LEARN = range(4)
"""Extent of a window: spikes only; errors and traces; their gradient; the weight update too."""


class State(NamedTuple):
    """The state that a layer carries from step to step, in raw values."""

    current: Any
    """(M,) int32"""
    membrane: Any
    """(M,) int32, after the reset"""
    trace_current: Any
    """(N,) int64"""
    trace: Any
    """(N,) int64"""


class Table(NamedTuple):
    """The columns of the error table, int64, lowest bin first."""

    a: Any
    b: Any


class Noise(NamedTuple):
    """The construction of draws: (words, word_bits), and the quantiles of an inverse CDF.

    Without noise there are 0 words.
    """

    shape: Any
    quantiles: Any


class Scratch(NamedTuple):
    """Work arrays whose content is not used from one window to the next."""

    rows: int
    """Weight rows that `narrow_sum` can add: a multiple of four, or 0 for none"""
    words: int
    """1 if words of 32 bits hold every intermediate of a neuron's step"""
    narrow_sum: Any
    """(M,) int"""
    weight_sum: Any
    """(M,) int32: the sums of a step, if `words` is 1"""
    wide_sum: Any
    """(M,) int64: the sums of a step, if `words` is 0"""
    membrane: Any
    """(M,) int32, before the noise"""
    targets: Any
    """(M,) int64: targets of the step"""
    resets: Any
    """(M,) uint8: resets of the step by the teacher"""
    lane_draws: Any
    """(lanes, steps of a block * slots) int32"""
    draws: Any
    """(steps of a block * M,) int32"""
    spiked: Any
    """(N,) uint8"""
    errors: Any
    """(T, M) int16"""
    traces: Any
    """(T, N) uint16"""
    by_neuron: Any
    """(M, T) int16"""
    active: Any
    """(T,) int64"""
    tile: Any
    """(tile, N) with the dtype of the weights"""
    randoms: Any
    """(N,) int64"""
    trace_current: Any
    """(N,) int64: synaptic traces of a window that is not learned"""
    trace: Any
    """(N,) int64: PSP traces of a window that is not learned"""


class Records(NamedTuple):
    """Arrays that a run writes; all but the raster may have size zero."""

    raster: Any
    """(W, T, M) uint8"""
    current: Any
    """(W, T, M) int64"""
    membrane: Any
    """(W, T, M) int64, before the noise"""
    draws: Any
    """(W, T, M) int64, centred, in the unit of the noise's PMF"""
    errors: Any
    """(W, T, M) int64"""
    traces: Any
    """(W, T, N) int64"""
    gradient: Any
    """(W or 1, M, N) int32 or int64"""
    step_digests: Any
    """(W, T, lanes) int64; see `bitlif.model.digest`"""
    update_digests: Any
    """(W, lanes) int64, of windows that are learned; see `bitlif.model.digest`"""


@compilable
def spread_draws(made, lanes, lane, steps, draws):  # type: ignore[no-untyped-def]
    """Write the draws of one lane to the neurons of that lane, step by step."""
    neurons = draws.size // steps
    slots = made.size // steps
    for t in range(steps):
        own_draws = draws[t * neurons + lane : (t + 1) * neurons : lanes]
        own = made[t * slots : t * slots + own_draws.size]
        for k in range(own.size):
            own_draws[k] = own[k]


@compilable
def spread_four(made, draws):  # type: ignore[no-untyped-def]
    """Write the draws of four lanes to their neurons, if all slots are full, at a time.

    This compiles to vector instructions, which a variable number of lanes does not.
    """
    first, second, third, fourth = made[0], made[1], made[2], made[3]
    for k in range(draws.size // 4):
        draws[4 * k] = first[k]
        draws[4 * k + 1] = second[k]
        draws[4 * k + 2] = third[k]
        draws[4 * k + 3] = fourth[k]


@compilable
def draw_block(streams, noise, lanes, steps, lane_draws, draws):  # type: ignore[no-untyped-def]
    """Write the draws of the next `steps` steps to `draws`: (steps * M,), step by step."""
    if noise.shape[0] == 0:
        set_zero(draws)
        return
    neurons = draws.size // steps
    slots = (neurons + lanes - 1) // lanes
    own = streams.buffer.shape[0] > 1
    four = own and lanes == 4 and slots * lanes == neurons
    for lane in range(lanes):
        row = lane_draws[lane]
        made = draws if lanes == 1 else row[: steps * slots]
        if own or lane == 0:
            position = fill_stream(streams, lane, steps * slots)
            words = streams.buffer[lane]
            draw_noise(words, position, streams.leap, noise.shape, noise.quantiles, made)
            advance_stream(streams, lane, steps * slots)
        if lanes > 1 and not four:
            row = lane_draws[lane if own else 0]
            spread_draws(row[: steps * slots], lanes, lane, steps, draws)
    if four:
        spread_four(lane_draws, draws)
    advance_offset(streams, steps * slots)


@inlined
def neuron_loop(  # type: ignore[no-untyped-def]
    state, scratch, weight_sum, draws, spikes, counters, phase, c, kind
):  # fmt: skip
    """Compute one step of all neurons; `kind` is `word` or `wide`."""
    current, membrane = state.current, state.membrane
    before, resets = scratch.membrane, scratch.resets
    free = kind(1 - c.teacher_reset)
    current_saturated = kind(0)
    membrane_saturated = kind(0)
    for i in range(current.size):
        taken, saturated = leaky_sum(kind(current[i]), kind(weight_sum[i]), c.current)
        current[i] = wide(taken)
        current_saturated += saturated
        value, saturated = leaky_sum(kind(membrane[i]), taken, c.membrane)
        before[i] = wide(value)
        membrane_saturated += saturated
        noise = noise_level(kind(draws[i]), phase, c)
        spike = fires(value, noise, c)
        spikes[i] = spike
        reset = kind(spike) * free + kind(resets[i]) > 0
        kept, saturated = keep_membrane(value, noise, reset, c)
        membrane[i] = wide(kept)
        membrane_saturated += saturated
    counters[CURRENT_SATURATIONS] += wide(current_saturated)
    counters[MEMBRANE_SATURATIONS] += wide(membrane_saturated)


@inlined
def neuron_step(  # type: ignore[no-untyped-def]
    weights, addresses, start, stop, state, scratch, draws, spikes, counters, phase, c
):  # fmt: skip
    """Compute one step of all neurons, from the events ``start ..< stop`` to their spikes."""
    rows, narrow_sum = scratch.rows, scratch.narrow_sum
    if scratch.words:
        total = scratch.weight_sum
        sum_rows(weights, addresses, start, stop, rows, narrow_sum, total)
        neuron_loop(state, scratch, total, draws, spikes, counters, phase, c, word)
    else:
        large = scratch.wide_sum
        sum_rows(weights, addresses, start, stop, rows, narrow_sum, large)
        neuron_loop(state, scratch, large, draws, spikes, counters, phase, c, wide)


@inlined
def error_step(scratch, table, t, counters, phase, c):  # type: ignore[no-untyped-def]
    """Look up the errors of one step."""
    membrane, targets, errors = scratch.membrane, scratch.targets, scratch.errors
    error_saturated = 0
    active = 0
    for i in range(membrane.size):
        index = table_bin(membrane[i], phase, c)
        value, saturated = error_value(table.a[index], table.b[index], targets[i], c)
        errors[t, i] = value
        error_saturated += saturated
        active += value != 0
    counters[ERROR_SATURATIONS] += error_saturated
    counters[ACTIVE_ERRORS] += active


@inlined
def take_targets(targets, w, t, scratch, c):  # type: ignore[no-untyped-def]
    """Write the targets of a step, and the resets by the teacher, to the scratch arrays."""
    row = t if targets.shape[1] > 1 else 0
    for i in range(scratch.targets.size):
        target = targets[w, row, i]
        scratch.targets[i] = target
        scratch.resets[i] = c.teacher_reset * (2 * target >= c.target_one)


@compilable
def run_windows(  # type: ignore[no-untyped-def]
    first, last, begin, end, mode, learned, weights, pointers, addresses, targets, state, table,
    noise, streams, update_streams, scratch, records, counters, lanes, clear, phase, c,
):  # fmt: skip
    """Run steps ``begin ..< end`` of each of the windows ``first ..< last`` of the events.

    A part of a window continues from the state, scratch arrays and records that the part before it
    left. The part with the last step ends the window.

    Parameters
    ----------
    first, last : int
    begin, end : int
        0 and T for whole windows.
    mode : int
        INFER, PREPARE, GRADIENT or LEARN.
    learned : int
        1 if the windows are learned, here (LEARN) or by the caller. Only then are the traces in
        `state` updated; the traces of other windows are computed on a copy.
    weights : (N + 1, M) int
        The last row is zero; updated if `mode` is LEARN.
    pointers, addresses : arrays of int
        See `bitlif.model.events.Events`.
    targets : (windows or 0, T or 1, M) unsigned
        Raw targets; a single row is used for all steps of the window. Size zero if not needed.
    state, table, noise, scratch, records : NamedTuples of this module
    streams, update_streams : bitlif.model.lfsr.Streams
    counters : (len(COUNTERS),) int64, updated
    lanes : int
    clear : (state, trace, lfsr) of int
        Whether each is cleared at the start of a window.
    phase : PhaseConstants
    c : Constants
    """
    steps, neurons = records.raster.shape[1:]
    block = scratch.draws.size // neurons
    recording = records.current.size + records.membrane.size + records.draws.size > 0
    for w in range(first, last):
        if begin == 0:
            if clear[0]:
                set_zero(state.current)
                set_zero(state.membrane)
            if clear[1]:
                set_zero(state.trace_current)
                set_zero(state.trace)
            if clear[2]:
                restart_streams(streams)
                restart_streams(update_streams)
        for t0 in range(begin, end, block):
            count = min(block, end - t0)
            draws = scratch.draws[: count * neurons]
            draw_block(streams, noise, lanes, count, scratch.lane_draws, draws)
            for t in range(t0, t0 + count):
                row = draws[(t - t0) * neurons : (t - t0 + 1) * neurons]
                start, stop = pointers[w * steps + t], pointers[w * steps + t + 1]
                counters[SYNAPTIC_EVENTS] += (stop - start) * neurons
                if targets.size > 0:
                    take_targets(targets, w, t, scratch, c)
                neuron_step(
                    weights, addresses, start, stop, state, scratch, row, records.raster[w, t],
                    counters, phase, c,
                )  # fmt: skip
                if records.step_digests.size > 0:
                    spikes, digest = records.raster[w, t], records.step_digests[w, t]
                    digest_step(scratch.membrane, spikes, lanes, digest)
                if mode != INFER:
                    error_step(scratch, table, t, counters, phase, c)
                if recording:
                    record_step(state, scratch, row, records, w, t)
        if mode != INFER:
            traced = (state.trace_current, state.trace)
            if learned == 0:
                traced = (scratch.trace_current, scratch.trace)
                if begin == 0:
                    copy_into(scratch.trace_current, state.trace_current)
                    copy_into(scratch.trace, state.trace)
            trace_steps(
                pointers, addresses, w * steps, begin, end, traced, scratch.spiked,
                scratch.traces, counters, c,
            )  # fmt: skip
            record_learning(scratch, records, w, begin, end)
        if mode >= GRADIENT and end == steps:
            gradient = records.gradient[w if records.gradient.shape[0] > 1 else 0]
            sparse_gradient(
                scratch.errors, scratch.traces, gradient, scratch.by_neuron, scratch.active
            )
            if mode == LEARN:
                counters[WEIGHT_SATURATIONS] += update_window(
                    weights, gradient, update_streams, lanes, scratch.tile, scratch.randoms,
                    phase, c,
                )  # fmt: skip
                if records.update_digests.size > 0:
                    digest_weights(weights, weights.shape[0] - 1, lanes, records.update_digests[w])


@compilable
def record_step(state, scratch, draws, records, w, t):  # type: ignore[no-untyped-def]
    """Record the signals of a step."""
    if records.current.size > 0:
        copy_into(records.current[w, t], state.current)
    if records.membrane.size > 0:
        copy_into(records.membrane[w, t], scratch.membrane)
    if records.draws.size > 0:
        copy_into(records.draws[w, t], draws)


@compilable
def record_learning(scratch, records, w, begin, end):  # type: ignore[no-untyped-def]
    """Record the errors and traces of steps ``begin ..< end`` of a window."""
    for t in range(begin, end):
        if records.errors.size > 0:
            for i in range(scratch.errors.shape[1]):
                records.errors[w, t, i] = scratch.errors[t, i]
        if records.traces.size > 0:
            for j in range(scratch.traces.shape[1]):
                records.traces[w, t, j] = scratch.traces[t, j]
