"""The sweep against the traces: for one layer they are the same gradient, in exact arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from bitlif.model.config.network import NetworkConfig, NetworkLayer
from bitlif.model.events import Events
from bitlif.model.fixed import Format
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.floating.network import FloatNetwork
from bitlif.model.sweep_sections import SweepConfig

from strategies import random_configs, stimulus

COUNT = 12


def twins(
    number: int, reset: str, update: str = "window"
) -> tuple[FloatLayer, FloatNetwork, Events, np.ndarray]:
    """Return a layer and the same layer as a network, with its events and real targets."""
    drawn = random_configs(COUNT)[number]
    config = drawn.replace(membrane__reset=reset, window__trace="clear")
    events, weights, targets = stimulus(config, number)
    own = NetworkLayer(config=config, sweep=SweepConfig(current=Format(16, 12), update=update))
    layer = FloatLayer(config, seed=number)
    network = FloatNetwork(NetworkConfig(layers=(own,)), seed=number)
    real = weights * float(config.synapse.weight.lsb)
    layer.load(real)
    network.load([real])
    return layer, network, events, targets / (1 << config.error.target_bits)


@pytest.mark.parametrize("reset", ["free", "teacher"])
def test_sweep_equals_the_traces_in_real_numbers(reset: str) -> None:
    for number in range(COUNT):
        layer, network, events, targets = twins(number, reset)
        traced = layer.run(events, targets, gradient=True, record=("errors", "membrane"))
        swept = network.run(events, targets, record=("errors", "membrane", "gradients"))
        np.testing.assert_array_equal(swept.output.raster, traced.raster)
        np.testing.assert_array_equal(swept.output.membrane, traced.membrane)
        np.testing.assert_array_equal(swept.output.errors, traced.errors)
        assert traced.gradient is not None
        for own, other in zip(swept.gradients[0], traced.gradient, strict=True):
            scale = np.abs(other).max()
            assert np.abs(own.T - other).max() <= 1e-12 * max(scale, 1e-300)


@pytest.mark.parametrize("update", ["window", "spike"])
@pytest.mark.parametrize("reset", ["free", "teacher"])
def test_layer_learns_the_same_by_the_sweep_in_real_numbers(reset: str, update: str) -> None:
    for number in range(COUNT):
        layer, network, events, targets = twins(number, reset, update)
        start = layer.weights
        layer.learn(events.select([0]), targets[:1])
        network.learn(events.select([0]), targets[:1])
        scale = np.abs(layer.weights - start).max() + np.abs(start).max()
        assert np.abs(network.weights()[0] - layer.weights).max() <= 1e-12 * scale
