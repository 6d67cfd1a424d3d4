"""Edits of a configuration: all fields, further names, and the order of application."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_to_dict
from bitlif.model.errors import BitlifError
from bitlif.study.search.space import apply_edits, known_fields, read_edits

DIGITS = Config.load("digits")


def test_every_leaf_of_a_configuration_is_a_field() -> None:
    known = known_fields(DIGITS)
    assert len(known) == len(set(known))
    tree = config_to_dict(DIGITS)

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
    node: Any = config_to_dict(DIGITS)
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
