"""The networks that ours is compared with really learn, by the same gradient."""

from __future__ import annotations

import numpy as np

from bitlif.model.config.network import NetworkConfig
from bitlif.scripts.benchmarks.network import CONFIG, load_data
from bitlif.scripts.benchmarks.peers import NumpyNetwork

WINDOWS = 40


def learned(at_once: bool) -> tuple[NumpyNetwork, list[float]]:
    config = NetworkConfig.load(CONFIG)
    data = load_data(config)
    windows = data.events.select(range(WINDOWS)).raster().astype(np.float64)
    peer = NumpyNetwork(config, at_once=at_once)
    before = [weights.copy() for weights in peer.weights]
    for window, label in zip(windows, data.labels, strict=False):
        peer.learn(window, np.arange(10) == label)
    return peer, [
        float(np.abs(new - old).max()) for new, old in zip(peer.weights, before, strict=True)
    ]


def test_both_ways_to_sum_a_gradient_give_the_same_weights() -> None:
    (one, moved), (other, _) = learned(False), learned(True)
    assert min(moved) > 0.01
    for left, right in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)
