"""The layer core in Amaranth's simulator against the model: every bit, every clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitlif.model.clocks import window_clocks
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.layer import Layer
from bitlif.model.result import LayerState
from bitlif.model.signature import Signature
from bitlif.sim.backends.pysim import run_core

from strategies import core_configs, stimulus

EXAMPLES = 25

RAMP = [3.0 * bin / 64 for bin in range(64)]
"""A column of the error table of `tiny`."""

SPECIAL = {
    "plain": {},
    "one by one": {"layer__neurons": 1, "layer__lanes": 1, "layer__inputs": 1},
    "lanes that do not divide neurons": {"layer__neurons": 7, "layer__lanes": 3},
    "noise kept in the membrane": {"membrane__injection": "membrane"},
    "no synaptic filter": {"synapse__decay": "none"},
    "no leak, no synaptic filter": {"synapse__decay": "none", "membrane__decay": "integrate"},
    "threshold subtracted": {"membrane__reset": "subtract"},
    "threshold subtracted, noise kept": {
        "membrane__reset": "subtract",
        "membrane__injection": "membrane",
    },
    "reset by the teacher": {"membrane__reset": "teacher"},
    "state and traces carried": {"window__state": "carry", "window__trace": "carry"},
    "LFSRs cleared": {"window__lfsr": "clear"},
    "nearest update": {"learning__random_bits": 0},
    "popcount": {"noise__kind": "popcount"},
    "inverse CDF": {"noise__kind": "inverse_cdf", "noise__words": 1},
    "no noise": {"noise__kind": "none", "error__rule": "table", "error__a": RAMP, "error__b": RAMP},
    "shared LFSRs": {"noise__lfsr__sharing": "shared", "learning__lfsr__sharing": "shared"},
    "distinct polynomials": {"noise__lfsr__sharing": "polynomial"},
    "one window a phase": {
        "schedule": [{"windows": 1, "sigma": 0.3}, {"sigma": 0.15, "rate": 2.0}]
    },
    "rows of two slots": {"layer__lanes": 1, "gates__synapses": 2},
    "a row of all slots": {"layer__neurons": 7, "layer__lanes": 2, "gates__synapses": 8},
    "rows and groups that slots do not fill": {
        "layer__neurons": 11,
        "layer__lanes": 2,
        "gates__synapses": 8,
        "gates__products": 4,
    },
    "wide groups, narrow rows": {"layer__neurons": 9, "gates__synapses": 2, "gates__products": 6},
    "weights with one port": {
        "layer__neurons": 7,
        "layer__lanes": 2,
        "gates__synapses": 6,
        "gates__single_port": "weights",
    },
    "one port each": {
        "layer__neurons": 5,
        "layer__lanes": 1,
        "gates__synapses": 3,
        "gates__products": 2,
        "gates__single_port": "all",
    },
    "formats that saturate": {
        "synapse__current": "s8.6",
        "membrane__format": "s8.6",
        "trace__current": "u7.6",
        "trace__format": "u6.6",
        "error__format": "s5.4",
        "learning__rate": 4.0,
    },
}


def check(
    config: Config, seed: int, stall: float, windows: int = 3, built: Config | None = None
) -> dict[str, int]:
    """Learn `windows` windows in both; return the model's counters."""
    events, weights, targets = stimulus(config, seed, windows)
    core = run_core(config, weights, events, targets, stall=stall, seed=seed, built=built)
    layer, signature = Layer(config), Signature(config.layer)
    layer.load(weights)
    counters: dict[str, int] = {}
    clocks = []
    for w in range(windows):
        one = events.select([w])
        result = layer.learn(one, targets[w : w + 1], record=("membrane", "errors"))
        np.testing.assert_array_equal(core.raster[w], result.raster[0])
        signature.take_window(result)
        signature.take_weights(layer.weights)
        clocks.append(int(window_clocks(config, one, result, learn=True)[0]))
        for name, count in result.counters.items():
            counters[name] = counters.get(name, 0) + count
    np.testing.assert_array_equal(core.weights, layer.weights)
    assert core.counters == {name: counters[name] for name in core.counters}
    assert core.digest == signature.value
    check_state(config, core.state, layer.state)
    if stall == 0.0:
        np.testing.assert_array_equal(np.diff(core.window_clocks), clocks[1:])
    return counters


def check_state(config: Config, own: LayerState, model: LayerState) -> None:
    """Compare what is carried, all of it."""
    for name in ("current", "membrane", "trace_current", "trace"):
        np.testing.assert_array_equal(getattr(own, name), getattr(model, name), name)
    assert own.noise_lfsr == model.noise_lfsr
    if config.learning.random_bits:
        assert own.update_lfsr == model.update_lfsr
    assert own.phase == model.phase


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("name", SPECIAL)
def test_core_learns_bit_for_bit_like_the_model(name: str, stall: float) -> None:
    check(Config.load("tiny").replace(**SPECIAL[name]), len(name), stall)


