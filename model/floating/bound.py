"""Derived bounds on the difference between the integer model and its matched float twin.

Each recursion of the model is a leaky sum. Let ``a, b`` be the real coefficients, ``a', b'`` the
rounded ones, and x' and i' the state and input of the integer model as real numbers. For one step,
::

    |x'[t] - x[t]| <= a |x'[t-1] - x[t-1]| + |a' - a| max|x'| + b |i' - i| + |b' - b| max|i'| + r

where r is the rounding error of the only shift (half an LSB to nearest, one LSB by floor).
Saturation at the same limits cannot increase a difference, and a reset sets it to zero. The bound
on the membrane gives a range of table bins; the extremes of the error function over those bins
bound the error; sums of products bound the gradient; rate and rounding bound the weights.

The bounds hold for one window in which both models start from the same weights and a cleared
state, get the same draws and targets, and are reset at the same steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.constants import PhaseConstants
from bitlif.model.derive import derive, leak_factor
from bitlif.model.fixed import Format, Rounding
from bitlif.model.result import Result

from .constants import real_leak

Reals = NDArray[np.float64]

FLOAT_STEP = 8 * 2.0**-53
"""Bound on the relative rounding error of one step of the twin: fewer than 8 operations."""


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """Maximum differences between the integer model's values, as real numbers, and the twin's.

    Attributes
    ----------
    current : (T,)
        Synaptic current.
    membrane : (T, M)
        Membrane potential before the noise.
    noise : float
        Contribution of one draw to the membrane potential.
    traces : (T,)
    errors : (T, M)
    gradient, weights : (M, N)
        Gradient of the window, and weights after its update.
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
    """Return the bounds for one window.

    Parameters
    ----------
    config : Config
    twin : Result
        Result of the matched twin with membrane, errors, traces and gradient recorded.
    resets : (T, M) uint8
        Steps at which both models were reset.
    targets : (T or 1, M) float
        Raw targets of the integer model, divided by ``2**target_bits``.
    phase : int
        Index of the schedule's phase.

    Raises
    ------
    ValueError
        If a signal was not recorded.
    """
    membrane, errors, traces, gradient = (
        _recorded(twin, name)[0] for name in ("membrane", "errors", "traces", "gradient")
    )
    steps = config.window.steps
    constants = derive(config).constants
    trace = config.trace
    leak_s, leak_m = real_leak(config.synapse.decay), real_leak(config.membrane.decay)
    leak_s_error, leak_m_error = leak_errors(config)
    gain, gain_error = config.membrane.gain, gain_difference(config)
    current, potential, noise = forward_bound(config, resets, phase)

    top = largest(trace.current)
    fixed = leak_s_error * top + _rounding(
        trace.current, trace.rounding, constants.trace_current.shift
    )
    synaptic = _leaky(leak_s, np.full(steps, fixed + FLOAT_STEP * top))
    psp = _leaky(
        leak_m,
        leak_m_error * largest(trace.format)
        + gain * synaptic
        + gain_error * top
        + _rounding(trace.format, trace.rounding, constants.trace.shift)
        + FLOAT_STEP * largest(trace.format),
    )

    wrong = error_bound(config, phase, membrane, potential, targets)
    total = (np.abs(errors) + wrong).T @ np.broadcast_to(
        psp[:, None], traces.shape
    ) + wrong.T @ traces
    total *= 1.0 + steps * FLOAT_STEP
    unit = config.error.format.lsb * config.trace.format.lsb
    rate, rate_error, rounding = update_bound(config, phase, derive(config).phases[phase], unit)
    weights = rate_error * (np.abs(gradient) + total) + rate * total + rounding
    return Bound(current[:, 0], potential, noise, psp, wrong, total, weights)


