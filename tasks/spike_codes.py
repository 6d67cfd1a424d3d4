"""Integer arithmetic of the encoders: levels, resampling, receptive fields, spike trains.

A level is an intensity of 0 ..= 1 as an integer of 0 ..= `ONE`. A rate is a number of spikes per
step as an integer of 0 ..= `RATE_ONE`. All arrays are int64, and nothing depends on the order of
the windows or on a mathematical library.
"""

from __future__ import annotations

import decimal
import functools

import numpy as np
from numpy.typing import NDArray

LEVEL_BITS = 16
ONE = 1 << LEVEL_BITS
"""Level of intensity 1."""

RATE_ONE = 1 << (2 * LEVEL_BITS)
"""One spike per step: the product of a level and a maximum rate of 16 bits each."""

WIDTH_STEPS = 256
"""Steps of the width of a receptive field per distance of two centres."""

TABLE_STEPS = 256
"""Entries of the Gaussian table per standard deviation."""

TABLE_BITS = 24
"""Bits of an entry of the Gaussian table."""

TABLE_END = 5
"""Standard deviations that the table covers; beyond, the level rounds to 0."""

SILENT_BELOW = ONE // 10
"""Level below which a receptive field with latency code does not spike."""

_GOLDEN = 0x9E3779B97F4A7C15


