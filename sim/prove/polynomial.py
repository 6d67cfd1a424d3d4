"""Polynomials with integer coefficients over atoms: the normal form of sums, products and shifts.

Gates multiply by a constant with shifted sums, split a product of wide operands in two, and add the
constant of a rounding where it is cheapest. A solver takes hours to see that such circuits are
equal. As polynomials over the integers they are the same object, and become the same bit vector.

An atom is anything that is no sum or product: an input, the choice between two values, an element
of a table, or a shift to the right of a polynomial. These rules hold for all integers::

    (2^g P) >> s             =  P >> (s - g)               for g <= s
    (2^s C + P) >> s         =  C + (P >> s)
    ((P >> r) + C) >> s      =  (P + 2^r C) >> (r + s)
    (-P) >> s                =  -((P + 2^s - 1) >> s)
    P >> s                   =  the constant low >> s      if low >> s = high >> s
    P >> s                   =  P >> r                     if P >> r is -1 or 0, for r <= s
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from bitwuzla import Kind

from bitlif.model.interval import Interval

from .terms import Term, constant, make, resized, width_of

Monomial = tuple[int, ...]
"""Numbers of atoms in ascending order; empty for the constant."""

Polynomial = tuple[tuple[Monomial, int], ...]
"""Monomials and their coefficients, which are not zero, in ascending order."""


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """A value that polynomials are made of.

    Attributes
    ----------
    term : Term
        A two's complement word of `signed_bits(interval)` bits.
    interval : Interval
    shifted : (Polynomial, int) or None
        The value is this polynomial, shifted to the right.
    """

    term: Term
    interval: Interval
    shifted: tuple[Polynomial, int] | None = None


ATOMS: list[Atom] = []
"""All atoms of the process by number."""

SIGN = Interval(-1, 0)

_numbers: dict[tuple[int, int, int], int] = {}
_shifts: dict[tuple[Polynomial, int], int] = {}


def signed_bits(interval: Interval) -> int:
    """Return the width of a two's complement word that holds an interval."""
    return interval.bits + (not interval.signed)


def atom(term: Term, interval: Interval) -> Polynomial:
    """Return a word of `signed_bits(interval)` bits as a polynomial."""
    if interval.low == interval.high:
        return fixed(interval.low)
    key = (term.id(), interval.low, interval.high)
    if key not in _numbers:
        _numbers[key] = len(ATOMS)
        ATOMS.append(Atom(term, interval))
    return (((_numbers[key],), 1),)


def fixed(value: int) -> Polynomial:
    """Return a constant."""
    return (((), value),) if value else ()


def constant_of(p: Polynomial) -> int | None:
    """Return the value of a polynomial without atoms, else None."""
    if not p:
        return 0
    return p[0][1] if len(p) == 1 and p[0][0] == () else None


def _made(terms: dict[Monomial, int]) -> Polynomial:
    return tuple(sorted((own, count) for own, count in terms.items() if count))


def added(p: Polynomial, q: Polynomial, factor: int = 1) -> Polynomial:
    """Return ``p + factor * q``."""
    terms = dict(p)
    for own, count in q:
        terms[own] = terms.get(own, 0) + factor * count
    return _made(terms)


def scaled(p: Polynomial, factor: int) -> Polynomial:
    """Return ``factor * p``."""
    return added((), p, factor)


def multiplied(p: Polynomial, q: Polynomial) -> Polynomial:
    """Return ``p * q``."""
    terms: dict[Monomial, int] = {}
    for one, count in p:
        for two, other in q:
            own = tuple(sorted(one + two))
            terms[own] = terms.get(own, 0) + count * other
    return _made(terms)


@lru_cache(maxsize=65536)
def monomial_interval(own: Monomial) -> Interval:
    """Return the interval of a product of atoms."""
    found = Interval.point(1)
    for number in own:
        found = found * ATOMS[number].interval
    return found


@lru_cache(maxsize=65536)
def interval(p: Polynomial) -> Interval:
    """Return the interval of a polynomial: the sum of those of its monomials."""
    found = Interval.point(0)
    for own, count in p:
        found += monomial_interval(own).scaled(count)
    return found


def shifted(p: Polynomial, places: int) -> Polynomial:
    """Return ``p >> places``, rounded down; see the rules of this module."""
    if places == 0 or not p:
        return p
    inner = _inner_shift(p)
    if inner is not None:
        (below, more), number = inner
        rest = _made({own: count for own, count in p if own != (number,)})
        return shifted(added(below, rest, 1 << more), places + more)
    whole = tuple((own, count >> places) for own, count in p if not count % (1 << places))
    if whole:
        rest = tuple((own, count) for own, count in p if count % (1 << places))
        return added(whole, shifted(rest, places))
    twos = min((count & -count).bit_length() - 1 for _, count in p)
    if twos:
        return shifted(tuple((own, count >> twos) for own, count in p), places - twos)
    if next((count for own, count in p if own), 1) < 0:
        opposite = added(fixed((1 << places) - 1), p, -1)
        return scaled(shifted(opposite, places), -1)
    reach = interval(p)
    if reach >> places == SIGN:
        # Only the sign is left, whatever more is dropped.
        places = min(places, signed_bits(reach) - 1)
    reach = reach >> places
    if reach.low == reach.high:
        return fixed(reach.low)
    key = (p, places)
    if key not in _shifts:
        _shifts[key] = len(ATOMS)
        ATOMS.append(Atom(_shifted_word(word(p), reach, places), reach, key))
    return (((_shifts[key],), 1),)


def _inner_shift(p: Polynomial) -> tuple[tuple[Polynomial, int], int] | None:
    """Return the shift that is one of the summands, and its atom."""
    for own, count in p:
        if len(own) == 1 and count == 1:
            found = ATOMS[own[0]].shifted
            if found is not None:
                return found, own[0]
    return None


def _shifted_word(term: Term, reach: Interval, places: int) -> Term:
    own, width = width_of(term), signed_bits(reach)
    last = min(places, own - 1)  # beyond the word there is only its sign
    kept = make(Kind.BV_EXTRACT, term, indices=(own - 1, last))
    return resized(kept, width, signed=True)


@lru_cache(maxsize=65536)
def word(p: Polynomial) -> Term:
    """Return a polynomial as a two's complement word of ``signed_bits(interval(p))`` bits."""
    return _word(p, signed_bits(interval(p)))


@lru_cache(maxsize=65536)
def wide_word(p: Polynomial) -> Term:
    """Return a polynomial as a word that no sum and no product can overflow.

    The width follows from those of the atoms' words alone, not from their intervals.
    """
    sizes = [
        sum(width_of(ATOMS[number].term) for number in own) + abs(count).bit_length() + 1
        for own, count in p
    ]
    return _word(p, max(sizes, default=1) + len(sizes).bit_length())


def _word(p: Polynomial, width: int) -> Term:
    total = None
    for own, count in p:
        part = None
        for number in own:
            factor = resized(ATOMS[number].term, width, signed=True)
            part = factor if part is None else make(Kind.BV_MUL, part, factor)
        if part is None:
            part = constant(count, width)
        elif count != 1:
            part = make(Kind.BV_MUL, part, constant(count, width))
        total = part if total is None else make(Kind.BV_ADD, total, part)
    return constant(0, width) if total is None else total
