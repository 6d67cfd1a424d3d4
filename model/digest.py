"""Digests: the contribution of windows to the signature, independent of earlier windows.

The register of a lane (`bitlif.model.signature`) computes in GF(2)[x] modulo its polynomial: a word
w changes the state s to ``s * x + w``. So n words change s to ``s * x**n + d``, where the digest d
depends only on these words. This allows windows to be signed while they run, in several threads and
without recorded membranes; their digests are combined in order afterwards.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.sections import LayerConfig

from .engine.compile import compilable, compiled
from .signature import MASK, WIDTH, folded, take_word

TOP = 1 << (WIDTH - 1)
"""Bit of a step's word that holds the spike."""

BLOCK = 31
"""Number of words whose shifted XOR fits in 63 bits without reduction."""


def power(exponent: int) -> int:
    """Return x**exponent modulo the polynomial: 32 bits.

    >>> power(3), hex(power(32))
    (8, '0x4c11db7')
    """
    value, square = 1, 2
    while exponent:
        if exponent & 1:
            value = _product(value, square)
        square = _product(square, square)
        exponent >>= 1
    return value


def _product(a: int, b: int) -> int:
    value = 0
    for bit in reversed(range(WIDTH)):
        value = take_word(value, a if b >> bit & 1 else 0)
    return value


@functools.lru_cache(maxsize=64)
def multiples(factor: int) -> NDArray[np.int64]:
    """Return the products of `factor` and all bytes at bits 0, 8, 16 and 24: (4, 256) int64."""
    table = np.zeros((4, 256), np.int64)
    value = factor
    for bit in range(WIDTH):
        half = 1 << bit % 8
        table[bit // 8, half : 2 * half] = table[bit // 8, :half] ^ value
        value = take_word(value, 0)
    return table


HIGH_BITS = multiples(power(WIDTH))
"""Table of `multiples` that reduces bits 32 to 63 modulo the polynomial."""


@compilable
def times(state: int, table: Any) -> int:
    """Return the product of the state of a lane and the factor of a table of `multiples`."""
    return (  # type: ignore[no-any-return]
        table[0, state & 255]
        ^ table[1, (state >> 8) & 255]
        ^ table[2, (state >> 16) & 255]
        ^ table[3, state >> 24]
    )


@compilable
def reduced(value: int) -> int:
    """Return a value of up to 63 bits, reduced modulo the polynomial."""
    return (value & MASK) ^ times(value >> WIDTH, HIGH_BITS)


@compilable
def digest_step(before: Any, spikes: Any, lanes: int, digest: Any) -> None:
    """Write the digest of a step for each lane: the state after the step, starting from 0.

    Words are combined in blocks whose terms do not depend on each other, so that this compiles to
    vector instructions.
    """
    for lane in range(lanes):
        state = 0
        first = lane
        while first < before.size:
            count = min(BLOCK, (before.size - first + lanes - 1) // lanes)
            block = 0
            if lanes == 1:
                levels = before[first : first + count]
                fired = spikes[first : first + count]
                for k in range(count):
                    word = (levels[k] & MASK) ^ (TOP if fired[k] else 0)
                    block ^= word << (count - 1 - k)
            else:
                for k in range(count):
                    neuron = first + k * lanes
                    word = (before[neuron] & MASK) ^ (TOP if spikes[neuron] else 0)
                    block ^= word << (count - 1 - k)
            state = reduced((state << count) ^ block)
            first += count * lanes
        digest[lane] = state


@compilable
def digest_weights(weights: Any, inputs: int, lanes: int, digest: Any) -> None:
    """Write the digest of updated weights, (at least `inputs`, M), for each lane."""
    for lane in range(lanes):
        digest[lane] = 0
    for neuron in range(weights.shape[1]):
        lane = neuron % lanes
        state = digest[lane]
        first = 0
        while first < inputs:
            count = min(BLOCK, inputs - first)
            block = 0
            for k in range(count):
                block ^= (weights[first + k, neuron] & MASK) << (count - 1 - k)
            state = reduced((state << count) ^ block)
            first += count
        digest[lane] = state


@compilable
def take_digests(
    states: Any, steps: Any, updates: Any, step_tables: Any, update_tables: Any, values: Any
) -> None:
    """Combine the digests of windows in order; write the signature after each step, (W, T).

    Parameters
    ----------
    states : (L,) int64, updated
    steps : (W, T, L) int64
    updates : (W or 0, L) int64
    step_tables, update_tables : (L, 4, 256) int64
        `multiples` of x to the power of the words that a lane takes in a step, or in an update.
    values : (W, T) int64
    """
    for w in range(steps.shape[0]):
        for t in range(steps.shape[1]):
            for lane in range(states.size):
                states[lane] = times(states[lane], step_tables[lane]) ^ steps[w, t, lane]
            values[w, t] = folded(states)
        if updates.size > 0:
            for lane in range(states.size):
                states[lane] = times(states[lane], update_tables[lane]) ^ updates[w, lane]


@functools.lru_cache(maxsize=64)
def _tables(sizes: LayerConfig) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `step_tables` and `update_tables` of `take_digests`; every run needs the same ones."""
    counts = [len(range(lane, sizes.neurons, sizes.lanes)) for lane in range(sizes.lanes)]
    steps, updates = (
        np.stack([multiples(power(words * count)) for count in counts])
        for words in (1, sizes.inputs)
    )
    return steps, updates


def sign_digests(
    sizes: LayerConfig,
    states: tuple[int, ...],
    steps: NDArray[np.int64],
    updates: NDArray[np.int64],
) -> tuple[tuple[int, ...], NDArray[np.int64]]:
    """Return the states of the lanes after windows, and the signature after each step.

    Parameters
    ----------
    sizes : LayerConfig
    states : (L,) int
        `bitlif.model.signature.Signature.lanes` before the windows.
    steps : (W, T, L) int64
        From `digest_step`.
    updates : (W or 0, L) int64
        From `digest_weights`; of size zero if the windows changed no weight.

    Returns
    -------
    tuple
        The states, and the signatures: (W, T) int64, without the updates of their windows.
    """
    lanes = np.array(states, np.int64)
    values = np.zeros(steps.shape[:2], np.int64)
    compiled(take_digests)(lanes, steps, updates, *_tables(sizes), values)
    return tuple(int(lane) for lane in lanes), values
