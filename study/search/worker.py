"""A worker of a study: a process that computes the runs that come through a pipe of its own.

`bitlif.study.search.pool` starts it as ``python -P -m bitlif.study.search.worker FD``. FD is its
end of the pipe, and standard input is held open by the process that started it: it ends where that
one ends.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import replace
from multiprocessing.connection import Connection


def main(descriptor: int) -> None:
    """Answer lists of jobs with lists of outcomes, or with a sentence if that cannot be done.

    The first answer is to no question: None, once all that a run needs is imported.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.set_inheritable(descriptor, False)
    channel: Connection = Connection(descriptor)
    name = f"process {os.getpid()}"
    try:
        from .evaluate import evaluate

        channel.send(None)
        while True:
            jobs = channel.recv()
            channel.send([replace(evaluate(job), worker=name) for job in jobs])
    except ImportError as error:
        channel.send(str(error))
    except (EOFError, OSError):  # nobody is at the other end any more
        return


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
