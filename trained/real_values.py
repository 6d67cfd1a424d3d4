"""The real values of a layer's integers, without PyTorch."""

from __future__ import annotations

from fractions import Fraction

from bitlif.model.config.config import Config
from bitlif.model.derive import derive, leak_factor
from bitlif.model.fixed import round_fraction


def real_values(config: Config) -> tuple[float, float, float, float]:
    """Return both leaks, the gain and the threshold, as the integers have them."""
    raw_s, bits_s = leak_factor("synapse.decay", config.synapse.decay)
    raw_m, bits_m = leak_factor("membrane.decay", config.membrane.decay)
    one = 1 << config.membrane.gain_bits
    gain = round_fraction(Fraction(config.membrane.gain) * one) / one
    threshold = derive(config).constants.threshold * float(config.membrane.format.lsb)
    return raw_s / (1 << bits_s), raw_m / (1 << bits_m), gain, threshold
