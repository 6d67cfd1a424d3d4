"""``bitlif build``: a bitstream for a board, made with free tools."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, load_any_config
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.files.weight_file import load_weights
from bitlif.model.gates_section import MAX_WIDTH
from bitlif.model.text import file_name, quoted

from .console.memories import memory_table
from .console.output_files import OutputFolder
from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    require_gates,
    result_table,
    say,
)
from .support.learnable import warn_unless_learnable

if TYPE_CHECKING:
    from bitlif.fpga.build_report import BitstreamReport


WIDTHS = (("P", "lanes"), ("S", "synapses"), ("L", "products"))
"""Symbols of the widths, and their names in a report."""


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "build",
        run,
        "build a bitstream for a board",
        """
        Builds a bitstream with a layer or a network, and a serial port. The core's netlist is the
        one that the backend netlist:FAMILY simulates; this is checked cell by cell. Without --mhz,
        the clock is the highest frequency that the placed design meets. Unless told, the widths S
        and L are the fastest that fit the board by estimate; results do not depend on them. For a
        network, --lanes and --synapses take one number per layer. A placement takes minutes, and
        each seed is placed for two or more clock frequencies. Tools are taken from the variables
        YOSYS, NEXTPNR_ICE40, ICEPACK, NEXTPNR_ECP5, ECPPACK, NEXTPNR_HIMBAECHEL and GOWIN_PACK,
        else from the PATH, else from the extra `boards`. Exits with status 1 if the design does
        not fit or misses its clock.
        """,
        (
            "bitlif build --list",
            "bitlif build digits --lanes 1 --board icebreaker --out out/icebreaker",
            "bitlif build digits --lanes 1 --synapses 10 --products 5 --board icebreaker",
            "bitlif build digits --board ulx3s-85f --seeds 3",
            "bitlif build tiny --board hx8k --mhz 48 --out out/hx8k --program",
            "bitlif build digits-96 --synapses 96,10 --board ulx3s-85f --mhz 65",
            "bitlif build digits --board ulx3s-85f --inference --weights out/demo/weights.npz",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="TOML file or ready-made name")
    parser.add_argument("--board", metavar="BOARD", help="board to build for (see --list)")
    parser.add_argument(
        "--out", metavar="DIR", help="folder to create (default: out/build/CONFIG-BOARD)"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the folder of an earlier build"
    )
    parser.add_argument("--lanes", metavar="P", help="lanes (default: those of the configuration)")
    parser.add_argument(
        "--synapses", metavar="S",
        help="weights added per clock cycle (default: those of the configuration, else chosen)",
    )  # fmt: skip
    parser.add_argument(
        "--products", metavar="L",
        help="products of the gradient per clock cycle (default: likewise)",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="K", help="placements per frequency (default: 1)"
    )
    parser.add_argument(
        "--mhz",
        type=float,
        metavar="F",
        help="clock in MHz, rounded down to an output of the PLL (default: highest)",
    )
    parser.add_argument(
        "--baud", type=int, default=1_000_000, metavar="B", help="baud rate (default: 1000000)"
    )
    parser.add_argument("--weights", metavar="FILE", help="initial weights (default: zeros)")
    parser.add_argument("--inference", action="store_true", help="omit the learning hardware")
    parser.add_argument("--program", action="store_true", help="load the bitstream into the board")
    parser.add_argument("--list", action="store_true", help="list the boards")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Build, print the report, and program the board if requested."""
    from bitlif.fpga.boards import BOARDS, board_named

    if args.list:
        return _list(args.json)
    require_gates()
    if args.config is None or args.board is None:
        raise BitlifError(
            f"a build needs CONFIG and --board, one of {', '.join(BOARDS)} (see --list)"
        )
    config = _with_widths(load_any_config(args.config), args)
    board = board_named(args.board)
    seeds = range(1, 1 + require_int("--seeds", args.seeds, 1, 100))
    baud = require_int("--baud", args.baud, 9600, 12_000_000)
    if args.mhz is not None and not 1 <= args.mhz <= 400:
        raise BitlifError(f"--mhz must be 1 to 400, not {args.mhz:g}")
    weights = None
    if args.weights:
        if isinstance(config, NetworkConfig):
            raise BitlifError("--weights must not be given with a network, whose host loads them")
        weights = load_weights(args.weights, config)
    if not args.inference:
        warn_unless_learnable(config)
    program = _programmer(board.programmer) if args.program else []
    out = Path(args.out or f"out/build/{file_name(config.name)}-{args.board}")

    from bitlif.fpga.bitstream import BuildRequest, build_in
    from bitlif.fpga.network_widths import any_suited
    from bitlif.fpga.place_and_route import MissesTiming
    from bitlif.fpga.synthesis import DoesNotFit

    try:
        with OutputFolder(out, "build", force=args.force) as output:
            config = any_suited(config, board, learning=not args.inference)
            request = BuildRequest(
                config=config, board=args.board, seeds=seeds, mhz=args.mhz, baud=baud,
                learning=not args.inference, weights=weights,
            )  # fmt: skip
            report = build_in(request, output.folder, notify=_notify)
            output.settle()
    except (DoesNotFit, MissesTiming) as error:
        say(f"bitlif build: {error}")
        return 1
    if args.json:
        print_json({**asdict(report), "folder": str(out)})
    else:
        _print(report, out)
    if program:
        command = [*program, str(Path(out / report.files["bitstream"]).absolute())]
        from bitlif.hdl.export.programs import run_program

        # Its output goes to standard error: it is not part of the result.
        done = run_program(command, out, output=2)
        if done.returncode:
            say(f"bitlif build: {command[0]} failed ({done.returncode})")
            return 1
    return 0


