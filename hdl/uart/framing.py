"""Frames on a line of bytes: flags, escapes, CRC (docs/uart.md)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.hdl.pipeline import NO_READ_WRITE_COLLISION

from .crc import Crc32
from .protocol import ESCAPE, FLAG, FLIP, LONGEST, SHORTEST


class FrameReceiver(wiring.Component):
    """Keeps a frame's bytes, and says whether it is good.

    Members
    -------
    data, valid, broken : In
        As of `bitlif.hdl.uart.serial.SerialReceiver`.
    listen : In(1)
        Take bytes. What comes before the first flag after it rises is ignored.
    arrived, good : Out(1)
        For one clock: a frame has ended; and whether it is good.
    length : Out
        With ``arrived``: its bytes, CRC included.
    address, byte : In, Out(8)
        A byte of the frame, one clock after its address; until ``listen``.
    crc : the members of `Crc32`, from the user's side

    Latency: 1 clock from the closing flag. Throughput: a byte in 10 clocks. Handshake: as said.
    Reset: nothing has come.
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
        """Build the way of a byte."""
        m = Module()
        m.submodules.kept = kept = Memory(
            shape=8, depth=LONGEST, init=[], attrs=NO_READ_WRITE_COLLISION
        )
        write, read = kept.write_port(), kept.read_port()
        hunting, escaped, spoilt = Signal(init=1), Signal(), Signal()
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
            # Another flag straight after one begins the same frame once more.
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
    """Puts a body between flags, with its CRC.

    Members
    -------
    i : In(stream of {data, last})
        The body, at least one byte.
    done : Out(1)
        For one clock: the closing flag is being taken.
    data, valid, ready
        As of `bitlif.hdl.uart.serial.SerialSender`.
    crc : the members of `Crc32`, from the user's side

    Latency: the first byte is taken once the line is free. Throughput: a byte in 10 clocks at most.
    Handshake: of streams. Reset: idle.
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
        """Build the sequence flag, body, CRC, flag, and the escape before a byte."""
        m = Module()
        escaped, left = Signal(), Signal(range(4))
        byte, taken, offered = Signal(8), Signal(), Signal()
        special = (byte == FLAG) | (byte == ESCAPE)
        m.d.comb += self.crc_data.eq(self.i.payload.data)
        with m.If(offered):
            m.d.comb += self.valid.eq(1)
            with m.If(special & ~escaped):
                m.d.comb += self.data.eq(ESCAPE)
                m.d.sync += escaped.eq(self.ready)
            with m.Else():
                m.d.comb += [self.data.eq(Mux(escaped, byte ^ FLIP, byte)), taken.eq(self.ready)]
                with m.If(self.ready):
                    m.d.sync += escaped.eq(0)
        with m.FSM(name="sending"):
            with m.State("idle"), m.If(self.i.valid):
                m.d.comb += [self.data.eq(FLAG), self.valid.eq(1), self.crc_restart.eq(1)]
                with m.If(self.ready):
                    m.next = "body"
            with m.State("body"):
                m.d.comb += [
                    byte.eq(self.i.payload.data),
                    offered.eq(self.i.valid & ~self.crc_busy),
                    self.i.ready.eq(taken),
                    self.crc_feed.eq(taken),
                ]
                m.d.sync += left.eq(3)
                with m.If(taken & self.i.payload.last):
                    m.next = "crc"
            with m.State("crc"):
                m.d.comb += [
                    byte.eq(self.crc_next),
                    offered.eq(~self.crc_busy),
                    self.crc_drop.eq(taken),
                ]
                with m.If(taken):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.next = "end"
            with m.State("end"):
                m.d.comb += [self.data.eq(FLAG), self.valid.eq(1), self.done.eq(self.ready)]
                with m.If(self.ready):
                    m.next = "idle"
        return m


def share_crc(m: Module, receiver: FrameReceiver, sender: FrameSender) -> None:
    """Add the one CRC that receiver and sender, which take turns, need.

    While it does not listen the receiver keeps the CRC restarted, so the sender comes first then.
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
