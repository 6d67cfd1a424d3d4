"""``bitlif bench gates``: clock and size of the core on small FPGAs, with free tools."""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.text import quoted
from bitlif.scripts.console.configuration import load_layer
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
    from rich.progress import Progress, TaskID

LANES = {"ecp5": (1, 2, 3, 4), "up5k": (1,)}
"""Default numbers of lanes by family, limited by the device's multipliers."""

QUICK_LANES = {"ecp5": (3,), "up5k": (1,)}

ECP5_MHZ, ECP5_RATE, UP5K_MHZ = 80.0, 60.0, 24.0
"""Targets: MHz of every core on ECP5, best rate on ECP5, and best MHz on UP5K."""


@dataclass(frozen=True, slots=True)
class Row:
    """Measurements of a core on a device.

    Attributes
    ----------
    family : str
    lanes : int
    mhz : tuple of float
        Clock for each seed; empty if the core does not fit.
    cells, flops, multipliers, memories : int
        Of the placement with the median clock, including the harness.
    available : int
        Logic cells of the device.
    path : str
        The slowest path of the median seed.
    note : str
        The reason why nothing was measured.
    """

    family: str
    lanes: int
    mhz: tuple[float, ...] = ()
    cells: int = 0
    flops: int = 0
    multipliers: int = 0
    memories: int = 0
    available: int = 0
    path: str = ""
    note: str = ""

    @property
    def median(self) -> float:
        """Median clock in MHz; 0 if the core does not fit."""
        return statistics.median_low(self.mhz) if self.mhz else 0.0

    @property
    def operations(self) -> float:
        """Million synaptic operations/s: one per lane and clock cycle."""
        return self.lanes * self.median

    @property
    def rate(self) -> float:
        """Million synaptic operations/s per 1,000 logic cells."""
        return 1000 * self.operations / self.cells if self.cells else 0.0


@dataclass(frozen=True, slots=True)
class Goal:
    """A target and the value that was reached."""

    name: str
    unit: str
    value: float
    target: float

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.value >= self.target


def add_parser(actions: SubParsers) -> None:
    """Add the parser of the subcommand of ``bitlif bench``."""
    parser = add_command(
        actions,
        "gates",
        run,
        "measure the core's clock and size on small FPGAs",
        """
        Synthesises the layer core, with learning and noise, using Yosys, and places and routes it
        with nextpnr for ECP5-25k (speed grade 6) and iCE40 UP5K. A small harness reduces the number
        of pins and is included in the sizes. Results are medians over the seeds. Each seed takes a
        minute or more. Tools are taken from the variables YOSYS, NEXTPNR_ECP5 and NEXTPNR_ICE40,
        else from the PATH, else from the extra `fpga`.
        """,
        (
            "bitlif bench gates --quick",
            "bitlif bench gates --family ecp5 --lanes 2,3 --seeds 1",
            "bitlif bench gates --check --json > gates.json",
        ),
    )
    parser.add_argument(
        "--config", default="digits", metavar="CONFIG", help="configuration (default: digits)"
    )
    parser.add_argument(
        "--family",
        choices=("ecp5", "up5k", "both"),
        default="both",
        help="FPGA family (default: both)",
    )
    parser.add_argument(
        "--lanes", metavar="LIST", help="numbers of lanes (default: 1,2,3,4 on ECP5, 1 on UP5K)"
    )
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="number of seeds for nextpnr (default: 3)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="only one seed and the best number of lanes"
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 if a target is missed"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print; with ``--check``, compare with the targets."""
    config = load_layer(args.config)
    families = ("ecp5", "up5k") if args.family == "both" else (args.family,)
    defaults = QUICK_LANES if args.quick else LANES
    chosen = None if args.lanes is None else parse_lanes(args.lanes, config)
    seeds = 1 if args.quick else 3
    if args.seeds is not None:
        seeds = require_int("--seeds", args.seeds, 1, 100)
    plan = [
        (family, lanes)
        for family in families
        for lanes in chosen or [own for own in defaults[family] if own <= config.layer.neurons]
    ]
    tools, rows = measure(config, plan, range(1, seeds + 1))
    goals = judge(rows)
    missed = [goal.name for goal in goals if not goal.met]
    if args.json:
        listed: list[dict[str, Any]] = [
            {
                **asdict(row),
                "median": row.median,
                "synaptic_m_per_s": row.operations,
                "synaptic_m_per_s_per_1000_cells": row.rate,
            }
            for row in rows
        ]
        wanted = [{**asdict(goal), "met": goal.met} for goal in goals]
        print_json({
            "config": config.name, "tools": tools, "rows": listed, "goals": wanted,
            "missed": missed,
        })  # fmt: skip
    else:
        _print(config, tools, rows, goals)
    return 1 if args.check and missed else 0


def parse_lanes(text: str, config: Config) -> list[int]:
    """Return the numbers of a list as in ``1,2``.

    Raises
    ------
    BitlifError
        If it is not such a list, or a number of lanes is out of range.
    """
    try:
        lanes = [int(word) for word in text.split(",")]
    except ValueError:
        lanes = []
    most = config.layer.neurons
    if not lanes or min(lanes) < 1 or max(lanes) > most:
        raise BitlifError(f"--lanes must be numbers from 1 to {most} as in 1,2, not {quoted(text)}")
    return list(dict.fromkeys(lanes))


