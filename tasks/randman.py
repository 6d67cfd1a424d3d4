"""The Randman task: ten random curves whose points are told by the times of single spikes.

A random manifold is a smooth random function of a coordinate [1]_. Here each class is a curve in a
space of 20 dimensions. A window shows a point of the curve of its class: each input spikes once, at
a time that is the point's value in one dimension. Inputs do not differ in their numbers of spikes,
and no single time tells the classes apart: logistic regression on the times is
right in 43 to 48 % of the test windows.

The curves are those of the reference implementation (https://github.com/fzenke/randman, MIT
licence), as its formula describes them; the code is our own. In one dimension, at coordinate x::

    y = sum over f = 1 .. 999 of  a_f / (f + 1)**ALPHA * sin(2 pi (f b_f x + c_f))

with a_f, b_f and c_f drawn from 0 .. 1 for each class and dimension. All values are then scaled to
0 .. 1 in each class and dimension, by the smallest and the largest one of all its windows.

Everything is computed in integers from 64-bit words that are a function of the seed, with a table
of the sine. So a seed gives the same spikes on every machine.

.. [1] F. Zenke and T. P. Vogels, "The Remarkable Robustness of Surrogate Gradient Learning for
   Instilling Complex Function in Spiking Neural Networks", Neural Computation 33 (4), 2021,
   https://doi.org/10.1162/neco_a_01367
"""

from __future__ import annotations

import functools
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, require_choice, require_int
from bitlif.model.events import Events

from .spike_codes import random_words
from .task import Classification, Examples

CLASSES = 10
DIMENSIONS = 20
"""Dimensions of the space of the curves: inputs without the bias."""
ALPHA = 1
"""Smoothness: exponent with which the amplitudes fall with the frequency."""
TERMS = 1000
"""Terms of the sum; the first is constant and left out."""
TRAIN_WINDOWS = 5000
TEST_WINDOWS = 1000
BIAS_PERIOD = 8
"""Steps from one spike of the bias input to the next."""
LEAST_STEPS = 16
TRUE_TARGET = 0.3
"""Target of the neuron of the true class; that of all others is 0."""

PARTS = ("test", "validation")
"""Windows that the task can test on."""

SINE_BITS = 12
"""The table of the sine has ``2**SINE_BITS`` entries per turn."""
SINE_ONE = 1 << 20
"""Entry of the table for a sine of 1."""
_KEY = 0x52616E646D616E


class RandmanTask(Classification):
    """Points of ten random curves, as the times of one spike per input.

    Inputs are the 20 dimensions, and a bias that spikes in every eighth step. The last quarter of
    the window has no other spikes. The curves are drawn from the seed: another seed, other curves.

    Parameters
    ----------
    part : str
        ``"test"``; or ``"validation"``, other points of the same curves on which to choose the
        fields of a configuration.
    name : str

    Raises
    ------
    BitlifError
        If `part` is unknown.
    """

    name = "randman"
    config = "randman"
    item = "window"
    true_target = TRUE_TARGET
    epochs = 16

    def __init__(self, *, part: str = "test", name: str = "randman") -> None:
        super().__init__()
        self.part = require_choice("part", part, PARTS)
        self.name = name

    def check(self, config: Config) -> None:
        """Raise unless the layer has the inputs and neurons of the task, and steps for it."""
        sizes, steps = config.layer, config.window.steps
        found = (sizes.inputs, sizes.neurons)
        if found != (DIMENSIONS + 1, CLASSES) or steps < LEAST_STEPS:
            raise BitlifError(
                f"task '{self.name}' needs {DIMENSIONS + 1} inputs, {CLASSES} neurons and at least "
                f"{LEAST_STEPS} steps, not {sizes.inputs}, {sizes.neurons} and {steps}"
            )

    def load(self, config: Config, seed: int) -> Examples:
        """Return `TRAIN_WINDOWS` to train with and `TEST_WINDOWS` to test with."""
        return load_randman(config.window.steps, seed, part=self.part)

    def depends_on(self, config: Config) -> Hashable:
        """Return the steps of a window."""
        return config.window.steps


