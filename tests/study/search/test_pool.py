"""Local workers: their results, how they end, and that nobody else can reach them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bitlif.model.errors import BitlifError
from bitlif.study.search import pool
from bitlif.study.search.open_pool import open_pool
from bitlif.study.search.pool import Pool, task_size
from bitlif.study.search.run import run_study
from bitlif.study.search.store import open_store

import deadly_worker
from study_plans import SMALL, Here, jobs, small


@pytest.fixture(scope="module")
def workers() -> Iterator[Pool]:
    with open_pool(2) as own:
        assert isinstance(own, Pool)
        yield own


def replace_workers(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Start `deadly_worker` instead of every worker."""
    monkeypatch.setattr(pool, "COMMAND", (deadly_worker.__file__, what))


def test_workers_give_the_same_table_as_this_process(workers: Pool, tmp_path: Path) -> None:
    tables = []
    for name, own in (("here", Here()), ("there", workers)):
        with open_store(tmp_path / name, SMALL) as store:
            tables.append(run_study(small(), store, own)[0].read_bytes())
    assert tables[0] == tables[1]


def test_every_run_is_returned_exactly_once(workers: Pool) -> None:
    # More runs than are handed out at a time, each with a different key.
    many = [replace(job, key=f"{job.key}-{number}") for number in range(20) for job in jobs()]
    came = [own for outcomes in workers.run(many) for own in outcomes]
    assert sorted(own.key for own in came) == sorted(job.key for job in many)
    assert len({own.worker for own in came}) == 2


def test_no_runs_start_no_workers() -> None:
    with open_pool(2) as own:
        assert isinstance(own, Pool)
        assert list(own.run([])) == []
        assert processes(own) == []


def test_workers_are_at_most_as_many_as_runs() -> None:
    with open_pool(7) as own:
        assert isinstance(own, Pool)
        runs = own.run(jobs()[:2])
        next(runs)
        assert len(processes(own)) == 2


def processes(own: Pool) -> list[int]:
    return [worker.process.pid for worker in own._workers]


@pytest.mark.parametrize("how", ["deadly", "half"])
def test_run_that_crashes_its_workers_fails_alone(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_workers(monkeypatch, how)
    # The second run crashes every worker that computes it.
    own = [replace(job, seed=3 if number == 1 else 5) for number, job in enumerate(jobs())]
    with open_pool(2) as two:
        came = [one for outcomes in two.run(own) for one in outcomes]
    assert {one.key: one.error for one in came} == {
        job.key: "it repeatedly crashed its worker" if job.seed == 3 else "" for job in own
    }
    assert len(came) == len(own)


def test_killed_busy_worker_loses_no_run() -> None:
    own = jobs(SMALL.replace("windows = 2", "windows = 40"))
    with open_pool(2) as two:
        assert isinstance(two, Pool)
        runs = two.run(own)
        came = next(runs)
        # Both workers are busy: each gets its next task before outcomes are yielded.
        victim = next(worker for worker in two._workers if worker.task and worker.ready)
        os.kill(victim.process.pid, signal.SIGKILL)
        came += [one for outcomes in runs for one in outcomes]
    assert sorted(one.key for one in came) == sorted(job.key for job in own)
    assert {one.key for one in came if one.error == pool.CRASHED} == set()


def test_killed_idle_worker_is_replaced(workers: Pool) -> None:
    assert len(list(workers.run(jobs()[:2]))) >= 1
    for pid in processes(workers):
        os.kill(pid, signal.SIGKILL)
    came = [one for outcomes in workers.run(jobs()[:4]) for one in outcomes]
    assert len(came) == 4
    assert pool.CRASHED not in {one.error for one in came}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("other", "a worker has another version of bitlif"),
        ("lacking", "^a worker failed: No module named 'x"),
        ("stillborn", r"^3 workers ended before they were ready, the last with exit status 7$"),
    ],
)
def test_unusable_workers_raise(what: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_workers(monkeypatch, what)
    with open_pool(1) as own, pytest.raises(BitlifError, match=message):
        list(own.run([replace(job, seed=1) for job in jobs()]))


def test_abandoned_runs_do_not_reach_the_next_study(workers: Pool) -> None:
    first = workers.run(jobs())
    next(first)
    first.close()  # type: ignore[attr-defined]
    other = [replace(job, key=f"{job.key}-again") for job in jobs()]
    came = [one.key for outcomes in workers.run(other) for one in outcomes]
    assert sorted(came) == sorted(job.key for job in other)


def sockets_of(pid: int) -> set[str]:
    """Return the inodes of the sockets of a process."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = ""
        with contextlib.suppress(FileNotFoundError):  # the descriptor of this listing
            target = str(link.readlink())
        if target.startswith("socket:"):
            found.add(target[len("socket:[") : -1])
    return found


def reachable_sockets() -> dict[str, str]:
    """Return every socket with an address, to which another process could connect or send."""
    found = {}
    for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        table = Path("/proc/net") / kind
        if table.exists():
            for line in table.read_text().splitlines()[1:]:
                found[line.split()[9]] = f"{kind} {line.split()[1]}"
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7:
            found[fields[6]] = f"unix {fields[7]}"
    return found


def test_no_socket_of_a_study_has_an_address() -> None:
    before = sockets_of(os.getpid())
    with open_pool(2) as own:
        assert isinstance(own, Pool)
        runs = own.run(jobs())
        next(runs)
        ours = sockets_of(os.getpid()) - before
        theirs = [sockets_of(pid) for pid in processes(own)]
        named = reachable_sockets()
        # One pipe per worker, with one end in each process.
        assert len(ours) == 2
        assert [len(inodes) for inodes in theirs] == [1, 1]
        assert [named[own] for own in ours.union(*theirs) if own in named] == []


def test_code_in_the_current_directory_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bitlif", "multiprocessing", "numpy", "numba", "pickle", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open('{name} was run', 'w')")
    monkeypatch.chdir(tmp_path)
    with open_pool(1) as own:
        assert len([one for outcomes in own.run(jobs()[:2]) for one in outcomes]) == 2
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".py"] * 6


ORPHAN = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[2] / "support")!r})
from bitlif.study.search.open_pool import open_pool
from study_plans import SMALL, jobs
long = jobs(SMALL.replace("windows = 2", "windows = 1000000"))
with open_pool(1) as own:
    # The second, long run is handed out before the first outcome is yielded.
    runs = own.run([jobs()[0], long[0]])
    next(runs)
    print(own._workers[0].process.pid, flush=True)
    time.sleep(1000)
"""


def test_workers_end_with_their_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE) as own:
        assert own.stdout is not None
        worker = os.pidfd_open(int(own.stdout.readline()))
        own.kill()
        own.wait()
    # The descriptor becomes readable when the worker has ended.
    select.select([worker], [], [])
    os.close(worker)


def test_short_runs_are_grouped_into_tasks() -> None:
    assert task_size([]) == 1
    assert task_size([9.0, 0.2, 0.2]) == 5
    assert task_size([30.0, 40.0]) == 1
    assert task_size([1e-6] * 5) == 32
