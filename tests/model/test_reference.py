"""The model against the contract written a second time, independently and naively."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitlif.model.config.config import Config
from bitlif.model.layer import Layer

from reference import run_reference
from strategies import OPTIONS, configs, random_configs, stimulus

COUNTERS = {
    "current": "current_saturations",
    "membrane": "membrane_saturations",
    "error": "error_saturations",
    "synaptic": "synaptic_trace_saturations",
    "trace": "trace_saturations",
    "weight": "weight_saturations",
}


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(config=configs(max_steps=12), seed=st.integers(0, 2**32))
def test_model_obeys_the_contract_as_written_a_second_time(config: Config, seed: int) -> None:
    assert_obeys(config, seed)


def assert_obeys(config: Config, seed: int) -> None:
    """Compare the model with the naive reference."""
    events, weights, targets = stimulus(config, seed)
    layer = Layer(config)
    layer.load(weights)
    result = layer.learn(events, targets, record=("membrane", "errors", "traces", "gradient"))
    expected = run_reference(config, weights, events, targets)
    for name in ("raster", "membrane", "errors", "traces", "gradient"):
        np.testing.assert_array_equal(getattr(result, name), expected[name], err_msg=name)
    np.testing.assert_array_equal(layer.weights, expected["weights"])
    counted = {name: result.counters[own] for name, own in COUNTERS.items()}
    assert counted == expected["counts"]
    for states, name in zip(layer.lfsr_states, ("noise_states", "update_states"), strict=True):
        # A shared stream is kept once; its lanes all stand where the first one does.
        assert set(states) == set(expected[name])


@pytest.mark.parametrize("option", OPTIONS)
def test_options_obey_the_contract_as_written_a_second_time(option: str) -> None:
    spikes = 0
    for number, base in enumerate(random_configs(40)):
        config = OPTIONS[option](base)
        assert_obeys(config, number)
        spikes += assert_interpreted_alike(config, number)
    assert spikes > 500


def assert_interpreted_alike(config: Config, seed: int) -> int:
    """Compare the engine with the interpreted specification; return the number of spikes."""
    events, weights, targets = stimulus(config, seed)
    layers = [Layer(config), Layer(config, interpreted=True)]
    names = ("current", "membrane", "draws", "errors", "traces", "gradient")
    results = []
    for layer in layers:
        layer.load(weights)
        results.append(layer.learn(events, targets, record=names))
    for name in ("raster", *names):
        np.testing.assert_array_equal(*(getattr(own, name) for own in results), err_msg=name)
    np.testing.assert_array_equal(layers[0].weights, layers[1].weights)
    assert layers[0].lfsr_states == layers[1].lfsr_states
    assert results[0].counters == results[1].counters
    return int(results[0].raster.sum())


def test_reference_is_sensitive_to_a_fault() -> None:
    config = Config.load("tiny")
    events, weights, targets = stimulus(config, 5)
    expected = run_reference(config, weights, events, targets)
    other = run_reference(config.replace(noise__lfsr__seed=44258), weights, events, targets)
    assert expected["raster"] != other["raster"]
