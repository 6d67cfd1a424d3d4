"""Weight files of networks: they fit their configuration, or are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, any_hash, network_from_dict
from bitlif.model.errors import BitlifError
from bitlif.model.files.weight_file import (
    load_any_weights,
    load_network_weights,
    load_weights,
    save_any_weights,
    save_network_weights,
    save_weights,
)

TINY = Config.load("tiny")


def network(**last: Any) -> NetworkConfig:
    layers = [
        {"inputs": 6, "neurons": 5, "synapse": {"weight": "s12.9"}},
        {"neurons": 3, "synapse": {"weight": "s6.4"}, **last},
    ]
    return network_from_dict({"name": "two", "layer": layers})


def weights_of(net: NetworkConfig) -> list[Any]:
    random = np.random.default_rng(3)
    found = []
    for own in net.layers:
        fmt, sizes = own.config.synapse.weight, own.config.layer
        shape = (sizes.inputs, sizes.neurons)
        found.append(random.integers(fmt.raw_min, fmt.raw_max, shape, endpoint=True))
    return found


def arrays(**changes: Any) -> dict[str, Any]:
    first, second = weights_of(network())
    found = {"weights.0": first, "weights.1": second, "formats": np.array(["s12.9", "s6.4"])}
    return {name: own for name, own in {**found, **changes}.items() if own is not None}


def test_weights_of_all_layers_are_read_back(tmp_path: Path) -> None:
    net = network()
    path = tmp_path / "w.npz"
    for save, load in (
        (save_network_weights, load_network_weights), (save_any_weights, load_any_weights)
    ):  # fmt: skip
        save(path, weights_of(net), net)
        for own, again in zip(weights_of(net), load(path, net), strict=True):
            np.testing.assert_array_equal(own, again)
            assert again.dtype == np.int64
    with np.load(path) as file:
        assert str(file["config"]) == any_hash(net)
        assert set(file) == {"weights.0", "weights.1", "formats", "config"}
    # Other seeds do not matter, and layers still have files of their own.
    assert len(load_network_weights(path, net.seeded(4))) == 2
    save_any_weights(path, np.ones((6, 4), int), TINY)
    assert load_any_weights(path, TINY).sum() == 24  # type: ignore[union-attr]


def test_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    net = network()
    for name in "ab":
        save_network_weights(tmp_path / f"{name}.npz", weights_of(net), net)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (weights_of(network())[:1], r"^weights must be a list of 2 arrays, one per layer"),
        (np.zeros((6, 5), int), r"^weights must be a list of 2 arrays"),
        ([np.zeros((6, 5), int), np.full((5, 3), 32)], r"^layer\.1: weights must be in -32"),
        ([np.zeros((6, 4), int), np.zeros((5, 3), int)], r"^layer\.0: weights must .* \(6, 5\)"),
    ],
)
def test_weights_that_do_not_fit_are_not_written(
    weights: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BitlifError, match=message):
        save_network_weights(tmp_path / "w.npz", weights, network())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights.0": None}, r" must hold the arrays weights\.0, \.\.\. and formats$"),
        ({"formats": None}, r" must hold the arrays weights\.0, \.\.\. and formats$"),
        ({"weights.1": None}, r" must be of a network of 2 layers, not of 1$"),
        ({"weights.2": np.zeros((3, 2), int)}, r" must be of a network of 2 layers, not of 3$"),
        ({"formats": np.array(["s12.9"])}, r": formats must be 2 texts, one per layer$"),
        (
            {"formats": np.array(["s12.9", "s6.3"])},
            r": layer\.1 must be in the configuration's format 's6\.4', not 's6\.3'$",
        ),
        ({"formats": np.array(["s12.9", "x" * 999])}, r": formats must be 2 texts"),
        ({"weights.1": np.zeros((5, 4), int)}, r": layer\.1: weights must be .* \(5, 3\), not"),
        ({"weights.0": np.zeros((6, 5))}, r": layer\.0: weights must be integers"),
        ({"weights.1": np.full((5, 3), -33)}, r": layer\.1: weights must be in -32 \.\.= 31"),
    ],
)
def test_bad_weights_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    np.savez(path, **arrays(**changes))
    with pytest.raises(BitlifError, match=r"^weights '.*file\.npz'" + message):
        load_network_weights(path, network())


def test_files_of_layers_and_networks_are_not_confused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    save_weights(path, np.zeros((6, 4), int), TINY)
    with pytest.raises(BitlifError) as caught:
        load_network_weights(path, network())
    for fact in (str(path), "single layer", "network of 2 layers", "configuration of that layer"):
        assert fact in str(caught.value)
    save_network_weights(path, weights_of(network()), network())
    with pytest.raises(BitlifError) as caught:
        load_weights(path, TINY)
    for fact in (str(path), "network of 2 layers", "single layer", "configuration of that network"):
        assert fact in str(caught.value)
