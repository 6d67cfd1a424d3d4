"""The integers that the step functions take: of a layer, and of a phase of its schedule."""

from __future__ import annotations

from typing import NamedTuple


class Filter(NamedTuple):
    """A leaky sum in integers: ``saturate((keep * state + take * input + bias) >> shift)``.

    Both products are aligned to a common binary point first (in the constants), so that there is
    one rounding; see `bitlif.model.fixed.round_shift`.
    """

    keep: int
    take: int
    bias: int
    shift: int
    low: int
    high: int


class Constants(NamedTuple):
    """The integers that do not change while a layer lives."""

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


class PhaseConstants(NamedTuple):
    """The integers that a phase of the schedule sets."""

    noise_scale: int
    reciprocal: int
    rate: int
    rate_left: int
    rate_bias: int
    rate_right: int
