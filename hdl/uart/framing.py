"""Frames on a serial line: flags, escapes and CRC (docs/uart.md)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.hdl.pipeline import NO_READ_WRITE_COLLISION

from .crc import Crc32
from .protocol import ESCAPE, FLAG, FLIP, LONGEST, SHORTEST


class FrameReceiver(wiring.Component):
    """Stores the bytes of a frame and checks its CRC.

    Members
    -------
    data, valid, broken : In
        Outputs of `bitlif.hdl.uart.serial.SerialReceiver`.
    listen : In(1)
        Receive bytes. Bytes before the first flag are ignored.
    arrived, good : Out(1)
        Pulse: a frame has ended; ``good`` with it: the frame is valid.
    length : Out
        With ``arrived``: number of bytes, including the CRC.
    address, byte : In, Out(8)
        A byte of the frame, one clock cycle after its address; until ``listen`` rises.
    crc_restart, crc_data, crc_feed, crc_residue
        Connections to `Crc32`.

    Latency: 1 clock cycle from the closing flag to ``arrived``. Throughput: one byte per 9 clock
    cycles, which is faster than any line. Handshake: none on bytes. Reset: no frame.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "data": In(8),
                "valid": In(1),
                "broken": In(1),
                "listen": In(1),
                "arrived": Out(1),
                "good": Out(1),
                "length": Out(range(LONGEST + 1)),
                "address": In(range(LONGEST)),
                "byte": Out(8),
                "crc_restart": Out(1),
                "crc_data": Out(8),
                "crc_feed": Out(1),
                "crc_residue": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the buffer and the state of the frame."""
        m = Module()
        m.submodules.kept = kept = Memory(
            shape=8, depth=LONGEST, init=[], attrs=NO_READ_WRITE_COLLISION
        )
        write = kept.write_port()
        read = kept.read_port()
        hunting = Signal(init=1)
        escaped = Signal()
        spoilt = Signal()
        m.d.comb += [
            read.addr.eq(self.address),
            self.byte.eq(read.data),
            self.crc_data.eq(Mux(escaped, self.data ^ FLIP, self.data)),
            write.addr.eq(self.length),
            write.data.eq(self.crc_data),
        ]
        m.d.sync += self.arrived.eq(0)
        with m.If(~self.listen):
            m.d.sync += [hunting.eq(1), self.length.eq(0), escaped.eq(0), spoilt.eq(0)]
            m.d.comb += self.crc_restart.eq(1)
        with m.Elif(self.valid & (self.data == FLAG)):
            m.d.sync += [
                self.arrived.eq(~hunting & ((self.length != 0) | spoilt)),
                self.good.eq(self.crc_residue & ~spoilt & ~escaped & (self.length >= SHORTEST)),
                hunting.eq(0),
            ]
            # A second flag in a row starts the frame again.
            m.d.comb += self.crc_restart.eq((self.length == 0) & ~spoilt)
        with m.Elif(self.valid & ~hunting):
            with m.If((self.data == ESCAPE) & ~escaped):
                m.d.sync += escaped.eq(1)
            with m.Elif(self.length == LONGEST):
                m.d.sync += spoilt.eq(1)
            with m.Else():
                m.d.comb += [write.en.eq(1), self.crc_feed.eq(1)]
                m.d.sync += [self.length.eq(self.length + 1), escaped.eq(0)]
        with m.Elif(self.broken & ~hunting):
            m.d.sync += spoilt.eq(1)
        return m


class FrameSender(wiring.Component):
    """Sends a body between flags, followed by its CRC.

    Members
    -------
    i : In(stream of {data, last})
        The body, at least one byte.
    done : Out(1)
        Pulse: the closing flag is transferred.
    data, valid, ready
        Connections to `bitlif.hdl.uart.serial.SerialSender`.
    crc_restart, crc_data, crc_feed, crc_drop, crc_busy, crc_next
        Connections to `Crc32`.

    Latency: the opening flag is offered 1 clock cycle after ``i`` becomes valid. Throughput: one
    byte per 11 clock cycles, which is faster than any line. Handshake: streams. Reset: idle.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"data": 8, "last": 1}))),
                "done": Out(1),
                "data": Out(8),
                "valid": Out(1),
                "ready": In(1),
                "crc_restart": Out(1),
                "crc_data": Out(8),
                "crc_feed": Out(1),
                "crc_drop": Out(1),
                "crc_busy": In(1),
                "crc_next": In(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the sequence of flag, body, CRC and flag, and the escape before a byte."""
        m = Module()
        escaped = Signal()
        left = Signal(range(4))
        byte = Signal(8)
        last = Signal()
        begun = Signal()
        settled = Signal()
        taken = Signal()
        offered = Signal()
        special = (byte == FLAG) | (byte == ESCAPE)
        # Registers, as the body may come from a block RAM through a wide choice. They hold the next
        # byte as soon as they have seen the CRC idle for a clock cycle.
        m.d.comb += [self.crc_data.eq(byte), offered.eq(settled & ~self.crc_busy)]
        m.d.sync += [
            byte.eq(self.i.payload.data),
            last.eq(self.i.payload.last),
            begun.eq(self.i.valid),
            settled.eq(0),
        ]
        with m.FSM(name="sending"):
            with m.State("idle"), m.If(begun):
                m.d.comb += [self.data.eq(FLAG), self.valid.eq(1), self.crc_restart.eq(1)]
                with m.If(self.ready):
                    m.next = "body"
            with m.State("body"):
                m.d.comb += [self.i.ready.eq(taken), self.crc_feed.eq(taken)]
                m.d.sync += [settled.eq(self.i.valid & ~self.crc_busy), left.eq(3)]
                with m.If(taken & last):
                    m.next = "crc"
            with m.State("crc"):
                m.d.comb += self.crc_drop.eq(taken)
                m.d.sync += [byte.eq(self.crc_next), settled.eq(~self.crc_busy)]
                with m.If(taken):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.next = "end"
            with m.State("end"):
                m.d.comb += [self.data.eq(FLAG), self.valid.eq(1), self.done.eq(self.ready)]
                with m.If(self.ready):
                    m.next = "idle"
        with m.If(offered):
            m.d.comb += self.valid.eq(1)
            with m.If(special & ~escaped):
                m.d.comb += self.data.eq(ESCAPE)
                m.d.sync += escaped.eq(self.ready)
            with m.Else():
                m.d.comb += [self.data.eq(Mux(escaped, byte ^ FLIP, byte)), taken.eq(self.ready)]
                with m.If(self.ready):
                    m.d.sync += escaped.eq(0)
        return m


def share_crc(m: Module, receiver: FrameReceiver, sender: FrameSender) -> None:
    """Add one CRC that receiver and sender use in turn.

    The receiver uses it while it listens, the sender otherwise.
    """
    m.submodules.crc = crc = Crc32()
    m.d.comb += [
        receiver.crc_residue.eq(crc.residue),
        sender.crc_busy.eq(crc.busy),
        sender.crc_next.eq(crc.next),
        crc.drop.eq(sender.crc_drop),
        crc.restart.eq(Mux(receiver.listen, receiver.crc_restart, sender.crc_restart)),
        crc.feed.eq(Mux(receiver.listen, receiver.crc_feed, sender.crc_feed)),
        crc.data.eq(Mux(receiver.listen, receiver.crc_data, sender.crc_data)),
    ]
