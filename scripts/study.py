"""``bitlif study``: search the space of configurations, on any number of workers."""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.errors import BitlifError, require_int
from bitlif.model.extras import require_extra
from bitlif.model.text import path_text

from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    result_table,
    say,
)

if TYPE_CHECKING:
    from bitlif.study.search.plan import Plan
    from bitlif.study.search.run import Progress

SHOWN = 10
"""Points of the table at the end."""


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "study",
        run,
        "search configurations: how few bits, how poor a noise",
        """
        Learns with every point of a study file (a grid, random points, or where Optuna looks next)
        and every seed, and keeps what is measured in the study's folder as it comes. Killed at any
        moment and run again, it goes on where it was and ends with the same table to the bit. A
        point that fails is kept with its error. Without --scheduler it starts workers on this
        machine; with it, it uses those of a Dask cluster, on which bitlif must be installed.
        `bitlif report` makes pictures and a page of the folder. Ready-made studies: --list.
        """,
        (
            "bitlif study taste --out taste",
            "bitlif study weight-bits --out weight-bits --workers 2",
            "bitlif study my.toml --out mine --scheduler tcp://localhost:8786",
            "bitlif study noise-source --out noise --json > noise.json",
            "bitlif study --list",
        ),
    )
    parser.add_argument("study", metavar="STUDY", nargs="?", help="TOML file or ready-made name")
    parser.add_argument("--out", metavar="DIR", help="the study's folder, new or to go on in")
    parser.add_argument("--list", action="store_true", help="list the ready-made studies")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes to start (default: one a processor)"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster to use instead")
    parser.add_argument(
        "--retry", action="store_true", help="compute runs that failed before once more"
    )
    parser.add_argument("--force", action="store_true", help="throw away earlier results")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run or go on with a study, and print its best points."""
    if args.list:
        return _list(args)
    require_extra("studies need {}", "study", "pyarrow", "filelock")
    for name, value in (("STUDY", args.study), ("--out", args.out)):
        if not value:
            raise BitlifError(f"{name} must be given (or --list)")
    if args.scheduler and args.workers is not None:
        raise BitlifError("--workers must be left out with --scheduler, whose cluster has its own")
    workers = require_int("--workers", _processors() if args.workers is None else args.workers,
                          1, 1024)  # fmt: skip
    from bitlif.study.search.plan import load_plan

    plan, text = load_plan(args.study)
    if plan.search == "guided":
        require_extra("guided searches need {}", "study", "optuna")
    start = time.perf_counter()
    table, path, progress = _run(args, plan, text, workers)
    seconds = time.perf_counter() - start
    if args.json:
        print_json({
            "study": plan.name, "table": str(path), "points": plan.size,
            "seeds": len(plan.seeds), "runs": progress.total, "reused": progress.reused,
            "computed": progress.computed, "failed": progress.failed, "seconds": seconds,
            "best": best_points(plan, table),
        })  # fmt: skip
    else:
        _print(plan, table, path, progress, seconds)
    return 0


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _list(args: argparse.Namespace) -> int:
    from bitlif.study.search.plan import load_plan, ready_studies

    plans = [load_plan(name)[0] for name in ready_studies()]
    rows = [(own.name, own.size, len(own.seeds), own.title) for own in plans]
    if args.json:
        print_json({
            "studies": [
                dict(zip(("name", "points", "seeds", "title"), row, strict=True)) for row in rows
            ]
        })  # fmt: skip
    else:
        console().print(result_table("", ("study", "points", "seeds", "question"), rows))
    return 0


def _run(
    args: argparse.Namespace, plan: Plan, text: str, workers: int
) -> tuple[Any, Path, Progress]:
    from bitlif.study.search.checksum import parsed
    from bitlif.study.search.open_pool import open_pool
    from bitlif.study.search.run import run_study
    from bitlif.study.search.store import open_store

    with (
        open_store(Path(args.out), text, force=args.force) as store,
        progress_bars() as bars,
    ):
        for part in store.damaged:
            say(f"'{path_text(part)}' was damaged: its runs are made again")
        bar = bars.add_task("starting workers", total=plan.size * len(plan.seeds))
        if args.retry:
            store.forget_failures()

        def report(progress: Progress) -> None:
            failed = f", {progress.failed} failed" if progress.failed else ""
            done = progress.reused + progress.computed
            bars.update(bar, completed=done, description=f"{plan.name}{failed}")

        with open_pool(workers, args.scheduler or "") as pool:
            path, progress = run_study(plan, store, pool, report)
    return parsed(path.read_bytes()), path, progress


def best_points(plan: Plan, table: Any) -> list[dict[str, Any]]:
    """Return the best points by the first objective, with the means of all objectives."""
    rows = [row for row in table.to_pylist() if not row["error"]]
    groups: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["point"], []).append(row)
    points = []
    for number, own in groups.items():
        means = {}
        for name in plan.objectives:
            values = [row[name] for row in own if row[name] is not None]
            means[name] = statistics.fmean(values) if values else None
        axes = {axis.name: own[0][axis.name] for axis in plan.axes}
        points.append({"point": number, **axes, **means})
    first = plan.objectives[0]
    sign = -1 if plan.metric(first).direction == "max" else 1
    judged = [own for own in points if own[first] is not None]
    return sorted(judged, key=lambda own: sign * own[first])[:SHOWN]


def _print(plan: Plan, table: Any, path: Path, progress: Progress, seconds: float) -> None:
    screen = console()
    best = best_points(plan, table)
    if best:
        rows = [
            [
                own["point"],
                *(_shown(own[name]) for name in plan.objectives),
                ", ".join(f"{axis.name} {_shown(own[axis.name])}" for axis in plan.axes),
            ]
            for own in best
        ]
        title = f"{plan.name}: best of {plan.size} points, means of {len(plan.seeds)} seed(s)"
        screen.print(result_table(title, ("point", *plan.objectives, "setting"), rows))
    screen.print(
        f"{progress.computed} runs computed, {progress.reused} were there, {progress.failed} "
        f"failed; {seconds:.0f} s"
    )
    if progress.failed:
        told: dict[str, int] = {}
        for row in table.to_pylist():
            if row["error"]:
                told[row["error"]] = told.get(row["error"], 0) + 1
        for error, times in sorted(told.items(), key=lambda own: -own[1])[:3]:
            screen.print(f"failed {times} time(s): {error}", markup=False)
    screen.print(f"results: {path}", markup=False)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
