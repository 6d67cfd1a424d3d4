"""Encoders: from intensities in 0 ..= 1 to input events.

Intensities are quantised to ``round(x * 2**16)``. All later arithmetic is on integers, so that the
same picture gives the same spikes on every machine. `bitlif.tasks.encoding.Encoder` scales data of
any range, and applies these codes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    require_choice,
    require_int,
    require_real,
)
from bitlif.model.events import Events

from .spike_codes import (
    ONE,
    SILENT_BELOW,
    WIDTH_STEPS,
    crossings,
    latency_spikes,
    receptive_fields,
    regular_spikes,
    resampled,
)

SCALE_BITS = 16
MOST_FIELDS = 256
REFERENCES = ("first", "middle")
CODES = ("rate", "latency")


def _quantised(
    intensities: NDArray[np.floating], shape: str = "(windows, inputs)"
) -> NDArray[np.int64]:
    array = np.asarray(intensities)
    if array.ndim != shape.count(",") + 1 or array.dtype.kind not in "fiu":
        raise BitlifTypeError(
            f"intensities must be numbers of shape {shape}, "
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


def encode_population(
    intensities: NDArray[np.floating],
    steps: int,
    *,
    fields: int = 8,
    width: float = 1.0,
    code: str = "rate",
    max_rate: float = 0.5,
) -> Events:
    """Return spikes of a population of inputs with Gaussian receptive fields.

    Each intensity is represented by `fields` inputs, whose centres are evenly spaced from 0 to 1.
    The activation of an input is ``exp(-(x - centre)**2 / (2 * s**2))``, computed in integers.

    Parameters
    ----------
    intensities : (windows, features) float
        In 0 ..= 1.
    steps : int
        Steps per window.
    fields : int
        Inputs per feature, 2 ..= `MOST_FIELDS`.
    width : float
        Standard deviation s in distances of two centres, 0.125 ..= 8.
    code : str
        ``"rate"``: evenly spaced spikes at the activation times `max_rate`. ``"latency"``: one
        spike, earlier for a higher activation, and none below an activation of 0.1.
    max_rate : float
        Spikes per step at activation 1, in 0 ..= 1.

    Returns
    -------
    Events
        Of ``features * fields`` inputs; those of a feature are neighbours.

    Raises
    ------
    BitlifError
        If an argument is out of range.

    Examples
    --------
    >>> encode_population(np.array([[0.0, 0.5]]), 8, fields=3).counts().tolist()
    [[4, 2, 0, 2, 4, 2]]
    """
    steps = require_int("steps", steps, 1, 1 << 20)
    rate = int(require_real("max_rate", max_rate, 0.0, 1.0) * ONE + 0.5)
    active = receptive_fields(
        _quantised(intensities), require_int("fields", fields, 2, MOST_FIELDS), field_width(width)
    )
    if require_choice("code", code, CODES) == "latency":
        return Events.from_raster(latency_spikes(np.where(active < SILENT_BELOW, 0, active), steps))
    rates = np.repeat((active * rate)[:, None, :], steps, axis=1)
    return Events.from_raster(regular_spikes(rates, np.zeros(active.shape[1], np.int64)))


def field_width(width: float) -> int:
    """Return the width of receptive fields as `receptive_fields` expects it, checked."""
    return round(require_real("width", width, 0.125, 8.0) * WIDTH_STEPS)


def encode_level_crossing(
    signals: NDArray[np.floating], steps: int, *, delta: float = 0.1, reference: str = "first"
) -> Events:
    """Return spikes where time series cross levels that are `delta` apart (delta modulation).

    Each channel has two inputs. Input ``2 * c`` spikes in a step in which channel c is at least
    `delta` above its reference, which then rises by `delta`; input ``2 * c + 1`` in a step in which
    it is at least `delta` below, and the reference falls. A jump takes several steps.

    Parameters
    ----------
    signals : (windows, channels, samples) float
        In 0 ..= 1. Series of more samples than steps are averaged in groups, shorter ones are
        interpolated linearly.
    steps : int
        Steps per window.
    delta : float
        Distance of two levels, above 0 and at most 1.
    reference : str
        Level at the start of a window: ``"first"``, the first value, so that only changes spike;
        or ``"middle"``, 0.5, so that the first spikes tell the level at which the series begins.

    Raises
    ------
    BitlifError
        If an argument is out of range.

    Examples
    --------
    >>> events = encode_level_crossing(np.array([[[0.0, 0.2, 0.4, 0.3]]]), 4, delta=0.2)
    >>> events.times.tolist(), events.addresses.tolist()
    ([1, 2], [0, 0])
    """
    steps = require_int("steps", steps, 1, 1 << 20)
    levels = _quantised(signals, "(windows, channels, samples)")
    if levels.shape[2] == 0:
        raise BitlifError("signals must have at least one sample per window, not 0")
    levels = resampled(levels, steps)
    first = require_choice("reference", reference, REFERENCES) == "first"
    start = levels[:, :, 0] if first else ONE // 2
    return Events.from_raster(crossings(levels, delta_level(delta), start))


def delta_level(delta: float) -> int:
    """Return the distance of two levels as an integer from 1, checked."""
    return max(1, round(require_real("delta", delta, 0.0, 1.0, open_low=True) * ONE))
