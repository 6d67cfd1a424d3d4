"""Limits of a diagnosis, and measures that single layers and networks share.

The limits separate layers that learn from those that fail: in the ready-made configurations nothing
saturates but a few weights of 4 bits, and 13 to 70 % of the errors are not zero. Updates below half
an LSB have no limit, since stochastic rounding keeps them; those that always round to 0 have one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitlif.model.constants import PhaseConstants

SATURATED = 0.01
"""Largest share of steps in which a signal may saturate: a saturated neuron ignores its inputs."""

ERRORS_SATURATED = 0.05
"""The same for errors, which the rule limits anyway, and for the signals of a sweep."""

ACTIVE = 0.01
"""Smallest share of errors that are not 0: without them, no weight changes."""

WEIGHTS_AT_ENDS = 0.2
"""Largest share of weights at an end of their format. Weights of 4 bits learn with 8 % there."""

UPDATES_LOST = 0.9
"""Largest share of updates that are certain to round to 0."""

FIRING = 0.9
"""Share of all steps from which a neuron counts as always firing. Targets are usually 0.5."""

TARGET = 0.02
"""Smallest size of the largest target: one-hot integers taken as raw targets are 1 / 1024."""

EXPECTED = 3
"""Test windows of a class from which it is expected to be an answer at least once."""

EXPECTED_SPIKES = 10
"""Spikes, by its targets, from which a neuron without a spike counts as silent."""

MOST_WINDOWS = 512
"""Windows that are run for a diagnosis, evenly spaced."""

MOST_GRADIENTS = 1 << 22
"""Synapses times windows whose updates are examined."""


def spaced(count: int, most: int) -> NDArray[np.int64]:
    """Return up to `most` indices below `count`, evenly spaced.

    >>> spaced(3, 5).tolist(), spaced(10, 4).tolist()
    ([0, 1, 2], [0, 2, 5, 7])
    """
    if count <= most:
        return np.arange(count)
    return np.arange(most) * count // most


def lost_updates(
    gradient: NDArray[np.int64], phase: PhaseConstants, random_bits: int
) -> tuple[float, float]:
    """Return the shares of updates below half an LSB, and of those that always round to 0.

    Parameters
    ----------
    gradient : int64
        Raw gradients, of which those that are 0 do not count.
    phase : PhaseConstants
        With the rate.
    random_bits : int
        Random bits of the update's rounding.
    """
    gradient = np.asarray(gradient, np.int64).ravel()
    gradient = gradient[gradient != 0]
    if not gradient.size:
        return 1.0, 1.0
    product = gradient * phase.rate << phase.rate_left
    # In weight LSBs, an update is the product divided by this.
    lsb = 2.0 ** (phase.rate_right + random_bits)
    # Before the random bits are added; see `bitlif.model.fixed.stochastic_shift`.
    kept = (product + phase.rate_bias) >> phase.rate_right
    return float((np.abs(product) < lsb / 2).mean()), float((kept == 0).mean())
