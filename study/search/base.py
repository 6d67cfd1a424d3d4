"""The base of a study: the configuration of a layer, or of a network."""

from __future__ import annotations

from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.network_tree import dump_network
from bitlif.model.config.toml import config_to_dict, dump_config
from bitlif.model.gates_section import GatesConfig

AnyConfig = Config | NetworkConfig
"""What a study varies."""


def to_dict(config: AnyConfig) -> dict[str, Any]:
    """Return all fields as a nested dictionary, the sections ``gates`` always included."""
    if isinstance(config, Config):
        return config_to_dict(config, full=True)
    return config.to_dict(full=True)


def gates_of(config: AnyConfig) -> str:
    """Return the sections ``gates``, which hashes leave out; empty if all have their defaults."""
    layers = [config] if isinstance(config, Config) else [own.config for own in config.layers]
    gates = [own.gates for own in layers]
    return str(gates) if any(own != GatesConfig() for own in gates) else ""


def dump_base(config: AnyConfig) -> str:
    """Return a configuration as TOML text with all fields; `parse_any_config` reads it."""
    return dump_config(config) if isinstance(config, Config) else dump_network(config.to_dict())
