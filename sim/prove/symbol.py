"""Symbols: integers of any value, on which the functions of the model run.

A symbol is a polynomial (`bitlif.sim.prove.polynomial`) and the interval of its values. The word of
a result is wide enough for its interval, so no operation can overflow: symbols behave as the
unbounded integers of Python. A comparison is a symbol too, 0 or 1; where a function branches on it,
both branches are followed (`bitlif.sim.prove.branches`).
"""

from __future__ import annotations

from typing import Any

from bitwuzla import Kind

from bitlif.model.interval import Interval

from . import polynomial
from .branches import Facts, decide, known_interval
from .polynomial import Polynomial, signed_bits
from .terms import Term, as_bit, as_condition, constant, make, resized, variable

Integer = Any
"""A symbol, or an integer of Python."""

NO_FACTS: tuple[Facts, Facts] = ({}, {})


class Symbol:
    """An integer of any value in an interval.

    Parameters
    ----------
    value : Polynomial
    interval : Interval
        At most that of the polynomial.
    facts : (Facts, Facts)
        Of a comparison: the intervals of what it compares, if it holds, and if not.
    """

    __slots__ = ("_facts", "_interval", "value")
    __hash__ = object.__hash__

    def __init__(
        self, value: Polynomial, interval: Interval, facts: tuple[Facts, Facts] = NO_FACTS
    ) -> None:
        self.value = value
        self._interval = interval
        self._facts = facts

    @property
    def interval(self) -> Interval:
        """Interval of the values; on a path, of those that it lets through."""
        known = known_interval(self.value)
        return self._interval if known is None else common(known, self._interval)

    def __repr__(self) -> str:
        return f"Symbol({self.interval.low} ..= {self.interval.high})"

    def __bool__(self) -> bool:
        if not self.interval.low <= 0 <= self.interval.high:
            return True
        return decide(as_condition(polynomial.word(self.value)), self._facts)

    def __neg__(self) -> Integer:
        return 0 - self

    def __abs__(self) -> Integer:
        return self if self >= 0 else -self

    def __add__(self, other: Integer) -> Integer:
        total = polynomial.added(self.value, value_of(other))
        return number(total, interval_of(self) + interval_of(other))

    __radd__ = __add__

    def __sub__(self, other: Integer) -> Integer:
        difference = polynomial.added(self.value, value_of(other), -1)
        return number(difference, interval_of(self) + interval_of(other).scaled(-1))

    def __rsub__(self, other: Integer) -> Integer:
        difference = polynomial.added(value_of(other), self.value, -1)
        return number(difference, interval_of(other) + interval_of(self).scaled(-1))

    def __mul__(self, other: Integer) -> Integer:
        product = polynomial.multiplied(self.value, value_of(other))
        return number(product, interval_of(self) * interval_of(other))

    __rmul__ = __mul__

    def __lshift__(self, places: int) -> Integer:
        return self * (1 << places)

    def __rshift__(self, places: int) -> Integer:
        return number(polynomial.shifted(self.value, places), self.interval >> places)

    def __and__(self, other: Integer) -> Integer:
        return _and(self, other)

    __rand__ = __and__

    def __or__(self, other: Integer) -> Integer:
        return _or(self, other)

    __ror__ = __or__

    def __xor__(self, other: Integer) -> Integer:
        return _bitwise(Kind.BV_XOR, self, other)

    __rxor__ = __xor__

    def __ge__(self, other: Integer) -> Integer:
        return _at_least(self, other)

    def __gt__(self, other: Integer) -> Integer:
        return _opposite(_at_least(other, self))

    def __le__(self, other: Integer) -> Integer:
        return _at_least(other, self)

    def __lt__(self, other: Integer) -> Integer:
        return _opposite(_at_least(self, other))

    def __eq__(self, other: object) -> Integer:
        return _equal(self, other)

    def __ne__(self, other: object) -> Integer:
        return _opposite(_equal(self, other))

    def bit_count(self) -> Integer:
        """Return the number of ones of a value that is not negative.

        Raises
        ------
        TypeError
            If the value can be negative.
        """
        if self.interval.signed:
            raise TypeError("only the ones of values that are not negative can be counted")
        bits = [(self >> place) & 1 for place in range(self.interval.bits)]
        return sum(bits[1:], bits[0])


def common(one: Interval, two: Interval) -> Interval:
    """Return the values that two intervals have in common."""
    return Interval(max(one.low, two.low), min(one.high, two.high))


def number(value: Polynomial, interval: Interval, facts: tuple[Facts, Facts] = NO_FACTS) -> Integer:
    """Return a polynomial as a symbol, or as an integer if it has only one value."""
    interval = common(interval, polynomial.interval(value))
    return interval.low if interval.low == interval.high else Symbol(value, interval, facts)


def interval_of(value: Integer) -> Interval:
    """Return the interval of a symbol or of an integer."""
    return value.interval if isinstance(value, Symbol) else Interval.point(int(value))


def value_of(value: Integer) -> Polynomial:
    """Return the polynomial of a symbol or of an integer."""
    return value.value if isinstance(value, Symbol) else polynomial.fixed(int(value))


