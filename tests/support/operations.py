"""Operations as reports print them, computed again from their text alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

NAMES = "S|g|d|lam|kap|G|w"
"""Names of docs/networks.md."""


class Equation(NamedTuple):
    name: str
    text: str
    """between the first and the last ``=``"""
    value: int
    """the value that it states, after saturation"""


def computed(text: str, table: Sequence[int] = ()) -> int:
    """Return the value of an expression."""
    text = re.sub(r" \([a-z]+( \d+)?\)", "", text).replace(" x ", " * ")
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    assert re.fullmatch(r"(abs|min|table|[-+*<>=()\[\], 0-9])*", text), text
    return int(eval(text, {"__builtins__": {}, "abs": abs, "min": min, "table": table}))


def equations(text: str, table: Sequence[int] = ()) -> list[Equation]:
    """Return the equations of an operation; each must be true.

    Parameters
    ----------
    text : str
        For example ``"d = 3 (error), lam = (2 x 5 + 4 x 3) >> 1 = 11"``.
    table : sequence of int
        Raw surrogate derivatives of the layer.
    """
    found = []
    for name, body in re.findall(rf"\b({NAMES}) = (.*?)(?=, (?:{NAMES}) = |$)", text):
        body = re.sub(r", (the only|the last of|as input) .*", "", body)
        body, _, limit = body.partition(", saturated to ")
        expression, equals, value = body.rpartition(" = ")
        exact = computed(value)
        if equals and "+ ..." not in expression:
            assert computed(expression, table) == exact, text
        found.append(Equation(name, expression, int(limit or exact)))
    assert found, text
    return found


def operation_value(text: str) -> int:
    """Return the value of an operation of the forward steps or of an error."""
    text = re.sub(
        r"(:| with table bin| where| because| after a| without a| by ).*?(?=, sat|$)", "", text
    )
    text, _, limits = text.partition(", saturated to ")
    value = computed(text.rstrip(",").split(" = ")[0])
    if limits:
        low, high = (int(word) for word in limits.split(" ..= "))
        value = min(max(value, low), high)
    return value
