"""The descriptions of the fields of networks agree with the checks of their sections."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bitlif.model.config.commented import WIDTH
from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.network_fields import NETWORK_FIELDS, network_field_of
from bitlif.model.config.network_tree import flat_network
from bitlif.model.errors import BitlifError

GOLDEN = Path(__file__).parents[2] / "golden" / "network" / "config.toml"
NETWORK = NetworkConfig.load(GOLDEN)


def changed(path: str, value: Any) -> NetworkConfig:
    return NETWORK.replace(**{f"layer__0__{path.replace('.', '__')}": value})


def test_every_field_of_a_layer_is_described_in_order() -> None:
    flat = flat_network(NetworkConfig.load(GOLDEN).to_dict())
    own = [path.removeprefix("layer.0.") for path in flat if path.startswith("layer.0.")]
    assert [path for path in own if path.startswith(("sweep", "initial"))] == list(NETWORK_FIELDS)
    for path in own:
        name = re.sub(r"^schedule\.[0-9]+", "schedule[]", path)
        assert network_field_of(f"layer.{name}" if "." not in name else name).line
    with pytest.raises(BitlifError, match=r"'sweep\.bits' is not a field"):
        network_field_of("sweep.bits")


@pytest.mark.parametrize("path", NETWORK_FIELDS)
def test_descriptions_agree_with_the_checks(path: str) -> None:
    own = NETWORK_FIELDS[path]
    assert len(f"# {own.line}") <= WIDTH
    if own.accepted.startswith("'"):
        for word in re.findall("'([^']+)'", own.accepted):
            assert changed(path, word)
        with pytest.raises(BitlifError, match=own.name):
            changed(path, "other")
    elif found := re.fullmatch(r"([0-9]+) \.\.= ([0-9]+)", own.accepted):
        low, high = map(int, found.groups())
        for wrong in (low - 1, high + 1):
            with pytest.raises(BitlifError, match=rf"{own.name} must be in {low} \.\.= {high}"):
                changed(path, wrong)
    elif own.accepted.startswith("format"):
        for wrong in ("s17.4", "u8.4", "s1.0"):
            with pytest.raises(BitlifError, match=own.name):
                changed(path, wrong)
