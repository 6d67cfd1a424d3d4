"""Monitors of protocols: hardware beside a unit that says when a property is violated."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from bitlif.hdl.bus import axi_lite
from bitlif.hdl.uart import serial

from .protocol import ProtocolUnit
from .unit import used


def before(m: Module, value: Value, name: str) -> Signal:
    """Return a value of the clock cycle before; 0 after a reset."""
    kept = Signal(value.shape(), name=name)
    m.d.sync += kept.eq(value)
    return kept


class AxiLiteMonitor(Component):
    """Watches the AXI4-Lite slave, whose masters and registers do anything.

    Members
    -------
    the inputs of `bitlif.hdl.bus.axi_lite.AxiLiteSlave`
    done, response, result : In
        Of the registers.
    assumed : Out(1)
        An access is done only while it is requested.
    bad_answers : Out(1)
        A request is lost, or answered twice.
    bad_hold : Out(1)
        A response changes or falls before it is transferred.
    bad_request : Out(1)
        An access changes or falls before it is done.
    bad_access : Out(1)
        An access is not that of the last transfer, or is requested without one.
    bad_wait : Out(1)
        A request is complete, its response channel is free, and no access begins.
    """

    def __init__(self) -> None:
        self._slave = used(axi_lite, "AxiLiteSlave")()
        access = self._slave.access
        ports = axi_lite.AXI_LITE
        super().__init__(
            {
                **{name: member for name, member in ports.items() if member.flow == In},
                "done": In(1),
                "response": In(access.response.shape()),
                "result": In(access.result.shape()),
                "assumed": Out(1),
                **dict.fromkeys(
                    ("bad_answers", "bad_hold", "bad_request", "bad_access", "bad_wait"), Out(1)
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the slave, counters of open requests, and what was before."""
        m = Module()
        m.submodules.slave = s = self._slave
        access = s.access
        for name, member in axi_lite.AXI_LITE.items():
            if member.flow == In:
                m.d.comb += getattr(s, name).eq(getattr(self, name))
        m.d.comb += [
            access.done.eq(self.done),
            access.response.eq(self.response),
            access.result.eq(self.result),
            self.assumed.eq(access.request | ~self.done),
        ]
        # A request is open from its transfer until its response is transferred.
        wrong: list[Value] = []
        for channel, answer in (("aw", "b"), ("w", "b"), ("ar", "r")):
            taken = getattr(s, f"{channel}valid") & getattr(s, f"{channel}ready")
            given = getattr(s, f"{answer}valid") & getattr(s, f"{answer}ready")
            opened = Signal(3, name=f"open_{channel}")
            m.d.sync += opened.eq(opened + taken - given)
            held = (~getattr(s, f"{channel}ready")) + getattr(s, f"{answer}valid")
            wrong.append(opened != held)
        m.d.comb += self.bad_answers.eq(Cat(wrong).any())
        m.d.comb += self.bad_hold.eq(
            self._changes(m, s.bvalid, s.bready, s.bresp, "b")
            | self._changes(m, s.rvalid, s.rready, Cat(s.rresp, s.rdata), "r")
        )
        data = Cat(access.data, access.strobe)
        # Data and strobe mean nothing in a read, and can be those of the next write.
        whole = Cat(access.write, access.address, Mux(access.write, data, 0))
        m.d.comb += self.bad_request.eq(
            self._changes(m, access.request, access.done, whole, "access")
        )
        last_write = Signal.like(access.address, name="last_write")
        last_read = Signal.like(access.address, name="last_read")
        last_word = Signal.like(access.data, name="last_word")
        last_strobe = Signal.like(access.strobe, name="last_strobe")
        with m.If(s.awvalid & s.awready):
            m.d.sync += last_write.eq(s.awaddr)
        with m.If(s.arvalid & s.arready):
            m.d.sync += last_read.eq(s.araddr)
        with m.If(s.wvalid & s.wready):
            m.d.sync += [last_word.eq(s.wdata), last_strobe.eq(s.wstrb)]
        writes = ~s.awready & ~s.wready & ~s.bvalid
        reads = ~s.arready & ~s.rvalid
        with m.If(access.request & access.write):
            data = (access.data == last_word) & (access.strobe == last_strobe)
            m.d.comb += self.bad_access.eq(~(writes & (access.address == last_write) & data))
        with m.Elif(access.request):
            m.d.comb += self.bad_access.eq(~(reads & (access.address == last_read)))
        m.d.comb += self.bad_wait.eq(
            before(m, ~access.request & (writes | reads), "due") & ~access.request
        )
        return m

    def _changes(self, m: Module, valid: Value, ready: Value, payload: Value, name: str) -> Value:
        """Return whether an offer that was not taken has changed or is gone."""
        offered = before(m, valid & ~ready, f"offered_{name}")
        same = payload == before(m, payload, f"payload_{name}")
        return offered & ~(valid & same)


class LineMonitor(Component):
    """Watches bytes from the sender over a line to the receiver of the UART.

    Members
    -------
    data, valid : In
        Bytes to send; any, in any clock cycle.
    assumed : Out(1)
        Always 1.
    bad_byte : Out(1)
        A byte is received that was not sent, or with another value, or is refused as broken.
    bad_lost : Out(1)
        A byte is sent, and two before it have not been received.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__(
            {
                "data": In(8), "valid": In(1),
                "assumed": Out(1), "bad_byte": Out(1), "bad_lost": Out(1),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        """Build both ends of a line, and the byte that is under way."""
        m = Module()
        m.submodules.sender = sender = used(serial, "SerialSender")(self._divisor)
        m.submodules.receiver = receiver = used(serial, "SerialReceiver")(self._divisor)
        # A byte is received at the end of its stop bit, when the next one may have begun.
        under_way = Signal(2, name="under_way")
        oldest, newest = Signal(8, name="oldest"), Signal(8, name="newest")
        taken, given = self.valid & sender.ready, receiver.valid
        expected = Mux(under_way == 2, oldest, newest)
        wrong = (under_way == 0) | (receiver.data != expected)
        m.d.comb += [
            sender.data.eq(self.data),
            sender.valid.eq(self.valid),
            receiver.rx.eq(sender.tx),
            self.assumed.eq(1),
            self.bad_byte.eq((given & wrong) | receiver.broken),
            self.bad_lost.eq(taken & ~given & (under_way == 2)),
        ]
        m.d.sync += under_way.eq(under_way + taken - given)
        with m.If(taken):
            m.d.sync += [newest.eq(self.data), oldest.eq(newest)]
        return m


DIVISOR = serial.LEAST_DIVISOR
"""Clock cycles per bit of the line that is examined, the least."""

LINE_CYCLES = 22 * DIVISOR
"""Clock cycles after a reset that are examined: two bytes."""

SAME = (
    ("write_address", "last_write"), ("read_address", "last_read"),
    ("slave.access__data", "last_word"), ("slave.access__strobe", "last_strobe"),
)  # fmt: skip


def axi_lite_unit() -> ProtocolUnit:
    """Return the AXI4-Lite slave."""
    return ProtocolUnit("axi_lite", AxiLiteMonitor, 1, same=SAME)


def line_unit() -> ProtocolUnit:
    """Return a serial line from sender to receiver."""
    return ProtocolUnit("uart_line", lambda: LineMonitor(DIVISOR), LINE_CYCLES, bounded=True)
