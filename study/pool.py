"""Workers: processes of this machine, or those of a Dask cluster that is there already.

Either way they are Dask's, which gives a run to another worker when one dies, and gives it up when
several died. What was given up runs once more after all else, alone: what then takes one worker
after another with it is to blame, and is recorded as failed.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import signal
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from multiprocessing import resource_tracker

import dask
import distributed
from distributed import Client, LocalCluster, as_completed

from bitlif.model.errors import BitlifError

from .evaluate import Job, Outcome, evaluate, results_stamp

AHEAD = 3
"""Tasks that are handed out for each thread, so that none waits for its next one."""

TASK_SECONDS = 1.0
"""About how long a task is: several short runs go out together, for to hand out one costs as much
as a tenth of it. What a study that is killed has to compute again is never more than its tasks."""

MOST_RUNS = 32
"""Of a task."""

LOCAL = {
    # Dask's own environment also makes the allocator give every large array back to the system at
    # once, which took a fifth of the time.
    "distributed.nanny.pre-spawn-environ": {
        "OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1,
    },
    # Nobody looks at a local cluster's profiles and delays, which are sampled 50 times a second.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
}  # fmt: skip
"""Dask's settings where the workers are started here."""

TIMEOUT = "20s"
"""For a scheduler to answer."""


class Pool:
    """Workers that runs are given to.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def threads(self) -> int:
        """Runs that are computed at one time, at least 1."""
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def run(self, jobs: Sequence[Job]) -> Iterator[list[Outcome]]:
        """Yield outcomes as they come, all that came at one time together.

        Raises
        ------
        BitlifError
            If the scheduler is lost, a worker lacks a package, or has another version than this
            process.
        """
        waiting = collections.deque(jobs)
        suspects: collections.deque[Job] = collections.deque()
        going: dict[str, tuple[list[Job], bool]] = {}
        arriving = as_completed(with_results=True, raise_errors=False)
        pace: collections.deque[float] = collections.deque(maxlen=4 * MOST_RUNS)

        def submit(task: list[Job], alone: bool) -> None:
            # Not pure, so that a run which is given out anew is not taken for the one before.
            key = f"{task[0].key}-{'alone' if alone else len(task)}"
            going[key] = task, alone
            arriving.add(self._client.submit(evaluate_here, task, key=key, pure=False))

        def refill() -> None:
            threads = self.threads
            while waiting and len(going) < AHEAD * threads:
                # The last ones are shared out evenly.
                most = min(_runs_of_a_task(pace), -(-len(waiting) // threads))
                submit([waiting.popleft() for _ in range(most)], False)
            if suspects and not going:
                submit([suspects.popleft()], True)

        refill()
        while going:
            outcomes: list[Outcome] = []
            for future, result in arriving.next_batch(block=True):
                # What came counts, not the future's status: that is "lost" already where a worker
                # died right after it had handed in.
                task, alone = going.pop(future.key)
                if isinstance(result, list):
                    outcomes += result
                elif isinstance(result, CancelledError):
                    raise BitlifError("the scheduler was lost: run the study again to go on")
                elif not isinstance(result[1], distributed.KilledWorker):
                    raise BitlifError(f"a worker failed: {result[1]}")
                elif alone:
                    outcomes.append(Outcome(task[0].key, "its workers died of it"))
                else:
                    # Others of the same workers may be to blame.
                    suspects += task
            for own in outcomes:
                _require_same_version(own)
                pace.append(own.seconds)
            refill()
            if outcomes:
                yield outcomes


def _runs_of_a_task(pace: Sequence[float]) -> int:
    """Return how many runs last about as long as a task should, by how long others took."""
    if not pace:
        return 1
    # The median: a first run may have waited for the engine to be compiled.
    return max(1, min(MOST_RUNS, int(TASK_SECONDS / max(statistics.median(pace), 1e-3))))


def evaluate_here(jobs: Sequence[Job]) -> list[Outcome]:
    """Return what came of jobs, and on which worker."""
    address = distributed.get_worker().address
    return [replace(evaluate(job), worker=address) for job in jobs]


def _require_same_version(outcome: Outcome) -> None:
    if outcome.stamp not in ("", results_stamp()):
        raise BitlifError(
            "a worker has another version of bitlif, whose results may differ: install the "
            "same one there"
        )


@contextlib.contextmanager
def open_pool(workers: int, scheduler: str = "") -> Iterator[Pool]:
    """Start `workers` processes, or use the cluster of the scheduler at an address.

    Raises
    ------
    BitlifError
        If no scheduler answers there.
    """
    # Workers that end are the study's everyday business, not news.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        if scheduler:
            try:
                client = stack.enter_context(Client(scheduler, timeout=TIMEOUT))
            except (OSError, ValueError, TimeoutError) as error:
                raise BitlifError(
                    f"--scheduler must be the address of a Dask scheduler, as in "
                    f"tcp://localhost:8786, not '{scheduler}': none answers there"
                ) from error
        else:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="bitlif-study-", ignore_cleanup_errors=True)
            )
            stack.enter_context(dask.config.set(LOCAL))
            with _interrupts_kept():
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    worker_dashboard_address=None,
                    local_directory=folder,
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                )
            stack.enter_context(cluster)
            client = stack.enter_context(Client(cluster))
        yield Pool(client)


@contextlib.contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Keep interrupts from whatever is started meanwhile, and for afterwards from this thread.

    A terminal interrupts all processes of a command. The workers are to end when this process ends
    them, not each with a traceback of its own; a signal that is blocked as a thread or a process
    starts is blocked in it for good, and in the workers that Dask's threads start later, too.
    """
    # Its first start would unblock them again in the thread that starts a worker.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
