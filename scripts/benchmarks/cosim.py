"""``bitlif bench cosim``: the speed of gate simulation, compiled and under cocotb."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, require_int
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

from .cosim_widths import measure_widths, report_widths
from .gates import combined

if TYPE_CHECKING:
    from bitlif.sim.backends.core import Core
    from bitlif.tasks.scenario import Work

CLOCKS, RATIO = 1e6, 20.0
"""Targets: clock cycles per second of the compiled RTL, and its ratio to cocotb with Icarus."""

COSIM_WINDOWS = 2
"""Number of windows that run under cocotb: the first of those of the compiled gates."""

STEPWISE = "rtl, step by step"
"""Name of the row of windows that are run step by step, recording spikes only."""

REPEATS = 3
"""Runs of compiled gates, of which the fastest is reported."""


@dataclass(frozen=True, slots=True)
class Row:
    """Speed of one simulator.

    Attributes
    ----------
    name : str
    windows, clocks : int
        Windows run, and clock cycles they took.
    seconds : float
        Of the fastest run.
    build : float
        Seconds to build the simulation with an empty cache; 0 if not measured.
    """

    name: str
    windows: int
    clocks: int
    seconds: float
    build: float = 0.0

    @property
    def rate(self) -> float:
        """Clock cycles per second."""
        return self.clocks / self.seconds


def add_parser(actions: SubParsers) -> None:
    """Add the parser of the subcommand of ``bitlif bench``."""
    parser = add_command(
        actions,
        "cosim",
        run,
        "measure the speed of gate simulation",
        """
        Learns the same random windows in the compiled RTL (recording only spikes, then all
        signals, then some windows step by step) and under cocotb with Icarus Verilog (recording
        all signals). All must end with the same signature. Times do not include building and
        starting the simulation.

        With --lanes, --synapses or --products, only the compiled RTL is measured, with each
        combination of the widths in turn: learning steps and clock cycles per second. All must end
        with the same signature.
        """,
        (
            "bitlif bench cosim",
            "bitlif bench cosim --config tiny --windows 500 --check",
            "bitlif bench cosim --synapses 2,4,6,10",
            "bitlif bench cosim --lanes 1 --synapses 1,2,5,10 --json > widths.json",
            "bitlif bench cosim --netlists --json > cosim.json",
        ),
    )
    parser.add_argument(
        "--config", default="digits", metavar="CONFIG", help="configuration (default: digits)"
    )
    parser.add_argument(
        "--windows", type=int, default=60, help="windows for compiled gates (default: 60)"
    )
    parser.add_argument(
        "--lanes", type=int, metavar="P", help="neuron pipelines (default: of the configuration)"
    )
    parser.add_argument(
        "--synapses", metavar="LIST", help="weights S per clock cycle as in 2,4,10 (default: P)"
    )
    parser.add_argument(
        "--products", metavar="LIST", help="products L per clock cycle (default: those of S)"
    )
    parser.add_argument(
        "--netlists", action="store_true", help="also simulate the netlists: takes minutes to build"
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 if a target is missed"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print; with ``--check``, compare with the targets."""
    windows = require_int("--windows", args.windows, COSIM_WINDOWS, 100_000)
    config = load_layer(args.config)
    require_gates()
    from bitlif.sim.simulators import require_simulator
    from bitlif.tasks.stimulus import random_work

    from .stepping import STEP_RATE

    if (args.lanes, args.synapses, args.products) != (None, None, None):
        return _run_widths(args, config, windows)
    require_simulator("icarus")
    rows = measure(random_work(config, 0, windows), netlists=args.netlists)
    icarus = rows[-1]
    ratio = rows[1].rate / icarus.rate
    stepwise = [row for row in rows if row.name == STEPWISE]
    steps = [row.windows * config.window.steps / row.seconds for row in stepwise]
    missed = [
        name
        for name, value, target in (
            ("clocks a second", min(rows[0].rate, rows[1].rate), CLOCKS),
            ("ratio to cocotb with Icarus", ratio, RATIO),
            *(("steps a second", rate, STEP_RATE) for rate in steps),
        )
        if value < target
    ]
    if args.json:
        listed = [{**asdict(row), "clocks_per_second": row.rate} for row in rows]
        print_json(
            {
                "config": config.name, "rows": listed, "ratio_to_icarus": ratio,
                "steps_per_second": steps[0] if steps else None, "missed": missed,
            }
        )  # fmt: skip
    else:
        _print(config, rows, ratio, steps, missed)
    return 1 if args.check and missed else 0


def _run_widths(args: argparse.Namespace, config: Config, windows: int) -> int:
    """Measure the compiled RTL with the widths of the options."""
    from bitlif.tasks.stimulus import random_work

    if args.netlists:
        raise BitlifError("--netlists cannot be combined with --lanes, --synapses or --products")
    lanes = config.layer.lanes
    if args.lanes is not None:
        lanes = require_int("--lanes", args.lanes, 1, config.layer.neurons)
    widths = combined(config, str(lanes), args.synapses, args.products)
    # The configuration's own widths need not suit other lanes.
    own = config.replace(layer__lanes=lanes, gates__synapses=0, gates__products=0)
    work = random_work(own, 0, windows)
    rows, signature = measure_widths(work, [(added, made) for _, added, made in widths])
    missed = report_widths(config, rows, signature, as_json=args.json)
    return 1 if args.check and missed else 0


