"""``bitlif bench estimate``: what `bitlif estimate` says against what synthesis makes."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.errors import BitlifError, require_int
from bitlif.model.storage.atomic import write_file
from bitlif.model.storage.reading import read_text
from bitlif.scripts.console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    require_gates,
    result_table,
)

if TYPE_CHECKING:
    from bitlif.fpga.measure_area import Sized

LEAST = 20
"""Configurations that a fit needs: its errors are of one each time that it has not seen."""


def add_parser(actions: SubParsers) -> None:
    """Add the subcommand of ``bitlif bench``."""
    parser = add_command(
        actions,
        "estimate",
        run,
        "measure how far off `bitlif estimate` is",
        """
        Synthesises seeded configurations of all kinds, and the ready-made ones, as a bitstream
        would be, core and surroundings, and compares their sizes with estimates whose coefficients
        were fitted to all the other configurations. Takes a minute or two for a configuration and
        family. Results that are kept in --results, or came with the package, are not measured
        again unless the core's Verilog has changed.
        """,
        (
            "bitlif bench estimate --family ecp5",
            "bitlif bench estimate --configs 40 --results sizes.json --fit estimate.toml",
            "bitlif bench estimate --fresh --json > estimate.json",
        ),
    )
    parser.add_argument("--family", choices=("ice40", "ice40hx", "ecp5", "all"), default="all")
    parser.add_argument(
        "--configs", type=int, default=24, metavar="N", help="seeded ones (default: 24)"
    )
    parser.add_argument("--results", metavar="FILE", help="read and keep what was measured here")
    parser.add_argument("--fresh", action="store_true", help="use no results from before")
    parser.add_argument("--fit", metavar="FILE", help="write coefficients and errors as TOML")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, compare, and write the coefficients if asked to."""
    require_gates()
    from bitlif.fpga.estimate import kept
    from bitlif.fpga.yosys_mapping import FAMILIES

    count = require_int("--configs", args.configs, 0, 1000)
    families = FAMILIES if args.family == "all" else (args.family,)
    if args.fit and args.family != "all":
        raise BitlifError(
            f"--fit must be without --family {args.family}: families are fitted as one"
        )
    rows = measure(count, families, args.results, fresh=args.fresh)
    compared = compare(rows)
    if args.fit:
        from bitlif.fpga.calibration import fitted_toml

        for family in families:
            if len(compared[family]) < LEAST:
                raise BitlifError(
                    f"--fit needs at least {LEAST} configurations a family, not "
                    f"{len(compared[family])}: raise --configs"
                )
        write_file(Path(args.fit), fitted_toml(cases_of(rows), kept()["clocks"]))
    if args.json:
        print_json({"families": {family: summary_of(own) for family, own in compared.items()},
                    "rows": compared})  # fmt: skip
    else:
        _print(compared)
    return 0


def measure(
    count: int, families: Sequence[str], results: str | None, *, fresh: bool
) -> list[Sized]:
    """Return what was measured, now or before; keep it in the file `results`, row by row.

    Raises
    ------
    BitlifError
        If a tool is missing or fails; the folder with its log is kept then.
    """
    from bitlif.fpga.measure_area import configuration, hash_of, kept_sizes, read_sizes, write_sizes
    from bitlif.fpga.measure_area import measure as size
    from bitlif.fpga.samples import READY
    from bitlif.hdl.export.verilog import core_verilog

    path = Path(results) if results else None
    known = [] if fresh else kept_sizes()
    if path and os.path.lexists(path) and not fresh:
        known += read_sizes(read_text("results", path))
    found = {(row.name, row.family, row.core_hash): row for row in known}
    names = [*READY, *(f"sample-{number}" for number in range(1, count + 1))]
    folder = Path(tempfile.mkdtemp(prefix="bitlif-estimate-"))
    rows: list[Sized] = []
    with progress_bars() as bars:
        bar = bars.add_task("synthesising", total=len(names) * len(families))
        for name in names:
            config, learning = configuration(name)
            text = core_verilog(config, learning=learning)
            for family in families:
                bars.update(bar, description=f"synthesising {name} for {family}")
                row = found.get((name, family, hash_of(text)))
                rows.append(row or size(name, family, text, folder / f"{name}-{family}"))
                if path:
                    write_file(path, write_sizes(rows))
                bars.update(bar, advance=1)
    shutil.rmtree(folder, ignore_errors=True)
    return rows


def cases_of(rows: Sequence[Sized]) -> list[Any]:
    """Return measured configurations with what they are estimated from."""
    from bitlif.fpga.calibration import Case
    from bitlif.fpga.estimate import features
    from bitlif.fpga.measure_area import configuration

    return [
        Case(
            row.name, row.family,
            features(configuration(row.name)[0], row.family, learning=row.learning), row.sizes,
        )
        for row in rows
    ]  # fmt: skip


def compare(rows: Sequence[Sized]) -> dict[str, list[dict[str, Any]]]:
    """Return, by family, real sizes beside estimates that were fitted to all other rows."""
    from bitlif.fpga.calibration import judged

    found: dict[str, list[dict[str, Any]]] = {}
    for case, own in judged(cases_of(rows)):
        found.setdefault(case.family, []).append(
            {"name": case.name, "real": case.real.total, "estimate": own.total,
             "core": {"real": case.real.core, "estimate": own.core}}
        )  # fmt: skip
    return found


def summary_of(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the errors of a family's rows by kind of resource."""
    from bitlif.fpga.estimate import Error, relative

    return {
        kind: asdict(Error.of([relative(row["estimate"][kind], row["real"][kind]) for row in rows]))
        for kind in rows[0]["real"]
    }


def _print(compared: dict[str, list[dict[str, Any]]]) -> None:
    screen = console()
    for family, rows in compared.items():
        kinds = list(rows[0]["real"])
        listed = [
            (row["name"], *(f"{row['estimate'][kind]} / {row['real'][kind]}" for kind in kinds))
            for row in rows
        ]
        for title, place in (("median error", "median"), ("worst error", "worst")):
            found = summary_of(rows)
            listed.append((title, *(f"{100 * found[kind][place]:.1f} %" for kind in kinds)))
        screen.print(result_table(f"{family}: estimate / real", ("", *kinds), listed))
    for line in LEGEND.splitlines():
        screen.print(line)


LEGEND = """\
Core and surroundings together. Every estimate is by coefficients that were fitted to all other
configurations; errors are of those."""
