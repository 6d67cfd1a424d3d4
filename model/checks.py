"""Arrays that a layer is given: of the right shape, dtype and range, or one clear error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .config import Config
from .errors import BitlifError, BitlifTypeError
from .events import Events

Integers = NDArray[np.integer]


def check_weights(config: Config, weights: Integers) -> Integers:
    """Return raw weights of shape (N, M) if they fit the configuration; else raise."""
    array = np.asarray(weights)
    shape = (config.layer.inputs, config.layer.neurons)
    if array.shape != shape or not np.issubdtype(array.dtype, np.integer):
        raise BitlifTypeError(
            f"weights must be integers of shape (inputs, neurons) = {shape}, "
            f"not {array.dtype} of shape {array.shape}"
        )
    _require_range("weights", array, config.synapse.weight.raw_min, config.synapse.weight.raw_max)
    return array


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


def check_targets(config: Config, targets: Integers, windows: int) -> NDArray[np.uint16]:
    """Return raw targets as (W, T or 1, M) uint16 if they fit the configuration; else raise."""
    array = np.asarray(targets)
    neurons, steps = config.layer.neurons, config.window.steps
    shapes = ((windows, neurons), (windows, steps, neurons))
    if array.shape not in shapes or not np.issubdtype(array.dtype, np.integer):
        raise BitlifTypeError(
            f"targets must be integers of shape {shapes[0]} or {shapes[1]}, "
            f"not {array.dtype} of shape {array.shape}"
        )
    _require_range("targets", array, 0, 1 << config.error.target_bits)
    if array.ndim == 2:
        array = array[:, None, :]
    return np.ascontiguousarray(array, np.uint16)


def _require_range(name: str, array: Integers, low: int, high: int) -> None:
    if array.size and (array.min() < low or array.max() > high):
        wrong = int(array.min()) if array.min() < low else int(array.max())
        raise BitlifError(f"{name} must be in {low} ..= {high}, not {wrong}")
