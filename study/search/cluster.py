"""Workers of an existing Dask cluster.

Dask moves a run to another worker when its worker dies, and gives up after several deaths. Runs
that were given up are repeated one at a time after all others. A run that then crashes its workers
again is recorded as failed.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any

import distributed
from distributed import Client, as_completed

from bitlif.model.errors import BitlifError
from bitlif.model.text import quoted

from .evaluate import Job, Outcome, evaluate
from .own_data import OwnData, keep
from .pool import CRASHED, MAX_RUNS, require_same_version, task_size

TASKS_PER_THREAD = 3
"""Tasks that are queued per thread, so that no thread waits for its next task."""

TIMEOUT = "20s"
"""Time for a scheduler to answer."""


class Cluster:
    """The workers of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
        An open connection to the scheduler.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sent: dict[str, Any] = {}

    @property
    def threads(self) -> int:
        """Number of runs that are computed at the same time, at least 1."""
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def run(self, jobs: Sequence[Job]) -> Iterator[list[Outcome]]:
        """Yield outcomes as they arrive; those that arrive together are in one list.

        Raises
        ------
        BitlifError
            If the scheduler is lost, or a worker lacks a package or has another version of bitlif.
        """
        waiting = collections.deque(jobs)
        suspects: collections.deque[Job] = collections.deque()
        running: dict[str, tuple[list[Job], bool]] = {}
        arriving = as_completed(with_results=True, raise_errors=False)
        durations: collections.deque[float] = collections.deque(maxlen=4 * MAX_RUNS)

        def submit(task: list[Job], alone: bool) -> None:
            # Not pure: Dask must not take a repeated run for the earlier one.
            key = f"{task[0].key}-{'alone' if alone else len(task)}"
            running[key] = task, alone
            data = self._data_of(task)
            given = ([job.bare() for job in task], data) if data else (task,)
            arriving.add(self._client.submit(evaluate_here, *given, key=key, pure=False))

        def refill() -> None:
            threads = self.threads
            while waiting and len(running) < TASKS_PER_THREAD * threads:
                # The last runs are divided evenly.
                most = min(task_size(durations), -(-len(waiting) // threads))
                submit([waiting.popleft() for _ in range(most)], False)
            if suspects and not running:
                submit([suspects.popleft()], True)

        refill()
        while running:
            outcomes: list[Outcome] = []
            for future, result in arriving.next_batch(block=True):
                # The result is kept even if the future is lost: a worker may have died right after
                # it returned the result.
                task, alone = running.pop(future.key)
                if isinstance(result, list):
                    outcomes += result
                elif isinstance(result, CancelledError):
                    raise BitlifError("the scheduler was lost: run the study again to resume it")
                elif not isinstance(result[1], distributed.KilledWorker):
                    raise BitlifError(f"a worker failed: {result[1]}")
                elif alone:
                    outcomes.append(Outcome(task[0].key, CRASHED))
                else:
                    # Another run on the same worker may have caused the crash.
                    suspects += task
            for outcome in outcomes:
                require_same_version(outcome)
                durations.append(outcome.seconds)
            refill()
            if outcomes:
                yield outcomes

    def _data_of(self, task: Sequence[Job]) -> list[Any]:
        """Return the data of jobs as Dask's futures, which each worker fetches once.

        The data are the result of a task of their own, not scattered: the scheduler keeps the task,
        so that data whose workers have died are made again on another one.
        """
        needed = {job.own.digest: job.own for job in task if job.own is not None}
        for digest, own in needed.items():
            known = self._sent.get(digest)
            if known is None or known.status in ("error", "cancelled", "lost"):
                # Not the digest alone: the result of another client's task might be an error.
                key = f"bitlif-data-{digest[:16]}-{uuid.uuid4().hex}"
                self._sent[digest] = self._client.submit(hand_over, own, key=key, pure=False)
        return [self._sent[digest] for digest in needed]


def hand_over(own: OwnData) -> OwnData:
    """Return own data: the task whose result the tasks of a study share."""
    return own


def evaluate_here(jobs: Sequence[Job], data: Sequence[OwnData] = ()) -> list[Outcome]:
    """Evaluate jobs on a Dask worker and add its address to the outcomes."""
    for own in data:
        keep(own)
    address = distributed.get_worker().address
    return [replace(evaluate(job), worker=address) for job in jobs]


@contextlib.contextmanager
def open_cluster(scheduler: str) -> Iterator[Cluster]:
    """Connect to the cluster of a scheduler.

    Raises
    ------
    BitlifError
        If no scheduler answers at the address.
    """
    # Dask logs every worker that ends, which a study handles itself.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(scheduler, timeout=TIMEOUT)
    except (OSError, ValueError, TimeoutError) as error:
        raise BitlifError(
            f"--scheduler must be the address of a Dask scheduler, such as tcp://localhost:8786, "
            f"not {quoted(scheduler)}: no answer"
        ) from error
    with client:
        yield Cluster(client)
