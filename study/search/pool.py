"""Worker processes on this machine, each of which is connected by a pipe.

Nothing listens on a port or a named socket. If a worker dies, its runs are repeated one at a time
after all others. A run that then repeatedly crashes its worker is recorded as failed.
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
from typing import Any

from bitlif.model.errors import BitlifError

from .evaluate import Job, Outcome, results_stamp

TASK_SECONDS = 1.0
"""Target duration of a task. Handing out a task takes time, so short runs are grouped. A study that
is killed loses at most the tasks in progress."""

MAX_RUNS = 32
"""Most runs of a task."""

MAX_CRASHES = 3
"""Workers that a run may crash alone before it is recorded as failed, and workers that may end one
after another before they are ready."""

CRASHED = "it repeatedly crashed its worker"
"""Error of a run that crashed too many workers."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

COMMAND = ("-P", "-m", "bitlif.study.search.worker")
"""Arguments of Python; -P prevents imports from the current directory."""


class _Worker:
    """A worker process and its current task."""

    def __init__(self) -> None:
        self.ready = False
        self.task: list[Job] = []
        self.sent: set[str] = set()
        self.channel: Connection[Any, Any]
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

    def send(self, task: list[Job]) -> None:
        """Give the worker a task, which it gets as soon as it is ready."""
        self.task = task
        if self.ready:
            self.transmit()

    def transmit(self) -> None:
        """Send the task to the worker, after its data unless the worker has them.

        Only to a worker that is ready: large data would block this process until it reads them.
        """
        # A dead worker has closed its end of the pipe, which `wait` reports.
        with contextlib.suppress(OSError):
            for job in self.task:
                if job.own is not None and job.own.digest not in self.sent:
                    self.channel.send(job.own)
                    self.sent.add(job.own.digest)
            self.channel.send([job.bare() for job in self.task])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.channel.close()


class _Tasks:
    """The queue of runs, which are handed out as tasks."""

    def __init__(self, jobs: Sequence[Job], workers: int) -> None:
        self._workers = workers
        self._waiting = collections.deque(jobs)
        self._suspects: collections.deque[Job] = collections.deque()
        self._crashes: dict[str, int] = {}
        self._durations: collections.deque[float] = collections.deque(maxlen=4 * MAX_RUNS)

    def next(self, *, alone: bool) -> list[Job]:
        """Return the next task, or an empty list; `alone` says that no other task is running."""
        if self._waiting:
            # The last runs are divided evenly.
            most = min(task_size(self._durations), -(-len(self._waiting) // self._workers))
            return [self._waiting.popleft() for _ in range(most)]
        return [self._suspects.popleft()] if self._suspects and alone else []

    def record_durations(self, outcomes: Sequence[Outcome]) -> None:
        self._durations.extend(outcome.seconds for outcome in outcomes)

    def requeue(self, task: Sequence[Job]) -> None:
        self._waiting.extendleft(reversed(task))

    def record_crash(self, task: Sequence[Job]) -> list[Outcome]:
        """Take back the task of a dead worker; return the failures of runs that are given up."""
        for job in task:
            # The first crash is not counted: another run of the task may have caused it.
            self._crashes[job.key] = self._crashes.get(job.key, -1) + 1
        self._suspects.extend(job for job in task if self._crashes[job.key] < MAX_CRASHES)
        return [Outcome(job.key, CRASHED) for job in task if self._crashes[job.key] == MAX_CRASHES]


class Pool:
    """Worker processes, which are started on demand.

    Parameters
    ----------
    size : int
        Largest number of workers, at least 1.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def run(self, jobs: Sequence[Job]) -> Iterator[list[Outcome]]:
        """Yield outcomes as they arrive; those that arrive together are in one list.

        Raises
        ------
        BitlifError
            If workers cannot be started, lack a package, or have another version of bitlif.
        """
        tasks = _Tasks(jobs, self.size)
        try:
            self._hand_out(tasks)
            while busy := [one for one in self._workers if one.task]:
                ready = wait([one.channel for one in busy])
                outcomes: list[Outcome] = []
                for worker in busy:
                    if worker.channel in ready:
                        outcomes += self._receive(worker, tasks)
                for outcome in outcomes:
                    require_same_version(outcome)
                tasks.record_durations(outcomes)
                # Workers continue while the caller stores the outcomes.
                self._hand_out(tasks)
                if outcomes:
                    yield outcomes
        finally:
            for worker in [candidate for candidate in self._workers if candidate.task]:
                self._drop(worker)

    def _hand_out(self, tasks: _Tasks) -> None:
        """Send a task to every idle worker, and start workers up to the size of the pool."""
        while (busy := sum(bool(candidate.task) for candidate in self._workers)) < self.size:
            task = tasks.next(alone=not busy)
            if not task:
                return
            if busy == len(self._workers):
                with _interrupts_blocked():
                    self._workers.append(_Worker())
            next(candidate for candidate in self._workers if not candidate.task).send(task)

    def _receive(self, worker: _Worker, tasks: _Tasks) -> list[Outcome]:
        """Return the outcomes from a worker that answered or died."""
        try:
            answer = worker.channel.recv()
        except (EOFError, OSError):  # a dead worker, perhaps in the middle of an answer
            self._drop(worker)
            if worker.ready:
                return tasks.record_crash(worker.task)
            self._failed_starts += 1
            if self._failed_starts == MAX_CRASHES:
                raise BitlifError(_startup_error(worker)) from None
            tasks.requeue(worker.task)
            return []
        if isinstance(answer, str):
            raise BitlifError(f"a worker failed: {answer}")
        worker.ready, self._failed_starts = True, 0
        if answer is None:
            worker.transmit()
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


def _startup_error(worker: _Worker) -> str:
    code = worker.process.returncode
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    return f"{MAX_CRASHES} workers ended before they were ready, the last with {how}"


def task_size(durations: Sequence[float]) -> int:
    """Return how many runs fit into a task, given the `durations` of earlier runs in seconds."""
    if not durations:
        return 1
    # The median excludes a first run that waited for the engine to be compiled.
    return max(1, min(MAX_RUNS, int(TASK_SECONDS / max(statistics.median(durations), 1e-3))))


def require_same_version(outcome: Outcome) -> None:
    """Raise unless an outcome was computed with the sources of this process."""
    if outcome.stamp not in ("", results_stamp()):
        raise BitlifError(
            "a worker has another version of bitlif, whose results may differ: install the same "
            "version there"
        )


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block SIGINT in this process, and permanently in processes that it starts meanwhile.

    A terminal interrupts all processes of a command. Workers ignore this and end when this process
    ends them, without tracebacks. Systems without signal masks, such as Windows, skip this.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
