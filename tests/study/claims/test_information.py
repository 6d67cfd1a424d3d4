"""Estimates of information and decoders against channels with known information."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bitlif.study.claims.decoding import (
    BIN_STEPS,
    count_accuracy,
    smoothed_information,
    time_accuracy,
    transmitted_information,
)
from bitlif.study.claims.information import (
    binary_words,
    entropy,
    mutual_information,
    shuffled_information,
)


def binary_entropy(p: float) -> float:
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


@pytest.mark.parametrize("p", [0.0, 0.05, 0.2, 0.5])
def test_information_of_a_binary_symmetric_channel(p: float) -> None:
    trials = 20_000
    random = np.random.default_rng(5)
    responses = np.array([[0], [1]]) ^ (random.random((2, trials)) < p)
    exact = 1.0 - (binary_entropy(p) if 0 < p < 1 else 0.0)
    # The measured p has a standard deviation of at most sqrt(p (1 - p) / 40000) and changes the
    # estimate by |log2(p / (1 - p))| per unit: below 0.011 for four of them. The remaining bias,
    # including the correction of an unbiased estimate, is below 1 / N.
    slope = abs(math.log2(p / (1 - p))) if 0 < p < 1 else 0.0
    bound = 4 * slope * math.sqrt(p * (1 - p) / (2 * trials)) + 8 / trials
    assert abs(mutual_information(responses) - exact) <= bound


def test_correction_removes_most_of_the_bias() -> None:
    # 8 equally likely responses, independent of 16 stimuli, with 40 trials each.
    random = np.random.default_rng(2)
    estimates, plug_in = [], []
    for _ in range(100):
        responses = random.integers(0, 8, (16, 40))
        estimates.append(mutual_information(responses))
        shared = np.array([np.bincount(row, minlength=8) for row in responses]) / 640
        product = shared.sum(axis=0) / 16
        ratio = np.divide(shared, product, out=np.ones_like(shared), where=shared > 0)
        plug_in.append(float((shared * np.log2(ratio)).sum()))
    # Miller: the plug-in bias is (16 - 1) (8 - 1) / (2 * 640 ln 2) = 0.118 bits.
    bias = 15 * 7 / (2 * 640 * math.log(2))
    assert abs(np.mean(plug_in) / bias - 1) < 0.1
    assert abs(np.mean(estimates)) < bias / 10


def test_entropy_of_equally_likely_values() -> None:
    assert entropy(np.full(8, 10**6)) == pytest.approx(3.0, abs=1e-6)
    assert entropy(np.array([0, 7, 0])) == 0.0


def test_shuffling_removes_all_information() -> None:
    responses = np.repeat(np.arange(4)[:, None], 1000, axis=1)
    # Without noise: two bits, plus the correction of the entropy of the responses.
    exact = 2.0 + 3 / (2 * 4000 * math.log(2))
    assert mutual_information(responses) == pytest.approx(exact, abs=1e-12)
    # The rest is chi-square with 9 degrees over 2 N ln 2: 0.008 has p = 1e-6.
    assert abs(shuffled_information(responses, 0)) < 0.008


def test_binary_words_have_one_bit_per_bin() -> None:
    train = np.zeros((1, 16), np.int64)
    train[0, [0, 1, 15]] = 1
    assert binary_words(train, 4).tolist() == [0b1001]
    assert binary_words(train, 16).tolist() == [(1 << 0) | (1 << 1) | (1 << 15)]


def test_perfect_decoder_transmits_all_information() -> None:
    # Miller's correction only increases the entropy of the columns: 3 / (2 * 400 ln 2).
    exact = 2.0 + 3 / (800 * math.log(2))
    assert transmitted_information(np.eye(4, dtype=np.int64) * 100) == pytest.approx(exact)


def trains_of_equal_counts(trials: int) -> np.ndarray:
    """Return four stimuli with one spike each, 16 steps apart, with jitter of up to a step."""
    random = np.random.default_rng(3)
    trains = np.zeros((4, trials, 64, 1), np.uint8)
    for stimulus in range(4):
        times = 8 + 16 * stimulus + random.integers(-1, 2, trials)
        trains[stimulus, np.arange(trials), times, 0] = 1
    return trains


def test_times_carry_information_that_counts_lack() -> None:
    trains = trains_of_equal_counts(100)
    full = 2.0 + 3 / (2 * 400 * math.log(2))
    for width in (1.0, 2.0, 4.0):
        assert smoothed_information(trains[..., 0], width) == pytest.approx(full)
    # The counts are equal, so every trial is assigned to the first stimulus.
    assert smoothed_information(trains[..., 0], math.inf) == pytest.approx(0.0, abs=1e-12)
    assert count_accuracy(trains)[-1] == 0.25
    assert time_accuracy(trains)[-1] == 1.0


def test_accuracy_rises_as_the_spikes_arrive() -> None:
    accuracy = time_accuracy(trains_of_equal_counts(100))
    bins = {step: step // BIN_STEPS for step in (3, 12, 60)}
    # No spike has arrived; one of four stimuli is known; all are known.
    assert accuracy[bins[3]] == 0.25
    assert accuracy[bins[12]] == 0.5
    assert accuracy[bins[60]] == 1.0


def test_counts_separate_stimuli_of_different_rates() -> None:
    trains = np.zeros((3, 50, 32, 2), np.uint8)
    for stimulus in range(3):
        trains[stimulus, :, : 4 * stimulus : 2] = 1
    assert count_accuracy(trains)[-1] == 1.0