def word_of(value: Integer, width: int) -> Term:
    """Return the lowest bits of a symbol or of an integer."""
    if isinstance(value, Symbol):
        return resized(polynomial.word(value.value), width, signed=True)
    return constant(int(value), width)


def symbol_of(term: Term, interval: Interval) -> Integer:
    """Return a two's complement word of `signed_bits(interval)` bits as a symbol."""
    return number(polynomial.atom(term, interval), interval)


def fresh(name: str, interval: Interval) -> tuple[Integer, Term]:
    """Return a new symbol in an interval, and the condition that its word is in it."""
    term = variable(signed_bits(interval), name)
    width = signed_bits(interval)
    low, high = constant(interval.low, width), constant(interval.high, width)
    inside = make(Kind.AND, make(Kind.BV_SGE, term, low), make(Kind.BV_SLE, term, high))
    return symbol_of(term, interval), inside


def settled(result: Any) -> Any:
    """Return a result of a path with the intervals that the path knows."""
    if isinstance(result, tuple):
        return tuple(settled(each) for each in result)
    if isinstance(result, Symbol):
        return number(result.value, result.interval)
    return result


def merged(condition: Term, one: Any, two: Any) -> Any:
    """Return the first of two results where a condition holds, else the second.

    Results are symbols, integers, None and tuples of these.
    """
    if one is two:
        return one
    if isinstance(one, tuple):
        return tuple(merged(condition, *pair) for pair in zip(one, two, strict=True))
    if value_of(one) == value_of(two):
        return number(value_of(one), union(one, two))
    interval = union(one, two)
    width = signed_bits(interval)
    term = make(Kind.ITE, condition, word_of(one, width), word_of(two, width))
    return symbol_of(term, interval)


def union(one: Integer, two: Integer) -> Interval:
    """Return the interval of a choice between two values."""
    return interval_of(one).union(interval_of(two))


def _and(one: Integer, two: Integer) -> Integer:
    for mask, other in ((one, two), (two, one)):
        if not isinstance(mask, Symbol) and mask > 0 and not mask & (mask + 1):
            bits = int(mask).bit_length()
            whole = polynomial.scaled(polynomial.shifted(value_of(other), bits), 1 << bits)
            return number(polynomial.added(value_of(other), whole, -1), Interval(0, int(mask)))
    return _bitwise(Kind.BV_AND, one, two)


def _or(one: Integer, two: Integer) -> Integer:
    for low, high in ((one, two), (two, one)):
        reach, places = interval_of(low), interval_of(low).bits
        # Numbers without a common bit are added.
        if not reach.signed and all(not count % (1 << places) for _, count in value_of(high)):
            return low + high
    return _bitwise(Kind.BV_OR, one, two)


def _bitwise(kind: Kind, one: Integer, two: Integer) -> Integer:
    a, b = interval_of(one), interval_of(two)
    width = max(signed_bits(a), signed_bits(b))
    positive = [each for each in (a, b) if not each.signed]
    reach = Interval(-(1 << (width - 1)), (1 << (width - 1)) - 1)
    if kind == Kind.BV_AND and positive:
        reach = Interval(0, (1 << min(each.bits for each in positive)) - 1)
    elif len(positive) == 2:
        reach = Interval(0, (1 << (width - 1)) - 1)
    term = make(kind, word_of(one, width), word_of(two, width))
    return symbol_of(resized(term, signed_bits(reach), signed=True), reach)


def _condition(holds: Term, facts: tuple[Facts, Facts]) -> Symbol:
    bit = resized(as_bit(holds), 2, signed=False)
    return Symbol(polynomial.atom(bit, Interval(0, 1)), Interval(0, 1), facts)


def _opposite(condition: Integer) -> Integer:
    if not isinstance(condition, Symbol):
        return 1 - condition
    opposite = polynomial.added(polynomial.fixed(1), condition.value, -1)
    return Symbol(opposite, Interval(0, 1), condition._facts[::-1])


def _at_least(one: Integer, two: Integer) -> Integer:
    a, b = interval_of(one), interval_of(two)
    if a.low >= b.high or a.high < b.low:
        return int(a.low >= b.high)
    width = max(signed_bits(a), signed_bits(b))
    holds = make(Kind.BV_SGE, word_of(one, width), word_of(two, width))
    reached = {
        value_of(one): Interval(max(a.low, b.low), a.high),
        value_of(two): Interval(b.low, min(b.high, a.high)),
    }
    missed = {
        value_of(one): Interval(a.low, min(a.high, b.high - 1)),
        value_of(two): Interval(max(b.low, a.low + 1), b.high),
    }
    return _condition(holds, (reached, missed))


def _equal(one: Integer, two: Any) -> Integer:
    a, b = interval_of(one), interval_of(two)
    if value_of(one) == value_of(two):
        return 1
    if a.high < b.low or a.low > b.high:
        return 0
    width = max(signed_bits(a), signed_bits(b))
    return _condition(make(Kind.EQUAL, word_of(one, width), word_of(two, width)), NO_FACTS)
