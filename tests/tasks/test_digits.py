"""The main job: digits learned in integers beside float, and what few weight bits do to it."""

from __future__ import annotations

import sys
from statistics import median

import numpy as np
import pytest

import bitlif
from bitlif.model.config.config import Config
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.result import Result
from bitlif.tasks.digits import class_targets, load_digits_task
from bitlif.tasks.learner import copy_weights, target_levels
from bitlif.tasks.task import classify
from bitlif.tasks.training import orders, train

EPOCHS = 20
SEEDS = range(5)


def integer_accuracy(config: Config, seed: int) -> float:
    config = config.seeded(seed)
    digits = load_digits_task(config.window.steps, seed)
    return train(bitlif.open(config), "digits", epochs=EPOCHS, seed=seed, examples=digits)[
        -1
    ].test_accuracy


def float_accuracy(config: Config, seed: int) -> float:
    digits = load_digits_task(config.window.steps, seed)
    layer, probe = FloatLayer(config, seed=seed), FloatLayer(config, seed=seed + 1000)
    return train(layer, "digits", epochs=EPOCHS, seed=seed, examples=digits, probe=probe)[
        -1
    ].test_accuracy


def test_integers_reach_float_accuracy_within_a_point() -> None:
    config = Config.load("digits")
    assert config.synapse.weight.bits <= 10
    floats = median(float_accuracy(config, seed) for seed in SEEDS)
    integers = median(integer_accuracy(config, seed) for seed in SEEDS)
    assert floats >= 0.96
    assert integers >= floats - 0.01


def test_four_bit_weights_need_stochastic_rounding() -> None:
    # With updates far below half an LSB, rounding to nearest drops them all.
    config = Config.load("digits-4bit")
    assert config.synapse.weight.bits == 4
    stochastic = median(integer_accuracy(config, seed) for seed in range(3))
    nearest = median(
        integer_accuracy(config.replace(learning__random_bits=0), seed) for seed in range(3)
    )
    assert stochastic >= 0.85
    assert stochastic - nearest >= 0.3


def test_training_starts_from_zero_weights() -> None:
    config = Config.load("digits")
    assert not Layer(config).weights.any()
    assert not FloatLayer(config).weights.any()


def test_split_and_spikes_depend_only_on_the_seed() -> None:
    first, again, other = (load_digits_task(64, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.train.addresses, again.train.addresses)
    np.testing.assert_array_equal(first.test_labels, again.test_labels)
    assert (first.test_labels != other.test_labels).any()
    assert first.train.windows == 1347
    assert first.test.windows == 450
    assert first.train.units == 65


def test_each_epoch_shuffles_all_digits() -> None:
    first, second = orders(1347, 2, seed=0)
    assert sorted(first) == sorted(second) == list(range(1347))
    assert (first != second).any()


def test_ties_go_to_the_higher_membrane() -> None:
    raster = np.zeros((3, 4, 3), np.uint8)
    raster[0, :2, 2] = 1
    raster[0, :1, 1] = 1
    raster[1, 0, 0] = raster[1, 1, 2] = 1
    membrane = np.zeros((3, 4, 3))
    membrane[0, :, 0] = 100
    membrane[1, :, 1] = 100
    membrane[1, :, 2] = 5
    membrane[2, :, 1] = 1
    assert classify(Result(raster, membrane=membrane)).tolist() == [2, 2, 1]
    with pytest.raises(ValueError, match="recorded 'membrane'"):
        classify(Result(raster))


def test_targets_are_rounded_and_range_checked() -> None:
    config = Config.load("tiny")
    assert target_levels(config, np.array([0.0, 0.031, 0.032, 1.0])).tolist() == [0, 0, 1, 16]
    assert class_targets(np.array([2])).tolist() == [[0, 0, 0.5, 0, 0, 0, 0, 0, 0, 0]]
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"^targets must be in 0 \.\.= 1, not -?[\w.]+$"):
            target_levels(config, np.array([wrong]))


def test_seeds_give_different_lfsr_states() -> None:
    config = Config.load("digits")
    seeds = {
        (c.noise.lfsr.seed, c.learning.lfsr.seed) for c in (config.seeded(s) for s in range(20))
    }
    assert len(seeds) == 20


def test_raw_and_real_weights_are_not_mixed() -> None:
    config = Config.load("tiny")
    with pytest.raises(TypeError, match=r"^weights can only be copied between"):
        copy_weights(Layer(config), FloatLayer(config))


def test_missing_scikit_learn_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ValueError, match=r"scikit-learn, .*: pip install '.*scikit-learn>="):
        load_digits_task(64, 0)
