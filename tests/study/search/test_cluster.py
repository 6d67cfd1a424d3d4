"""Workers of an existing Dask cluster."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import dask
import pyarrow.parquet as pq
import pytest
from distributed import Client as DaskClient
from distributed import LocalCluster

from bitlif.model.errors import BitlifError
from bitlif.scripts.main import main
from bitlif.study.search import cluster, own_data
from bitlif.study.search.cluster import Cluster, open_cluster
from bitlif.study.search.evaluate import Job, Outcome
from bitlif.study.search.open_pool import open_pool
from bitlif.study.search.own_data import OwnData
from bitlif.study.search.plan import load_plan
from bitlif.study.search.run import run_study
from bitlif.study.search.store import open_store
from bitlif.tasks.arrays import ArrayTask

import study_plans
from study_data import FLASKS, flasks
from study_data import write_study as write_data_study
from study_plans import SMALL, Here, jobs, small


@pytest.fixture(scope="module")
def workers() -> Iterator[Cluster]:
    """Yield two workers of a cluster that gives up a task after one death."""
    settings = {"distributed.scheduler.allowed-failures": 0}
    options: dict[str, Any] = {
        "n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "memory_limit": 0,
        "dashboard_address": "127.0.0.1:0", "worker_dashboard_address": None,
    }  # fmt: skip
    with (
        dask.config.set(settings),
        LocalCluster(**options) as started,
        open_cluster(started.scheduler_address) as own,
    ):
        yield own


def test_cluster_gives_the_same_table_as_this_process(workers: Cluster, tmp_path: Path) -> None:
    tables = []
    for name, own in (("here", Here()), ("there", workers)):
        with open_store(tmp_path / name, SMALL) as store:
            tables.append(run_study(small(), store, own)[0].read_bytes())
    assert tables[0] == tables[1]


def kept_by_worker() -> list[str]:
    return list(own_data._KEPT)


def test_workers_receive_own_data_through_the_scheduler(workers: Cluster, tmp_path: Path) -> None:
    file = write_data_study(tmp_path, DATA)
    plan, text = load_plan(file)
    assert plan.own is not None
    # Not from the client's disk.
    (tmp_path / "flasks.csv").unlink()
    tables = []
    for name, own in (("here", Here()), ("there", workers)):
        with open_store(tmp_path / name, text, own=plan.own) as store:
            tables.append(run_study(plan, store, own)[0].read_bytes())
    assert tables[0] == tables[1]
    kept: dict[str, list[str]] = workers._client.run(kept_by_worker)
    assert set(map(tuple, kept.values())) == {(plan.own.name,)}


def test_lost_data_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Submitter(Client):
        """A client that notes what is submitted."""

        def __init__(self) -> None:
            self.submitted: list[Any] = []

        def submit(self, function: Any, *given: Any, key: str, pure: bool) -> Future:
            self.submitted.append((function, given))
            return Future(key)

    own = OwnData.of(ArrayTask(flasks()), "x")
    (job,) = jobs()[:1]
    client = Submitter()
    one = Cluster(client)
    (future,) = one._data_of([replace(job, own=own)])
    assert client.submitted == [(cluster.hand_over, (own,))]
    future.status = "finished"
    assert one._data_of([replace(job, own=own)]) == [future]
    future.status = "error"
    assert one._data_of([replace(job, own=own)]) != [future]
    assert len(client.submitted) == 2
    assert one._data_of([job]) == []


def test_every_run_is_returned_exactly_once(workers: Cluster) -> None:
    # More runs than are handed out at a time, each with a different key.
    many = [replace(job, key=f"{job.key}-{number}") for number in range(20) for job in jobs()]
    came = [own for outcomes in workers.run(many) for own in outcomes]
    assert sorted(own.key for own in came) == sorted(job.key for job in many)
    assert len({own.worker for own in came}) == 2


def test_no_runs_give_no_outcomes(workers: Cluster) -> None:
    assert list(workers.run([])) == []


def test_run_that_crashes_its_workers_fails_alone(
    workers: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "evaluate_here", study_plans.deadly)
    # The second run crashes every worker that computes it, and the tasks queued there.
    own = [replace(job, seed=3 if number == 1 else 5) for number, job in enumerate(jobs()[:8])]
    came = [one for outcomes in workers.run(own) for one in outcomes]
    assert {one.key: one.error for one in came} == {
        job.key: "it repeatedly crashed its worker" if job.seed == 3 else "" for job in own
    }
    assert len(came) == len(own)


class Future:
    """A future whose result has arrived and whose worker has died since."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.status = "lost"