def _with_widths(config: Config | NetworkConfig, args: argparse.Namespace) -> Any:
    """Return a configuration with the widths of the options, one number per layer.

    Raises
    ------
    BitlifError
        If a number of numbers is wrong, or one of them.
    """
    network = isinstance(config, NetworkConfig)
    layers = len(config.layers) if isinstance(config, NetworkConfig) else 1
    fields = {"lanes": "lanes" if network else "layer__lanes"}
    fields |= {name: f"gates__{name}" for name in ("synapses", "products")}
    changes = {}
    for option, path in fields.items():
        given = getattr(args, option)
        if given is None:
            continue
        texts = given.split(",")
        if len(texts) != layers or not all(text.isdecimal() and len(text) < 10 for text in texts):
            what = f"{layers} numbers, one per layer, as in 4,1" if network else "a number"
            raise BitlifError(f"--{option} must be {what}, not {quoted(given)}")
        for number, text in enumerate(texts):
            width = require_int(f"--{option}", int(text), 1, MAX_WIDTH)
            changes[f"layer__{number}__{path}" if network else path] = width
    return config.replace(**changes) if changes else config


def _programmer(command: tuple[str, ...]) -> list[str]:
    """Return the command that loads a bitstream into a board.

    Raises
    ------
    BitlifError
        If the board has no programmer, or it is not installed.
    """
    from bitlif.hdl.export.programs import find_program

    if not command:
        raise BitlifError("--program needs a board with a programmer, which this board lacks")
    loader = find_program(command[0])
    if loader is None:
        raise BitlifError(f"--program needs {command[0]}, which is not on the PATH: install it")
    return [loader, *command[1:]]


def _notify(what: str, seconds: float | None) -> None:
    """Print the name of a stage, then its run time, to standard error."""
    if seconds is None:
        say(f"{what} ...")
    elif seconds >= 1:
        say(f"  {seconds:.0f} s")


