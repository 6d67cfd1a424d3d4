"""Seeded random networks that size estimates of networks are tested on."""

from __future__ import annotations

import random
from typing import Any

from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.errors import BitlifError

from .samples import draw_format, draw_layer

READY: dict[str, tuple[dict[str, Any], bool]] = {
    "digits-96 S=96,10": (
        {"layer__0__gates__synapses": 96, "layer__1__gates__synapses": 10}, True
    ),
    "digits-96 P=1,1 S=4,1": (
        {
            "layer__0__lanes": 1, "layer__1__lanes": 1, "layer__0__gates__synapses": 4,
            "layer__0__gates__single_port": "weights",
        },
        False,
    ),
}  # fmt: skip
"""Ready-made networks that are measured besides the random ones: what they have of their own, and
whether their cores have learning hardware, by name."""

DRAWN = "network-"
"""Names of the random ones begin with it; the number of their seed follows."""


def is_network(name: str) -> bool:
    """Return whether `network_sample` takes a name."""
    return name in READY or name.startswith(DRAWN)


def network_sample(name: str) -> tuple[NetworkConfig, bool]:
    """Return the network of a name, and whether its core has learning hardware.

    Random ones have two or three layers of up to 40 neurons, so that a synthesis takes minutes.

    >>> network_sample("digits-96 S=96,10")[0].layers[0].config.gates.synapses
    96
    """
    if name in READY:
        changes, learning = READY[name]
        return NetworkConfig.load(name.partition(" ")[0]).replace(**changes), learning
    source = random.Random(name)
    while True:
        learning = source.random() < 0.75
        try:
            return network_from_dict(_draw(source, name)), learning
        except BitlifError:
            # The drawn formats are incompatible: draw again.
            continue


def _draw(source: random.Random, name: str) -> dict[str, Any]:
    choose = source.choice
    depth = choose((2, 2, 2, 2, 3))
    inputs = round(2 ** source.uniform(2, 6))
    window = {
        "steps": choose((16, 64, 100)),
        **{own: choose(("clear", "carry")) for own in ("state", "lfsr")},
    }
    layers = []
    for number in range(depth):
        drawn = draw_layer(source, name)
        neurons = round(2 ** source.uniform(2, 5.32))
        lanes = min(neurons, choose((1, 1, 1, 2)))
        slots = -(-neurons // lanes)
        if number < depth - 1:
            drawn["membrane"]["reset"] = "free"
        layers.append(
            {
                **{key: own for key, own in drawn.items() if key not in ("name", "window")},
                "layer": {"inputs": inputs, "neurons": neurons, "lanes": lanes},
                "sweep": _sweep(source),
                "gates": {"synapses": lanes * source.randint(1, min(slots, 8))},
            }
        )
        inputs = neurons
    return {"name": name, "window": window, "layer": [_flat(own) for own in layers]}


def _flat(layer: dict[str, Any]) -> dict[str, Any]:
    """Return a layer with its sizes beside its sections, as a network has them."""
    return {**layer.pop("layer"), **layer}


def _sweep(source: random.Random) -> dict[str, Any]:
    choose = source.choice
    return {
        **{own: draw_format(source, "s", 6, 12) for own in ("membrane", "current", "credit")},
        "rounding": choose(("stochastic", "stochastic", "toward_zero", "nearest")),
        "random_bits": choose((4, 8, 12)),
        "lfsr": {"width": choose((17, 24, 29, 40)), "sharing": choose(("phase", "shared"))},
        "feedback": choose(("transpose", "transpose", "sign")),
        "surrogate": {"width": source.uniform(0.3, 1.2), "bits": choose((1, 1, 4))},
        "update": choose(("window", "window", "spike")),
    }
