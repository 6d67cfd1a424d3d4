"""The digits task: scikit-learn's scans encoded as spikes, one neuron per digit.

All randomness comes from one seed: the split, the phases of the spikes, the order of the windows,
and (through `bitlif.model.config.seeds`) the initial states of the LFSRs.
"""

from __future__ import annotations

import string
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.extras import missing_extra

from .encoders import encode_rate
from .labels import label_targets
from .task import Classification, Examples

PIXELS = 64
CLASSES = len(string.digits)
MAX_RATE = 0.875
"""Spikes per step of a pixel at full ink."""
BIAS_RATE = 0.25
"""Spikes per step of the bias input."""
TRUE_TARGET = 0.5
"""Target of the neuron of the true class; that of all others is 0."""
TEST_SHARE = 0.25


class DigitsTask(Classification):
    """Handwritten digits of 8 x 8 pixels; inputs are the pixels, row by row, and a bias."""

    name = "digits"
    config = "digits"
    item = "digit"
    true_target = TRUE_TARGET

    def check(self, config: Config) -> None:
        """Raise unless the layer has the digits' inputs and neurons."""
        check_digits_layer(config)

    def load(self, config: Config, seed: int) -> Examples:
        """Return the digits in windows of the configuration's steps; see `load_digits_task`."""
        return load_digits_task(config.window.steps, seed)

    def depends_on(self, config: Config) -> Hashable:
        """Return the steps of a window."""
        return config.window.steps


def load_digits_task(steps: int, seed: int) -> Examples:
    """Return the digits, split and encoded by `seed`: 1347 to train, 450 to test.

    Raises
    ------
    BitlifError
        If scikit-learn, which provides the scans, is not installed.
    """
    seed = require_int("seed", seed, 0, (1 << 31) - 1)
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise missing_extra("the digits come with scikit-learn", "demo", error) from error
    images, labels = load_digits(return_X_y=True)
    # The bias input is encoded as an additional pixel of constant ink, which gives BIAS_RATE.
    ink = np.column_stack((images / 16.0, np.full(len(images), BIAS_RATE / MAX_RATE)))
    parts = train_test_split(
        np.arange(len(labels)), test_size=TEST_SHARE, stratify=labels, random_state=seed
    )
    sets = [
        encode_rate(ink[part], steps, max_rate=MAX_RATE, regular=True, seed=2 * seed + number)
        for number, part in enumerate(parts)
    ]
    return Examples(sets[0], sets[1], labels[parts[0]], labels[parts[1]])


def check_digits_layer(config: Config) -> None:
    """Raise unless the layer has an input per pixel and for the bias, and a neuron per digit."""
    sizes = config.layer
    if (sizes.inputs, sizes.neurons) != (PIXELS + 1, CLASSES):
        raise BitlifError(
            f"the digits need a layer of {PIXELS + 1} inputs and {CLASSES} neurons, "
            f"not {sizes.inputs} and {sizes.neurons}"
        )


def class_targets(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the real targets of the digits' labels: (W, 10) float64."""
    return label_targets(labels, CLASSES, TRUE_TARGET)
