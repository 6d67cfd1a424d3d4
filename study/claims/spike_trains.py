"""How precise and how repeatable spike trains are over trials of one stimulus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Trains = NDArray[np.integer]
"""Spikes 0 and 1 of one neuron: (trials, steps)."""

CATCH = 8
"""A spike belongs to an event at most this many steps away."""

KERNEL_STEPS = 3.0
"""Standard deviation of the Gaussian that trains are smoothed by for their reliability."""


def fano_factor(counts: NDArray[np.integer]) -> float:
    """Return variance by mean of spike counts over trials; NaN if there is no spike.

    1 for Poisson counts, 1 - p for Bernoulli steps of chance p, 0 if every trial has as many.
    """
    values = np.asarray(counts, np.float64)
    mean = float(values.mean())
    return float(values.var(ddof=1)) / mean if mean > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Precision:
    """Of the spikes around the events of one stimulus, means over its events.

    Attributes
    ----------
    jitter : float
        Standard deviation over trials of the time of an event's spike, in steps; NaN if none.
    found : float
        Share of trials that have a spike for the event.
    """

    jitter: float
    found: float


def spike_precision(trains: Trains, events: NDArray[np.integer]) -> Precision:
    """Return how precisely and how often trials have the spikes of the noiseless response.

    Each time in `events` (ascending) has an interval around it, `CATCH` steps either way but no
    farther than half way to its neighbours. Of a trial's spikes there the nearest counts, the
    later one of two that are equally near. Precision and reliability of events: Mainen and
    Sejnowski 1995; Berry, Warland and Meister 1997. Spikes that know nothing of the event give
    `chance_jitter`.
    """
    steps = trains.shape[1]
    jitters, found = [], []
    for number, event in enumerate(events):
        first = max(int(event) - CATCH, 0)
        last = min(int(event) + CATCH, steps - 1)
        if number > 0:
            first = max(first, (int(events[number - 1]) + int(event)) // 2 + 1)
        if number + 1 < events.size:
            last = min(last, (int(event) + int(events[number + 1])) // 2)
        offsets = np.arange(first, last + 1) - int(event)
        # A quarter decides between two equally near: the later one.
        distance = np.abs(offsets) + np.where(offsets < 0, 0.25, 0.0)
        inside = trains[:, first : last + 1] > 0
        nearest = np.where(inside, distance, np.inf).argmin(axis=1)
        some = inside.any(axis=1)
        found.append(float(some.mean()))
        if np.count_nonzero(some) > 1:
            jitters.append(float(offsets[nearest[some]].std(ddof=1)))
    if not found:
        return Precision(float("nan"), float("nan"))
    return Precision(float(np.mean(jitters)) if jitters else float("nan"), float(np.mean(found)))


def chance_jitter() -> float:
    """Return the jitter of single spikes that are equally likely anywhere in a whole interval.

    >>> round(chance_jitter(), 3)              # uniform on -8 ..= 8: sqrt((17^2 - 1) / 12)
    4.899
    """
    return float(np.arange(-CATCH, CATCH + 1).std())


def reliability(trains: Trains) -> float:
    """Return the mean correlation of all pairs of trials, smoothed by a Gaussian.

    Schreiber, Fellous, Whitmer, Tiesinga and Sejnowski 2003: the cosine between two smoothed
    trains; 0 with a train that has no spike. The kernel's standard deviation is `KERNEL_STEPS`.

    >>> round(reliability(np.eye(1, 40, 20, dtype=np.int64).repeat(3, axis=0)), 12)
    1.0
    """
    smooth = trains.astype(np.float64) @ gaussian_kernel(trains.shape[1], KERNEL_STEPS)
    size = np.linalg.norm(smooth, axis=1, keepdims=True)
    unit = np.divide(smooth, size, out=np.zeros_like(smooth), where=size > 0)
    trials = int(unit.shape[0])
    # The square of the sum has every pair twice, and every train with itself.
    own = float((unit**2).sum())
    return (float((unit.sum(axis=0) ** 2).sum()) - own) / (trials * (trials - 1))


def gaussian_kernel(steps: int, width: float) -> NDArray[np.float64]:
    """Return the matrix that smooths rows of `steps` values: shape (steps, steps)."""
    times = np.arange(steps)
    return np.asarray(np.exp(-0.5 * ((times[:, None] - times) / width) ** 2))
