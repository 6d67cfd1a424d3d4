"""A reset of one clock cycle works at any time and from any state of a network."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from network_faults import start_weights
from network_host import MEMORIES, NetworkHost

from bitlif.hdl import window_memories
from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.events import Events
from bitlif.sim.compare.patches import line_replaced

STEPS, INPUTS, NEURONS = 3, 5, 3

VARIANTS: dict[str, dict[str, Any]] = {
    "by window": {"update": "window"},
    "by spike, carried": {"update": "spike"},
}


def config_of(name: str) -> NetworkConfig:
    """Return a network of two layers, one of them with an absent lane, both of which learn."""
    sweep = {"surrogate": {"width": 0.8}, **VARIANTS[name]}
    common = {"sweep": sweep, "learning": {"rate": 0.02}, "error": {"index_bits": 4}}
    layers = [
        {"inputs": INPUTS, "neurons": 5, "lanes": 2, "gates": {"synapses": 4}, **common},
        {"neurons": NEURONS, "lanes": 1, "gates": {"synapses": 2}, **common},
    ]
    window: dict[str, Any] = {"steps": STEPS}
    if name != "by window":
        window |= {"state": "carry", "lfsr": "carry"}
    return network_from_dict({"name": "reset", "window": window, "layer": layers})


def work_of(seed: int, windows: int) -> tuple[Events, np.ndarray]:
    """Return input spikes and raw targets."""
    random = np.random.default_rng(seed)
    raster = random.random((windows, STEPS, INPUTS)) < 0.5
    return Events.from_raster(raster), random.integers(0, 1025, (windows, NEURONS))


def shown(outputs: dict[str, int]) -> dict[str, Any]:
    """Return the outputs that must be equal after two resets: not what memories read."""
    found: dict[str, Any] = {
        name: value
        for name, value in outputs.items()
        if not any(name.endswith(f"__{memory}") for memory in MEMORIES)
        and not name.endswith("__payload")
    }
    found["event"] = outputs["o_events__payload"] if outputs["o_events__valid"] else None
    return found


def passed(host: NetworkHost) -> tuple[list[dict[str, Any]], dict[str, list[int]]]:
    """Return all outputs from the loading of the weights on, and what the memories then hold."""
    events, targets = work_of(5, 2)
    host.load(start_weights(host.config))
    clocks = [shown(outputs) for outputs in host.watch(events, targets, learn=True)]
    return clocks, host.memories()


def difference(found: Any, expected: Any) -> list[str]:
    """Return the outputs that differ in the first clock cycle with a difference, or memories."""
    for clock, (one, other) in enumerate(zip(found[0], expected[0], strict=False)):
        if one != other:
            return [f"{name} in cycle {clock}" for name in one if one[name] != other[name]]
    return [name for name in expected[1] if found[1][name] != expected[1][name]]


def wrong_resets(config: NetworkConfig, every: int) -> list[Any]:
    """Return the clock cycles of a learned window after which a short reset is not a long one."""
    host = NetworkHost(config)
    clearing = host.reset(3)
    expected = passed(host)
    host.reset(3)
    weights, (events, targets) = start_weights(config), work_of(2, 1)
    host.load(weights)
    clocks = len(host.watch(events, targets, learn=True))
    # The hidden layer is swept and updated, too.
    assert np.any(host.weights()[0] != weights[0])
    wrong = []
    for clock in range(0, clocks + 1, every):
        host.reset(3)
        host.load(weights)
        host.watch(events, targets, learn=True, until=clock)
        waited = host.reset(1)
        found = passed(host)
        if waited != clearing or found != expected:
            wrong.append((clock, waited, difference(found, expected)))
    return wrong


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", VARIANTS)
def test_one_cycle_reset_at_any_time_equals_a_long_one(name: str, every: int) -> None:
    wrong = wrong_resets(config_of(name), every)
    assert not wrong, f"{len(wrong)}, first: {wrong[0]}"


def test_memory_that_a_reset_does_not_clear_is_noticed() -> None:
    config = dataclasses.replace(config_of("by window"), name="kept")
    right = "with m.If(self.clear):"
    with line_replaced(window_memories, right, "with m.If(self.clear & 0):"):
        wrong = wrong_resets(config, 20)
    assert wrong


@pytest.mark.parametrize("name", VARIANTS)
def test_one_cycle_reset_recovers_from_any_state(name: str) -> None:
    config = config_of(name)
    host = NetworkHost(config)
    host.reset(3)
    expected = passed(host)
    for seed in range(1, 11):
        found = passed(NetworkHost(config, scrambled=True, seed=seed))
        assert found == expected, (seed, difference(found, expected))
