"""``bitlif estimate``: how large and how fast a layer becomes on a board, at once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config

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
        Estimates what a layer, its registers and its serial line take of a board's FPGA, and how
        fast it runs there, in less than a second: by counting and by coefficients that were fitted
        to real syntheses. How far off estimates were for configurations that the fit had not seen
        is printed beside them; `bitlif bench estimate` measures it again. `bitlif build` tells for
        certain. A board that the layer does not fit has no speed. Exit code 1: it does not fit the
        board.
        """,
        (
            "bitlif estimate digits",
            "bitlif estimate digits --board icebreaker",
            "bitlif estimate my.toml --board ulx3s-85f --inference --json",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("--board", metavar="BOARD", help="one only (default: all that there are)")
    parser.add_argument("--inference", action="store_true", help="without learning hardware")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Estimate and print."""
    from bitlif.fpga.boards import BOARDS, board_named

    config = Config.load(args.config)
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
    """Return what is estimated for a board."""
    from dataclasses import asdict

    from bitlif.fpga.boards import BOARDS
    from bitlif.fpga.estimate import clock_of, error_of, estimate, speed

    board = BOARDS[name]
    size = estimate(config, board.family, learning=learning)
    use: dict[str, dict[str, Any]] = {}
    for kind, used in size.total.items():
        there = board.limits.get(kind, board.limits["cells"])
        use[kind] = {
            "used": used, "core": size.core[kind], "available": there,
            "percent": round(100 * used / there, 1) if there else 0.0,
            "error": asdict(error_of(board.family, kind)),
        }  # fmt: skip
    clock = clock_of(name)
    fits = all(own["used"] <= own["available"] for own in use.values())
    # What does not fit has no speed there.
    pace = asdict(speed(config, clock.mhz, learning=learning)) if fits else None
    return {
        "board": name, "device": board.device, "family": board.family, "fits": fits, "use": use,
        "clock": asdict(clock), "speed": pace,
    }  # fmt: skip


def _print(config: Config, rows: list[dict[str, Any]], *, learning: bool) -> None:
    from bitlif.fpga.estimate import Error

    screen = console()
    kinds = list(rows[0]["use"])
    listed = []
    for row in rows:
        cells = [
            f"{own['used']}/{own['available']} ({own['percent']:.0f} %)"
            for own in row["use"].values()
        ]
        listed.append((row["board"], *cells, "yes" if row["fits"] else "no"))
    what = "learning" if learning else "inference only"
    title = f"{config.name}, {what}: estimated use"
    screen.print(result_table(title, ("", *kinds, "fits"), listed))
    paces = [(row["board"], *_pace(row)) for row in rows]
    titles = ("", "MHz", "clocks a step", "a window, at most", "steps/s", "Msyn/s")
    screen.print(result_table("at the clock that placements reach", titles, paces))
    for family in dict.fromkeys(row["family"] for row in rows):
        own = next(row for row in rows if row["family"] == family)
        said = ", ".join(
            f"{kind} {_errors(Error(**use['error']))}"
            for kind, use in own["use"].items()
            if use["available"]
        )
        configs = own["use"]["cells"]["error"]["configs"]
        screen.print(
            f"{family}: median and worst error over {configs} configurations that the fit had not "
            f"seen: {said}"
        )
    reached = ", ".join(f"{row['board']} {row['clock']['placements']}" for row in rows)
    screen.print(f"MHz: median of what placements reached, of which there were: {reached}")


def _pace(row: dict[str, Any]) -> list[str]:
    """Return clock and speed as they are printed; dashes where the layer does not fit."""
    own = row["speed"]
    if own is None:
        return ["-"] * 5
    return [
        f"{row['clock']['mhz']:.1f}",
        f"{own['quiet_clocks']} to {own['full_clocks']}",
        f"{own['window_clocks']}",
        f"{own['full_steps_per_s']:,.0f} to {own['quiet_steps_per_s']:,.0f}",
        f"{own['operations_per_s'] / 1e6:.0f}",
    ]


def _errors(error: Error) -> str:
    return f"{100 * error.median:.1f} % and {100 * error.worst:.1f} %"
