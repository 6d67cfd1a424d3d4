"""Measurements of ``bitlif bench gates``: cores through Yosys and nextpnr, and their targets."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config
from bitlif.scripts.console.terminal import progress_bars, require_gates

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

ECP5_MHZ, ECP5_RATE, UP5K_MHZ, UP5K_RATE = 90.0, 250.0, 40.0, 60.0
"""Targets: MHz, and million synaptic operations/s per 1,000 logic cells, of the best core."""


@dataclass(frozen=True, slots=True)
class Design:
    """What is placed on a device.

    Attributes
    ----------
    family : str
        Name of the device.
    bus : str
        One of `bitlif.fpga.synthesis.BUSES`.
    lanes, synapses, products : int
        Neuron pipelines P, weights S that are added and products L of the gradient that are made in
        one clock cycle.
    """

    family: str
    bus: str
    lanes: int
    synapses: int
    products: int

    def configured(self, config: Config) -> Config:
        """Return a configuration with these widths.

        Raises
        ------
        BitlifError
            If its layer cannot have them.
        """
        return config.replace(
            layer__lanes=self.lanes, gates__synapses=self.synapses, gates__products=self.products
        )

    @property
    def title(self) -> str:
        """Return the widths, and the bus if there is one, for messages."""
        widths = f"P={self.lanes} S={self.synapses} L={self.products}"
        return widths if self.bus == "none" else f"{widths}, {self.bus}"


@dataclass(frozen=True, slots=True)
class Row:
    """Measurements of a design.

    Attributes
    ----------
    design : Design
    mhz : tuple of float
        Clock for each seed; empty if the design does not fit.
    cells, flops, multipliers, memories : int
        Of the placement with the median clock, including the harness.
    available : int
        Logic cells of the device.
    path : str
        The slowest path of the median seed.
    note : str
        The reason why nothing was measured.
    clocks : float
        Mean clock cycles of a learning step of the workload.
    workload : str
    """

    design: Design
    mhz: tuple[float, ...] = ()
    cells: int = 0
    flops: int = 0
    multipliers: int = 0
    memories: int = 0
    available: int = 0
    path: str = ""
    note: str = ""
    clocks: float = 0.0
    workload: str = ""

    @property
    def median(self) -> float:
        """Median clock in MHz; 0 if the design does not fit."""
        return statistics.median_low(self.mhz) if self.mhz else 0.0

    @property
    def operations(self) -> float:
        """Million synaptic operations/s: S weights are added in one clock cycle."""
        return self.design.synapses * self.median

    @property
    def products(self) -> float:
        """Million products of the gradient/s: L are made in one clock cycle."""
        return self.design.products * self.median

    @property
    def steps(self) -> float:
        """Learning steps/s of the workload; 0 if the design does not fit."""
        return 1e6 * self.median / self.clocks if self.clocks else 0.0

    def per_thousand(self, speed: float) -> float:
        """Return a speed per 1,000 logic cells."""
        return 1000 * speed / self.cells if self.cells else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the measurements and what follows from them, as ``--json`` prints them."""
        own = asdict(self)
        return {
            **own.pop("design"), **own, "median": self.median,
            "synaptic_m_per_s": self.operations,
            "synaptic_m_per_s_per_1000_cells": self.per_thousand(self.operations),
            "products_m_per_s": self.products,
            "products_m_per_s_per_1000_cells": self.per_thousand(self.products),
            "steps_per_s": self.steps,
        }  # fmt: skip


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


def measure(
    config: Config, plan: Sequence[Design], seeds: Sequence[int]
) -> tuple[dict[str, str], list[Row]]:
    """Return the tools' versions, and a row for each design of `plan`.

    Raises
    ------
    BitlifError
        If a tool is missing or fails; the folder with its log is kept then.
    """
    require_gates()
    from bitlif.fpga.families import family_of_device
    from bitlif.fpga.tools import tool_version

    placers = dict.fromkeys(family_of_device(own.family).toolchain.placer for own in plan)
    tools = {name: tool_version(name) for name in ("yosys", *placers)}
    folder = Path(tempfile.mkdtemp(prefix="bitlif-gates-"))
    rows = []
    with progress_bars() as bars:
        bar = bars.add_task("synthesising", total=len(plan) * (1 + len(seeds)))
        for number, design in enumerate(plan):
            rows.append(_row(config, design, seeds, folder / str(number), bars, bar))
    shutil.rmtree(folder, ignore_errors=True)
    return tools, rows


def _row(
    config: Config, design: Design, seeds: Sequence[int], folder: Path, bars: Progress, bar: TaskID
) -> Row:
    """Synthesise one design, place it with each seed, and count the clock cycles of its steps."""
    from bitlif.fpga.families import family_of_device
    from bitlif.fpga.synthesis import DoesNotFit, place, synthesise
    from bitlif.fpga.throughput import pace

    family, own = family_of_device(design.family), design.configured(config)
    title = f"{family.device.title}, {design.title}"
    bars.update(bar, description=f"synthesising {title}")
    synthesise(own, family, folder, bus=design.bus)
    bars.update(bar, advance=1)
    placed = []
    for number, seed in enumerate(seeds):
        bars.update(bar, description=f"placing {title}, seed {seed}")
        try:
            placed.append(place(folder, family, seed))
        except DoesNotFit as error:
            bars.update(bar, advance=len(seeds) - number)
            return Row(design, note=str(error))
        bars.update(bar, advance=1)
    clocks = tuple(one.mhz for one in placed)
    median = placed[clocks.index(statistics.median_low(clocks))]
    worked = pace(own, median.mhz, learning=True)
    return Row(
        design, clocks, median.cells, median.flops, median.multipliers, median.memories,
        median.available, median.path, clocks=worked.clocks, workload=worked.workload,
    )  # fmt: skip


def judge(rows: Sequence[Row]) -> list[Goal]:
    """Return the targets and the values that the best bare core of each device reached."""
    goals = []
    for family, device, cells, mhz, rate in (
        ("ecp5", "ECP5-25k", "COMB", ECP5_MHZ, ECP5_RATE),
        ("up5k", "UP5K", "LC", UP5K_MHZ, UP5K_RATE),
    ):
        own = [row for row in rows if (row.design.family, row.design.bus) == (family, "none")]
        if own:
            best = max(own, key=lambda row: row.per_thousand(row.operations))
            name, reached = f"{device}, {best.design.title}", best.per_thousand(best.operations)
            goals += [
                Goal(name, f"Msyn/s per 1,000 {cells}", reached, rate),
                Goal(name, "MHz", best.median, mhz),
            ]
    return goals
