"""Small studies for tests, and workers within this process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bitlif.study.search.evaluate import Job, Outcome, evaluate
from bitlif.study.search.plan import Plan, parse_plan
from bitlif.study.search.run import jobs_of
from bitlif.study.search.search import make_search

SMALL = """\
name = "small"
config = "teacher"
task = "teacher"
windows = 2
seeds = [3, 1]
objectives = ["correlation", "bits"]

[set]
"window.steps" = 40
"layer.inputs" = 8

[[axis]]
field = "synapse.weight.bits"
values = [6, 8, 12]

[[axis]]
field = "noise.words"
values = [2, 4, 12]
"""
"""Nine points that take milliseconds. Twelve words of eight bits exceed the LFSR and fail."""

GUIDED = (
    SMALL.replace("values = [2, 4, 12]", "low = 1\nhigh = 8")
    + '\n[[axis]]\nfield = "schedule.sigma"\nlow = 0.05\nhigh = 0.5\nlog = true\n'
).replace("seeds = ", 'search = "guided"\npoints = 20\nbatch = 6\nseed = 7\nseeds = ')


def small(text: str = SMALL) -> Plan:
    """Return the plan of a small study file."""
    return parse_plan(text, "small")


def jobs(text: str = SMALL) -> list[Job]:
    """Return all runs of a small study."""
    plan = small(text)
    return [job for point in next(make_search(plan).batches()) for job in jobs_of(plan, point)]


class Here:
    """Workers within this process, which raise KeyboardInterrupt after a number of runs."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.computed: list[str] = []

    def run(self, jobs: Sequence[Job]) -> Iterator[list[Outcome]]:
        """Yield outcomes one by one in reverse order."""
        for job in reversed(jobs):
            if self.most is not None and len(self.computed) >= self.most:
                raise KeyboardInterrupt
            self.computed.append(job.key)
            yield [evaluate(job)]


def deadly(jobs: Sequence[Job]) -> list[Outcome]:
    """Return outcomes as a worker does, but end its process for every run of seed 3."""
    if any(job.seed == 3 for job in jobs):
        os._exit(1)
    return [Outcome(job.key, "", {"bits": float(job.seed)}) for job in jobs]


GATE, OPEN = "BITLIF_TEST_GATE", "open"
"""Variable that names the folder of the gate, and the file there that opens it."""

_passed: list[Job] = []


def gated(jobs: Sequence[Job]) -> list[Outcome]:
    """Return outcomes as a Dask worker does; the second task waits until the gate is open.

    What is computed again by the worker that is left does not wait: the gate is open by then.
    """
    from bitlif.study.search.cluster import evaluate_here

    gate = Path(os.environ[GATE]) / OPEN
    while _passed and not gate.exists():
        time.sleep(0.02)
    _passed.extend(jobs)
    return evaluate_here(jobs)


NETWORK = """\
name = "small-network"

[window]
steps = 64

[[layer]]
inputs = 40
neurons = 8
lanes = 2

[[layer]]
neurons = 3
"""
"""A small network for the patterns."""

NETWORK_STUDY = """\
name = "small-network"
config = "network.toml"
task = "patterns"
epochs = 1
seeds = [2, 0]
objectives = ["accuracy", "hidden_spikes"]

[set]
"layer.*.sweep.current.bits" = 8

[[axis]]
field = "layer.0.sweep.update"
values = ["window", "spike"]

[[axis]]
field = "layer.1.synapse.weight.bits"
values = [4, 10]
"""
"""Four points of that network, without estimates of gates."""


def network_study(folder: Path, text: str = NETWORK_STUDY) -> Plan:
    """Write a small network to a folder, and return the plan of a study of it."""
    (folder / "network.toml").write_text(NETWORK, "utf-8")
    return parse_plan(text, "networks", folder)
