"""The ready-made configuration that a board was built from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bitlif.hdl.bus.network_registers import NETWORK_IDENTITY, NETWORK_REGISTERS
from bitlif.hdl.bus.registers import REGISTERS
from bitlif.host.link import Link
from bitlif.model.config.config import Config, ready_made, ready_made_networks
from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.errors import BitlifError

MOST_LANES = 256
"""Most lanes of a layer."""


def config_on_board(link: Link) -> Config | NetworkConfig:
    """Return the ready-made layer or network that a board was built from, with its lanes.

    Raises
    ------
    BitlifError
        If nothing answers, or the board was built from another configuration.
    """
    link.open()
    low, high = link.read(REGISTERS["CONFIG_HASH_LOW"].offset, 2)
    there = f"{high << 32 | low:016x}"
    network = link.read(REGISTERS["IDENTITY"].offset)[0] == NETWORK_IDENTITY
    names = ready_made_networks() if network else ready_made()
    lanes = _network_lanes(link) if network else [link.read(REGISTERS["LANES"].offset)[0]]
    load: Callable[[str], Config | NetworkConfig] = NetworkConfig.load if network else Config.load
    for name in names:
        config = _with_lanes(load(name), lanes)
        if config is not None and any_hash(config) == there:
            return config
    raise BitlifError(
        f"CONFIG must be given: {link.name} was built from configuration {there}, which is not "
        f"one of {', '.join(names)}"
    )


def _network_lanes(link: Link) -> list[int]:
    """Return the lanes of each layer of the network on a board."""
    found = []
    for number in range(link.read(NETWORK_REGISTERS["LAYERS"].offset)[0]):
        link.write(NETWORK_REGISTERS["LAYER"].offset, [number])
        found += link.read(NETWORK_REGISTERS["LANES"].offset)
    return found


def _with_lanes(config: Config | NetworkConfig, lanes: list[int]) -> Config | NetworkConfig | None:
    """Return a configuration with these lanes; None if they are too many or too few."""
    network = isinstance(config, NetworkConfig)
    layers = (
        [own.config for own in config.layers] if isinstance(config, NetworkConfig) else [config]
    )
    if len(layers) != len(lanes):
        return None
    changes: dict[str, Any] = {}
    for number, (own, count) in enumerate(zip(layers, lanes, strict=True)):
        if not 1 <= count <= min(own.layer.neurons, MOST_LANES):
            return None
        if count != own.layer.lanes:
            path, prefix = ("", f"layer__{number}__") if network else ("layer__", "")
            # The widths of the gates may not suit other lanes. The host does not need them.
            changes[f"{prefix}{path}lanes"] = count
            changes |= {f"{prefix}gates__{name}": 0 for name in ("synapses", "products")}
    return config.replace(**changes) if changes else config
