"""A worker of `bitlif.study.search.pool` that misbehaves as a test requests."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace

from bitlif.study.search import evaluate
from bitlif.study.search.evaluate import Job, Outcome
from bitlif.study.search.worker import main


def deadly(job: Job) -> Outcome:
    """End this process for every run of seed 3."""
    if job.seed == 3:
        os._exit(1)
    return Outcome(job.key, "", {"bits": float(job.seed)})


def half(job: Job) -> Outcome:
    """End this process in the middle of an answer for every run of seed 3."""
    if job.seed == 3:
        os.write(int(sys.argv[2]), (1000).to_bytes(4, "big") + b"only this")
    return deadly(job)


def other(job: Job) -> Outcome:
    """Return an outcome of other sources."""
    return replace(deadly(job), stamp="another")


def lacking(job: Job) -> Outcome:
    """Raise as for a missing package."""
    raise ImportError(f"No module named 'x{job.seed}'")


_begun: list[Job] = []
_evaluate = evaluate.evaluate


def stuck(job: Job) -> Outcome:
    """Compute one run and never finish the next."""
    _begun.append(job)
    while len(_begun) > 1:
        signal.pause()
    return _evaluate(job)


if __name__ == "__main__":
    if sys.argv[1] == "stillborn":
        sys.exit(7)
    evaluate.evaluate = globals()[sys.argv[1]]
    main(int(sys.argv[2]))
