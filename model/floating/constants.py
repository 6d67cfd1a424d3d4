"""The real parameters of the float64 twin, derived from a configuration."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.fixed import Format
from bitlif.model.noise import Pmf
from bitlif.model.sections import DecayConfig
from bitlif.model.surrogate import BINS, SPAN

from .network_step import DENSITY, PIECEWISE_DENSITY, WINDOW, FloatSweepConstants
from .step import GAUSSIAN, PIECEWISE, TABLE, FloatConstants


def real_leak(decay: DecayConfig) -> float:
    """Return the unrounded leak factor of a time constant or shift; 0 or 1 by the words."""
    if decay.bits == 0:
        return float(decay.integrates)
    return 1.0 - 2.0**-decay.shift if decay.shift else math.exp(-1.0 / decay.tau)


def limits(fmt: Format, *, matched: bool) -> tuple[float, float]:
    """Return the range of a format in the matched twin, and infinity in the ideal one."""
    if not matched:
        return -math.inf, math.inf
    return float(fmt.real(fmt.raw_min)), float(fmt.real(fmt.raw_max))


def error_functions(config: Config) -> tuple[NDArray[np.float64], ...]:
    """Return the arrays of the error function: the first fields of `FloatArrays`."""
    noise = config.noise
    none = np.zeros(0)
    return (
        noise.pmf.knots_in_sigma() if noise.drawn else none,
        noise.pmf.cumulative() if noise.drawn else none,
        np.array(config.error.a, np.float64),
        np.array(config.error.b, np.float64),
    )


def float_constants(config: Config, number: int, *, matched: bool) -> FloatConstants:
    """Return the real parameters of phase `number` of the schedule."""
    phase = config.schedule[number]
    error = config.error
    rule = PIECEWISE if matched else GAUSSIAN
    rule = TABLE if error.rule == "table" else rule
    current, membrane, weight, errors, trace_current, trace = (
        limits(fmt, matched=matched)
        for fmt in (
            config.synapse.current, config.membrane.format, config.synapse.weight, error.format,
            config.trace.current, config.trace.format,
        )
    )  # fmt: skip
    return FloatConstants(
        leak_s=real_leak(config.synapse.decay),
        leak_m=real_leak(config.membrane.decay),
        gain=config.membrane.gain,
        threshold=config.membrane.threshold,
        sigma=phase.sigma,
        rate=(phase.rate or config.learning.rate) / config.window.steps,
        teacher_reset=config.membrane.reset == "teacher",
        subtracts=config.membrane.reset == "subtract",
        keep_noise=config.membrane.injection == "membrane",
        rule=rule,
        clipped=error.rule == "clipped",
        guard=error.guard,
        limit=error.limit,
        span=float(1 << error.span),
        current_low=current[0],
        current_high=current[1],
        membrane_low=membrane[0],
        membrane_high=membrane[1],
        trace_current_high=trace_current[1],
        trace_high=trace[1],
        error_low=errors[0],
        error_high=errors[1],
        weight_low=weight[0],
        weight_high=weight[1],
    )


def largest_mass(pmf: Pmf) -> float:
    """Return the mass of the likeliest bin of the surrogate's table, relative to which it is."""
    places = np.arange(BINS + 1) * (SPAN / BINS)
    edges = np.interp(places, pmf.knots_in_sigma(), pmf.cumulative())
    return float(np.diff(edges).max())


def float_sweep_constants(
    network: NetworkConfig, number: int, *, matched: bool, gated: bool = True
) -> FloatSweepConstants:
    """Return the real parameters of the sweep of layer `number`."""
    own = network.layers[number]
    sweep = own.sweep
    surrogate, width, bits = WINDOW, sweep.surrogate.width, sweep.surrogate.bits
    if bits > 1:
        surrogate = PIECEWISE_DENSITY if matched else DENSITY
    top = 1.0 - 2.0**-bits
    credit, membrane, current = (
        limits(fmt, matched=matched) for fmt in (sweep.credit, sweep.membrane, sweep.current)
    )
    hidden = number < len(network.layers) - 1
    return FloatSweepConstants(
        hidden=hidden,
        gated=hidden and gated,
        spike_update=sweep.update == "spike",
        sign=sweep.feedback == "sign",
        surrogate=surrogate,
        width=width,
        span=SPAN * width,
        scale=top * (SPAN / BINS) / largest_mass(own.config.noise.pmf) if bits > 1 else 1.0,
        top=top,
        credit_low=credit[0],
        credit_high=credit[1],
        membrane_low=membrane[0],
        membrane_high=membrane[1],
        current_low=current[0],
        current_high=current[1],
    )
