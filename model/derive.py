"""Derivation of the contract's integers from a configuration: constants, shifts and signal ranges.

Real parameters are rounded to nearest here, once, in decimal arithmetic that gives the same result
on every machine. The step functions use only `Constants` and `PhaseConstants`. The range of each
intermediate, computed by interval arithmetic, gives its width in gates.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from .constants import Constants, Filter, PhaseConstants
from .errors import BitlifError
from .fixed import MAX_SHIFT, Format, Overflow, Rounding, round_fraction
from .interval import Interval
from .noise import EXACT
from .rates import rate_constants
from .sections import DecayConfig, Settings
from .table import error_table


@dataclass(frozen=True)
class Derived:
    """Everything that is derived from a configuration.

    Attributes
    ----------
    constants : Constants
    phases : tuple of PhaseConstants
        One per phase of the schedule.
    phase_ends : tuple of int
        Number of windows learned at the end of each phase but the last.
    table : (A, B)
        Columns of the raw error table, lowest bin first.
    ranges : mapping of str to Interval
        Range of every intermediate by name; names ending in `` sum`` are exact sums before
        rounding.
    """

    constants: Constants
    phases: tuple[PhaseConstants, ...]
    phase_ends: tuple[int, ...]
    table: tuple[tuple[int, ...], tuple[int, ...]]
    ranges: Mapping[str, Interval]

    def phase_at(self, learned: int) -> int:
        """Return the index of the phase after a number of windows learned."""
        return bisect.bisect_right(self.phase_ends, learned)


@functools.lru_cache(maxsize=256)
def derive(config: Settings) -> Derived:
    """Return everything that is derived from `config`.

    Raises
    ------
    BitlifError
        If a field has no valid integer, or a signal could be too wide; the message names it.
    """
    ranges: dict[str, Interval] = {}
    constants = _constants(config, ranges)
    phases = _phases(config, constants, ranges)
    ends: list[int] = []
    for phase in config.schedule[:-1]:
        ends.append((ends[-1] if ends else 0) + phase.windows)
    table = error_table(config.error, config.noise)
    return Derived(constants, phases, tuple(ends), table, MappingProxyType(ranges))


def leak_factor(path: str, decay: DecayConfig) -> tuple[int, int]:
    """Return the raw leak factor and its fractional bits: 0, or 1 without a leak, and 0 bits.

    Raises
    ------
    BitlifError
        If the factor rounds to 0 or 1.
    """
    if decay.shift:
        return (1 << decay.shift) - 1, decay.shift
    if not decay.bits:
        return int(decay.integrates), 0
    factor = EXACT.exp(EXACT.divide(-1, Decimal(repr(decay.tau))))
    raw = round_fraction(Fraction(factor) * (1 << decay.bits))
    if not 0 < raw < 1 << decay.bits:
        raise BitlifError(
            f"{path}.tau must give a factor between 0 and 1 with {decay.bits} bits, "
            f"not {decay.tau:g}, which gives {raw} / {1 << decay.bits}: change tau or bits"
        )
    return raw, decay.bits


def _filter(
    keep: tuple[int, int],
    state: Format,
    take: tuple[int, int],
    taken: Interval,
    rounding: Rounding,
    overflow: Overflow,
    name: str,
    ranges: dict[str, Interval],
) -> Filter:
    """Return the filter that aligns ``keep * state`` and ``take * taken``; see `Filter`.

    Both `keep` and `take` are pairs (raw factor, fractional bits): those of the factor in `keep`,
    those of the whole product in `take`.
    """
    keep_frac, take_frac = keep[1] + state.frac, take[1]
    point = max(keep_frac, take_frac, state.frac)
    shift = point - state.frac
    if shift > MAX_SHIFT or point - min(keep_frac, take_frac) > MAX_SHIFT:
        raise BitlifError(
            f"{name}: the formats' binary points must be at most {MAX_SHIFT} bits apart"
        )
    factor = keep[0] << (point - keep_frac)
    gain = take[0] << (point - take_frac)
    bias = rounding.bias(shift)
    total = Interval.of(state).scaled(factor) + taken.scaled(gain) + Interval.point(bias)
    ranges[f"{name} sum"] = total.checked(f"{name} sum", "narrow its formats or coefficients")
    after = total >> shift
    ranges[name] = after
    if overflow is Overflow.REFUSE and not after.within(state):
        raise BitlifError(
            f"{name} could overflow: its range is {after.low} ..= {after.high}, that of '{state}' "
            f"is {state.raw_min} ..= {state.raw_max}: widen the format or use saturation"
        )
    return Filter(factor, gain, bias, shift, state.raw_min, state.raw_max)


def _constants(config: Settings, ranges: dict[str, Interval]) -> Constants:
    synapse, membrane, trace, error = (
        config.synapse,
        config.membrane,
        config.trace,
        config.error,
    )
    leak_s = leak_factor("synapse.decay", synapse.decay)
    leak_m = leak_factor("membrane.decay", membrane.decay)
    gain = round_fraction(Fraction(membrane.gain) * (1 << membrane.gain_bits))
    if gain < 1:
        raise BitlifError(
            f"membrane.gain must be at least half an LSB of its {membrane.gain_bits} gain_bits, "
            f"not {membrane.gain:g}"
        )
    weights = Interval.of(synapse.weight).times(config.layer.inputs)
    ranges["weight sum"] = weights.checked("weight sum", "narrow synapse.weight")
    current = _filter(
        leak_s, synapse.current, (1, synapse.weight.frac), weights,
        synapse.rounding, synapse.overflow, "synaptic current", ranges,
    )  # fmt: skip
    potential = _filter(
        leak_m, membrane.format, (gain, membrane.gain_bits + synapse.current.frac),
        Interval.of(synapse.current),
        membrane.rounding, membrane.overflow, "membrane", ranges,
    )  # fmt: skip
    trace_current = _filter(
        leak_s, trace.current, (1, 0), Interval(0, 1),
        trace.rounding, trace.overflow, "synaptic trace", ranges,
    )  # fmt: skip
    psp = _filter(
        leak_m, trace.format, (gain, membrane.gain_bits + trace.current.frac),
        Interval.of(trace.current),
        trace.rounding, trace.overflow, "PSP trace", ranges,
    )  # fmt: skip
    noise_shift = _noise_shift(config)
    error_shift = error.target_bits + error.entry.frac - error.format.frac
    if error_shift > MAX_SHIFT:
        raise BitlifError(
            f"error.format must have at least {error.target_bits + error.entry.frac - MAX_SHIFT} "
            f"fractional bits, entry.frac + target_bits - {MAX_SHIFT}, not '{error.format}'"
        )
    one = 1 << error.target_bits
    entry = Interval.of(error.entry)
    difference = (entry * Interval(0, one)).union(entry * Interval(-one, 0))
    difference += Interval.point(error.rounding.bias(error_shift))
    ranges["error sum"] = difference.checked("error sum", "narrow error.entry or target_bits")
    ranges["error"] = after = difference >> error_shift
    if error.overflow is Overflow.REFUSE and not after.within(error.format):
        raise BitlifError(
            f"error could overflow: its range is {after.low} ..= {after.high}, that of "
            f"'{error.format}' is {error.format.raw_min} ..= {error.format.raw_max}: widen "
            f"error.format"
        )
    gradient = (Interval.of(error.format) * Interval.of(trace.format)).times(config.window.steps)
    ranges["gradient"] = gradient.checked("gradient", "narrow error.format, trace.format or steps")
    threshold = round_fraction(Fraction(membrane.threshold) / membrane.format.lsb)
    ranges["distance"] = Interval.of(membrane.format) + Interval.point(-threshold)
    return Constants(
        current=current,
        membrane=potential,
        trace_current=trace_current,
        trace=psp,
        threshold=threshold,
        teacher_reset=int(membrane.reset == "teacher"),
        keep_noise=int(membrane.injection == "membrane"),
        noise_bias=Rounding.NEAREST.bias(noise_shift),
        noise_shift=noise_shift,
        bin_shift=_bin_shift(config, noise_shift),
        half_bins=error.entries // 2,
        target_one=one,
        error_bias=error.rounding.bias(error_shift),
        error_shift=error_shift,
        error_low=error.format.raw_min,
        error_high=error.format.raw_max,
        random_bits=config.learning.random_bits,
        weight_low=synapse.weight.raw_min,
        weight_high=synapse.weight.raw_max,
        subtracted=threshold if membrane.reset == "subtract" else 0,
    )


def _sigma_lsbs(config: Settings, sigma: float) -> Fraction:
    return Fraction(Decimal(repr(sigma))) / config.membrane.format.lsb


def _noise_ratio(config: Settings, sigma: float) -> Fraction:
    """Return the value of one draw unit in membrane LSBs."""
    return _sigma_lsbs(config, sigma) / Fraction(config.noise.pmf.sigma)


def _largest_shift(ratio: Fraction, bits: int) -> int:
    """Return the largest shift up to MAX_SHIFT - bits with ``round(ratio << shift) < 2**bits``."""
    shift = 0
    while shift < MAX_SHIFT - bits and round_fraction(ratio * (2 << shift)) < 1 << bits:
        shift += 1
    return shift


def _noise_shift(config: Settings) -> int:
    if not config.noise.drawn:
        return 0
    largest = max(phase.sigma for phase in config.schedule)
    return _largest_shift(_noise_ratio(config, largest), config.noise.scale_bits)


def _noise_scale(config: Settings, number: int, noise_shift: int) -> int:
    if not config.noise.drawn:
        return 0
    sigma = config.schedule[number].sigma
    scale = round_fraction(_noise_ratio(config, sigma) * (1 << noise_shift))
    most = (1 << config.noise.scale_bits) - 1
    if not 1 <= scale <= most:
        least_sigma, most_sigma = (
            float(sigma * Fraction(bound) / (_noise_ratio(config, sigma) * (1 << noise_shift)))
            for bound in (Fraction(1, 2), Fraction(2 * most + 1, 2))
        )
        raise BitlifError(
            f"schedule[{number}].sigma must be between {least_sigma:.3g} and {most_sigma:.3g} "
            f"with {config.noise.scale_bits} noise.scale_bits, not {sigma:g}"
        )
    return scale


def effective_sigma(config: Settings, scale: int, noise_shift: int) -> Fraction:
    """Return the standard deviation of the noise with an integer scale, in membrane LSBs."""
    return Fraction(config.noise.pmf.sigma) * scale / (1 << noise_shift)


def _reciprocal_ratio(config: Settings, number: int, noise_shift: int) -> Fraction:
    """Return the number of bins per membrane LSB."""
    scale = _noise_scale(config, number, noise_shift)
    sigma = effective_sigma(config, scale, noise_shift)
    if not config.noise.drawn:
        sigma = _sigma_lsbs(config, config.schedule[number].sigma)
    return 1 / (sigma * config.error.step)


def _bin_shift(config: Settings, noise_shift: int) -> int:
    numbers = range(len(config.schedule))
    largest = max(_reciprocal_ratio(config, number, noise_shift) for number in numbers)
    return _largest_shift(largest, config.error.reciprocal_bits)


def _phases(
    config: Settings, constants: Constants, ranges: dict[str, Interval]
) -> tuple[PhaseConstants, ...]:
    # The ranges cover every value that the fields of the schedule can hold, not only those of this
    # configuration, so that no schedule loaded into a core can cause an overflow.
    most = (1 << config.noise.scale_bits) - 1
    draws = Interval(config.noise.pmf.levels[0], config.noise.pmf.levels[-1])
    product = draws.scaled(most) + Interval.point(constants.noise_bias)
    ranges["noise product"] = product.checked("noise product", "reduce noise.scale_bits")
    noise = product >> constants.noise_shift
    ranges["noise"] = noise.checked("noise", "reduce schedule.sigma")
    noisy = Interval.of(config.membrane.format) + noise
    ranges["noisy membrane"] = noisy.checked("noisy membrane", "reduce schedule.sigma")
    if constants.subtracted:
        _subtract(config, constants, noise, ranges)
    binned = ranges["distance"].scaled((1 << config.error.reciprocal_bits) - 1)
    ranges["bin product"] = binned.checked(
        "bin product", "narrow membrane.format or error.reciprocal_bits"
    )
    phases = []
    for number, phase in enumerate(config.schedule):
        scale = _noise_scale(config, number, constants.noise_shift)
        ratio = _reciprocal_ratio(config, number, constants.noise_shift)
        reciprocal = round_fraction(ratio * (1 << constants.bin_shift))
        if not 1 <= reciprocal < 1 << config.error.reciprocal_bits:
            raise BitlifError(
                f"schedule[{number}].sigma must be closer to the other sigmas of the schedule with "
                f"{config.error.reciprocal_bits} error.reciprocal_bits, not {phase.sigma:g}"
            )
        unit = config.error.format.lsb * config.trace.format.lsb / config.synapse.weight.lsb
        remedy = "narrow learning.rate_bits or error.format"
        rate = rate_constants(config, number, unit, ranges["gradient"], ranges, remedy)
        phases.append(PhaseConstants(scale, reciprocal, *rate))
    return tuple(phases)


def _subtract(
    config: Settings, constants: Constants, noise: Interval, ranges: dict[str, Interval]
) -> None:
    """Add the range of a membrane less the threshold, which must fit if overflow is refused."""
    fmt, kept = config.membrane.format, Interval.of(config.membrane.format)
    if constants.keep_noise:
        kept += noise
    reduced = kept + Interval.point(-constants.subtracted)
    ranges["reduced membrane"] = reduced.checked("reduced membrane", "narrow membrane.format")
    # At a spike, the membrane with its noise is at least the threshold.
    least = 0 if constants.keep_noise else -noise.high
    if config.membrane.overflow is Overflow.REFUSE and least < fmt.raw_min:
        raise BitlifError(
            f"membrane could overflow: less the threshold it is {least} or more at a spike, the "
            f"minimum of '{fmt}' is {fmt.raw_min}: widen the format or use saturation"
        )
