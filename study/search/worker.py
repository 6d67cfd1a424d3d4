"""A worker process of a study, which computes the runs that arrive through a pipe.

`bitlif.study.search.pool` starts it as ``python -P -m bitlif.study.search.worker FD``, where FD is
its end of the pipe. The parent holds standard input open, so that the worker ends with its parent.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import replace
from multiprocessing.connection import Connection


def main(descriptor: int) -> None:
    """Receive lists of jobs and send lists of outcomes, or an error message.

    The first message is None, which is sent when everything is imported. Own data arrive before the
    first job that needs them, and are not answered.

    Parameters
    ----------
    descriptor : int
        File descriptor of this end of the pipe.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.set_inheritable(descriptor, False)
    channel: Connection = Connection(descriptor)
    name = f"process {os.getpid()}"
    try:
        from bitlif.model.errors import BitlifError

        from .evaluate import evaluate
        from .own_data import OwnData, keep

        channel.send(None)
        while True:
            jobs = channel.recv()
            if isinstance(jobs, OwnData):
                try:
                    keep(jobs)
                except BitlifError as error:
                    channel.send(str(error))
                continue
            channel.send([replace(evaluate(job), worker=name) for job in jobs])
    except ImportError as error:
        channel.send(str(error))
    except (EOFError, OSError):  # the other end is closed
        return


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
