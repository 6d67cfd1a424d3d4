"""``bitlif golden``: a run's inputs and all its values as text, for implementations elsewhere."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.errors import require_int
from bitlif.model.storage.ownership import GOLDEN

from .console.output_files import OutputFolder, require_place
from .console.terminal import SubParsers, add_command, add_json, console, print_json

MAX_WINDOWS = 10_000


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "golden",
        run,
        "write golden vectors: inputs and every value, as text",
        """
        Runs the integer model over windows of random spikes, weights and targets (those of
        `bitlif verify` with the same --windows and --seed) and writes the inputs, the
        configuration with the integers that follow from it, and every value of every step: plain
        decimal text, one file an array, and a manifest.json that says what each is. docs/golden.md
        in the sources documents the form; docs/golden_reader.py there reads and checks a folder
        without bitlif.
        """,
        (
            "bitlif golden tiny -o tiny-golden",
            "bitlif golden digits --windows 5 --seed 7 -o digits-golden --json",
            "bitlif golden tiny --inference -o tiny-golden --force",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("-o", "--out", metavar="DIR", required=True, help="folder to write")
    parser.add_argument("--windows", type=int, default=3, help="windows to run (default: 3)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of spikes, weights and targets (default: 0)"
    )
    parser.add_argument("--inference", action="store_true", help="without learning")
    parser.add_argument("--force", action="store_true", help="replace an earlier folder")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the model, write the folder, say what it holds."""
    windows = require_int("--windows", args.windows, 1, MAX_WINDOWS)
    seed = require_int("--seed", args.seed, 0, (1 << 31) - 1)
    require_place("--out", Path(args.out), GOLDEN, force=args.force)
    config = Config.load(args.config)
    from bitlif.sim.compare.expected import expect
    from bitlif.sim.compare.golden import write_golden
    from bitlif.tasks.stimulus import random_work

    work = random_work(config, seed, windows)
    if args.inference:
        work = replace(work, learning=False, learn=False)

    def fill(folder: Path) -> tuple[dict[str, Any], int]:
        told = write_golden(work, expected, folder)
        return told, sum(file.stat().st_size for file in folder.iterdir())

    with OutputFolder(Path(args.out), GOLDEN, force=args.force) as out:
        expected = expect(work)
        told, size = out.write(fill)
    report = {
        "config": config.name,
        "hash": told["config"]["hash"],
        "windows": windows,
        "seed": seed,
        "learns": work.learns,
        "arrays": len(told["arrays"]),
        "values": sum(math.prod(array["shape"]) for array in told["arrays"]),
        "bytes": size,
        "signature": int(expected.observed["signature"][-1, 0]),
        "written": args.out,
    }
    if args.json:
        print_json(report)
    else:
        screen = console()
        screen.print(
            f"{config.name}: {windows} windows, {report['values']:,} values in "
            f"{report['arrays']} arrays, {size:,} bytes, signature {report['signature']:#010x}"
        )
        screen.print(f"written to {args.out}")
    return 0
