"""The conformance set: small configurations that together notice mistakes of an implementation.

docs/golden.md lists the mistakes. The inputs are those of ``bitlif golden NAME`` without options.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bitlif.model.config.config import CONFORMANCE, Config, conformance
from bitlif.tasks.scenario import Work
from bitlif.tasks.stimulus import random_work

SEED, WINDOWS = 0, 3

WITHOUT_LEARNING = (f"{CONFORMANCE}/inference",)
"""Configurations whose windows are run without learning, on cores without its hardware."""


def conformance_works() -> Iterator[tuple[str, Work]]:
    """Yield the name of each configuration (without its folder) and what it runs."""
    for source in conformance():
        work = random_work(Config.load(source), SEED, WINDOWS)
        if source in WITHOUT_LEARNING:
            work = replace(work, learning=False, learn=False)
        yield source.removeprefix(f"{CONFORMANCE}/"), work
