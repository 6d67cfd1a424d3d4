"""A network in which each fault of `bitlif.sim.compare.network_faults` shows, and where."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from network_bench import NetworkBench, expected_results, simulated

from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.events import Events
from bitlif.sim.compare.network_faults import NETWORK_FAULTS
from bitlif.tasks.scenario import NetworkWork, targets_by_step

STEPS, WINDOWS = 6, 2
LATE = ("adjoint-stale", "marks-stale")
"""Faults that show in the second window only."""


class Place(NamedTuple):
    """Where a fault must be found first."""

    update: str
    """of all layers of the network"""
    layer: int
    part: str


LAYERS = {
    "reset-uncut": 1, "surrogate-width": 1, "surrogate-step": 1, "credit-row": 1, "credit-kept": 1,
    "marks-stale": 0,
}  # fmt: skip
"""The layer in which a fault is found, if it is not the last one."""

PLACES = {
    name: Place(
        "spike" if fault.needs == "spike" or name == "spikes-inverted" else "window",
        LAYERS.get(name, 2), fault.part,
    )
    for name, fault in NETWORK_FAULTS.items()
}  # fmt: skip


def faulty_network(update: str) -> NetworkConfig:
    """Return a network in which every fault shows: three layers, all of them learned."""
    sweep = {"update": update, "surrogate": {"width": 0.8}}
    learning = {"rate": 0.01}
    common = {"sweep": sweep, "learning": learning}
    layers: list[dict[str, Any]] = [
        {"inputs": 5, "neurons": 4, "lanes": 2, "gates": {"synapses": 4}, **common},
        {"neurons": 5, "lanes": 2, "gates": {"synapses": 4}, **common},
        {"neurons": 4, "lanes": 1, "gates": {"synapses": 2}, **common},
    ]
    return network_from_dict({"name": "faulty", "window": {"steps": STEPS}, "layer": layers})


def stimulus(windows: int = WINDOWS) -> tuple[Events, np.ndarray]:
    """Return the spikes and the targets that a faulty network learns."""
    random = np.random.default_rng(5)
    raster = random.random((WINDOWS, STEPS, 5)) < 0.5
    targets = random.integers(0, 1025, (WINDOWS, 4))
    return Events.from_raster(raster[:windows]), targets[:windows]


def start_weights(config: NetworkConfig) -> list[np.ndarray]:
    """Return weights with which all layers spike and learn."""
    random = np.random.default_rng(6)
    found = []
    for own in config.layers:
        one, sizes = 1 << own.config.synapse.weight.frac, own.config.layer
        found.append(random.integers(-one // 10, one // 3, (sizes.inputs, sizes.neurons)))
    return found


def active_work(update: str) -> NetworkWork:
    """Return a network, weights, spikes and targets with which all layers spike and are swept."""
    config = faulty_network(update)
    events, targets = stimulus()
    by_step = np.repeat(targets[:, None].astype(np.uint16), events.steps, axis=1)
    return NetworkWork(config, start_weights(config), events, by_step)


def first_difference(update: str, windows: int = 1) -> tuple[int, str] | None:
    """Return the layer and the pass in which the gates first differ from the model.

    The steps of all layers are compared first. Then each layer, from the last one, is compared in
    its sweep, and then in its weights and the LFSRs of its updates, because its sweep depends on
    nothing of the layers before it. None if all agree.
    """
    config = faulty_network(update)
    events, targets = stimulus(windows)
    weights, learns = start_weights(config), [True] * windows
    goals = targets_by_step(config.layers[-1].config, events, targets)
    bench = NetworkBench(
        config, weights, events, goals, learns=learns, stalls=(0.0, 0.0, 0.0), seed=0
    )
    found = simulated(bench, taught=True)
    if not found:
        return 0, "forward"
    expected = expected_results(config, weights, events, targets, learns, bench)
    layers = range(len(config.layers))
    order = [(number, "forward", name) for number in layers for name in ("raster", "noise")]
    for number in reversed(layers):
        order += [(number, "sweep", name) for name in ("adjoints", "sweep")]
        order += [(number, "update", name) for name in ("weights", "update")]
    for number, part, name in order:
        key = f"{name} {number}"
        if not np.array_equal(found[key], expected[key]):
            return number, part
    return None
