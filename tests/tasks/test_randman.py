"""The Randman windows are a function of the seed, and time alone tells their classes apart."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bitlif
from bitlif import Config, tasks
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.tasks.randman import (
    DIMENSIONS,
    SINE_ONE,
    RandmanTask,
    curve_values,
    load_randman,
    sine_table,
    spike_times,
)

OUTER = Config.load("tiny").replace(layer__inputs=21, layer__neurons=10, window__steps=64)

# SHA-256 of the spike times of a seed as little-endian int64.
TIMES = {
    0: "ba5ca929d64a63eb",
    1: "8e1e3be33c5fb9ec",
}


@pytest.mark.parametrize("seed", TIMES)
def test_spike_times_are_a_function_of_the_seed(seed: int) -> None:
    times = spike_times(48, seed)
    assert times.shape == (7000, DIMENSIONS)
    assert (times.min(), times.max()) == (0, 47)
    assert hashlib.sha256(times.astype("<i8").tobytes()).hexdigest().startswith(TIMES[seed])


def test_every_input_spikes_once_and_the_bias_every_eighth_step() -> None:
    examples = tasks.get("randman").load(OUTER, 0)
    assert (examples.train.windows, examples.test.windows) == (5000, 1000)
    raster = examples.test.raster()
    assert (raster[:, :, :DIMENSIONS].sum(axis=1) == 1).all()
    np.testing.assert_array_equal(
        raster[:, :, :DIMENSIONS].argmax(axis=1), spike_times(48, 0)[5000:6000]
    )
    assert (raster[:, :, DIMENSIONS] == (np.arange(64) % 8 == 0)).all()
    assert np.bincount(examples.train_labels).tolist() == [500] * 10


def test_no_entry_of_the_sine_table_is_near_a_tie() -> None:
    exact = np.sin(np.arange(4096) * (2 * np.pi / 4096)) * SINE_ONE
    assert np.abs(exact - sine_table()).max() < 0.4996
    assert sine_table()[[0, 1024, 2048, 3072]].tolist() == [0, SINE_ONE, 0, -SINE_ONE]


def test_values_are_those_of_the_formula() -> None:
    # In float64, from the same words: the table's angles are up to 2**-12 turns lower.
    points, curves, terms = 5, 200, 1000
    index = np.arange(1, curves * terms + 10 * points + 1, dtype=np.uint64)
    words = index * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x52616E646D616E + (7 << 32))
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    words = words ^ (words >> np.uint64(31))
    x = (words[curves * terms :] >> np.uint64(40)).reshape(10, 1, points) / 2.0**24
    drawn = words[: curves * terms].reshape(terms, 10, 20, 1)
    a = (drawn >> np.uint64(44)) / 2.0**20
    b = ((drawn >> np.uint64(24)) & np.uint64(0xFFFFF)) / 2.0**20
    c = (drawn & np.uint64(0xFFFFFF)) / 2.0**24
    f = np.arange(terms).reshape(-1, 1, 1, 1)
    terms_of_sum = a / (f + 1) * np.sin(2 * np.pi * (f * b * x + c))
    exact = terms_of_sum[1:].sum(axis=0)
    # Each term is off by less than its amplitude times 2 pi / 4096, and all add up.
    bound = (a / (f + 1))[1:].sum(axis=0) * (2 * np.pi / 4096) + 1e-5
    assert (np.abs(curve_values(points, 7) / 2.0**50 - exact) < bound).all()


def test_a_linear_readout_fails_and_the_nearest_neighbour_does_not() -> None:
    times, labels = spike_times(48, 0), np.arange(7000) % 10
    train, validation = slice(0, 5000), slice(6000, 7000)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    found = [
        model.fit(times[train], labels[train]).score(times[validation], labels[validation])
        for model in (linear, KNeighborsClassifier(1))
    ]
    assert 0.3 < found[0] < 0.5
    assert found[1] > 0.99


def test_validation_windows_are_others_of_the_same_curves() -> None:
    test, validation = load_randman(64, 0), RandmanTask(part="validation").load(OUTER, 0)
    np.testing.assert_array_equal(test.train.addresses, validation.train.addresses)
    np.testing.assert_array_equal(
        validation.test.raster()[:, :, :DIMENSIONS].argmax(axis=1), spike_times(48, 0)[6000:]
    )


def test_wrong_layers_and_options_are_refused() -> None:
    task = tasks.get("randman")
    for wrong in ({"layer__neurons": 9}, {"layer__inputs": 20}, {"window__steps": 15}):
        with pytest.raises(BitlifError, match="needs 21 inputs, 10 neurons and at least 16 steps"):
            task.check(OUTER.replace(**wrong))
    with pytest.raises(BitlifError, match="part must be 'test' or 'validation'"):
        RandmanTask(part="train")


def test_a_network_learns_the_windows() -> None:
    # One pass of sixteen, at the full rate.
    with bitlif.open(NetworkConfig.load("randman").seeded(0)) as core:
        history = tasks.train(core, RandmanTask(part="validation"), epochs=1)
    assert history[-1].test_accuracy > 0.65
