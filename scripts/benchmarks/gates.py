"""``bitlif bench gates``: clock and size of the core on small FPGAs, with free tools."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.gates_section import MAX_WIDTH
from bitlif.model.text import quoted
from bitlif.scripts.console.configuration import load_layer
from bitlif.scripts.console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    result_table,
)

from .gates_rows import Design, Goal, Row, judge, measure

WIDTHS = {"ecp5": ((1, 5, 5), (1, 10, 10)), "up5k": ((1, 10, 5),), "gw1nr9": ((1, 5, 5),)}
"""Default P, S and L by device, limited by the device's multipliers."""

QUICK_WIDTHS = {"ecp5": ((1, 10, 10),), "up5k": ((1, 10, 5),), "gw1nr9": ((1, 5, 5),)}


def add_parser(actions: SubParsers) -> None:
    """Add the parser of the subcommand of ``bitlif bench``."""
    parser = add_command(
        actions,
        "gates",
        run,
        "measure the core's clock and size on small FPGAs",
        """
        Synthesises the layer core, with learning and noise, using Yosys, and places and routes it
        with nextpnr for ECP5-25k (speed grade 6), iCE40 UP5K and, if asked for, Gowin GW1NR-9,
        alone and behind its AXI buses.
        A small harness reduces the number of pins and is included in the sizes. Results are medians
        over the seeds. Each seed takes a minute or more. With several widths, all their
        combinations are measured. Tools are taken from the variables YOSYS, NEXTPNR_ECP5,
        NEXTPNR_ICE40 and NEXTPNR_HIMBAECHEL, else from the PATH, else from the extra `fpga`.
        """,
        (
            "bitlif bench gates --quick",
            "bitlif bench gates --family ecp5 --synapses 5,10 --products 5 --bus none --seeds 1",
            "bitlif bench gates --check --json > gates.json",
        ),
    )
    parser.add_argument(
        "--config", default="digits", metavar="CONFIG", help="configuration (default: digits)"
    )
    parser.add_argument(
        "--family",
        choices=("ecp5", "up5k", "gw1nr9", "both"),
        default="both",
        help="FPGA family (default: both ecp5 and up5k)",
    )
    parser.add_argument(
        "--bus",
        choices=("none", "axi", "both"),
        help="the core alone, behind AXI, or both (default: both; with --quick: none)",
    )
    parser.add_argument("--lanes", metavar="LIST", help="neuron pipelines P as in 1,2 (default: 1)")
    parser.add_argument(
        "--synapses", metavar="LIST", help="weights S per clock cycle (default: chosen by family)"
    )
    parser.add_argument(
        "--products", metavar="LIST", help="products L per clock cycle (default: those of S)"
    )
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="number of seeds for nextpnr (default: 3)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="only one seed, and the best widths of the core alone"
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 if a target is missed"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print; with ``--check``, compare with the targets."""
    config = load_layer(args.config)
    seeds = 1 if args.quick else 3
    if args.seeds is not None:
        seeds = require_int("--seeds", args.seeds, 1, 100)
    bus = args.bus or ("none" if args.quick else "both")
    buses = ("none", "axi") if bus == "both" else (bus,)
    families = ("ecp5", "up5k") if args.family == "both" else (args.family,)
    lists = (args.lanes, args.synapses, args.products)
    chosen = None if lists == (None, None, None) else combined(config, *lists)
    plan = [
        Design(family, bus, *widths)
        for family in families
        for bus in buses
        for widths in chosen or defaults(config, family, quick=args.quick)
    ]
    tools, rows = measure(config, plan, range(1, seeds + 1))
    goals = judge(rows)
    missed = [f"{goal.name}: {goal.unit}" for goal in goals if not goal.met]
    if args.json:
        wanted = [
            {"name": goal.name, "unit": goal.unit, "value": goal.value, "target": goal.target,
             "met": goal.met}
            for goal in goals
        ]  # fmt: skip
        print_json({
            "config": config.name, "tools": tools, "rows": [row.as_json() for row in rows],
            "goals": wanted, "missed": missed,
        })  # fmt: skip
    else:
        _print(config, tools, rows, goals)
    return 1 if args.check and missed else 0


