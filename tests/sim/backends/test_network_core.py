"""Networks through `bitlif.open`: the interface of cores, runs against steps, what is kept."""

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
from bitlif import NetworkConfig
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.network import Network
from bitlif.sim.backends.network_core import NetworkCore
from bitlif.sim.backends.network_models import NetworkModelCore
from bitlif.sim.backends.network_result import NETWORK_COUNTERS, network_signature
from bitlif.tasks import train

COUNT = 12
NUMBERS = (1, 2, 5)
"""Networks of three, two and four layers; some are cleared, and some carried between windows."""


def loaded(number: int, **options: Any) -> tuple[NetworkCore, Any, Any]:
    config = random_networks(COUNT)[number]
    events, weights, targets = network_stimulus(config, number)
    core = bitlif.open(config, **options)
    core.load(weights)
    return core, events, targets


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("learn", [False, True])
def test_steps_give_the_bits_of_runs(number: int, learn: bool) -> None:
    core, events, targets = loaded(number)
    stepped, _, _ = loaded(number)
    assert core.signature() is not None
    assert_steps_are_runs(core, stepped, events, targets, learn=learn)


def test_a_core_is_the_network_of_the_model() -> None:
    core, events, targets = loaded(2)
    network = Network(core.config)
    network.load(core.weights())
    found = network.learn(events, targets, record=("adjoints",))
    out = core.learn(events, targets, record=("adjoints",))
    for number, own in enumerate(found.layers):
        np.testing.assert_array_equal(out.layers[number].raster, own.raster)
        np.testing.assert_array_equal(out.layers[number].adjoints, found.adjoints[number])
    np.testing.assert_array_equal(out.raster, found.output.raster)
    # The model of a network has no clock cycles: empty, as from a board.
    assert (out.step_clocks.shape, out.step_clocks.dtype) == ((0, events.steps), np.int64)
    assert out.window_clocks.shape == (0,)
    for a, b in zip(core.weights(), network.weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_interpreted_core_has_the_same_signature() -> None:
    core, events, targets = loaded(1)
    other = NetworkModelCore(core.config, interpreted=True)
    other.load(core.weights())
    core.learn(events, targets)
    other.learn(events, targets)
    assert_same_core(core, other)


def test_counters_are_sums_of_those_of_the_layers() -> None:
    core, events, targets = loaded(5)
    assert set(core.counters()) == set(NETWORK_COUNTERS)
    first = core.learn(events, targets)
    second = core.learn(events, targets)
    for name, count in core.counters().items():
        own = [layer.counters[name] for layer in (*first.layers, *second.layers)]
        assert count == sum(own) == first.counters[name] + second.counters[name]
    sizes = [layer.config.layer.neurons for layer in core.config.layers]
    spikes = [events.count, *(int(own.raster.sum()) for own in first.layers[:-1])]
    assert [own.counters["synaptic_events"] for own in first.layers] == [
        count * size for count, size in zip(spikes, sizes, strict=True)
    ]


def test_signature_covers_every_layer_and_its_place() -> None:
    assert network_signature([5]) == 5
    assert network_signature([1, 2]) != network_signature([2, 1])
    core, events, targets = loaded(2)
    core.learn(events, targets)
    for number in range(len(core.config.layers)):
        other, _, _ = loaded(2)
        weights = other.weights()
        weights[number][0, 0] ^= 1
        other.load(weights)
        other.learn(events, targets)
        assert other.signature() != core.signature()


@pytest.mark.parametrize("number", NUMBERS)
def test_copies_continue_to_the_bit(number: int, tmp_path: Path) -> None:
    core, events, targets = loaded(number)
    core.learn(events, targets)
    core.save(tmp_path / "core.npz")
    saved = bitlif.open(core.config)
    saved.resume(tmp_path / "core.npz")
    copies = [saved, pickle.loads(pickle.dumps(core)), copy.deepcopy(core)]
    core.learn(events, targets)
    for own in copies:
        own.learn(events, targets)
        assert_same_core(core, own)


def test_reset_and_fresh() -> None:
    core, events, targets = loaded(1)
    weights = core.weights()
    core.learn(events, targets)
    learned = core.weights()
    core.reset()
    assert core.windows_learned() == 0
    assert core.counters() == dict.fromkeys(NETWORK_COUNTERS, 0)
    for a, b in zip(core.weights(), learned, strict=True):
        np.testing.assert_array_equal(a, b)
    fresh = core.fresh()
    for a, b in zip(fresh.weights(), core.config.initial_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    fresh.load(weights)
    fresh.learn(events, targets)
    again, _, _ = loaded(1)
    again.learn(events, targets)
    assert_same_core(fresh, again)


def test_other_rates_and_tables_are_loaded() -> None:
    core, events, targets = loaded(2)
    phases = core.config.to_dict()["layer"][1]["schedule"]
    rates = [phase["rate"] for phase in reversed(phases)]
    assert rates != rates[::-1]
    swapped = [{**phase, "rate": rate} for phase, rate in zip(phases, rates, strict=True)]
    other = core.config.replace(layer__1__schedule=swapped)
    core.load_tables(other)
    fresh = bitlif.open(other)
    fresh.load(core.weights())
    core.learn(events, targets)
    fresh.learn(events, targets)
    assert_same_core(core, fresh)
    assert pickle.loads(pickle.dumps(core)).signature() == core.signature()
    with pytest.raises(BitlifError, match=r"layer\.0\.sweep must be"):
        core.load_tables(core.config.replace(layer__0__sweep__surrogate__width=0.77))
    with pytest.raises(BitlifError, match=r"layer\.1\.membrane\.threshold"):
        core.load_tables(core.config.replace(layer__1__membrane__threshold=0.5))


def test_representations_name_the_sizes() -> None:
    core = bitlif.open(NetworkConfig.load("tiny"))
    assert repr(core) == "<bitlif core 'tiny' on model: network 6-4, learning>"
    assert "6-4" in core._repr_html_()
    core.close()
    assert "closed" in repr(core)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda core, e, t: core.load(core.weights()[0]), "weights must be a list of 2 arrays"),
        (lambda core, e, t: core.load(core.weights()[:1]), "list of 2 arrays, .* not of 1"),
        (lambda core, e, t: core.load([w + 10**6 for w in core.weights()]), r"layer\.0: weights"),
        (lambda core, e, t: core.run(e, record=("traces",)), "record must name some of .*'traces'"),
        (lambda core, e, t: core.run(e, record=("adjoints",)), "'adjoints' only with learn"),
        (lambda core, e, t: core.learn(e, None), "targets must be given"),
        (lambda core, e, t: core.learn(e, t[:1]), "targets must be"),
        (lambda core, e, t: core.clocks(), "counts clock cycles"),
        (lambda core, e, t: core.load_tables(Config()), "must be a NetworkConfig"),
        (
            lambda core, e, t: bitlif.open(core.config, "serial:nowhere"),
            "the serial port 'nowhere' cannot be opened",
        ),
        (lambda core, e, t: bitlif.open(core.config, "model", seed=3), "seed must be None"),
        (lambda core, e, t: bitlif.open(core.config, learning=False).learn(e, t), "learning=False"),
        (
            lambda core, e, t: train(core, "teacher"),
            "'teacher' must be learned by a single layer",
        ),
    ],
)
def test_wrong_calls_are_refused(call: Any, message: str) -> None:
    core, events, targets = loaded(2)
    with pytest.raises(BitlifError, match=message):
        call(core, events, targets)


def test_threads_are_an_option() -> None:
    core, events, targets = loaded(2, threads=2, signature=False)
    plain, _, _ = loaded(2)
    np.testing.assert_array_equal(
        core.run(events, targets).raster, plain.run(events, targets).raster
    )
    with pytest.raises(BitlifError, match="signature must be True"):
        core.signature()
