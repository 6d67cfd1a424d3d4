"""``bitlif golden``: write inputs and all values of a run as text, for other implementations."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.storage.ownership import GOLDEN

from .console.output_files import OutputFolder, require_place
from .console.terminal import SubParsers, add_command, add_json, console, print_json
from .support.stimuli import (
    HELP,
    SPIKES,
    TRAINED,
    add_stimuli,
    check_numbers,
    chosen_work,
    given_stimuli,
)

MAX_WINDOWS = 10_000
WINDOWS = 3


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "golden",
        run,
        "write golden vectors: inputs and every value, as text",
        f"""
        Runs the integer model over a few windows (the same as `bitlif verify` with equal options)
        and writes the inputs, the configuration with its derived integers, and every value of
        every step. Each array is a file of decimal text; manifest.json describes them.
        docs/golden.md in the sources documents the format, and docs/golden_reader.py reads and
        checks a folder without bitlif.
        {HELP}""",
        (
            "bitlif golden tiny -o tiny-golden",
            "bitlif golden digits --windows 5 --seed 7 -o digits-golden --json",
            "bitlif golden tiny --inference -o tiny-golden --force",
            f"{SPIKES} && bitlif golden tiny --spikes own.aer -o own-golden",
            (
                f"{TRAINED} && bitlif golden tiny --weights tiny-run/weights.npz "
                "--spikes tiny-run/spikes.npz -o own-golden --force"
            ),
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("-o", "--out", metavar="DIR", required=True, help="folder to write")
    add_stimuli(parser, WINDOWS)
    parser.add_argument("--inference", action="store_true", help="without learning")
    parser.add_argument(
        "--force", action="store_true", help="replace an existing folder of golden vectors"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the model, write the folder and report what it contains."""
    check_numbers(args, MAX_WINDOWS)
    require_place("--out", Path(args.out), GOLDEN, force=args.force)
    config = Config.load(args.config)
    from bitlif.sim.compare.expected import compute_expected
    from bitlif.sim.compare.golden import write_golden

    work = chosen_work(args, config, windows=WINDOWS, most=MAX_WINDOWS, learning=not args.inference)
    windows, given = work.events.windows, given_stimuli(args)

    def fill(folder: Path) -> tuple[dict[str, Any], int]:
        manifest = write_golden(work, expected, folder, given)
        return manifest, sum(file.stat().st_size for file in folder.iterdir())

    with OutputFolder(Path(args.out), GOLDEN, force=args.force) as out:
        expected = compute_expected(work)
        manifest, size = out.write(fill)
    report = {
        "config": config.name,
        "hash": manifest["config"]["hash"],
        "windows": windows,
        "seed": args.seed,
        **({"given": list(given)} if given else {}),
        "learns": work.learns,
        "arrays": len(manifest["arrays"]),
        "values": sum(math.prod(array["shape"]) for array in manifest["arrays"]),
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
