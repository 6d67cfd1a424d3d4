"""Words of 32 bits: the arithmetic of Python's integers as long as all results fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from networks import network_stimulus, random_networks

from bitlif.model.config.network import NetworkConfig
from bitlif.model.engine.compile import compiled
from bitlif.model.engine.words import fits_word, wide, word
from bitlif.model.network import Network


def every_operation(a: Any, b: Any, out: Any) -> None:
    """Write the result of every operation on words, of two words and of a word and an integer."""
    for k in range(a.size):
        x, y = word(a[k]), word(b[k])
        total = x + y
        total += x > y
        results = out[k]
        results[0] = wide(total - 3 * y)
        results[1] = wide(x * (y >> 16))
        results[2] = wide((x & y) | (x ^ 5))
        results[3] = wide(x >> (b[k] & 31))
        results[4] = wide((x >> 8) << 3)
        results[5] = wide(-x)
        results[6] = wide(min(max(x, -100), y))
        results[7] = (x < y) + 2 * (x <= y) + 4 * (x > 7) + 8 * (x >= y) + 16 * (x == y)
        results[8] = wide(0 if x != y else x)
        results[9] = wide(word(x > y))


def test_words_compute_as_integers_do() -> None:
    random = np.random.default_rng(0)
    a, b = (random.integers(-(1 << 14), 1 << 14, 200).astype(np.int32) for _ in range(2))
    a[:20] = b[:20]
    out = np.zeros((a.size, 10), np.int64)
    compiled(every_operation)(a, b, out)
    exact = np.zeros(out.shape, object)
    every_operation(a.astype(object), b.astype(object), exact)
    np.testing.assert_array_equal(out, exact)


def square(a: Any, out: Any) -> None:
    """Write the square of a word and of a wide integer."""
    x, y = word(a[0]), wide(a[0])
    out[0], out[1] = wide(x * x), y * y


def test_words_have_32_bits() -> None:
    out = np.zeros(2, np.int64)
    compiled(square)(np.array([70_000], np.int32), out)
    assert out.tolist() == [70_000**2 - (1 << 32), 70_000**2]


@pytest.mark.parametrize(
    ("low", "high", "fits"),
    [(-(1 << 31), (1 << 31) - 1, True), (-(1 << 31) - 1, 0, False), (0, 1 << 31, False)],
)
def test_range_of_a_word(low: int, high: int, fits: bool) -> None:
    assert fits_word(low, high) is fits


def without_words(network: Network) -> Network:
    """Return the network itself, which now computes in 64 bits throughout."""
    for part in network._parts:
        arrays = part._arrays
        sweep = arrays["sweep"]
        arrays["scratch"] = arrays["scratch"]._replace(words=0)
        wide_drive = np.zeros(sweep.drive.shape, np.int64)
        arrays["sweep"] = sweep._replace(words=0, update_words=0, wide_drive=wide_drive)
    return network


def test_words_change_no_bit_of_a_network() -> None:
    narrow = 0
    for number, config in enumerate((NetworkConfig.load("tiny"), *random_networks(40))):
        events, weights, targets = network_stimulus(config, number)
        networks = Network(config), without_words(Network(config))
        sweeps = [part._arrays["sweep"] for part in networks[0]._parts]
        narrow += all(own.words and own.update_words for own in sweeps)
        results = []
        for network in networks:
            network.load(weights)
            results.append(network.learn(events, targets, record=("membrane", "adjoints")))
        for own, other in zip(results[0].layers, results[1].layers, strict=True):
            np.testing.assert_array_equal(own.raster, other.raster)
            np.testing.assert_array_equal(own.membrane, other.membrane)
            assert own.counters == other.counters
        assert results[0].sweep_counters == results[1].sweep_counters
        for mine, others in zip(networks[0].weights(), networks[1].weights(), strict=True):
            np.testing.assert_array_equal(mine, others)
    assert narrow > 0


def test_words_hold_the_digits() -> None:
    """The configuration of the benchmark is computed in words."""
    for part in Network(NetworkConfig.load("digits-96"))._parts:
        arrays = part._arrays
        assert arrays["scratch"].words
        assert arrays["sweep"].words
        assert arrays["sweep"].update_words
