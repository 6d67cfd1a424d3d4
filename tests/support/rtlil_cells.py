"""Cells and memories of Amaranth's RTLIL text, before any optimisation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Cell:
    """A cell: its type without the dollar sign, its parameters, and its connections as text."""

    kind: str
    parameters: dict[str, int] = field(default_factory=dict)
    connections: dict[str, str] = field(default_factory=dict)


def memories(text: str) -> list[tuple[int, int]]:
    """Return rows and bits per row of all memories."""
    found = re.findall(r"^  memory width (\d+) size (\d+) ", text, re.MULTILINE)
    return [(int(size), int(width)) for width, size in found]


def cells(text: str) -> Iterator[Cell]:
    """Yield all cells of Yosys' word-level library."""
    for kind, body in re.findall(r"^  cell \$(\w+) .*\n((?:    .*\n)*)", text, re.MULTILINE):
        parameters = re.findall(r"parameter \\(\w+) (\d+)$", body, re.MULTILINE)
        connections = re.findall(r"connect \\(\w+) (.*)$", body, re.MULTILINE)
        yield Cell(kind, {name: int(value) for name, value in parameters}, dict(connections))


def constant(text: str) -> int | None:
    """Return the value of a constant connection, None for anything else."""
    found = re.fullmatch(r"\d+'([01]+)", text)
    return None if found is None else int(found[1], 2)


def factors(cell: Cell) -> tuple[int, int] | None:
    """Return the widths of a product's factors; None for one with a power of two or with 0.

    Trailing zeros of a constant are no part of it.
    """
    widths = []
    for port in "AB":
        width, value = cell.parameters[f"{port}_WIDTH"], constant(cell.connections[port])
        if value is not None:
            odd = value // (value & -value) if value else 0
            if odd in (0, 1):
                return None
            width = odd.bit_length()
        widths.append(width)
    return widths[0], widths[1]
