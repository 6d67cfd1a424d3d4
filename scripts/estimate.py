"""``bitlif estimate``: size and speed of a layer on a board, without synthesis."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config

from .console.configuration import load_layer
from .console.memories import memory_table
from .console.terminal import SubParsers, add_command, add_json, console, print_json, result_table

if TYPE_CHECKING:
    from bitlif.fpga.estimate import Error


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "estimate",
        run,
        "estimate a layer's size and speed on a board",
        """
        Estimates the size and speed of a layer with its registers and serial port on an FPGA, in
        less than a second: gates are counted and weighted with coefficients that were fitted to
        real syntheses. The errors for configurations outside the fit are printed as well; `bitlif
        bench estimate` measures them again. `bitlif build` gives exact figures. No speed is given
        for a board that is too small for the layer. With --board, lists the memories of the layer,
        and exits with status 1 if the layer does not fit.
        """,
        (
            "bitlif estimate digits",
            "bitlif estimate digits --board icebreaker",
            "bitlif estimate teacher --board ulx3s-85f --inference --json",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("--board", metavar="BOARD", help="one board (default: all)")
    parser.add_argument("--inference", action="store_true", help="omit the learning hardware")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Estimate and print."""
    from bitlif.fpga.boards import BOARDS, board_named

    config = load_layer(args.config)
    if args.board:
        board_named(args.board)
    rows = [
        board_row(config, name, learning=not args.inference)
        for name in ([args.board] if args.board else BOARDS)
    ]
    if args.json:
        print_json({"config": config.name, "learning": not args.inference, "boards": rows})
    else:
        _print(config, rows, learning=not args.inference)
    return 1 if args.board and not rows[0]["fits"] else 0


def board_row(config: Config, name: str, *, learning: bool) -> dict[str, Any]:
    """Return the estimate for a board, as --json prints it."""
    from dataclasses import asdict

    from bitlif.fpga.boards import BOARDS
    from bitlif.fpga.estimate import calibrated_family, clock_of, error_of, estimate, speed
    from bitlif.fpga.memory_table import memory_rows

    board = BOARDS[name]
    size = estimate(config, board.family, learning=learning)
    use: dict[str, dict[str, Any]] = {}
    for kind, used in size.total.items():
        available = board.limit(kind)
        use[kind] = {
            "used": used, "core": size.core[kind], "available": available,
            "percent": round(100 * used / available, 1) if available else 0.0,
            "error": asdict(error_of(board.family, kind)),
        }  # fmt: skip
    clock = clock_of(name)
    memories = memory_rows(config, board.family, learning=learning)
    fits = all(kind["used"] <= kind["available"] for kind in use.values())
    # A design that does not fit has no speed.
    pace = asdict(speed(config, clock.mhz, learning=learning)) if fits else None
    return {
        "board": name, "device": board.device, "family": board.family, "fits": fits, "use": use,
        "memories": [asdict(row) for row in memories],
        "clock": asdict(clock), "speed": pace, "calibration": calibrated_family(board.family),
    }  # fmt: skip


def _print(config: Config, rows: list[dict[str, Any]], *, learning: bool) -> None:
    from bitlif.fpga.estimate import Error

    screen = console()
    kinds = list(dict.fromkeys(kind for row in rows for kind in row["use"]))
    listed = []
    for row in rows:
        cells = [
            f"{use['used']}/{use['available']} ({use['percent']:.0f} %)" if use else "-"
            for use in map(row["use"].get, kinds)
        ]
        listed.append((row["board"], *cells, "yes" if row["fits"] else "no"))
    what = "learning" if learning else "inference only"
    title = f"{config.name}, {what}: estimated use"
    screen.print(result_table(title, ("", *kinds, "fits"), listed))
    if len(rows) == 1:
        screen.print(memory_table(rows[0]["memories"]))
    paces = [(row["board"], *_pace(row)) for row in rows]
    titles = ("", "MHz", "cycles/step", "cycles/window, at most", "steps/s", "Msyn/s")
    screen.print(result_table("at the clock that placements reach", titles, paces))
    for family in dict.fromkeys(row["family"] for row in rows):
        row = next(row for row in rows if row["family"] == family)
        errors = ", ".join(
            f"{kind} {_errors(Error(**use['error']))}"
            for kind, use in row["use"].items()
            if use["available"] and use["error"]["configs"]
        )
        configs = row["use"]["cells"]["error"]["configs"]
        screen.print(
            f"{family}: median and worst error over {configs} configurations outside the "
            f"fit: {errors}"
        )
    reached = ", ".join(
        f"{row['board']} {row['clock']['placements']}" for row in rows if not row["clock"]["note"]
    )
    if reached:
        screen.print(f"MHz: median of placements; their number by board: {reached}")
    for row in rows:
        if row["clock"]["note"]:
            screen.print(f"{row['board']}: {row['clock']['note']}")
        if row["calibration"] != row["family"]:
            screen.print(
                f"{row['board']}: family {row['family']} has not been calibrated; sizes are "
                f"estimated with the coefficients of {row['calibration']}"
            )


def _pace(row: dict[str, Any]) -> list[str]:
    """Return clock and speed as printed: dashes where the layer does not fit."""
    speed = row["speed"]
    if speed is None:
        return ["-"] * 5
    return [
        f"{row['clock']['mhz']:.1f}",
        f"{speed['quiet_clocks']} to {speed['full_clocks']}",
        f"{speed['window_clocks']}",
        f"{speed['full_steps_per_s']:,.0f} to {speed['quiet_steps_per_s']:,.0f}",
        f"{speed['operations_per_s'] / 1e6:.0f}",
    ]


def _errors(error: Error) -> str:
    return f"{100 * error.median:.1f} % and {100 * error.worst:.1f} %"
