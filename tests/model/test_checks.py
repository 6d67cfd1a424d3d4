"""What a layer is given reads like something else: it is warned of with the reading taken."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from bitlif.model.checks import check_targets
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifWarning
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.tasks.digits import target_levels


def warnings_of(config: Config, targets: np.ndarray) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_targets(config, targets, len(targets))
    assert all(Path(own.filename) == Path(__file__) for own in caught)
    assert all(own.category is BitlifWarning for own in caught)
    return [str(own.message) for own in caught]


def test_one_hot_integers_are_warned_of_with_the_reading_that_is_taken() -> None:
    config = Config.load("digits")
    (sentence,) = warnings_of(config, np.eye(10, dtype=int))
    assert sentence == (
        "targets are raw integers here, 0 ..= 1024: the largest, 1, means 1/1024 = 0.00098 of a "
        "spike a step; if 1 itself was meant, give real ones in 0 ..= 1"
    )
    assert len(sentence) < 200
    events = Events.from_times([0], [0], steps=64, units=65, windows=10)
    layer = Layer(config)
    with pytest.warns(BitlifWarning, match=r"^targets are raw integers here, 0 \.\.= 1024: "):
        layer.learn(events, np.eye(10, dtype=int))
    # What the layer takes is the raw reading, with the warning or without it.
    again = Layer(config)
    again.learn(events, np.eye(10, dtype=np.uint16))
    np.testing.assert_array_equal(layer.weights, again.weights)


def test_only_targets_that_are_all_far_too_small_are_warned_of() -> None:
    config = Config.load("digits")  # 64 steps, 1 is 1024

    def warned(*values: int) -> bool:
        return bool(warnings_of(config, np.resize(np.array(values), (1, 10))))

    assert not warned(0)
    assert warned(0, 3, 9)  # counts, or labels: less than one spike in a window
    assert warned(15)
    assert not warned(16)
    assert not warned(0, 0, 512)
    # In a long window a target of 2 is more than a spike, but 0 and 1 alone read like truth values.
    long = config.replace(window__steps=1024)
    assert warnings_of(long, np.eye(10, dtype=int))
    assert not warnings_of(long, 2 * np.eye(10, dtype=int))
    # With few bits 1 is a target as good as any.
    few = config.replace(error__target_bits=3, error__format="s8.5")
    assert not warnings_of(few, np.eye(10, dtype=int))


def test_targets_made_from_real_ones_are_not_warned_of() -> None:
    tiny = Config.load("tiny")
    assert not warnings_of(tiny, target_levels(tiny, np.eye(4) / 16))
    for ones in (np.eye(4), np.eye(4, dtype=int), np.eye(4, dtype=bool)):
        assert target_levels(tiny, ones).tolist() == (16 * np.eye(4)).tolist()


def test_real_targets_that_all_round_to_zero_are_warned_of() -> None:
    tiny = Config.load("tiny")
    with pytest.warns(BitlifWarning) as caught:
        assert not target_levels(tiny, np.eye(4) * 0.03).any()
    assert [str(own.message) for own in caught] == [
        (
            "all targets are read as 0: the largest, 0.03, is less than half of 1/16; more "
            "error.target_bits hold smaller ones"
        )
    ]
    assert not target_levels(tiny, np.zeros((2, 4))).any()


def test_raw_weights_given_to_a_float_layer_are_warned_of() -> None:
    tiny = Config.load("tiny")  # s6.4: -2 ..= 1.94
    layer = FloatLayer(tiny)
    with pytest.warns(BitlifWarning) as caught:
        layer.load(np.full((6, 4), -31))
    assert [str(own.message) for own in caught] == [
        (
            "integer weights are read as real numbers here, up to 31; raw weights must be "
            "multiplied by their LSB, 0.0625"
        )
    ]
    assert (layer.weights == -31.0).all()
    # Integers that are weights of the format, and real numbers of any size, say what they mean.
    layer.load(np.full((6, 4), -2))
    layer.load(np.full((6, 4), -31.0))
