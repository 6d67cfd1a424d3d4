"""Learning rates as a mantissa and a right shift, and the rates that have one.

The updates of a window are ``rate / steps`` times the summed gradient. In weight LSBs, this factor
is the mantissa, shifted right.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

from .constants import PhaseConstants
from .errors import BitlifError
from .fixed import MAX_SHIFT, StochasticShift, round_fraction
from .interval import Interval
from .sections import Settings

DIGITS = 3
"""Significant digits of the limits of a rate."""


def largest_rate(bits: int, steps: int, unit: Fraction) -> float:
    """Return the largest rate that has a mantissa and a shift, rounded down to `DIGITS` digits.

    Parameters
    ----------
    bits : int
        Bits of the mantissa.
    steps : int
        Steps of a window.
    unit : Fraction
        The LSB of the gradient in weight LSBs.

    >>> largest_rate(4, 64, Fraction(512))
    1.93
    """
    limit = (Fraction(1 << bits) - Fraction(1, 2)) * steps / unit
    context = Context(prec=DIGITS, rounding=ROUND_FLOOR)
    found = context.divide(Decimal(limit.numerator), Decimal(limit.denominator))
    # The limit itself would be rounded up to one bit more.
    return float(found.next_minus(context) if Fraction(found) == limit else found)


def smallest_rate(steps: int, unit: Fraction) -> float:
    """Return the smallest rate that has a mantissa and a shift, rounded up to `DIGITS` digits."""
    limit = Fraction(1, 2 << MAX_SHIFT) * steps / unit
    context = Context(prec=DIGITS, rounding=ROUND_CEILING)
    return float(context.divide(Decimal(limit.numerator), Decimal(limit.denominator)))


def changed_rates(
    config: Settings,
    phases: tuple[PhaseConstants, ...],
    unit: Fraction,
    gradient: Interval,
    ranges: dict[str, Interval],
) -> tuple[PhaseConstants, ...]:
    """Return phases with the rate for a gradient whose LSB is `unit` weight LSBs.

    Raises
    ------
    BitlifError
        If a rate has no mantissa and shift, or the product could be too wide.
    """
    changed = []
    for number, phase in enumerate(phases):
        rate, left, bias, right = rate_constants(
            config, number, unit, gradient, ranges, "narrow learning.rate_bits"
        )
        changed.append(phase._replace(rate=rate, rate_left=left, rate_bias=bias, rate_right=right))
    return tuple(changed)


def rate_constants(
    config: Settings,
    number: int,
    unit: Fraction,
    gradient: Interval,
    ranges: dict[str, Interval],
    remedy: str,
) -> tuple[int, int, int, int]:
    """Return the rate of a phase, and the left shift, bias and right shift of its rounding.

    Parameters
    ----------
    config : Settings
    number : int
        Number of the phase.
    unit : Fraction
        The LSB of the gradient in weight LSBs.
    gradient : Interval
    ranges : dict
        The range of the product is added to it.
    remedy : str
        What to change if the product could be too wide.

    Raises
    ------
    BitlifError
        If the rate has no mantissa and shift, or the product could be too wide.
    """
    mantissa, shift = _rate(config, number, unit)
    step = StochasticShift.of(shift, config.learning.random_bits)
    most = (1 << config.learning.rate_bits) - 1
    update = gradient.scaled(most << step.left) + Interval.point(step.bias)
    known = ranges.get("update product", update)
    ranges["update product"] = known.union(update).checked("update product", remedy)
    return mantissa, step.left, step.bias, step.right


def _rate(config: Settings, number: int, unit: Fraction) -> tuple[int, int]:
    """Return the mantissa and right shift that convert a raw gradient to weight LSBs."""
    own = config.schedule[number].rate
    field = f"schedule[{number}].rate" if own else "learning.rate"
    rate = own or config.learning.rate
    bits, steps = config.learning.rate_bits, config.window.steps
    ratio = Fraction(Decimal(repr(rate))) / steps * unit
    if round_fraction(ratio) >= 1 << bits:
        most = largest_rate(bits, steps, unit)
        raise BitlifError(f"{field} must be at most {most:g} for these formats, not {rate:g}")
    shift = 0
    while shift < MAX_SHIFT and round_fraction(ratio * 2) < 1 << bits:
        ratio *= 2
        shift += 1
    mantissa = round_fraction(ratio)
    if mantissa == 0:
        least = smallest_rate(steps, unit)
        raise BitlifError(f"{field} must be at least {least:g} for these formats, not {rate:g}")
    return mantissa, shift
