"""The register map of one core, a layer or a network, as gates and drivers use it.

It does not need Amaranth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bitlif.hdl.core_signals import COUNTERS, FORWARD_COUNTERS, SWEPT_COUNTERS
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig

from .network_registers import (
    NETWORK_MEMORIES,
    NETWORK_REGISTERS,
    layer_constants,
    layer_elements,
    network_constants,
)
from .registers import MEMORIES, REGISTERS, Elements, Memory, Register, constants, elements


@dataclass(frozen=True, slots=True)
class Place:
    """A layer in a register map.

    Attributes
    ----------
    suffix : str
        End of the names of its ports: empty, or in a network ``_0``, ``_1``, ...
    config : Config
    elements : mapping of str to Elements
        Its memories.
    constants : mapping of str to int
        Registers that never change while it is selected; empty for a single layer.
    """

    suffix: str
    config: Config
    elements: Mapping[str, Elements]
    constants: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """What a host can access in one core.

    Attributes
    ----------
    registers : mapping of str to Register
    memories : mapping of str to Memory
    constants : mapping of str to int
        Registers that never change.
    places : tuple of Place
        The layers.
    counters : tuple of str
        Counters of each layer that the core has; registers of others read as 0.
    """

    registers: Mapping[str, Register]
    memories: Mapping[str, Memory]
    constants: Mapping[str, int]
    places: tuple[Place, ...]
    counters: tuple[str, ...]

    @property
    def selects(self) -> bool:
        """Whether there is a register LAYER: this is the map of a network."""
        return "LAYER" in self.registers

    @property
    def fixed(self) -> tuple[str, ...]:
        """Names of the registers that never change, or only with LAYER."""
        return (*self.constants, *self.places[0].constants)


def register_map(config: Config | NetworkConfig, *, learning: bool = True) -> RegisterMap:
    """Return the register map of a core.

    Raises
    ------
    BitlifError
        If a number of elements or a writable element does not fit a word.
    """
    if isinstance(config, Config):
        own = Place("", config, elements(config, learning=learning), {})
        fixed = constants(config, learning=learning)
        return RegisterMap(REGISTERS, MEMORIES, fixed, (own,), COUNTERS)
    places = tuple(
        Place(
            f"_{number}",
            layer.config,
            layer_elements(config, number, learning=learning),
            layer_constants(config, number, learning=learning),
        )
        for number, layer in enumerate(config.layers)
    )
    counters = SWEPT_COUNTERS if learning else FORWARD_COUNTERS
    return RegisterMap(
        NETWORK_REGISTERS, NETWORK_MEMORIES, network_constants(config), places, counters
    )
