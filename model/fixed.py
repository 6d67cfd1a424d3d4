"""Fixed-point formats and the only three lossy operations: two roundings and saturation.

A *raw* value is an integer; it represents the real number ``raw * 2**-frac``. Sums and products are
exact. All other modules use the lossy operations defined here.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from fractions import Fraction

from .engine.compile import compilable
from .errors import BitlifError, BitlifTypeError, plain_fields, require_bool, require_int
from .text import quoted

MAX_BITS = 32
"""Maximum width of a stored signal. Sums may be wider, up to `interval.MAX_INTERMEDIATE_BITS`."""

MAX_SHIFT = 62
"""Largest shift of an intermediate."""


class Rounding(enum.StrEnum):
    """Rounding mode of a right shift."""

    FLOOR = "floor"
    """Toward minus infinity, as ``>>`` on two's complement."""
    NEAREST = "nearest"
    """To the nearest integer; ties toward plus infinity, for negative numbers too."""

    def bias(self, shift: int) -> int:
        """Return the addend that makes an arithmetic right shift by `shift` round in this mode.

        >>> Rounding.NEAREST.bias(3), Rounding.FLOOR.bias(3), Rounding.NEAREST.bias(0)
        (4, 0, 0)
        """
        return 1 << (shift - 1) if self is Rounding.NEAREST and shift > 0 else 0


class Overflow(enum.StrEnum):
    """Treatment of values outside a format."""

    SATURATE = "saturate"
    """Replace the value by the nearest one of the format, and count the saturation."""
    REFUSE = "refuse"
    """Refuse the configuration unless interval arithmetic proves that no value is outside."""


@dataclass(frozen=True, slots=True)
class Format:
    """The number format of a stored signal with `bits` bits, `frac` of them fractional.

    Parameters
    ----------
    bits : int
        Width in bits, including the sign bit: 1 ..= 32, and at least 2 if signed.
    frac : int
        Number of fractional bits, -32 ..= 48: one LSB is ``2**-frac``. It can be negative, or
        greater than `bits`.
    signed : bool
        Two's complement if true, else unsigned.

    Raises
    ------
    BitlifError
        If a field is out of range.

    Examples
    --------
    >>> f = Format(4, 2)
    >>> f.raw_min, f.raw_max, str(f), f.real(-8)
    (-8, 7, 's4.2', Fraction(-2, 1))
    """

    bits: int
    frac: int
    signed: bool = True

    def __post_init__(self) -> None:
        plain_fields(self)
        require_bool("signed", self.signed)
        require_int("bits", self.bits, 2 if self.signed else 1, MAX_BITS)
        require_int("frac", self.frac, -32, 48)

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.bits}.{self.frac}"

    @classmethod
    def parse(cls, text: object) -> Format:
        """Parse text such as ``"s10.8"`` (signed, 10 bits, 8 of them fractional).

        >>> Format.parse("u8.-1")
        Format(bits=8, frac=-1, signed=False)
        """
        if not isinstance(text, str):
            raise BitlifTypeError(
                f"a format must be text such as 's10.8' or 'u8.6', not {quoted(text)}"
            )
        match = re.fullmatch(r"([su])([0-9]{1,4})\.(-?[0-9]{1,4})", text)
        if match is None:
            raise BitlifError(
                f"a format must be 's' or 'u', bits, '.', fractional bits, as in 's10.8', "
                f"not {quoted(text)}"
            )
        return cls(int(match[2]), int(match[3]), match[1] == "s")

    @property
    def raw_min(self) -> int:
        """Minimum raw value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def raw_max(self) -> int:
        """Maximum raw value."""
        return (1 << (self.bits - 1 if self.signed else self.bits)) - 1

    @property
    def lsb(self) -> Fraction:
        """Real value of raw 1."""
        return Fraction(1, 1 << self.frac) if self.frac >= 0 else Fraction(1 << -self.frac)

    def real(self, raw: int) -> Fraction:
        """Return the exact real value of `raw`."""
        return raw * self.lsb


@compilable
def round_shift(x: int, bias: int, shift: int) -> int:
    """Return ``(x + bias) >> shift``, an arithmetic shift; see `Rounding.bias` for the rounding.

    >>> [round_shift(x, Rounding.NEAREST.bias(1), 1) for x in (-3, -1, 1, 3)]
    [-1, 0, 1, 2]
    """
    return (x + bias) >> shift


@compilable
def saturate(x: int, low: int, high: int) -> tuple[int, bool]:
    """Return the value in ``low ..= high`` nearest to `x`, and whether it differs from `x`.

    >>> saturate(9, -8, 7), saturate(-9, -8, 7), saturate(3, -8, 7)
    ((7, True), (-8, True), (3, False))
    """
    y = min(max(x, low), high)
    return y, y != x


@compilable
def stochastic_shift(
    x: int, left: int, bias: int, right: int, random: int, random_bits: int
) -> int:
    """Return `x` shifted right, rounded up with a probability equal to the dropped fraction.

    The fraction is first rounded to nearest at ``2**-random_bits`` (``x << left``, plus `bias`,
    ``>> right``); adding the random word and dropping `random_bits` bits by floor is then exactly
    unbiased. `StochasticShift` derives the three constants from the shift. Without random bits,
    this is rounding to nearest.

    >>> [stochastic_shift(5, 0, 0, 0, r, 2) for r in range(4)]    # 5/4: up in one case of four
    [1, 1, 1, 2]
    """
    return ((((x << left) + bias) >> right) + random) >> random_bits


@dataclass(frozen=True, slots=True)
class StochasticShift:
    """The constants of a stochastic right shift with `random_bits` random bits.

    >>> StochasticShift.of(5, 3)
    StochasticShift(left=0, bias=2, right=2, random_bits=3)
    >>> StochasticShift.of(2, 3)
    StochasticShift(left=1, bias=0, right=0, random_bits=3)
    """

    left: int
    bias: int
    right: int
    random_bits: int

    @classmethod
    def of(cls, shift: int, random_bits: int) -> StochasticShift:
        """Return the constants of a right shift by ``shift >= 0`` bits."""
        left = max(random_bits - shift, 0)
        right = max(shift - random_bits, 0)
        return cls(left, Rounding.NEAREST.bias(right), right, random_bits)


def round_fraction(x: Fraction) -> int:
    """Return the integer nearest to `x`; ties toward plus infinity, as in `Rounding.NEAREST`.

    >>> round_fraction(Fraction(-1, 2)), round_fraction(Fraction(5, 2))
    (0, 3)
    """
    return (2 * x.numerator + x.denominator) // (2 * x.denominator)


def signed_digits(constant: int) -> list[tuple[int, int]]:
    """Return the shifts and signs of the fewest powers of two that sum to a constant.

    >>> signed_digits(7), signed_digits(155)
    ([(0, -1), (3, 1)], [(0, -1), (2, -1), (5, 1), (7, 1)])
    """
    digits, shift = [], 0
    while constant:
        if constant & 1:
            sign = 2 - (constant & 3)
            digits.append((shift, sign))
            constant -= sign
        constant >>= 1
        shift += 1
    return digits
