"""Targets in time: spikes at given steps, a first spike, a number of spikes.

All functions return real targets, 0 ..= 1, which `bitlif.Core.learn` accepts on every backend.

A layer learns the probability of a spike in each step. A target spike is therefore a target near 1
in its step, or in a few steps around it (`width`), and 0 elsewhere. A spike count is a constant
target: the count by the number of steps. It says nothing about time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.arrays import as_array
from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    require_choice,
    require_int,
    require_real,
)
from bitlif.model.events import Events
from bitlif.model.labels import label_targets, neuron_codes
from bitlif.model.text import array_kind

KERNELS = ("box", "triangle")
"""Shapes of a target spike over its width."""

MOST_STEPS = 1 << 20

NO_SPIKE = -1
"""Time that means that there is no spike."""


def spike_time_targets(
    times: Any, steps: int, *, width: int = 1, kernel: str = "box", peak: float = 1.0
) -> NDArray[np.float64]:
    """Return targets with spikes at given times: (W, T, M) float64.

    Parameters
    ----------
    times : (W, M) or (W, M, S) integers, or Events
        Step of each neuron's spike, or of up to S spikes, in each window; `NO_SPIKE`, -1, where
        there is none. Events are target spikes whose units are the neurons.
    steps : int
        T, steps per window.
    width : int
        Steps of a target spike, centred on its time; of an even number, the later one is added.
    kernel : str
        ``"box"``: `peak` in all steps of the width. ``"triangle"``: `peak` at the time, falling
        linearly to 0 just outside the width.
    peak : float
        Largest target, 0 ..= 1.

    Raises
    ------
    BitlifError
        If a time is out of range, or an argument has the wrong type, shape or range.

    Notes
    -----
    Where target spikes overlap, the larger target holds. A neuron that spikes is reset, so that
    with a width of w it is asked to spike up to w times.

    Examples
    --------
    >>> spike_time_targets([[1, -1]], 4).tolist()
    [[[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]
    >>> spike_time_targets([[2]], 5, width=3, kernel="triangle")[0, :, 0].tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    steps = require_int("steps", steps, 1, MOST_STEPS)
    width = require_int("width", width, 1, steps)
    require_choice("kernel", kernel, KERNELS)
    peak = require_real("peak", peak, 0.0, 1.0)
    window, step, neuron, shape = _spikes(times, steps)
    targets = np.zeros((shape[0], steps, shape[1]))
    for offset in range(-((width - 1) // 2), width // 2 + 1):
        # A triangle of this width is 0 at the first steps outside of it.
        reach = (width - 1) // 2 + 1 if offset <= 0 else width // 2 + 1
        level = peak if kernel == "box" else peak * (1.0 - abs(offset) / reach)
        there = (step + offset >= 0) & (step + offset < steps)
        place = window[there], step[there] + offset, neuron[there]
        np.maximum.at(targets, place, level)
    return targets


def first_spike_targets(
    labels: Any, neurons: int, steps: int, *, time: int, width: int = 1, peak: float = 1.0
) -> NDArray[np.float64]:
    """Return targets for the readout ``first_spike``: (W, T, M) float64.

    The neuron of the class is to spike at `time`, once, and the others not at all. All neurons are
    taught to be silent before.

    Parameters
    ----------
    labels : (W,) integers
        Class of each window: the number of its neuron.
    neurons, steps : int
        M and T.
    time : int
        Step of the spike. Early enough, and late enough that the inputs up to it tell the classes
        apart.
    width : int
        Steps from `time` on in which the spike may be.
    peak : float
        Target in these steps.

    Raises
    ------
    BitlifError
        If a label is no neuron, or an argument is out of range.

    Examples
    --------
    >>> first_spike_targets([1], 2, 4, time=2).tolist()
    [[[0.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]
    """
    steps = require_int("steps", steps, 1, MOST_STEPS)
    neurons = require_int("neurons", neurons, 1, 1 << 20)
    time = require_int("time", time, 0, steps - 1)
    width = require_int("width", width, 1, steps - time)
    codes = neuron_codes(labels, neurons)
    targets = np.zeros((codes.size, steps, neurons))
    targets[:, time : time + width] = label_targets(codes, neurons, peak)[:, None]
    return targets


def count_targets(counts: Any, steps: int) -> NDArray[np.float64]:
    """Return targets for numbers of spikes per window: the counts by the steps, (W, M) float64.

    Parameters
    ----------
    counts : (W, M) integers or floats
        Spikes of each neuron in each window, 0 ..= T.
    steps : int
        T.

    Raises
    ------
    BitlifError
        If a count is out of range, or they are not numbers of shape (W, M).

    Examples
    --------
    >>> count_targets([[8, 0]], 16).tolist()
    [[0.5, 0.0]]
    """
    steps = require_int("steps", steps, 1, MOST_STEPS)
    array = as_array("counts", counts)
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise BitlifTypeError(
            f"counts must be numbers of shape (windows, neurons), not {array_kind(array)}"
        )
    wrong = array[~((array >= 0) & (array <= steps))]
    if wrong.size:
        raise BitlifError(f"counts must be in 0 ..= {steps}, the steps, not {wrong[0]:g}")
    return np.asarray(array, np.float64) / steps


def _spikes(
    times: Any, steps: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], tuple[int, int]]:
    """Return window, step and neuron of each target spike, and (windows, neurons)."""
    if isinstance(times, Events):
        if times.steps != steps:
            raise BitlifError(f"times must have {steps} steps per window, not {times.steps}")
        window, step = np.divmod(times.times, steps)
        return window, step, times.addresses.astype(np.int64), (times.windows, times.units)
    array = as_array("times", times)
    if array.ndim not in (2, 3) or array.dtype.kind not in "iu":
        raise BitlifTypeError(
            f"times must be Events, or integers of shape (windows, neurons) or (windows, neurons, "
            f"spikes), not {array_kind(array)}"
        )
    wrong = array[(array < NO_SPIKE) | (array >= steps)]
    if wrong.size:
        raise BitlifError(f"times must be in 0 ..= {steps - 1}, or -1 for none, not {wrong[0]}")
    whole = array[:, :, None] if array.ndim == 2 else array
    window, neuron, place = np.nonzero(whole != NO_SPIKE)
    step = whole[window, neuron, place].astype(np.int64)
    return window, step, neuron, (array.shape[0], array.shape[1])
