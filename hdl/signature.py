"""Signature of the results of a layer (model twin: `bitlif.model.signature`)."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.signature import POLYNOMIAL, WIDTH


class Signature(wiring.Component):
    """One 32-bit MISR per lane, folded into one word.

    Members
    -------
    take : In(lanes)
        Lanes that take a word in this clock cycle.
    words : In(array of 32 bits)
    value : Out(32)

    Latency: 1 clock cycle from a word to ``value``. Throughput: one word per lane and clock cycle.
    Handshake: none. Reset: to zero.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        super().__init__(
            {
                "take": In(lanes),
                "words": In(data.ArrayLayout(WIDTH, lanes)),
                "value": Out(WIDTH),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the registers and the fold."""
        m = Module()
        folded = Signal(WIDTH)
        for lane in range(self._lanes):
            state = Signal(WIDTH, name=f"lane_{lane}")
            moved = (state << 1)[:WIDTH] ^ (state[-1].replicate(WIDTH) & POLYNOMIAL)
            with m.If(self.take[lane]):
                m.d.sync += state.eq(moved ^ self.words[lane])
            before, folded = folded, Signal(WIDTH, name=f"folded_{lane}")
            m.d.comb += folded.eq(before ^ state.rotate_left(lane % WIDTH))
        m.d.comb += self.value.eq(folded)
        return m
