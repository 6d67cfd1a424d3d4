"""Workers: processes of this machine, or those of a Dask cluster that is there already.

Either way they are Dask's, which gives a run to another worker when one dies. A run that takes one
worker after another with it is in the end recorded as failed.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import dask
import distributed
from distributed import Client, LocalCluster, as_completed

from bitlif.model.engine import source_stamp
from bitlif.model.errors import BitlifError

from .evaluate import Job, Outcome, evaluate

AHEAD = 8
"""Runs that are handed out for each thread, so that none waits for its next one."""

ATTEMPTS = 3
"""How often a run is given out anew after Dask gave it up, whose workers died of it (or were
killed in it) four times over."""

WORKERS = {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1}
"""Environment of the workers started here: one thread each. Dask's own also makes the allocator
give every large array back to the system at once, which took a fifth of the time."""

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
        return max(1, sum(self._client.nthreads().values()))

    def run(self, jobs: Sequence[Job]) -> Iterator[list[Outcome]]:
        """Yield outcomes as they come, all that came at one time together.

        Raises
        ------
        BitlifError
            If the scheduler is lost, a worker lacks a package, or has another model than this
            process.
        """
        waiting = iter(jobs)
        going: dict[str, tuple[Job, int]] = {}
        arriving = as_completed(with_results=True, raise_errors=False)

        def submit(job: Job, attempt: int) -> None:
            # Not pure, so that a run which is given out anew is not taken for the one before.
            future = self._client.submit(evaluate_here, job, key=f"{job.key}-{attempt}", pure=False)
            going[future.key] = job, attempt
            arriving.add(future)

        def refill() -> None:
            room = AHEAD * self.threads - len(going)
            for job in itertools.islice(waiting, max(0, room)):
                submit(job, 0)

        refill()
        while going:
            outcomes = []
            for future, result in arriving.next_batch(block=True):
                job, attempt = going.pop(future.key)
                if future.status == "finished":
                    _require_same_model(result)
                    outcomes.append(result)
                elif future.status == "cancelled":
                    raise BitlifError("the scheduler was lost: run the study again to go on")
                elif isinstance(_reason(result), distributed.KilledWorker):
                    if attempt + 1 < ATTEMPTS:
                        submit(job, attempt + 1)
                    else:
                        outcomes.append(Outcome(job.key, "its workers died, again and again"))
                else:
                    raise BitlifError(f"a worker failed: {_reason(result)}")
            refill()
            if outcomes:
                yield outcomes


def evaluate_here(job: Job) -> Outcome:
    """Return what came of a job, and on which worker."""
    return replace(evaluate(job), worker=distributed.get_worker().address)


def _reason(result: Any) -> BaseException:
    """Return the exception in what Dask gives for a run that it could not finish."""
    reason: BaseException = result[1] if isinstance(result, tuple) else result
    return reason


def _require_same_model(outcome: Outcome) -> None:
    if outcome.stamp != source_stamp():
        raise BitlifError(
            "a worker has another version of the model, whose results may differ: install the "
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
            stack.enter_context(dask.config.set({"distributed.nanny.pre-spawn-environ": WORKERS}))
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address=None,
                    worker_dashboard_address=None,
                    local_directory=folder,
                    memory_limit=0,
                )
            )
            client = stack.enter_context(Client(cluster))
        yield Pool(client)
