"""What belongs to the process that made it: a forked child has a copy, and must leave it alone."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any


def release_with(owner: object, function: Callable[..., Any], *arguments: Any) -> weakref.finalize:  # type: ignore[type-arg]
    """Call a function once, when `owner` goes or is given up, but never in a forked child.

    There, the threads that compiled code waits for do not exist.
    """
    return weakref.finalize(owner, _release, os.getpid(), function, arguments)


def _release(process: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    if os.getpid() == process:
        function(*arguments)
