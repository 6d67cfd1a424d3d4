"""Advisory locks on open files and folders, which the system releases when their process ends."""

from __future__ import annotations

import errno
import os


def lock_exclusively(handle: int, *, wait: bool) -> None:
    """Lock an open file or folder, until its descriptor is closed or the process ends.

    The lock belongs to the descriptor: it excludes other threads of this process too, if they
    have opened the file themselves. A folder can be locked as well, which packages that lock
    files by their name cannot do.

    Parameters
    ----------
    handle : int
        A file descriptor.
    wait : bool
        Whether to wait while another descriptor holds the lock.

    Raises
    ------
    BlockingIOError
        If it is held elsewhere, unless `wait`.
    OSError
        If the file system or the operating system has no locks.
    """
    try:
        import fcntl
    except ImportError as error:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)) from error
    fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
