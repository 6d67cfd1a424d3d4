"""Interval arithmetic on integers, from which the widths of sums and products are derived."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import BitlifError
from .fixed import Format

MAX_INTERMEDIATE_BITS = 63
"""Maximum width of an intermediate: the engine computes in 64-bit integers."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The range of a signal, ``low ..= high``.

    >>> x = Interval(-8, 7) * Interval(3, 3) + Interval(0, 1)
    >>> x, x.bits, x >> 2
    (Interval(low=-24, high=22), 6, Interval(low=-6, high=5))
    """

    low: int
    high: int

    @classmethod
    def of(cls, fmt: Format) -> Interval:
        """Return the interval of a format."""
        return cls(fmt.raw_min, fmt.raw_max)

    @classmethod
    def point(cls, value: int) -> Interval:
        """Return the interval of a constant."""
        return cls(value, value)

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def __mul__(self, other: Interval) -> Interval:
        ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(min(ends), max(ends))

    def __rshift__(self, shift: int) -> Interval:
        return Interval(self.low >> shift, self.high >> shift)

    def scaled(self, factor: int) -> Interval:
        """Return the interval of this signal times a constant."""
        return self * Interval.point(factor)

    def times(self, count: int) -> Interval:
        """Return the interval of a sum of 0 to `count` such values."""
        return Interval(min(self.low * count, 0), max(self.high * count, 0))

    def union(self, other: Interval) -> Interval:
        """Return the smallest interval that contains both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def within(self, fmt: Format) -> bool:
        """Return whether all values are within the format."""
        return fmt.raw_min <= self.low and self.high <= fmt.raw_max

    @property
    def signed(self) -> bool:
        """Whether any value is negative, so that a sign bit is needed."""
        return self.low < 0

    @property
    def bits(self) -> int:
        """Minimum width that holds every value, in two's complement if any is negative."""
        if self.signed:
            return max((-self.low - 1).bit_length(), max(self.high, 0).bit_length()) + 1
        return max(self.high.bit_length(), 1)

    def checked(self, signal: str, remedy: str) -> Interval:
        """Return this interval, or raise a `BitlifError` naming the signal if it is too wide."""
        if self.bits > MAX_INTERMEDIATE_BITS:
            raise BitlifError(
                f"{signal} would need {self.bits} bits, at most {MAX_INTERMEDIATE_BITS} are "
                f"allowed: {remedy}"
            )
        return self
