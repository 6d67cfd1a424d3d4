"""``bitlif bench cosim`` with widths: learning speed of compiled RTL by S and L."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.gate_sizes import gate_sizes
from bitlif.scripts.console.terminal import console, print_json, progress_bars, result_table

if TYPE_CHECKING:
    from bitlif.tasks.scenario import Work

ROUNDS = 9
"""Rounds in which every core learns all windows once, in turn."""

LEAST_RATIO = 1.0
"""Target: learning steps/s of every core, relative to the first one."""


@dataclass(frozen=True, slots=True)
class WidthRow:
    """Speed of the compiled RTL of a layer with some widths.

    Attributes
    ----------
    lanes, synapses, products : int
        Neuron pipelines P, weights S added and products L made in one clock cycle.
    steps, clocks : int
        Steps that are learned in a round, and the clock cycles that they take.
    seconds : float
        Processor time of the fastest round. Other processes disturb it less than wall time.
    ratio : float
        Learning steps/s relative to the first row: the median of the ratios of each round.
    """

    lanes: int
    synapses: int
    products: int
    steps: int
    clocks: int
    seconds: float
    ratio: float

    @property
    def step_rate(self) -> float:
        """Learning steps per second."""
        return self.steps / self.seconds

    @property
    def clock_rate(self) -> float:
        """Clock cycles per second."""
        return self.clocks / self.seconds

    @property
    def met(self) -> bool:
        """Whether the core learns at least as many steps/s as the first one."""
        return self.ratio >= LEAST_RATIO

    def as_json(self) -> dict[str, Any]:
        """Return the measurements and the speeds, as ``--json`` prints them."""
        return {
            **asdict(self), "learning_steps_per_second": self.step_rate,
            "clocks_per_second": self.clock_rate,
        }  # fmt: skip


def measure_widths(
    work: Work, widths: Sequence[tuple[int, int]], rounds: int = ROUNDS
) -> tuple[list[WidthRow], int]:
    """Learn the same windows in the compiled RTL of each width, round by round.

    The cores take turns in every round, so that a change of the machine's speed meets all of them.
    Spikes are recorded, and nothing else. A round before the measured ones fills the caches.

    Parameters
    ----------
    work : Work
        The configuration, whose section `gates` is replaced, and the windows.
    widths : sequence of (int, int)
        S and L of each core.
    rounds : int

    Returns
    -------
    rows : list of WidthRow
    signature : int
        That of all cores after the windows.

    Raises
    ------
    BitlifError
        If signatures differ, a width does not suit the layer, or a tool is missing or fails.
    """
    from bitlif.sim.backends.open import open as open_core

    configs = [
        work.config.replace(gates__synapses=added, gates__products=made) for added, made in widths
    ]
    assert work.targets is not None
    seconds: list[list[float]] = [[] for _ in configs]
    with contextlib.ExitStack() as stack, progress_bars() as bars:
        bar = bars.add_task("", total=len(configs) + rounds + 1)
        cores = []
        for config, (added, made) in zip(configs, widths, strict=True):
            bars.update(bar, description=f"building S={added} L={made}")
            cores.append(stack.enter_context(open_core(config, "rtl")))
            bars.update(bar, advance=1)
        bars.update(bar, description="learning")
        for number in range(rounds + 1):
            for core, own in zip(cores, seconds, strict=True):
                core.reset()
                core.load(work.weights)
                start = time.process_time()
                core.learn(work.events, work.targets)
                if number > 0:
                    own.append(time.process_time() - start)
            bars.update(bar, advance=1)
        clocks = [core.clocks() for core in cores]
        signatures = {core.signature() for core in cores}
    if len(signatures) != 1:
        raise BitlifError(f"all widths must give the same signature, not {signatures}")
    (signature,) = signatures
    assert signature is not None
    steps = work.events.windows * work.config.window.steps
    rows = []
    for config, count, own in zip(configs, clocks, seconds, strict=True):
        sizes = gate_sizes(config)
        ratio = statistics.median(
            first / other for first, other in zip(seconds[0], own, strict=True)
        )
        rows.append(
            WidthRow(
                sizes.lanes, sizes.synapses, sizes.products, steps, count, min(own), ratio
            )
        )  # fmt: skip
    return rows, signature


def report_widths(
    config: Config, rows: Sequence[WidthRow], signature: int, *, as_json: bool
) -> list[str]:
    """Print the rows; return the widths that miss the target."""
    missed = [f"S={row.synapses} L={row.products}" for row in rows if not row.met]
    if as_json:
        print_json({
            "config": config.name, "rows": [row.as_json() for row in rows],
            "signature": f"{signature:08x}", "missed": missed,
        })  # fmt: skip
        return missed
    lines = [
        (
            str(row.lanes), str(row.synapses), str(row.products), f"{row.clocks / row.steps:.1f}",
            f"{row.clock_rate:,.0f}", f"{row.step_rate:,.0f}",
            f"{row.ratio:.2f}{'' if row.met else ' missed'}",
        )
        for row in rows
    ]  # fmt: skip
    columns = ("P", "S", "L", "clocks/step", "clocks/s", "steps/s", "ratio of steps/s")
    title = f"{config.name}, learning in compiled RTL, one thread, {rows[0].steps:,} steps"
    screen = console()
    screen.print(result_table(title, columns, lines))
    screen.print(f"all with signature {signature:08x}")
    for line in LEGEND.splitlines():
        screen.print(line)
    return missed


LEGEND = f"""\
P: neuron pipelines. S: weights added, L: products of the gradient made, in one clock cycle.
Speeds are of the fastest of {ROUNDS} rounds, in processor time. The ratio is that of the learning
steps/s to those of the first row, the median over the rounds; target: at least {LEAST_RATIO:g}."""
