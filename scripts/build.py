"""``bitlif build``: a bitstream for a board, made with free tools."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.errors import BitlifError, require_int
from bitlif.model.files.weight_file import load_weights
from bitlif.model.gates_section import MAX_WIDTH
from bitlif.model.text import file_name

from .console.configuration import load_layer
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

if TYPE_CHECKING:
    from bitlif.fpga.build_report import BitstreamReport


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "build",
        run,
        "build a bitstream for a board",
        """
        Builds a bitstream with a layer and a serial port. The core's netlist is the one that the
        backend netlist:FAMILY simulates; this is checked cell by cell. Without --mhz, the clock is
        the highest frequency that the placed design meets. Unless told, the widths S and L are the
        fastest that fit the board by estimate; results do not depend on them. A placement takes
        minutes, and each seed is placed for two or more clock frequencies. Tools are taken from the
        variables YOSYS, NEXTPNR_ICE40, ICEPACK, NEXTPNR_ECP5, ECPPACK, NEXTPNR_HIMBAECHEL and
        GOWIN_PACK, else from the PATH, else from the extra `boards`. Exits with status 1 if the
        design does not fit or misses its clock.
        """,
        (
            "bitlif build --list",
            "bitlif build digits --lanes 1 --board icebreaker --out out/icebreaker",
            "bitlif build digits --lanes 1 --synapses 10 --products 5 --board icebreaker",
            "bitlif build digits --board ulx3s-85f --seeds 3",
            "bitlif build tiny --board hx8k --mhz 48 --out out/hx8k --program",
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
    parser.add_argument(
        "--lanes", type=int, metavar="P", help="lanes (default: those of the configuration)"
    )
    parser.add_argument(
        "--synapses", type=int, metavar="S",
        help="weights added per clock cycle (default: those of the configuration, else chosen)",
    )  # fmt: skip
    parser.add_argument(
        "--products", type=int, metavar="L",
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
    config = load_layer(args.config)
    if args.lanes is not None:
        config = config.replace(layer__lanes=args.lanes)
    for name in ("synapses", "products"):
        width = getattr(args, name)
        if width is not None:
            require_int(f"--{name}", width, 1, MAX_WIDTH)
            config = config.replace(**{f"gates__{name}": width})
    board = board_named(args.board)
    seeds = range(1, 1 + require_int("--seeds", args.seeds, 1, 100))
    baud = require_int("--baud", args.baud, 9600, 12_000_000)
    if args.mhz is not None and not 1 <= args.mhz <= 400:
        raise BitlifError(f"--mhz must be 1 to 400, not {args.mhz:g}")
    weights = load_weights(args.weights, config) if args.weights else None
    program = _programmer(board.programmer) if args.program else []
    out = Path(args.out or f"out/build/{file_name(config.name)}-{args.board}")

    from bitlif.fpga.bitstream import BuildRequest, build_in
    from bitlif.fpga.place_and_route import MissesTiming
    from bitlif.fpga.synthesis import DoesNotFit
    from bitlif.fpga.widths import suited_to

    try:
        with OutputFolder(out, "build", force=args.force) as output:
            config = suited_to(config, board, learning=not args.inference)
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
        ("widths", f"P {widths['lanes']}, S {widths['synapses']}, L {widths['products']}"),
        ("clock", f"{clock['mhz']:.3f} MHz, from {clock['reference_mhz']} MHz"),
        ("reached", f"{report.fmax_mhz:.2f} MHz, seed {report.seed}, {margin:+.1f} %"),
        ("line", f"{line['baud']} baud, {line['error_percent']:+.2f} %"),
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
    screen.print(result_table(title, ("", ""), rows))
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


def _large(value: float) -> str:
    """Return a number with a unit prefix."""
    for power, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= power:
            return f"{value / power:.2f} {letter}"
    return f"{value:.0f}"
