"""Look-up tables as Boolean expressions: quick to simulate, and as clear as they can be about X."""

from __future__ import annotations

import functools
from collections.abc import Iterable


def lookup_model(name: str, parameter: str, output: str, inputs: str, tables: Iterable[int]) -> str:
    """Return the Verilog model of a look-up table, an expression for each content that is used.

    Parameters
    ----------
    name, parameter, output : str
        Of the cell, of its contents, of its output.
    inputs : str
        Names, separated by blanks, the lowest bit of the address first.
    tables : iterable of int
        Contents; others have no output.
    """
    names = tuple(inputs.split())
    width = 1 << len(names)
    lines = [
        f"module {name} (output {output}, input {', '.join(names)});",
        f"    parameter [{width - 1}:0] {parameter} = 0;",
        f"    generate case ({parameter})",
        *(f"        {width}'d{own}: assign {output} = {expression(own, names)};"
          for own in sorted(set(tables))),
        "    endcase endgenerate",
        "endmodule",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def expression(table: int, names: tuple[str, ...]) -> str:
    """Return a table's content as a Verilog expression of few operators.

    >>> expression(0b0110_1001, ("a", "b", "c"))
    '(a ^ (b ^ ~c))'
    >>> expression(0b1100_1010, ("a", "b", "c"))
    '(c ? b : a)'
    """
    return _shortest(table, names)[1]


@functools.cache
def _shortest(table: int, names: tuple[str, ...]) -> tuple[int, str]:
    """Return number of operators and expression, by splitting off the input that leaves least."""
    ones = (1 << (1 << len(names))) - 1
    if table in (0, ones):
        return 0, "1'b1" if table else "1'b0"
    found = []
    for place, name in enumerate(names):
        rest = names[:place] + names[place + 1 :]
        low, high = (_half(table, len(names), place, bit) for bit in (0, 1))
        if low == high:
            return _shortest(low, rest)
        found.append(_joined(name, low, high, rest))
    return min(found)


def _half(table: int, inputs: int, place: int, bit: int) -> int:
    """Return what is left of a table when one input has a value."""
    kept = [line for line in range(1 << inputs) if line >> place & 1 == bit]
    return sum((table >> line & 1) << own for own, line in enumerate(kept))


def _joined(name: str, low: int, high: int, rest: tuple[str, ...]) -> tuple[int, str]:
    """Return the shortest form of ``name ? high : low``; the two differ."""
    ones = (1 << (1 << len(rest))) - 1
    (cost_low, text_low), (cost_high, text_high) = _shortest(low, rest), _shortest(high, rest)
    if {low, high} == {0, ones}:
        return (0, name) if high else (1, f"~{name}")
    if low == high ^ ones:
        return 1 + cost_low, f"({name} ^ {text_low})"
    if low == 0:
        return 1 + cost_high, f"({name} & {text_high})"
    if high == ones:
        return 1 + cost_low, f"({name} | {text_low})"
    if high == 0:
        return 2 + cost_low, f"(~{name} & {text_low})"
    if low == ones:
        return 2 + cost_high, f"(~{name} | {text_high})"
    return 3 + cost_low + cost_high, f"({name} ? {text_high} : {text_low})"
