"""``bitlif bench estimate``: errors of `bitlif estimate` against real syntheses."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.errors import BitlifError, require_choice, require_int
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
    from bitlif.fpga.measure_area import MeasuredSize

LEAST = {False: 20, True: 4}
"""Minimum number of layers, and of networks, for a fit with cross-validated errors."""

LAYERS, NETWORKS = 24, 4
"""Default numbers of random configurations."""


def add_parser(actions: SubParsers) -> None:
    """Add the subcommand of ``bitlif bench``."""
    parser = add_command(
        actions,
        "estimate",
        run,
        "measure the errors of `bitlif estimate`",
        """
        Synthesises the ready-made and some seeded random configurations, each core with its
        surroundings as in a bitstream, and compares their sizes with estimates that were fitted to
        all other configurations. One configuration takes a minute or two per family, a network
        (--networks) up to ten. Results in --results and those of the package are used again unless
        the core's Verilog has changed, so that a run is resumable.
        """,
        (
            "bitlif bench estimate --family ecp5",
            "bitlif bench estimate --configs 40 --results sizes.json --fit estimate.toml",
            "bitlif bench estimate --fresh --json > estimate.json",
        ),
    )
    parser.add_argument(
        "--family", metavar="FAMILY", default="all", help="one FPGA family (default: all)"
    )
    parser.add_argument("--networks", action="store_true", help="measure networks, not layers")
    parser.add_argument(
        "--configs", type=int, metavar="N",
        help=f"random configurations (default: {LAYERS}, networks: {NETWORKS})",
    )  # fmt: skip
    parser.add_argument("--results", metavar="FILE", help="file of results, read and extended")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    parser.add_argument("--fit", metavar="FILE", help="write coefficients and errors as TOML")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, compare, and write the coefficients if requested."""
    require_gates()
    from bitlif.fpga.families import FAMILIES

    networks = args.networks
    given = (NETWORKS if networks else LAYERS) if args.configs is None else args.configs
    names = names_of(require_int("--configs", given, 0, 1000), networks=networks)
    require_choice("--family", args.family, (*FAMILIES, "all"))
    families = tuple(FAMILIES) if args.family == "all" else (args.family,)
    if args.fit and args.family != "all":
        raise BitlifError(
            f"--fit cannot be combined with --family {args.family}: families are fitted together"
        )
    if args.fit and len(names) < LEAST[networks]:
        raise BitlifError(
            f"--fit needs at least {LEAST[networks]} configurations, not {len(names)}: raise "
            "--configs"
        )
    rows = measure(names, families, args.results, fresh=args.fresh, networks=networks)
    compared = compare(rows, networks=networks)
    if args.fit:
        write_file(Path(args.fit), calibrated(rows, networks=networks))
    if args.json:
        print_json({"families": {family: summary_of(own) for family, own in compared.items()},
                    "rows": compared})  # fmt: skip
    else:
        _print(compared)
    return 0


def names_of(count: int, *, networks: bool) -> list[str]:
    """Return the names of the configurations that are measured, with `count` random ones."""
    from bitlif.fpga import network_samples
    from bitlif.fpga.samples import READY, SKIPPED

    if networks:
        drawn = network_samples.DRAWN
        return [*network_samples.READY, *(f"{drawn}{number}" for number in range(1, count + 1))]
    numbers = [number for number in range(1, count + 1) if number not in SKIPPED]
    return [*READY, *(f"sample-{number}" for number in numbers)]


def calibrated(rows: Sequence[MeasuredSize], *, networks: bool) -> str:
    """Return the text of the calibration that is fitted to measurements."""
    from bitlif.fpga.calibration import calibration_toml
    from bitlif.fpga.estimate import calibration
    from bitlif.fpga.measure_area import stamp_of

    clocks = calibration(networks=networks)["clocks"]
    return calibration_toml(cases_of(rows), clocks, stamp_of(rows), networks=networks)


def measure(
    names: Sequence[str],
    families: Sequence[str],
    results: str | None,
    *,
    fresh: bool,
    networks: bool = False,
) -> list[MeasuredSize]:
    """Return measurements, new ones and earlier ones of the same core.

    Parameters
    ----------
    names : sequence of str
        See `names_of`.
    families : sequence of str
    results : str or None
        File that is read first and rewritten after each measurement. Its rows of other
        configurations and families are kept.
    fresh : bool
        Measure everything again.
    networks : bool
        Whether the configurations are networks.

    Raises
    ------
    BitlifError
        If a tool is missing or fails; the message names its log, whose folder is kept.
    """
    from bitlif.fpga.measure_area import (
        any_verilog,
        configuration,
        hash_of,
        read_sizes,
        recorded_sizes,
        write_sizes,
    )
    from bitlif.fpga.measure_area import measure as size

    path = Path(results) if results else None
    known = [] if fresh else recorded_sizes(networks=networks)
    earlier: list[MeasuredSize] = []
    if path and os.path.lexists(path):
        earlier = read_sizes(read_text("results", path))
        known += [] if fresh else earlier
    found = {(row.name, row.family, row.core_hash): row for row in known}
    folder = Path(tempfile.mkdtemp(prefix="bitlif-estimate-"))
    rows: list[MeasuredSize] = []
    with progress_bars() as bars:
        bar = bars.add_task("synthesising", total=len(names) * len(families))
        for name in names:
            config, learning = configuration(name)
            text = any_verilog(config, learning=learning)
            for family in families:
                bars.update(bar, description=f"synthesising {name} for {family}")
                row = found.get((name, family, hash_of(text)))
                rows.append(row or size(name, family, text, folder / f"{name}-{family}"))
                if path:
                    done = {(own.name, own.family) for own in rows}
                    kept = [own for own in earlier if (own.name, own.family) not in done]
                    write_file(path, write_sizes(rows + kept))
                bars.update(bar, advance=1)
    shutil.rmtree(folder, ignore_errors=True)
    return rows


def cases_of(rows: Sequence[MeasuredSize]) -> list[Any]:
    """Return measurements with the features that their estimates are made of."""
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


def compare(
    rows: Sequence[MeasuredSize], *, networks: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Return, by family, real sizes and estimates that were fitted to the other configurations."""
    from bitlif.fpga.calibration import cross_validated

    found: dict[str, list[dict[str, Any]]] = {}
    for case, own in cross_validated(cases_of(rows), networks=networks):
        found.setdefault(case.family, []).append(
            {"name": case.name, "real": case.real.total, "estimate": own.total,
             "core": {"real": case.real.core, "estimate": own.core}}
        )  # fmt: skip
    return found


def summary_of(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the errors of a family's rows, by kind of resource."""
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
Core and surroundings together. The coefficients of each estimate were fitted to all other
configurations."""
