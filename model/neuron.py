"""The two-compartment neuron: the integer functions of one step, as the contract defines them."""

from __future__ import annotations

from bitlif.model.constants import Constants, Filter, PhaseConstants

from .engine.compile import compilable
from .fixed import round_shift, saturate


@compilable
def leaky_sum(state: int, taken: int, f: Filter) -> tuple[int, bool]:
    """Return ``keep * state + take * taken``, rounded once, and whether it saturated.

    This is the update of both compartments and of both stages of a PSP trace;
    `bitlif.model.constants.Filter` holds the constants.

    >>> leaky_sum(100, 3, Filter(keep=7, take=8, bias=4, shift=3, low=-128, high=127))    # 90.5
    (91, False)
    """
    return saturate(round_shift(f.keep * state + f.take * taken, f.bias, f.shift), f.low, f.high)


@compilable
def noise_level(draw: int, phase: PhaseConstants, c: Constants) -> int:
    """Return a draw in membrane LSBs: scaled by sigma and rounded to nearest."""
    return round_shift(phase.noise_scale * draw, c.noise_bias, c.noise_shift)


@compilable
def fires(membrane: int, noise: int, c: Constants) -> bool:
    """Return whether the neuron spikes: whether membrane plus noise reaches the threshold."""
    return membrane + noise >= c.threshold


@compilable
def keep_membrane(membrane: int, noise: int, reset: bool, c: Constants) -> tuple[int, bool]:
    """Return the membrane potential after the step, and whether it saturated.

    With injection at the threshold, the noise is not added to the potential. A reset sets the
    potential to 0, or subtracts the threshold before the potential is limited to its format.
    """
    exact = membrane + noise * c.keep_noise
    if c.subtracted > 0:
        exact -= c.subtracted if reset else 0
    kept, saturated = saturate(exact, c.membrane.low, c.membrane.high)
    return kept if c.subtracted > 0 or not reset else 0, saturated
