"""The CRC-32 of frames, one bit per clock cycle (the same as `zlib.crc32`).

`amaranth.lib.crc` is not used because it is larger on an iCE40 UP5K: with the byte-wise output that
frames need, it takes 100 LUTs at one bit per clock cycle or 167 at one byte; this module takes 43.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

POLYNOMIAL = 0xEDB88320
"""Polynomial of CRC-32, lowest bit first."""

RESIDUE = 0xDEBB20E3
"""State of the register after bytes that are followed by their CRC."""


class Crc32(wiring.Component):
    """Computes the CRC of bytes serially.

    Members
    -------
    restart : In(1)
        Start a new CRC.
    data : In(8)
    feed : In(1)
        Pulse: add ``data`` to the CRC; ``busy`` must be low.
    drop : In(1)
        Pulse: shift the next byte of the CRC to ``next``; ``busy`` must be low.
    busy : Out(1)
    next : Out(8)
        Lowest byte of the CRC.
    residue : Out(1)
        The last four bytes are the CRC of all bytes before them.

    Latency: 8 clock cycles after ``feed`` or ``drop``. Throughput: one byte per 9 clock cycles.
    Handshake: ``busy``. Reset: a new CRC.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "restart": In(1),
                "data": In(8),
                "feed": In(1),
                "drop": In(1),
                "busy": Out(1),
                "next": Out(8),
                "residue": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build a shift register whose feedback is disabled while bytes are dropped."""
        m = Module()
        state = Signal(32, init=0xFFFFFFFF)
        byte = Signal(8)
        left = Signal(range(9))
        dropping = Signal()
        back = (state[0] ^ byte[0]) & ~dropping
        moved = Cat(state[1:], 0)
        m.d.comb += [
            self.busy.eq(left != 0),
            self.next.eq(~state[:8]),
            self.residue.eq(state == RESIDUE),
        ]
        with m.If(self.busy):
            m.d.sync += [
                left.eq(left - 1),
                byte.eq(byte >> 1),
                state.eq(moved ^ (back.replicate(32) & POLYNOMIAL)),
            ]
        with m.Elif(self.feed | self.drop):
            m.d.sync += [left.eq(8), byte.eq(self.data), dropping.eq(self.drop)]
        with m.If(self.restart):
            m.d.sync += [state.eq(0xFFFFFFFF), left.eq(0)]
        return m
