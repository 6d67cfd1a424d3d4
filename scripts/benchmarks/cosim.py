"""``bitlif bench cosim``: how fast gates are simulated, compiled and under cocotb."""

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
    from bitlif.sim.backends.core import Core
    from bitlif.tasks.scenario import Work

CLOCKS, RATIO = 1e6, 20.0
"""Least clocks a second of the compiled RTL, and least ratio to cocotb with Icarus."""

COSIM_WINDOWS = 2
"""Windows of the run under cocotb, of those that compiled gates run."""

REPEATS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One way to run the gates.

    Attributes
    ----------
    name : str
    windows, clocks : int
    seconds : float
        Of the fastest of the repetitions.
    build : float
        Seconds to build it, into an empty cache; 0 where it is not measured.
    """

    name: str
    windows: int
    clocks: int
    seconds: float
    build: float = 0.0

    @property
    def rate(self) -> float:
        """Return clocks a second."""
        return self.clocks / self.seconds


def add_parser(actions: SubParsers) -> None:
    """Add the subcommand of ``bitlif bench``."""
    parser = add_command(
        actions,
        "cosim",
        run,
        "measure how fast gates are simulated",
        """
        Learns the same random windows in the compiled RTL, with spikes alone and with everything
        recorded, and under cocotb with Icarus, where everything is recorded too; their signatures
        must be the same. Times are those of the windows, without building and starting.
        """,
        (
            "bitlif bench cosim",
            "bitlif bench cosim --config tiny --windows 500 --check",
            "bitlif bench cosim --netlists --json > cosim.json",
        ),
    )
    parser.add_argument(
        "--config", default="digits", metavar="CONFIG", help="configuration (default: digits)"
    )
    parser.add_argument(
        "--windows", type=int, default=60, help="windows in compiled gates (default: 60)"
    )
    parser.add_argument(
        "--netlists", action="store_true", help="netlists too: minutes to build, and slower"
    )
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print, and check if asked to."""
    windows = require_int("--windows", args.windows, COSIM_WINDOWS, 100_000)
    config = Config.load(args.config)
    require_gates()
    from bitlif.sim.simulators import require_simulator
    from bitlif.tasks.stimulus import random_work

    require_simulator("icarus")
    rows = measure(random_work(config, 0, windows), netlists=args.netlists)
    icarus = rows[-1]
    ratio = rows[1].rate / icarus.rate
    missed = [
        name
        for name, value, target in (
            ("clocks a second", min(rows[0].rate, rows[1].rate), CLOCKS),
            ("ratio to cocotb with Icarus", ratio, RATIO),
        )
        if value < target
    ]
    if args.json:
        listed = [{**asdict(row), "clocks_per_second": row.rate} for row in rows]
        print_json(
            {"config": config.name, "rows": listed, "ratio_to_icarus": ratio, "missed": missed}
        )
    else:
        _print(config, rows, ratio, missed)
    return 1 if args.check and missed else 0


def measure(work: Work, *, netlists: bool = False) -> list[Row]:
    """Return rows of the compiled RTL (spikes, everything), netlists, and cocotb with Icarus.

    Raises
    ------
    BitlifError
        If the ways do not give the same signature, or a tool is missing or fails.
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
                signatures.add(_signature(core, short))
            bars.update(bar, advance=1)
        bars.update(bar, description="running cocotb with Icarus")
        row, signature = _cocotb(short)
        rows.append(row)
        signatures.add(signature)
    if len(signatures) != 1:
        raise BitlifError(f"the same windows gave different signatures: {signatures}")
    return rows


def _timed(name: str, core: Core, work: Work, record: tuple[str, ...], build: float) -> Row:
    """Learn all windows several times from the beginning; return the fastest."""

    def once() -> None:
        core.run(work.events, work.targets, learn=True, record=record)

    seconds = []
    for _ in range(REPEATS):
        core.reset()
        core.load(work.weights)
        seconds.append(_seconds(once))
    return Row(name, work.events.windows, core.clocks(), min(seconds), build)


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
    """Return the row of the same windows under cocotb with Icarus, and their signature."""
    from bitlif.sim.cocotb.cosim import run_cosim

    folder = Path(tempfile.mkdtemp(prefix="bitlif-cosim-"))
    # Where it fails the folder stays, with its logs; cocotb's runner talks, into them.
    with contextlib.redirect_stdout(io.StringIO()):
        done = run_cosim(work, folder, simulator="icarus")
    shutil.rmtree(folder, ignore_errors=True)
    clocks = int(done.window_clocks[-1])
    row = Row("cocotb, Icarus, all recorded", work.events.windows, clocks, done.seconds)
    return row, int(done.observed["signature"][-1, 0])


@contextlib.contextmanager
def _empty_cache() -> Iterator[None]:
    """Build into a cache of our own, so that every build is measured; then forget it."""
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


def _print(config: Config, rows: list[Row], ratio: float, missed: list[str]) -> None:
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
    ]
    out.print(result_table("asked for", ("", "reached", "target"), goals))
    out.print("all with the same signature" + (f"; missed: {', '.join(missed)}" if missed else ""))
