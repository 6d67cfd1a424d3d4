"""Decoders of the class, on codes that hold their class in counts only or in times only."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bitlif.study.claims.class_decoding import (
    class_information,
    count_features,
    decode_classes,
    neuron_information,
    time_features,
)
from bitlif.study.claims.decoding import transmitted_information
from bitlif.study.claims.hidden_codes import equal_counts, latencies, shuffle_times


def timed_code(seed: int, windows: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Return a code of four classes, each with an order of its four neurons' single spikes."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, windows)
    code = np.zeros((windows, 24, 4), np.uint8)
    for window, label in enumerate(labels):
        for neuron in range(4):
            code[window, 6 * ((neuron + label) % 4) + random.integers(0, 4), neuron] = 1
    return code, labels


def test_times_are_decoded_and_counts_are_not() -> None:
    (train, known), (test, truth) = timed_code(1), timed_code(2)
    times = decode_classes(time_features(train), known, time_features(test), truth)
    assert times.accuracy == 1.0
    # Perfect answers: two bits, but for the unequal numbers of the classes and the correction.
    perfect = class_information(np.diag(np.bincount(truth)))
    assert times.information == pytest.approx(perfect)
    counts = decode_classes(count_features(train), known, count_features(test), truth)
    assert counts.accuracy < 0.4
    assert counts.information < 0.05
    shuffled = [time_features(shuffle_times(own, 24, seed=1)) for own in (train, test)]
    assert decode_classes(shuffled[0], known, shuffled[1], truth).accuracy < 0.4


def test_counts_are_decoded_until_they_are_equalised() -> None:
    random = np.random.default_rng(4)
    labels = random.integers(0, 3, 300)
    rates = np.where(np.arange(3) == labels[:, None], 0.9, 0.4)
    code = (random.random((300, 40, 3)) < rates[:, None, :]).astype(np.uint8)
    code[:, 0] = 1  # the first spikes tell nothing
    found = [
        decode_classes(feature(own[:200]), labels[:200], feature(own[200:]), labels[200:]).accuracy
        for feature, own in ((count_features, code), (time_features, equal_counts(code)))
    ]
    assert found[0] == 1.0
    assert found[1] < 0.5


def test_more_features_than_windows_are_decoded() -> None:
    train, known = timed_code(1, windows=40)
    test, truth = timed_code(2)
    wide = [np.repeat(time_features(own), 3, axis=1) for own in (train, test)]
    assert wide[0].shape[0] < wide[0].shape[1]
    assert decode_classes(wide[0], known, wide[1], truth).accuracy == 1.0


def test_time_features_count_spikes_in_bins() -> None:
    code = np.ones((1, 20, 2), np.uint8)
    # Bins start at 0, 3, 6, 10, 13 and 16.
    expected = np.repeat([3, 3, 4, 3, 3, 4], 2)
    np.testing.assert_array_equal(time_features(code)[0], expected)
    assert count_features(code).tolist() == [[20.0, 20.0]]


def test_information_with_equal_classes_is_the_transmitted_one() -> None:
    confusion = np.array([[30, 10], [4, 36]])
    assert class_information(confusion) == pytest.approx(transmitted_information(confusion))


def test_information_of_unequal_classes_is_their_entropy() -> None:
    # Perfect answers tell the entropy of the classes; the correction adds 1 / (2 N ln 2).
    confusion = np.diag([750, 250])
    exact = -0.75 * math.log2(0.75) - 0.25 * math.log2(0.25)
    assert class_information(confusion) == pytest.approx(exact + 1 / (2000 * math.log(2)))


def test_information_of_single_neurons() -> None:
    code, labels = timed_code(5, windows=4000)
    late = latencies(code) // 6
    # Each spike's quarter of the window is one of four by class: two bits. Counts are all 1.
    perfect = class_information(np.diag(np.bincount(labels)))
    assert neuron_information(late, labels).tolist() == pytest.approx([perfect] * 4)
    counts = code.sum(axis=1, dtype=np.int64)
    assert neuron_information(counts, labels).tolist() == [0.0] * 4
