"""Arrays that a layer is given: of the right shape, dtype and range, or one clear error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config.config import Config
from .config.remarks import idle_rate
from .errors import BitlifError, BitlifTypeError, warn
from .events import Events
from .text import array_kind

Integers = NDArray[np.integer]


def check_weights(config: Config, weights: Integers) -> NDArray[np.int64]:
    """Return raw weights of shape (N, M) as int64 if they fit the configuration; else raise."""
    array = np.asarray(weights)
    check_weight_shape(config, array)
    _require_range("weights", array, config.synapse.weight.raw_min, config.synapse.weight.raw_max)
    # One kind for all that compute with them: NumPy adds uint64 to int64 in floating point.
    return np.ascontiguousarray(array, np.int64)


def check_weight_shape(config: Config, weights: NDArray[Any]) -> None:
    """Raise unless weights are integers of shape (N, M)."""
    shape = (config.layer.inputs, config.layer.neurons)
    if weights.shape != shape or not np.issubdtype(weights.dtype, np.integer):
        raise BitlifTypeError(
            f"weights must be integers of shape (inputs, neurons) = {shape}, "
            f"not {array_kind(weights)}"
        )


def check_events(config: Config, events: Events) -> None:
    """Raise unless `events` are windows of the configuration's inputs and steps."""
    if not isinstance(events, Events):
        raise BitlifTypeError(f"events must be Events, not {type(events).__name__}")
    units, steps = config.layer.inputs, config.window.steps
    if events.units != units or events.steps != steps:
        raise BitlifError(
            f"events must have {units} units and {steps} steps a window, "
            f"not {events.units} and {events.steps}"
        )


def check_targets(
    config: Config, targets: Integers, windows: int, *, meant: bool = False
) -> NDArray[np.uint16]:
    """Return raw targets as (W, T or 1, M) uint16 if they fit the configuration; else raise.

    Integers are raw: 1 is the least target above 0, not a spike in every step. Small ones are
    warned of (`warn_of_small`) unless they are `meant`, or are uint16 as `target_levels` gives.
    """
    array = np.asarray(targets)
    check_target_shape(config, array, windows)
    if not np.issubdtype(array.dtype, np.integer):
        raise _target_error(config, array, windows)
    _require_range("targets", array, 0, 1 << config.error.target_bits)
    if not meant and array.dtype != np.uint16:
        warn_of_small(config, array)
    if array.ndim == 2:
        array = array[:, None, :]
    return np.ascontiguousarray(array, np.uint16)


def check_target_shape(config: Config, targets: NDArray[Any], windows: int) -> None:
    """Raise unless targets of any numbers have a row a window or a row a step."""
    if targets.shape not in _target_shapes(config, windows):
        raise _target_error(config, targets, windows)


def _target_shapes(config: Config, windows: int) -> tuple[tuple[int, ...], ...]:
    neurons, steps = config.layer.neurons, config.window.steps
    return (windows, neurons), (windows, steps, neurons)


def _target_error(config: Config, targets: NDArray[Any], windows: int) -> BitlifTypeError:
    row, rows = _target_shapes(config, windows)
    return BitlifTypeError(
        f"targets must be integers of shape {row} or {rows}, not {array_kind(targets)}"
    )


def _require_range(name: str, array: Integers, low: int, high: int) -> None:
    if array.size and (array.min() < low or array.max() > high):
        wrong = int(array.min()) if array.min() < low else int(array.max())
        raise BitlifError(f"{name} must be in {low} ..= {high}, not {wrong}")


def warn_of_small(config: Config, targets: Integers, prefix: str = "") -> None:
    """Warn of raw targets that read like real ones of 0 and 1, or like counts of spikes.

    These are all at most 1/16, and either all of them 0 or 1, or all less than a spike in a window.
    """
    one, most = 1 << config.error.target_bits, int(targets.max(initial=0))
    if 0 < 16 * most <= one and (most == 1 or most * config.window.steps < one):
        warn(
            f"{prefix}targets are raw integers here, 0 ..= {one}: the largest, {most}, means "
            f"{most}/{one} = {most / one:.2g} of a spike a step; if {most} itself was meant, "
            f"give real ones in 0 ..= 1"
        )


def warn_of_idle(config: Config) -> None:
    """Warn if the schedule's rates are so small that learning can change no weight."""
    if remark := idle_rate(config):
        warn(remark)