def forward_bound(
    config: Config,
    resets: NDArray[np.uint8],
    phase: int,
    added: Reals | None = None,
    twin: tuple[Reals, Reals] | None = None,
) -> tuple[Reals, Reals, float]:
    """Return the bounds on the forward states of one window from a cleared state.

    Parameters
    ----------
    config : Config
    resets : (T, M) uint8
        Steps at which both models were reset.
    phase : int
        Index of the schedule's phase.
    added : (T, M) float or None
        Bound on the difference of the sums of weights in each step; None: no difference.
    twin : pair of (T, M) float, or None
        Current and membrane of the twin: the integers' are at most these plus their bounds. None:
        at most the maxima of their formats, which is less tight.

    Returns
    -------
    current : (T, M) or (T, 1)
    membrane : (T, M)
        Before the noise.
    noise : float
        Contribution of one draw to the membrane potential.
    """
    constants, synapse, body = derive(config).constants, config.synapse, config.membrane
    (steps, neurons), noise = resets.shape, _noise_bound(config, phase)
    leak_s_error, leak_m_error = leak_errors(config)
    current_top, membrane_top = largest(synapse.current), largest(body.format)
    extra = np.zeros((steps, 1)) if added is None else added
    keeps_noise, subtracts = body.injection == "membrane", body.reset == "subtract"
    reduced = abs(constants.threshold * float(body.format.lsb) - body.threshold)
    reduced += FLOAT_STEP * membrane_top
    currents = extra * 0 + current_top if twin is None else np.abs(twin[0])
    size = currents[0] * float(twin is None)
    fixed = _rounding(synapse.current, synapse.rounding, constants.current.shift)
    fixed += FLOAT_STEP * current_top
    current, last = np.zeros(np.shape(currents)), np.zeros(np.shape(currents)[1])
    for t in range(steps):
        most = np.minimum(size + last, current_top)
        current[t] = last = real_leak(synapse.decay) * last + leak_s_error * most + extra[t] + fixed
        size = currents[t]
    currents = np.minimum(currents + current, current_top)
    step = body.gain * current + gain_difference(config) * currents
    step += _rounding(body.format, body.rounding, constants.membrane.shift)
    step += FLOAT_STEP * membrane_top
    potential, last = np.zeros((steps, neurons)), np.zeros(neurons)
    top = np.full(neurons, membrane_top)
    size = top * float(twin is None)
    for t in range(steps):
        leaked = leak_m_error * np.minimum(size + last, membrane_top)
        potential[t] = real_leak(body.decay) * last + leaked + step[t]
        kept = potential[t] + (noise if keeps_noise else 0.0)
        last = np.where(resets[t] > 0, kept + reduced if subtracts else 0.0, kept)
        if twin is not None:
            # What is kept of the noise is not recorded.
            size = top if keeps_noise else abs(twin[1][t])
            size = np.where(resets[t] > 0, top if subtracts else 0.0, size)
    return current, potential, noise


def leak_errors(config: Config) -> tuple[float, float]:
    """Return the rounding errors of the leaks of the synapse and of the membrane."""
    synapse, membrane = (
        abs(_used_leak(config, name) - real_leak(getattr(config, name).decay))
        for name in ("synapse", "membrane")
    )
    return synapse, membrane


def gain_difference(config: Config) -> float:
    """Return the rounding error of the gain."""
    gain, bits = config.membrane.gain, config.membrane.gain_bits
    return float(abs(round(gain * 2**bits) / 2**bits - gain))


def largest(fmt: Format) -> float:
    """Return the maximum magnitude of a format."""
    return float(max(-fmt.real(fmt.raw_min), fmt.real(fmt.raw_max)))


def _recorded(result: Result, name: str) -> NDArray[Any]:
    """Return a signal of the twin's run."""
    array = getattr(result, name)
    if array is None:
        raise ValueError(f"the run of the twin must have recorded '{name}'")
    return array  # type: ignore[no-any-return]


def _used_leak(config: Config, section: str) -> float:
    """Return the real value of the integer leak factor."""
    raw, bits = leak_factor(section, getattr(config, section).decay)
    return float(raw / 2**bits)


def _rounding(fmt: Format, rounding: Rounding, shift: int) -> float:
    """Return the maximum rounding error of the shift to `fmt`."""
    if shift == 0:
        return 0.0
    return float(fmt.lsb) * (0.5 if rounding is Rounding.NEAREST else 1.0)


