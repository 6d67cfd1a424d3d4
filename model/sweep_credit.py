"""How a layer that is swept hands credit back to the layer before it, step by step."""

from __future__ import annotations

from .credit import credit_sum, feedback_weight
from .engine.compile import inlined
from .engine.loops import set_zero
from .engine.words import wide, word
from .surrogate import surrogate_value


@inlined
def transpose_feedback(weights, feedback, kind):  # type: ignore[no-untyped-def]
    """Write the feedback weights, (M, N), from the forward weights, (at least N, M)."""
    for o in range(feedback.shape[0]):
        row = feedback[o]
        for j in range(row.size):
            row[j] = feedback_weight(weights[j, o], kind)


@inlined
def next_active(adjoints, o):  # type: ignore[no-untyped-def]
    """Return the first neuron from `o` on whose adjoint current is not 0, or their number."""
    while o < adjoints.size and adjoints[o] == 0:
        o += 1
    return o


@inlined
def credit_step(sweep, credits, kind):  # type: ignore[no-untyped-def]
    """Write the exact sums of credit of one step; `kind` is `word` or `wide`."""
    adjoints, feedback = sweep.current, sweep.feedback
    size = adjoints.size
    set_zero(credits)
    a = next_active(adjoints, 0)
    while a < size:
        # Four at a time, completed by the last neuron with a factor of 0.
        b = next_active(adjoints, a + 1)
        c = next_active(adjoints, b + 1)
        d = next_active(adjoints, c + 1)
        first, second = feedback[a], feedback[min(b, size - 1)]
        third, fourth = feedback[min(c, size - 1)], feedback[min(d, size - 1)]
        p, q = kind(adjoints[a]), kind(adjoints[b] if b < size else 0)
        r, s = kind(adjoints[c] if c < size else 0), kind(adjoints[d] if d < size else 0)
        for j in range(credits.size):
            total = (p * first[j] + q * second[j]) + (r * third[j] + s * fourth[j])
            credits[j] += wide(total)
        a = next_active(adjoints, d + 1)


@inlined
def credit_now(sweep, weights, credits, derivative, feedback):  # type: ignore[no-untyped-def]
    """Write these sums from weights that change from step to step.

    A neuron whose derivative is 0 gets none, whatever the sum.
    """
    for j in range(credits.size):
        total = 0
        if derivative[j] != 0:
            total = credit_sum(weights[j], sweep.current, feedback)
        credits[j] = total


@inlined
def hand_back(  # type: ignore[no-untyped-def]
    sweep, before, membrane, threshold, surrogate, weights, feedback, spike_update, t
):  # fmt: skip
    """Write the surrogate derivatives and the exact sums of credit of a step of the layer before.

    `membrane`, `threshold` and `surrogate` are those of the layer before.
    """
    derivative = before.derivative[t]
    for i in range(membrane.size):
        derivative[i] = surrogate_value(membrane[i], threshold, surrogate)
    if before.words:
        drive = before.drive[t]
        if spike_update:
            credit_now(sweep, weights, drive, derivative, feedback)
        else:
            credit_step(sweep, drive, word)
    else:
        large = before.wide_drive[t]
        if spike_update:
            credit_now(sweep, weights, large, derivative, feedback)
        else:
            credit_step(sweep, large, wide)
