"""Validation of the arrays passed to a layer: shape, dtype and range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_array
from .config.config import Config
from .config.network import NetworkConfig
from .config.remarks import idle_rate
from .errors import BitlifError, BitlifTypeError, located_in_layer, warn
from .events import Events
from .result import Result
from .table import has_table
from .targets import (
    RAW,
    REAL,
    as_target_array,
    is_uint16,
    levels_of,
    real_targets,
    warn_of_small,
    warn_of_zeros,
)
from .text import array_kind, quoted

Integers = NDArray[np.integer]
Reals = NDArray[np.float64]

Spikes = Events | Result
"""Input spikes: events, or the result of a layer whose output spikes are meant."""


def check_weights(config: Config, weights: Integers) -> NDArray[np.int64]:
    """Return raw weights as an int64 array of shape (N, M).

    Raises
    ------
    BitlifError
        If the shape or dtype is wrong, or a weight is outside the weight format.
    """
    array = as_array("weights", weights)
    check_weight_shape(config, array)
    _require_range("weights", array, config.synapse.weight.raw_min, config.synapse.weight.raw_max)
    # All callers get the same dtype: NumPy adds uint64 to int64 in floating point.
    return np.ascontiguousarray(array, np.int64)


def check_weight_shape(config: Config, weights: NDArray[Any]) -> None:
    """Raise unless weights are integers of shape (N, M)."""
    shape = (config.layer.inputs, config.layer.neurons)
    if weights.shape != shape or not np.issubdtype(weights.dtype, np.integer):
        raise BitlifTypeError(
            f"weights must be integers of shape (inputs, neurons) = {shape}, "
            f"not {array_kind(weights)}"
        )


def check_real_weights(config: Config, weights: NDArray[Any]) -> Reals:
    """Return a float64 copy of real weights of shape (N, M).

    Warns of integers outside the weight format, which are likely to be raw weights.

    Raises
    ------
    BitlifError
        If the shape or dtype is wrong, or a weight is infinite or NaN.
    """
    array = as_array("weights", weights)
    shape = (config.layer.inputs, config.layer.neurons)
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise BitlifTypeError(
            f"weights must be numbers of shape (inputs, neurons) = {shape}, not {array_kind(array)}"
        )
    if not np.isfinite(array).all():
        raise BitlifError(f"weights must be finite, not {array[~np.isfinite(array)][0]}")
    fmt = config.synapse.weight
    low, high = (float(fmt.real(raw)) for raw in (fmt.raw_min, fmt.raw_max))
    if array.dtype.kind in "iu" and not low <= array.min() <= array.max() <= high:
        warn(
            f"integer weights up to {abs(array).max()} are read as real numbers here; raw weights "
            f"must be multiplied by their LSB, {float(fmt.lsb):g}"
        )
    return np.array(array, np.float64)


def check_events(config: Config, spikes: Spikes) -> Events:
    """Return input spikes as events.

    Parameters
    ----------
    config : Config
    spikes : Events or Result
        A result stands for its output spikes, so that layers can be chained.

    Raises
    ------
    BitlifTypeError
        If `spikes` is of another type.
    BitlifError
        If the number of units or of steps per window is not that of the configuration.
    """
    if not isinstance(spikes, (Events, Result)):
        raise BitlifTypeError(f"events must be Events or a Result, not {type(spikes).__name__}")
    events = spikes.spikes if isinstance(spikes, Result) else spikes
    units, steps = config.layer.inputs, config.window.steps
    if events.units != units or events.steps != steps:
        raise BitlifError(
            f"events must have {units} units and {steps} steps per window, "
            f"not {events.units} and {events.steps}"
        )
    return events


def check_step_spikes(config: Config, spikes: Any) -> NDArray[np.int32]:
    """Return the inputs that spike in one step, in ascending order: (n,) int32.

    Parameters
    ----------
    config : Config
    spikes : (n,) int or (N,) bool
        Numbers of inputs, in any order, or a mask.

    Raises
    ------
    BitlifError
        If the shape, the dtype or a number is wrong, or an input is named twice.

    Examples
    --------
    >>> check_step_spikes(Config.load("tiny"), [4, 0]).tolist()
    [0, 4]
    """
    inputs, array = config.layer.inputs, as_array("spikes", spikes)
    if array.dtype == np.bool_ and array.shape == (inputs,):
        return np.flatnonzero(array).astype(np.int32)
    if array.shape == (0,):
        return np.zeros(0, np.int32)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise BitlifTypeError(
            f"spikes of a step must be numbers of inputs, or booleans of shape ({inputs},), "
            f"not {array_kind(array)}"
        )
    ordered = array.copy()
    ordered.sort()
    if ordered[0] < 0 or ordered[-1] >= inputs:
        _require_range("spikes", array, 0, inputs - 1)
    ordered = ordered.astype(np.int32)
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if twice.size:
        mask = "; pass a mask as booleans" if array.size == inputs else ""
        raise BitlifError(
            f"spikes must name each input at most once, not {ordered[twice[0]]} twice{mask}"
        )
    return ordered


def check_initial_weights(config: Config, weights: NDArray[Any]) -> NDArray[np.integer[Any]]:
    """Return raw weights that are built into gates, checked as `check_weights` does.

    Raises
    ------
    BitlifError
        If the weights are wrong, or the memory of the weights has one port: such a memory cannot be
        initialised.
    """
    if config.gates.single_port != "none":
        raise BitlifError(
            f"weights must be loaded by a host, not built in, with gates.single_port = "
            f"{quoted(config.gates.single_port)}"
        )
    return check_weights(config, weights)


def check_targets(
    config: Config, targets: NDArray[Any], windows: int, prefix: str = ""
) -> NDArray[np.uint16]:
    """Return targets of any kind as a uint16 array of raw targets, of shape (W, T or 1, M).

    The rule of `bitlif.model.targets` decides what they mean; real targets are rounded to nearest.

    Raises
    ------
    BitlifError
        If the shape or dtype is wrong, a target is out of range, or integers are all 0 or 1.

    Warns
    -----
    BitlifWarning
        If integers are probably spike counts, or all real targets round to 0. The text starts with
        `prefix`.
    """
    array = as_target_array(targets)
    levels, meaning = levels_of(config, array, windows)
    if meaning == REAL:
        warn_of_zeros(config, array, levels, prefix)
    elif meaning == RAW and not is_uint16(array):
        warn_of_small(config, levels, prefix)
    return np.ascontiguousarray(levels[:, None, :] if levels.ndim == 2 else levels)


def require_learnable(config: Config) -> None:
    """Raise if a layer cannot learn, because its error table cannot be computed without noise."""
    if not has_table(config.error, config.noise):
        raise BitlifError(
            f"error.rule must be 'table' for learning with noise.kind = 'none', "
            f"not {quoted(config.error.rule)}, whose table is computed from the noise"
        )


def require_learnable_network(network: NetworkConfig) -> None:
    """Raise if a network cannot learn: see `require_learnable`, and the resets of hidden layers."""
    last = len(network.layers) - 1
    with located_in_layer(last):
        require_learnable(network.layers[last].config)
    for number in range(network.learned_from, last):
        reset = network.layers[number].config.membrane.reset
        if reset == "subtract":
            raise BitlifError(
                f"layer.{number}.membrane.reset must be 'free' in a hidden layer that learns, not "
                f"'subtract': the sweep has no rule for it"
            )


def require_no_targets(config: Config, *, needed: bool) -> None:
    """Raise if a run without targets is not possible."""
    if needed or config.membrane.reset == "teacher":
        raise BitlifError("targets must be given for learning or a teacher's reset")


def check_real_targets(config: Config, targets: NDArray[Any], windows: int) -> Reals:
    """Return real targets, or the targets of labels, as a float64 array of shape (W, T or 1, M).

    Raises
    ------
    BitlifError
        If the shape or dtype is wrong, or a target is NaN or outside 0 ..= 1.
    """
    array = real_targets(config, targets, windows, units="real")
    return np.ascontiguousarray(array[:, None, :] if array.ndim == 2 else array)


def _require_range(name: str, array: Integers, low: int, high: int) -> None:
    if array.size and (array.min() < low or array.max() > high):
        wrong = int(array.min()) if array.min() < low else int(array.max())
        raise BitlifError(f"{name} must be in {low} ..= {high}, not {wrong}")


def warn_of_idle(config: Config) -> None:
    """Warn if all rates of the schedule are too small to change any weight."""
    if remark := idle_rate(config):
        warn(remark)
