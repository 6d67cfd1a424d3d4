"""The networks that ours is compared with really learn, by the same gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bitlif.model.config.network import NetworkConfig
from bitlif.scripts.benchmarks.network import CONFIG, load_data
from bitlif.scripts.benchmarks.peers import NumpyNetwork, snntorch_learner, torch_learner

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


@pytest.mark.parametrize("learner", [snntorch_learner, torch_learner])
def test_batches_are_learned_in_pytorch(learner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[torch.Tensor] = []
    losses: list[float] = []
    entropy = torch.nn.functional.cross_entropy

    def remembered(counts: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
        kept.append(goals)
        losses.append(entropy(counts, goals).item())
        return entropy(counts, goals)

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", remembered)
    config = NetworkConfig.load(CONFIG)
    data = load_data(config)
    windows = data.events.select(range(64)).raster()
    labels = data.labels[:64].reshape(2, 32)
    learn = learner(config, windows.reshape(2, 32, *windows.shape[1:]).swapaxes(1, 2), labels)
    for _ in range(60):
        learn()
    # The batches take turns, each with its own labels, and are learned.
    for number, goals in enumerate(kept):
        np.testing.assert_array_equal(goals.numpy(), labels[number % 2])
    assert np.mean(losses[-2:]) < 0.8 * np.mean(losses[:2])


def test_both_ways_to_sum_a_gradient_give_the_same_weights() -> None:
    (one, moved), (other, _) = learned(False), learned(True)
    assert min(moved) > 0.01
    for left, right in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)
