"""What to change in a layer of a network: the field, with its layer, the direction and a value."""

from __future__ import annotations

import re

from bitlif.model.config.network import NetworkConfig

from . import cures
from .cures import FAR_IN_NETWORKS, widen

WIDE = 0.4
"""Width of the surrogate derivative, in thresholds, from which hidden neurons learn well."""

_FIELD = re.compile(r"(?<![\w.])(synapse|membrane|trace|noise|error|learning|initial|sweep)\.")


def in_layer(advice: str, number: int) -> str:
    """Return an advice with the layer before the names of its fields.

    >>> in_layer("lower membrane.gain, or learning.rate", 1)
    'lower layer.1.membrane.gain, or layer.1.learning.rate'
    """
    return _FIELD.sub(rf"layer.{number}.\1.", advice)


def of_saturation(network: NetworkConfig, number: int, signal: str) -> str:
    """Return the likely cure for a signal of a layer that saturates."""
    own = network.layers[number]
    sweep = own.sweep
    if signal == "credit":
        advice = f"{widen('sweep.credit', sweep.credit)}, or lower the rates of its schedule"
    elif signal == "adjoint_membrane":
        advice = widen("sweep.membrane", sweep.membrane)
    elif signal == "adjoint_current":
        advice = widen("sweep.current", sweep.current)
    else:
        advice = cures.of_saturation(own.config, signal, FAR_IN_NETWORKS)
    return in_layer(advice, number)


def of_errors(network: NetworkConfig) -> str:
    """Return the likely cure for errors of the last layer that are nearly all 0."""
    last = len(network.layers) - 1
    return in_layer(cures.of_errors(network.layers[last].config, FAR_IN_NETWORKS), last)


def of_lost_updates(network: NetworkConfig, number: int) -> str:
    """Return the likely cure for updates that always round to 0."""
    config = network.layers[number].config
    bits = config.learning.random_bits
    if bits < 8:
        return f"raise layer.{number}.learning.random_bits from {bits} to 8"
    fmt = config.synapse.weight
    finer = f"'s{fmt.bits + 2}.{fmt.frac + 2}'"
    return (
        f"raise the rates of layer.{number}.schedule, or refine layer.{number}.synapse.weight from "
        f"'{fmt}' to {finer}"
    )


def of_silence(network: NetworkConfig, number: int, *, from_start: bool = False) -> str:
    """Return the likely cure for neurons that do not spike.

    Parameters
    ----------
    network : NetworkConfig
    number : int
    from_start : bool
        Whether they did not spike with the start weights, either.
    """
    own = network.layers[number]
    if not network.is_hidden(number):
        return in_layer(cures.of_silence(own.config, FAR_IN_NETWORKS), number)
    if from_start:
        return _start(network, number)
    if number >= network.learned_from and (narrow := _widen_surrogate(network, number)):
        return narrow
    return f"lower the rates of layer.{number}.schedule, or {_start(network, number)}"


def of_firing(network: NetworkConfig, number: int, *, from_start: bool = False) -> str:
    """Return the likely cure for neurons that spike in nearly all steps; see `of_silence`."""
    own = network.layers[number]
    if not network.is_hidden(number):
        return in_layer(cures.of_firing(own.config, FAR_IN_NETWORKS), number)
    if from_start:
        high = own.initial.high
        return in_layer(f"lower initial.high from {high:g} to {high / 2:g}", number)
    if own.sweep.rounding == "nearest":
        return f"layer.{number}.sweep.rounding = 'stochastic'; 'nearest' raises all weights"
    return f"lower the rates of layer.{number}.schedule"


def of_closed_windows(network: NetworkConfig, number: int) -> str:
    """Return the likely cure for surrogate derivatives that are nearly all 0."""
    return _widen_surrogate(network, number) or _start(network, number)


def of_no_credit(network: NetworkConfig, number: int, *, zeros: int | None, closed: bool) -> str:
    """Return the likely cure for a hidden layer without credit.

    Parameters
    ----------
    network : NetworkConfig
    number : int
    zeros : int or None
        A layer whose weights start at 0, or have become 0.
    closed : bool
        Whether nearly all surrogate derivatives are 0.
    """
    if zeros is not None:
        return (
            f"start weights that differ: layer.{zeros}.initial.low and layer.{zeros}.initial.high "
            f"around the threshold divided by layer.{zeros}.membrane.gain and by the root of the "
            f"number of active inputs"
        )
    if closed:
        return of_closed_windows(network, number)
    fmt = network.layers[number].sweep.credit
    return (
        f"refine layer.{number}.sweep.credit from '{fmt}' to 's{fmt.bits + 2}.{fmt.frac + 2}', "
        f"and layer.{number}.sweep.current likewise"
    )


def _start(network: NetworkConfig, number: int) -> str:
    """Return the advice to start with larger weights."""
    initial = network.layers[number].initial
    if initial.low == initial.high:
        return f"layer.{number}.initial.low below layer.{number}.initial.high"
    factor = 2.0
    return (
        f"larger start weights: raise layer.{number}.initial.high from {initial.high:g} to "
        f"{factor * initial.high if initial.high > 0 else -initial.low:g}"
    )


def _widen_surrogate(network: NetworkConfig, number: int) -> str:
    """Return the advice to widen the surrogate derivative, or an empty string if it is wide."""
    own = network.layers[number]
    width, wide = own.sweep.surrogate.width, WIDE * own.config.membrane.threshold
    if width >= wide:
        return ""
    return f"widen layer.{number}.sweep.surrogate.width from {width:g} to about {wide:.2g}"