class AsCompleted:
    """A stand-in for Dask's `as_completed` that gives every future the result `results`."""

    results: ClassVar[Any] = None

    def __init__(self, **options: bool) -> None:
        assert options == {"with_results": True, "raise_errors": False}
        self.added: list[Future] = []

    def add(self, future: Future) -> None:
        self.added.append(future)

    def next_batch(self, block: bool) -> list[tuple[Future, Any]]:
        added, self.added = self.added, []
        return [(future, self.results) for future in added]


class Client:
    """A stand-in for Dask's client, with one worker."""

    def nthreads(self) -> dict[str, int]:
        return {"tcp://one": 1}

    def submit(self, function: Any, task: list[Job], *, key: str, pure: bool) -> Future:
        return Future(key)


def test_result_is_kept_if_its_worker_dies_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "as_completed", AsCompleted)
    (own,) = jobs()[:1]
    monkeypatch.setattr(AsCompleted, "results", [Outcome(own.key, "", {"bits": 1.0})])
    ((outcome,),) = Cluster(Client()).run([own])
    assert outcome == Outcome(own.key, "", {"bits": 1.0})


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (CancelledError("key"), "the scheduler was lost: run the study again to resume it"),
        ((ImportError, ImportError("No module named 'x'"), None), "a worker failed: No module"),
    ],
)
def test_lost_scheduler_or_bad_worker_raises(
    result: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "as_completed", AsCompleted)
    monkeypatch.setattr(AsCompleted, "results", result)
    with pytest.raises(BitlifError, match=message):
        list(Cluster(Client()).run(jobs()[:1]))


def test_missing_scheduler_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "TIMEOUT", "500ms")
    message = "--scheduler must be the address of a Dask scheduler.* not 'tcp://127.0.0.1:9'"
    with pytest.raises(BitlifError, match=message), open_pool(1, "tcp://127.0.0.1:9"):
        pass


