"""Configurations of networks: TOML, sizes, seeds, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from networks import random_networks

from bitlif.model.config.config import Config
from bitlif.model.config.network import (
    NetworkConfig,
    NetworkLayer,
    load_any_config,
    network_from_dict,
    outer,
    parse_any_config,
)
from bitlif.model.config.network_tree import flat_network, network_hash
from bitlif.model.errors import BitlifError, BitlifTypeError, BitlifWarning
from bitlif.model.sweep_sections import InitialConfig, SweepConfig

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
        (changed(1, window={"steps": 3}), r"^layer\.1\.window is not a field; known"),
        (changed(0, membrane={"reset": "teacher"}), r"layer\.0\.membrane\.reset .* 'teacher'"),
        (changed(1, sweep={"credit": "u8.4"}), r"layer\.1\.sweep\.credit .* 'u8\.4'"),
        (changed(1, sweep={"credits": 1}), r"layer\.1\.sweep\.credits is not a field"),
        (changed(2, noise={"lfsr": {"seed": 1}}), r"layer\.2\.noise\.lfsr\.seed must differ"),
        (changed(1, sweep={"surrogate": {"bits": 9}}), r"surrogate\.bits .* 9"),
        (changed(0, sweep={"surrogate": {"width": 1e-5}}), r"^layer\.0\.sweep\.surrogate\.width"),
        (changed(0, initial={"low": 1, "high": 0}), r"layer\.0\.initial\.low .* 0, not 1"),
        (changed(0, initial={"mean": 1}), r"layer\.0\.initial\.mean is not a field"),
        (
            changed(1, sweep={"lfsr": {"width": 8, "leap": 255}}),
            r"layer\.1\.sweep\.lfsr\.leap must give draws that vary, not 255",
        ),
        (
            changed(1, sweep={"lfsr": {"width": 8, "leap": 85}, "random_bits": 4}),
            r"layer\.1\.sweep\.lfsr\.leap \* 3 \* slots .* 255, as 85 \* 3 \* 4 is",
        ),
        ({**TREE, "layer": []}, r"^a network must have 1 \.\.= 16 \[\[layer\]\] tables, not 0$"),
        ({**TREE, "layer": [{}] * 17}, r"1 \.\.= 16 \[\[layer\]\] tables, not 17$"),
        (changed(0, neurons=0), r"^layer\.0\.neurons must be in 1 \.\.= 65536, not 0$"),
        (changed(0, inputs=2.5), r"^layer\.0\.inputs must be an integer"),
        (changed(1, lanes=300), r"^layer\.1\.lanes must be in 1 \.\.= 256, not 300$"),
        (
            changed(0, lanes=2, gates={"synapses": 3}),
            r"^layer\.0\.gates\.\w+ .* layer\.0\.lanes = 2",
        ),
        (changed(1, neuronz=3), r"^layer\.1\.neuronz is not a field, did you mean 'neurons'\?$"),
        (changed(1, zzz=3), r"^layer\.1\.zzz is not a field; known are inputs, neurons, lanes, "),
        (changed(1, layer={}), r"^layer\.1\.layer is not a field"),
        ({**TREE, "window": {"steps": 0}}, r"^window\.steps must be in 1 \.\.= 1048576, not 0$"),
        (
            {**TREE, "window": {"stepz": 3}},
            r"^window\.stepz is not a field, did you mean 'steps'\?$",
        ),
        ({**TREE, "window": 3}, r"^window must be a table of fields, not 3$"),
        (changed(1, schedule=[]), r"^layer\.1\.schedule must have 1 \.\.= 4096 phases, not 0$"),
        (changed(1, learning={"rate": 9e5}), r"^layer\.1\.learning\.rate must be at most \d"),
        (changed(1, learning={"rate": 150.0}), r"^layer\.1\.learning\.rate must be at most \d"),
        (changed(1, membrane={"overflow": "refuse"}), r"^layer\.1: membrane could overflow: its"),
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


def test_networks_come_back_from_text_and_files(tmp_path: Path) -> None:
    for number, network in enumerate(random_networks(20)):
        path = tmp_path / f"{number}.toml"
        network.save(path)
        assert parse_any_config(path.read_text("utf-8"), path.name) == network
        assert network_from_dict(network.to_dict()) == network
    network_from_dict(TREE).save(tmp_path / "three.toml")
    assert NetworkConfig.load(tmp_path / "three.toml") == network_from_dict(TREE)
    assert load_any_config("tiny") == Config.load("tiny")


def test_hash_depends_on_every_field_but_names_and_gates() -> None:
    network = network_from_dict(TREE)
    own = network_hash(network.to_dict())
    assert own == network_hash(network.replace(name="other").to_dict())
    assert own == network_hash(network.replace(layer__1__name="middle").to_dict())
    for path, value in (
        ("layer__2__sweep__update", "spike"), ("layer__0__initial__high", 0.5),
        ("window__steps", 17), ("layer__1__membrane__threshold", 1.25),
    ):  # fmt: skip
        assert own != network_hash(network.replace(**{path: value}).to_dict())


def test_gates_of_a_layer_are_in_its_table_unless_they_have_their_defaults() -> None:
    usual = network_from_dict(TREE)
    wide = usual.replace(layer__1__gates__single_port="all")
    assert ["gates" in table for table in wide.to_dict()["layer"]] == [False, True, False]
    assert network_from_dict(wide.to_dict()) == wide
    assert network_hash(wide.to_dict()) == network_hash(usual.to_dict())
    assert all(table["gates"] for table in usual.to_dict(full=True)["layer"])
    assert network_from_dict(usual.to_dict(full=True)) == usual


def test_fields_of_layers_are_replaced_by_their_names() -> None:
    network = network_from_dict(TREE)
    changed = network.replace(layer__0__neurons=8, layer__1__sweep__surrogate__width=0.75)
    assert changed.layers[0].config.layer.neurons == changed.layers[1].config.layer.inputs == 8
    assert changed.layers[1].sweep.surrogate.width == 0.75
    assert changed.layers[2] == network.layers[2]
    flat = flat_network(network.to_dict())
    assert flat["layer.0.synapse.weight"] == "s12.8"
    assert flat["layer.2.schedule.0.sigma"] == 0.2
    with pytest.raises(BitlifError, match=r"layer\.3\.lanes must name one of the 3 layers"):
        network.replace(layer__3__lanes=1)
    with pytest.raises(BitlifError, match=r"layer\.1\.sweep\.nothing is not a field"):
        network.replace(layer__1__sweep__nothing=1)
    with pytest.raises(BitlifError, match=r"window\.steps\.more is not a field"):
        network.replace(window__steps__more=1)


def test_start_weights_are_uniform_and_limited_to_the_format() -> None:
    network = network_from_dict(changed(0, neurons=200, initial={"low": -0.5, "high": 0.25}))
    first, second, _ = network.initial_weights()
    assert first.shape == (5, 200)
    # s12.8: -128 ..= 64, of which 1000 draws leave out few.
    assert (first.min(), first.max()) == (-128, 64)
    assert len(set(first.flat)) > 180
    assert second.min() >= -64
    assert not (first == network.seeded(1).initial_weights()[0]).all()
    wide = network.replace(layer__0__initial=InitialConfig(low=100.0, high=200.0))
    assert set(wide.initial_weights()[0].flat) == {2047}
    assert not NetworkConfig.load("tiny").initial_weights()[0].any()


def test_network_from_outside_has_first_inputs_and_last_neurons() -> None:
    network = network_from_dict(TREE)
    seen = outer(network)
    assert (seen.layer.inputs, seen.layer.neurons, seen.name) == (5, 3, "three")
    assert seen.membrane == network.layers[2].config.membrane
    assert outer(seen) is seen


def test_what_is_surely_not_meant_is_warned_of(tmp_path: Path) -> None:
    network = network_from_dict(
        changed(1, initial={"low": 0, "high": 0}, sweep={"lfsr": {"width": 8}})
    )
    path = tmp_path / "poor.toml"
    network.save(path)
    with pytest.warns(BitlifWarning) as caught:
        load_any_config(path)
    texts = [str(own.message) for own in caught]
    assert any("layer.1.initial: all weights start at 0" in text for text in texts)


def test_network_where_a_layer_is_needed_is_refused() -> None:
    text = "[[layer]]\ninputs = 3\n[[layer]]\nneurons = 2\n"
    assert isinstance(parse_any_config(text, "two.toml"), NetworkConfig)
    with pytest.raises(BitlifError, match=r"two\.toml: name must be"):
        parse_any_config(f"name = ''\n{text}", "two.toml")


def test_layers_are_counted_without_printing_them() -> None:
    with pytest.raises(BitlifTypeError, match=r"^a network must have 1 \.\.= 16 layers, not 17$"):
        NetworkConfig(layers=(NetworkLayer(),) * 17)
    with pytest.raises(BitlifTypeError, match=r"^layers must be a tuple of NetworkLayer, not 3$"):
        NetworkConfig(layers=3)  # type: ignore[arg-type]


def test_unknown_field_of_replace_names_the_fields_of_a_layer() -> None:
    network = network_from_dict(TREE)
    with pytest.raises(
        BitlifError, match=r"^layer\.0\.foo is not a field; known are inputs, neurons"
    ):
        network.replace(layer__0__foo=3)


def test_large_integers_are_refused_with_the_number_of_the_layer() -> None:
    text = "[[layer]]\n[[layer]]\nneurons = 99999999999999999999\n"
    with pytest.raises(BitlifError, match=r"^mine: layer\.1\.neurons must have at most 64 bits"):
        parse_any_config(text, "mine")
    text = "[[schedule]]\n[[schedule]]\nrate = 99999999999999999999\n"
    with pytest.raises(BitlifError, match=r"^mine: schedule\[1\]\.rate must have at most 64 bits"):
        parse_any_config(text, "mine")
