"""Bit-vector terms of the solver Bitwuzla: the few constructors that symbols and gates share."""

from __future__ import annotations

from typing import Any

from bitwuzla import Kind, TermManager

Term = Any
"""A term of Bitwuzla: a bit vector, a Boolean or an array."""

TM = TermManager()
"""Owns all terms of a process: equal terms are one object, so equal circuits cost nothing."""


def make(kind: Kind, *operands: Term, indices: tuple[int, ...] = ()) -> Term:
    """Return an operation on terms."""
    return TM.mk_term(kind, list(operands), list(indices))


def width_of(term: Term) -> int:
    """Return the width of a bit vector in bits."""
    return int(term.sort().bv_size())


def constant(value: int, width: int) -> Term:
    """Return `value` modulo ``2**width`` as a bit vector."""
    return TM.mk_bv_value(TM.mk_bv_sort(width), value & ((1 << width) - 1))


def variable(width: int, name: str) -> Term:
    """Return a new bit vector of any value."""
    return TM.mk_const(TM.mk_bv_sort(width), name)


def memory(address_bits: int, data_bits: int, name: str) -> Term:
    """Return a new array of any contents."""
    sorts = TM.mk_bv_sort(address_bits), TM.mk_bv_sort(data_bits)
    return TM.mk_const(TM.mk_array_sort(*sorts), name)


def resized(term: Term, width: int, *, signed: bool) -> Term:
    """Return a bit vector in another width: extended, or its lowest bits."""
    extra = width - width_of(term)
    if extra < 0:
        return make(Kind.BV_EXTRACT, term, indices=(width - 1, 0))
    if extra == 0:
        return term
    kind = Kind.BV_SIGN_EXTEND if signed else Kind.BV_ZERO_EXTEND
    return make(kind, term, indices=(extra,))


def as_bit(condition: Term) -> Term:
    """Return a Boolean as a bit vector of one bit."""
    return make(Kind.ITE, condition, constant(1, 1), constant(0, 1))


def as_condition(bit: Term) -> Term:
    """Return whether a bit vector is not zero."""
    return make(Kind.DISTINCT, bit, constant(0, width_of(bit)))


def both(conditions: list[Term]) -> Term:
    """Return whether all conditions hold."""
    if not conditions:
        return TM.mk_true()
    return conditions[0] if len(conditions) == 1 else make(Kind.AND, *conditions)
