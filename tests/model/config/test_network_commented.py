"""Commented files of networks: they hold every field and come back as the same network."""

from __future__ import annotations

import re
from pathlib import Path

from networks import random_networks

from bitlif.model.config.commented import WIDTH
from bitlif.model.config.fields import FIELDS
from bitlif.model.config.network import NetworkConfig, parse_any_config
from bitlif.model.config.network_commented import dump_commented_network
from bitlif.model.config.network_fields import NETWORK_FIELDS

GOLDEN = Path(__file__).parents[2] / "golden" / "network" / "config.toml"


def test_networks_come_back() -> None:
    for network in (*random_networks(6), NetworkConfig.load(GOLDEN), NetworkConfig.load("tiny")):
        text = dump_commented_network(network, ["A network.", "With a header."])
        assert parse_any_config(text, "text") == network
        assert text.startswith("# A network.\n# With a header.\n\n# name of")
        assert max(len(line) for line in text.splitlines()) <= WIDTH


def test_every_field_is_explained_once() -> None:
    # The last layer alone has a section of gates, which is explained there.
    network = NetworkConfig.load(GOLDEN)
    last = f"layer__{len(network.layers) - 1}__gates__synapses"
    text = dump_commented_network(network.replace(**{last: network.outer.layer.lanes}))
    comments = re.findall(r"^# (.*;.*)$", text, re.MULTILINE)
    expected = [field.line for field in (*FIELDS.values(), *NETWORK_FIELDS.values())]
    joined = " ".join(line.removeprefix("# ") for line in text.splitlines())
    for line in expected:
        assert joined.count(line) >= 1, line
    assert len(comments) <= len(expected)
