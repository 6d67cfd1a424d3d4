"""The two-compartment neuron, step by step, as integer functions that read like the contract."""

from __future__ import annotations

from bitlif.model.constants import Constants, Filter, PhaseConstants

from .engine.compile import compilable
from .fixed import round_shift, saturate


@compilable
def leaky_sum(state: int, taken: int, f: Filter) -> tuple[int, bool]:
    """Return ``keep * state + take * taken``, rounded once and saturated, and whether it saturated.

    Both compartments and both stages of a PSP trace are this; `bitlif.model.derive.Filter` holds
    the constants.

    >>> leaky_sum(100, 3, Filter(keep=7, take=8, bias=4, shift=3, low=-128, high=127))    # 90.5
    (91, False)
    """
    return saturate(round_shift(f.keep * state + f.take * taken, f.bias, f.shift), f.low, f.high)


@compilable
def noise_level(draw: int, phase: PhaseConstants, c: Constants) -> int:
    """Return a draw in membrane LSBs: scaled by sigma, rounded to nearest."""
    return round_shift(phase.noise_scale * draw, c.noise_bias, c.noise_shift)


@compilable
def fires(membrane: int, noise: int, c: Constants) -> bool:
    """Return whether the neuron spikes: this step's one draw lifts it to the threshold or above."""
    return membrane + noise >= c.threshold


@compilable
def keep_membrane(membrane: int, noise: int, reset: bool, c: Constants) -> tuple[int, bool]:
    """Return what the next step starts from, and whether it saturated: 0 after a reset.

    With injection at the threshold the noise is not kept.
    """
    kept, saturated = saturate(membrane + noise * c.keep_noise, c.membrane.low, c.membrane.high)
    return 0 if reset else kept, saturated
