"""Messages to the user on standard error. No result depends on them.

`warn_once` prints a message itself. `notify` passes a message to the observers that a program has
added: a library prints nothing about its progress, a command does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

_printed: set[str] = set()
_observers: list[Callable[[str], None]] = []


def warn_once(message: str) -> None:
    """Print a message to standard error, unless this process has printed it before."""
    if message not in _printed:
        _printed.add(message)
        print(f"bitlif: {message}", file=sys.stderr)


def add_observer(observer: Callable[[str], None]) -> None:
    """Call `observer` with each message of `notify` from now on. Adding it twice has no effect."""
    if observer not in _observers:
        _observers.append(observer)


def notify(message: str) -> None:
    """Pass a message to all observers, for example before something that takes long."""
    for observer in _observers:
        observer(message)
