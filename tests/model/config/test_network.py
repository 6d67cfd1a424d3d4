"""Configurations of networks: TOML, sizes, seeds, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, NetworkLayer, network_from_dict
from bitlif.model.errors import BitlifError
from bitlif.model.sweep_sections import SweepConfig

TREE: dict[str, Any] = {
    "name": "three",
    "window": {"steps": 16},
    "layer": [
        {"inputs": 5, "neurons": 6, "lanes": 2, "synapse": {"weight": "s12.8"}},
        {"neurons": 4, "sweep": {"credit": "s12.6", "feedback": "sign"}},
        {"neurons": 3, "membrane": {"reset": "teacher"}},
    ],
}


def changed(number: int, **fields: Any) -> dict[str, Any]:
    layers = [dict(own) for own in TREE["layer"]]
    layers[number].update(fields)
    return {**TREE, "layer": layers}


def test_layers_take_the_neurons_before_them_as_inputs() -> None:
    network = network_from_dict(TREE)
    sizes = [(own.config.layer.inputs, own.config.layer.neurons) for own in network.layers]
    assert sizes == [(5, 6), (6, 4), (4, 3)]
    assert repr(network) == "<NetworkConfig name='three' sizes='5-6-4-3' steps=16>"
    assert network.layers[1].sweep.feedback == "sign"
    assert network.learned_from == 0
    assert network_from_dict(changed(1, sweep={"feedback": "none"})).learned_from == 2


def test_file_of_a_layer_is_a_network_of_one(tmp_path: Path) -> None:
    tiny = Config.load("tiny")
    assert NetworkConfig.load("tiny").layers[0].config == tiny
    path = tmp_path / "one.toml"
    tiny.save(path)
    assert NetworkConfig.load(path).layers[0].config == tiny


def test_sources_of_all_layers_differ_by_default() -> None:
    network = network_from_dict(TREE)
    seeds = {
        (lfsr.width, lfsr.seed)
        for own in network.layers
        for lfsr in (own.config.noise.lfsr, own.config.learning.lfsr, own.sweep.lfsr)
    }
    assert len(seeds) == 9
    # The first layer keeps the default seeds, so a single layer keeps its bits.
    assert network.layers[0].config.noise.lfsr.seed == 1
    assert network_from_dict({**TREE, "name": "four"}) != network
    assert network.seeded(3).layers[0].config == network.layers[0].config.seeded(3)


def test_given_seeds_are_kept() -> None:
    network = network_from_dict(
        changed(1, noise={"lfsr": {"seed": 77}}, sweep={"lfsr": {"width": 33, "seed": 78}})
    )
    assert network.layers[1].config.noise.lfsr.seed == 77
    assert network.layers[1].sweep.lfsr.seed == 78


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (changed(1, inputs=7), r"layer\.1\.inputs must be the 6 neurons .* not 7"),
        (changed(1, window={"steps": 3}), r"layer\.1\.window is not a field"),
        (changed(0, membrane={"reset": "teacher"}), r"layer\.0\.membrane\.reset .* 'teacher'"),
        (changed(1, sweep={"credit": "u8.4"}), r"layer\.1\.sweep\.credit .* 'u8\.4'"),
        (changed(1, sweep={"credits": 1}), r"layer\.1\.sweep\.credits is not a field"),
        (changed(2, noise={"lfsr": {"seed": 1}}), r"layer\.2\.noise\.lfsr\.seed must differ"),
        (changed(1, sweep={"surrogate": {"bits": 9}}), r"surrogate\.bits .* 9"),
        (changed(0, sweep={"surrogate": {"width": 1e-5}}), r"layer\.0: surrogate\.width"),
        ({**TREE, "layer": []}, "layers must be a tuple of 1 ..= 16"),
        ({**TREE, "layer": [3]}, r"layer\.0 must be a table, not 3"),
        ({**TREE, "noise": {}}, "noise is not a field of a network"),
    ],
)
def test_bad_network_is_refused_with_the_name_of_the_field(
    tree: dict[str, Any], message: str
) -> None:
    with pytest.raises(BitlifError, match=message):
        network_from_dict(tree)


def test_lanes_that_cannot_differ_are_refused() -> None:
    config = Config().replace(layer__lanes=10)
    narrow = SweepConfig.__dataclass_fields__["lfsr"].default_factory()  # type: ignore[misc]
    sweep = SweepConfig(random_bits=4, lfsr=type(narrow)(width=8, sharing="polynomial"))
    assert NetworkLayer(config=config.replace(layer__lanes=2), sweep=sweep)
    with pytest.raises(BitlifError, match="lanes must be at most"):
        NetworkLayer(config=Config().replace(layer__neurons=250, layer__lanes=250), sweep=sweep)