def defaults(config: Config, family: str, *, quick: bool) -> list[tuple[int, int, int]]:
    """Return the default widths of a device, no wider than the layer."""
    most = config.layer.neurons
    chosen = (QUICK_WIDTHS if quick else WIDTHS)[family]
    limited = ((lanes, min(added, most), min(made, most)) for lanes, added, made in chosen)
    return list(dict.fromkeys(limited))


def combined(
    config: Config, lanes: str | None, synapses: str | None, products: str | None
) -> list[tuple[int, int, int]]:
    """Return all combinations of the widths of up to three lists.

    As in a configuration, P is 1, S is P and L is S where no list is given.

    Raises
    ------
    BitlifError
        If a list is none, or the layer cannot have a combination.
    """
    most = config.layer.neurons
    found = []
    for widths in itertools.product(
        [1] if lanes is None else parse_widths("--lanes", lanes, most),
        [0] if synapses is None else parse_widths("--synapses", synapses, MAX_WIDTH),
        [0] if products is None else parse_widths("--products", products, MAX_WIDTH),
    ):
        sizes = gate_sizes(Design("", "none", *widths).configured(config))
        found.append((sizes.lanes, sizes.synapses, sizes.products))
    return list(dict.fromkeys(found))


def parse_widths(option: str, text: str, most: int) -> list[int]:
    """Return the numbers of a list as in ``1,2``.

    Raises
    ------
    BitlifError
        If it is not such a list, or a number is out of range.
    """
    try:
        widths = [int(word) for word in text.split(",")]
    except ValueError:
        widths = []
    if not widths or min(widths) < 1 or max(widths) > most:
        raise BitlifError(
            f"{option} must be numbers from 1 to {most} as in 1,2, not {quoted(text)}"
        )
    return list(dict.fromkeys(widths))


def _print(
    config: Config, tools: dict[str, str], rows: Sequence[Row], goals: Sequence[Goal]
) -> None:
    screen = console()
    sizes, speeds = [], []
    for row in rows:
        own = row.design
        named = (own.family, own.bus, str(own.lanes), str(own.synapses), str(own.products))
        if row.note:
            sizes.append((*named, "no fit", *[""] * 6))
            continue
        sizes.append((
            *named, f"{row.median:.1f}", f"{min(row.mhz):.0f}-{max(row.mhz):.0f}", f"{row.cells}",
            f"{100 * row.cells / row.available:.0f} %", f"{row.flops}", f"{row.multipliers}",
            f"{row.memories}",
        ))  # fmt: skip
        speeds.append((
            *named, f"{row.operations:.0f}", f"{row.per_thousand(row.operations):.1f}",
            f"{row.products:.0f}", f"{row.per_thousand(row.products):.1f}", f"{row.clocks:.1f}",
            f"{row.steps:,.0f}",
        ))  # fmt: skip
    named = ("device", "bus", "P", "S", "L")
    titles: tuple[str, ...] = (
        *named, "MHz", "of seeds", "cells", "of device", "FF", "mult", "BRAM",
    )  # fmt: skip
    screen.print(result_table(f"{config.name}, learning and noise included", titles, sizes))
    if speeds:
        workload = next(row.workload for row in rows if row.workload)
        titles = (*named, "Msyn/s", "per 1,000", "Mprod/s", "per 1,000", "clocks/step", "steps/s")
        screen.print(result_table(f"speed; steps of {workload}", titles, speeds))
    listed = [
        (goal.name, goal.unit, f"{goal.value:.1f}",
         f">= {goal.target:g}{'' if goal.met else ' missed'}")
        for goal in goals
    ]  # fmt: skip
    screen.print(result_table("targets", ("", "", "reached", "target"), listed))
    for row in rows:
        what = row.note or f"slowest {row.path}"
        screen.print(f"{row.design.family}, {row.design.title}: {what}")
    for version in tools.values():
        screen.print(version)
    for line in LEGEND.splitlines():
        screen.print(line)


LEGEND = """\
ecp5: ECP5-25k, speed grade 6, cells are COMB. up5k: iCE40 UP5K, cells are LC with a flip-flop.
gw1nr9: Gowin GW1NR-9C, cells are look-up tables with a flip-flop.
P: neuron pipelines. S: weights added, L: products of the gradient made, in one clock cycle.
MHz: median of the seeds. Msyn/s, Mprod/s: S, L times MHz. per 1,000: cells, harness included.
clocks/step, steps/s: learning steps of the workload, by the formula of clock cycles."""