def measure(
    config: Config, plan: Sequence[tuple[str, int]], seeds: Sequence[int]
) -> tuple[dict[str, str], list[Row]]:
    """Return the tools' versions, and a row for each family and number of lanes of `plan`.

    Raises
    ------
    BitlifError
        If a tool is missing or fails; the folder with its log is kept then.
    """
    require_gates()
    from bitlif.fpga.families import family_of_device
    from bitlif.fpga.tools import tool_version

    needed = (
        "yosys",
        *dict.fromkeys(family_of_device(family).toolchain.placer for family, _ in plan),
    )
    tools = {name: tool_version(name) for name in needed}
    folder = Path(tempfile.mkdtemp(prefix="bitlif-gates-"))
    rows = []
    with progress_bars() as bars:
        bar = bars.add_task("synthesising", total=len(plan) * (1 + len(seeds)))
        for family, lanes in plan:
            own = folder / f"{family}-{lanes}"
            rows.append(_row(config.replace(layer__lanes=lanes), family, seeds, own, bars, bar))
    shutil.rmtree(folder, ignore_errors=True)
    return tools, rows


def _row(
    config: Config, name: str, seeds: Sequence[int], folder: Path, bars: Progress, bar: TaskID
) -> Row:
    """Synthesise one core, and place it with each seed."""
    from bitlif.fpga.families import family_of_device
    from bitlif.fpga.synthesis import DoesNotFit, place, synthesise

    family, lanes = family_of_device(name), config.layer.lanes
    title = f"{family.device.title}, lanes {lanes}"
    bars.update(bar, description=f"synthesising {title}")
    synthesise(config, family, folder)
    bars.update(bar, advance=1)
    placed = []
    for number, seed in enumerate(seeds):
        bars.update(bar, description=f"placing {title}, seed {seed}")
        try:
            placed.append(place(folder, family, seed))
        except DoesNotFit as error:
            bars.update(bar, advance=len(seeds) - number)
            return Row(name, lanes, note=str(error))
        bars.update(bar, advance=1)
    clocks = tuple(own.mhz for own in placed)
    median = placed[clocks.index(statistics.median_low(clocks))]
    return Row(
        name, lanes, clocks, median.cells, median.flops, median.multipliers, median.memories,
        median.available, median.path,
    )  # fmt: skip


def judge(rows: Sequence[Row]) -> list[Goal]:
    """Return the targets and the values that were reached."""
    goals = []
    ecp5 = [row for row in rows if row.family == "ecp5"]
    up5k = [row for row in rows if row.family == "up5k"]
    if ecp5:
        best = max(ecp5, key=lambda row: row.rate)
        goals += [
            Goal("ECP5-25k, slowest", "MHz", min(row.median for row in ecp5), ECP5_MHZ),
            Goal(f"ECP5-25k, lanes {best.lanes}", "Msyn/s per 1,000 COMB", best.rate, ECP5_RATE),
        ]
    if up5k:
        fastest = max(up5k, key=lambda row: row.median)
        goals.append(Goal(f"UP5K, lanes {fastest.lanes}", "MHz", fastest.median, UP5K_MHZ))
    return goals


def _print(
    config: Config, tools: dict[str, str], rows: Sequence[Row], goals: Sequence[Goal]
) -> None:
    screen = console()
    titles = (
        "device", "lanes", "MHz", "of seeds", "cells", "of device", "FF", "mult", "BRAM",
        "Msyn/s", "per 1,000",
    )  # fmt: skip
    lines: list[tuple[str, ...]] = []
    for row in rows:
        if row.note:
            lines.append((row.family, str(row.lanes), "no fit", *[""] * 8))
            continue
        lines.append((
            row.family, str(row.lanes), f"{row.median:.1f}",
            f"{min(row.mhz):.0f}-{max(row.mhz):.0f}", f"{row.cells}",
            f"{100 * row.cells / row.available:.0f} %", f"{row.flops}", f"{row.multipliers}",
            f"{row.memories}", f"{row.operations:.0f}", f"{row.rate:.1f}",
        ))  # fmt: skip
    screen.print(result_table(f"{config.name}, learning and noise included", titles, lines))
    listed = [
        (goal.name, goal.unit, f"{goal.value:.1f}",
         f">= {goal.target:g}{'' if goal.met else ' missed'}")
        for goal in goals
    ]  # fmt: skip
    screen.print(result_table("targets", ("", "", "reached", "target"), listed))
    for row in rows:
        screen.print(f"{row.family}, lanes {row.lanes}: {row.note or f'slowest {row.path}'}")
    for version in tools.values():
        screen.print(version)
    for line in LEGEND.splitlines():
        screen.print(line)


LEGEND = """\
ecp5: ECP5-25k, speed grade 6, cells are COMB. up5k: iCE40 UP5K, cells are LC with a flip-flop.
MHz: median of the seeds. Msyn/s: million synaptic operations/s, one per lane and clock cycle.
per 1,000: Msyn/s per 1,000 cells, including the harness."""
