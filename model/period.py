"""When random draws repeat: the period of a lane, of a neuron and of a synapse, and constant draws.

A lane's stream has ``period = 2**width - 1`` positions. Draws that lie `stride` positions apart
repeat after ``period / gcd(stride, period)`` of them: after the whole period only if the stride has
no factor in common with it.

Bit k of draw n is the trace of ``c a^k b^n`` over GF(2), where a is a root of the polynomial and
``b = a^stride``. If b generates the whole field, no sum (exclusive or) of different bits of the
draws is constant: its trace form is not zero. A source can then not be constant either, because
some such sum differs between draws of different value: the parity of a popcount, the lowest bit of
a sum, the two highest address bits of a quantile. Only a b of a proper subfield, whose order
divides ``2**m - 1`` for a proper divisor m of the width, needs its draws looked at.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

from bitlif.model.sections import Settings

from .errors import BitlifError
from .lfsr import Lfsr, LfsrConfig
from .noise import NoiseConfig, quantile_table


class Periods(NamedTuple):
    """After how many draws, steps and windows the random numbers of a configuration repeat.

    The last three hold where LFSRs are carried from window to window; where ``window.lfsr`` is
    ``"clear"``, everything repeats with each window.
    """

    noise_bits: int
    """positions of a lane's noise stream"""
    noise_draws: int
    """draws of a lane's noise stream"""
    neuron_steps: int
    """steps after which a neuron gets the same draws again"""
    update_draws: int
    """draws of a lane's update stream; 0 without random bits"""
    synapse_windows: int
    """windows after which a synapse gets the same draws again; 0 without random bits"""


def draw_period(stride: int, period: int) -> int:
    """Return after how many draws `stride` positions apart a stream of this period repeats.

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
        bits,
        draw_period(noise.leap, bits),
        draw_period(noise.leap * slots, bits),
        draw_period(learning.leap, update) if drawn else 0,
        draw_period(learning.leap * slots * config.layer.inputs, update) if drawn else 0,
    )


def check_draws(config: Settings) -> None:
    """Raise if a lane, every neuron or every synapse would get one random number for ever.

    Raises
    ------
    BitlifError
        Naming the leap.
    """
    noise, learning, sizes = config.noise, config.learning, config.layer
    found = periods(config)
    _check_lanes("noise", constant_lane(noise.lfsr, noise.leap, sizes.lanes, noise), noise.leap)
    if found.neuron_steps == 1:
        raise BitlifError(
            f"noise.lfsr.leap * slots must not be a multiple of the LFSR's period "
            f"{found.noise_bits}, as {noise.leap} * {sizes.slots} is: every neuron would get the "
            f"same number in every step"
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
            f"would get the same number in every window"
        )


def _check_lanes(section: str, lane: int | None, leap: int) -> None:
    if lane is not None:
        raise BitlifError(
            f"{section}.lfsr.leap must be one with which draws differ, not {leap}: "
            f"lane {lane} would draw the same number for ever"
        )


@functools.lru_cache(maxsize=1024)
def constant_lane(lfsr: LfsrConfig, leap: int, lanes: int, read: NoiseConfig | int) -> int | None:
    """Return the first lane whose draws are all the same number, None if there is none.

    Parameters
    ----------
    lfsr : LfsrConfig
    leap : int
        Positions from a draw to the next.
    lanes : int
    read : NoiseConfig or int
        How a draw reads the register: as noise, or so many of its lowest bits.
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
    """Return the number that a draw makes of the state."""
    if isinstance(read, int):
        return source.state & ((1 << read) - 1)
    word = source.state & ((1 << read.draw_bits) - 1)
    if read.kind == "inverse_cdf":
        return quantile_table(read.word_bits, read.level_bits)[word]
    if read.kind == "popcount":
        return word.bit_count()
    mask = (1 << read.word_bits) - 1
    return sum(word >> read.word_bits * k & mask for k in range(read.words))
