"""The float twin of networks through `bitlif.open`: units, seeds, runs against steps, training."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import (
    assert_same_core,
    assert_steps_are_runs,
    network_stimulus,
    random_networks,
)

import bitlif
from bitlif.model.config.network import network_from_dict
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.floating.network import FloatNetwork
from bitlif.sim.backends.network_core import NetworkCore
from bitlif.sim.backends.network_float import NetworkFloatCore
from bitlif.sim.backends.network_result import NETWORK_COUNTERS
from bitlif.tasks.training import evaluate, train

COUNT = 12
NUMBERS = (1, 2, 5)
"""Networks of three, two and four layers; some are cleared, and some carried between windows."""


def loaded(number: int, **options: Any) -> tuple[NetworkCore, Events, Any]:
    config = random_networks(COUNT)[number]
    events, weights, targets = network_stimulus(config, number)
    core = bitlif.open(config, "float", **options)
    if options.get("units") == "real":
        weights = [
            own * float(layer.config.synapse.weight.lsb)
            for own, layer in zip(weights, config.layers, strict=True)
        ]
        targets = targets / (1 << config.layers[-1].config.error.target_bits)
    core.load(weights)
    return core, events, targets


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("units", ["raw", "real"])
def test_steps_give_the_bits_of_runs(number: int, learn: bool, units: str) -> None:
    core, events, targets = loaded(number, units=units)
    stepped, _, _ = loaded(number, units=units)
    assert core.signature() is None
    assert_steps_are_runs(core, stepped, events, targets, learn=learn)


def test_a_core_is_the_twin_in_lsbs() -> None:
    core, events, targets = loaded(2, seed=7)
    real, _, goals = loaded(2, seed=7, units="real")
    twin = FloatNetwork(core.config, seed=7)
    twin.load(real.weights())
    names = ("current", "membrane", "draws", "errors", "adjoints")
    found = twin.learn(events, goals, record=(*names, "gradients"))
    out = core.learn(events, targets, record=core.records)
    plain = real.learn(events, goals, record=core.records)
    for number, (own, layer) in enumerate(zip(found.layers, core.config.layers, strict=True)):
        raw, unscaled = out.layers[number], plain.layers[number]
        np.testing.assert_array_equal(raw.raster, own.raster)
        lsb = float(layer.config.membrane.format.lsb)
        assert own.membrane is not None
        np.testing.assert_array_equal(unscaled.membrane, own.membrane)
        np.testing.assert_array_equal(raw.membrane, own.membrane / lsb)
        np.testing.assert_array_equal(unscaled.draws, own.draws)
        lsb = float(layer.sweep.current.lsb)
        np.testing.assert_array_equal(raw.adjoints, found.adjoints[number] / lsb)
        wanted = found.gradients[number].transpose(0, 2, 1)
        np.testing.assert_array_equal(raw.gradient, wanted / lsb)
        np.testing.assert_array_equal(unscaled.gradient, wanted)
        np.testing.assert_array_equal(real.weights()[number], twin.weights()[number])
        np.testing.assert_allclose(core.real_weights()[number], twin.weights()[number], rtol=1e-15)
    np.testing.assert_array_equal(plain.errors, found.output.errors)
    np.testing.assert_array_equal(out.raster, found.output.raster)
    assert core.signature() is None


def test_counters_are_sums_of_those_of_the_layers() -> None:
    core, events, targets = loaded(5)
    assert set(core.counters()) == set(NETWORK_COUNTERS)
    first = core.learn(events, targets, record=("adjoints", "errors"))
    assert first.counters == core.counters()
    sizes = [layer.config.layer.neurons for layer in core.config.layers]
    spikes = [events.count, *(int(own.raster.sum()) for own in first.layers[:-1])]
    assert [own.counters["synaptic_events"] for own in first.layers] == [
        count * size for count, size in zip(spikes, sizes, strict=True)
    ]
    for own in first.layers:
        assert own.counters["active_adjoints"] == np.count_nonzero(own.adjoints)
    assert first.counters["active_errors"] == np.count_nonzero(first.errors)
    assert core.run(events, targets).counters["active_adjoints"] == 0


@pytest.mark.parametrize("number", NUMBERS)
def test_copies_continue_to_the_bit(number: int, tmp_path: Path) -> None:
    core, events, targets = loaded(number, seed=3)
    core.learn(events, targets)
    core.save(tmp_path / "core.npz")
    saved = bitlif.open(core.config, "float", seed=3)
    saved.resume(tmp_path / "core.npz")
    copies = [saved, pickle.loads(pickle.dumps(core)), copy.deepcopy(core)]
    core.learn(events, targets)
    for own in copies:
        own.learn(events, targets)
        assert_same_core(core, own)
    with pytest.raises(BitlifError, match="seed"):
        bitlif.open(core.config, "float", seed=4).resume(tmp_path / "core.npz")


def test_reset_and_fresh() -> None:
    core, events, targets = loaded(1)
    weights = core.weights()
    first = core.learn(events, targets, record=("draws",))
    core.reset()
    assert core.windows_learned() == 0
    assert core.counters() == dict.fromkeys(NETWORK_COUNTERS, 0)
    core.load(weights)
    again = core.learn(events, targets, record=("draws",))
    fresh = core.fresh()
    assert isinstance(fresh, NetworkFloatCore)
    for a, b in zip(fresh.weights(), core.config.initial_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    fresh.load(weights)
    other = fresh.learn(events, targets, record=("draws",))
    for one, two, three in zip(first.layers, again.layers, other.layers, strict=True):
        np.testing.assert_array_equal(one.draws, two.draws)
        assert not np.array_equal(one.draws, three.draws)  # type: ignore[arg-type]
    core.step([], np.zeros(fresh.run(events, targets).raster.shape[2], np.uint16))
    with pytest.raises(BitlifError, match="has run 1 of the"):
        core.run(events, targets)
    core.reset()
    core.run(events, targets)


def test_other_rates_and_tables_are_loaded() -> None:
    core, events, targets = loaded(2)
    phases = core.config.to_dict()["layer"][1]["schedule"]
    rates = [phase["rate"] for phase in reversed(phases)]
    swapped = [{**phase, "rate": rate} for phase, rate in zip(phases, rates, strict=True)]
    other = core.config.replace(layer__1__schedule=swapped)
    core.load_tables(other)
    fresh = bitlif.open(other, "float")
    fresh.load(core.weights())
    core.learn(events, targets)
    fresh.learn(events, targets)
    assert_same_core(core, fresh)
    assert_same_core(pickle.loads(pickle.dumps(core)), core)


def test_training_reaches_every_label() -> None:
    start = {"low": -0.1, "high": 0.4}
    network = network_from_dict({
        "name": "small",
        "window": {"steps": 16},
        "layer": [
            {"inputs": 8, "neurons": 12, "learning": {"rate": 0.001}, "initial": start},
            {"neurons": 3, "learning": {"rate": 0.001}, "initial": start},
        ],
    })  # fmt: skip
    random = np.random.default_rng(1)
    raster = random.random((3, 16, 8)) < 0.3
    labels = np.arange(60) % 3
    events = Events.from_raster(raster[labels])
    core = bitlif.open(network, "float", seed=2)
    for _ in range(15):
        core.learn(events, labels)
    found = core.fresh()
    found.load(core.weights())
    counts = found.run(events).counts
    assert (counts.argmax(axis=1) == labels).mean() > 0.9


def test_tasks_train_the_twin() -> None:
    network = bitlif.NetworkConfig.load("digits-96")
    core = bitlif.open(network, "float", seed=5)
    start = core.weights()
    history = train(core, "digits", epochs=1)
    for own, old in zip(core.weights(), start, strict=True):
        assert not np.array_equal(own, old)
    assert evaluate(core, "digits", history)["accuracy"] > 0.8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda core, e, t: core.load(core.weights()[0]), "weights must be a list of 2 arrays"),
        (
            lambda core, e, t: core.load([w[:1] for w in core.weights()]),
            r"layer\.\d: weights|shape",
        ),
        (
            lambda core, e, t: core.load([w.astype(int) + 10**9 for w in core.weights()]),
            r"layer\.0: weights must be in",
        ),
        (lambda core, e, t: core.run(e, record=("traces",)), "record must name some of .*'traces'"),
        (lambda core, e, t: core.run(e, record=("adjoints",)), "'adjoints' only with learn"),
        (lambda core, e, t: core.learn(e, None), "targets must be given"),
        (lambda core, e, t: core.clocks(), "counts clock cycles"),
        (lambda core, e, t: bitlif.open(core.config, "float", threads=2), "threads must be 1"),
        (lambda core, e, t: bitlif.open(core.config, "float", units="lsb"), "units must be"),
        (
            lambda core, e, t: bitlif.open(core.config, "float", learning=False).learn(e, t),
            "learning=False",
        ),
    ],
)
def test_wrong_calls_are_refused(call: Any, message: str) -> None:
    core, events, targets = loaded(2)
    with pytest.raises(BitlifError, match=message):
        call(core, events, targets)
