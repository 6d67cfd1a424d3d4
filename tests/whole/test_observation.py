"""Recording and reading have no effect on later results, on any backend."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bitlif.sim
from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.result import RECORDS

from strategies import configs, stimulus

TINY = Config.load("tiny")
LEARNING = ("errors", "traces", "gradient")

Call = tuple[bool, tuple[str, ...], bool]
"""Calls: whether to learn, what to record, and whether to read everything afterwards."""

CALLS = st.lists(
    st.tuples(
        st.booleans(),
        st.lists(st.sampled_from(RECORDS), unique=True).map(tuple),
        st.booleans(),
    ),
    min_size=2,
    max_size=6,
)


def plain(state: Any) -> list[Any]:
    values = [getattr(state, name) for name in state.__slots__]
    return [own.tolist() if isinstance(own, np.ndarray) else own for own in values]


def run_layer(layer: Any, data: tuple[Events, Any, Any], calls: Sequence[Call]) -> list[Any]:
    """Make the calls, one window each; return all rasters and the layer at the end."""
    events, weights, targets = data
    layer.load(weights)
    seen = []
    for number, (learn, record, read) in enumerate(calls):
        window = [number % events.windows]
        make = layer.learn if learn else layer.run
        seen.append(make(events.select(window), targets[window], record=record).raster.tolist())
        if read:
            _ = (layer.state, layer.weights, layer.phase, layer.windows_learned)
            if isinstance(layer, Layer):
                _ = (layer.lfsr_states, layer.membrane)
    return [*seen, layer.weights.tolist(), plain(layer.state), layer.windows_learned]


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(config=configs(), seed=st.integers(0, 2**32), calls=CALLS)
def test_recording_and_reading_do_not_change_a_layer(
    config: Config, seed: int, calls: list[Call]
) -> None:
    data = stimulus(config, seed)
    unseen = [(learn, (), False) for learn, _, _ in calls]
    assert run_layer(Layer(config), data, calls) == run_layer(Layer(config), data, unseen)
    events, weights, targets = data
    lsb, one = float(config.synapse.weight.lsb), 1 << config.error.target_bits
    real = (events, weights * lsb, targets / one)
    for matched in (False, True):
        pair = [
            run_layer(FloatLayer(config, matched=matched), real, own) for own in (calls, unseen)
        ]
        assert pair[0] == pair[1]


@pytest.mark.parametrize("interpreted", [False, True])
def test_recorded_run_does_not_change_learning(interpreted: bool) -> None:
    config = TINY.replace(window__trace="carry")
    data = stimulus(config, 1, windows=3)
    sums = set()
    for count in range(len(RECORDS) + 1):
        for record in itertools.combinations(RECORDS, count):
            layer = Layer(config, interpreted=interpreted)
            layer.load(data[1])
            layer.run(data[0], data[2], record=record)
            layer.learn(data[0], data[2])
            sums.add(tuple(layer.weights.ravel()))
        if interpreted and count == 1:
            break
    assert len(sums) == 1


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_recorded_run_equals_next_learning_window(
    threads: int, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr("bitlif.model.layer.LARGE_WINDOW", 1)
    config = TINY.replace(window__trace="carry", window__lfsr="clear")
    events, weights, targets = stimulus(config, 2, windows=4)
    layer = Layer(config, threads=threads)
    layer.load(weights)
    layer.learn(events.select([0]), targets[:1])
    kept = layer.state
    assert kept.trace.any()
    shown = layer.run(events, targets, record=LEARNING)
    assert plain(layer.state)[2:4] == plain(kept)[2:4]
    before = layer.snapshot()
    for w in range(4):
        layer.restore(before)
        learned = layer.learn(events.select([w]), targets[w : w + 1], record=LEARNING)
        for name in LEARNING:
            np.testing.assert_array_equal(getattr(shown, name)[w], getattr(learned, name)[0])


CARRIED = {"window__state": "carry", "window__trace": "carry"}
VARIANTS: dict[str, dict[str, Any]] = {
    "cleared": {},
    "carried": CARRIED,
    "teacher, LFSRs cleared": {**CARRIED, "membrane__reset": "teacher", "window__lfsr": "clear"},
}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("backend", ["model", "float", "rtl"])
def test_recording_and_reading_do_not_change_a_core(backend: str, name: str) -> None:
    config = TINY.replace(**VARIANTS[name])
    events, weights, targets = stimulus(config, 3, windows=4)
    ends = []
    for observed in (False, True):
        with bitlif.sim.open(config, backend) as core:
            core.load(weights)
            seen: list[Any] = []
            for number, learn in enumerate((False, True, False, False, True, True, False, True)):
                window = [number % 4]
                shown = RECORDS if learn else ("current", "membrane", "draws")
                result = core.run(
                    events.select(window), targets[window], learn=learn,
                    record=shown if observed else (),
                )  # fmt: skip
                seen.append((result.raster.tolist(), result.counters))
                if observed:
                    _ = (core.state(), core.weights(), core.counters(), core.signature())
                    _ = (core.clocks(), core.phase(), core.windows_learned())
            ends.append(
                [*seen, core.weights().tolist(), plain(core.state()), core.counters(),
                 core.signature(), core.clocks(), core.windows_learned()]
            )  # fmt: skip
    assert ends[0] == ends[1]


@pytest.mark.parametrize("name", VARIANTS)
def test_model_and_gates_match_for_mixed_runs(name: str) -> None:
    config = TINY.replace(**VARIANTS[name])
    events, weights, targets = stimulus(config, 4, windows=4)
    with bitlif.sim.open(config, "model") as model, bitlif.sim.open(config, "rtl") as gates:
        for core in (model, gates):
            core.load(weights)
        for number, learn in enumerate((False, True, False, True, True, False)):
            window = [number % 4]
            for core in (model, gates):
                core.run(events.select(window), targets[window], learn=learn)
            assert plain(model.state()) == plain(gates.state())
        assert model.weights().tolist() == gates.weights().tolist()
        assert model.signature() == gates.signature()
