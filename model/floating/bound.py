"""How far the integer model may be from its matched float twin: derived, not measured.

Each recursion of the model is a leaky sum. With ``a, b`` the real coefficients, ``a', b'`` the
rounded ones, x' and i' the integer model's state and input as real numbers, one step gives ::

    |x'[t] - x[t]| <= a |x'[t-1] - x[t-1]| + |a' - a| max|x'| + b |i' - i| + |b' - b| max|i'| + r

with r the rounding of the one shift (half an LSB to nearest, one by floor). Saturation at the same
ends in both cannot enlarge a distance. A reset sets it to zero. The bound on the membrane turns
into a range of table bins, and the error function's extremes over those bins into a bound on the
error; sums of products into one on the gradient; rate and rounding into one on the weights.

What is bounded is one window in which both models start from the same weights and cleared state,
get the same draws and targets, and are reset at the same steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.derive import derive, leak_factor
from bitlif.model.fixed import Format, Rounding
from bitlif.model.result import Result

from .layer import real_leak

Reals = NDArray[np.float64]

FLOAT_STEP = 8 * 2.0**-53
"""Relative rounding error that one step of the twin itself may add: fewer than 8 operations."""


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """Largest distances of the integer model's values, as real numbers, from the twin's.

    Attributes
    ----------
    current : (T,)
        Synaptic current.
    membrane : (T, M)
        Before the noise.
    noise : float
        One draw's contribution to the membrane.
    traces : (T,)
    errors : (T, M)
    gradient, weights : (M, N)
        Sum of the window, and weights after its update.
    """

    current: Reals
    membrane: Reals
    noise: float
    traces: Reals
    errors: Reals
    gradient: Reals
    weights: Reals


def window_bound(
    config: Config, twin: Result, resets: NDArray[np.uint8], targets: Reals, phase: int = 0
) -> Bound:
    """Return the bound for one window.

    Parameters
    ----------
    config : Config
    twin : Result
        The matched twin's run of the window, with membrane, errors, traces and gradient recorded.
    resets : (T, M) uint8
        Steps at which both models were reset.
    targets : (T or 1, M) float
        As the integer model has them: raw divided by ``2**target_bits``.
    phase : int
        Of the schedule.
    """
    membrane, errors, traces, gradient = (
        _recorded(twin, name)[0] for name in ("membrane", "errors", "traces", "gradient")
    )
    steps = config.window.steps
    constants = derive(config).constants
    synapse, body, trace = config.synapse, config.membrane, config.trace
    leak_s, leak_m = real_leak(synapse.decay), real_leak(body.decay)
    gain, gain_raw = body.gain, round(body.gain * 2**body.gain_bits) / 2**body.gain_bits
    leak_s_error = abs(_used_leak(config, "synapse") - leak_s)
    leak_m_error = abs(_used_leak(config, "membrane") - leak_m)

    current_top, membrane_top = largest(synapse.current), largest(body.format)
    fixed = leak_s_error * current_top + _rounding(
        synapse.current, synapse.rounding, constants.current.shift
    )
    current = _leaky(leak_s, np.full(steps, fixed + FLOAT_STEP * current_top))

    noise = _noise_bound(config, phase)
    step = (
        leak_m_error * membrane_top
        + gain * current
        + abs(gain_raw - gain) * current_top
        + _rounding(body.format, body.rounding, constants.membrane.shift)
        + FLOAT_STEP * membrane_top
    )
    kept = noise if body.injection == "membrane" else 0.0
    potential = np.zeros_like(membrane)
    last = np.zeros(membrane.shape[1])
    for t in range(steps):
        potential[t] = leak_m * last + step[t]
        last = np.where(resets[t] > 0, 0.0, potential[t] + kept)

    top = largest(trace.current)
    fixed = leak_s_error * top + _rounding(
        trace.current, trace.rounding, constants.trace_current.shift
    )
    synaptic = _leaky(leak_s, np.full(steps, fixed + FLOAT_STEP * top))
    psp = _leaky(
        leak_m,
        leak_m_error * largest(trace.format)
        + gain * synaptic
        + abs(gain_raw - gain) * top
        + _rounding(trace.format, trace.rounding, constants.trace.shift)
        + FLOAT_STEP * largest(trace.format),
    )

    wrong = _error_bound(
        config, phase, membrane, potential, np.broadcast_to(targets, membrane.shape)
    )
    total = (np.abs(errors) + wrong).T @ np.broadcast_to(
        psp[:, None], traces.shape
    ) + wrong.T @ traces
    total *= 1.0 + steps * FLOAT_STEP
    return Bound(
        current, potential, noise, psp, wrong, total, _weight_bound(config, phase, gradient, total)
    )


def largest(fmt: Format) -> float:
    """Return the greatest magnitude that a format holds."""
    return float(max(-fmt.real(fmt.raw_min), fmt.real(fmt.raw_max)))


def _recorded(result: Result, name: str) -> NDArray[Any]:
    array = getattr(result, name)
    if array is None:
        raise ValueError(f"the twin's run must have recorded '{name}'")
    return array  # type: ignore[no-any-return]


def _used_leak(config: Config, section: str) -> float:
    """Return the leak factor that the integers stand for."""
    raw, bits = leak_factor(section, getattr(config, section).decay)
    return float(raw / 2**bits)


def _rounding(fmt: Format, rounding: Rounding, shift: int) -> float:
    """Return the greatest error of the one shift into `fmt`."""
    if shift == 0:
        return 0.0
    return float(fmt.lsb) * (0.5 if rounding is Rounding.NEAREST else 1.0)


def _leaky(leak: float, added: Reals) -> Reals:
    """Return the recursion ``x[t] = leak * x[t - 1] + added[t]`` from zero."""
    out = np.empty_like(added)
    last = 0.0
    for t, term in enumerate(added):
        last = leak * last + term
        out[t] = last
    return out


def _noise_bound(config: Config, phase: int) -> float:
    """Return how far a scaled, rounded draw is from sigma times the draw in sigma."""
    constants = derive(config).constants
    lsb = float(config.membrane.format.lsb)
    scale = derive(config).phases[phase].noise_scale / 2.0**constants.noise_shift * lsb
    pmf = config.noise.pmf
    slope = abs(scale - config.schedule[phase].sigma / float(pmf.sigma))
    rounding = lsb / 2 if constants.noise_shift else 0.0
    return (
        slope * pmf.levels[-1] + rounding + FLOAT_STEP * pmf.cutoff * config.schedule[phase].sigma
    )


def _error_bound(
    config: Config, phase: int, membrane: Reals, potential: Reals, targets: Reals
) -> Reals:
    """Return the bound on the error from that on the membrane; see the module."""
    error, fmt = config.error, config.membrane.format
    derived = derive(config)
    sigma = config.schedule[phase].sigma
    bins_per_unit = 1.0 / (sigma * float(error.step))
    used = derived.phases[phase].reciprocal / 2.0**derived.constants.bin_shift / float(fmt.lsb)
    threshold_error = abs(derived.constants.threshold * float(fmt.lsb) - config.membrane.threshold)
    distance = membrane - config.membrane.threshold
    moved = potential + threshold_error
    place = distance * bins_per_unit
    spread = moved * bins_per_unit + (np.abs(distance) + moved) * abs(used - bins_per_unit)
    spread += FLOAT_STEP * (np.abs(place) + 1.0)
    half = error.entries // 2
    first = np.clip(np.floor(place - spread), -half, half - 1).astype(np.int64) + half
    last = np.clip(np.floor(place + spread), -half, half - 1).astype(np.int64) + half
    entry = float(error.entry.lsb) / 2
    widths = [_spread_over(low, high, first, last) + entry for low, high in bin_extremes(config)]
    rounding = _rounding(error.format, error.rounding, derived.constants.error_shift)
    return targets * widths[0] + (1.0 - targets) * widths[1] + rounding


def _spread_over(
    low: Reals, high: Reals, first: NDArray[np.int64], last: NDArray[np.int64]
) -> Reals:
    """Return max(high) - min(low) over the bins ``first ..= last``, element by element."""
    least, most = low[first], high[first]
    for ahead in range(1, int((last - first).max(initial=0)) + 1):
        index = np.minimum(first + ahead, last)
        least, most = np.minimum(least, low[index]), np.maximum(most, high[index])
    return most - least


def bin_extremes(config: Config) -> tuple[tuple[Reals, Reals], tuple[Reals, Reals]]:
    """Return least and greatest A over each bin of the table, and the same for B.

    Within a cell of the noise's distribution the density is constant and p linear, so that A and B
    are monotone there: their extremes over a bin are at its ends or at a cell's end inside it.
    """
    error = config.error
    if error.rule == "table":
        columns = (np.array(error.a), np.array(error.b))
        return (columns[0], columns[0]), (columns[1], columns[1])
    knots, cumulative = config.noise.pmf.knots_in_sigma(), config.noise.pmf.cumulative()
    half = error.entries // 2
    edges = np.arange(-half, half + 1) * float(error.step)
    points = np.unique(np.concatenate((edges, knots[(knots > edges[0]) & (knots < edges[-1])])))
    left, right = points[:-1], points[1:]
    # The density is symmetric: take it from the lower tail, where differences lose no digits.
    inner, outer = np.minimum(np.abs(left), np.abs(right)), np.maximum(np.abs(left), np.abs(right))
    density = _probability(knots, cumulative, -inner) - _probability(knots, cumulative, -outer)
    density /= outer - inner
    owner = np.searchsorted(edges, (left + right) / 2) - 1
    extremes = []
    for sign in (1.0, -1.0):
        ends = np.stack(
            [
                _error_at(
                    config,
                    density,
                    _probability(knots, cumulative, sign * x),
                    _probability(knots, cumulative, -sign * x),
                )
                for x in (left, right)
            ]
        )
        low, high = np.full(error.entries, np.inf), np.full(error.entries, -np.inf)
        # The relative slack covers float64 in the two differences above.
        np.minimum.at(low, owner, ends.min(axis=0) * (1 - 1e-9))
        np.maximum.at(high, owner, ends.max(axis=0) * (1 + 1e-9))
        extremes.append((low, high))
    return extremes[0], extremes[1]


def _probability(knots: Reals, cumulative: Reals, x: Reals) -> Reals:
    """Return the chance of a spike at `x`: by symmetry the cumulative distribution there."""
    return np.interp(x, knots, cumulative)


def _error_at(config: Config, density: Reals, p: Reals, rest: Reals) -> Reals:
    """Return A where the chances of a spike and of none are `p` and `rest` (B: swapped)."""
    limit = config.error.limit
    if config.error.rule == "clipped":
        return np.minimum(rest * density / np.maximum(p * rest, config.error.guard), limit)
    # Where p is 0 the rule takes its limit, on the side from which p comes to 0 as well.
    safe = np.where(p > 0, p, 1.0)
    return np.where(p > 0, np.minimum(density / safe, limit), limit)


def _weight_bound(config: Config, phase: int, gradient: Reals, wrong: Reals) -> Reals:
    """Return the bound on the updated weights from the one on the gradient."""
    step = config.schedule[phase]
    rate = (step.rate or config.learning.rate) / config.window.steps
    constants = derive(config).phases[phase]
    shift = constants.rate_right + config.learning.random_bits - constants.rate_left
    unit = config.error.format.lsb * config.trace.format.lsb / config.synapse.weight.lsb
    lsb = float(config.synapse.weight.lsb)
    used = constants.rate / 2.0**shift / float(unit)
    # Floor after adding random bits moves by less than one LSB; nearest rounding comes before.
    random = config.learning.random_bits
    rounding = lsb * (1.0 + 2.0 ** -(random + 1)) if random else lsb / 2
    return abs(used - rate) * (np.abs(gradient) + wrong) + rate * wrong + rounding
