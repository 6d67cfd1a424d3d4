"""The widths S of the layers of a network, and the ports of their weights, that suit a board."""

from __future__ import annotations

from collections.abc import Iterator

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes

from .boards import Board
from .capacity import Room
from .estimate import is_calibrated
from .families import LARGE
from .network_speed import sparse_clocks
from .widths import suited_to, useful_widths


def any_suited(
    config: Config | NetworkConfig, board: Board, *, learning: bool = True
) -> Config | NetworkConfig:
    """Return a layer or a network with widths that make it fast on a board.

    A network is returned as it is if there are no estimates for the board's family.
    """
    if isinstance(config, Config):
        return suited_to(config, board, learning=learning)
    if is_calibrated(board.family, networks=True):
        return suited_network(config, board, learning=learning)
    return config


def suited_network(
    config: NetworkConfig, board: Board, *, learning: bool = True, room: Room | None = None
) -> NetworkConfig:
    """Return a network with widths that make it fast on a board.

    Widths that a layer has are kept. The others begin with one slot per row. Step by step, the
    layer is widened with which a window takes the fewest clock cycles, as long as the network fits
    by estimate, with the worst measured error as margin. Weights have one port, in the largest
    layers first, only if the network does not learn and nothing else fits. If nothing fits at all,
    the network is returned as it is.

    Parameters
    ----------
    config : NetworkConfig
    board : Board
    learning : bool
        Whether the core has learning hardware.
    room : Room or None
        None: the resources of the board, with the worst measured error as margin.
    """
    free = [n for n, own in enumerate(config.layers) if not own.config.gates.synapses]
    room = room or Room(board.family, board.limits, networks=True)
    for start in _ports(config, board, learning):
        if not room.lacking_for(start, learning=learning):
            return widest(start, room, free, learning=learning)
    return config


def _ports(config: NetworkConfig, board: Board, learning: bool) -> Iterator[NetworkConfig]:
    """Yield the network, and then with one port for the weights of more and more layers."""
    yield config
    if learning or not board.limits.get(LARGE, 0):
        return
    sizes = [own.config.layer for own in config.layers]
    bits = [
        size.inputs * size.neurons * own.config.synapse.weight.bits
        for size, own in zip(sizes, config.layers, strict=True)
    ]
    for number in sorted(range(len(bits)), key=lambda own: -bits[own]):
        config = config.replace(**{f"layer__{number}__gates__single_port": "weights"})
        yield config


def widest(config: NetworkConfig, room: Room, free: list[int], *, learning: bool) -> NetworkConfig:
    """Return a network that fits, with some of its layers widened as long as it gets faster."""
    left = {number: _widths(config, number) for number in free}
    clocks = sparse_clocks(config, learning=learning)
    while True:
        best: tuple[int, int, NetworkConfig] | None = None
        for number, widths in left.items():
            if not widths:
                continue
            tried = config.replace(**{f"layer__{number}__gates__synapses": widths[0]})
            if room.lacking_for(tried, learning=learning):
                widths.clear()
                continue
            taken = sparse_clocks(tried, learning=learning)
            if best is None or taken < best[0]:
                best = taken, number, tried
        if best is None or best[0] >= clocks:
            return config
        clocks, number, config = best
        left[number].pop(0)


def _widths(config: NetworkConfig, number: int) -> list[int]:
    """Return the useful widths of a layer that are larger than the one it has."""
    own = config.layers[number].config
    now = gate_sizes(own).synapses
    widths = (own.layer.lanes * slots for slots in useful_widths(own.layer.slots))
    return [width for width in widths if width > now]
