"""Formats for a network in real numbers: from its weights, and from the ranges of its signals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config, config_from_dict
from bitlif.model.config.network import NetworkConfig, NetworkLayer
from bitlif.model.config.schema import NO_DECAY
from bitlif.model.errors import BitlifError, require_int, require_real
from bitlif.model.sweep_sections import InitialConfig
from bitlif.model.text import quoted

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
    most = float(np.abs(layer.weights).sum(0).max()) / (1.0 - layer.leak_s)
    return Ranges(
        min(most, MOST_CURRENT), max(min(most / (1.0 - layer.leak_m), MOST_MEMBRANE), 1.5)
    )


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
        If an argument is out of range, or no format can hold a signal.
    """
    require_int("weight_bits", weight_bits, LEAST_BITS.weight, MOST_BITS.weight)
    require_int("state_bits", state_bits, LEAST_BITS.current, MOST_BITS.current)
    if bits is None:
        bits = [LayerBits(weight_bits, state_bits, state_bits)] * len(network.layers)
    sigma = require_real("sigma", sigma, 0.0, 100.0)
    layers, weights = [], []
    for number, (own, widths) in enumerate(zip(network.layers, bits, strict=True)):
        reached = reachable(own)
        if ranges is not None:
            reached = Ranges(
                *(
                    min(most, MARGIN * seen) if seen > 0 else most
                    for most, seen in zip(reached, ranges[number], strict=True)
                )
            )
        config = _config(own, reached, steps, widths, sigma, f"{name}.{number}")
        fmt = config.synapse.weight
        raw = np.floor(own.weights * 2.0**fmt.frac + 0.5)
        weights.append(np.clip(raw, fmt.raw_min, fmt.raw_max).astype(np.int64))
        layers.append(NetworkLayer(config=config, initial=_initial(own)))
    return NetworkConfig.of(*layers, name=name, seed=name), weights


def _initial(layer: RealLayer) -> InitialConfig:
    """Return start weights with mean and standard deviation of a layer's, for learning anew."""
    mean, half = float(layer.weights.mean()), 3.0**0.5 * float(layer.weights.std())
    return InitialConfig(low=mean - half, high=mean + half)


def _decay(leak: float) -> dict[str, Any]:
    return {"tau": -1.0 / math.log(leak), "bits": 16}


def _config(
    layer: RealLayer, reached: Ranges, steps: int, bits: LayerBits, sigma: float, name: str
) -> Config:
    most = float(np.abs(layer.weights).max())
    weight = fraction_bits(most, bits.weight)
    current = fraction_bits(reached.current, bits.current)
    membrane = fraction_bits(max(reached.membrane, 1.25), bits.membrane)
    lsb = 2.0**-membrane
    tree: dict[str, Any] = {
        "name": name,
        "layer": {"inputs": layer.weights.shape[0], "neurons": layer.weights.shape[1]},
        "window": {"steps": steps},
        "synapse": {
            "weight": f"s{bits.weight}.{weight}",
            "current": f"s{bits.current}.{current}",
            "decay": _decay(layer.leak_s) if layer.leak_s else NO_DECAY,
        },
        "membrane": {
            "reset": layer.reset,
            "format": f"s{bits.membrane}.{membrane}",
            "decay": _decay(layer.leak_m),
            "gain": 1.0,
            # NIR's neurons spike above the threshold, ours at it.
            "threshold": 1.0 + lsb,
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