def _list(as_json: bool) -> int:
    """Print the boards."""
    from bitlif.fpga.boards import BOARDS
    from bitlif.fpga.families import family_named

    if as_json:
        print_json({
            name: {
                "title": board.title, "device": board.device,
                "backend": family_named(board.family).backend, "limits": dict(board.limits),
                "reference_mhz": board.reference, "programmer": list(board.programmer),
                "note": board.note,
            }
            for name, board in BOARDS.items()
        })  # fmt: skip
        return 0
    rows = [
        (name, board.title, board.device, board.limits["cells"], board.limits["block RAMs"],
         board.limits["multipliers"], family_named(board.family).backend)
        for name, board in BOARDS.items()
    ]  # fmt: skip
    titles = ("", "board", "device", "cells", "BRAM", "mult", "simulated by")
    screen = console()
    screen.print(result_table("boards", titles, rows))
    for name, board in BOARDS.items():
        screen.print(f"{name}: {board.note}")
    return 0


def _print(report: BitstreamReport, out: Path) -> None:
    screen = console()
    what = "learning" if report.learning else "inference only"
    title = f"{report.config} on {report.board} ({report.device}), {what}"
    clock, line, pace = report.clock, report.line, report.pace
    margin = 100 * (report.fmax_mhz / clock["mhz"] - 1)
    rows: list[tuple[Any, ...]] = [
        (kind, f"{use['used']} of {use['available']} ({use['percent']:.0f} %)")
        for kind, use in report.use.items()
    ]
    widths = report.widths
    rows += [
        ("widths", ", ".join(f"{own} {_joined(widths[name])}" for own, name in WIDTHS)),
        ("clock", f"{clock['mhz']:.3f} MHz, from {clock['reference_mhz']} MHz"),
        ("reached", f"{report.fmax_mhz:.2f} MHz, seed {report.seed}, {margin:+.1f} %"),
        ("line", f"{line['baud']} baud, {line['error_percent']:+.2f} %"),
        *_pace_rows(pace),
    ]
    screen.print(result_table(title, ("", ""), rows))
    if report.memories:
        screen.print(memory_table(report.memories))
    placements = [
        (placed["seed"], f"{placed['asked_mhz']:.3f}", f"{placed['fmax_mhz']:.2f}",
         "meets" if placed["meets"] else "misses")
        for placed in report.placements
    ]  # fmt: skip
    titles = ("seed", "clock, MHz", "reached, MHz", "")
    screen.print(result_table("placements", titles, placements))
    hashes = [(name.replace("_", " "), digest) for name, digest in report.hashes.items()]
    screen.print(result_table("files, each made from the previous one", ("", "sha256"), hashes))
    for tool, version in report.tools.items():
        # The compiler options of a tool are only in report.json.
        screen.print(f"{tool}: {version.partition(', Clang')[0]}")
    weights = ", with the given weights" if report.with_weights else ""
    screen.print(f"the core is the netlist that {report.backend} simulates{weights}")
    screen.print(f"written to {out / report.files['bitstream']}")


def _joined(widths: Any) -> str:
    """Return a width, or those of all layers."""
    return ", ".join(map(str, widths)) if isinstance(widths, list) else str(widths)


def _pace_rows(pace: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows about speed: of steps, or for a network of windows."""
    if "run_clocks" in pace:
        rows = [("windows", pace["workload"])]
        if pace["learning"]:
            clocks, rate = pace["learned_clocks"], pace["learned_per_s"]
            rows.append(("learned window", f"{clocks:,.1f} clocks, {_large(rate)}/s"))
        clocks, rate = pace["run_clocks"], pace["runs_per_s"]
        return [*rows, ("window without learning", f"{clocks:,.1f} clocks, {_large(rate)}/s")]
    return [
        ("quiet step", f"{pace['quiet_clocks']} clocks, {_large(pace['quiet_steps_per_s'])}/s"),
        (
            f"step of {pace['workload']}",
            f"{pace['clocks']:.1f} clocks, {_large(pace['steps_per_s'])}/s",
        ),
        (
            "synaptic operations",
            f"{_large(pace['operations_per_s'])}/s of {_large(pace['peak_operations_per_s'])}/s",
        ),
        ("products, at most", f"{_large(pace['peak_products_per_s'])}/s"),
    ]


def _large(value: float) -> str:
    """Return a number with a unit prefix."""
    for power, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= power:
            return f"{value / power:.2f} {letter}"
    return f"{value:.0f}"
