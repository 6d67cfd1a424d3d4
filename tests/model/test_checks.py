"""Warnings about targets and weights that are probably not what was intended."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from bitlif.model.checks import check_events, check_initial_weights, check_targets
from bitlif.model.config.config import Config, config_from_dict
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError, BitlifWarning
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.floating.network import FloatNetwork
from bitlif.model.layer import Layer
from bitlif.model.network import Network
from bitlif.model.result import Result
from bitlif.tasks.learner import target_levels


def warnings_of(config: Config, targets: np.ndarray) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_targets(config, targets, len(targets))
    assert all(Path(own.filename) == Path(__file__) for own in caught)
    assert all(own.category is BitlifWarning for own in caught)
    return [str(own.message) for own in caught]


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint8])
def test_one_hot_integers_are_refused_with_both_readings(kind: type) -> None:
    layer = Layer(Config.load("digits"))
    events = Events.from_times([0], [0], steps=64, units=65, windows=10)
    with pytest.raises(BitlifError) as caught:
        layer.learn(events, np.eye(10, dtype=kind))
    sentence = str(caught.value)
    for fact in ("0 or 1", ".astype(bool)", "every step", "1/1024", "uint16"):
        assert fact in sentence
    assert layer.windows_learned == 0
    # Each cure works, and has the meaning that the message gives.
    same = []
    for targets in (np.eye(10, dtype=bool), np.eye(10), 1024 * np.eye(10, dtype=np.int64)):
        own = Layer(layer.config)
        own.learn(events, targets)
        same.append(own.weights)
    for weights in same[1:]:
        np.testing.assert_array_equal(weights, same[0])
    layer.learn(events, np.eye(10, dtype=np.uint16))
    assert (layer.weights != same[0]).any()


def test_warning_only_if_all_targets_are_far_too_small() -> None:
    config = Config.load("digits")  # 64 steps, 1 is 1024

    def warned(*values: int, kind: type = np.int64) -> bool:
        return bool(warnings_of(config, np.resize(np.array(values, kind), (1, 10))))

    assert not warned(0)
    assert warned(0, 3, 9)  # counts: less than one spike in a window
    assert warned(15)
    assert not warned(16)
    assert not warned(0, 0, 512)
    assert not warned(0, 3, 9, kind=np.uint16)  # only raw targets have this dtype
    # In a long window a target of 2 is more than a spike.
    long = config.replace(window__steps=1024)
    assert not warnings_of(long, 2 * np.eye(10, dtype=int))
    # With 0 bits, 1 is a spike in every step in both readings.
    assert not warnings_of(config.replace(error__target_bits=0), np.eye(10, dtype=int))


def test_targets_made_from_real_ones_issue_no_warning() -> None:
    tiny = Config.load("tiny")
    assert not warnings_of(tiny, target_levels(tiny, np.eye(4) / 16))
    for ones in (np.eye(4), np.eye(4, dtype=int), np.eye(4, dtype=bool)):
        assert target_levels(tiny, ones).tolist() == (16 * np.eye(4)).tolist()


def test_real_targets_that_all_round_to_zero_issue_a_warning() -> None:
    tiny = Config.load("tiny")
    with pytest.warns(BitlifWarning, match=r"0\.03, .* half of 1/16; .*error\.target_bits"):
        assert not target_levels(tiny, np.eye(4) * 0.03).any()
    assert not target_levels(tiny, np.zeros((2, 4))).any()


def test_raw_weights_in_a_float_layer_issue_a_warning() -> None:
    tiny = Config.load("tiny")  # s6.4: -2 ..= 1.94
    layer = FloatLayer(tiny)
    with pytest.warns(BitlifWarning, match=r"^integer weights up to 31 .* LSB, 0\.0625$"):
        layer.load(np.full((6, 4), -31))
    assert (layer.weights == -31.0).all()
    # Integers within the weight format, and real numbers of any size, are unambiguous.
    layer.load(np.full((6, 4), -2))
    layer.load(np.full((6, 4), -31.0))


def test_check_events_returns_the_output_spikes_of_a_result() -> None:
    tiny = Config.load("tiny")
    events = Events.from_times([0, 5], [1, 2], steps=16, units=6)
    assert check_events(tiny, events) is events
    result = Result(events.raster().astype(np.uint8))
    found = check_events(tiny, result)
    np.testing.assert_array_equal(found.raster(), events.raster())
    with pytest.raises(BitlifError, match=r"6 units and 16 steps .*, not 4 and 16$"):
        check_events(tiny, Result(np.zeros((1, 16, 4), np.uint8)))
    with pytest.raises(TypeError, match=r"^events must be Events or a Result, not ndarray$"):
        check_events(tiny, result.raster)  # type: ignore[arg-type]


def test_weights_of_one_port_are_not_built_in() -> None:
    config, zeros = Config.load("tiny"), np.zeros((6, 4), np.int64)
    np.testing.assert_array_equal(check_initial_weights(config, zeros), zeros)
    with pytest.raises(BitlifError, match=r"^weights must be in -\d+ \.\.= \d+, not 99999$"):
        check_initial_weights(config, zeros + 99999)
    for ports in ("weights", "all"):
        said = (
            f"^weights must be loaded by a host, not built in, with gates.single_port = '{ports}'$"
        )
        with pytest.raises(BitlifError, match=said):
            check_initial_weights(config.replace(gates__single_port=ports), zeros)


@pytest.mark.parametrize("rule", ["likelihood", "clipped"])
@pytest.mark.parametrize("kind", [Layer, FloatLayer])
def test_learning_without_noise_needs_a_table(kind: type, rule: str) -> None:
    config = Config.load("tiny").replace(noise__kind="none", error__rule=rule)
    layer = kind(config)
    events = Events.from_times([0], [0], steps=16, units=6)
    targets = np.zeros((1, 4))
    assert layer.run(events).raster.shape == (1, 16, 4)
    refused = rf"^error\.rule must be 'table' for learning with noise\.kind = 'none', not '{rule}'"
    with pytest.raises(BitlifError, match=refused):
        layer.learn(events, targets)
    with pytest.raises(BitlifError, match=refused):
        layer.run(events, targets, record=("errors",))


@pytest.mark.parametrize("kind", [Network, FloatNetwork])
def test_hidden_layers_that_subtract_run_and_do_not_learn(kind: type) -> None:
    config = NetworkConfig.load("digits-96").replace(layer__0__membrane__reset="subtract")
    network = kind(config)
    events = Events.from_times([0], [0], steps=64, units=65)
    targets = np.zeros((1, 10))
    assert network.run(events).layers[-1].raster.shape == (1, 64, 10)
    with pytest.raises(BitlifError, match=r"^layer\.0\.membrane\.reset must be 'free' in a hidden"):
        network.learn(events, targets)
    # A layer before a feedback of "none" is not learned.
    fixed = config.replace(layer__0__sweep__feedback="none")
    kind(fixed).learn(events, targets)
    last = config.replace(layer__0__membrane__reset="free", layer__1__noise__kind="none")
    with pytest.raises(BitlifError, match=r"^layer\.1\.error\.rule must be 'table' for learning"):
        kind(last).learn(events, targets)


def test_subtraction_that_could_overflow_can_be_refused() -> None:
    changes = {"reset": "subtract", "overflow": "refuse", "format": "s16.6", "threshold": 1.0}
    tiny = {"layer": {"inputs": 1, "neurons": 1}, "synapse": {"current": "s8.6"}}
    config_from_dict({**tiny, "membrane": changes})
    with pytest.raises(BitlifError, match=r"^membrane could overflow: less the threshold it is -"):
        config_from_dict({**tiny, "membrane": changes, "schedule": [{"sigma": 400.0}]})
