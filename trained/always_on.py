"""Biases as inputs that spike in every step, and the neurons that pass them on.

NIR's Affine adds a bias to each sum of weights. An input that spikes in every step adds its weight
to each sum, through the same filters, so it is a bias. The layers behind need neurons that spike in
every step, too: an always-on neuron has no other inputs than those before it that are always on,
and their weights lift its membrane over the threshold in the first step. After a spike the membrane
is not below 0, and the current never falls, so it spikes in every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.neuron import fires, keep_membrane, leaky_sum, noise_level

MOST_INPUTS = 8
"""Most always-on inputs of a layer; with more weight to hold, its weights get a coarser format."""


def always_on_inputs(units: int, config: NetworkConfig) -> int:
    """Return how many always-on inputs a configuration has behind `units` others."""
    return config.layers[0].config.layer.inputs - units


def with_always_on(events: Events, config: NetworkConfig) -> Events:
    """Return windows with a spike in every step of the inputs that a configuration has beyond them.

    Parameters
    ----------
    events : Events
        Of the network in real numbers.
    config : NetworkConfig
        That `bitlif.trained.nir_formats.quantised` returned; without biases, `events` are returned
        as they are.

    Raises
    ------
    BitlifError
        If `events` have more units than the network has inputs.

    Examples
    --------
    >>> network = NetworkConfig.load("tiny")
    >>> events = with_always_on(Events.from_times([1], [3], steps=16, units=5), network)
    >>> events, events.addresses[:4].tolist()
    (<Events windows=1 steps=16 units=6 spikes=17>, [5, 3, 5, 5])
    """
    count = always_on_inputs(events.units, config)
    if count < 0:
        raise BitlifError(
            f"events must have at most {config.layers[0].config.layer.inputs} units, "
            f"not {events.units}"
        )
    if not count:
        return events
    ends = events.pointers[1:]
    added = np.tile(np.arange(events.units, events.units + count, dtype=np.int32), ends.size)
    addresses = np.insert(events.addresses, np.repeat(ends, count), added)
    pointers = events.pointers + count * np.arange(ends.size + 1)
    return Events(addresses, pointers, events.steps, events.units + count)


def always_on_neurons(config: NetworkConfig, sizes: Sequence[int]) -> list[int]:
    """Return how many neurons each layer has beyond `sizes`, those of the network in real numbers.

    >>> always_on_neurons(NetworkConfig.load("digits-96"), [94, 10])
    [2, 0]
    """
    pairs = zip(config.layers, sizes, strict=True)
    return [own.config.layer.neurons - size for own, size in pairs]


def in_parts(total: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """Return integers that differ by 1 at most and add up to `total`: (parts, M) of (M,).

    >>> in_parts(np.array([7, -7]), 3).T.tolist()
    [[2, 2, 3], [-3, -2, -2]]
    """
    return (total + np.arange(parts)[:, None]) // parts


class AlwaysOn(NamedTuple):
    """What an always-on neuron does in a window.

    Attributes
    ----------
    spikes : int
        Steps with a spike, with the lowest noise that there is.
    current_saturations, membrane_saturations : int
        Steps in which the signal is limited to its format.
    """

    spikes: int
    current_saturations: int
    membrane_saturations: int


def run_always_on(config: Config, total: int, steps: int) -> AlwaysOn:
    """Run a neuron whose inputs, always on, have the raw weight `total` together."""
    derived = derive(config)
    c, most = derived.constants, config.noise.pmf.levels[-1]
    noise = min(noise_level(-most, phase, c) for phase in derived.phases)
    current = membrane = 0
    found = [0, 0, 0]
    for _ in range(steps):
        current, limited = leaky_sum(current, total, c.current)
        found[1] += int(limited)
        membrane, limited = leaky_sum(membrane, current, c.membrane)
        found[2] += int(limited)
        spike = bool(fires(membrane, noise, c))
        found[0] += int(spike)
        membrane, limited = keep_membrane(membrane, noise, spike, c)
        found[2] += int(limited)
    return AlwaysOn(*found)


def least_weight(config: Config, most: int) -> int:
    """Return the least raw weight with which a neuron is always on.

    Parameters
    ----------
    config : Config
    most : int
        Largest raw weight that the inputs can have together.

    Raises
    ------
    BitlifError
        If there is none up to `most`.
    """
    if run_always_on(config, most, 1).spikes < 1:
        fmt = config.synapse.weight
        raise BitlifError(
            f"biases need a neuron that spikes in every step, but {most} LSBs of '{fmt}', the "
            f"largest weight, do not reach the threshold: use more bits, or less noise"
        )
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if run_always_on(config, middle, 1).spikes:
            high = middle
        else:
            low = middle
    return high
