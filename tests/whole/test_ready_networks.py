"""The ready-made networks: narrow formats, and hidden layers that learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bitlif
from bitlif import tasks
from bitlif.model.config.config import ready_made_networks, summary_of
from bitlif.model.config.network import NetworkConfig, any_hash, load_any_config

NETWORKS = ready_made_networks()


@pytest.mark.parametrize("name", NETWORKS)
def test_formats_are_as_narrow_as_promised(name: str) -> None:
    network = NetworkConfig.load(name)
    assert network.name == name
    for own in network.layers:
        assert own.config.synapse.weight.bits <= 12
        sweep = own.sweep
        widths = [sweep.membrane.bits, sweep.current.bits, sweep.credit.bits, sweep.surrogate.bits]
        assert max(widths) <= 10


@pytest.mark.parametrize("name", NETWORKS)
def test_network_is_read_back_from_its_file(name: str, tmp_path: Path) -> None:
    network = NetworkConfig.load(name)
    network.save(tmp_path / "again.toml")
    again = load_any_config(tmp_path / "again.toml")
    assert again == network
    assert any_hash(again) == any_hash(network)
    assert summary_of(name).endswith(".")


@pytest.mark.parametrize("name", NETWORKS)
def test_network_learns_its_task_by_default(name: str) -> None:
    network = NetworkConfig.load(name)
    task = tasks.default_task(network.outer)
    assert task.config == name or name == "digits-96"
    assert task.fits(network.outer)
    assert any(own.any() for own in network.initial_weights())


def accuracy(network: NetworkConfig, task: str, windows: int, epochs: int) -> float:
    """Return the test accuracy after a short training on the first windows."""
    examples = tasks.get(task).load(network.outer, 0).head(windows)
    history = tasks.train(bitlif.open(network), task, epochs=epochs, seed=0, examples=examples)
    assert np.isfinite(history[-1].test_accuracy)
    return history[-1].test_accuracy


def test_digits_are_learned_by_a_hidden_layer() -> None:
    network = NetworkConfig.load("digits-96").seeded(0)
    fixed = network.replace(layer__0__sweep__feedback="none")
    learned = accuracy(network, "digits", 800, 3)
    assert learned >= 0.9
    assert accuracy(fixed, "digits", 800, 3) <= learned - 0.05


def test_points_are_learned_by_a_hidden_layer() -> None:
    # A linear classifier is right in 64 of 100 points.
    assert accuracy(NetworkConfig.load("yin-yang").seeded(0), "yin_yang", 1000, 5) >= 0.75