def test_core_and_model_count_the_same_saturations() -> None:
    config = Config.load("tiny").replace(**SPECIAL["formats that saturate"])
    counters: dict[str, int] = {}
    for seed in range(6):
        for name, count in check(config, seed, 0.0).items():
            counters[name] = counters.get(name, 0) + count
    saturations = {name: count for name, count in counters.items() if "saturations" in name}
    assert all(saturations.values()), saturations


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(config=core_configs(max_steps=6), seed=st.integers(0, 2**32))
def test_random_configurations_match_the_model(config: Config, seed: int) -> None:
    check(config, seed, 0.0 if seed % 2 else 0.3, windows=2)


@pytest.mark.parametrize("learning", [False, True])
def test_inference_takes_the_documented_clock_cycles(learning: bool) -> None:
    config = Config.load("tiny")
    events, weights, _ = stimulus(config, 4, windows=3)
    core = run_core(config, weights, events, learning=learning, learn=False)
    layer = Layer(config)
    layer.load(weights)
    result = layer.run(events)
    np.testing.assert_array_equal(core.raster, result.raster)
    np.testing.assert_array_equal(core.weights, weights)
    clocks = window_clocks(config, events, result, learn=False, learning_core=learning)
    np.testing.assert_array_equal(np.diff(core.window_clocks), clocks[1:])


def test_loaded_table_and_schedule_take_effect() -> None:
    built = Config.load("tiny")
    config = built.replace(
        error__rule="clipped",
        error__guard=0.01,
        schedule=[{"windows": 1, "sigma": 0.15, "rate": 0.6}, {"sigma": 0.3}],
    )
    check(config, 8, 0.0, built=built)
    events, weights, targets = stimulus(config, 8)
    plain, loaded = (run_core(each, weights, events, targets, built=built)
                     for each in (built, config))  # fmt: skip
    assert plain.digest != loaded.digest


def test_incompatible_tables_are_refused() -> None:
    built = Config.load("tiny")
    events, weights, targets = stimulus(built, 8)
    for changes, message in (
        ({"membrane__threshold": 0.5}, r"^membrane\.threshold must be 1\.0, as the core was built"),
        ({"schedule": [{"windows": 1, "sigma": 0.2}] * 2 + [{"sigma": 0.3}]}, "at most 2 phases"),
        ({"schedule": [{"windows": 99, "sigma": 0.3}, {"sigma": 0.15}]}, "must be at most 15"),
        ({"learning__rate": 4.0}, r"^schedule\[0\]\.rate needs a shift"),
        ({"schedule": [{"sigma": 0.05}]}, r"^schedule must not change .*shift"),
    ):
        with pytest.raises(BitlifError, match=message):
            run_core(built.replace(**changes), weights, events, targets, built=built)


def test_inference_after_learning_clears_the_same_traces() -> None:
    config = Config.load("tiny")
    layer = Layer(config)
    events, weights, targets = stimulus(config, 2, windows=1)
    layer.load(weights)
    layer.learn(events, targets)
    assert layer.state.trace.any()
    layer.run(events)
    assert not layer.state.trace.any()


def test_unused_slots_count_nothing() -> None:
    # Their sums, errors and weights are computed like anyone's: only counting must know better.
    # With so low a threshold a target of 0, which those places get, drives weights to their end.
    config = Config.load("tiny").replace(
        **{**SPECIAL["formats that saturate"], "layer__neurons": 4, "layer__lanes": 3},
        membrane__threshold=0.05,
    )
    counters = check(config, 1, 0.0)
    assert counters["weight_saturations"] > 0


def test_different_weights_give_different_results() -> None:
    config = Config.load("tiny")
    events, weights, targets = stimulus(config, 6, windows=1)
    first = run_core(config, weights, events, targets)
    second = run_core(config, -weights - 1, events, targets)
    assert first.digest != second.digest
    assert (first.raster != second.raster).any()


def test_an_error_in_the_last_slot_alone_is_added() -> None:
    # The last slot's errors are kept in the very clock in which the neurons are done.
    config = Config.load("tiny").replace(layer__neurons=4, layer__lanes=1, layer__inputs=1)
    events, weights, _ = stimulus(config, 1, windows=2)
    targets = np.zeros((2, 4), np.int64)
    targets[:, 3] = 16
    weights[:] = -32
    core = run_core(config, weights, events, targets)
    layer = Layer(config)
    layer.load(weights)
    layer.learn(events, targets)
    np.testing.assert_array_equal(core.weights, layer.weights)
    assert (core.weights[:, :3] == -32).all()
