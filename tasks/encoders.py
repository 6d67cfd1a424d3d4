"""Encoders: from intensities in 0 ..= 1 to input events.

Intensities are quantised to ``round(x * 2**16)``. All later arithmetic is on integers, so that the
same picture gives the same spikes on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, BitlifTypeError, require_int, require_real
from bitlif.model.events import Events

SCALE_BITS = 16


def _quantised(intensities: NDArray[np.floating]) -> NDArray[np.int64]:
    array = np.asarray(intensities)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise BitlifTypeError(
            f"intensities must be numbers of shape (windows, inputs), "
            f"not {array.dtype} of shape {array.shape}"
        )
    if array.size and not (array.min() >= 0.0 and array.max() <= 1.0):
        inside = (array >= 0.0) & (array <= 1.0)
        raise BitlifError(f"intensities must be in 0 ..= 1, not {array[~inside][0]}")
    return np.floor(array.astype(np.float64) * (1 << SCALE_BITS) + 0.5).astype(np.int64)


def encode_rate(
    intensities: NDArray[np.floating],
    steps: int,
    *,
    max_rate: float = 0.5,
    seed: int | None = None,
    regular: bool = False,
) -> Events:
    """Return spikes at a rate of the intensity times `max_rate`.

    Parameters
    ----------
    intensities : (windows, inputs) float
        In 0 ..= 1.
    steps : int
        Steps per window.
    max_rate : float
        Spikes per step at intensity 1, in 0 ..= 1.
    seed : int or None
        Seed of the draws, or, if `regular`, of a phase per input and window (None: all zero).
    regular : bool
        True: evenly spaced spikes, the first delayed by the phase. False: one draw per step.

    Raises
    ------
    BitlifError
        If an intensity, rate or number of steps is out of range, or drawn spikes have no seed.

    Examples
    --------
    >>> encode_rate(np.array([[1.0, 0.5]]), 4, regular=True).counts().tolist()
    [[2, 1]]
    """
    steps = require_int("steps", steps, 1, 1 << 20)
    max_rate = require_real("max_rate", max_rate, 0.0, 1.0)
    rate = int(max_rate * (1 << SCALE_BITS) + 0.5)
    # 2**32 is one spike per step: intensities and rates have 16 bits each.
    per_step = _quantised(intensities) * rate
    one = 1 << (2 * SCALE_BITS)
    windows, inputs = per_step.shape
    if seed is not None:
        seed = require_int("seed", seed, 0, (1 << 64) - 1)
    if regular:
        phase: NDArray[np.int64] = np.zeros((windows, inputs), np.int64)
        if seed is not None:
            phase = np.random.default_rng(seed).integers(0, one, (windows, inputs))
        edges = per_step[:, None, :] * np.arange(steps + 1)[:, None] + phase[:, None, :]
        return Events.from_raster(np.diff(edges >> (2 * SCALE_BITS), axis=1) > 0)
    if seed is None:
        raise BitlifError("seed must be an integer when spikes are drawn, not None")
    draws = np.random.default_rng(seed).integers(0, one, (windows, steps, inputs), np.int64)
    # Strictly less: a rate of k / 2**32 spikes in exactly k of 2**32 draws.
    return Events.from_raster(draws < per_step[:, None, :])


def encode_latency(intensities: NDArray[np.floating], steps: int) -> Events:
    """Return one spike per input and window: brighter inputs spike earlier, intensity 0 never.

    Intensity 1 spikes at step 0; the smallest intensity above 0, ``2**-16``, at the last step (of
    up to 32769).

    >>> encode_latency(np.array([[1.0, 0.5, 0.0]]), 5).times.tolist()
    [0, 2]
    """
    steps = require_int("steps", steps, 1, 1 << 20)
    level = _quantised(intensities)
    one = 1 << SCALE_BITS
    time = ((one - level) * (steps - 1) + one // 2) >> SCALE_BITS
    window, unit = np.nonzero(level)
    return Events.from_times(
        window * steps + time[window, unit],
        unit,
        steps=steps,
        units=level.shape[1],
        windows=level.shape[0],
    )
