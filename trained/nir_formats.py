"""Formats for a network in real numbers: from its weights, and from the ranges of its signals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config, config_from_dict
from bitlif.model.config.network import NetworkConfig, NetworkLayer
from bitlif.model.config.schema import NO_DECAY, NO_LEAK
from bitlif.model.errors import BitlifError, located, require_int, require_real
from bitlif.model.fixed import Format
from bitlif.model.noise import NoiseConfig
from bitlif.model.sweep_sections import InitialConfig
from bitlif.model.text import quoted

from .always_on import MOST_INPUTS, in_parts, least_weight
from .nir_graph import RealLayer, RealNetwork

MARGIN = 1.25
"""Ranges that data reached are widened by this."""

MOST_CURRENT, MOST_MEMBRANE = 64.0, 16.0
"""Ranges without data, in thresholds, unless the weights cannot reach them."""


class Ranges(NamedTuple):
    """Largest magnitudes of the signals of a layer, in thresholds."""

    current: float
    membrane: float


class LayerBits(NamedTuple):
    """Bits of the formats of a layer."""

    weight: int
    current: int
    membrane: int


LEAST_BITS, MOST_BITS = LayerBits(2, 6, 6), LayerBits(20, 24, 24)


def reachable(layer: RealLayer) -> Ranges:
    """Return ranges that no spikes leave, or the usual ones if those are wider."""
    bias = 0.0 if layer.bias is None else np.abs(layer.bias)
    most = float((np.abs(layer.weights).sum(0) + bias).max()) / (1.0 - layer.leak_s)
    held = most / (1.0 - layer.leak_m) if layer.leak_m < 1.0 else MOST_MEMBRANE
    return Ranges(min(most, MOST_CURRENT), max(min(held, MOST_MEMBRANE), 1.5))


def fraction_bits(most: float, bits: int) -> int:
    """Return the most fractional bits with which a signed format of `bits` bits holds `most`.

    >>> fraction_bits(1.0, 8), fraction_bits(0.99, 8), fraction_bits(100.0, 8)
    (6, 7, 0)
    """
    top = (1 << bits - 1) - 1
    frac = math.floor(math.log2(top / most)) if most > 0 else bits - 1
    return max(-32, min(frac, bits - 1 if most >= 0.5 else 48))


def quantised(
    network: RealNetwork,
    *,
    steps: int,
    weight_bits: int = 8,
    state_bits: int = 16,
    bits: Sequence[LayerBits] | None = None,
    sigma: float = 0.0,
    ranges: Sequence[Ranges] | None = None,
    name: str = "imported",
) -> tuple[NetworkConfig, list[NDArray[np.int64]]]:
    """Return a configuration and raw weights for a network in real numbers.

    A bias becomes the weight of inputs that spike in every step: the last of the first layer, which
    `bitlif.trained.always_on.with_always_on` adds to spikes. Where a layer behind has a bias, the
    last neurons of those before it spike in every step, too. A layer has as many of these inputs as
    keep the format of its weights, but `MOST_INPUTS` at most.

    Parameters
    ----------
    network : RealNetwork
    steps : int
        Steps of a window.
    weight_bits : int
        2 ..= 20.
    state_bits : int
        Of currents and membranes, 6 ..= 24.
    bits : sequence of LayerBits or None
        Per layer, instead of `weight_bits` and `state_bits`.
    sigma : float
        Standard deviation of the noise in thresholds; 0 for none (``noise.kind = "none"``).
    ranges : sequence of Ranges or None
        That data reached, per layer.
    name : str

    Raises
    ------
    BitlifError
        If an argument is out of range, no format can hold a signal, or no weight can make a neuron
        spike in every step.
    """
    require_int("weight_bits", weight_bits, LEAST_BITS.weight, MOST_BITS.weight)
    require_int("state_bits", state_bits, LEAST_BITS.current, MOST_BITS.current)
    if bits is None:
        bits = [LayerBits(weight_bits, state_bits, state_bits)] * len(network.layers)
    sigma = require_real("sigma", sigma, 0.0, 100.0)
    plans: list[_Plan] = []
    passes = False
    for number in reversed(range(len(network.layers))):
        own = network.layers[number]
        reached = reachable(own)
        if ranges is not None:
            reached = Ranges(
                *(
                    min(most, MARGIN * seen) if seen > 0 else most
                    for most, seen in zip(reached, ranges[number], strict=True)
                )
            )
        plans.insert(0, _plan(own, reached, bits[number], sigma, passes=passes))
        passes = plans[0].always_on > 0
    layers, weights = [], []
    for number, (own, plan) in enumerate(zip(network.layers, plans, strict=True)):
        passed = plans[number + 1].always_on if plan.passes else 0
        config = _config(own, plan, passed, steps, sigma, f"{name}.{number}")
        weights.append(_raw_weights(own, config, plan.always_on, passed))
        layers.append(NetworkLayer(config=config, initial=_initial(own)))
    return NetworkConfig.of(*layers, name=name, seed=name), weights


def _raw_weights(
    layer: RealLayer, config: Config, always_on: int, passed: int
) -> NDArray[np.int64]:
    """Return rounded weights; the last rows are of always-on inputs, the last columns of neurons.

    A bias is rounded as a whole.
    """
    fmt, (inputs, neurons) = config.synapse.weight, layer.weights.shape
    raw = np.zeros((inputs + always_on, neurons + passed), np.int64)
    scaled = np.floor(layer.weights * 2.0**fmt.frac + 0.5)
    raw[:inputs, :neurons] = np.clip(scaled, fmt.raw_min, fmt.raw_max)
    if always_on:
        totals = np.zeros(neurons + passed, np.int64)
        if layer.bias is not None:
            scaled = np.floor(layer.bias * 2.0**fmt.frac + 0.5)
            totals[:neurons] = np.clip(scaled, always_on * fmt.raw_min, always_on * fmt.raw_max)
        if passed:
            with located(f"neurons {quoted(layer.name)}"):
                totals[neurons:] = least_weight(config, always_on * fmt.raw_max)
        raw[inputs:] = in_parts(totals, always_on)
    return raw


def _initial(layer: RealLayer) -> InitialConfig:
    """Return start weights with mean and standard deviation of a layer's, for learning anew."""
    mean, half = float(layer.weights.mean()), 3.0**0.5 * float(layer.weights.std())
    return InitialConfig(low=mean - half, high=mean + half)


