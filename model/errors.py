"""Errors for invalid input: one sentence with the name, the value and the accepted range.

Input that is valid but probably not intended issues a `BitlifWarning`, which says how it is
interpreted and what to change.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

from .text import QUOTED, quoted


class BitlifError(ValueError):
    """An invalid value; the message is complete and can be shown to the user."""


class BitlifTypeError(BitlifError, TypeError):
    """A value of the wrong type, or an array of the wrong shape or dtype."""


class BitlifWarning(UserWarning):
    """A value that is valid but probably not intended; the message says how it is interpreted."""


def warn(sentence: str) -> None:
    """Issue a `BitlifWarning` at the line outside this package that made the call."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("bitlif."):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, BitlifWarning, stacklevel=level)


@contextlib.contextmanager
def located(where: str) -> Iterator[None]:
    """Prefix the message of a `BitlifError` raised within the block with `where` and a colon."""
    try:
        yield
    except BitlifError as error:
        raise type(error)(f"{where}: {error}") from error


@contextlib.contextmanager
def located_in_layer(number: int) -> Iterator[None]:
    """Name the layer of a network in the message of a `BitlifError` raised within the block.

    See `message_in_layer`.
    """
    try:
        yield
    except BitlifError as error:
        raise type(error)(message_in_layer(str(error), number)) from error


_SIZE = re.compile(r"(?<![\w.])layer\.(?=(inputs|neurons|lanes)\b)")
_NETWORK_FIELD = re.compile(r"window(\.| must)|layer\.\d")
_LAYER_FIELD = re.compile(
    r"[a-z_]+(\[\d+\])?\.[a-z]|(name|inputs|neurons|lanes|initial|sweep|synapse|membrane|trace"
    r"|noise|error|learning|gates|schedule) must |\S+ is not a field"
)


def message_in_layer(message: str, number: int) -> str:
    """Return a message on a layer for layer `number` of a network, with the fields of its file.

    >>> message_in_layer("membrane.gain must be above 0", 2)
    'layer.2.membrane.gain must be above 0'
    >>> message_in_layer("layer.lanes must be at most 3", 2)
    'layer.2.lanes must be at most 3'
    >>> message_in_layer("window.steps must be above 0", 2)
    'window.steps must be above 0'
    >>> message_in_layer("weight sum would need 70 bits", 2)
    'layer.2: weight sum would need 70 bits'
    """
    message = _SIZE.sub(f"layer.{number}.", message)
    if _NETWORK_FIELD.match(message):
        return message
    return f"layer.{number}{'.' if _LAYER_FIELD.match(message) else ': '}{message}"


def nearest_of(word: str, known: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the known word closest to `word`, or an empty string.

    >>> nearest_of("sigmas", ["sigma", "words"])
    ", did you mean 'sigma'?"
    >>> nearest_of("zzz", ["sigma"])
    ''
    """
    if len(word) > QUOTED:  # Longer than any known name, and slow to compare.
        return ""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean '{match[0]}'?" if match else ""


def plain(value: Any) -> Any:
    """Return NumPy integers and doubles as Python numbers, and anything else unchanged.

    NumPy integers have a fixed width, at which arithmetic wraps or fails.
    """
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind and (isinstance(value, float) or (kind in "iu" and value.shape == ())):
        return value.item()
    return value


def plain_fields(owner: Any) -> None:
    """Apply `plain` to all fields of a frozen dataclass, and to the items of tuples."""
    for item in fields(owner):
        value = getattr(owner, item.name)
        made = tuple(map(plain, value)) if type(value) is tuple else plain(value)
        object.__setattr__(owner, item.name, made)


def require_int(name: str, value: object, low: int, high: int) -> int:
    """Return `value` as an int.

    Raises
    ------
    BitlifError
        Unless it is an integer, and no bool, in ``low ..= high``.
    """
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BitlifTypeError(f"{name} must be an integer in {low} ..= {high}, not {quoted(value)}")
    if not low <= value <= high:
        raise BitlifError(f"{name} must be in {low} ..= {high}, not {quoted(value)}")
    return value


def require_real(
    name: str, value: object, low: float, high: float, *, open_low: bool = False
) -> float:
    """Return `value` as a float.

    Raises
    ------
    BitlifError
        Unless it is a number in ``low ..= high``, and above `low` if `open_low` is true.
    """
    value = plain(value)
    interval = f"above {low:g} and at most {high:g}" if open_low else f"in {low:g} ..= {high:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BitlifTypeError(f"{name} must be a number {interval}, not {quoted(value)}")
    try:
        # This removes the sign of -0.0: equal configurations must have equal text and hashes.
        number = float(value) + 0.0
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    # A NaN fails every comparison.
    if not (low <= number <= high) or (open_low and number == low):
        raise BitlifError(f"{name} must be {interval}, not {quoted(value)}")
    return number


def require_choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Return `value`, or raise a `BitlifError` with the closest choice if it is not a choice."""
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
    """Raise a `BitlifTypeError` unless `value` is an instance of `kind`."""
    if not isinstance(value, kind):
        raise BitlifTypeError(f"{name} must be of type {kind.__name__}, not {quoted(value)}")


def require_bool(name: str, value: object) -> bool:
    """Return `value`, or raise a `BitlifTypeError` if it is not a bool."""
    if not isinstance(value, bool):
        raise BitlifTypeError(f"{name} must be true or false, not {quoted(value)}")
    return value
