"""Codes of hidden layers: sparseness, precision, and controls that destroy counts or times.

A code is the spikes of a layer as 0 and 1: shape (W, T, H) for W windows, T steps and H neurons.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .spike_trains import CATCH, Precision

Raster = NDArray[np.uint8]


def shuffle_times(raster: Raster, block: int, seed: int) -> Raster:
    """Return a code whose spike times are permuted within blocks of steps; counts are kept.

    Each neuron has permutations of its own in each window and block, drawn from `seed`.

    Parameters
    ----------
    raster : (W, T, H) uint8
    block : int
        Steps of a block, at least 1; the last one may be shorter. 1 changes nothing, and T shuffles
        the whole window.
    seed : int

    Returns
    -------
    (W, T, H) uint8
    """
    random = np.random.default_rng([seed, block, 0x5F1E])
    steps = raster.shape[1]
    parts = [
        random.permuted(raster[:, first : first + block], axis=1)
        for first in range(0, steps, block)
    ]
    return np.concatenate(parts, axis=1)


def first_spikes(raster: Raster) -> Raster:
    """Return a code with only the first spike of each neuron: shape (W, T, H).

    >>> first_spikes(np.array([[[0], [1], [1]]], np.uint8)).ravel().tolist()
    [0, 1, 0]
    """
    return np.asarray(raster * (raster.cumsum(axis=1) == 1), np.uint8)


def latencies(raster: Raster) -> NDArray[np.int64]:
    """Return the step of each neuron's first spike, and T for silent ones: shape (W, H)."""
    fired = raster.any(axis=1)
    return np.asarray(np.where(fired, raster.argmax(axis=1), raster.shape[1]), np.int64)


def equal_counts(raster: Raster) -> Raster:
    """Return a code in which each neuron spikes once, at its first spike: shape (W, T, H).

    Silent neurons spike in the last step, so that no count tells anything.

    >>> equal_counts(np.array([[[0, 0], [1, 0], [1, 0]]], np.uint8)).tolist()
    [[[0, 0], [1, 0], [0, 1]]]
    """
    return _once(np.minimum(latencies(raster), raster.shape[1] - 1), raster.shape[1])


def ranked(raster: Raster) -> Raster:
    """Return a code in which each neuron spikes once, at a step given by its rank: (W, T, H).

    The rank is the number of neurons whose first spike is earlier; ranks 0 to H - 1 are spread
    evenly over the window. Only the order of the first spikes is left.

    >>> ranked(np.array([[[0, 0], [1, 0], [1, 1]]], np.uint8)).tolist()
    [[[1, 0], [0, 0], [0, 1]]]
    """
    _, steps, neurons = raster.shape
    first = latencies(raster)
    # The sorted latencies before the first one that is not smaller.
    ranks = np.array(
        [np.searchsorted(np.sort(row), row, side="left") for row in first], np.int64
    ).reshape(first.shape)
    return _once(ranks * (steps - 1) // max(neurons - 1, 1), steps)


def _once(when: NDArray[np.int64], steps: int) -> Raster:
    """Return a code in which each neuron spikes once, at the given step: (W, steps, H)."""
    return np.asarray(np.arange(steps)[:, None] == when[:, None, :], np.uint8)


def sparseness(rates: NDArray[np.floating], axis: int) -> NDArray[np.float64]:
    """Return the sparseness of rates along an axis: 0 if all are equal, 1 if only one is not 0.

    S = (1 - mean(r)^2 / mean(r^2)) / (1 - 1/n) (Vinje and Gallant 2000, after Rolls and Tovee
    1995). It is NaN where all rates are 0.

    >>> sparseness(np.array([[1.0, 1.0], [0.0, 3.0]]), axis=1).tolist()
    [0.0, 1.0]
    """
    values = np.asarray(rates, np.float64)
    count = values.shape[axis]
    squares = (values**2).mean(axis=axis)
    activity = np.full(squares.shape, np.nan)
    np.divide(values.mean(axis=axis) ** 2, squares, out=activity, where=squares > 0)
    return np.asarray((1 - activity) / (1 - 1 / count))


def population_sparseness(raster: Raster) -> float:
    """Return the mean over windows of the sparseness of counts over neurons; NaN if all silent."""
    return _known_mean(sparseness(raster.sum(axis=1, dtype=np.int64), axis=1))


def lifetime_sparseness(raster: Raster) -> float:
    """Return the mean over neurons of the sparseness of counts over windows; NaN if all silent.

    Neurons that never spike are left out.
    """
    return _known_mean(sparseness(raster.sum(axis=1, dtype=np.int64), axis=0))


def latency_jitter(trains: Raster) -> float:
    """Return the standard deviation over trials of the time of the first spike, in steps.

    It is the mean over stimuli and neurons with a spike in every trial; NaN if there is none.

    Parameters
    ----------
    trains : (S, trials, T, H) uint8
        Spikes of all trials of S stimuli; at least two trials.
    """
    stimuli, trials, steps, neurons = trains.shape
    first = latencies(trains.reshape(stimuli * trials, steps, neurons))
    first = first.reshape(stimuli, trials, neurons)
    spread = np.where((first < steps).all(axis=1), first.std(axis=1, ddof=1), np.nan)
    return _known_mean(spread)


def _known_mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def silent_share(raster: Raster) -> float:
    """Return the share of neurons that spike in no window."""
    return float(1 - raster.any(axis=(0, 1)).mean())


def code_precision(trains: Raster, noiseless: Raster) -> Precision:
    """Return the precision of repeated codes around the spikes of the noiseless one.

    It is the mean over all events of all stimuli and neurons of what
    `bitlif.study.claims.spike_trains.spike_precision` measures for the events of one neuron.

    Parameters
    ----------
    trains : (S, trials, T, H) uint8
        Spikes of all trials of S stimuli; at least two trials.
    noiseless : (S, T, H) uint8
    """
    steps = trains.shape[2]
    stimulus, neuron, event = np.nonzero(noiseless.transpose(0, 2, 1))
    if event.size == 0:
        return Precision(float("nan"), float("nan"))
    same = (np.diff(stimulus) == 0) & (np.diff(neuron) == 0)
    middle = (event[:-1] + event[1:]) // 2
    first = np.maximum(event - CATCH, 0)
    first[1:] = np.where(same, np.maximum(first[1:], middle + 1), first[1:])
    last = np.minimum(event + CATCH, steps - 1)
    last[:-1] = np.where(same, np.minimum(last[:-1], middle), last[:-1])
    offsets = np.arange(-CATCH, CATCH + 1)
    when = event[:, None] + offsets
    allowed = (when >= first[:, None]) & (when <= last[:, None])
    clipped = when.clip(0, steps - 1)
    inside = trains[stimulus[:, None], :, clipped, neuron[:, None]].transpose(0, 2, 1) > 0
    inside &= allowed[:, None, :]
    # The quarter step breaks ties in favour of the later spike.
    distance = np.abs(offsets) + np.where(offsets < 0, 0.25, 0.0)
    nearest = offsets[np.where(inside, distance, np.inf).argmin(axis=2)].astype(np.float64)
    some: NDArray[np.bool_] = np.asarray(inside.any(axis=2))
    hits = some.sum(axis=1)
    found = float(some.mean())
    enough = hits > 1
    if not enough.any():
        return Precision(float("nan"), found)
    nearest, some, hits = nearest[enough], some[enough], hits[enough]
    centre = (nearest * some).sum(axis=1) / hits
    squares = (((nearest - centre[:, None]) * some) ** 2).sum(axis=1)
    return Precision(float(np.sqrt(squares / (hits - 1)).mean()), found)
