"""The base of a study: the configuration of a layer, or of a network."""

from __future__ import annotations

from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.network_tree import dump_network
from bitlif.model.config.toml import config_to_dict, dump_config

AnyConfig = Config | NetworkConfig
"""What a study varies."""


def to_dict(config: AnyConfig) -> dict[str, Any]:
    """Return all fields as a nested dictionary."""
    return config_to_dict(config) if isinstance(config, Config) else config.to_dict()


def dump_base(config: AnyConfig) -> str:
    """Return a configuration as TOML text with all fields; `parse_any_config` reads it."""
    return dump_config(config) if isinstance(config, Config) else dump_network(config.to_dict())
