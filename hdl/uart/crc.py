"""The CRC-32 of frames, a bit a clock (what Python's `zlib.crc32` computes)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

POLYNOMIAL = 0xEDB88320
"""Of CRC-32, lowest bit first."""

RESIDUE = 0xDEBB20E3
"""What is in the register after bytes and their own CRC."""


class Crc32(wiring.Component):
    """Takes bytes, one in eight clocks.

    Members
    -------
    restart : In(1)
        Forget all bytes.
    data : In(8)
    feed : In(1)
        Take ``data``; only while not ``busy``.
    drop : In(1)
        Move the next byte of the CRC to ``next``; only while not ``busy``.
    busy : Out(1)
    next : Out(8)
        The lowest byte of the CRC.
    residue : Out(1)
        The last four bytes were the CRC of those before.

    Latency and throughput: 8 clocks a byte. Handshake: as said. Reset: no bytes.
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
        """Build a shift register with feedback, which is cut while bytes are dropped."""
        m = Module()
        state, byte = Signal(32, init=0xFFFFFFFF), Signal(8)
        left, dropping = Signal(range(9)), Signal()
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
