"""The widths S and L, and the ports of the memories, with which a layer suits a board."""

from __future__ import annotations

import numpy as np

from bitlif.model.clocks import one_step_clocks
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.gates_section import SINGLE_PORTS

from .boards import Board
from .capacity import Room
from .network_speed import SPARSE


def useful_widths(slots: int) -> list[int]:
    """Return the numbers of slots per row that need fewer rows than all smaller numbers.

    >>> useful_widths(10)
    [1, 2, 3, 4, 5, 10]
    """
    return sorted({-(-slots // rows) for rows in range(1, slots + 1)})


def suited_to(config: Config, board: Board, *, learning: bool = True) -> Config:
    """Return a configuration with the widths that make it fastest on a board.

    Widths that the configuration has are kept, and so are memories with one port. Otherwise the
    widths are those of the fewest clock cycles that fit by estimate, with the worst measured error
    as margin; among equal ones, the smallest. Memories have one port only if nothing else fits. If
    nothing fits at all, the configuration is returned as it is.

    Parameters
    ----------
    config : Config
    board : Board
    learning : bool
        Whether the core has learning hardware.

    Examples
    --------
    >>> from bitlif.fpga.boards import board_named
    >>> own = suited_to(Config.load("digits"), board_named("ulx3s-85f"))
    >>> own.gates.synapses, own.gates.products
    (10, 10)
    """
    gates = config.gates
    if gates.synapses and (gates.products or not learning):
        return config
    room = Room(board.family, board.limits)
    large = board.limits.get("large RAMs", 0)
    ports = SINGLE_PORTS if gates.single_port == "none" and large else (gates.single_port,)
    for single in ports:
        found = _fastest(config.replace(gates__single_port=single), room, learning)
        if found is not None:
            return found
    return config


def _fastest(config: Config, room: Room, learning: bool) -> Config | None:
    """Return the widths of the fewest clock cycles that fit; None if none do."""
    lanes, gates = config.layer.lanes, config.gates
    widths = [lanes * own for own in useful_widths(config.layer.slots)]
    tried = [
        config.replace(gates__synapses=synapses, gates__products=products)
        for synapses in ([gates.synapses] if gates.synapses else widths)
        for products in ([gates.products] if gates.products else widths if learning else widths[:1])
    ]
    tried.sort(key=lambda own: (_clocks(own, learning), own.gates.synapses, own.gates.products))
    too_wide: list[Config] = []
    for own in tried:
        if any(
            own.gates.synapses >= wide.gates.synapses and own.gates.products >= wide.gates.products
            for wide in too_wide
        ):
            continue
        if not room.lacking_for(own, learning=learning):
            return own
        too_wide.append(own)
    return None


def _clocks(config: Config, learning: bool) -> int:
    """Return the clock cycles of a step with events of some inputs and errors of all neurons."""
    sizes = gate_sizes(config)
    events = -(-sizes.inputs // SPARSE)
    none = np.zeros(sizes.neurons, np.uint8)
    errors = np.ones(sizes.neurons, np.int64) if learning else None
    return one_step_clocks(config, events, none, errors, learning_core=learning)
