"""Resources that only the process that created them may release; a forked child must not."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any


def release_with(owner: object, function: Callable[..., Any], *arguments: Any) -> weakref.finalize:  # type: ignore[type-arg]
    """Call a function once, when `owner` is deleted or the finalizer called; never in a fork.

    In a forked child, the threads that compiled code would wait for do not exist.
    """
    return weakref.finalize(owner, _release, os.getpid(), function, arguments)


def _release(process: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    if os.getpid() == process:
        function(*arguments)