def load_randman(steps: int, seed: int, *, part: str = "test") -> Examples:
    """Return the windows of a seed; the training windows are the same for both parts.

    The classes take turns, so every ten windows in succession show all of them.

    Parameters
    ----------
    steps : int
        Steps per window; the spikes of a point are in the first three quarters.
    seed : int
    part : str
        The windows to test with: ``"test"`` or ``"validation"``.
    """
    steps = require_int("steps", steps, LEAST_STEPS, 1 << 20)
    seed = require_int("seed", seed, 0, (1 << 31) - 1)
    chosen = PARTS.index(require_choice("part", part, PARTS))
    times = spike_times(steps * 3 // 4, seed)
    first = TRAIN_WINDOWS + chosen * TEST_WINDOWS
    tested = slice(first, first + TEST_WINDOWS)
    return Examples(
        _windows(times[:TRAIN_WINDOWS], steps),
        _windows(times[tested], steps),
        np.arange(TRAIN_WINDOWS) % CLASSES,
        np.arange(TEST_WINDOWS) % CLASSES,
    )


@functools.lru_cache(maxsize=8)
def spike_times(span: int, seed: int) -> NDArray[np.int64]:
    """Return the step of each spike, 0 ..< `span`: (windows, `DIMENSIONS`) int64, read-only.

    The windows are those to train, test and validate with, in this order; window k shows class
    ``k % CLASSES``.
    """
    values = curve_values((TRAIN_WINDOWS + len(PARTS) * TEST_WINDOWS) // CLASSES, seed)
    low, high = values.min(axis=2, keepdims=True), values.max(axis=2, keepdims=True)
    times = (values - low) * span // (high - low + 1)
    rows: NDArray[np.int64] = np.ascontiguousarray(times.transpose(2, 0, 1).reshape(-1, DIMENSIONS))
    rows.setflags(write=False)
    return rows


def curve_values(points: int, seed: int) -> NDArray[np.int64]:
    """Return the values of random points of each curve: (`CLASSES`, `DIMENSIONS`, points) int64.

    Coordinates and all numbers drawn for a term have 20 to 24 bits. Angles have 64 bits per turn,
    and are rounded down to an entry of the sine table. Values are multiples of 2**-50.
    """
    curves = CLASSES * DIMENSIONS
    words = random_words(curves * TERMS + CLASSES * points, _KEY + (seed << 32))
    drawn = words[: curves * TERMS].reshape(TERMS, CLASSES, DIMENSIONS, 1)
    coordinates = words[curves * TERMS :].reshape(CLASSES, 1, points) >> np.uint64(40)
    table = sine_table()
    values = np.zeros((CLASSES, DIMENSIONS, points), np.int64)
    for term in range(1, TERMS):
        word = drawn[term]
        amplitude = (word >> np.uint64(44)).astype(np.int64)
        factor = (word >> np.uint64(24)) & np.uint64((1 << 20) - 1)
        # Both factors have 44 fractional bits together; a whole turn overflows 64 bits.
        turn = coordinates * ((factor * np.uint64(term)) << np.uint64(20))
        turn += word << np.uint64(40)
        weight = (amplitude << 10) // (term + 1) ** ALPHA
        values += table[turn >> np.uint64(64 - SINE_BITS)] * weight
    return values


@functools.cache
def sine_table() -> NDArray[np.int64]:
    """Return one turn of the sine in steps of ``2**-SINE_BITS`` turns: int64, 1 is `SINE_ONE`.

    No entry is closer than 5e-4 to a tie of the rounding, far more than any library errs.
    """
    angles = np.arange(1 << SINE_BITS) * (2 * np.pi / (1 << SINE_BITS))
    table: NDArray[np.int64] = np.rint(np.sin(angles) * SINE_ONE).astype(np.int64)
    table.setflags(write=False)
    return table


def _windows(times: NDArray[np.int64], steps: int) -> Events:
    """Return windows with a spike of each input at its time, and those of the bias."""
    windows = len(times)
    beats = np.arange(0, steps, BIAS_PERIOD)
    start = np.arange(windows)[:, None] * steps
    moments = np.concatenate((start + times, start + beats), axis=1)
    units = np.concatenate((np.arange(DIMENSIONS), np.full(beats.size, DIMENSIONS)))
    return Events.from_times(
        moments.ravel(), np.tile(units, windows),
        steps=steps, units=DIMENSIONS + 1, windows=windows,
    )  # fmt: skip
