"""``bitlif build``: the layer as a bitstream for a board, with free tools."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.files.weight_file import load_weights
from bitlif.model.text import file_name

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
    from bitlif.fpga.bitstream import BitstreamReport


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "build",
        run,
        "build a bitstream for a board",
        """
        Build the layer of a configuration, behind a serial line, as a bitstream for a board: the
        core's netlist is the very one that the backend netlist:FAMILY simulates, which is checked
        cell by cell. The clock is the highest that the placed design meets, unless --mhz says
        otherwise. A placement takes minutes; each seed is placed at two clocks or more. Tools:
        those that YOSYS, NEXTPNR_ICE40, ICEPACK, NEXTPNR_ECP5 and ECPPACK name, else those on the
        PATH, else those of the extra `boards`. Exit code 1: the design does not fit, or misses
        its clock.
        """,
        (
            "bitlif build --list",
            "bitlif build digits --lanes 1 --board icebreaker --out out/icebreaker",
            "bitlif build digits --board ulx3s-85f --seeds 3",
            "bitlif build tiny --board hx8k --mhz 48 --out out/hx8k --program",
            "bitlif build digits --board ulx3s-85f --inference --weights out/demo/weights.npz",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="TOML file or ready-made name")
    parser.add_argument("--board", metavar="BOARD", help="see --list")
    parser.add_argument(
        "--out", metavar="DIR", help="folder to make (default: out/build/CONFIG-BOARD)"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a folder that an earlier build made"
    )
    parser.add_argument(
        "--lanes", type=int, metavar="P", help="lanes, if not those of the configuration"
    )
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="K", help="placements at a clock (default: 1)"
    )
    parser.add_argument(
        "--mhz", type=float, metavar="F", help="clock, or the PLL's next lower (default: highest)"
    )
    parser.add_argument(
        "--baud", type=int, default=1_000_000, metavar="B", help="of the line (default: 1000000)"
    )
    parser.add_argument("--weights", metavar="FILE", help="weights to begin with (default: zeros)")
    parser.add_argument("--inference", action="store_true", help="without learning hardware")
    parser.add_argument("--program", action="store_true", help="load it into the board afterwards")
    parser.add_argument("--list", action="store_true", help="list the boards")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Build, print, and program if asked to."""
    from bitlif.fpga.boards import BOARDS, board_named

    if args.list:
        return _list(args.json)
    require_gates()
    if args.config is None or args.board is None:
        raise BitlifError(
            f"a build needs CONFIG and --board, one of {', '.join(BOARDS)} (bitlif build --list)"
        )
    config = Config.load(args.config)
    if args.lanes is not None:
        config = config.replace(layer__lanes=args.lanes)
    board = board_named(args.board)
    seeds = range(1, 1 + require_int("--seeds", args.seeds, 1, 100))
    baud = require_int("--baud", args.baud, 9600, 12_000_000)
    if args.mhz is not None and not 1 <= args.mhz <= 400:
        raise BitlifError(f"--mhz must be 1 to 400, not {args.mhz:g}")
    weights = load_weights(args.weights, config) if args.weights else None
    program = _programmer(board.programmer) if args.program else []
    out = Path(args.out or f"out/build/{file_name(config.name)}-{args.board}")

    from bitlif.fpga.bitstream import build_in
    from bitlif.fpga.place_and_route import MissesTiming
    from bitlif.fpga.synthesis import DoesNotFit

    try:
        with OutputFolder(out, "build", force=args.force) as made:
            report = build_in(
                made.folder, config, args.board, seeds=seeds, mhz=args.mhz, baud=baud,
                learning=not args.inference, weights=weights, tell=_tell,
            )  # fmt: skip
            made.settle()
    except (DoesNotFit, MissesTiming) as error:
        say(f"bitlif build: {error}")
        return 1
    if args.json:
        print_json({**asdict(report), "folder": str(out)})
    else:
        _print(report, out)
    if program:
        call = [*program, str(Path(out / report.files["bitstream"]).absolute())]
        from bitlif.hdl.export.programs import run_program

        # What it says is no result: it goes to standard error.
        done = run_program(call, out, output=2)
        if done.returncode:
            say(f"bitlif build: {call[0]} failed ({done.returncode})")
            return 1
    return 0


def _programmer(command: tuple[str, ...]) -> list[str]:
    """Return the command that loads a bitstream.

    Raises
    ------
    BitlifError
        If there is no such program, before anything is built.
    """
    from bitlif.hdl.export.programs import find_program

    found = find_program(command[0])
    if found is None:
        raise BitlifError(f"--program needs {command[0]}, which is not on the PATH: install it")
    return [found, *command[1:]]


def _tell(what: str, seconds: float | None) -> None:
    """Say on standard error what begins, and how long it took."""
    if seconds is None:
        say(f"{what} ...")
    elif seconds >= 1:
        say(f"  {seconds:.0f} s")


def _list(as_json: bool) -> int:
    """Print the boards."""
    from bitlif.fpga.boards import BOARDS

    if as_json:
        print_json({
            name: {
                "title": board.title, "device": board.device,
                "backend": f"netlist:{board.family}", "limits": dict(board.limits),
                "reference_mhz": board.reference, "programmer": list(board.programmer),
                "note": board.note,
            }
            for name, board in BOARDS.items()
        })  # fmt: skip
        return 0
    rows = [
        (name, board.title, board.device, board.limits["cells"], board.limits["block RAMs"],
         board.limits["multipliers"], f"netlist:{board.family}")
        for name, board in BOARDS.items()
    ]  # fmt: skip
    titles = ("", "board", "device", "cells", "BRAM", "mult", "the core simulates as")
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
    rows += [
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
    ]
    screen.print(result_table(title, ("", ""), rows))
    placements = [
        (own["seed"], f"{own['asked_mhz']:.3f}", f"{own['fmax_mhz']:.2f}",
         "meets" if own["meets"] else "misses")
        for own in report.placements
    ]  # fmt: skip
    titles = ("seed", "clock, MHz", "reached, MHz", "")
    screen.print(result_table("placements", titles, placements))
    hashes = [(name.replace("_", " "), digest) for name, digest in report.hashes.items()]
    screen.print(result_table("made one of the other", ("", "sha256"), hashes))
    for tool, version in report.tools.items():
        # What a compiler was called with is in report.json.
        screen.print(f"{tool}: {version.partition(', Clang')[0]}")
    begins = ", with the weights given" if report.with_weights else ""
    screen.print(f"the core is the netlist that {report.backend} simulates{begins}")
    screen.print(f"written to {out / report.files['bitstream']}")


def _large(value: float) -> str:
    """Return a number in short."""
    for power, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= power:
            return f"{value / power:.2f} {letter}"
    return f"{value:.0f}"
