"""UART receiver and sender: eight data bits, no parity, one stop bit, lowest bit first."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

LEAST_DIVISOR, MOST_DIVISOR = 4, 1 << 20
"""Range of clock cycles per bit; the receiver samples in the middle, to one clock cycle."""


class SerialReceiver(wiring.Component):
    """Receives bytes from a line.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, `LEAST_DIVISOR` ..= `MOST_DIVISOR`.

    Members
    -------
    rx : In(1)
        The line, 1 when idle; asynchronous to the clock.
    data : Out(8)
    valid : Out(1)
        Pulse: ``data`` is a received byte.
    broken : Out(1)
        Pulse: a byte with a stop bit of 0 was received and discarded.

    Latency: 9.5 bits and 3 clock cycles from the edge of the start bit. Throughput: one byte per
    10 bits. Handshake: none; ``data`` is valid only with ``valid``. Reset: idle.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__({"rx": In(1, init=1), "data": Out(8), "valid": Out(1), "broken": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build two registers against metastability, and a sampler of ten bits."""
        m = Module()
        line = Signal(init=1)
        early = Signal(init=1)
        m.d.sync += [early.eq(self.rx), line.eq(early), self.valid.eq(0), self.broken.eq(0)]
        left = Signal(range(self._divisor))
        # A 1 shifts down through the byte and marks when it is complete.
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
                    # A pulse too short for a start bit is noise.
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
    """Sends bytes to a line.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, `LEAST_DIVISOR` ..= `MOST_DIVISOR`.

    Members
    -------
    tx : Out(1)
        The line, 1 when idle.
    data : In(8)
    valid, ready : In(1), Out(1)

    Latency: the start bit begins 1 clock cycle after the transfer. Throughput: one byte per 10
    bits. Handshake: a byte is transferred when ``valid`` and ``ready`` are high. Reset: idle.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__({"tx": Out(1, init=1), "data": In(8), "valid": In(1), "ready": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build a shift register of start bit, byte and stop bit."""
        m = Module()
        left = Signal(range(self._divisor))
        bits = Signal(9)
        busy = Signal()
        # A 1, the stop bit, follows the byte, then zeros; the byte is sent when all are zero.
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