def measure(work: Work, *, netlists: bool = False) -> list[Row]:
    """Measure the compiled RTL, recording spikes and then all signals, and cocotb with Icarus.

    Raises
    ------
    BitlifError
        If signatures differ, or a tool is missing or fails.
    """
    from bitlif.sim.backends.open import open as open_core

    names = ["rtl", "netlist:ice40", "netlist:ecp5"] if netlists else ["rtl"]
    short = work.first_windows(COSIM_WINDOWS)
    rows, signatures = [], set()
    with _empty_cache(), progress_bars() as bars:
        bar = bars.add_task("", total=len(names) + 1)
        for name in names:
            bars.update(bar, description=f"building {name}")
            start = time.perf_counter()
            core = open_core(work.config, name)
            build = time.perf_counter() - start
            bars.update(bar, description=f"running {name}")
            with core:
                chosen = work if name == "rtl" else short
                rows.append(_timed(f"{name}, spikes only", core, chosen, (), build))
                if core.records:
                    everything = _timed(f"{name}, all recorded", core, chosen, core.records, build)
                    rows.append(everything)
                    rows.append(_stepwise(core, work))
                signatures.add(_signature(core, short))
            bars.update(bar, advance=1)
        bars.update(bar, description="running cocotb with Icarus")
        row, signature = _cocotb(short)
        rows.append(row)
        signatures.add(signature)
    if len(signatures) != 1:
        raise BitlifError(f"all simulators must give the same signature, not {signatures}")
    return rows


def _timed(name: str, core: Core, work: Work, record: tuple[str, ...], build: float) -> Row:
    """Learn all windows several times from the same state; return the fastest run."""

    def once() -> None:
        core.run(work.events, work.targets, learn=True, record=record)

    seconds = []
    for _ in range(REPEATS):
        core.reset()
        core.load(work.weights)
        seconds.append(_seconds(once))
    return Row(name, work.events.windows, core.clocks(), min(seconds), build)


def _stepwise(core: Core, work: Work) -> Row:
    """Learn the first windows step by step."""
    from .stepping import STEP_WINDOWS, step_seconds

    some = work.first_windows(min(STEP_WINDOWS, work.events.windows))
    assert some.targets is not None
    seconds, _, _ = step_seconds(core, some.weights, some.events, some.targets, REPEATS)
    core.reset()
    core.load(some.weights)
    core.learn(some.events, some.targets)
    return Row(STEPWISE, some.events.windows, core.clocks(), seconds)


def _seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _signature(core: Core, work: Work) -> int | None:
    core.reset()
    core.load(work.weights)
    core.run(work.events, work.targets, learn=True)
    return core.signature()


def _cocotb(work: Work) -> tuple[Row, int]:
    """Run the same windows under cocotb with Icarus; return the row and the signature."""
    from bitlif.sim.cocotb.cosim import run_cosim

    folder = Path(tempfile.mkdtemp(prefix="bitlif-cosim-"))
    # On failure the folder is kept for its logs. The output of cocotb's runner is dropped.
    with contextlib.redirect_stdout(io.StringIO()):
        done = run_cosim(work, folder, simulator="icarus")
    shutil.rmtree(folder, ignore_errors=True)
    clocks = int(done.window_clocks[-1])
    row = Row("cocotb, Icarus, all recorded", work.events.windows, clocks, done.seconds)
    return row, int(done.observed["signature"][-1, 0])


@contextlib.contextmanager
def _empty_cache() -> Iterator[None]:
    """Use an empty cache, so that every build is measured, and remove it afterwards."""
    from bitlif.model.storage.cache import VARIABLE

    before = os.environ.get(VARIABLE)
    with tempfile.TemporaryDirectory(prefix="bitlif-cache-") as folder:
        os.environ[VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[VARIABLE]
            if before is not None:
                os.environ[VARIABLE] = before


def _print(
    config: Config, rows: list[Row], ratio: float, steps: list[float], missed: list[str]
) -> None:
    from .stepping import STEP_RATE

    out = console()
    columns = ("gates", "windows", "clocks", "seconds", "clocks/s", "to Icarus", "build, s")
    icarus = rows[-1].rate
    lines = [
        (
            row.name, f"{row.windows}", f"{row.clocks:,}", f"{row.seconds:.2f}",
            f"{row.rate:,.0f}", f"{row.rate / icarus:,.0f}",
            f"{row.build:.1f}" if row.build else "",
        )
        for row in rows
    ]  # fmt: skip
    out.print(result_table(f"{config.name}, learning, one thread", columns, lines))
    goals = [
        (
            "compiled RTL",
            "clocks/s",
            f"{min(rows[0].rate, rows[1].rate):,.0f}",
            f">= {CLOCKS:,.0f}",
        ),
        ("compiled RTL to cocotb with Icarus", "", f"{ratio:,.0f}", f">= {RATIO:g}"),
        *(
            ("compiled RTL, step by step", "steps/s", f"{rate:,.0f}", f">= {STEP_RATE:,.0f}")
            for rate in steps
        ),
    ]
    out.print(result_table("targets", ("", "reached", "target"), goals))
    out.print("all with the same signature" + (f"; missed: {', '.join(missed)}" if missed else ""))
