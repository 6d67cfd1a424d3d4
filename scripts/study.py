"""``bitlif study``: search the space of configurations on any number of workers."""

from __future__ import annotations

import argparse
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
from .support.processors import processors

if TYPE_CHECKING:
    from bitlif.study.search.plan import Plan
    from bitlif.study.search.run import Progress

SHOWN = 10
"""Number of points in the printed table."""


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "study",
        run,
        "search the space of configurations: bits, noise sources, sizes",
        """
        Trains every point of a study file (a grid, random points or an Optuna search) with every
        seed, on a ready task or on your own data (`[task]` in the file; see docs/studies.md). Each
        result is stored in the study's folder as it arrives. A study is resumable: if it is killed
        and started again, the final table is exactly the same. Failed points are stored with their
        errors; exits with status 1 if all runs failed. Workers are started on this machine, or
        --scheduler uses those of a Dask cluster, on which bitlif must be installed. `bitlif report`
        makes a page and pictures from the folder. --list shows the ready-made studies.
        """,
        (
            "bitlif study quickstart --out quickstart",
            "bitlif study weight-bits --out weight-bits --workers 2",
            "bitlif study my.toml --out mine --scheduler tcp://localhost:8786",
            "bitlif study noise-source --out noise --json > noise.json",
            "bitlif study --list",
        ),
    )
    parser.add_argument("study", metavar="STUDY", nargs="?", help="TOML file or ready-made name")
    parser.add_argument("--out", metavar="DIR", help="folder of the study, new or to resume")
    parser.add_argument("--list", action="store_true", help="list the ready-made studies")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes to start (default: one per processor)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="address of a Dask scheduler to use instead"
    )
    parser.add_argument("--retry", action="store_true", help="repeat the runs that failed")
    parser.add_argument("--force", action="store_true", help="discard earlier results")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run or resume a study and print its best points."""
    if args.list:
        return _list(args)
    require_extra("studies need {}", "study", "pyarrow", "filelock")
    for name, value in (("STUDY", args.study), ("--out", args.out)):
        if not value:
            raise BitlifError(f"{name} must be given (or --list)")
    if args.scheduler and args.workers is not None:
        raise BitlifError(
            "--workers cannot be used with --scheduler, whose cluster sets the number of workers"
        )
    workers = require_int("--workers", processors() if args.workers is None else args.workers,
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
    return 1 if progress.failed >= progress.total else 0


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
    from bitlif.study.search.checksum import parse_table
    from bitlif.study.search.open_pool import open_pool
    from bitlif.study.search.run import run_study
    from bitlif.study.search.store import open_store

    with (
        open_store(Path(args.out), text, force=args.force, own=plan.own) as store,
        progress_bars() as bars,
    ):
        for part in store.damaged:
            say(f"'{path_text(part)}' was damaged: its runs are repeated")
        bar = bars.add_task("starting workers", total=plan.size * len(plan.seeds))
        if args.retry:
            store.forget_failures()

        def report(progress: Progress) -> None:
            failed = f", {progress.failed} failed" if progress.failed else ""
            done = progress.reused + progress.computed
            bars.update(bar, completed=done, description=f"{plan.name}{failed}")

        with open_pool(workers, args.scheduler or "") as pool:
            path, progress = run_study(plan, store, pool, report)
    return parse_table(path.read_bytes()), path, progress


def best_points(plan: Plan, table: Any) -> list[dict[str, Any]]:
    """Return the best points by the first objective, with the means of all objectives.

    Parameters
    ----------
    plan : Plan
    table : pyarrow.Table
        The results of the study.
    """
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
    ranked = [own for own in points if own[first] is not None]
    return sorted(ranked, key=lambda own: sign * own[first])[:SHOWN]


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
        f"{progress.computed} runs computed, {progress.reused} reused, {progress.failed} failed; "
        f"{seconds:.0f} s"
    )
    if progress.failed:
        counts: dict[str, int] = {}
        for row in table.to_pylist():
            if row["error"]:
                counts[row["error"]] = counts.get(row["error"], 0) + 1
        for error, times in sorted(counts.items(), key=lambda own: -own[1])[:3]:
            screen.print(f"failed {times} time(s): {error}", markup=False)
    screen.print(f"results: {path}", markup=False)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
