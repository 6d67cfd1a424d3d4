"""From random bits to a centred draw (model twin: `bitlif.model.noise`)."""

from __future__ import annotations

from amaranth.hdl import Array, Const, Module, Shape, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.interval import Interval
from bitlif.model.noise import NoiseConfig

from .fixed import shape_for


def draw_shape(config: NoiseConfig) -> Shape:
    """Return the narrowest shape of a draw."""
    return shape_for(Interval(config.pmf.levels[0], config.pmf.levels[-1]))


class NoiseDraw(wiring.Component):
    """One lane's draw: a balanced adder tree, a count of ones, or a table of quantiles.

    Parameters
    ----------
    config : bitlif.model.noise.NoiseConfig

    Members
    -------
    word : In(draw_bits)
    draw : Out(signed)
        Centred, in units of the noise's PMF.

    Latency: `latency` clocks. Throughput: one draw a clock. Handshake: none. Reset: none needed.
    """

    latency = 1

    def __init__(self, config: NoiseConfig) -> None:
        self._config = config
        super().__init__({"word": In(config.draw_bits), "draw": Out(draw_shape(config))})

    def elaborate(self, platform: object) -> Module:
        """Build the construction that the configuration names."""
        m = Module()
        config = self._config
        if config.kind == "inverse_cdf":
            # The lower half mirrors the upper one: the table holds half, the top bit chooses.
            half = 1 << (config.word_bits - 1)
            upper = Array(Const(int(q), self.draw.shape()) for q in config.quantiles[half:])
            index = Signal(config.word_bits - 1)
            top = self.word[-1]
            m.d.comb += index.eq(self.word[:-1] ^ (~top).replicate(config.word_bits - 1))
            level = Signal(self.draw.shape())
            m.d.comb += level.eq(upper[index])
            with m.If(top):
                m.d.sync += self.draw.eq(level)
            with m.Else():
                m.d.sync += self.draw.eq(-level)
            return m
        bits = 1 if config.kind == "popcount" else config.word_bits
        words = config.draw_bits // bits
        terms = [self.word.word_select(k, bits) for k in range(words)]
        while len(terms) > 1:
            pairs = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)]
            terms = pairs + terms[2 * len(pairs) :]
        offset = words * ((1 << bits) - 1)
        m.d.sync += self.draw.eq((terms[0] << 1) - Const(offset, signed(offset.bit_length() + 1)))
        return m
