"""Run a study from its plan to its table: search, evaluate what is missing, store the results."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bitlif.model.config.network import any_hash

from .base import AnyConfig, dump_base, gates_of
from .evaluate import Job, Outcome
from .plan import Plan
from .search import Point, RunMetrics, make_search
from .store import Store
from .table import make_table


class Workers(Protocol):
    """The interface of workers; see `bitlif.study.search.pool.Pool`."""

    def run(self, jobs: Sequence[Job]) -> Iterator[list[Outcome]]:
        """Yield outcomes as they arrive."""


@dataclass(slots=True)
class Progress:
    """The progress of a study.

    Attributes
    ----------
    total : int
        Number of runs of the whole study.
    reused, computed, failed : int
        Runs with stored results, runs that were computed, and failures among both.
    """

    total: int
    reused: int = 0
    computed: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Visited:
    points: list[Point] = field(default_factory=list)
    keys: dict[tuple[int, int], str] = field(default_factory=dict)


def run_study(
    plan: Plan,
    store: Store,
    workers: Workers,
    report: Callable[[Progress], Any] = lambda progress: None,
) -> tuple[Path, Progress]:
    """Run what is missing of a study and write its table.

    If it is interrupted, it writes the table of the results so far, marked as incomplete.

    Parameters
    ----------
    plan : Plan
    store : Store
    workers : Workers
    report : callable
        Called with the progress after every change.

    Returns
    -------
    path : Path
        File of the table.
    progress : Progress
    """
    search = make_search(plan)
    progress = Progress(plan.size * len(plan.seeds))
    visited = _Visited()
    try:
        for batch in search.batches():
            jobs = {}
            # Equal points share their runs.
            times: Counter[str] = Counter()
            for point in batch:
                visited.points.append(point)
                for job in jobs_of(plan, point):
                    visited.keys[point.number, job.seed] = job.key
                    jobs[job.key] = job
                    times[job.key] += 1
            missing = []
            for key, job in jobs.items():
                if key in store.outcomes:
                    progress.reused += times[key]
                    progress.failed += times[key] * bool(store.outcomes[key].error)
                else:
                    missing.append(job)
            report(progress)
            for outcomes in workers.run(missing):
                store.add(outcomes)
                for outcome in outcomes:
                    progress.computed += times[outcome.key]
                    progress.failed += times[outcome.key] * bool(outcome.error)
                report(progress)
            search.tell(batch, [_measured(plan, store, visited, point) for point in batch])
    except BaseException:
        _write(plan, store, visited, complete=False)
        raise
    return _write(plan, store, visited, complete=True), progress


def _measured(plan: Plan, store: Store, visited: _Visited, point: Point) -> RunMetrics:
    """Return the metrics of the successful runs of a point."""
    runs = [store.outcomes[visited.keys[point.number, seed]] for seed in plan.seeds]
    return [outcome.values for outcome in runs if not outcome.error]


def _write(plan: Plan, store: Store, visited: _Visited, *, complete: bool) -> Path:
    table = make_table(plan, visited.points, visited.keys, store.outcomes, complete=complete)
    return store.write_table(table)


@functools.lru_cache(maxsize=8)
def _named(config: AnyConfig) -> tuple[str, str]:
    """Return the text of a base, and a name that differs if any result of a study may differ."""
    return dump_base(config), any_hash(config) + gates_of(config)


def jobs_of(plan: Plan, point: Point) -> list[Job]:
    """Return the runs of a point, one per seed."""
    base, name = _named(plan.config)
    jobs = []
    for seed in plan.seeds:
        parts = {
            "config": name, "edits": point.edits, "task": plan.task, "length": plan.length,
            "seed": seed, "extras": plan.extras, "board": plan.board,
        }  # fmt: skip
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(text.encode()).hexdigest()[:24]
        plain = (plan.task, plan.length, seed, plan.extras, plan.board)
        jobs.append(Job(key, base, point.edits, *plain, own=plan.own))
    return jobs
