"""Rounding and saturation as expressions (model twin: `bitlif.model.fixed`).

Sums and products in Amaranth grow, so only these two operations lose bits. The widths of registers
in between come from `bitlif.model.derive`.
"""

from __future__ import annotations

from amaranth.hdl import Const, Mux, Shape, Value, signed, unsigned

from bitlif.model.fixed import Format, signed_digits
from bitlif.model.interval import Interval

from .pipeline import Pipe


def shape_of(fmt: Format) -> Shape:
    """Return the shape of a stored signal."""
    return signed(fmt.bits) if fmt.signed else unsigned(fmt.bits)


def shape_for(interval: Interval) -> Shape:
    """Return the narrowest shape that holds an interval."""
    return signed(interval.bits) if interval.signed else unsigned(interval.bits)


def round_shift(value: Value, bias: int, shift: int) -> Value:
    """Return ``(value + bias) >> shift``, rounded down (arithmetic for signed values)."""
    return (value + bias) >> shift if bias else value >> shift


TIMES_LATENCY = 2
"""Clock cycles that `times` takes: one for sums of two terms, one for the sum of those."""


def times(pipe: Pipe, value: Value, constant: int, bias: int, name: str) -> Value:
    """Return ``value * constant + bias``, `TIMES_LATENCY` clock cycles later, as shifted sums.

    Small FPGAs have few multipliers, which are reserved for products of two variables. Registers
    between the sums prevent Yosys from merging them into one sum of many terms, which takes twice
    the logic.
    """
    terms = [(value << shift, sign) for shift, sign in signed_digits(constant)]
    terms += [(Const(bias), 1)] if bias else []
    halves = [_pair(*two) for two in zip(terms[::2], terms[1::2], strict=False)]
    halves += terms[2 * len(halves) :]
    halves = [
        (half if isinstance(half, Const) else pipe.register(half, f"{name}_half_{number}"), sign)
        for number, (half, sign) in enumerate(halves)
    ]
    while len(halves) > 1:
        halves = [_pair(halves[0], halves[1]), *halves[2:]]
    return pipe.register(halves[0][0], name)


def _pair(one: tuple[Value, int], two: tuple[Value, int]) -> tuple[Value, int]:
    """Add two signed terms; the sum is positive if either term is."""
    if one[1] == two[1]:
        return one[0] + two[0], one[1]
    return (one[0] - two[0] if one[1] > 0 else two[0] - one[0]), 1


def saturate(value: Value, shape: Shape) -> tuple[Value, Value]:
    """Return `value` saturated to `shape`, and whether it was out of range.

    A value is in range if all bits above the shape repeat its sign bit (are zero, for an unsigned
    shape). This is cheaper than two comparisons.
    """
    given = value.shape()
    if given.signed <= shape.signed and given.width <= shape.width - (
        shape.signed and not given.signed
    ):
        return value, Const(0, 1)
    if shape.signed:
        keep = shape.width - 1
        above = value[keep:]
        negative = value[-1] if given.signed else Const(0, 1)
        fits = (~above.any()) | (above.all() if given.signed else 0)
        top, bottom = (1 << keep) - 1, -(1 << keep)
        held = Mux(negative, Const(bottom, shape), Const(top, shape)).as_signed()
        return Mux(fits, value[: shape.width].as_signed(), held), ~fits
    negative = value[-1] if given.signed else Const(0, 1)
    top = given.width - (1 if given.signed else 0)
    over = value[shape.width : top].any() & ~negative if top > shape.width else Const(0, 1)
    held = Mux(negative, Const(0, shape), Const((1 << shape.width) - 1, shape))
    return Mux(negative | over, held, value[: min(shape.width, top)]), negative | over
