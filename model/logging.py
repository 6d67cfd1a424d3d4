"""Sentences for standard error that no result depends on, each once a process."""

from __future__ import annotations

import sys

_said: set[str] = set()


def say_once(sentence: str) -> None:
    """Print a sentence to standard error, if this process has not said it before."""
    if sentence not in _said:
        _said.add(sentence)
        print(f"bitlif: {sentence}", file=sys.stderr)
