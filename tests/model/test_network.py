"""Networks: the engine, the interpreted specification and the naive reference agree to the bit."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import network_stimulus, random_networks, with_option
from reference_network import run_reference_network

from bitlif.model.digest import sign_digests
from bitlif.model.errors import BitlifError
from bitlif.model.layer import Layer
from bitlif.model.network import Network
from bitlif.model.network_result import NetworkResult
from bitlif.model.signature import Signature

from strategies import OPTIONS

COUNT = 48
"""Networks that `make test` draws; `make test-long` draws more."""

LONG = 200

SATURATIONS = {
    "credit": "credit_saturations",
    "membrane": "adjoint_membrane_saturations",
    "current": "adjoint_current_saturations",
    "weight": "weight_saturations",
}
"""Counters of the sweep, by their names in the reference."""


def learned(
    number: int, option: str = "", *, interpreted: bool = False
) -> tuple[Network, NetworkResult]:
    config = random_networks(COUNT if number < COUNT else LONG)[number]
    if option:
        config = with_option(config, option) or config
    events, weights, targets = network_stimulus(config, number)
    network = Network(config, interpreted=interpreted)
    network.load(weights)
    return network, network.learn(events, targets, record=("membrane", "adjoints", "gradients"))


def values(network: Network, result: NetworkResult) -> list[Any]:
    return [
        *network.weights(), *network.sweep_lfsr(), *result.adjoints, *result.gradients,
        *(own.raster for own in result.layers), *(own.membrane for own in result.layers),
        *result.sweep_counters, *(own.counters for own in result.layers),
    ]  # fmt: skip


def assert_equal(left: list[Any], right: list[Any]) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b


def compare_with_interpreted(number: int, option: str = "") -> None:
    whole = values(*learned(number, option))
    assert_equal(whole, values(*learned(number, option, interpreted=True)))


def compare_with_reference(number: int, option: str = "") -> None:
    network, result = learned(number, option)
    events, weights, targets = network_stimulus(network.config, number)
    expected = run_reference_network(network.config, weights, events, targets)
    for layer, own in enumerate(result.layers):
        for name, found in (("rasters", own.raster), ("adjoints", result.adjoints[layer])):
            wanted = [window[layer] for window in expected[name]]
            np.testing.assert_array_equal(found, wanted, f"{name} of layer {layer}, {number}")
        np.testing.assert_array_equal(network.weights()[layer], expected["weights"][layer])
        counted, sweep = expected["counts"][layer], result.sweep_counters[layer]
        for name, counter in SATURATIONS.items():
            assert counted[name] == sweep[counter]
        if network.config.layers[layer].sweep.rounding == "stochastic":
            own_config = network.config.layers[layer]
            starts = own_config.sweep.lfsr.streams(own_config.config.layer.lanes)
            distinct = [starts.index(start) for start in dict.fromkeys(starts)]
            states = expected["sweep_states"][layer]
            assert network.sweep_lfsr()[layer] == tuple(states[lane] for lane in distinct)


@pytest.mark.parametrize("part", range(4))
def test_engine_equals_the_interpreted_specification(part: int) -> None:
    for number in range(part, COUNT, 4):
        compare_with_interpreted(number)


@pytest.mark.parametrize("part", range(4))
def test_engine_equals_the_naive_reference(part: int) -> None:
    for number in range(part, COUNT, 4):
        compare_with_reference(number)


@pytest.mark.parametrize("option", OPTIONS)
def test_options_equal_interpreted_and_reference(option: str) -> None:
    numbers = [n for n in range(24) if with_option(random_networks(COUNT)[n], option)]
    assert len(numbers) > 12
    for number in numbers:
        compare_with_interpreted(number, option)
        compare_with_reference(number, option)


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_more_networks(part: int) -> None:
    for number in range(COUNT + part, LONG, 8):
        compare_with_interpreted(number)
        compare_with_reference(number)


def test_pieces_of_a_run_give_the_bits_of_the_whole() -> None:
    config = random_networks(COUNT)[1]
    events, weights, targets = network_stimulus(config, 1)
    whole, parts = Network(config), Network(config)
    for network in (whole, parts):
        network.load(weights)
    whole.learn(events, targets)
    for window in range(events.windows):
        parts.learn(events.select([window]), targets[window : window + 1])
    assert_equal(whole.weights(), parts.weights())
    assert whole.sweep_lfsr() == parts.sweep_lfsr()
    assert whole.windows_learned == parts.windows_learned == events.windows


def test_reset_keeps_the_weights_and_restarts_everything_else() -> None:
    config = random_networks(COUNT)[2]
    events, weights, targets = network_stimulus(config, 2)
    network = Network(config)
    network.load(weights)
    first = network.learn(events, targets, record=("adjoints",))
    start = network.snapshot()
    network.reset()
    assert network.windows_learned == 0
    network.load(weights)
    assert_equal(list(network.learn(events, targets, record=("adjoints",)).adjoints),
                 list(first.adjoints))  # fmt: skip
    network.restore(start)
    assert network.windows_learned == events.windows


def test_running_changes_no_weight_and_no_sweep() -> None:
    config = next(own for own in random_networks(COUNT) if len(own.layers) == 3)
    events, weights, targets = network_stimulus(config, 3)
    network = Network(config)
    network.load(weights)
    before = network.sweep_lfsr()
    result = network.run(events, targets, record=("membrane",))
    assert_equal(network.weights(), weights)
    assert network.sweep_lfsr() == before
    assert network.windows_learned == 0
    for own, layer in zip(result.layers, config.layers, strict=True):
        assert own.membrane is not None
        assert own.membrane.shape == (3, config.layers[0].config.window.steps,
                                      layer.config.layer.neurons)  # fmt: skip


def test_first_layer_runs_as_a_layer_of_its_own() -> None:
    config = next(own for own in random_networks(COUNT) if len(own.layers) == 2)
    events, weights, targets = network_stimulus(config, 4)
    network, layer = Network(config), Layer(config.layers[0].config)
    network.load(weights)
    layer.load(weights[0])
    np.testing.assert_array_equal(
        network.run(events, targets).layers[0].raster, layer.run(events).raster
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n, e, w, t: n.load(w[:1]), "list of 2 arrays"),
        (lambda n, e, w, t: n.load([w[0].T, w[1]]), "weights must be integers of shape"),
        (lambda n, e, w, t: n.learn(e, t, record=("traces",)), "record must name some of"),
        (lambda n, e, w, t: n.run(e, t, record=("adjoints",)), "record must name some of"),
        (lambda n, e, w, t: n.learn(e, t[:1]), "targets must be"),
        (lambda n, e, w, t: n.learn(e, None), "targets must be given"),
        (lambda n, e, w, t: Network(3), "config must be a NetworkConfig"),
    ],
)
def test_wrong_arguments_are_refused(call: Any, message: str) -> None:
    config = next(
        own
        for own in random_networks(COUNT)
        if len(own.layers) == 2 and own.layers[0].config.layer.inputs > 4
        and own.layers[0].config.layer.neurons != own.layers[0].config.layer.inputs
    )  # fmt: skip
    events, weights, targets = network_stimulus(config, 5)
    network = Network(config)
    with pytest.raises(BitlifError, match=message):
        call(network, events, weights, targets)


def test_networks_start_with_the_weights_of_the_configuration() -> None:
    config = random_networks(COUNT)[3]
    network = Network(config)
    assert_equal(network.weights(), config.initial_weights())
    network.reset()
    assert_equal(network.weights(), config.initial_weights())


def test_saved_networks_continue_to_the_bit(tmp_path: Path) -> None:
    for number in (0, 4, 7):
        network, _ = learned(number)
        events, _, targets = network_stimulus(network.config, number)
        network.save(tmp_path / "state.npz")
        other = Network(network.config)
        other.resume(tmp_path / "state.npz")
        copies = [other, pickle.loads(pickle.dumps(network)), copy.deepcopy(network)]
        record = ("membrane", "adjoints", "gradients", "errors", "digests")
        expected = values(network, network.learn(events, targets, record=record))
        for own in copies:
            assert_equal(expected, values(own, own.learn(events, targets, record=record)))


def test_damaged_states_are_refused() -> None:
    network, _ = learned(next(n for n in range(COUNT) if len(random_networks(COUNT)[n].layers) > 1))
    arrays = network.to_arrays()
    for name, value, message in (
        ("layer.0.sweep_lfsr", None, r"layer\.0: a state must contain the array sweep_lfsr"),
        ("layer.1.weights", np.zeros(3), r"layer\.1: weights must be integers"),
        ("layer.9.weights", np.zeros(3), r"must not contain an array 'layer\.9\.weights'"),
        ("layer.0.windows_learned", np.array(99), "windows_learned must be the same"),
    ):
        changed = {**arrays, name: value} if value is not None else {
            key: array for key, array in arrays.items() if key != name
        }  # fmt: skip
        with pytest.raises(BitlifError, match=message):
            network.from_arrays(changed)


def test_signature_is_that_of_the_layers_alone() -> None:
    # A layer of a network signs what a layer of its own signs: membranes, spikes, new weights.
    network, _ = learned(5)
    events, _, targets = network_stimulus(network.config, 5)
    result = network.learn(events, targets, record=("membrane", "digests"))
    for own, weights, layer in zip(
        result.layers, network.weights(), network.config.layers, strict=True
    ):
        assert own.digests is not None
        assert own.membrane is not None
        last = events.windows - 1
        signer = Signature(layer.config.layer)
        expected = signer.take_steps(own.membrane[last], own.raster[last])
        steps, updates = (array[last:] for array in own.digests)
        zero = (0,) * layer.config.layer.lanes
        lanes, signed = sign_digests(layer.config.layer, zero, steps, updates)
        np.testing.assert_array_equal(signed[0], expected)
        if updates.size:
            signer.take_weights(weights)
        assert lanes == signer.lanes
