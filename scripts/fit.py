"""``bitlif fit``: the largest layers and networks that fit a board."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, load_any_config
from bitlif.model.errors import BitlifError, nearest_of, require_int
from bitlif.model.text import quoted

from .console.terminal import SubParsers, add_command, add_json, console, print_json, result_table
from .support.network_fit import print_network_fit, search_network

if TYPE_CHECKING:
    from bitlif.fpga.capacity import Room

INPUTS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Rows of the table of most neurons by number of inputs."""


DEFAULTS = {"inputs": 4096, "neurons": 1024, "lanes": 64}
"""Sizes that can be varied, and the upper limits of the search."""


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "fit",
        run,
        "find the largest layers or networks that fit a board",
        """
        Finds the largest number of inputs, of neurons and of lanes with which a configuration fits
        a board, varying one at a time, and the most neurons for each number of inputs. For a
        network, varies the inputs, the neurons of each hidden layer and the lanes of each layer,
        with rows of as many weights as lanes, and finds the fastest widths S of the network as it
        is. Sizes are estimates (`bitlif estimate`) plus the worst measured error, or plus
        --margin. Exits with status 1 if not even the smallest layer or network fits.
        """,
        (
            "bitlif fit digits --board icebreaker",
            "bitlif fit digits-96 --board ulx3s-85f",
            "bitlif fit digits --board ulx3s-85f --vary neurons,lanes --max-neurons 256",
            "bitlif fit tiny --board hx8k --inference --margin 2 --json",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument(
        "--board", metavar="BOARD", required=True, help="board (see bitlif build --list)"
    )
    parser.add_argument(
        "--vary", default="inputs,neurons,lanes", metavar="LIST",
        help="sizes to vary (default: inputs,neurons,lanes)",
    )  # fmt: skip
    for name, most in DEFAULTS.items():
        parser.add_argument(
            f"--max-{name}",
            type=int,
            default=most,
            metavar="N",
            help=f"most {name} to consider (default: {most})",
        )
    parser.add_argument(
        "--margin",
        type=float,
        metavar="PERCENT",
        help="safety margin on the sizes (default: the worst measured errors)",
    )
    parser.add_argument("--inference", action="store_true", help="omit the learning hardware")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Search and print."""
    from bitlif.fpga.boards import board_named
    from bitlif.fpga.capacity import Room

    config, board = load_any_config(args.config), board_named(args.board)
    vary = list(dict.fromkeys(args.vary.split(",")))
    for word in vary:
        if word not in DEFAULTS:
            raise BitlifError(
                f"--vary must be some of {', '.join(DEFAULTS)}, not {quoted(word)}"
                f"{nearest_of(word, DEFAULTS)}"
            )
    if args.margin is not None and not 0 <= args.margin <= 100:
        raise BitlifError(f"--margin must be 0 to 100 percent, not {args.margin:g}")
    bounds = {
        "inputs": require_int("--max-inputs", args.max_inputs, 1, 1 << 16),
        "neurons": require_int("--max-neurons", args.max_neurons, 1, 1 << 16),
        "lanes": require_int("--max-lanes", args.max_lanes, 1, 256),
    }
    margin = None if args.margin is None else args.margin / 100
    learning = not args.inference
    head = {"config": config.name, "board": args.board, "learning": learning}
    if isinstance(config, NetworkConfig):
        room = Room(board.family, board.limits, margin, networks=True)
        result = search_network(config, board, room, vary, bounds, learning=learning)
        if args.json:
            print_json(head | result)
        else:
            print_network_fit(config, args.board, result)
        return 0 if any(row["use"] for row in (*result["alone"], result["fastest"])) else 1
    room = Room(board.family, board.limits, margin)
    result = search(config, room, vary, bounds, learning=learning)
    if args.json:
        print_json(head | result)
    else:
        _print(config, args.board, result)
    found = [row for rows in (result["alone"], result["frontier"]) for row in rows if row["layer"]]
    return 0 if found else 1


def search(
    config: Config, room: Room, vary: list[str], bounds: dict[str, int], *, learning: bool
) -> dict[str, Any]:
    """Return the largest layers: one size varied at a time, and neurons by inputs."""
    from bitlif.fpga.capacity import frontier, largest

    alone = []
    for what in vary:
        best, limit = largest(config, room, what, bounds[what], learning=learning)
        alone.append({"vary": what, "ends": limit, **_sized(best, room, learning)})
    by_inputs: list[dict[str, Any]] = []
    if {"inputs", "neurons"} <= set(vary):
        counts = sorted({n for n in INPUTS if n <= bounds["inputs"]} | {config.layer.inputs})
        _, rows = frontier(config, room, counts, bounds["neurons"], learning=learning)
        for inputs, best in rows:
            by_inputs.append({"inputs": inputs, **_sized(best, room, learning)})
    found = [row["use"] for row in (*alone, *by_inputs) if row["use"]]
    used = {kind for use in found for kind in use}
    margins = {kind: room.margin_of(kind) for kind in room.limits if kind in used or not found}
    return {"margins": margins, "alone": alone, "frontier": by_inputs}


def _sized(config: Config | None, room: Room, learning: bool) -> dict[str, Any]:
    """Return the sizes and resources of a layer; None values if nothing fits."""
    from bitlif.fpga.estimate import estimate

    if config is None:
        return {"layer": None, "use": None}
    sizes = config.layer
    size = estimate(config, room.family, learning=learning)
    return {
        "layer": {"inputs": sizes.inputs, "neurons": sizes.neurons, "lanes": sizes.lanes},
        "use": {kind: used for kind, used in size.total.items() if kind in room.limits},
    }


def _print(config: Config, board: str, result: dict[str, Any]) -> None:
    screen = console()
    kinds = list(result["margins"])
    listed = [(f"most {row['vary']}", *_cells(row, kinds), row["ends"]) for row in result["alone"]]
    titles = ("", "inputs", "neurons", "lanes", *kinds, "limited by")
    screen.print(result_table(f"{config.name} on {board}", titles, listed))
    if result["frontier"]:
        listed = [(str(row["inputs"]), *_cells(row, kinds)[1:]) for row in result["frontier"]]
        titles = ("inputs", "neurons", "lanes", *kinds)
        screen.print(result_table("most neurons by number of inputs", titles, listed))
    margins = ", ".join(f"{kind} {100 * part:.1f} %" for kind, part in result["margins"].items())
    screen.print(f"Estimated, with a margin of {margins}.")


def _cells(row: dict[str, Any], kinds: list[str]) -> list[str]:
    if row["layer"] is None:
        return ["none", "", "", *[""] * len(kinds)]
    return [*map(str, row["layer"].values()), *(str(row["use"].get(kind, 0)) for kind in kinds)]
