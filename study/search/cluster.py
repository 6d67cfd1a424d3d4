"""Workers of a Dask cluster that is there already.

Dask gives a run to another worker when one dies, and gives it up when several died. What was given
up runs once more after all else, alone: what then takes one worker after another with it is to
blame, and is recorded as failed.
"""

from __future__ import annotations

import collections
import contextlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace

import distributed
from distributed import Client, as_completed

from bitlif.model.errors import BitlifError
from bitlif.model.text import quoted

from .evaluate import Job, Outcome, evaluate
from .pool import KILLED, MOST_RUNS, require_same_version, runs_of_a_task

AHEAD = 3
"""Tasks that are handed out for each thread, so that none waits for its next one."""

TIMEOUT = "20s"
"""For a scheduler to answer."""


class Cluster:
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
                most = min(runs_of_a_task(pace), -(-len(waiting) // threads))
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
                    outcomes.append(Outcome(task[0].key, KILLED))
                else:
                    # Others of the same workers may be to blame.
                    suspects += task
            for own in outcomes:
                require_same_version(own)
                pace.append(own.seconds)
            refill()
            if outcomes:
                yield outcomes


def evaluate_here(jobs: Sequence[Job]) -> list[Outcome]:
    """Return what came of jobs, and on which worker."""
    address = distributed.get_worker().address
    return [replace(evaluate(job), worker=address) for job in jobs]


@contextlib.contextmanager
def open_cluster(scheduler: str) -> Iterator[Cluster]:
    """Use the cluster of the scheduler at an address.

    Raises
    ------
    BitlifError
        If no scheduler answers there.
    """
    # Workers that end are the study's everyday business, not news.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(scheduler, timeout=TIMEOUT)
    except (OSError, ValueError, TimeoutError) as error:
        raise BitlifError(
            f"--scheduler must be the address of a Dask scheduler, as in tcp://localhost:8786, "
            f"not {quoted(scheduler)}: none answers there"
        ) from error
    with client:
        yield Cluster(client)
