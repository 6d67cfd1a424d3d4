"""Adjoint filters: the backward sweep through both compartments, in integers.

After a window, the sweep visits its steps from the last to the first. The adjoint membrane ``lam``
and the adjoint current ``kap`` are leaky sums with the leaks and the gain of the layer::

    lam[t] = a_m lam[t+1] + drive[t]       hidden layers: 0 instead of lam[t+1] after a spike in t
    kap[t] = a_s kap[t+1] + b lam[t]

The drive is the error in the last layer, and the credit in hidden layers. Each sum is exact until
one rounding; `SweepRounding` names it.
"""

from __future__ import annotations

from typing import NamedTuple

from .engine.compile import compilable
from .fixed import saturate


class SweepShift(NamedTuple):
    """The constants of a right shift in the sweep; see `shift_sweep`."""

    toward_zero: int
    left: int
    bias: int
    right: int
    random_bits: int


class AdjointFilter(NamedTuple):
    """A leaky sum of the sweep: ``saturate(shift(keep * state + take * taken))``."""

    keep: int
    take: int
    shift: SweepShift
    low: int
    high: int


@compilable
def shift_sweep(x: int, random: int, s: SweepShift) -> int:
    """Return `x` shifted right, in the rounding mode of the sweep.

    Toward zero, the magnitude is shifted. Otherwise this is
    `bitlif.model.fixed.stochastic_shift`, or rounding to nearest without random bits.

    >>> zero = SweepShift(toward_zero=1, left=0, bias=0, right=2, random_bits=0)
    >>> [shift_sweep(x, 0, zero) for x in (-7, -3, 3, 7)]
    [-1, 0, 0, 1]
    """
    if s.toward_zero:
        return x >> s.right if x >= 0 else -(-x >> s.right)
    return ((((x << s.left) + s.bias) >> s.right) + random) >> s.random_bits


@compilable
def adjoint_sum(state: int, taken: int, random: int, f: AdjointFilter) -> tuple[int, bool]:
    """Return the next state of an adjoint filter, and whether it saturated."""
    return saturate(shift_sweep(f.keep * state + f.take * taken, random, f.shift), f.low, f.high)
