"""The weight update at the end of a window: one stochastic rounding and saturation per synapse.

Random bits are drawn in the order in which the gates process the synapses: slot by slot, within a
slot input by input, all lanes at once. A lane whose last slot has no neuron draws as well.
"""

from __future__ import annotations

from bitlif.model.constants import Constants, PhaseConstants

from .engine.compile import compilable, inlined
from .engine.words import wide, word
from .fixed import saturate, stochastic_shift
from .lfsr import advance_offset, advance_stream, fill_stream, read_bits

TILE = 16
"""Neurons whose weights are transposed at a time."""


@compilable
def updated_weight(
    weight: int, gradient: int, random: int, phase: PhaseConstants, c: Constants
) -> tuple[int, bool]:
    """Return the weight after a window and whether it saturated."""
    product = phase.rate * gradient
    change = stochastic_shift(
        product, phase.rate_left, phase.rate_bias, phase.rate_right, random, c.random_bits
    )
    return saturate(weight + change, c.weight_low, c.weight_high)


@compilable
def read_randoms(words, position, leap, bits, randoms):  # type: ignore[no-untyped-def]
    """Fill `randoms` with successive draws of `bits` bits; see `bitlif.model.lfsr.read_bits`."""
    mask = (1 << bits) - 1
    for j in range(randoms.size):
        randoms[j] = read_bits(words, position + j * leap, mask)


@inlined
def row_loop(weights, gradient, randoms, phase, c, kind):  # type: ignore[no-untyped-def]
    """Update a row of weights; `kind` is `word` or `wide`."""
    count = kind(0)
    # The draws are in an array, so that this loop compiles to vector instructions.
    for j in range(weights.size):
        weight, saturated = updated_weight(
            kind(weights[j]), kind(gradient[j]), kind(randoms[j]), phase, c
        )
        weights[j] = wide(weight)
        count += saturated
    return wide(count)


@compilable
def update_row(weights, gradient, randoms, words, phase, c):  # type: ignore[no-untyped-def]
    """Update a row of weights, all (n,) int; return the number of saturations.

    With `words` 1, words of 32 bits must hold every intermediate.
    """
    if words:
        return row_loop(weights, gradient, randoms, phase, c, word)
    return row_loop(weights, gradient, randoms, phase, c, wide)


@compilable
def update_window(  # type: ignore[no-untyped-def]
    weights, gradient, streams, lanes, tile, randoms, phase, c
):  # fmt: skip
    """Update all weights of a layer; return the number of saturations.

    Parameters
    ----------
    weights : (at least N, M) int, updated
        Row j holds the weights of input j.
    gradient : (M, N) int
    streams : Streams, updated
        Advanced by slots * N draws.
    lanes : int
    tile : (TILE, N) int
        Scratch, with the dtype of the weights.
    randoms : (N,) int64
        Scratch; must be zero without random bits.
    phase : PhaseConstants
    c : Constants
    """
    neurons, inputs = gradient.shape
    own = streams.buffer.shape[0] > 1
    slots = (neurons + lanes - 1) // lanes
    count = 0
    for i0 in range(0, slots * lanes, TILE):
        i1 = min(i0 + TILE, neurons)
        for j in range(inputs):
            for i in range(i0, i1):
                tile[i - i0, j] = weights[j, i]
        for i in range(i0, min(i0 + TILE, slots * lanes)):
            lane = i % lanes
            stream = lane if own else 0
            if c.random_bits > 0 and (own or lane == 0):
                position = fill_stream(streams, stream, inputs)
                words = streams.buffer[stream]
                read_randoms(words, position, streams.leap, c.random_bits, randoms)
            if i < neurons:
                count += update_row(tile[i - i0], gradient[i], randoms, 0, phase, c)
            if c.random_bits > 0 and (own or lane == lanes - 1):
                advance_stream(streams, stream, inputs)
            if c.random_bits > 0 and lane == lanes - 1:
                advance_offset(streams, inputs)
        for j in range(inputs):
            for i in range(i0, i1):
                weights[j, i] = tile[i - i0, j]
    return count


@compilable
def draw_rows(streams, lanes, bits, count, randoms):  # type: ignore[no-untyped-def]
    """Draw a random word per neuron for `count` inputs or spikes, one after another.

    For each, slot by slot, all lanes at once. Empty slots draw too.

    Parameters
    ----------
    streams : Streams, updated
    lanes, bits, count : int
    randoms : (at least count, M) int, written
    """
    neurons = randoms.shape[1]
    slots = (neurons + lanes - 1) // lanes
    own = streams.buffer.shape[0] > 1
    mask = (1 << bits) - 1
    position = 0
    for lane in range(lanes):
        stream = lane if own else 0
        if own or lane == 0:
            position = fill_stream(streams, stream, count * slots)
        words = streams.buffer[stream]
        for k in range(count):
            row = randoms[k, lane:neurons:lanes]
            at = position + k * slots * streams.leap
            for i in range(row.size):
                row[i] = read_bits(words, at, mask)
                at += streams.leap
        if own or lane == lanes - 1:
            advance_stream(streams, stream, count * slots)
    advance_offset(streams, count * slots)


@compilable
def update_inputs(  # type: ignore[no-untyped-def]
    weights, gradient, counts, touched, streams, lanes, block, randoms, words, phase, c
):  # fmt: skip
    """Update the weights of a layer, input by input; return the number of saturations.

    This gives the same bits as `update_window`. A gradient of 0 changes no weight, so inputs
    and neurons whose gradients are all 0 are left out; their draws are skipped.

    Parameters
    ----------
    weights : (at least N, M) int, updated
    gradient : (N, M) int
    counts, touched : (N,) and (M,) int
        0 for each input, and for each neuron, whose gradients are all 0.
    streams : Streams, updated
        Advanced by slots * N draws.
    lanes : int
    block : int
        Slots whose draws the streams can hold.
    randoms : (at least N, M) int
        Scratch; must be zero without random bits.
    words : int
        See `update_row`.
    phase : PhaseConstants
    c : Constants
    """
    inputs, neurons = gradient.shape
    own = streams.buffer.shape[0] > 1
    slots = (neurons + lanes - 1) // lanes
    mask = (1 << c.random_bits) - 1
    leap = streams.leap
    position = 0
    for first in range(0, slots if c.random_bits > 0 else 0, block):
        last = min(slots, first + block)
        draws = (last - first) * inputs
        for lane in range(lanes):
            stream = lane if own else 0
            if own or lane == 0:
                position = fill_stream(streams, stream, draws)
            bits = streams.buffer[stream]
            for i in range(first * lanes + lane, min(last * lanes, neurons), lanes):
                if touched[i]:
                    column = randoms[:inputs, i]
                    at = position + (i // lanes - first) * inputs * leap
                    for j in range(inputs):
                        column[j] = read_bits(bits, at, mask)
                        at += leap
            if own or lane == lanes - 1:
                advance_stream(streams, stream, draws)
        advance_offset(streams, draws)
    count = 0
    for j in range(inputs):
        if counts[j] > 0:
            count += update_row(weights[j], gradient[j], randoms[j], words, phase, c)
    return count
