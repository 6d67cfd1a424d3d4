"""``bitlif estimate``: size and speed of a layer or a network on a board, without synthesis."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, load_any_config

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
        "estimate a layer's or network's size and speed on a board",
        """
        Estimates the size and speed of a layer or a network with its registers and serial port on
        an FPGA, in less than a second: gates are counted and weighted with coefficients that were
        fitted to real syntheses. The errors for configurations outside the fit are printed as
        well; `bitlif bench estimate` measures them again. `bitlif build` gives exact figures. No
        speed is given for a board that is too small. With --board, lists the memories of the core,
        and exits with status 1 if it does not fit.
        """,
        (
            "bitlif estimate digits",
            "bitlif estimate digits --board icebreaker",
            "bitlif estimate digits-96 --board ulx3s-85f",
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
    from bitlif.fpga.estimate import is_calibrated

    config = load_any_config(args.config)
    learning, networks = not args.inference, isinstance(config, NetworkConfig)
    names = [board_named(args.board).name] if args.board else list(BOARDS)
    left_out = [
        name
        for name in names
        if not (args.board or is_calibrated(BOARDS[name].family, networks=networks))
    ]
    names = [name for name in names if name not in left_out]
    rows = [board_row(config, name, learning=learning) for name in names]
    if args.json:
        print_json({"config": config.name, "learning": learning, "boards": rows})
    else:
        _print(config, rows, learning=learning)
        if left_out:
            console().print(f"no estimate of networks for {', '.join(left_out)}: not calibrated")
    return 1 if args.board and not rows[0]["fits"] else 0


def board_row(config: Config | NetworkConfig, name: str, *, learning: bool) -> dict[str, Any]:
    """Return the estimate for a board, as --json prints it."""
    from dataclasses import asdict

    from bitlif.fpga.boards import BOARDS
    from bitlif.fpga.estimate import calibrated_family, clock_of, error_of, estimate, speed
    from bitlif.fpga.memory_table import memory_rows
    from bitlif.fpga.network_speed import network_speed

    networks = isinstance(config, NetworkConfig)
    board = BOARDS[name]
    size = estimate(config, board.family, learning=learning)
    use: dict[str, dict[str, Any]] = {}
    for kind, used in size.total.items():
        available = board.limit(kind)
        use[kind] = {
            "used": used, "core": size.core[kind], "available": available,
            "percent": round(100 * used / available, 1) if available else 0.0,
            "error": asdict(error_of(board.family, kind, networks=networks)),
        }  # fmt: skip
    clock = clock_of(name, networks=networks)
    memories = memory_rows(config, board.family, learning=learning)
    fits = all(kind["used"] <= kind["available"] for kind in use.values())
    pace: dict[str, Any] | None = None
    # A design that does not fit has no speed.
    if fits and isinstance(config, NetworkConfig):
        pace = asdict(network_speed(config, clock.mhz, learning=learning))
    elif fits and isinstance(config, Config):
        pace = asdict(speed(config, clock.mhz, learning=learning))
    return {
        "board": name, "device": board.device, "family": board.family, "fits": fits, "use": use,
        "memories": [asdict(row) for row in memories], "clock": asdict(clock), "speed": pace,
        "calibration": calibrated_family(board.family, networks=networks),
    }  # fmt: skip


def _print(config: Config | NetworkConfig, rows: list[dict[str, Any]], *, learning: bool) -> None:
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
    network = isinstance(config, NetworkConfig)
    titles: tuple[str, ...] = NETWORK_PACE if network else PACE
    shown = _network_pace if network else _pace
    dashes = ["-"] * (len(titles) - 1)
    paces = [(row["board"], *(shown(row) if row["speed"] else dashes)) for row in rows]
    screen.print(result_table("at the clock that placements reach", titles, paces))
    if isinstance(config, NetworkConfig):
        screen.print(
            "windows in which every 4th input and neuron spikes in every step; --json has those "
            "without spikes and full ones"
        )
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


PACE = ("", "MHz", "cycles/step", "cycles/window, at most", "steps/s", "Msyn/s")
NETWORK_PACE = ("", "MHz", "cycles/learned", "learned/s", "cycles/run", "run/s", "Msyn/s")
"""Titles of the table of speeds."""


def _pace(row: dict[str, Any]) -> list[str]:
    """Return clock and speed of a layer as printed."""
    speed = row["speed"]
    return [
        f"{row['clock']['mhz']:.1f}",
        f"{speed['quiet_clocks']} to {speed['full_clocks']}",
        f"{speed['window_clocks']}",
        f"{speed['full_steps_per_s']:,.0f} to {speed['quiet_steps_per_s']:,.0f}",
        f"{speed['operations_per_s'] / 1e6:.0f}",
    ]


def _network_pace(row: dict[str, Any]) -> list[str]:
    """Return clock and speed of a network as printed."""
    speed = row["speed"]
    shown = [f"{row['clock']['mhz']:.1f}"]
    for name, rate in (("learned", "learned_per_s"), ("run", "runs_per_s")):
        clocks = speed[name]["sparse"]
        shown += [f"{clocks:,}", f"{speed[rate]:,.0f}"] if clocks else ["-", "-"]
    return [*shown, f"{speed['operations_per_s'] / 1e6:.0f}"]


def _errors(error: Error) -> str:
    return f"{100 * error.median:.1f} % and {100 * error.worst:.1f} %"