def resampled(levels: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """Return series of levels, (..., samples), with one value per step, (..., steps).

    Fewer samples than steps are interpolated linearly, the first sample at the first step and the
    last one at the last step. More samples than steps are averaged in `steps` groups of nearly
    equal size. Halves round up.

    >>> resampled(np.array([0, 10]), 3).tolist(), resampled(np.array([0, 2, 10, 20]), 2).tolist()
    ([0, 5, 10], [1, 15])
    """
    samples = levels.shape[-1]
    if samples == steps:
        return levels
    if samples > steps:
        edges = np.arange(steps + 1) * samples // steps
        total = np.zeros((*levels.shape[:-1], samples + 1), np.int64)
        np.cumsum(levels, axis=-1, out=total[..., 1:])
        size = np.diff(edges)
        means = (2 * np.diff(total[..., edges], axis=-1) + size) // (2 * size)
        return np.asarray(means, np.int64)
    if samples == 1:
        return np.repeat(levels, steps, axis=-1)
    gaps = steps - 1
    place, rest = np.divmod(np.arange(steps) * (samples - 1), gaps)
    after = np.minimum(place + 1, samples - 1)
    product = levels[..., place] * (gaps - rest) + levels[..., after] * rest
    return np.asarray((2 * product + gaps) // (2 * gaps), np.int64)


def regular_spikes(rates: NDArray[np.int64], phase: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return evenly spaced spikes: one in each step in which the sum of rates passes an integer.

    Parameters
    ----------
    rates : (windows, steps, inputs) int64
        In 0 ..= `RATE_ONE`.
    phase : (inputs,) or (windows, 1, inputs) int64
        Sum before the first step, in 0 ..= `RATE_ONE` - 1.
    """
    total = np.cumsum(rates, axis=1) + phase
    return (total >> (2 * LEVEL_BITS)) > ((total - rates) >> (2 * LEVEL_BITS))


def drawn_spikes(
    rates: NDArray[np.int64], levels: NDArray[np.int64], seed: int
) -> NDArray[np.bool_]:
    """Return one draw per window, step and input against its rate.

    The draws of a window depend on the seed and on the window's own levels only.

    Parameters
    ----------
    rates : (windows, steps, inputs) int64
        In 0 ..= `RATE_ONE`.
    levels : (windows, ...) int64
    seed : int
        0 ..= 2**64 - 1.
    """
    flat = levels.reshape(len(levels), -1).astype(np.uint64)
    keys = _mixed((flat * random_words(flat.shape[1], seed)).sum(axis=1, dtype=np.uint64))
    steps, inputs = rates.shape[1:]
    index = np.arange(1, steps * inputs + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    draws = _mixed(keys[:, None] + index).reshape(rates.shape) >> np.uint64(32)
    return draws.astype(np.int64) < rates


def random_words(count: int, seed: int) -> NDArray[np.uint64]:
    """Return `count` words of 64 bits from a seed of 64 bits: the generator SplitMix64.

    >>> [hex(word) for word in random_words(2, 0)]
    ['0xe220a8397b1dcdaf', '0x6e789e6aa1b965f4']
    """
    index = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    return _mixed(index + np.array([seed], np.uint64))


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def latency_spikes(levels: NDArray[np.int64], steps: int) -> NDArray[np.bool_]:
    """Return one spike per input, earlier for higher levels and none for level 0.

    Parameters
    ----------
    levels : (windows, inputs) int64
    steps : int

    Returns
    -------
    (windows, steps, inputs) bool
    """
    time = ((ONE - levels) * (steps - 1) + ONE // 2) >> LEVEL_BITS
    raster = np.zeros((len(levels), steps, levels.shape[1]), bool)
    window, unit = np.nonzero(levels)
    raster[window, time[window, unit], unit] = True
    return raster


def crossings(
    levels: NDArray[np.int64], delta: int, start: NDArray[np.int64] | int
) -> NDArray[np.bool_]:
    """Return the crossings of levels that are `delta` apart, upwards and downwards.

    Each channel has a reference, which begins at `start`. In a step in which the signal is at least
    `delta` above it, the channel's first input spikes and the reference rises by `delta`; if the
    signal is at least `delta` below, its second input spikes and the reference falls. So a jump of
    several `delta` takes several steps.

    Parameters
    ----------
    levels : (windows, channels, steps) int64
    delta : int
        1 ..= `ONE`.
    start : (windows, channels) int64, or int

    Returns
    -------
    (windows, steps, 2 * channels) bool
    """
    windows, channels, steps = levels.shape
    reference = np.broadcast_to(np.asarray(start, np.int64), (windows, channels)).copy()
    raster = np.zeros((windows, steps, channels, 2), bool)
    for step in range(steps):
        distance = levels[:, :, step] - reference
        up, down = distance >= delta, distance <= -delta
        raster[:, step, :, 0], raster[:, step, :, 1] = up, down
        reference += delta * (up.astype(np.int64) - down)
    return raster.reshape(windows, steps, 2 * channels)


def receptive_fields(levels: NDArray[np.int64], fields: int, width: int) -> NDArray[np.int64]:
    """Return the activation of Gaussian receptive fields, as levels: (..., inputs * fields).

    The centres of the fields of an input are evenly spaced from level 0 to `ONE`. The fields of an
    input are neighbours in the last axis.

    Parameters
    ----------
    levels : (..., inputs) int64
    fields : int
        Fields per input, from 2.
    width : int
        Standard deviation, in 1 / `WIDTH_STEPS` of the distance of two centres.
    """
    centres = np.arange(fields) * ONE
    distance = np.abs(levels[..., None] * (fields - 1) - centres)
    # In table entries, with 16 fractional bits: the distance has 16 itself.
    place = distance * (TABLE_STEPS * WIDTH_STEPS) // width
    table = _gaussian_table()
    index = np.minimum(place >> LEVEL_BITS, table.size - 2)
    rest = np.minimum(place - (index << LEVEL_BITS), ONE)
    value = table[index] * (ONE - rest) + table[index + 1] * rest
    half = 1 << (TABLE_BITS - 1)
    active = (value + half) >> TABLE_BITS
    return np.asarray(active.reshape(*levels.shape[:-1], -1), np.int64)


@functools.cache
def _gaussian_table() -> NDArray[np.int64]:
    """Return ``exp(-z**2 / 2)`` for z from 0 in steps of 1 / `TABLE_STEPS`, in `TABLE_BITS` bits.

    Computed in decimal arithmetic, which is the same on every machine.
    """
    context = decimal.Context(prec=30)
    scale = decimal.Decimal(1 << TABLE_BITS)
    values = []
    for k in range(TABLE_END * TABLE_STEPS + 1):
        exponent = context.divide(decimal.Decimal(-k * k), decimal.Decimal(2 * TABLE_STEPS**2))
        values.append(int(context.multiply(context.exp(exponent), scale).to_integral_value()))
    table = np.array(values, np.int64)
    table[-1] = 0
    table.setflags(write=False)
    return table
