"""The integer constants of the step functions: per layer, and per phase of the schedule."""

from __future__ import annotations

from typing import Any, NamedTuple


class Filter(NamedTuple):
    """A leaky sum in integers: ``saturate((keep * state + take * input + bias) >> shift)``.

    The factors `keep` and `take` align both products to a common binary point, so that there is
    only one rounding; see `bitlif.model.fixed.round_shift`.
    """

    keep: int
    take: int
    bias: int
    shift: int
    low: int
    high: int


class Constants(NamedTuple):
    """The integers of a layer, the same in all phases of the schedule."""

    current: Filter
    membrane: Filter
    trace_current: Filter
    trace: Filter
    threshold: int
    teacher_reset: int
    keep_noise: int
    noise_bias: int
    noise_shift: int
    bin_shift: int
    half_bins: int
    target_one: int
    error_bias: int
    error_shift: int
    error_low: int
    error_high: int
    random_bits: int
    weight_low: int
    weight_high: int
    subtracted: int = 0
    """What a spike subtracts from the membrane: the threshold, or 0 where a reset is to 0."""

    def named(self) -> dict[str, Any]:
        """Return the constants by name, without those of options that are not used."""
        found = self._asdict()
        return {name: own for name, own in found.items() if name != "subtracted" or own}


class PhaseConstants(NamedTuple):
    """The integers of one phase of the schedule."""

    noise_scale: int
    reciprocal: int
    rate: int
    rate_left: int
    rate_bias: int
    rate_right: int
