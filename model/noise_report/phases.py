"""The noise of each phase of the schedule: the requested sigma and what the integers give."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.derive import derive, effective_sigma
from bitlif.model.fixed import round_shift
from bitlif.model.noise import Pmf


def describe_phases(config: Config) -> list[dict[str, Any]]:
    """Return the requested and the actual sigma of each phase.

    ``sigma_asked`` is the value in the schedule, ``sigma_scaled`` the sigma of scale * draw, which
    the error table assumes, and ``sigma_rounded`` the sigma of the noise after rounding to whole
    membrane LSBs. Sigmas are in the unit of the schedule; ``mean_rounded_lsb`` is in membrane LSBs.
    """
    derived = derive(config)
    shift = derived.constants.noise_shift
    lsb = config.membrane.format.lsb
    rounded = {
        constants.noise_scale: rounded_moments(
            config.noise.pmf, constants.noise_scale, derived.constants.noise_bias, shift
        )
        for constants in derived.phases
    }
    rows = []
    pairs = zip(config.schedule, derived.phases, strict=True)
    for number, (phase, constants) in enumerate(pairs):
        scaled = float(effective_sigma(config, constants.noise_scale, shift) * lsb)
        mean, variance = rounded[constants.noise_scale]
        rows.append(
            {
                "phase": number,
                "windows": phase.windows,
                "sigma_asked": phase.sigma,
                "noise_scale": constants.noise_scale,
                "noise_shift": shift,
                "sigma_scaled": scaled,
                "relative_error": scaled / phase.sigma - 1.0,
                "sigma_rounded": math.sqrt(variance) * float(lsb),
                "mean_rounded_lsb": float(mean),
            }
        )
    return rows


def rounded_moments(pmf: Pmf, scale: int, bias: int, shift: int) -> tuple[Fraction, Fraction]:
    """Return the exact mean and variance of a scaled and rounded draw, in membrane LSBs."""
    first = second = 0
    for level, count in zip(pmf.levels, pmf.counts, strict=True):
        noise = round_shift(scale * level, bias, shift)
        first += count * noise
        second += count * noise * noise
    mean = Fraction(first, pmf.total)
    return mean, Fraction(second, pmf.total) - mean * mean
