"""``bitlif`` as a process that stops where a test can kill or interrupt it, whatever the machine.

``stopped_study.py N ...`` prints "stopped" before the Nth change to a study's files and waits for
ever. ``stopped_study.py stuck ...`` has workers that compute one run and no second one.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from bitlif.model.storage import atomic
from bitlif.scripts.main import main
from bitlif.study.search import files, pool

import deadly_worker

CHANGES = ("fsync", "rename", "unlink", "mkdir")


class Counted:
    """The module `os`, in which changes are counted."""

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


if __name__ == "__main__":
    if sys.argv[1] == "stuck":
        pool.COMMAND = (deadly_worker.__file__, "stuck")
    else:
        files.os = atomic.os = Counted(int(sys.argv[1]))  # type: ignore[assignment]
        # A part for each run, so that it is known how far so many changes bring a study.
        pool.MOST_RUNS = 1
    sys.exit(main(sys.argv[2:]))
