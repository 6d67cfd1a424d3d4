"""The errors of a user's mistakes: one sentence with the thing, the value and what is accepted.

What is legal but surely not meant is a `BitlifWarning`: the reading that was taken, and the cure.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

from .text import QUOTED, quoted


class BitlifError(ValueError):
    """A value that bitlif refuses; the message is complete and meant for the person who gave it."""


class BitlifTypeError(BitlifError, TypeError):
    """A value of the wrong kind, where no value of that kind could have been accepted."""


class BitlifWarning(UserWarning):
    """A value that is accepted but surely not meant; the message says how it was read."""


def warn(sentence: str) -> None:
    """Issue a `BitlifWarning` at the line outside this package that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("bitlif."):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, BitlifWarning, stacklevel=level)


@contextlib.contextmanager
def located(where: str) -> Iterator[None]:
    """Put `where` and a colon before the message of a `BitlifError` that is raised within."""
    try:
        yield
    except BitlifError as error:
        raise type(error)(f"{where}: {error}") from error


def nearest_of(word: str, known: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the known word nearest to `word`, else an empty string.

    >>> nearest_of("sigmas", ["sigma", "words"])
    ", did you mean 'sigma'?"
    >>> nearest_of("zzz", ["sigma"])
    ''
    """
    if len(word) > QUOTED:  # No name of ours, and slow to compare.
        return ""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean '{match[0]}'?" if match else ""


def plain(value: Any) -> Any:
    """Return NumPy's integers and doubles as Python's own numbers, all else as it is.

    NumPy's integers have a width, at which arithmetic on them wraps or fails.
    """
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind and (isinstance(value, float) or (kind in "iu" and value.shape == ())):
        return value.item()
    return value


def plain_fields(owner: Any) -> None:
    """Make all fields of a frozen dataclass `plain`, those within tuples too."""
    for item in fields(owner):
        value = getattr(owner, item.name)
        made = tuple(map(plain, value)) if type(value) is tuple else plain(value)
        object.__setattr__(owner, item.name, made)


def require_int(name: str, value: object, low: int, high: int) -> int:
    """Return `value` as an int if it is an integer (no bool) in ``low ..= high``; else raise."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BitlifTypeError(f"{name} must be an integer in {low} ..= {high}, not {quoted(value)}")
    if not low <= value <= high:
        raise BitlifError(f"{name} must be in {low} ..= {high}, not {quoted(value)}")
    return value


def require_real(
    name: str, value: object, low: float, high: float, *, open_low: bool = False
) -> float:
    """Return `value` as a float in ``low ..= high`` (above `low` if `open_low`); else raise."""
    value = plain(value)
    interval = f"above {low:g} and at most {high:g}" if open_low else f"in {low:g} ..= {high:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BitlifTypeError(f"{name} must be a number {interval}, not {quoted(value)}")
    try:
        # Zero has one sign: equal configurations must have equal text, and so equal hashes.
        number = float(value) + 0.0
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    # A NaN fails every comparison and so ends here as well.
    if not (low <= number <= high) or (open_low and number == low):
        raise BitlifError(f"{name} must be {interval}, not {quoted(value)}")
    return number


def require_choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Return `value` if it is one of `choices`; else raise naming `name` and the nearest word."""
    words = tuple(choices)
    accepted = " or ".join(f"'{word}'" for word in words)
    if not isinstance(value, str):
        raise BitlifTypeError(f"{name} must be {accepted}, not {quoted(value)}")
    if value not in words:
        raise BitlifError(
            f"{name} must be {accepted}, not {quoted(value)}{nearest_of(value, words)}"
        )
    return value


def require_kind(name: str, value: object, kind: type) -> None:
    """Raise naming `name` unless `value` is of this class."""
    if not isinstance(value, kind):
        raise BitlifTypeError(f"{name} must be of type {kind.__name__}, not {quoted(value)}")


def require_bool(name: str, value: object) -> bool:
    """Return `value` if it is True or False; else raise naming `name`."""
    if not isinstance(value, bool):
        raise BitlifTypeError(f"{name} must be true or false, not {quoted(value)}")
    return value
