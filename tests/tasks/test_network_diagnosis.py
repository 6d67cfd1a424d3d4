"""Diagnosis of networks: networks that fail have findings that name the cure, others have none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.network import Network
from bitlif.tasks import network_cures
from bitlif.tasks.finding import Finding
from bitlif.tasks.learner import target_levels
from bitlif.tasks.network_cures import in_layer
from bitlif.tasks.network_diagnosis import network_findings, spike_findings
from bitlif.tasks.suit_network import suit_network

RANDOM = np.random.default_rng(11)
WINDOWS = 160
HALVES = RANDOM.integers(0, 2, (WINDOWS, 2))
LABELS = HALVES[:, 0] ^ HALVES[:, 1]
TARGETS = np.eye(2)[LABELS] * 0.5


def spikes() -> Events:
    """Return windows whose class is 1 if exactly one half of the inputs spikes often."""
    often = np.where(np.repeat(HALVES, 4, axis=1), 0.4, 0.05)
    rates = np.concatenate([often, np.full((WINDOWS, 1), 0.25)], axis=1)
    return Events.from_raster(RANDOM.random((WINDOWS, 24, 9)) < rates[:, None, :])


SPIKES = spikes()
SUITED, _ = suit_network(SPIKES, 2, hidden=(16,), epochs=6, name="suited")
DEEP, _ = suit_network(SPIKES, 2, hidden=(16, 12), epochs=2, name="deep")


def diagnosed(network: NetworkConfig, epochs: int = 6) -> dict[str, Finding]:
    """Return the findings on a network after learning."""
    model = Network(network)
    model.load(network.initial_weights())
    levels = target_levels(network.outer, TARGETS)
    for _ in range(epochs):
        model.learn(SPIKES, levels)
    weights = model.weights()
    found = network_findings(network, weights, epochs * WINDOWS, SPIKES, TARGETS)
    for before, after in zip(weights, model.weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    names = [finding.name for finding in found]
    assert len(names) == len(set(names))
    return {finding.name: finding for finding in found}


def problems(found: dict[str, Finding]) -> dict[str, str]:
    return {name: own.cure for name, own in found.items() if own.problem}


@pytest.mark.parametrize("network", [SUITED, DEEP], ids=["suited", "deep"])
def test_a_network_that_learns_has_no_problem(network: NetworkConfig) -> None:
    found = diagnosed(network)
    assert problems(found) == {}
    for name in ("silent_neurons", "closed_windows", "active_adjoints", "credit_saturated"):
        assert f"layer.0.{name}" in found
    # The last layer has the names of a single layer.
    assert {"silent_neurons", "active_errors", "updates_lost", "membrane_saturated"} <= set(found)
    assert 0.3 < found["layer.0.closed_windows"].value < 0.95
    assert found["fixed_layers"].text == "0 layers"


@pytest.mark.parametrize(
    ("changes", "name", "cure"),
    [
        ({"layer__0__initial__low": 0.0, "layer__0__initial__high": 0.0},
         "layer.0.active_adjoints", "layer.0.initial.low"),
        ({"layer__0__initial__low": -2.0, "layer__0__initial__high": -1.0},
         "layer.0.silent_neurons", "raise layer.0.initial.high from -1 to 2"),
        ({"layer__0__initial__low": 2.0, "layer__0__initial__high": 4.0,
          "layer__0__membrane__gain": 1.0},
         "layer.0.always_firing", "lower layer.0.initial.high from 4 to 2"),
        ({"layer__0__sweep__surrogate__width": 0.001},
         "layer.0.closed_windows", "widen layer.0.sweep.surrogate.width from 0.001 to about 0.4"),
        ({"layer__0__sweep__credit": "s4.4"},
         "layer.0.credit_saturated", "widen layer.0.sweep.credit from 's4.4' to 's6.4'"),
        ({"layer__0__sweep__credit": "s8.-5", "layer__0__sweep__rounding": "toward_zero"},
         "layer.0.active_adjoints", "refine layer.0.sweep.credit from 's8.-5' to 's10.-3'"),
        ({"layer__1__sweep__current": "s4.4"},
         "adjoint_current_saturated", "widen layer.1.sweep.current"),
        ({"layer__1__sweep__membrane": "s4.3"},
         "adjoint_membrane_saturated", "widen layer.1.sweep.membrane"),
        ({"layer__0__synapse__weight": "s3.1", "layer__0__schedule": [{"rate": 1e-6}]},
         "layer.0.updates_lost", "raise the rates of layer.0.schedule"),
        ({"layer__0__membrane__gain": 100.0},
         "layer.0.membrane_saturated", "lower layer.0.membrane.gain from 100"),
        ({"layer__0__synapse__current": "s6.3"},
         "layer.0.current_saturated", "layer.0.synapse.current"),
        ({"layer__0__synapse__weight": "s3.2"},
         "layer.0.weights_at_ends", "layer.0.synapse.weight"),
    ],
)  # fmt: skip
def test_what_is_out_of_range_names_its_cure(changes: dict[str, Any], name: str, cure: str) -> None:
    found = diagnosed(SUITED.replace(**changes), epochs=2)
    assert name in problems(found), problems(found)
    assert cure in found[name].cure
    if name.startswith("layer.0."):
        assert found[name].message.startswith("layer.0: ")


@pytest.mark.parametrize("name", ["digits-96", "gunpoint", "randman", "yin-yang"])
def test_gains_of_ready_made_networks_are_not_to_be_lowered(name: str) -> None:
    network = NetworkConfig.load(name)
    for number, own in enumerate(network.layers):
        fmt = own.config.membrane.format
        wider = f"widen layer.{number}.membrane.format from '{fmt}' to 's{fmt.bits + 2}.{fmt.frac}'"
        assert network_cures.of_saturation(network, number, "membrane") == wider
        for signal in ("current", "weight"):
            assert "lower membrane" not in network_cures.of_saturation(network, number, signal)
        assert "gain from" not in network_cures.of_firing(network, number)
        assert "lower layer" not in network_cures.of_silence(network, number)
    assert "gain" not in network_cures.of_errors(network)


def test_neurons_that_have_become_silent_are_told_apart() -> None:
    weights = SUITED.initial_weights()
    weights[0][:] = SUITED.layers[0].config.synapse.weight.raw_min // 2
    narrow = SUITED.replace(layer__0__sweep__surrogate__width=0.1)
    for network, cure in (
        (SUITED, "lower the rates of layer.0.schedule"),
        (narrow, "widen layer.0.sweep.surrogate.width"),
    ):
        found = {own.name: own for own in network_findings(network, weights, 0, SPIKES, TARGETS)}
        assert found["layer.0.silent_neurons"].cure.startswith(cure)


def test_layers_that_are_not_learned_have_no_findings_on_the_sweep() -> None:
    fixed = SUITED.replace(layer__0__sweep__feedback="none")
    found = diagnosed(fixed, epochs=2)
    assert "layer.0.active_adjoints" not in found
    assert found["fixed_layers"].value == 1
    assert found["fixed_layers"].message == ""
    # A layer that is fixed by the one after it is a problem.
    found = diagnosed(DEEP.replace(layer__1__sweep__feedback="none"), epochs=1)
    assert "layer.1.sweep.feedback = 'transpose'" in found["fixed_layers"].cure


def test_updates_by_spike_are_diagnosed() -> None:
    network = SUITED.replace(
        layer__0__sweep__update="spike", layer__1__sweep__update="spike"
    )  # fmt: skip
    found = diagnosed(network, epochs=2)
    assert problems(found) == {}
    assert 0 < found["layer.0.updates_below_half_lsb"].value <= 1


def test_few_windows_are_learned_of_large_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bitlif.tasks.network_diagnosis.MOST_GRADIENTS", 1)
    assert problems(diagnosed(SUITED)) == {}


def test_real_networks_have_findings_on_spikes() -> None:
    silent = np.zeros((2, 24, 16), np.uint8)
    firing = np.ones((2, 24, 2), np.uint8)
    found = {own.name: own for own in spike_findings(SUITED, [silent, firing], None)}
    assert set(problems(found)) == {"layer.0.silent_neurons", "always_firing"}
    assert "layer.1" in found["always_firing"].cure


def test_the_phase_of_each_layer_is_that_of_the_learned_windows() -> None:
    slow = [{"windows": WINDOWS, "rate": 0.1}, {"rate": 1e-9}]
    network = SUITED.replace(layer__0__schedule=slow, layer__0__learning__random_bits=0)
    for learned, lost in ((0, False), (WINDOWS, True)):
        found = network_findings(network, network.initial_weights(), learned, SPIKES, TARGETS)
        values = {own.name: own.value for own in found}
        assert (values["layer.0.updates_lost"] > 0.99) == lost
        assert values["updates_lost"] < 0.9


def test_fields_are_named_with_their_layer() -> None:
    assert in_layer("raise sweep.credit", 2) == "raise layer.2.sweep.credit"
    assert in_layer("as layer.1.sweep.credit", 2) == "as layer.1.sweep.credit"


def test_silence_is_cured_in_the_layer_that_causes_it() -> None:
    silent = SUITED.replace(layer__0__initial__low=-2.0, layer__0__initial__high=-1.0)
    found = diagnosed(silent, epochs=1)
    assert found["silent_neurons"].problem
    cure = "layer.0 hardly spikes: larger start weights: raise layer.0.initial.high from -1 to 2"
    assert found["silent_neurons"].cure == cure
    # Of several silent layers, the first one.
    assert len(DEEP.layers) == 3
    deep = DEEP.replace(layer__0__initial__low=-2.0, layer__0__initial__high=-1.0)
    found = diagnosed(deep, epochs=1)
    assert found["layer.1.silent_neurons"].cure == cure
    assert found["silent_neurons"].cure == cure
    # If the layer before spikes, the cure is for the layer itself.
    spiking, none = np.ones((2, 24, 16), np.uint8), np.zeros((2, 24, 2), np.uint8)
    found = {own.name: own for own in spike_findings(SUITED, [spiking, none], None)}
    assert "hardly spikes" not in found["silent_neurons"].cure
    assert "layer.1" in found["silent_neurons"].cure
