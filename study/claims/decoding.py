"""Decoders of the stimulus, trained on one half of the trials and tested on the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .information import entropy
from .spike_trains import gaussian_kernel

BIN_STEPS = 4
"""Steps per bin of `time_accuracy` and `count_accuracy`."""


def halves(trials: int) -> Iterator[tuple[slice, slice]]:
    """Yield the trials for training and for testing, with each half in each role."""
    first, second = slice(0, trials // 2), slice(trials // 2, trials)
    yield first, second
    yield second, first


def transmitted_information(confusion: NDArray[np.integer]) -> float:
    """Return the information in bits between stimuli (rows) and decisions (columns).

    By the data processing inequality this is a lower bound of the information in the responses.

    Parameters
    ----------
    confusion : (S, D) int
        Counts of decisions per stimulus; the rows must have equal sums.
    """
    return entropy(confusion.sum(axis=0)) - float(np.mean([entropy(row) for row in confusion]))


def smoothed_information(trains: NDArray[np.integer], width: float) -> float:
    """Return the information in the smoothed trains of one neuron, in bits.

    A nearest-mean decoder assigns each test trial to the stimulus whose mean training trial is
    nearest in Euclidean distance. Except for the shape of the kernel this is the metric of van
    Rossum 2001.

    Parameters
    ----------
    trains : (S, trials, steps) int
        Spikes of S stimuli.
    width : float
        Standard deviation of the Gaussian kernel in steps. An infinite width leaves only the number
        of spikes.
    """
    stimuli, trials, steps = trains.shape
    if np.isinf(width):
        metric = np.ones((steps, steps))
    else:
        kernel = gaussian_kernel(steps, width)
        metric = kernel @ kernel
    confusion = np.zeros((stimuli, stimuli), np.int64)
    for train, test in halves(trials):
        means = trains[:, train].mean(axis=1)
        # For smoothed x and m, the part of |x - m|^2 that depends on m is |m|^2 - 2 x m.
        smooth = metric @ means.T
        sizes = (means.T * smooth).sum(axis=0)
        for stimulus in range(stimuli):
            distance = sizes - 2 * (trains[stimulus, test].astype(np.float64) @ smooth)
            confusion[stimulus] += np.bincount(distance.argmin(axis=1), minlength=stimuli)
    return transmitted_information(confusion)


def time_accuracy(trains: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the accuracy of decisions from spike times after each bin of the window.

    The decoder maximises the likelihood, with an independent probability of a spike for every
    stimulus, neuron and bin of `BIN_STEPS` steps. Probabilities are estimated with half a spike and
    half a silence added.

    Parameters
    ----------
    trains : (S, trials, steps, M) int
        Spikes of S stimuli and M neurons.

    Returns
    -------
    (steps / BIN_STEPS,) float64
    """
    stimuli, trials, steps, neurons = trains.shape
    shape = (stimuli, trials, steps // BIN_STEPS, BIN_STEPS, neurons)
    fired = np.asarray(trains.reshape(shape).any(axis=3))
    right = np.zeros(shape[2])
    for train, test in halves(trials):
        known = fired[:, train]
        chance = (known.sum(axis=1) + 0.5) / (known.shape[1] + 1)
        odds, silence = np.log(chance / (1 - chance)), np.log1p(-chance)
        seen = fired[:, test].astype(np.float64)
        # Evidence of each bin for each stimulus: (S, trials, bins, S').
        evidence = np.einsum("srbm,kbm->srbk", seen, odds) + silence.sum(axis=2).T
        right += _right(evidence.cumsum(axis=2))
    return right / 2


def count_accuracy(trains: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the accuracy of decisions from spike counts after each bin of the window.

    The decoder maximises the likelihood, with an independent Gaussian for the count so far of every
    stimulus and neuron. Variances are at least 1/12, that of rounding to a whole spike. Parameters
    and result are those of `time_accuracy`.
    """
    _, trials, _, _ = trains.shape
    counts = trains.cumsum(axis=2, dtype=np.float64)[:, :, BIN_STEPS - 1 :: BIN_STEPS]
    right = np.zeros(counts.shape[2])
    for train, test in halves(trials):
        known = counts[:, train]
        mean, variance = known.mean(axis=1), np.maximum(known.var(axis=1), 1 / 12)
        seen = counts[:, test]
        evidence = np.stack(
            [
                -((seen - center) ** 2 / (2 * spread) + np.log(spread) / 2).sum(axis=-1)
                for center, spread in zip(mean, variance, strict=True)
            ],
            axis=-1,
        )
        right += _right(evidence)
    return right / 2


def _right(evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of trials with most evidence for the right stimulus: shape (bins,).

    `evidence` has the shape (S, trials, bins, S').
    """
    stimulus = np.arange(evidence.shape[0])[:, None, None]
    return np.asarray((evidence.argmax(axis=-1) == stimulus).mean(axis=(0, 1)))
