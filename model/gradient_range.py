"""The range of a window's gradient, and the learning rates that can change a weight.

The bounds follow from the constants alone and hold for all inputs, targets and draws. The error is
linear in the target, so its extremes are at the targets 0 and 1. Traces are largest if an input
spikes in every step, because both filters are increasing in state and input.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction

from bitlif.model.sections import Settings

from .constants import Constants, Filter
from .derive import Derived
from .fixed import round_shift, saturate
from .interval import Interval

MAX_WALK = 1 << 16
"""Number of trace steps computed; later steps are bounded by the maximum of the format."""


def error_range(table: tuple[tuple[int, ...], tuple[int, ...]], c: Constants) -> Interval:
    """Return the range of the error over all bins and targets."""
    sums = (c.target_one * max(table[0]), -c.target_one * max(table[1]))
    high, low = (
        saturate(round_shift(x, c.error_bias, c.error_shift), c.error_low, c.error_high)[0]
        for x in sums
    )
    return Interval(min(low, 0), max(high, 0))


@functools.lru_cache(maxsize=256)
def largest_trace_sum(trace_current: Filter, trace: Filter, steps: int, carried: bool) -> int:
    """Return the maximum sum of one input's PSP trace over a window of `steps` steps.

    `carried` says whether the trace continues from the window before.
    """
    synaptic = psp = total = step = 0
    while step < min(steps, MAX_WALK) or (carried and step < MAX_WALK):
        before = synaptic, psp
        f = trace_current
        synaptic = min((f.keep * synaptic + f.take + f.bias) >> f.shift, f.high)
        f = trace
        psp = min((f.keep * psp + f.take * synaptic + f.bias) >> f.shift, f.high)
        if (synaptic, psp) == before:
            # A fixed point: a window with a carried trace may start here.
            return steps * psp if carried else total + (steps - step) * psp
        total += psp
        step += 1
    return steps * trace.high if carried else total + (steps - step) * trace.high


def gradient_range(config: Settings, derived: Derived) -> Interval:
    """Return the range of the raw gradient of a window."""
    c = derived.constants
    most = largest_trace_sum(
        c.trace_current, c.trace, config.window.steps, config.window.trace == "carry"
    )
    return error_range(derived.table, c).scaled(most)


def idle_phases(config: Settings, derived: Derived) -> tuple[int, ...]:
    """Return the phases in which no gradient, however large, can change a weight.

    A weight changes if ``(y + draw) >> random_bits`` is not 0 for some draw, where y is rate times
    gradient, rounded to steps of ``2**-random_bits`` LSBs. So it never changes if y is always 0.
    """
    gradient = gradient_range(config, derived)
    idle = []
    for number, phase in enumerate(derived.phases):
        product = gradient.scaled(phase.rate << phase.rate_left) + Interval.point(phase.rate_bias)
        y = product >> phase.rate_right
        if y.low == y.high == 0:
            idle.append(number)
    return tuple(idle)


def least_rate(config: Settings, derived: Derived) -> float:
    """Return approximately the smallest learning rate that can change a weight, or infinity."""
    gradient = gradient_range(config, derived)
    most = max(-gradient.low, gradient.high)
    if most == 0:
        return math.inf
    # The product rounds to at least 1 if it is at least half of 2**-random_bits LSB.
    unit = config.error.format.lsb * config.trace.format.lsb / config.synapse.weight.lsb
    half = Fraction(1, 2 << config.learning.random_bits)
    return float(half * config.window.steps / unit / most)