@contextmanager
def process(*arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Dask command in its own process group, which is killed at the end.

    The command can import `study_plans`, whose gate is in the folder of the log.
    """
    found = {
        "PYTHONPATH": str(Path(__file__).parents[2] / "support"),
        study_plans.GATE: str(log.parent),
    }
    with log.open("wb") as file:
        own = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
            stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True,
            env=os.environ | found,
        )  # fmt: skip
    try:
        yield own
    finally:
        if own.poll() is None:
            os.killpg(own.pid, signal.SIGKILL)
        own.wait()


def awaited(path: Path, maker: subprocess.Popen[bytes]) -> str:
    """Wait for a file and return its text."""
    while not path.exists() or not path.read_text():
        assert maker.poll() is None, f"{path.name} did not appear"
        time.sleep(0.05)
    return path.read_text()


LONGER = SMALL.replace("windows = 2", "windows = 40").replace("seeds = [3, 1]", "seeds = [1, 3, 4]")


def test_killed_cluster_worker_loses_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before the kill, each worker returns one task and starts another that it does not finish.
    monkeypatch.setattr(cluster, "evaluate_here", study_plans.gated)
    file = tmp_path / "scheduler.json"
    quiet = ("--no-dashboard", "--nthreads", "1", "--scheduler-file", str(file))
    with (
        process("scheduler", "--port", "0", "--host", "127.0.0.1", "--scheduler-file", str(file),
                "--no-dashboard", log=tmp_path / "scheduler.log") as scheduler,
    ):  # fmt: skip
        address = awaited(file, scheduler).partition('"address": "')[2].partition('"')[0]
        first = process("worker", *quiet, "--local-directory", str(tmp_path / "one"),
                        log=tmp_path / "one.log")  # fmt: skip
        second = process("worker", *quiet, "--local-directory", str(tmp_path / "two"),
                         log=tmp_path / "two.log")  # fmt: skip
        with first as victim, second, open_pool(1, address) as own:
            own._client.wait_for_workers(2, timeout=3600)
            with open_store(tmp_path / "s", LONGER) as store:
                killed = []

                class Watched:
                    def run(self, own_jobs: list[Job]) -> Iterator[list[Outcome]]:
                        for outcomes in own.run(own_jobs):
                            yield outcomes
                            seen = {one.worker for one in store.outcomes.values()}
                            if len(seen) == 2 and not killed:
                                killed.append(len(store.outcomes))
                                os.killpg(victim.pid, signal.SIGKILL)
                                (tmp_path / study_plans.OPEN).touch()

                path, progress = run_study(small(LONGER), store, Watched())  # type: ignore[arg-type]
    assert killed
    assert killed[0] < progress.total
    assert progress.computed == progress.total == 27
    rows = [
        row
        for part in sorted((tmp_path / "s" / "parts").iterdir())
        for row in pq.read_table(part).to_pylist()
    ]
    assert len(rows) == len({row["key"] for row in rows}) == 27
    assert len({row["worker"] for row in rows}) == 2
    with open_store(tmp_path / "here", LONGER) as store:
        assert run_study(small(LONGER), store, Here())[0].read_bytes() == path.read_bytes()


DATA = FLASKS.replace("seeds = [3, 1]", "seeds = [0, 1, 2, 3, 4, 5]").replace(
    "values = [4, 8]", "values = [3, 4, 5, 6, 8]"
)


KILLED = """\
import os, signal, sys
from bitlif.scripts.main import main
from bitlif.study.search.store import Store

add = Store.add


def killed_after(self, outcomes):
    add(self, outcomes)
    if len(self.outcomes) >= 2:
        os.kill(os.getpid(), signal.SIGKILL)


Store.add = killed_after
sys.exit(main(sys.argv[1:]))
"""
"""A command that is killed while other results are on their way."""


def test_killed_study_of_own_data_resumes_to_the_same_table(tmp_path: Path) -> None:
    """A study of own data on two workers is killed and resumed, like one that nobody stopped."""
    source, out = write_data_study(tmp_path, DATA), tmp_path / "s"
    file = tmp_path / "scheduler.json"
    quiet = ("--no-dashboard", "--nthreads", "1", "--scheduler-file", str(file))
    with (
        process("scheduler", "--port", "0", "--host", "127.0.0.1", "--scheduler-file", str(file),
                "--no-dashboard", log=tmp_path / "scheduler.log") as scheduler,
    ):  # fmt: skip
        address = awaited(file, scheduler).partition('"address": "')[2].partition('"')[0]
        command = ["study", str(source), "--out", str(out), "--scheduler", address, "--json"]
        with (
            process("worker", *quiet, "--local-directory", str(tmp_path / "one"),
                    log=tmp_path / "one.log"),
            process("worker", *quiet, "--local-directory", str(tmp_path / "two"),
                    log=tmp_path / "two.log"),
        ):  # fmt: skip
            with DaskClient(address) as client:
                client.wait_for_workers(2, timeout=3600)
            log = tmp_path / "killed.log"
            with log.open("wb") as printed_log:
                killed = subprocess.run(
                    [sys.executable, "-P", "-c", KILLED, *command], stdout=printed_log,
                    stderr=printed_log, stdin=subprocess.DEVNULL, check=False,
                )  # fmt: skip
            assert killed.returncode == -signal.SIGKILL, log.read_text()
            parts = out / "parts"
            before = sum(len(pq.read_table(part)) for part in parts.glob("[0-9]*.parquet"))
            assert 0 < before < 60
            assert not (out / "results.parquet").exists()
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                assert main(command) == 0
    told = json.loads(printed.getvalue())
    assert (told["reused"], told["computed"], told["failed"]) == (before, 60 - before, 0)
    plan, text = load_plan(source)
    with open_store(tmp_path / "here", text, own=plan.own) as store:
        whole = run_study(plan, store, Here())[0].read_bytes()
    assert (out / "results.parquet").read_bytes() == whole
