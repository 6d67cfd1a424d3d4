"""The forward pass is the integer model to the bit, in both of its ways, whatever the batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from networks import network_stimulus, random_networks, with_option

import bitlif
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.trained.network import Network

from strategies import OPTIONS

COUNT = 200
NAMES = ("current", "membrane", "draws")


def as_tensors(config: NetworkConfig, seed: int) -> tuple[Any, ...]:
    """Return events, raw weights and raw targets, and the spikes and real targets as tensors."""
    events, weights, targets = network_stimulus(config, seed)
    given = torch.from_numpy(events.raster().swapaxes(0, 1).astype(np.float32))
    one = 1 << config.layers[-1].config.error.target_bits
    goals = torch.from_numpy(np.asarray(targets, np.float64) / one)
    return events, weights, targets, given, goals.transpose(0, 1) if goals.ndim == 3 else goals


def made(config: Any, weights: Any, engine: str) -> Network:
    network = Network(config, engine=engine).eval()
    network.load_core_weights(weights)
    return network


@pytest.mark.parametrize("number", range(COUNT))
def test_forward_is_the_model_to_the_bit(number: int) -> None:
    assert_forward(random_networks(COUNT)[number], number)


@pytest.mark.parametrize("option", OPTIONS)
def test_forward_has_the_options_of_the_model(option: str) -> None:
    compared = 0
    for number in range(12):
        config = with_option(random_networks(COUNT)[number], option, learned=False)
        if config is not None:
            with torch.no_grad():
                assert_forward(config, number)
            compared += 1
    assert compared > 6


def test_spikes_without_noise_have_no_derivative() -> None:
    network = Network(bitlif.Config.load("tiny").replace(noise__kind="none"))
    with pytest.raises(BitlifError, match=r"^noise\.kind must not be 'none': spikes without"):
        network(torch.zeros(16, 1, 6))
    with torch.no_grad():
        assert network(torch.zeros(16, 1, 6))[0].shape == (16, 1, 4)


def assert_forward(config: NetworkConfig, number: int) -> None:
    events, weights, targets, given, goals = as_tensors(config, number)
    with bitlif.open(config, "model", signature=False) as core:
        core.load(weights)
        out = core.run(events, targets, learn=False, record=NAMES)
        state = core.state()
    for engine in ("compiled", "tensors"):
        network = made(config, weights, engine)
        spikes, after = network(given, targets=goals)
        np.testing.assert_array_equal(spikes.detach().numpy().swapaxes(0, 1), out.raster)
        assert after.windows == events.windows
        for own, last in zip(zip(after.currents, after.membranes, strict=True), state, strict=True):
            np.testing.assert_array_equal(own[0], last.current)
            np.testing.assert_array_equal(own[1], last.membrane)
        for own, layer in zip(network.signals(given, targets=goals), out.layers, strict=True):
            np.testing.assert_array_equal(own.spikes.numpy().swapaxes(0, 1), layer.raster)
            for name in NAMES:
                found = getattr(own, name).numpy().swapaxes(0, 1)
                np.testing.assert_array_equal(found, getattr(layer, name))
        for own, raw in zip(network.to_core_weights(), weights, strict=True):
            np.testing.assert_array_equal(own, raw)


@pytest.mark.parametrize("number", range(0, COUNT, 10))
def test_batches_continue_from_the_state(number: int) -> None:
    config = random_networks(COUNT)[number]
    events, weights, _, given, goals = as_tensors(config, number)
    assert events.windows > 1
    cut = 1 + number // 10 % (events.windows - 1)
    engines = ("compiled", "tensors")
    whole, _ = made(config, weights, "tensors")(given, targets=goals)
    rows = (lambda a, b: goals[a:b]) if goals.ndim == 2 else (lambda a, b: goals[:, a:b])
    for engine in engines:
        network = made(config, weights, engine)
        first, state = network(given[:, :cut], targets=rows(0, cut))
        again, _ = network(given[:, :cut], targets=rows(0, cut))
        rest, end = network(given[:, cut:], state, targets=rows(cut, None))
        assert torch.equal(first, again)
        assert torch.equal(torch.cat((first, rest), 1), whole)
        assert end.windows == events.windows


def test_windows_learned_choose_the_phase() -> None:
    config = bitlif.NetworkConfig.load("tiny")
    random = np.random.default_rng(3)
    weights = [random.integers(-32, 32, (6, 4))]
    events = bitlif.Events.from_raster(random.random((9, 16, 6)) < 0.4)
    given = torch.from_numpy(events.raster().swapaxes(0, 1).astype(np.float32))
    with bitlif.open(config, "model") as core:
        core.load(weights)
        core.run(events, np.zeros((9, 4), np.uint16), learn=True)
        core.load(weights)
        out = core.run(events.select([0, 1]), learn=False, record=("membrane",))
    for engine in ("compiled", "tensors"):
        network = made(config, weights, engine)
        _, state = network(given)
        later = state.carried()._replace(windows_learned=9)
        signals = network.signals(given[:, :2], later)
        np.testing.assert_array_equal(signals[0].membrane.swapaxes(0, 1), out.layers[0].membrane)
        np.testing.assert_array_equal(signals[0].spikes.swapaxes(0, 1), out.layers[0].raster)
        assert not torch.equal(signals[0].spikes, network.signals(given[:, :2], state)[0].spikes)


def test_training_draws_new_noise_and_evaluation_does_not() -> None:
    network = Network(bitlif.Config.load("digits"))
    network.load_core_weights(np.full((65, 10), 20))
    given = torch.ones(64, 4, 65)
    first, state = network(given)
    second, _ = network(given)
    assert (int(network.windows_run), state.windows) == (8, 4)
    assert not torch.equal(first, second)
    assert torch.equal(network(given, state)[0], second)
    network.eval()
    assert torch.equal(network(given)[0], first)
    assert torch.equal(network(given)[0], first)
    assert int(network.windows_run) == 8


def test_a_layer_is_its_core() -> None:
    config = bitlif.Config.load("tiny")
    weights = np.random.default_rng(1).integers(-32, 32, (6, 4))
    network = made(config, weights, "auto")
    raster = np.random.default_rng(2).random((5, 16, 6)) < 0.4
    with bitlif.open(network.config, "model") as core:
        core.load(network.to_core_weights())
        out = core.run(bitlif.Events.from_raster(raster), learn=False)
    spikes, _ = network(torch.from_numpy(raster.swapaxes(0, 1).copy()))
    np.testing.assert_array_equal(spikes.detach().numpy().swapaxes(0, 1), out.raster)


def test_weights_round_to_nearest_and_saturate() -> None:
    network = Network(bitlif.Config.load("tiny"))  # s6.4
    with torch.no_grad():
        network.weights[0][:] = torch.tensor([0.03125, -0.03125, 99.0, -99.0])
    np.testing.assert_array_equal(network.to_core_weights()[0], [1, 0, 31, -32])
    with torch.no_grad():
        network.weights[0][0, 0] = torch.nan
    with pytest.raises(bitlif.BitlifError, match=r"^weights must be finite numbers"):
        network(torch.zeros(16, 1, 6))
