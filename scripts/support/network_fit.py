"""Networks that fit a board: the fastest widths, and the largest sizes."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes
from bitlif.scripts.console.terminal import console, result_table

if TYPE_CHECKING:
    from bitlif.fpga.boards import Board
    from bitlif.fpga.capacity import Room


def search_network(
    config: NetworkConfig,
    board: Board,
    room: Room,
    vary: list[str],
    bounds: Mapping[str, int],
    *,
    learning: bool,
) -> dict[str, Any]:
    """Return the fastest widths of a network, and its largest sizes, one varied at a time.

    Parameters
    ----------
    config : NetworkConfig
    board : Board
    room : Room
    vary : list of str
        Some of ``"inputs"``, ``"neurons"`` and ``"lanes"``.
    bounds : mapping of str to int
        The most of each.
    learning : bool
    """
    from bitlif.fpga.capacity import largest_sized
    from bitlif.fpga.network_widths import suited_network

    narrow = narrowed(config)
    suited = suited_network(narrow, board, learning=learning, room=room)
    lacking = room.lacking_for(suited, learning=learning)
    fastest = _sized(None if lacking else suited, room, learning)
    alone = []
    for field, least, most in _fields(narrow, vary, bounds):
        sized = functools.partial(sized_network, narrow, field)
        best, why = largest_sized(sized, room, least, most, learning=learning)
        alone.append({"vary": field, "ends": why, **_sized(best, room, learning)})
    uses = [row["use"] for row in (fastest, *alone) if row["use"]]
    used = {kind for use in uses for kind in use}
    margins = {kind: room.margin_of(kind) for kind in room.limits if kind in used or not uses}
    return {"margins": margins, "fastest": fastest, "alone": alone}


def narrowed(config: NetworkConfig) -> NetworkConfig:
    """Return a network with rows of as many weights as lanes."""
    changes: dict[str, Any] = {}
    for number in range(len(config.layers)):
        changes |= {f"layer__{number}__gates__{own}": 0 for own in ("synapses", "products")}
    return config.replace(**changes)


def sized_network(config: NetworkConfig, field: str, number: int) -> NetworkConfig:
    """Return a network with another size: ``"inputs"``, or ``"layer.0.neurons"`` and the like."""
    if field == "inputs":
        return config.replace(layer__0__inputs=number)
    return config.replace(**{field.replace(".", "__"): number})


def _fields(
    config: NetworkConfig, vary: list[str], bounds: Mapping[str, int]
) -> Iterator[tuple[str, int, int]]:
    """Yield what can be varied, and its least and most."""
    if "inputs" in vary:
        yield "inputs", 1, bounds["inputs"]
    for number, own in enumerate(config.layers):
        sizes = own.config.layer
        if "neurons" in vary and config.is_hidden(number):
            yield f"layer.{number}.neurons", sizes.lanes, bounds["neurons"]
        if "lanes" in vary:
            yield f"layer.{number}.lanes", 1, min(bounds["lanes"], sizes.neurons)


def _sized(config: NetworkConfig | None, room: Room, learning: bool) -> dict[str, Any]:
    """Return the sizes, clock cycles and resources of a network; None values if nothing fits."""
    from bitlif.fpga.estimate import estimate
    from bitlif.fpga.network_speed import sparse_clocks

    if config is None:
        return {"network": None, "use": None}
    layers = [own.config for own in config.layers]
    used = estimate(config, room.family, learning=learning).total
    return {
        "network": {
            "sizes": config.facts()["sizes"],
            "lanes": [own.layer.lanes for own in layers],
            "synapses": [gate_sizes(own).synapses for own in layers],
            "single_port": [own.gates.single_port for own in layers],
            "sparse_clocks": sparse_clocks(config, learning=learning),
        },
        "use": {kind: count for kind, count in used.items() if kind in room.limits},
    }  # fmt: skip


def print_network_fit(config: NetworkConfig, board: str, result: dict[str, Any]) -> None:
    """Print what `search_network` returned."""
    screen, kinds = console(), list(result["margins"])
    rows = [("fastest widths", result["fastest"], "")]
    rows += [(f"most {row['vary']}", row, row["ends"]) for row in result["alone"]]
    listed = [(title, *_cells(row, kinds), ends) for title, row, ends in rows]
    titles = ("", "sizes", "P", "S", "cycles/window", *kinds, "limited by")
    screen.print(result_table(f"{config.name} on {board}", titles, listed))
    margins = ", ".join(f"{kind} {100 * part:.1f} %" for kind, part in result["margins"].items())
    screen.print(f"Estimated, with a margin of {margins}.")
    screen.print("cycles/window: every 4th input and neuron spikes in every step")
    singles = result["fastest"]["network"] or {"single_port": ()}
    for number, ports in enumerate(singles["single_port"]):
        if ports != "none":
            screen.print(f"fastest widths: layer.{number}.gates.single_port = '{ports}'")


def _cells(row: dict[str, Any], kinds: list[str]) -> list[str]:
    own = row["network"]
    if own is None:
        return ["none", "", "", "", *[""] * len(kinds)]
    widths = [", ".join(map(str, own[name])) for name in ("lanes", "synapses")]
    used = (str(row["use"].get(kind, 0)) for kind in kinds)
    return [own["sizes"], *widths, f"{own['sparse_clocks']:,}", *used]
