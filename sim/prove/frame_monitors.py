"""Monitors of the frames on a serial line: what is sent, and what is taken for a frame."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from bitlif.hdl.uart import crc, framing
from bitlif.hdl.uart.protocol import CRC_BYTES, ESCAPE, FLAG, FLIP, LONGEST, SHORTEST

from .monitors import before
from .protocol import ProtocolUnit
from .unit import used

BYTE_CLOCKS = 11
"""Clock cycles between two bytes of a frame, at most, if the line takes them at once."""

IDLE, BODY, CRC, END = range(4)
"""Parts of a frame that is sent, in the order of the states of the sender."""


class FrameSenderMonitor(Component):
    """Watches a sender of frames with its CRC: any body, over a line that takes bytes at any time.

    Members
    -------
    body, last, valid, ready : In
        The body, and whether the line takes a byte.
    assumed : Out(1)
        A byte of the body that is offered does not change until it is taken.
    bad_flag : Out(1)
        A flag is sent within a frame, or a frame begins or ends without one.
    bad_escape : Out(1)
        An escape before a byte that needs none, or none before one that does.
    bad_byte : Out(1)
        Another byte is sent than the next of the body, or after its last one, of the CRC; or a byte
        of the body is taken that is not sent.
    bad_crc : Out(1)
        The CRC is not begun with the frame, is given another byte than each of the body once, or is
        used while it is busy.
    bad_done : Out(1)
        ``done`` is not with the closing flag.
    bad_wait : Out(1)
        A byte is due, and none is offered for `BYTE_CLOCKS` clock cycles.
    """

    def __init__(self) -> None:
        kinds = ("flag", "escape", "byte", "crc", "done", "wait")
        super().__init__(
            {
                "body": In(8), "last": In(1), "valid": In(1), "ready": In(1), "assumed": Out(1),
                "due_sending_state": Out(2), "due_escaped": Out(1), "due_left": Out(2),
                "due_busy": Out(4),
                **{f"bad_{kind}": Out(1) for kind in kinds},
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        """Build sender and CRC, and the part of the frame that is due."""
        m = Module()
        m.submodules.sender = s = used(framing, "FrameSender")()
        m.submodules.crc = check = used(crc, "Crc32")()
        m.d.comb += [
            s.i.payload.data.eq(self.body),
            s.i.payload.last.eq(self.last),
            s.i.valid.eq(self.valid),
            s.ready.eq(self.ready),
            s.crc_busy.eq(check.busy),
            s.crc_next.eq(check.next),
            check.restart.eq(s.crc_restart),
            check.data.eq(s.crc_data),
            check.feed.eq(s.crc_feed),
            check.drop.eq(s.crc_drop),
        ]
        offered = before(m, self.valid & ~s.i.ready, "offered")
        same = (self.body == before(m, self.body, "body_before")) & (
            self.last == before(m, self.last, "last_before")
        )
        m.d.comb += self.assumed.eq(~offered | (self.valid & same))
        part, left = Signal(2, name="part"), Signal(range(CRC_BYTES), name="bytes_left")
        escaped, sent = Signal(name="after_escape"), s.valid & self.ready
        inside = (part == BODY) | (part == CRC)
        opens = sent & inside & (s.data == ESCAPE) & ~escaped
        ends = sent & inside & ~opens
        byte = Mux(escaped, s.data ^ FLIP, s.data)
        with m.If(opens):
            m.d.sync += escaped.eq(1)
        with m.If(ends):
            m.d.sync += escaped.eq(0)
        with m.Switch(part):
            with m.Case(IDLE), m.If(sent):
                m.d.sync += part.eq(BODY)
            with m.Case(BODY):
                # How many bytes of the CRC are left is set with every clock cycle of the body.
                m.d.sync += left.eq(CRC_BYTES - 1)
                with m.If(ends & self.last):
                    m.d.sync += part.eq(CRC)
            with m.Case(CRC), m.If(ends):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.d.sync += part.eq(END)
            with m.Case(END), m.If(sent):
                m.d.sync += part.eq(IDLE)
        taken = self.valid & s.i.ready
        due = Mux(part == BODY, self.body, check.next)
        special = (due == FLAG) | (due == ESCAPE)
        used_crc = s.crc_feed | s.crc_drop
        # The CRC takes a clock cycle for each bit of a byte.
        busy = Signal(range(9), name="bits_left")
        m.d.sync += busy.eq(Mux(s.crc_restart, 0, Mux(used_crc, 8, Mux(busy == 0, 0, busy - 1))))
        ready = inside & ~check.busy & ((part == CRC) | self.valid)
        m.d.comb += [
            self.bad_flag.eq(s.valid & ((s.data == FLAG) == inside)),
            self.bad_escape.eq((ends & (special != escaped)) | (escaped & ~(ready & special))),
            self.bad_byte.eq((ends & (byte != due)) | (taken != (ends & (part == BODY)))),
            self.bad_crc.eq(
                ((part == IDLE) & s.valid & ~s.crc_restart) | ((part != IDLE) & s.crc_restart)
                | (s.crc_feed != taken) | (s.crc_feed & (s.crc_data != self.body))
                | (s.crc_drop != (ends & (part == CRC))) | (used_crc & check.busy) | (busy > 8)
            ),
            self.bad_done.eq(s.done != (sent & (part == END))),
            self.due_sending_state.eq(part),
            self.due_escaped.eq(escaped),
            self.due_left.eq(left),
            self.due_busy.eq(busy),
        ]  # fmt: skip
        still = Signal(range(BYTE_CLOCKS + 2), name="still")
        with m.If(~s.valid & (self.valid | (part == CRC) | (part == END))):
            m.d.sync += still.eq(still + 1)
        with m.Else():
            m.d.sync += still.eq(0)
        m.d.comb += self.bad_wait.eq(still == BYTE_CLOCKS)
        return m


class FrameReceiverMonitor(Component):
    """Watches a receiver of frames with its CRC: any bytes, broken or not, at any time.

    Members
    -------
    data, valid, broken, listen : In
    assumed : Out(1)
        A byte comes when the CRC of the byte before it is complete, which no line is too slow for.
    bad_frame : Out(1)
        ``arrived`` is not one clock cycle after a flag that ends a frame of at least one byte.
    bad_good : Out(1)
        A frame is good with less than `SHORTEST` or more than `LONGEST` bytes, with a broken byte,
        with an escape before its end, or with another CRC; or is not good without any of these.
    bad_length : Out(1)
        The length is not the number of its bytes, without escapes.
    bad_crc : Out(1)
        The CRC is given another byte than each of the frame once, or does not begin with it.
    """

    def __init__(self) -> None:
        kinds = ("frame", "good", "length", "crc")
        super().__init__(
            {
                "data": In(8), "valid": In(1), "broken": In(1), "listen": In(1), "assumed": Out(1),
                "due_hunting": Out(1), "due_escaped": Out(1),
                **{f"bad_{kind}": Out(1) for kind in kinds},
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        """Build receiver and CRC, and the frame under way."""
        m = Module()
        m.submodules.receiver = r = used(framing, "FrameReceiver")()
        m.submodules.crc = check = used(crc, "Crc32")()
        for name in ("data", "valid", "broken", "listen"):
            m.d.comb += getattr(r, name).eq(getattr(self, name))
        m.d.comb += [
            r.crc_residue.eq(check.residue),
            check.restart.eq(r.crc_restart),
            check.data.eq(r.crc_data),
            check.feed.eq(r.crc_feed),
            self.assumed.eq(~self.valid | ~check.busy),
        ]
        found, escaped = Signal(name="found"), Signal(name="after_escape")
        count, bad = Signal(range(LONGEST + 2), name="count"), Signal(name="bad_bytes")
        flag = self.listen & self.valid & (self.data == FLAG)
        inside = self.listen & self.valid & ~flag & found
        escapes = inside & (self.data == ESCAPE) & ~escaped
        byte = inside & ~escapes
        ended = Signal(name="ended")
        m.d.sync += ended.eq(0)
        with m.If(~self.listen):
            m.d.sync += [found.eq(0), escaped.eq(0), count.eq(0), bad.eq(0)]
        with m.Elif(flag):
            m.d.sync += [found.eq(1), ended.eq(found & ((count != 0) | bad))]
        with m.Elif(escapes):
            m.d.sync += escaped.eq(1)
        with m.Elif(byte):
            # A frame that is too long is left as it is; it cannot become good again.
            with m.If(count == LONGEST):
                m.d.sync += bad.eq(1)
            with m.Else():
                m.d.sync += [escaped.eq(0), count.eq(count + 1)]
        with m.Elif(self.broken & found):
            m.d.sync += bad.eq(1)
        fits = (count >= SHORTEST) & (count <= LONGEST)
        good = before(m, flag & fits & ~bad & ~escaped & check.residue, "good_before")
        stored = byte & (count != LONGEST)
        m.d.comb += [
            self.bad_frame.eq(r.arrived != ended),
            self.bad_good.eq(r.arrived & (r.good != good)),
            self.bad_length.eq((r.length != count) | (count > LONGEST)),
            self.bad_crc.eq(
                (r.crc_feed != stored)
                | (stored & (r.crc_data != Mux(escaped, self.data ^ FLIP, self.data)))
                | (stored & check.busy) | (~self.listen & ~r.crc_restart)
                | (flag & (count == 0) & ~bad & ~r.crc_restart)
                | (r.crc_restart & self.listen & ((count != 0) | bad))
            ),
            self.due_hunting.eq(~found),
            self.due_escaped.eq(escaped),
        ]  # fmt: skip
        return m


def frame_units() -> list[ProtocolUnit]:
    """Return both ends of a line of frames."""
    sender = ("sending_state", "escaped", "left")
    return [
        ProtocolUnit(
            "uart_sender", FrameSenderMonitor, BYTE_CLOCKS + 1,
            same=(
                *((f"sender.{name}", f"due_{name}") for name in sender), ("crc.left", "due_busy"),
            ),
        ),
        ProtocolUnit(
            "uart_receiver", FrameReceiverMonitor, 2,
            same=(
                ("receiver.hunting", "due_hunting"), ("receiver.escaped", "due_escaped"),
                ("receiver.spoilt", "bad_bytes"),
            ),
        ),
    ]  # fmt: skip
