"""Sparseness, precision and the controls of hidden codes, on codes made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bitlif.study.claims.hidden_codes import (
    code_precision,
    equal_counts,
    first_spikes,
    latencies,
    latency_jitter,
    lifetime_sparseness,
    population_sparseness,
    ranked,
    shuffle_times,
    silent_share,
    sparseness,
)
from bitlif.study.claims.spike_trains import spike_precision


def random_code(shape: tuple[int, ...] = (9, 22, 7), rate: float = 0.2) -> np.ndarray:
    return (np.random.default_rng(3).random(shape) < rate).astype(np.uint8)


@pytest.mark.parametrize("block", [1, 4, 5, 22, 40])
def test_shuffling_keeps_the_counts_of_every_block(block: int) -> None:
    code = random_code()
    moved = shuffle_times(code, block, seed=1)
    assert moved.shape == code.shape
    assert moved.dtype == np.uint8
    for first in range(0, 22, block):
        part = slice(first, first + block)
        np.testing.assert_array_equal(moved[:, part].sum(axis=1), code[:, part].sum(axis=1))
    assert np.array_equal(moved, code) == (block == 1)
    np.testing.assert_array_equal(shuffle_times(code, block, seed=1), moved)


def test_shuffled_spikes_are_uniform_and_independent() -> None:
    code = np.zeros((4000, 8, 2), np.uint8)
    code[:, 0] = 1
    moved = shuffle_times(code, 8, seed=2)
    share = moved.mean(axis=0)
    # The standard deviation of a share of 1/8 is sqrt(7 / 64 / 4000) = 0.0052.
    assert abs(share - 1 / 8).max() < 5 * 0.0053
    together = float((moved[:, :, 0] & moved[:, :, 1]).any(axis=1).mean())
    assert abs(together - 1 / 8) < 5 * 0.0053


def test_first_spikes_keep_the_latency_only() -> None:
    code = random_code()
    first = first_spikes(code)
    np.testing.assert_array_equal(first.sum(axis=1), code.any(axis=1))
    np.testing.assert_array_equal(latencies(first), latencies(code))


def test_latency_of_silence_is_the_number_of_steps() -> None:
    assert latencies(np.zeros((1, 5, 1), np.uint8)).tolist() == [[5]]


@pytest.mark.parametrize("equalise", [equal_counts, ranked])
def test_equalised_neurons_spike_exactly_once(equalise: object) -> None:
    code = random_code(rate=0.05)
    assert not code.any(axis=1).all()
    assert (equalise(code).sum(axis=1) == 1).all()  # type: ignore[operator]


def test_equal_counts_keep_the_first_spikes() -> None:
    code = random_code(rate=0.05)
    equal = equal_counts(code)
    fired = code.any(axis=1)
    np.testing.assert_array_equal(latencies(equal)[fired], latencies(code)[fired])
    assert (latencies(equal)[~fired] == 21).all()


def test_ranks_keep_the_order_and_lose_the_times() -> None:
    early, late = np.zeros((2, 1, 40, 3), np.uint8)
    for neuron, when in enumerate((7, 2, 2)):
        early[0, when, neuron] = 1
        late[0, 2 * when + 11, neuron] = 1
    np.testing.assert_array_equal(ranked(early), ranked(late))
    # Two neurons are first together; the third has rank 2 of 0 ..= 2.
    assert latencies(ranked(early)).tolist() == [[39, 0, 0]]


def test_sparseness_of_known_rates() -> None:
    # One of four: 1; two of four: (1 - 1/2) / (1 - 1/4) = 2/3; all: 0; none: undefined.
    rates = np.array([[5.0, 0, 0, 0], [3, 3, 0, 0], [2, 2, 2, 2], [0, 0, 0, 0]])
    found = sparseness(rates, axis=1)
    np.testing.assert_allclose(found[:3], [1, 2 / 3, 0], atol=1e-15)
    assert math.isnan(found[3])


def test_sparseness_over_neurons_and_over_windows() -> None:
    # Neuron w spikes in window w only, the same number of times: as sparse as possible in both.
    code = np.zeros((4, 6, 4), np.uint8)
    for window in range(4):
        code[window, :3, window] = 1
    assert population_sparseness(code) == pytest.approx(1.0)
    assert lifetime_sparseness(code) == pytest.approx(1.0)
    # One neuron for all windows: sparse over neurons, and not at all over windows.
    code[:] = 0
    code[:, :3, 0] = 1
    assert population_sparseness(code) == pytest.approx(1.0)
    assert lifetime_sparseness(code) == pytest.approx(0.0)
    assert silent_share(code) == 0.75
    assert math.isnan(population_sparseness(np.zeros_like(code)))


def test_precision_equals_that_of_single_neurons() -> None:
    random = np.random.default_rng(8)
    quiet = random_code((5, 30, 6), 0.15)
    trains = (random.random((5, 12, 30, 6)) < 0.2).astype(np.uint8)
    found, events = 0.0, 0
    for stimulus in range(5):
        for neuron in range(6):
            own = np.flatnonzero(quiet[stimulus, :, neuron])
            single = code_precision(
                trains[stimulus : stimulus + 1, :, :, neuron : neuron + 1],
                quiet[stimulus : stimulus + 1, :, neuron : neuron + 1],
            )
            if own.size == 0:
                assert math.isnan(single.jitter)
                continue
            known = spike_precision(trains[stimulus, :, :, neuron], own)
            assert single.jitter == pytest.approx(known.jitter, rel=1e-12)
            assert single.found == pytest.approx(known.found, rel=1e-12)
            found, events = found + known.found * own.size, events + own.size
    assert code_precision(trains, quiet).found == pytest.approx(found / events, rel=1e-12)


def test_jitter_of_shifted_spikes_is_their_deviation() -> None:
    shifts = np.array([-2, 0, 1, 3, 3])
    trains = np.zeros((1, 5, 40, 1), np.uint8)
    trains[0, np.arange(5), 20 + shifts, 0] = 1
    quiet = np.zeros((1, 40, 1), np.uint8)
    quiet[0, 20] = 1
    assert code_precision(trains, quiet).jitter == pytest.approx(shifts.std(ddof=1))


def test_latency_jitter_is_that_of_first_spikes() -> None:
    trains = np.zeros((1, 3, 20, 3), np.uint8)
    trains[0, np.arange(3), [4, 6, 8], 0] = 1
    trains[0, :, 10:, 0] = 1  # later spikes do not count
    trains[0, 0, 5, 1] = 1  # a neuron that is silent in a trial is left out
    assert latency_jitter(trains) == pytest.approx(2.0)
    assert math.isnan(latency_jitter(np.zeros((1, 3, 20, 3), np.uint8)))
