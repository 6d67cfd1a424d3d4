"""Bytes on a serial line: eight data bits, no parity, one stop bit, lowest bit first."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

LEAST_DIVISOR, MOST_DIVISOR = 4, 1 << 20
"""Clocks of a bit: it is looked at in its middle, which the receiver finds to a clock."""


class SerialReceiver(wiring.Component):
    """Bytes from a line.

    Parameters
    ----------
    divisor : int
        Clocks of a bit, `LEAST_DIVISOR` to `MOST_DIVISOR`.

    Members
    -------
    rx : In(1)
        The line, 1 when idle; not in step with the clock.
    data : Out(8)
    valid : Out(1)
        For one clock: ``data`` is a byte that has come.
    broken : Out(1)
        For one clock: a byte has ended with a stop bit of 0; it is lost.

    Latency: 9.5 bits and 3 clocks from the edge of the start bit. Throughput: a byte in 10 bits.
    Handshake: none; a byte is lost when nobody takes it. Reset: idle.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__({"rx": In(1, init=1), "data": Out(8), "valid": Out(1), "broken": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build two registers against metastability, and a walk over the middles of ten bits."""
        m = Module()
        line, early = Signal(init=1), Signal(init=1)
        m.d.sync += [early.eq(self.rx), line.eq(early), self.valid.eq(0), self.broken.eq(0)]
        left = Signal(range(self._divisor))
        # A 1 moves down through the byte, and says when all of it is there.
        bits = Signal(9)
        with m.FSM(name="line"):
            with m.State("idle"):
                m.d.sync += [left.eq(self._divisor // 2 - 1), bits.eq(1 << 8)]
                with m.If(~line):
                    m.next = "start"
            with m.State("start"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.d.sync += left.eq(self._divisor - 1)
                    # Too short for a start bit: nothing but noise.
                    m.next = "idle"
                    with m.If(~line):
                        m.next = "bits"
            with m.State("bits"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.d.sync += [left.eq(self._divisor - 1), bits.eq(Cat(bits[1:], line))]
                    with m.If(bits[0]):
                        m.d.sync += [bits.eq(bits), self.data.eq(bits[1:])]
                        m.d.sync += [self.valid.eq(line), self.broken.eq(~line)]
                        m.next = "stop"
            with m.State("stop"), m.If(line):
                m.next = "idle"
        return m


class SerialSender(wiring.Component):
    """Bytes to a line.

    Parameters
    ----------
    divisor : int
        Clocks of a bit, `LEAST_DIVISOR` to `MOST_DIVISOR`.

    Members
    -------
    tx : Out(1)
        The line, 1 when idle.
    data : In(8)
    valid, ready : In(1), Out(1)

    Latency: the start bit begins 1 clock after the byte was taken. Throughput: a byte in 10 bits.
    Handshake: a byte is taken in a clock in which both are high. Reset: idle.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__({"tx": Out(1, init=1), "data": In(8), "valid": In(1), "ready": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build a shift register of start bit, byte and stop bit."""
        m = Module()
        left, bits = Signal(range(self._divisor)), Signal(9)
        busy = Signal()
        # What is shifted in behind the byte: one 1, the stop bit, then zeros, until all is zero.
        m.d.comb += self.ready.eq(~busy)
        with m.If(~busy):
            m.d.sync += [left.eq(self._divisor - 1), bits.eq(Cat(self.data, 1))]
            with m.If(self.valid):
                m.d.sync += [busy.eq(1), self.tx.eq(0)]
        with m.Else():
            m.d.sync += left.eq(Mux(left == 0, self._divisor - 1, left - 1))
            with m.If(left == 0):
                m.d.sync += bits.eq(bits >> 1)
                with m.If(bits.any()):
                    m.d.sync += self.tx.eq(bits[0])
                with m.Else():
                    m.d.sync += busy.eq(0)
        return m
