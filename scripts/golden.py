"""``bitlif golden``: write inputs and all values of a run as text, for other implementations."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.config.network import NetworkConfig, load_any_config
from bitlif.model.storage.ownership import GOLDEN

from .console.output_files import OutputFolder, require_place
from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
)
from .support.stimuli import (
    HELP,
    TRAINED,
    add_stimuli,
    check_conformance,
    check_numbers,
    chosen_network_work,
    chosen_work,
    given_stimuli,
)

if TYPE_CHECKING:
    from bitlif.sim.compare.expected import Expected
    from bitlif.tasks.scenario import Work

MAX_WINDOWS = 10_000
WINDOWS = 3

SMALL = 20_000
"""A network with fewer synapses times steps is not compiled, which would take longer."""


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
        checks folders without bitlif. --conformance writes a fixed set of small configurations
        that together notice common mistakes of an implementation. CONFIG can be a network; the set
        then has the values of every layer and of the backward sweep.
        {HELP}""",
        (
            "bitlif golden tiny -o tiny-golden",
            "bitlif golden digits --windows 5 --seed 7 -o digits-golden --json",
            "bitlif golden tiny --inference -o tiny-golden --force",
            "bitlif golden --conformance -o conformance",
            (
                f"{TRAINED} && bitlif golden tiny --weights tiny-run/weights.npz "
                "--spikes tiny-run/spikes.npz -o own-golden --force"
            ),
        ),
    )
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="TOML file or ready-made name")
    parser.add_argument("-o", "--out", metavar="DIR", required=True, help="folder to write")
    add_stimuli(parser, WINDOWS)
    parser.add_argument("--inference", action="store_true", help="without learning")
    parser.add_argument(
        "--conformance",
        action="store_true",
        help="write the conformance set, one folder for each of its configurations, "
        "and nothing else",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace an existing folder of golden vectors"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the model, write the folder and report what it contains."""
    check_numbers(args, MAX_WINDOWS)
    check_conformance(args, ("inference",))
    if args.conformance:
        return _write_conformance(args)
    require_place("--out", Path(args.out), GOLDEN, force=args.force)
    config = load_any_config(args.config)
    if isinstance(config, NetworkConfig):
        return _write_network(args, config)
    from bitlif.sim.compare.expected import compute_expected

    work = chosen_work(args, config, windows=WINDOWS, most=MAX_WINDOWS, learning=not args.inference)
    given = given_stimuli(args)

    with OutputFolder(Path(args.out), GOLDEN, force=args.force) as out:
        expected = compute_expected(work)
        report = out.write(lambda folder: _write(work, expected, folder, given))
    return _tell(args, report)


def _tell(args: argparse.Namespace, report: dict[str, Any]) -> int:
    report["written"] = args.out
    if args.json:
        print_json(report)
    else:
        console().print(_sentence(report))
        console().print(f"written to {args.out}")
    return 0


def _write_network(args: argparse.Namespace, network: NetworkConfig) -> int:
    """Write the golden set of a network, and report it."""
    from bitlif.sim.compare.network_expected import compute_network_expected
    from bitlif.sim.compare.network_golden import write_network_golden

    work = chosen_network_work(
        args, network, windows=WINDOWS, most=MAX_WINDOWS, learning=not args.inference
    )
    given = given_stimuli(args)
    with OutputFolder(Path(args.out), GOLDEN, force=args.force) as out:
        with progress_bars() as bars:
            bar = bars.add_task("windows", total=work.events.windows)
            steps = work.events.windows * work.events.steps
            expected = compute_network_expected(
                work, interpreted=steps * sum(own.size for own in work.weights) < SMALL,
                progress=lambda: bars.update(bar, advance=1),
            )  # fmt: skip

        def fill(folder: Path) -> dict[str, Any]:
            manifest = write_network_golden(work, expected, folder, given)
            learns, signature = work.learns, int(expected.signature[-1])
            return _facts(manifest, folder, learns=learns, signature=signature)

        report = out.write(fill)
    return _tell(args, report)


def _write_conformance(args: argparse.Namespace) -> int:
    """Write the golden sets of all conformance configurations, and report them."""
    from bitlif.sim.compare.conformance import conformance_works
    from bitlif.sim.compare.expected import compute_expected

    with (
        OutputFolder(Path(args.out), "conformance", force=args.force) as out,
        progress_bars() as bars,
    ):
        works = dict(conformance_works())
        bar = bars.add_task("", total=len(works))
        expected = {}
        for name, work in works.items():
            bars.update(bar, description=name)
            # So small that compiling the engine for each of them would take longer.
            expected[name] = compute_expected(work, interpreted=True)
            bars.update(bar, advance=1)

        def fill(folder: Path) -> dict[str, dict[str, Any]]:
            reports = {}
            for name, work in works.items():
                (folder / name).mkdir()
                reports[name] = _write(work, expected[name], folder / name, ())
            return reports

        reports = out.write(fill)
    if args.json:
        print_json({"sets": reports, "written": args.out})
    else:
        for report in reports.values():
            console().print(_sentence(report))
        console().print(f"written to {args.out}")
    return 0


def _write(work: Work, expected: Expected, folder: Path, given: Sequence[str]) -> dict[str, Any]:
    """Write a golden set to a folder, and return the report."""
    from bitlif.sim.compare.golden import write_golden

    manifest = write_golden(work, expected, folder, given)
    signature = int(expected.observed["signature"][-1, 0])
    return _facts(manifest, folder, learns=work.learns, signature=signature)


def _facts(
    manifest: dict[str, Any], folder: Path, *, learns: bool, signature: int
) -> dict[str, Any]:
    """Return the report on a set that has been written."""
    run = manifest["run"]
    return {
        "config": manifest["config"]["name"],
        "hash": manifest["config"]["hash"],
        "windows": run["windows"],
        "seed": run["seed"],
        **({"given": run["given"]} if "given" in run else {}),
        "learns": learns,
        "arrays": len(manifest["arrays"]),
        "values": sum(math.prod(array["shape"]) for array in manifest["arrays"]),
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "signature": signature,
    }


def _sentence(report: dict[str, Any]) -> str:
    return (
        f"{report['config']}: {report['windows']} windows, {report['values']:,} values in "
        f"{report['arrays']} arrays, {report['bytes']:,} bytes, "
        f"signature {report['signature']:#010x}"
    )
