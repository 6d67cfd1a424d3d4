"""The engine against the specification; what a layer promises about threads, batches, order."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.gradient import dense_gradient
from bitlif.model.layer import Layer
from bitlif.model.result import RECORDS, Result

from strategies import configs, stimulus

EXAMPLES = 220
"""Random configurations; the contract asks for at least 200."""


def assert_same(a: Result, b: Result) -> None:
    """Assert that two runs agree in every raster, counter and record."""
    np.testing.assert_array_equal(a.raster, b.raster)
    assert a.counters == b.counters
    for name in RECORDS:
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None)
        if left is not None:
            np.testing.assert_array_equal(left, right, err_msg=name)


def state_of(layer: Layer) -> tuple[Any, ...]:
    return (layer.weights.tolist(), layer.membrane.tolist(), layer.lfsr_states, layer.phase)


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(config=configs(), seed=st.integers(0, 2**32))
def test_compiled_engine_equals_interpreted_specification(config: Config, seed: int) -> None:
    events, weights, targets = stimulus(config, seed)
    layers = [Layer(config), Layer(config, interpreted=True)]
    runs = []
    for layer in layers:
        layer.load(weights)
        runs.append(
            (
                layer.learn(events, targets, record=RECORDS),
                layer.run(events, targets, record=RECORDS),
            )
        )
    for compiled, interpreted in zip(*runs, strict=True):
        assert_same(compiled, interpreted)
    assert state_of(layers[0]) == state_of(layers[1])


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(config=configs(), seed=st.integers(0, 2**32), threads=st.integers(2, 5))
def test_results_do_not_depend_on_threads_or_batch_size(
    config: Config, seed: int, threads: int
) -> None:
    events, weights, targets = stimulus(config, seed, windows=7)
    whole, split, single = Layer(config), Layer(config, threads=threads), Layer(config)
    for layer in (whole, split, single):
        layer.load(weights)
    expected = whole.run(events, targets, record=RECORDS)
    assert_same(expected, split.run(events, targets, record=RECORDS))
    assert state_of(whole) == state_of(split)
    parts = [
        single.run(events.select([k]), targets[k : k + 1], record=RECORDS)
        for k in range(events.windows)
    ]
    for name in ("raster", *RECORDS):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(expected, name), err_msg=name)
    assert state_of(whole) == state_of(single)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(config=configs(), seed=st.integers(0, 2**32))
def test_learning_per_window_equals_learning_at_once(config: Config, seed: int) -> None:
    events, weights, targets = stimulus(config, seed, windows=5)
    whole, single = Layer(config), Layer(config)
    whole.load(weights)
    single.load(weights)
    expected = whole.learn(events, targets, record=("gradient",))
    for k in range(events.windows):
        part = single.learn(events.select([k]), targets[k : k + 1], record=("gradient",))
        np.testing.assert_array_equal(part.gradient, expected.gradient[k : k + 1])
    assert state_of(whole) == state_of(single)
    assert whole.windows_learned == 5


def large_config() -> Config:
    """Return a layer whose window is large enough for a matrix product."""
    return Config.load("tiny").replace(
        layer__inputs=300, layer__neurons=300, window__steps=200, layer__lanes=3
    )


@pytest.mark.parametrize("share", [0.02, 1.0])
def test_sparse_and_dense_gradients_are_equal_and_exact(share: float) -> None:
    config = large_config()
    random = np.random.default_rng(8)
    events = Events.from_raster(random.random((2, 200, 300)) < 0.01)
    layer = Layer(config)
    weights = random.integers(-32, 32, (300, 300)) if share == 1.0 else np.full((300, 300), -20)
    layer.load(weights)
    high = 16 if share == 1.0 else 0
    targets = random.integers(0, high, (2, 200, 300), endpoint=True)
    result = layer.run(events, targets, record=("errors", "traces", "gradient"))
    active = result.counters["active_errors"] / result.errors.size
    assert active > 0.4 if share == 1.0 else active < 0.4
    expected = np.einsum("wti,wtj->wij", result.errors, result.traces)
    np.testing.assert_array_equal(result.gradient, expected)


def test_large_windows_learn_like_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    config = large_config()
    random = np.random.default_rng(9)
    events = Events.from_raster(random.random((2, 200, 300)) < 0.02)
    targets = random.integers(0, 16, (2, 300), endpoint=True)
    layers = [Layer(config), Layer(config)]
    for layer, threshold in zip(layers, (1 << 24, 1 << 60), strict=True):
        monkeypatch.setattr("bitlif.model.layer.LARGE_WINDOW", threshold)
        layer.load(np.zeros((300, 300), np.int64))
        layer.learn(events, targets)
    assert state_of(layers[0]) == state_of(layers[1])
    assert layers[0].weights.any()


@pytest.mark.parametrize(("errors_top", "traces_top"), [(127, 255), (1 << 15, 65535), (1, 1)])
def test_matrix_product_is_exact_at_format_extremes(errors_top: int, traces_top: int) -> None:
    steps = 1000
    errors = np.full((steps, 3), -errors_top, np.int16)
    errors[::2, 1] = min(errors_top, 32767)
    traces = np.full((steps, 4), traces_top, np.uint16)
    traces[1::3, 2] -= 1
    gradient = np.zeros((3, 4), np.int64)
    dense_gradient(errors, traces, gradient, errors_top * traces_top, threads=1)
    np.testing.assert_array_equal(gradient, errors.astype(np.int64).T @ traces.astype(np.int64))


def test_weight_sums_do_not_overflow_at_extremes() -> None:
    for fmt, inputs in (("s8.4", 1100), ("s16.8", 1100), ("s24.12", 700)):
        config = Config.load("tiny").replace(
            layer__inputs=inputs, layer__neurons=5, layer__lanes=1, window__steps=2,
            synapse__weight=fmt, synapse__current="s32.4", synapse__decay={"shift": 1},
        )  # fmt: skip
        low = config.synapse.weight.raw_min
        events = Events.from_raster(np.ones((1, 2, inputs), bool))
        layer = Layer(config)
        layer.load(np.full((inputs, 5), low))
        first = layer.run(events, record=("current",)).current[0, 0]
        exact = low * inputs * 2.0 ** (4 - config.synapse.weight.frac)
        assert first.tolist() == [int(np.floor(exact + 0.5))] * 5


def test_noise_repeats_per_window_only_with_cleared_lfsrs() -> None:
    config = Config.load("tiny")
    events = Events.from_raster(np.zeros((3, 16, 6), bool))
    for keep, same in (("clear", True), ("carry", False)):
        draws = Layer(config.replace(window__lfsr=keep)).run(events, record=("draws",)).draws
        assert (draws[0] == draws[1]).all() == same


def test_lanes_draw_for_slots_without_a_neuron() -> None:
    # Five neurons on two lanes: three slots. The second lane's last slot has no neuron, but both
    # lanes have moved by three draws a step.
    config = Config.load("tiny").replace(layer__neurons=5, layer__lanes=2)
    noise = config.noise
    layer = Layer(config)
    draws = layer.run(Events.from_raster(np.zeros((1, 16, 6), bool)), record=("draws",)).draws[0]
    for lane, source in enumerate(noise.lfsr.streams(2)):
        for t in range(16):
            for slot in range(3):
                state = source.leap((t * 3 + slot) * noise.leap).state
                total = sum((state >> (8 * k)) & 255 for k in range(2))
                if slot * 2 + lane < 5:
                    assert draws[t, slot * 2 + lane] == 2 * total - 2 * 255
        assert layer.lfsr_states[0][lane] == source.leap(16 * 3 * noise.leap).state


def test_schedule_advances_only_by_learning() -> None:
    config = Config.load("tiny")
    layer = Layer(config)
    events = Events.from_raster(np.zeros((9, 16, 6), bool))
    targets = np.zeros((9, 4), np.int64)
    layer.run(events)
    assert layer.phase == 0
    layer.learn(events.select(range(7)), targets[:7])
    assert (layer.phase, layer.windows_learned) == (0, 7)
    layer.learn(events.select([0]), targets[:1])
    assert layer.phase == 1
    layer.reset()
    layer.learn(events, targets)
    assert (layer.phase, layer.windows_learned) == (1, 9)


def test_reset_reproduces_the_first_run() -> None:
    config = Config.load("tiny").replace(window__state="carry", window__trace="carry")
    layer = Layer(config)
    random = np.random.default_rng(2)
    layer.load(random.integers(-32, 32, (6, 4)))
    events = Events.from_raster(random.random((2, 16, 6)) < 0.4)
    targets = random.integers(0, 16, (2, 4))
    first = layer.run(events, targets, record=RECORDS)
    layer.reset()
    assert_same(first, layer.run(events, targets, record=RECORDS))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda layer: layer.load(np.zeros((6, 4))),
            r"^weights must be integers of shape .*float64",
        ),
        (
            lambda layer: layer.load(np.zeros((4, 6), int)),
            r"^weights must be integers of shape .*\(4, 6\)",
        ),
        (
            lambda layer: layer.load(np.full((6, 4), 32)),
            r"^weights must be in -32 \.\.= 31, not 32$",
        ),
        (lambda layer: layer.run("spikes"), r"^events must be Events .*, not str$"),
        (
            lambda layer: layer.run(Events.from_raster(np.zeros((1, 16, 7), bool))),
            r"^events must have 6 units and 16 steps .*, not 7 and 16$",
        ),
        (
            lambda layer: layer.learn(Events.from_raster(np.zeros((1, 16, 6), bool)), None),
            r"^targets must be given",
        ),
        (
            lambda layer: layer.learn(
                Events.from_raster(np.zeros((1, 16, 6), bool)), np.full((1, 4), 17)
            ),
            r"^targets must be in 0 \.\.= 16, not 17$",
        ),
        (
            lambda layer: layer.learn(
                Events.from_raster(np.zeros((1, 16, 6), bool)), np.zeros((1, 5))
            ),
            r"^targets must be numbers of shape",
        ),
        (
            lambda layer: layer.run(
                Events.from_raster(np.zeros((1, 16, 6), bool)), record=("membran",)
            ),
            r"not 'membran', did you mean 'membrane'\?$",
        ),
        (lambda layer: Layer(layer.config, threads=0), r"^threads must be in 1 \.\.= 256, not 0$"),
        (lambda layer: Layer({}), r"^config must be a Config, not \{\}$"),
    ],
)
def test_invalid_input_raises_and_changes_nothing(call: Any, message: str) -> None:
    layer = Layer(Config.load("tiny"))
    layer.load(np.full((6, 4), 5))
    before = state_of(layer)
    with pytest.raises(ValueError, match=message):
        call(layer)
    assert state_of(layer) == before


def test_result_counts_and_spikes_match_the_raster() -> None:
    layer = Layer(Config.load("tiny"))
    layer.load(np.full((6, 4), 31))
    result = layer.run(Events.from_raster(np.ones((2, 16, 6), bool)))
    np.testing.assert_array_equal(result.counts, result.raster.sum(axis=1))
    np.testing.assert_array_equal(result.spikes.raster(), result.raster.astype(bool))
    assert dataclasses.replace(result).counters["synaptic_events"] == 2 * 16 * 6 * 4
