"""Open the workers of a study: processes on this machine or a Dask cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bitlif.model.extras import missing_extra

from .pool import Pool
from .run import Workers


@contextlib.contextmanager
def open_pool(workers: int, scheduler: str = "") -> Iterator[Workers]:
    """Open `workers` processes, or the cluster of a Dask scheduler.

    Parameters
    ----------
    workers : int
        Number of processes; ignored with a scheduler.
    scheduler : str
        Address of a Dask scheduler, or "".

    Raises
    ------
    BitlifError
        If no scheduler answers at the address, or Dask is not installed.
    """
    if scheduler:
        try:
            from .cluster import open_cluster
        except ImportError as error:
            need = f"--scheduler needs {error.name}"
            raise missing_extra(need, "study", error) from error
        with open_cluster(scheduler) as cluster:
            yield cluster
        return
    pool = Pool(workers)
    try:
        yield pool
    finally:
        pool.close()