def _decay(leak: float) -> dict[str, Any]:
    return {"tau": -1.0 / math.log(leak), "bits": 16}


class _Plan(NamedTuple):
    """Formats of a layer, the number of its always-on inputs, and whether it passes them on."""

    weight: Format
    current: Format
    membrane: Format
    always_on: int
    passes: bool


def _plan(
    layer: RealLayer, reached: Ranges, bits: LayerBits, sigma: float, *, passes: bool
) -> _Plan:
    """Choose formats, and as few always-on inputs as hold the bias in the format of the weights."""
    cutoff = NoiseConfig().pmf.cutoff * sigma
    # Where a neuron must spike in every step, both signals reach the threshold and the noise.
    least = 1.25 * (1.0 + cutoff) if passes else 0.0
    current = Format(
        bits.current, fraction_bits(max(reached.current, least), bits.current), signed=True
    )
    membrane = Format(
        bits.membrane,
        fraction_bits(max(reached.membrane, 1.25, least), bits.membrane),
        signed=True,
    )
    most = float(np.abs(layer.weights).max())
    held = 0.0 if layer.bias is None else float(np.abs(layer.bias).max())
    if passes:
        # A threshold and the noise, each up to one LSB more, and half an LSB for each rounding.
        lsbs = 2.5 * float(membrane.lsb) + 0.5 * float(current.lsb)
        held = max(held, 1.0 + 1.01 * cutoff + lsbs)
    count = 0
    if held:
        weight = fraction_bits(most or held, bits.weight)
        count = min(MOST_INPUTS, math.ceil(held * 2.0**weight / ((1 << bits.weight - 1) - 1)))
        most = max(most, held / count)
    weight = fraction_bits(most, bits.weight)
    return _Plan(Format(bits.weight, weight, signed=True), current, membrane, count, passes)


def _config(
    layer: RealLayer, plan: _Plan, passed: int, steps: int, sigma: float, name: str
) -> Config:
    inputs, neurons = layer.weights.shape
    tree: dict[str, Any] = {
        "name": name,
        "layer": {"inputs": inputs + plan.always_on, "neurons": neurons + passed},
        "window": {"steps": steps},
        "synapse": {
            "weight": str(plan.weight),
            "current": str(plan.current),
            "decay": _decay(layer.leak_s) if layer.leak_s else NO_DECAY,
        },
        "membrane": {
            "reset": layer.reset,
            "format": str(plan.membrane),
            "decay": _decay(layer.leak_m) if layer.leak_m < 1.0 else NO_LEAK,
            "gain": 1.0,
            # NIR's neurons spike above the threshold, ours at it.
            "threshold": 1.0 + float(plan.membrane.lsb),
        },
    }
    if sigma:
        tree["schedule"] = [{"sigma": sigma}]
    else:
        tree["noise"] = {"kind": "none"}
    try:
        return config_from_dict(tree)
    except BitlifError as error:
        raise BitlifError(f"neurons {quoted(layer.name)}: {error}") from error
