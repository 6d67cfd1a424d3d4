"""Words of gates: bit vectors, as polynomials where they are sums, products, shifts or extensions.

The bits of a word of w bits are those of its polynomial, modulo 2^w. Sums and products need nothing
else. An extension needs to know that the polynomial does not leave the range of the word; if that
is not known, it continues with a polynomial that does not, or with a new atom.
"""

from __future__ import annotations

from dataclasses import dataclass

from bitwuzla import Kind

from bitlif.model.interval import Interval

from . import polynomial
from .polynomial import Polynomial, added, constant_of, fixed, multiplied, scaled, shifted
from .symbol import Integer, common, interval_of, value_of
from .terms import Term, make, resized, width_of

MOST_TERMS = 64
"""Products of polynomials with more terms become atoms."""


@dataclass(frozen=True, slots=True)
class Word:
    """A bit vector: a polynomial, modulo ``2**width``, or any term.

    Attributes
    ----------
    width : int
    value : Polynomial or None
    interval : Interval
        Of the polynomial.
    bits : Term or None
        The term, if there is no polynomial.
    """

    width: int
    value: Polynomial | None
    interval: Interval
    bits: Term = None

    @classmethod
    def of(cls, value: Polynomial, interval: Interval, width: int) -> Word:
        """Return a polynomial as a word."""
        return cls(width, value, common(interval, polynomial.interval(value)))

    @classmethod
    def of_integer(cls, value: Integer, width: int) -> Word:
        """Return a symbol or an integer as a word."""
        return cls.of(value_of(value), interval_of(value), width)

    @classmethod
    def of_term(cls, term: Term) -> Word:
        """Return a term as a word."""
        return cls(width_of(term), None, Interval(0, 0), term)

    @property
    def term(self) -> Term:
        """The bits as a term."""
        if self.value is None:
            return self.bits
        return resized(polynomial.word(self.value), self.width, signed=True)

    @property
    def known(self) -> int | None:
        """The value as an unsigned integer, if it is a constant."""
        value = None if self.value is None else constant_of(self.value)
        return None if value is None else value & ((1 << self.width) - 1)

    def signed(self) -> tuple[Polynomial, Interval]:
        """Return the value as a two's complement number."""
        reach = Interval(-(1 << (self.width - 1)), (1 << (self.width - 1)) - 1)
        if self.value is None:
            return polynomial.atom(self.bits, reach), reach
        if reach.low <= self.interval.low and self.interval.high <= reach.high:
            return self.value, self.interval
        return polynomial.atom(self.term, reach), reach

    def unsigned(self) -> tuple[Polynomial, Interval]:
        """Return the value as an unsigned number."""
        reach = Interval(0, (1 << self.width) - 1)
        if self.value is None:
            return polynomial.atom(resized(self.bits, self.width + 1, signed=False), reach), reach
        if self.interval.low >= 0 and self.interval.high <= reach.high:
            return self.value, self.interval
        above = scaled(shifted(self.value, self.width), 1 << self.width)
        return added(self.value, above, -1), reach

    def modular(self) -> tuple[Polynomial, Interval]:
        """Return a polynomial with these bits."""
        return self.signed() if self.value is None else (self.value, self.interval)


def extended(word: Word, width: int, *, signed: bool) -> Word:
    """Return a wider word of the same value."""
    return Word.of(*(word.signed() if signed else word.unsigned()), width)


def sliced(word: Word, high: int, low: int) -> Word:
    """Return the bits ``low ..= high``."""
    width = high - low + 1
    if word.value is None:
        return Word.of_term(make(Kind.BV_EXTRACT, word.bits, indices=(high, low)))
    return Word.of(shifted(word.value, low), word.interval >> low, width)


def joined(high: Word, low: Word) -> Word:
    """Return the bits of two words, one above the other."""
    if high.value is None and low.value is None:
        return Word.of_term(make(Kind.BV_CONCAT, high.bits, low.bits))
    if low.value is not None and high.value == shifted(low.value, low.width):
        # The upper bits are those that the lower ones continue with.
        return Word.of(low.value, low.interval, high.width + low.width)
    (a, reach), (b, below) = high.modular(), low.unsigned()
    places = 1 << low.width
    return Word.of(added(b, a, places), reach.scaled(places) + below, high.width + low.width)


def summed(one: Word, two: Word, factor: int = 1) -> Word:
    """Return ``one + factor * two``."""
    (a, reach), (b, other) = one.modular(), two.modular()
    return Word.of(added(a, b, factor), reach + other.scaled(factor), one.width)


def product(one: Word, two: Word) -> Word:
    """Return the product."""
    (a, reach), (b, other) = one.modular(), two.modular()
    if len(a) * len(b) > MOST_TERMS:
        return Word.of_term(make(Kind.BV_MUL, one.term, two.term))
    return Word.of(multiplied(a, b), reach * other, one.width)


def inverted(word: Word) -> Word:
    """Return the complement of every bit."""
    if word.value is None:
        return Word.of_term(make(Kind.BV_NOT, word.bits))
    value, reach = word.unsigned()
    most = (1 << word.width) - 1
    complement = added(fixed(most), value, -1)
    return Word.of(complement, Interval.point(most) + reach.scaled(-1), word.width)
