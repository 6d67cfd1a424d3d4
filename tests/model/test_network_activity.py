"""Random networks learn in earnest: a comparison of layers that stay silent proves nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from active_networks import active_layers
from networks import network_stimulus, random_networks

from bitlif.model.config.network import NetworkConfig
from bitlif.sim.compare.network_expected import random_network_work

SHARE = 0.8
OPTIONS = {
    "feedback": ("transpose", "sign"),
    "rounding": ("stochastic", "toward_zero", "nearest"),
    "update": ("window", "spike"),
    "state": ("clear", "carry"),
}


def work(config: NetworkConfig, number: int) -> tuple[Any, ...]:
    """Return what the cosimulation gives a network."""
    drawn = random_network_work(config, number, 3)
    return drawn.events, drawn.weights, drawn.targets


POOLS: dict[str, tuple[int, Callable[[NetworkConfig, int], tuple[Any, ...]]]] = {
    "gates": (16, network_stimulus),
    "cosimulation": (16, work),
    "fuzz": (60, lambda config, number: network_stimulus(config, 0)),
    "model": (140, network_stimulus),
}
"""Number of networks of each pool, and their stimulus."""


@pytest.mark.parametrize("name", POOLS)
def test_layers_of_random_networks_learn(name: str) -> None:
    count, given = POOLS[name]
    activity: dict[str, list[bool]] = {"hidden": [], "last": []}
    seen = set()
    for number, config in enumerate(random_networks(count)):
        for layer, active in active_layers(config, *given(config, number)).items():
            hidden = config.is_hidden(layer)
            activity["hidden" if hidden else "last"].append(active)
            sweep, window = config.layers[layer].sweep, config.layers[layer].config.window
            if hidden and active:
                bits = min(sweep.surrogate.bits, 2)
                seen.add((sweep.feedback, str(sweep.rounding), sweep.update, window.state, bits))
    for kind, found in activity.items():
        assert len(found) >= count // 2, kind
        assert sum(found) >= SHARE * len(found), kind
    if name == "model":
        assert {own[:-1] for own in seen} == set(itertools.product(*OPTIONS.values()))
    for place, values in enumerate((*OPTIONS.values(), (1, 2))):
        assert {own[place] for own in seen} == set(values)
