"""Derivation of the integers of the backward sweep; compare `bitlif.model.derive`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from .adjoint import AdjointFilter, SweepShift
from .constants import PhaseConstants
from .credit import SIGN, SIGN_FRAC, TRANSPOSE, Credit
from .derive import derive, leak_factor
from .engine.words import WORD_BITS, fits_word
from .errors import BitlifError
from .fixed import MAX_SHIFT, Format, Rounding, StochasticShift, round_fraction
from .interval import Interval
from .rates import changed_rates
from .sections import Settings
from .surrogate import BINS, SPAN, Surrogate, surrogate_table
from .sweep_sections import SweepConfig, SweepRounding

RECIPROCAL_BITS = 16
"""Bits of the factor that turns a distance into a bin of the surrogate table."""


class SweepConstants(NamedTuple):
    """The integers of the sweep of a layer, the same in all phases of the schedule."""

    membrane: AdjointFilter
    current: AdjointFilter
    credit: Credit
    surrogate: Surrogate
    hidden: int
    """1 in a hidden layer: the drive is the credit, and spikes cut the sweep."""
    draws: int
    """Draws per neuron and step: credit (hidden layers only), membrane, current; 0 if none."""
    spike_update: int
    """1 if input spikes update the weights during the sweep."""


@dataclass(frozen=True)
class DerivedSweep:
    """Everything that is derived for the sweep of a layer.

    Attributes
    ----------
    constants : SweepConstants
    phases : tuple of PhaseConstants
        Those of the layer, with the rate for the unit of the sweep's gradient.
    ranges : mapping of str to Interval
        Range of every intermediate by name.
    words, update_words : bool
        Whether words of 32 bits hold every intermediate of the sweep, and of the update by it.
    """

    constants: SweepConstants
    phases: tuple[PhaseConstants, ...]
    ranges: Mapping[str, Interval]
    words: bool
    update_words: bool


@functools.lru_cache(maxsize=256)
def derive_sweep(
    config: Settings, sweep: SweepConfig, weight: Format | None, current: Format | None, fan: int
) -> DerivedSweep:
    """Return everything that is derived for the sweep of a layer.

    Parameters
    ----------
    config : Settings
        The layer's configuration.
    sweep : SweepConfig
    weight, current : Format or None
        Formats of the weights and of the adjoint current of the next layer; None in the last one.
    fan : int
        Number of neurons of the next layer.

    Raises
    ------
    BitlifError
        If an intermediate could be too wide, or no learning rate fits; the message names it.
    """
    ranges: dict[str, Interval] = {}
    hidden = weight is not None and current is not None
    leak_m = leak_factor("membrane.decay", config.membrane.decay)
    leak_s = leak_factor("synapse.decay", config.synapse.decay)
    gain = round_fraction(Fraction(config.membrane.gain) * (1 << config.membrane.gain_bits))
    drive = sweep.credit if hidden else config.error.format
    membrane = _filter(
        sweep, leak_m, sweep.membrane, (1, drive.frac), Interval.of(drive),
        "adjoint membrane", ranges,
    )  # fmt: skip
    adjoint = _filter(
        sweep, leak_s, sweep.current,
        (gain, config.membrane.gain_bits + sweep.membrane.frac),
        Interval.of(sweep.membrane), "adjoint current", ranges,
    )  # fmt: skip
    steps = config.window.steps
    gradient = Interval.of(sweep.current).times(steps)
    ranges["sweep gradient"] = gradient.checked("sweep gradient", "narrow sweep.current")
    taken = _credit(sweep, weight, current, fan, ranges) if hidden else Credit(
        TRANSPOSE, 1, SweepShift(0, 0, 0, 0, 0), 0, 0
    )  # fmt: skip
    stochastic = sweep.rounding is SweepRounding.STOCHASTIC
    constants = SweepConstants(
        membrane, adjoint, taken, _surrogate(config, sweep), int(hidden),
        (2 + int(hidden)) * int(stochastic), int(sweep.update == "spike"),
    )  # fmt: skip
    unit = sweep.current.lsb / config.synapse.weight.lsb
    phases = changed_rates(config, derive(config).phases, unit, gradient, ranges)
    return DerivedSweep(
        constants, phases, MappingProxyType(ranges),
        _sweep_in_words(constants, ranges), _update_in_words(config, phases, ranges),
    )  # fmt: skip


def _sweep_in_words(constants: SweepConstants, ranges: Mapping[str, Interval]) -> bool:
    """Return whether words hold every intermediate of the sweep of a layer, and of its credit."""
    sums = [
        (ranges["adjoint membrane sum"], constants.membrane.shift),
        (ranges["adjoint current sum"], constants.current.shift),
    ]
    if constants.hidden:
        sums.append((ranges["credit sum"], constants.credit.shift))
    return all(
        max(shift.left, shift.right, shift.random_bits) < WORD_BITS
        and _in_words(total, shift.random_bits)
        for total, shift in sums
    )


def _update_in_words(
    config: Settings, phases: tuple[PhaseConstants, ...], ranges: Mapping[str, Interval]
) -> bool:
    """Return whether words hold every intermediate of an update by the sweep."""
    product = ranges["update product"] + Interval.of(config.synapse.weight)
    shifts = [max(phase.rate_left, phase.rate_right) for phase in phases]
    bits = config.learning.random_bits
    return max(*shifts, bits) < WORD_BITS and _in_words(product, bits)


def _in_words(total: Interval, random_bits: int) -> bool:
    """Return whether words hold a sum, its negative, and both with a random word added."""
    most = max(-total.low, total.high) + (1 << random_bits)
    return fits_word(-most, most)


def sweep_shift(sweep: SweepConfig, shift: int) -> SweepShift:
    """Return the constants of a right shift in the rounding mode of a sweep."""
    if sweep.rounding is SweepRounding.TOWARD_ZERO:
        return SweepShift(1, 0, 0, shift, 0)
    if sweep.rounding is SweepRounding.NEAREST:
        return SweepShift(0, 0, Rounding.NEAREST.bias(shift), shift, 0)
    step = StochasticShift.of(shift, sweep.random_bits)
    return SweepShift(0, step.left, step.bias, step.right, step.random_bits)


def _filter(
    sweep: SweepConfig,
    keep: tuple[int, int],
    state: Format,
    take: tuple[int, int],
    taken: Interval,
    name: str,
    ranges: dict[str, Interval],
) -> AdjointFilter:
    """Return a filter; `keep` and `take` are as in `bitlif.model.derive`."""
    keep_frac = keep[1] + state.frac
    point = max(keep_frac, take[1])
    if point - min(keep_frac, take[1], state.frac) > MAX_SHIFT:
        raise BitlifError(
            f"{name}: the formats' binary points must be at most {MAX_SHIFT} bits apart"
        )
    factor, gain = keep[0] << (point - keep_frac), take[0] << (point - take[1])
    total = Interval.of(state).scaled(factor) + taken.scaled(gain)
    shift = sweep_shift(sweep, point - state.frac)
    _check_shift(name, total, shift, ranges)
    return AdjointFilter(factor, gain, shift, state.raw_min, state.raw_max)


def _check_shift(
    name: str, total: Interval, shift: SweepShift, ranges: dict[str, Interval]
) -> None:
    wide = total.scaled(1 << shift.left) + Interval.point(shift.bias)
    ranges[f"{name} sum"] = wide.checked(f"{name} sum", "narrow its formats or coefficients")


def _credit(
    sweep: SweepConfig,
    weight: Format | None,
    current: Format | None,
    fan: int,
    ranges: dict[str, Interval],
) -> Credit:
    assert weight is not None
    assert current is not None
    sign = sweep.feedback == "sign"
    factor = Interval(-1, 1) if sign else Interval.of(weight)
    product = factor * Interval.of(current)
    total = product.times(fan)
    bits = sweep.surrogate.bits
    derivative, frac = (1, 0) if bits == 1 else ((1 << bits) - 1, bits)
    total = total.union(total.scaled(derivative))
    point = (SIGN_FRAC if sign else weight.frac) + current.frac + frac
    left = max(sweep.credit.frac - point, 0)
    shift = max(point - sweep.credit.frac, 0)
    if max(left, shift) > MAX_SHIFT:
        raise BitlifError(f"credit: the binary points must be at most {MAX_SHIFT} bits apart")
    total = total.scaled(1 << left)
    constants = sweep_shift(sweep, shift)
    _check_shift("credit", total, constants, ranges)
    return Credit(
        SIGN if sign else TRANSPOSE, 1 << left, constants,
        sweep.credit.raw_min, sweep.credit.raw_max,
    )  # fmt: skip


def _surrogate(config: Settings, sweep: SweepConfig) -> Surrogate:
    lsb = config.membrane.format.lsb
    width = Fraction(sweep.surrogate.width) / lsb
    if sweep.surrogate.bits == 1:
        raw = round_fraction(width)
        if raw < 1:
            raise BitlifError(
                f"sweep.surrogate.width must be at least half an LSB of the membrane, "
                f"{float(lsb) / 2:g}, not {sweep.surrogate.width:g}"
            )
        return Surrogate(raw, 0, 0, np.zeros(0, np.int64))
    limit = round_fraction(width * SPAN)
    # Bins per LSB, as a factor of RECIPROCAL_BITS and a shift.
    ratio, shift = Fraction(BINS, SPAN) / width, 0
    while shift < MAX_SHIFT - RECIPROCAL_BITS and (
        round_fraction(ratio * (2 << shift)) < 1 << RECIPROCAL_BITS
    ):
        shift += 1
    reciprocal = round_fraction(ratio * (1 << shift))
    if limit < 1 or not 1 <= reciprocal < 1 << RECIPROCAL_BITS:
        raise BitlifError(
            f"sweep.surrogate.width must fit the membrane's format '{config.membrane.format}', "
            f"not {sweep.surrogate.width:g}"
        )
    if not config.noise.drawn:
        raise BitlifError(
            f"sweep.surrogate.bits must be 1 with noise.kind = 'none', not {sweep.surrogate.bits}: "
            f"the table is the density of the noise"
        )
    table = surrogate_table(config.noise.pmf, sweep.surrogate.bits)
    return Surrogate(limit, reciprocal, shift, np.array(table, np.int64))
