"""The reach of a window's gradient, held against runs, and rates that can move no weight."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitlif.model.config.config import Config, ready_made
from bitlif.model.config.remarks import remarks
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifWarning
from bitlif.model.events import Events
from bitlif.model.gradient_range import (
    error_range,
    gradient_range,
    idle_phases,
    largest_trace_sum,
    least_rate,
)
from bitlif.model.layer import Layer

from strategies import configs, random_configs, stimulus

TINY = Config.load("tiny")


def all_spikes(config: Config, windows: int) -> Events:
    shape = (windows, config.window.steps, config.layer.inputs)
    return Events.from_raster(np.ones(shape, bool))


@pytest.mark.parametrize("name", ready_made())
@pytest.mark.parametrize("keep", ["clear", "carry"])
def test_largest_trace_sum_is_reached_by_constant_spiking(name: str, keep: str) -> None:
    config = Config.load(name).replace(window__trace=keep)
    c = derive(config).constants
    # Carried traces have risen as far as they can after this many steps.
    windows = 1 if keep == "clear" else 4000 // config.window.steps
    targets = np.zeros((windows, config.layer.neurons), np.uint16)
    # Only learning carries traces on.
    traces = Layer(config).learn(all_spikes(config, windows), targets, record=("traces",)).traces
    assert traces is not None
    most = largest_trace_sum(c.trace_current, c.trace, config.window.steps, keep == "carry")
    assert most == int(traces[-1].sum(axis=0).max())


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(config=configs(max_steps=12), seed=st.integers(0, 2**32))
def test_no_error_and_no_gradient_leaves_its_range(config: Config, seed: int) -> None:
    derived = derive(config)
    events, weights, targets = stimulus(config, seed)
    ends = np.where(targets * 2 > derived.constants.target_one, derived.constants.target_one, 0)
    for inputs, goals in ((events, targets), (all_spikes(config, 3), ends)):
        layer = Layer(config)
        layer.load(weights)
        result = layer.run(inputs, goals.astype(np.uint16), record=("errors", "gradient"))
        for name, reach in (
            ("errors", error_range(derived.table, derived.constants)),
            ("gradient", gradient_range(config, derived)),
        ):
            values = getattr(result, name)
            assert reach.low <= values.min()
            assert values.max() <= reach.high


def test_no_weight_moves_in_an_idle_phase() -> None:
    found = [
        (config, number)
        for config in random_configs(300)
        for number in idle_phases(config, derive(config))
        if not math.isinf(least_rate(config, derive(config)))
    ]
    assert len(found) >= 3
    for config, number in found:
        phase = config.schedule[number]
        rate = phase.rate or config.learning.rate
        # The schedule goes on to one that moves weights: a layer that never can is warned of.
        schedule = [
            {"windows": 20, "sigma": phase.sigma, "rate": rate},
            {"sigma": phase.sigma, "rate": 8 * least_rate(config, derive(config))},
        ]
        layer = Layer(config.replace(schedule=schedule))
        derived = derive(layer.config)
        assert idle_phases(layer.config, derived)[0] == 0
        for seed in range(6):
            events, weights, targets = stimulus(layer.config, seed)
            layer.load(weights)
            layer.learn(events, targets.astype(np.uint16))
            assert layer.phase == 0
            np.testing.assert_array_equal(layer.weights, weights)


@pytest.mark.parametrize("random_bits", [0, 4, 12])
@pytest.mark.parametrize("name", ready_made())
def test_least_rate_is_where_weights_begin_to_move(name: str, random_bits: int) -> None:
    config = Config.load(name).replace(learning__random_bits=random_bits, membrane__reset="free")
    derived = derive(config)
    least = least_rate(config, derived)
    sigma = config.schedule[-1].sigma
    idle = config.replace(schedule=[{"sigma": sigma, "rate": least * 0.6}])
    assert idle_phases(idle, derive(idle)) == (0,)
    # Every input spikes and every neuron should, but no weight lets a neuron spike: the errors are
    # at their maximum, except in the first steps, in which the membrane potential falls.
    moving = config.replace(schedule=[{"sigma": sigma, "rate": least * 1.6}])
    layer = Layer(moving)
    start = np.full((config.layer.inputs, config.layer.neurons), config.synapse.weight.raw_min)
    layer.load(start)
    windows = 3 << max(0, random_bits - 6)
    targets = np.full((windows, config.layer.neurons), derived.constants.target_one)
    layer.learn(all_spikes(moving, windows), targets)
    assert (layer.weights != start).any()


def test_rates_that_cannot_change_a_weight_issue_a_warning() -> None:
    config = TINY.replace(learning__rate=1e-6)
    (sentence,) = remarks(config)
    for fact in ("no weight can change", "learning.rate is less than about 0.00022", "1e-06"):
        assert fact in sentence
    assert len(sentence) < 200
    layer = Layer(config)
    events, weights, targets = stimulus(config, 1, windows=20)
    layer.load(weights)
    with pytest.warns(BitlifWarning, match=f"^{re.escape(sentence)}$"):
        layer.learn(events, targets)
    np.testing.assert_array_equal(layer.weights, weights)
    phases = [{"windows": 8, "sigma": 0.3, "rate": 1e-6}, {"sigma": 0.3, "rate": 2e-6}]
    config = TINY.replace(schedule=phases)
    assert "schedule[1].rate is less than about 0.00022" in "".join(remarks(config))
    # A rate of 0 in a phase means learning.rate.
    phases[1]["rate"] = 0.0
    config = TINY.replace(schedule=phases)
    assert idle_phases(config, derive(config)) == (0,)
    Layer(config).learn(events, targets)


def test_zero_errors_have_no_least_rate() -> None:
    column = [0.0] * 64
    config = TINY.replace(error__rule="table", error__a=column, error__b=column)
    assert math.isinf(least_rate(config, derive(config)))
