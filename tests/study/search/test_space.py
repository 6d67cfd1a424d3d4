"""Edits of a configuration: all fields, further names, and the order of application."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.config.toml import config_to_dict
from bitlif.model.errors import BitlifError
from bitlif.study.search.space import apply_edits, is_drawn, known_fields, read_edits

DIGITS = Config.load("digits")

NETWORK = network_from_dict({
    "name": "two",
    "window": {"steps": 16},
    "layer": [{"inputs": 5, "neurons": 12, "name": "hidden"}, {"neurons": 3}],
})  # fmt: skip


def field_of(network: NetworkConfig, name: str) -> Any:
    """Return the value of a field in the tables of a network."""
    node: Any = network.to_dict()
    for part in name.split("."):
        node = node[int(part)] if isinstance(node, list) else node[part]
    return node


def test_every_leaf_of_a_configuration_is_a_field() -> None:
    known = known_fields(DIGITS)
    assert len(known) == len(set(known))
    tree = config_to_dict(DIGITS, full=True)

    def leaves(prefix: str, node: dict[str, Any]) -> list[str]:
        found = []
        for name, value in node.items():
            inner = isinstance(value, dict)
            found += leaves(f"{prefix}{name}.", value) if inner else [f"{prefix}{name}"]
        return found

    assert set(leaves("", tree)) - {"name"} <= set(known)


@pytest.mark.parametrize("name", [own for own in known_fields(DIGITS) if own != "schedule"])
def test_setting_a_field_to_its_value_changes_nothing(name: str) -> None:
    *path, last = name.split(".")
    node: Any = config_to_dict(DIGITS, full=True)
    for own in path:
        node = node[own]
    if isinstance(node, str):  # bits of a format
        same = apply_edits(DIGITS, {name: int(node[1:].split(".")[last == "frac"])})
        assert same == DIGITS
    elif isinstance(node, dict) and last in node:
        assert apply_edits(DIGITS, {name: node[last]}) == DIGITS


def test_bits_keep_the_range_and_frac_keeps_the_bits() -> None:
    assert str(DIGITS.synapse.weight) == "s10.7"
    assert str(apply_edits(DIGITS, {"synapse.weight.bits": 4}).synapse.weight) == "s4.1"
    assert str(apply_edits(DIGITS, {"synapse.weight.frac": 5}).synapse.weight) == "s10.5"
    both = apply_edits(DIGITS, {"synapse.weight.frac": 3, "synapse.weight.bits": 5})
    assert str(both.synapse.weight) == "s5.3"
    # Bits apply to a format that is edited as well, in either order.
    for order in itertools.permutations([("trace.format", "u12.8"), ("trace.format.bits", 10)]):
        assert str(apply_edits(DIGITS, dict(order)).trace.format) == "u10.6"


def test_leak_has_a_shift_or_a_time_constant() -> None:
    shifted = apply_edits(DIGITS, {"membrane.decay.shift": 2})
    assert (shifted.membrane.decay.tau, shifted.membrane.decay.shift) == (0.0, 2)
    assert apply_edits(shifted, {"membrane.decay.tau": 4.0}) == DIGITS


def test_schedule_edits_have_a_fixed_order() -> None:
    edits = {
        "schedule.rate_shift": 1,
        "schedule.last_sigma": 0.1,
        "schedule.sigma": 0.4,
        "schedule.windows": 5,
        "schedule.phases": 3,
    }
    for order in (edits, dict(reversed(edits.items()))):
        config = apply_edits(DIGITS, order)
        assert [phase.windows for phase in config.schedule] == [5, 5, 0]
        assert [phase.sigma for phase in config.schedule] == [0.4, 0.2, 0.1]
        assert [phase.rate for phase in config.schedule] == [0.125] * 3
        assert config.learning.rate == DIGITS.learning.rate / 2


def test_cooling_ends_exactly_at_its_last_sigma() -> None:
    for last in (0.015, 0.1, 0.25, 0.9):
        config = apply_edits(DIGITS, {"schedule.last_sigma": last})
        sigmas = [phase.sigma for phase in config.schedule]
        assert (sigmas[0], sigmas[-1]) == (0.25, last)
        assert sigmas == sorted(sigmas, reverse=last < 0.25)


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"synapse.wieght": "s4.2"}, "'synapse.wieght' is not a field .* did you mean"),
        ({"name": "x"}, "'name' is not a field of a configuration"),
        ({"synapse.weight.bits": 0}, r"synapse\.weight\.bits must be in 1 \.\.= 64, not 0"),
        ({"synapse.weight.bits": "4"}, r"synapse\.weight\.bits must be an integer"),
        ({"schedule.phases": 2}, "phases and schedule.windows must be given together"),
        ({"schedule.last_sigma": 0.0}, r"schedule\.last_sigma must be"),
        ({"schedule.rate_shift": 0.5}, r"schedule\.rate_shift must be an integer"),
        ({"noise.words": 9}, r"noise\.words \* word_bits must be at most lfsr\.width"),
    ],
)
def test_invalid_edit_raises_with_its_name(edits: dict[str, Any], message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        apply_edits(DIGITS, edits)


def test_edits_can_be_written_as_tables() -> None:
    tree = {"noise": {"lfsr": {"width": 64}}, "noise.words": 2}
    assert read_edits(tree, DIGITS, "set") == {"noise.lfsr.width": 64, "noise.words": 2}
    with pytest.raises(BitlifError, match=r"^set: 'noise\.lfsr\.depth' is not a field"):
        read_edits({"noise": {"lfsr": {"depth": 64}}}, DIGITS, "set")


def test_fields_of_a_network_are_those_of_its_layers_and_window() -> None:
    known = known_fields(NETWORK)
    assert len(known) == len(set(known))
    layer = set(known_fields(DIGITS))
    for number in (0, 1):
        own = {
            name.removeprefix(f"layer.{number}.")
            for name in known
            if name.startswith(f"layer.{number}.")
        }
        shared = {name for name in layer if not name.startswith(("layer.", "window."))}
        assert shared <= own
        assert {"neurons", "lanes", "sweep.current.bits", "sweep.update", "initial.low"} <= own
        assert ("inputs" in own) == (number == 0)
        assert "name" not in own
    assert {name for name in known if not name.startswith("layer.")} == {
        name for name in layer if name.startswith("window.")
    }
    every = {name.removeprefix("layer.*.") for name in known if name.startswith("layer.*.")}
    assert every == own


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window.steps", 9),
        ("layer.0.neurons", 7),
        ("layer.1.synapse.weight", "s12.9"),
        ("layer.0.sweep.rounding", "nearest"),
        ("layer.0.sweep.feedback", "sign"),
        ("layer.0.sweep.surrogate.width", 0.75),
        ("layer.1.sweep.update", "spike"),
        ("layer.1.initial.high", 0.5),
        ("layer.1.schedule", [{"windows": 0, "sigma": 0.5, "rate": 0.25}]),
    ],
)
def test_edit_of_a_network_sets_its_field_and_no_other(name: str, value: Any) -> None:
    edited = apply_edits(NETWORK, {name: value})
    assert field_of(edited, name) == value
    assert apply_edits(edited, {name: field_of(NETWORK, name)}) == NETWORK


def test_edits_of_every_layer_yield_to_those_of_one() -> None:
    edits: list[tuple[str, Any]] = [
        ("layer.*.sweep.current.bits", 8),
        ("layer.1.sweep.current.bits", 9),
        ("layer.*.sweep.update", "spike"),
        ("layer.*.schedule.sigma", 0.1),
        ("layer.0.schedule.rate_shift", 1),
    ]
    for order in (edits, edits[::-1]):
        first, last = apply_edits(NETWORK, dict(order)).layers
        assert [str(own.sweep.current) for own in (first, last)] == ["s8.2", "s9.3"]
        assert first.sweep.update == last.sweep.update == "spike"
        assert first.config.schedule[0].sigma == last.config.schedule[0].sigma == 0.1
        rate = NETWORK.layers[0].config.learning.rate
        assert (first.config.learning.rate, last.config.learning.rate) == (rate / 2, rate)


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"layer.2.lanes": 2}, r"'layer\.2\.lanes' is not a field of a network, did you mean"),
        ({"synapse.weight.bits": 4}, r"'synapse\.weight\.bits' is not a field of a network"),
        ({"layer.0.sweep.credit.bits": 0}, r"layer\.0\.sweep\.credit\.bits must be in"),
        ({"layer.0.schedule.phases": 2}, r"layer\.0\.schedule\.windows must be given together"),
        ({"layer.0.sweep.feedback": "x"}, r"layer\.0\.sweep\.feedback must be"),
        (
            {"layer.*.membrane.reset": "teacher"},
            r"layer\.0\.membrane\.reset must be 'free' or",
        ),
    ],
)
def test_invalid_edit_of_a_network_raises_with_its_layer(
    edits: dict[str, Any], message: str
) -> None:
    with pytest.raises(BitlifError, match=message):
        apply_edits(NETWORK, edits)


def test_edits_of_layers_can_be_written_as_tables() -> None:
    tree = {"layer": {"0": {"sweep": {"credit.bits": 8}}, "*": {"lanes": 2}}}
    assert read_edits(tree, NETWORK, "set") == {
        "layer.0.sweep.credit.bits": 8, "layer.*.lanes": 2,
    }  # fmt: skip


def test_all_seeds_of_a_configuration_are_drawn() -> None:
    for config in (DIGITS, NETWORK):
        seeds = {name for name in known_fields(config) if name.endswith(".seed")}
        assert seeds == {name for name in known_fields(config) if is_drawn(name)}
        assert seeds
