"""The surrogate derivative of a hidden neuron's spike: how much its membrane potential matters.

It is a function of the distance ``Vb - u`` to the threshold, with a width of its own, wider than
the noise. With one bit it is a window: 1 where ``|Vb - u| < width``. With more bits it is a table
over the distance, like the error tables.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any, NamedTuple

from .engine.compile import compilable
from .fixed import round_fraction
from .noise import EXACT, Pmf

BINS = 64
"""Bins of the table on one side of the threshold."""

SPAN = 4
"""The table covers distances up to this many widths; beyond, the derivative is 0."""


class Surrogate(NamedTuple):
    """The integers of a surrogate derivative."""

    width: int
    """Distances from this one on, in membrane LSBs, give 0."""
    reciprocal: int
    """A distance times this, shifted right by `shift`, is a bin of the table; 0: no table."""
    shift: int
    table: Any
    """(BINS or 0,) int64: raw derivative of each bin."""


@compilable
def surrogate_value(membrane: int, threshold: int, s: Surrogate) -> int:
    """Return the raw derivative at a membrane potential; with one bit, 1 or 0."""
    distance = abs(membrane - threshold)
    if distance >= s.width:
        return 0
    if s.reciprocal == 0:
        return 1
    return int(s.table[min((distance * s.reciprocal) >> s.shift, s.table.size - 1)])


def surrogate_table(pmf: Pmf, bits: int) -> tuple[int, ...]:
    """Return the table for more than one bit: BINS raw entries in ``0 ..= 2**bits - 1``.

    An entry is the mean over its bin of the density of the noise, relative to the first bin's, so
    it needs only the probabilities at both ends of the bin; compare `bitlif.model.table`.
    """
    step = EXACT.divide(SPAN, BINS)
    edges = [Fraction(pmf.probability_above(EXACT.multiply(k, step))) for k in range(BINS + 1)]
    mass = [after - before for before, after in itertools.pairwise(edges)]
    scale = ((1 << bits) - 1) / max(mass)
    return tuple(round_fraction(own * scale) for own in mass)
