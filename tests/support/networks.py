"""Random networks of small layers, with spikes, weights and targets for them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from active_networks import active_layers, in_row, suited_layer, suited_sweep

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, NetworkLayer
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events

from strategies import OPTIONS, random_configs, stimulus, with_gates

BASES = 120


def _drawn(random: np.random.Generator, depth: int, seed: int) -> NetworkConfig:
    """Return a network of `depth` layers; raise `BitlifError` if its fields do not go together."""
    bases = random_configs(BASES)
    configs: list[Config] = []
    for number in range(depth):
        base = bases[int(random.integers(BASES))]
        own = in_row(base, configs, hidden=number < depth - 1)
        configs.append(suited_layer(own, random))
    layers = [
        NetworkLayer(config=own, sweep=suited_sweep(own, after, random))
        for own, after in zip(configs, [*configs[1:], None], strict=True)
    ]
    return NetworkConfig.of(*layers, seed=seed)


def _sequence(seed: int) -> Iterator[NetworkConfig]:
    """Yield networks.

    Nine of ten are drawn again until all learned layers have adjoints and change weights, with
    the stimulus of their number and of seed 0. The tenth is as drawn.
    """
    random = np.random.default_rng(seed)
    for number in itertools.count():
        depth, found = int(random.integers(1, 5)), None
        while found is None:
            try:
                config = _drawn(random, depth, number)
            except BitlifError:
                # A rate has no shift, or the formats of two layers do not go together.
                continue
            if number % 10 == 9 or all(
                all(active_layers(config, *network_stimulus(config, own)).values())
                for own in (number, 0)
            ):
                found = config
        yield found


@functools.cache
def _kept(seed: int) -> tuple[list[NetworkConfig], Iterator[NetworkConfig]]:
    """Return the networks drawn so far, and those that follow."""
    return [], _sequence(seed)


def random_networks(count: int, seed: int = 0) -> tuple[NetworkConfig, ...]:
    """Return the first `count` networks of a fixed random sequence, of 1 to 4 layers."""
    found, following = _kept(seed)
    found.extend(itertools.islice(following, max(count - len(found), 0)))
    return tuple(found[:count])


def with_option(
    config: NetworkConfig, option: str, *, learned: bool = True
) -> NetworkConfig | None:
    """Return a network with an option of `strategies.OPTIONS` in all layers, None if it cannot.

    If it is to be learned, hidden layers are reset to 0.
    Surrogates have one bit, since tables are computed from the noise.
    """
    layers = []
    for own in config.layers:
        surrogate = replace(own.sweep.surrogate, bits=1)
        sweep = replace(own.sweep, surrogate=surrogate)
        changed = OPTIONS[option](own.config)
        if learned and own is not config.layers[-1]:
            changed = changed.replace(membrane__reset="free")
        layers.append(NetworkLayer(config=changed, sweep=sweep, initial=own.initial))
    try:
        return NetworkConfig(name=config.name, layers=tuple(layers))
    except BitlifError:
        return None


def with_random_gates(config: NetworkConfig, number: int) -> NetworkConfig:
    """Return a network whose layers have some of the widths and memories of the gates."""
    layers = tuple(
        NetworkLayer(
            config=with_gates(own.config, 7 * number + 5 * place), sweep=own.sweep,
            initial=own.initial,
        )
        for place, own in enumerate(config.layers)
    )  # fmt: skip
    return NetworkConfig(name=config.name, layers=layers)


def sweepable(config: NetworkConfig, number: int) -> NetworkConfig:
    """Return a network that the gates can learn, with some of the widths of the gates."""
    layers = []
    for place, own in enumerate(config.layers):
        slots, lanes = own.config.layer.slots, own.config.layer.lanes
        width = 1 + (number + place) % slots
        changed = own.config.replace(gates__synapses=width * lanes)
        layers.append(NetworkLayer(config=changed, sweep=own.sweep, initial=own.initial))
    return NetworkConfig(name=config.name, layers=tuple(layers))


def network_stimulus(
    network: NetworkConfig, seed: int
) -> tuple[Events, list[np.ndarray], np.ndarray]:
    """Return events of the first layer, raw weights of all layers, and raw targets of the last."""
    drawn = [stimulus(own.config, seed + number) for number, own in enumerate(network.layers)]
    return drawn[0][0], [weights for _, weights, _ in drawn], drawn[-1][2]


def assert_steps_are_runs(
    core: Any, stepped: Any, events: Events, targets: np.ndarray, *, learn: bool
) -> None:
    """Run windows with one core and step by step with another, and compare all that they return.

    Parameters
    ----------
    core, stepped : NetworkCore
        Two cores in the same state; everything that they can record is compared.
    events : Events
    targets : (W, M) or (W, T, M)
    learn : bool
    """
    record = core.records if learn else core.records[:3]
    out = core.run(events, targets, learn=learn, record=record)
    by_step = targets[:, None] if targets.ndim == 2 else targets
    for window in range(events.windows):
        for step in range(events.steps):
            at = window * events.steps + step
            assert stepped.step_position == step
            now = stepped.step(
                events.addresses[events.pointers[at] : events.pointers[at + 1]],
                by_step[window, step % by_step.shape[1]], learn=learn, record=record,
            )  # fmt: skip
            signed = out.step_signatures.size > 0
            assert now.signature == (out.step_signatures[window, step] if signed else None)
            np.testing.assert_array_equal(now.spikes, out.raster[window, step])
            for own, layer in zip(now.layers, out.layers, strict=True):
                np.testing.assert_array_equal(own.spikes, layer.raster[window, step])
                for name in record[:3]:
                    wanted = getattr(layer, name)[window, step]
                    np.testing.assert_array_equal(getattr(own, name), wanted)
                if learn and now.ended:
                    np.testing.assert_array_equal(own.adjoints, layer.adjoints[window])
                    np.testing.assert_array_equal(own.gradient, layer.gradient[window])
            if learn:
                np.testing.assert_array_equal(now.errors, out.errors[window, step])
    assert_same_core(core, stepped)
    assert core.windows_learned() == events.windows * learn


def assert_same_core(left: Any, right: Any) -> None:
    """Compare weights, counters, signatures and states of two cores of networks."""
    for a, b in zip(left.weights(), right.weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert left.layer_counters() == right.layer_counters()
    assert left.signature() == right.signature()
    for a, b in zip(left.state(), right.state(), strict=True):
        np.testing.assert_array_equal(a.membrane, b.membrane)
        np.testing.assert_array_equal(a.current, b.current)
        assert (a.noise_lfsr, a.update_lfsr, a.phase) == (b.noise_lfsr, b.update_lfsr, b.phase)
