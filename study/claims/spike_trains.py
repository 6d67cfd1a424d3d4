"""Precision and reliability of spike trains over trials of one stimulus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Trains = NDArray[np.integer]
"""Spikes of one neuron as 0 and 1: (trials, steps)."""

CATCH = 8
"""Largest distance of a spike from its event, in steps."""

KERNEL_STEPS = 3.0
"""Standard deviation in steps of the Gaussian that smooths trains for `reliability`."""


def fano_factor(counts: NDArray[np.integer]) -> float:
    """Return the variance of spike counts over trials divided by their mean; NaN without spikes.

    It is 1 for Poisson counts, 1 - p for Bernoulli steps with probability p, and 0 for constants.
    """
    values = np.asarray(counts, np.float64)
    mean = float(values.mean())
    return float(values.var(ddof=1)) / mean if mean > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Precision:
    """Precision of the spikes around the events of one stimulus, as means over the events.

    Attributes
    ----------
    jitter : float
        Standard deviation over trials of the time of the spike, in steps; NaN without spikes.
    found : float
        Share of trials with a spike for the event.
    """

    jitter: float
    found: float


def spike_precision(trains: Trains, events: NDArray[np.integer]) -> Precision:
    """Return the precision with which trials repeat the spikes of the noiseless response.

    Each event has an interval of up to `CATCH` steps on either side, which ends half way to its
    neighbours. The nearest spike of a trial in this interval counts, and the later one of two at
    the same distance. For the precision and reliability of events see Mainen and Sejnowski 1995,
    and Berry, Warland and Meister 1997. Spikes that are independent of the event have the jitter
    `chance_jitter`.

    Parameters
    ----------
    trains : (trials, steps) int
        Spikes as 0 and 1.
    events : (E,) int
        Ascending steps of the noiseless spikes.
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
        # The quarter step breaks ties in favour of the later spike.
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
    """Return the jitter in steps of spikes that are uniformly distributed over a whole interval.

    >>> round(chance_jitter(), 3)              # uniform on -8 ..= 8: sqrt((17^2 - 1) / 12)
    4.899
    """
    return float(np.arange(-CATCH, CATCH + 1).std())


def reliability(trains: Trains) -> float:
    """Return the mean correlation of all pairs of trials after Gaussian smoothing.

    The correlation is the cosine of two smoothed trains (Schreiber, Fellous, Whitmer, Tiesinga and
    Sejnowski 2003), and 0 for a train without spikes. The kernel's standard deviation is
    `KERNEL_STEPS`.

    >>> round(reliability(np.eye(1, 40, 20, dtype=np.int64).repeat(3, axis=0)), 12)
    1.0
    """
    smooth = trains.astype(np.float64) @ gaussian_kernel(trains.shape[1], KERNEL_STEPS)
    size = np.linalg.norm(smooth, axis=1, keepdims=True)
    unit = np.divide(smooth, size, out=np.zeros_like(smooth), where=size > 0)
    trials = int(unit.shape[0])
    # The square of the sum counts every pair twice and every train with itself.
    self_products = float((unit**2).sum())
    return (float((unit.sum(axis=0) ** 2).sum()) - self_products) / (trials * (trials - 1))


def gaussian_kernel(steps: int, width: float) -> NDArray[np.float64]:
    """Return the matrix that smooths rows with a standard deviation `width`: (steps, steps)."""
    times = np.arange(steps)
    return np.asarray(np.exp(-0.5 * ((times[:, None] - times) / width) ** 2))