def _leaky(leak: float, added: Reals) -> Reals:
    """Return the recursion ``x[t] = leak * x[t - 1] + added[t]``, starting from zero."""
    out = np.empty_like(added)
    last = 0.0
    for t, term in enumerate(added):
        last = leak * last + term
        out[t] = last
    return out


def _noise_bound(config: Config, phase: int) -> float:
    """Return the bound on the difference of a scaled and rounded draw from sigma times the draw."""
    constants = derive(config).constants
    lsb = float(config.membrane.format.lsb)
    scale = derive(config).phases[phase].noise_scale / 2.0**constants.noise_shift * lsb
    pmf = config.noise.pmf
    slope = abs(scale - config.schedule[phase].sigma / config.noise.draw_sigma)
    rounding = lsb / 2 if constants.noise_shift else 0.0
    return (
        slope * pmf.levels[-1] + rounding + FLOAT_STEP * pmf.cutoff * config.schedule[phase].sigma
    )


def error_bound(
    config: Config, phase: int, membrane: Reals, potential: Reals, targets: Reals
) -> Reals:
    """Return the bound on the error that follows from that on the membrane; see the module.

    Parameters
    ----------
    config : Config
    phase : int
    membrane, potential : (T, M)
        Membrane potential of the twin, and the bound on its difference.
    targets : (T or 1, M) float
    """
    error, fmt = config.error, config.membrane.format
    targets = np.broadcast_to(targets, membrane.shape)
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
    """Return max(high) - min(low) over the bins ``first ..= last``, elementwise."""
    least, most = low[first], high[first]
    for ahead in range(1, int((last - first).max(initial=0)) + 1):
        index = np.minimum(first + ahead, last)
        least, most = np.minimum(least, low[index]), np.maximum(most, high[index])
    return most - least


def bin_extremes(config: Config) -> tuple[tuple[Reals, Reals], tuple[Reals, Reals]]:
    """Return the minimum and maximum of A over each bin of the table, and those of B.

    Within a cell of the noise's distribution the density is constant and p linear, so A and B are
    monotone. Their extremes over a bin are at its ends, or at boundaries of cells within it.
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
    # The density is symmetric. It is computed in the lower tail, where differences do not cancel.
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
        # The relative margin covers the float64 rounding of the two differences above.
        np.minimum.at(low, owner, ends.min(axis=0) * (1 - 1e-9))
        np.maximum.at(high, owner, ends.max(axis=0) * (1 + 1e-9))
        extremes.append((low, high))
    return extremes[0], extremes[1]


def _probability(knots: Reals, cumulative: Reals, x: Reals) -> Reals:
    """Return the probability of a spike at `x`: by symmetry, the cumulative distribution at `x`."""
    return np.interp(x, knots, cumulative)


def _error_at(config: Config, density: Reals, p: Reals, rest: Reals) -> Reals:
    """Return A if the probabilities of a spike and of none are `p` and `rest`; swap them for B."""
    limit = config.error.limit
    if config.error.rule == "clipped":
        return np.minimum(rest * density / np.maximum(p * rest, config.error.guard), limit)
    # If p is 0 the value is the limit, which is also its limit as p approaches 0.
    safe = np.where(p > 0, p, 1.0)
    return np.where(p > 0, np.minimum(density / safe, limit), limit)


def update_bound(
    config: Config, phase: int, constants: PhaseConstants, unit: Fraction
) -> tuple[float, float, float]:
    """Return the rate of an update, its rounding error, and the maximum rounding of a weight.

    Parameters
    ----------
    config : Config
    phase : int
    constants : PhaseConstants
        With the integer rate.
    unit : Fraction
        LSB of the gradient.
    """
    step = config.schedule[phase]
    rate = (step.rate or config.learning.rate) / config.window.steps
    shift = constants.rate_right + config.learning.random_bits - constants.rate_left
    used = constants.rate / 2.0**shift / float(unit / config.synapse.weight.lsb)
    lsb = float(config.synapse.weight.lsb)
    # The floor after adding random bits changes less than one LSB, after a rounding to nearest.
    random = config.learning.random_bits
    rounding = lsb * (1.0 + 2.0 ** -(random + 1)) if random else lsb / 2
    return rate, abs(used - rate), rounding
