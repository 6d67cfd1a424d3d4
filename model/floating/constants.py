"""The real parameters of the float64 twin, derived from a configuration."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.fixed import Format
from bitlif.model.sections import DecayConfig

from .step import GAUSSIAN, PIECEWISE, TABLE, FloatConstants


def real_leak(decay: DecayConfig) -> float:
    """Return the unrounded leak factor of a time constant or shift."""
    return 1.0 - 2.0**-decay.shift if decay.shift else math.exp(-1.0 / decay.tau)


def error_functions(config: Config) -> tuple[NDArray[np.float64], ...]:
    """Return the arrays of the error function: the first fields of `FloatArrays`."""
    pmf = config.noise.pmf
    return (
        pmf.knots_in_sigma(),
        pmf.cumulative(),
        np.array(config.error.a, np.float64),
        np.array(config.error.b, np.float64),
    )


def float_constants(config: Config, number: int, *, matched: bool) -> FloatConstants:
    """Return the real parameters of phase `number` of the schedule."""
    phase = config.schedule[number]
    error = config.error
    rule = PIECEWISE if matched else GAUSSIAN
    rule = TABLE if error.rule == "table" else rule

    def ends(fmt: Format) -> tuple[float, float]:
        if not matched:
            return -math.inf, math.inf
        return float(fmt.real(fmt.raw_min)), float(fmt.real(fmt.raw_max))

    current, membrane = ends(config.synapse.current), ends(config.membrane.format)
    weight, errors = ends(config.synapse.weight), ends(error.format)
    return FloatConstants(
        leak_s=real_leak(config.synapse.decay),
        leak_m=real_leak(config.membrane.decay),
        gain=config.membrane.gain,
        threshold=config.membrane.threshold,
        sigma=phase.sigma,
        rate=(phase.rate or config.learning.rate) / config.window.steps,
        teacher_reset=config.membrane.reset == "teacher",
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
        trace_current_high=ends(config.trace.current)[1],
        trace_high=ends(config.trace.format)[1],
        error_low=errors[0],
        error_high=errors[1],
        weight_low=weight[0],
        weight_high=weight[1],
    )
