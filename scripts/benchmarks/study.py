"""``bitlif bench study``: runs of a study per second, by number of workers."""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bitlif.model.errors import BitlifError, require_int
from bitlif.model.extras import require_extra
from bitlif.model.text import quoted
from bitlif.scripts.console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    result_table,
)

MIN_SPEEDUP, POINTS, MAX_MINUTES = 1.8, 1000, 10
"""Targets: speed-up of two workers over one, and the time for a number of points."""

MAX_WORKERS = 1024

STUDY = """\
name = "bench"
config = "digits"
epochs = 3
search = "random"
points = {points}
objectives = ["accuracy", "bits", "cells"]
measure = ["float", "estimate"]
board = "icebreaker"

[[axis]]
field = "synapse.weight.bits"
low = 3
high = 12

[[axis]]
field = "learning.random_bits"
low = 0
high = 12

[[axis]]
field = "trace.format.bits"
low = 3
high = 10

[[axis]]
field = "error.index_bits"
low = 4
high = 9

[[axis]]
field = "noise.words"
low = 1
high = 4

[[axis]]
field = "schedule.sigma"
values = [0.1, 0.2, 0.4]
"""
"""Digits with three epochs, the distance to the float twin and the estimated area."""


@dataclass(frozen=True, slots=True)
class Row:
    """The throughput of a number of workers.

    Attributes
    ----------
    workers, runs : int
    seconds : float
        Time from handing out the first run to storing the last result. Workers are started and
        have loaded the engine before.
    """

    workers: int
    runs: int
    seconds: float

    @property
    def rate(self) -> float:
        """Runs per second."""
        return self.runs / self.seconds


def add_parser(actions: SubParsers) -> None:
    """Add the subcommand of ``bitlif bench``."""
    parser = add_command(
        actions,
        "study",
        run,
        "measure the throughput of a study by number of workers",
        """
        Runs random points of a digits study (three epochs, with the distance to the float twin and
        the estimated area) with each number of workers, and stores the results as usual.
        """,
        (
            "bitlif bench study",
            "bitlif bench study --points 1000 --workers 2 --check",
            "bitlif bench study --points 50 --json > study.json",
        ),
    )
    parser.add_argument(
        "--points", type=int, default=200, metavar="N", help="random points (default: 200)"
    )
    parser.add_argument(
        "--workers", default="1,2", metavar="LIST", help="numbers of workers (default: 1,2)"
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 if a target is missed"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print, and with --check compare with the targets."""
    require_extra("studies need {}", "study", "pyarrow", "sklearn")
    points = require_int("--points", args.points, 1, 1 << 18)
    try:
        workers = [int(word) for word in args.workers.split(",")]
    except ValueError:
        workers = []
    if not workers or min(workers) < 1 or max(workers) > MAX_WORKERS:
        raise BitlifError(
            f"--workers must be numbers in 1 ..= {MAX_WORKERS} as in 1,2, "
            f"not {quoted(args.workers)}"
        )
    rows = [measure(number, points) for number in workers]
    goals = check_targets(rows)
    missed = [goal["name"] for goal in goals if not goal["met"]]
    if args.json:
        listed = [{**asdict(row), "runs_per_s": row.rate} for row in rows]
        print_json({"rows": listed, "goals": goals, "missed": missed})
    else:
        screen = console()
        lines = [
            (row.workers, row.runs, f"{row.seconds:.1f}", f"{row.rate:.2f}",
             f"{row.rate / rows[0].rate:.2f}")
            for row in rows
        ]  # fmt: skip
        titles = ("workers", "runs", "seconds", "runs/s", f"over {rows[0].workers} worker(s)")
        screen.print(result_table("digits, 3 epochs, float twin and area", titles, lines))
        for goal in goals:
            met = "" if goal["met"] else " missed"
            screen.print(f"{goal['name']}: {goal['value']:.2f} {goal['target']}{met}")
    return 1 if args.check and missed else 0


def measure(workers: int, points: int) -> Row:
    """Return the throughput of a number of workers."""
    from bitlif.study.search.open_pool import open_pool
    from bitlif.study.search.plan import parse_plan
    from bitlif.study.search.run import Progress, run_study
    from bitlif.study.search.store import open_store

    text = STUDY.format(points=points)
    plan = parse_plan(text, "bench")
    warm = parse_plan(STUDY.format(points=4 * workers).replace("epochs = 3", "epochs = 1"), "bench")
    with (
        tempfile.TemporaryDirectory(prefix="bitlif-bench-") as name,
        open_pool(workers) as pool,
        progress_bars() as bars,
    ):
        folder = Path(name)
        with open_store(folder / "warm", text) as store:
            run_study(warm, store, pool)
        bar = bars.add_task(f"{workers} worker(s)", total=points)

        def report(progress: Progress) -> None:
            bars.update(bar, completed=progress.reused + progress.computed)

        with open_store(folder / "own", text) as store:
            start = time.perf_counter()
            _, progress = run_study(plan, store, pool, report)
            seconds = time.perf_counter() - start
    return Row(workers, progress.computed, seconds)


def check_targets(rows: list[Row]) -> list[dict[str, Any]]:
    """Return the targets that apply to the rows, with values and whether they are met."""
    by_workers = {row.workers: row for row in rows}
    goals = []
    if {1, 2} <= by_workers.keys():
        ratio = by_workers[2].rate / by_workers[1].rate
        goals.append({
            "name": "throughput of 2 workers over 1", "value": ratio,
            "target": f">= {MIN_SPEEDUP}", "met": ratio >= MIN_SPEEDUP,
        })  # fmt: skip
    if 2 in by_workers and by_workers[2].runs >= POINTS:
        minutes = by_workers[2].seconds / 60
        goals.append({
            "name": f"minutes for {by_workers[2].runs} points, 2 workers", "value": minutes,
            "target": f"< {MAX_MINUTES}", "met": minutes < MAX_MINUTES,
        })  # fmt: skip
    return goals
