"""Credit: how the adjoints of a layer reach the neurons of the layer before it.

The credit of hidden neuron h is the sum over the neurons o of the next layer of the feedback weight
times the adjoint current ``kap_o``. The sum is exact. Multiplied by the surrogate derivative, it is
rounded once and saturated.
"""

from __future__ import annotations

from typing import NamedTuple

from .adjoint import SweepShift, shift_sweep
from .engine.compile import compilable
from .fixed import saturate

TRANSPOSE, SIGN = range(2)
"""Feedback by the forward weights, or by their signs."""

FEEDBACKS = ("transpose", "sign", "none")
"""Names of the kinds of feedback; with ``"none"`` the layer before is not learned."""

SIGN_FRAC = 3
"""Fractional bits of a sign as a feedback weight: it stands for 1/8."""


class Credit(NamedTuple):
    """The integers of the credit of a hidden layer."""

    feedback: int
    """TRANSPOSE or SIGN"""
    take: int
    shift: SweepShift
    low: int
    high: int


@compilable
def feedback_weight(weight: int, feedback: int) -> int:
    """Return the feedback weight for a forward weight; `feedback` is TRANSPOSE or SIGN."""
    return int(weight) if feedback == TRANSPOSE else int(weight > 0) - int(weight < 0)


@compilable
def credit_sum(weights, adjoints, feedback):  # type: ignore[no-untyped-def]
    """Return the exact sum of feedback weight times adjoint current over the next layer's neurons.

    Parameters
    ----------
    weights, adjoints : (M,) int
        Forward weights of one hidden neuron, and adjoint currents of the next layer.
    feedback : int
        TRANSPOSE or SIGN.
    """
    total = 0
    for i in range(adjoints.size):
        total += feedback_weight(weights[i], feedback) * adjoints[i]
    return total


@compilable
def credit(total: int, derivative: int, random: int, c: Credit) -> tuple[int, bool]:
    """Return surrogate derivative times exact sum, rounded once, and whether it saturated."""
    return saturate(shift_sweep(derivative * total * c.take, random, c.shift), c.low, c.high)
