"""Periods of random draws per lane, neuron and synapse, and detection of constant draws.

The stream of a lane has ``period = 2**width - 1`` positions. Draws `stride` positions apart repeat
after ``period / gcd(stride, period)`` draws, which is the whole period only if the stride is
coprime to it.

Bit k of draw n is the trace of ``c a^k b^n`` over GF(2), where a is a root of the polynomial and
``b = a^stride``. If b generates the whole field, no XOR of different bits of the draws is constant,
because its trace form is not zero. The draws then cannot be constant either, because for every kind
of source such an XOR distinguishes some draws: the parity of a popcount, the lowest bit of a sum,
the two highest address bits of a quantile. Only if b lies in a proper subfield, so that its order
divides ``2**m - 1`` for a proper divisor m of the width, are the draws checked one by one.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

from bitlif.model.sections import LayerConfig, Settings

from .errors import BitlifError
from .lfsr import Lfsr, LfsrConfig
from .noise import NoiseConfig, quantile_table
from .sweep_sections import SweepConfig, SweepRounding


class Periods(NamedTuple):
    """Periods of the random numbers of a configuration.

    The last three are for LFSRs that are carried from window to window. If ``window.lfsr`` is
    ``"clear"``, all random numbers repeat in each window.
    """

    noise_bits: int
    """Period of a lane's noise stream, in positions; 0 without noise, as the next two."""
    noise_draws: int
    """Period of a lane's noise stream, in draws."""
    neuron_steps: int
    """Steps after which the draws of a neuron repeat."""
    update_draws: int
    """Period of a lane's update stream, in draws; 0 without random bits."""
    synapse_windows: int
    """Windows after which the draws of a synapse repeat; 0 without random bits."""


def draw_period(stride: int, period: int) -> int:
    """Return the period, in draws, of draws `stride` positions apart on a stream.

    >>> draw_period(32, 255), draw_period(34, 255), draw_period(255, 255)
    (255, 15, 1)
    """
    return period // math.gcd(stride, period)


def periods(config: Settings) -> Periods:
    """Return the periods of the random numbers of `config`.

    >>> from bitlif.model.config.config import Config
    >>> periods(Config.load("tiny"))     # 16 bits and 17 bits; 2 slots, 6 inputs
    Periods(noise_bits=65535, noise_draws=65535, neuron_steps=65535, update_draws=131071, \
synapse_windows=131071)
    """
    noise, learning, slots = config.noise, config.learning, config.layer.slots
    bits = (1 << noise.lfsr.width) - 1
    update = (1 << learning.lfsr.width) - 1
    drawn = learning.random_bits > 0
    return Periods(
        bits if noise.drawn else 0,
        draw_period(noise.leap, bits) if noise.drawn else 0,
        draw_period(noise.leap * slots, bits) if noise.drawn else 0,
        draw_period(learning.leap, update) if drawn else 0,
        draw_period(learning.leap * slots * config.layer.inputs, update) if drawn else 0,
    )


def check_draws(config: Settings) -> None:
    """Check that the draws of every lane, neuron and synapse vary.

    Raises
    ------
    BitlifError
        If some draws would be constant; the message names the leap.
    """
    noise, learning, sizes = config.noise, config.learning, config.layer
    found = periods(config)
    if noise.drawn:
        lane = constant_lane(noise.lfsr, noise.leap, sizes.lanes, noise)
        _check_lanes("noise", lane, noise.leap)
    if found.neuron_steps == 1:
        raise BitlifError(
            f"noise.lfsr.leap * slots must not be a multiple of the LFSR's period "
            f"{found.noise_bits}, as {noise.leap} * {sizes.slots} is: every neuron would get the "
            f"same noise in all steps"
        )
    bits = learning.random_bits
    if not bits:
        return
    lane = constant_lane(learning.lfsr, learning.leap, sizes.lanes, bits)
    _check_lanes("learning", lane, learning.leap)
    if found.synapse_windows == 1 and config.window.lfsr == "carry":
        period = (1 << learning.lfsr.width) - 1
        raise BitlifError(
            f"learning.lfsr.leap * slots * inputs must not be a multiple of the LFSR's period "
            f"{period}, as {learning.leap} * {sizes.slots} * {sizes.inputs} is: every synapse "
            f"would get the same random bits in all windows"
        )


def sweep_draw_steps(sweep: SweepConfig, sizes: LayerConfig, *, hidden: bool) -> int:
    """Return the steps after which a neuron's draws of the sweep repeat; 0 without draws."""
    if sweep.rounding != SweepRounding.STOCHASTIC:
        return 0
    each = (2 + int(hidden)) * sizes.slots
    return draw_period(sweep.leap * each, (1 << sweep.lfsr.width) - 1)


def check_sweep_draws(sweep: SweepConfig, sizes: LayerConfig, *, hidden: bool) -> None:
    """Check that the draws of a backward sweep vary in every lane and for every neuron.

    Raises
    ------
    BitlifError
        If some draws would be constant; the message names the leap.
    """
    steps = sweep_draw_steps(sweep, sizes, hidden=hidden)
    if not steps:
        return
    lane = constant_lane(sweep.lfsr, sweep.leap, sizes.lanes, sweep.random_bits)
    _check_lanes("sweep", lane, sweep.leap)
    if steps == 1:
        raise BitlifError(
            f"sweep.lfsr.leap * {2 + int(hidden)} * slots must not be a multiple of the LFSR's "
            f"period {(1 << sweep.lfsr.width) - 1}, as {sweep.leap} * {2 + int(hidden)} * "
            f"{sizes.slots} is: every neuron would get the same random bits in all steps"
        )


def _check_lanes(section: str, lane: int | None, leap: int) -> None:
    if lane is not None:
        raise BitlifError(
            f"{section}.lfsr.leap must give draws that vary, not {leap}: all draws of lane {lane} "
            f"would be equal"
        )


@functools.lru_cache(maxsize=1024)
def constant_lane(lfsr: LfsrConfig, leap: int, lanes: int, read: NoiseConfig | int) -> int | None:
    """Return the first lane whose draws are all equal, or None.

    Parameters
    ----------
    lfsr : LfsrConfig
    leap : int
        Positions between draws.
    lanes : int
    read : NoiseConfig or int
        How a draw reads the register: as noise, or as this number of its lowest bits.
    """
    turn = draw_period(leap, (1 << lfsr.width) - 1)
    divisors = [m for m in range(1, lfsr.width) if lfsr.width % m == 0]
    if all(((1 << m) - 1) % turn for m in divisors):
        return None
    for lane, source in enumerate(lfsr.streams(lanes)):
        first, now = _value(source, read), source
        for _ in range(turn - 1):
            now = now.jump(leap)
            if _value(now, read) != first:
                break
        else:
            return lane
    return None


def _value(source: Lfsr, read: NoiseConfig | int) -> int:
    """Return the draw that a state gives."""
    if isinstance(read, int):
        return source.state & ((1 << read) - 1)
    word = source.state & ((1 << read.draw_bits) - 1)
    if read.kind == "inverse_cdf":
        return quantile_table(read.word_bits, read.level_bits)[word]
    if read.kind == "popcount":
        return word.bit_count()
    mask = (1 << read.word_bits) - 1
    return sum(word >> read.word_bits * k & mask for k in range(read.words))
