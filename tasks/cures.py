"""What to change when a diagnosis is out of range: the field, the direction, a value."""

from __future__ import annotations

from fractions import Fraction

from bitlif.model.config.config import Config
from bitlif.model.derive import leak_factor
from bitlif.model.fixed import Format

FAR = 2
"""Factor between `membrane.gain` and `unit_gain` from which the gain is the likely cause."""

FAR_IN_NETWORKS = 16
"""The same in networks, whose start weights are smaller: ready-made ones have gains up to 8 times
`unit_gain`."""


def unit_gain(config: Config) -> float:
    """Return the gain at which a constant current settles at a membrane potential of its own size.

    A membrane without a leak reaches it at the end of a window.

    >>> round(unit_gain(Config()), 3)
    0.047
    """
    leak, bits = leak_factor("membrane.decay", config.membrane.decay)
    return float(1 - Fraction(leak, 1 << bits)) or 1.0 / config.window.steps


def lower_gain(config: Config, far: int) -> str:
    """Return the advice to lower the gain, or an empty string if it is not high.

    It is high from `far` times `unit_gain`, here and in the functions below.
    """
    gain, unit = config.membrane.gain, unit_gain(config)
    if gain <= far * unit:
        return ""
    bits = max(config.membrane.gain_bits, 8)
    return f"lower membrane.gain from {gain:g} to about {unit:.2g} (membrane.gain_bits = {bits})"


def raise_gain(config: Config) -> str:
    """Return the advice to raise the gain."""
    gain, unit = config.membrane.gain, unit_gain(config)
    return f"raise membrane.gain from {gain:g} to about {max(unit, FAR * gain):.2g}"


def widen(field: str, fmt: Format) -> str:
    """Return the advice to give a format two more integer bits."""
    sign = "s" if fmt.signed else "u"
    return f"widen {field} from '{fmt}' to '{sign}{fmt.bits + 2}.{fmt.frac}'"


def of_saturation(config: Config, signal: str, far: int = FAR) -> str:
    """Return the likely cure for a signal that saturates."""
    membrane, synapse, trace = config.membrane, config.synapse, config.trace
    if signal == "weight":
        return of_weights(config, far)
    if signal == "error":
        return f"lower error.limit, or {widen('error.format', config.error.format)}"
    if signal == "synaptic_trace":
        return widen("trace.current", trace.current)
    if gain := lower_gain(config, far):
        return gain
    if signal == "current":
        return f"{widen('synapse.current', synapse.current)}, or lower the input rates"
    if signal == "membrane":
        return widen("membrane.format", membrane.format)
    return widen("trace.format", trace.format)


def of_weights(config: Config, far: int = FAR) -> str:
    """Return the likely cure for weights at the ends of their format."""
    if gain := lower_gain(config, far):
        return gain
    cure = f"{widen('synapse.weight', config.synapse.weight)}, or lower learning.rate"
    if config.membrane.gain * FAR < unit_gain(config):
        return f"{raise_gain(config)}, or {cure}"
    return cure


def of_lost_updates(config: Config) -> str:
    """Return the likely cure for updates that always round to 0."""
    if config.learning.random_bits < 8:
        return f"raise learning.random_bits from {config.learning.random_bits} to 8"
    return "raise learning.rate and the rates of the schedule"


def of_silence(config: Config, far: int = FAR) -> str:
    """Return the likely cure for neurons that do not spike."""
    return lower_gain(config, far) or f"{raise_gain(config)}, or train for more epochs"


def of_firing(config: Config, far: int = FAR) -> str:
    """Return the likely cure for neurons that spike in nearly all steps."""
    return lower_gain(config, far) or "lower learning.rate, or raise membrane.threshold"


def of_errors(config: Config, far: int = FAR) -> str:
    """Return the likely cure for errors that are nearly all 0."""
    sigma = max(phase.sigma for phase in config.schedule)
    if gain := lower_gain(config, far):
        return gain
    return (
        f"raise error.span from {config.error.span} to {config.error.span + 1}, or sigma of the "
        f"schedule from {sigma:g} to {2 * sigma:g}"
    )
