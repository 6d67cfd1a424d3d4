"""Gates of a neuron pipeline: filters, noise, membrane and error; part of `gate_count`."""

from __future__ import annotations

from bitlif.model.config.config import Config
from bitlif.model.constants import Filter
from bitlif.model.derive import derive
from bitlif.model.fixed import Format, signed_digits
from bitlif.model.interval import Interval
from bitlif.model.noise import NoiseConfig
from bitlif.model.sections import LearningConfig
from bitlif.model.sweep_sections import SweepConfig

from .gate_tally import GateTally, Memory, Wire

Draws = NoiseConfig | LearningConfig | SweepConfig
"""Sections that have LFSRs."""


def count_leaky_sum(tally: GateTally, state: Wire, taken: Wire, own: Filter, fmt: Format) -> Wire:
    """Count a leaky sum, ``(keep * state + take * input) >> shift``, saturated to a format."""
    if own.keep:
        first = len(signed_digits(own.keep)) < len(signed_digits(own.take))
        kept = count_times(tally, state, own.keep, own.bias if first else 0)
        came = count_times(tally, taken, own.take, 0 if first else own.bias)
        total = tally.sum(kept, came)
    else:
        total = count_times(tally, taken, own.take, own.bias)
    tally.count("result", total.bits)
    shape = Wire.of(fmt)
    if tally.saturate(total >> own.shift, shape):
        tally.count("result", shape.bits + 1)
    else:
        tally.delay(shape)
    return shape


def count_times(tally: GateTally, value: Wire, constant: int, bias: int) -> Wire:
    """Count a product with a constant as a sum of shifted terms; return the sum."""
    terms = [(value << shift, shift) for shift, _ in signed_digits(constant)]
    if bias:
        terms.append((Wire.constant(bias), bias.bit_length() - 1))
    halves = []
    for (one, low), (two, high) in zip(terms[::2], terms[1::2], strict=False):
        # Below the lowest bit of the higher term, the sum equals the other term.
        total = tally.sum(one, two, passed=max(low, high))
        tally.count("result", total.bits - min(low, high))
        halves.append((total, min(low, high)))
    if len(terms) % 2:
        wire, low = terms[-1]
        if not bias:
            tally.delay(wire.bits - low)
        halves.append((wire, low))
    total, below = halves[0]
    if len(halves) == 1:
        tally.delay(total.bits - below)
    else:
        for other, low in halves[1:]:
            total = tally.sum(total, other, passed=max(below, low))
            below = min(below, low)
        tally.count("result", total.bits - below)
    return total


def count_lfsrs(tally: GateTally, drawn: Draws, lanes: int) -> None:
    """Count the LFSRs of the noise, of stochastic rounding or of a sweep."""
    source, leap = drawn.lfsr, drawn.leap
    for stream in dict.fromkeys(source.streams(lanes)):
        tally.count("result", source.width)
        tally.count("parity", leap * (len(stream.taps) - 1))
        tally.count("choose", max(0, source.width - leap))


def count_noise(tally: GateTally, config: Config) -> None:
    """Count a noise draw and its scaling."""
    noise, derived = config.noise, derive(config)
    draw = Wire.holding(Interval(noise.pmf.levels[0], noise.pmf.levels[-1]))
    _draw(tally, config, draw)
    c = derived.constants
    product = tally.product("noise", Wire(noise.scale_bits, False), draw)
    if c.noise_bias:
        tally.sum(product, Wire.constant(c.noise_bias), passed=c.noise_shift - 1)
    tally.count("result", derived.ranges["noise"].bits)


def _draw(tally: GateTally, config: Config, draw: Wire) -> None:
    """Count a noise draw from the bits of an LFSR."""
    noise = config.noise
    if noise.kind == "inverse_cdf":
        # The top bit of the word is the sign; table entries are never negative.
        half = 1 << (noise.word_bits - 1)
        tally.memories.append(
            Memory("quantiles", half, draw.bits - 1, copies=tally.times, table=True)
        )
        tally.count("choose", noise.word_bits - 1)
        tally.count("result", draw.bits)
        tally.count("add", draw.bits)
        tally.count("result", draw.bits + 1)
        return
    bits = 1 if noise.kind == "popcount" else noise.word_bits
    words = noise.draw_bits // bits
    terms = []
    for _ in range(words // 2):
        pair = tally.sum(Wire(bits, False), Wire(bits, True), minus=True)
        tally.count("result", pair.bits)
        terms.append(pair << 1)
    if words % 2:
        last = Wire(bits + 2)
        tally.count("add", bits)
        tally.count("result", last.bits)
        terms.append(last)
    while len(terms) > 1:
        pairs = [
            tally.sum(one, two, passed=1) for one, two in zip(terms[::2], terms[1::2], strict=False)
        ]
        terms = pairs + terms[2 * len(pairs) :]
    tally.count("result", draw.bits)


def count_neuron(tally: GateTally, config: Config, weights: Wire) -> None:
    """Count current filter, membrane filter, noise input, threshold and reset of one lane."""
    derived = derive(config)
    c, ranges = derived.constants, derived.ranges
    membrane = Wire.of(config.membrane.format)
    current = count_leaky_sum(
        tally, Wire.of(config.synapse.current), weights, c.current, config.synapse.current
    )
    before = count_leaky_sum(tally, membrane, current, c.membrane, config.membrane.format)
    noisy = before
    if config.noise.drawn:
        noisy = tally.sum(before, Wire.holding(ranges["noise"]))
    tally.count("add", noisy.bits)
    if c.keep_noise:
        tally.saturate(noisy, membrane)
        tally.count("result", membrane.bits)
    else:
        tally.delay(membrane)
    if c.subtracted:
        tally.count("add", ranges["reduced membrane"].bits)
        tally.count("result", membrane.bits)
        tally.count("choose", membrane.bits)
    tally.count("result", membrane.bits)
    tally.delay(membrane.bits, 2)
    tally.delay(current.bits, 6)
    tally.delay(12)


def count_error(tally: GateTally, config: Config) -> None:
    """Count the error of one lane: table index, table, and interpolation with the target."""
    c, error = derive(config).constants, config.error
    entry, one = Wire.of(error.entry), Wire(error.target_bits + 1, False)
    membrane = Wire.of(config.membrane.format)
    tally.memories.append(Memory("table", error.entries, 2 * entry.bits, copies=tally.times))
    distance = tally.sum(membrane, Wire.constant(c.threshold), minus=True)
    tally.count("result", distance.bits)
    product = tally.product("bin", distance, Wire(error.reciprocal_bits, False))
    tally.saturate(product >> c.bin_shift, Wire(error.index_bits))
    tally.count("result", error.index_bits)
    # The host's address takes precedence over the index.
    tally.count("choose", error.index_bits)
    tally.delay(2 * entry.bits)
    both = tally.sum(entry, entry)
    tally.count("result", both.bits)
    tally.delay(entry)
    toward = tally.product("target", one, both)
    away = Wire(entry.bits + error.target_bits + 1)
    if c.error_bias:
        tally.count("add", away.bits - c.error_bias.bit_length() + 1)
    tally.count("result", away.bits - error.target_bits)
    exact = tally.sum(toward, away, minus=True)
    tally.count("result", exact.bits)
    shape = Wire.of(error.format)
    tally.saturate(exact >> c.error_shift, shape)
    tally.count("result", shape.bits + 1)
