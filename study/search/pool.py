"""Workers of this machine: processes that only this one can reach, each through its own pipe.

Nothing listens: no port, no named socket. A run whose worker dies runs once more after all else,
alone: what then takes one worker after another with it is to blame, and is recorded as failed.
"""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from typing import TYPE_CHECKING, Any

from bitlif.model.errors import BitlifError

from .evaluate import Job, Outcome, results_stamp

if TYPE_CHECKING:
    pass

TASK_SECONDS = 1.0
"""About how long a task is: several short runs go out together, for to hand out one costs time.
What a study that is killed has to compute again is never more than its tasks."""

MOST_RUNS = 32
"""Of a task."""

DEATHS = 3
"""Workers that a run may end, alone, before it is recorded as failed; and workers that may end one
after another before they were ready."""

KILLED = "its workers died of it"
"""The error of such a run."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

COMMAND = ("-P", "-m", "bitlif.study.search.worker")
"""What Python is started with; -P: what lies in the current directory is not imported."""


class _Worker:
    """A process, and the task that it has."""

    def __init__(self) -> None:
        self.ready = False
        self.task: list[Job] = []
        self.channel: Connection[list[Job], Any]
        self.channel, theirs = Pipe()
        flags = [
            flag
            for flag, given in (
                ("-I", sys.flags.isolated),
                ("-E", sys.flags.ignore_environment),
                ("-s", sys.flags.no_user_site),
            )
            if given
        ]
        try:
            self.process = subprocess.Popen(
                [sys.executable, *flags, *COMMAND, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | ONE_THREAD,
            )
        except BaseException:
            self.channel.close()
            raise
        finally:
            theirs.close()

    def give(self, task: list[Job]) -> None:
        self.task = task
        # If it is dead its end of the pipe is closed, which `wait` tells.
        with contextlib.suppress(OSError):
            self.channel.send(task)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.channel.close()


class _Tasks:
    """Runs that are to be computed, and how they are shared out."""

    def __init__(self, jobs: Sequence[Job], threads: int) -> None:
        self._threads = threads
        self._waiting = collections.deque(jobs)
        self._suspects: collections.deque[Job] = collections.deque()
        self._deaths: dict[str, int] = {}
        self._pace: collections.deque[float] = collections.deque(maxlen=4 * MOST_RUNS)

    def next(self, *, alone: bool) -> list[Job]:
        """Return the next task, none if there is none yet; `alone`: nothing else is computed."""
        if self._waiting:
            # The last ones are shared out evenly.
            most = min(runs_of_a_task(self._pace), -(-len(self._waiting) // self._threads))
            return [self._waiting.popleft() for _ in range(most)]
        return [self._suspects.popleft()] if self._suspects and alone else []

    def came(self, outcomes: Sequence[Outcome]) -> None:
        self._pace.extend(own.seconds for own in outcomes)

    def not_begun(self, task: Sequence[Job]) -> None:
        self._waiting.extendleft(reversed(task))

    def died(self, task: Sequence[Job]) -> list[Outcome]:
        """Take back what a worker died with; return what is given up."""
        for job in task:
            # The first time others may be to blame: those of its task, or of other workers.
            self._deaths[job.key] = self._deaths.get(job.key, -1) + 1
        self._suspects.extend(job for job in task if self._deaths[job.key] < DEATHS)
        return [Outcome(job.key, KILLED) for job in task if self._deaths[job.key] == DEATHS]


class Pool:
    """Workers that are started when there is work for them.

    Parameters
    ----------
    threads : int
        How many, at least 1.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._workers: list[_Worker] = []
        self._stillborn = 0

    def run(self, jobs: Sequence[Job]) -> Iterator[list[Outcome]]:
        """Yield outcomes as they come, all that came at one time together.

        Raises
        ------
        BitlifError
            If workers cannot be started, lack a package, or have another version than this
            process.
        """
        tasks = _Tasks(jobs, self.threads)
        try:
            self._hand_out(tasks)
            while going := [own for own in self._workers if own.task]:
                ready = wait([own.channel for own in going])
                outcomes: list[Outcome] = []
                for worker in going:
                    if worker.channel in ready:
                        outcomes += self._receive(worker, tasks)
                for own in outcomes:
                    require_same_version(own)
                tasks.came(outcomes)
                # No worker waits while these are kept.
                self._hand_out(tasks)
                if outcomes:
                    yield outcomes
        finally:
            for worker in [own for own in self._workers if own.task]:
                self._drop(worker)

    def _hand_out(self, tasks: _Tasks) -> None:
        """Give a task to every worker that has none; start those that are not there yet."""
        while (busy := sum(bool(own.task) for own in self._workers)) < self.threads:
            task = tasks.next(alone=not busy)
            if not task:
                return
            if busy == len(self._workers):
                with _interrupts_kept():
                    self._workers.append(_Worker())
            next(own for own in self._workers if not own.task).give(task)

    def _receive(self, worker: _Worker, tasks: _Tasks) -> list[Outcome]:
        """Return what a worker, or its death, has to say."""
        try:
            answer = worker.channel.recv()
        except (EOFError, OSError):  # of a worker that is dead, perhaps since it began to answer
            self._drop(worker)
            if worker.ready:
                return tasks.died(worker.task)
            self._stillborn += 1
            if self._stillborn == DEATHS:
                raise BitlifError(_ended(worker)) from None
            tasks.not_begun(worker.task)
            return []
        if isinstance(answer, str):
            raise BitlifError(f"a worker failed: {answer}")
        worker.ready, self._stillborn = True, 0
        if answer is None:
            return []
        worker.task = []
        outcomes: list[Outcome] = answer
        return outcomes

    def _drop(self, worker: _Worker) -> None:
        worker.close()
        self._workers.remove(worker)

    def close(self) -> None:
        """End all workers. Idempotent."""
        for worker in list(self._workers):
            self._drop(worker)


def _ended(worker: _Worker) -> str:
    code = worker.process.returncode
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    return f"{DEATHS} workers ended before they were ready, the last one with {how}"


def runs_of_a_task(pace: Sequence[float]) -> int:
    """Return how many runs last about as long as a task should, by how long others took."""
    if not pace:
        return 1
    # The median: a first run may have waited for the engine to be compiled.
    return max(1, min(MOST_RUNS, int(TASK_SECONDS / max(statistics.median(pace), 1e-3))))


def require_same_version(outcome: Outcome) -> None:
    """Raise unless an outcome was computed with the sources of this process."""
    if outcome.stamp not in ("", results_stamp()):
        raise BitlifError(
            "a worker has another version of bitlif, whose results may differ: install the "
            "same one there"
        )


@contextlib.contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Keep interrupts from a process that is started meanwhile, and from this one until then.

    A terminal interrupts all processes of a command. The workers are to end when this process ends
    them, not each with a traceback of its own; a signal that is blocked as a process starts is
    blocked in it for good.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
