"""The memories of a core, and the kind of memory that each gets on an FPGA."""

from __future__ import annotations

from dataclasses import dataclass

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig

from .families import family_named
from .gate_count_network import any_gates
from .yosys_mapping import map_memories


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """A memory of a core.

    Attributes
    ----------
    memory : str
    rows, bits : int
        Number of rows, and bits per row.
    copies : int
        Number of such memories.
    ports : str
        ``"read, write"``, ``"read or write"`` with one port for both, or ``"read"``.
    kind : str
        ``"large RAM"``, ``"block RAM"``, ``"distributed RAM"``, ``"registers"``, or ``"logic"``.
    blocks : int
        RAMs of this kind that all copies take; 0 for registers and logic.
    """

    memory: str
    rows: int
    bits: int
    copies: int
    ports: str
    kind: str
    blocks: int


def memory_rows(
    config: Config | NetworkConfig, family: str, *, learning: bool = True
) -> list[MemoryRow]:
    """Return the memories of a core on a family of FPGAs, by the rules of Yosys.

    Raises
    ------
    BitlifError
        If there is no such family.

    Examples
    --------
    >>> config = Config.load("digits").replace(gates__single_port="all")
    >>> [row.kind for row in memory_rows(config, "ice40") if row.memory == "gradient"]
    ['large RAM']
    """
    own, memories = family_named(family), any_gates(config, learning=learning).memories
    return [
        MemoryRow(
            memory=memory.name, rows=memory.depth, bits=memory.width, copies=memory.copies,
            ports=memory.ports, kind=held.kind,
            blocks=held.large or held.blocks or held.distributed,
        )
        for memory, held in zip(
            memories, map_memories(memories, own.fabric.memory, own.large), strict=True
        )
    ]  # fmt: skip
