"""Centred noise draws from random bits (model twin: `bitlif.model.noise`)."""

from __future__ import annotations

from amaranth.hdl import Array, Const, Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.interval import Interval
from bitlif.model.noise import NoiseConfig

from .fixed import shape_for
from .pipeline import Pipe

LARGEST_ARRAY = 1 << 11
"""Quantiles up to which they are an `Array`: Amaranth needs quadratic time to convert one."""


def draw_shape(config: NoiseConfig) -> Shape:
    """Return the narrowest shape of a draw."""
    return shape_for(Interval(config.pmf.levels[0], config.pmf.levels[-1]))


class NoiseDraw(wiring.Component):
    """Makes the draws of one lane: by a balanced adder tree, a count of ones, or quantiles.

    Parameters
    ----------
    config : bitlif.model.noise.NoiseConfig

    Members
    -------
    word : In(draw_bits)
    draw : Out(signed)
        Centred, in units of the PMF of the noise.

    Latency: `latency` clock cycles. Throughput: one draw per clock cycle. Handshake: none.
    Reset: not needed.
    """

    latency = 2  # sums of two words, or table look-up; sum of all, or sign

    def __init__(self, config: NoiseConfig) -> None:
        self._config = config
        super().__init__({"word": In(config.draw_bits), "draw": Out(draw_shape(config))})

    def elaborate(self, platform: object) -> Module:
        """Build the circuit that ``noise.kind`` selects."""
        m = Module()
        pipe = Pipe(m)
        config = self._config
        if config.kind == "inverse_cdf":
            # The quantiles are symmetric: the table holds the upper half, the top bit the sign.
            half = 1 << (config.word_bits - 1)
            index = Signal(config.word_bits - 1)
            top = self.word[-1]
            m.d.comb += index.eq(self.word[:-1] ^ (~top).replicate(config.word_bits - 1))
            level = self._looked_up(m, pipe, [int(q) for q in config.quantiles[half:]], index)
            m.d.sync += self.draw.eq(Mux(pipe.register(top, "top"), level, -level))
            return m
        bits = 1 if config.kind == "popcount" else config.word_bits
        words = [self.word.word_select(k, bits) for k in range(config.draw_bits // bits)]
        # As ~b is 2**bits - 1 - b, the difference a - ~b is the centred sum of two words. The draw
        # counts in half units, hence the doubling. A last single word is centred by itself: its
        # difference is doubled already.
        terms: list[Value] = [
            pipe.register(a - ~b, f"pair_{number}") << 1
            for number, (a, b) in enumerate(zip(words[::2], words[1::2], strict=False))
        ]
        if len(words) % 2:
            terms.append(pipe.register(words[-1] - ~words[-1], "last"))
        while len(terms) > 1:
            pairs = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)]
            terms = pairs + terms[2 * len(pairs) :]
        m.d.sync += self.draw.eq(terms[0])
        return m

    def _looked_up(self, m: Module, pipe: Pipe, levels: list[int], index: Signal) -> Value:
        """Return the level at an index, one clock cycle later. Levels are not negative."""
        if len(levels) <= LARGEST_ARRAY:
            table = Array(Const(level, self.draw.shape()) for level in levels)
            return pipe.register(table[index], "level", self.draw.shape())
        m.submodules.quantiles = memory = Memory(
            shape=unsigned(len(self.draw) - 1), depth=len(levels), init=levels
        )
        read = memory.read_port()
        m.d.comb += read.addr.eq(index)
        return read.data
