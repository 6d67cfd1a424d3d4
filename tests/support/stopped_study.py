"""Runs ``bitlif`` as a process that stops at a known point, where a test kills or interrupts it.

``stopped_study.py N ...`` prints "stopped" before the Nth change to a study's files and waits
forever. ``stopped_study.py stuck ...`` has workers that compute one run and never a second one; it
prints "stopped" when the first result has been stored and the next one is awaited. Neither depends
on how fast the machine is.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from bitlif.model.storage import atomic
from bitlif.scripts.main import main
from bitlif.study.search import files, pool, store

import deadly_worker

CHANGES = ("fsync", "rename", "unlink", "mkdir")
"""Functions of `os` that change files."""


class CountingOs:
    """Stands in for the module `os`: counts changes to files and stops before the last one."""

    def __init__(self, last: int) -> None:
        self.left = last

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            if name in CHANGES or (name == "open" and arguments[1] & os.O_CREAT):
                self.left -= 1
                if not self.left:
                    print("stopped", flush=True)
                    while True:
                        signal.pause()
            return real(*arguments, **options)

        return counted if name in (*CHANGES, "open") else real


def stop_after_first_result() -> None:
    """Start workers that never finish a second run, and announce when it is awaited."""
    pool.COMMAND = (deadly_worker.__file__, "stuck")
    add, wait = store.Store.add, pool.wait
    stored = []

    def add_and_note(own: store.Store, outcomes: Any) -> None:
        add(own, outcomes)
        stored.append(True)

    def announce_and_wait(channels: Any) -> Any:
        if stored:
            print("stopped", flush=True)
        return wait(channels)

    store.Store.add = add_and_note  # type: ignore[method-assign]
    pool.wait = announce_and_wait


if __name__ == "__main__":
    if sys.argv[1] == "stuck":
        stop_after_first_result()
    else:
        files.os = atomic.os = CountingOs(int(sys.argv[1]))  # type: ignore[assignment]
        # One part per run, so that the number of changes determines how far a study gets.
        pool.MAX_RUNS = 1
    sys.exit(main(sys.argv[2:]))
