"""Registers of the request that a bridge carries out, and of its answer."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.memory import Memory

from bitlif.hdl.bus.registers import WORD_BITS
from bitlif.hdl.pipeline import NO_READ_WRITE_COLLISION

from .protocol import ANSWER_HEAD, CRC_BYTES, LONGEST, Status

PAYLOAD = LONGEST - ANSWER_HEAD - CRC_BYTES
"""Largest payload of an answer in bytes."""


class RequestState:
    """The registers of a request, shared by the state machine's parts in several modules.

    Attributes
    ----------
    place, end : Signal
        Number of the current byte of the request, or of the answer that is sent; end of the
        request.
    index : Signal
        Number of a byte within a field.
    number, status, count, size : Signal
        The last answer, kept for a repetition: number of the request, status, number of words or
        bytes carried out, and size of the payload.
    refusal : Signal
        Status of a request that is not carried out, or 0.
    word, command : Signal
    settled : Signal
        The current byte is valid: memories need a clock cycle after their address changes.
    moved : Signal
        `place` changes with this clock cycle.
    begun : Signal
        The request is carried out from here: count and size become 0.
    counted, amount : Signal
        Add `amount`, by default 1, to the count.
    at_end, at_last : Signal
        While `settled`: `place` is the end of the request, or the last byte of the answer.
    write, read : ports of the memory that holds the payload of the answer
    """

    def __init__(self, m: Module) -> None:
        m.submodules.answer = answer = Memory(
            shape=8, depth=LONGEST, init=[], attrs=NO_READ_WRITE_COLLISION
        )
        self.write = answer.write_port()
        self.read = answer.read_port()
        # Explicit names keep the names of nets in existing netlists.
        self.place = Signal(range(LONGEST + 1))
        self.end = Signal(range(LONGEST + 1))
        self.index = Signal(3, name="_index")
        self.number = Signal(32)
        self.status = Signal(4)
        self.count = Signal(range(LONGEST + 1))
        self.size = Signal(range(LONGEST + 1))
        self.refusal = Signal(4, name="_objection")
        self.word = Signal(WORD_BITS, name="_word")
        self.command = Signal(2, name="_command")
        self.settled = Signal()
        self.moved = Signal(name="moved")
        self.at_end = Signal()
        self.at_last = Signal(name="at_last")
        self.begun = Signal(name="begun")
        self.counted = Signal(name="counted")
        self.amount = Signal.like(self.count, name="amount", init=1)
        with m.If(self.begun):
            m.d.sync += [self.count.eq(0), self.size.eq(0)]
        with m.Elif(self.counted):
            m.d.sync += self.count.eq(self.count + self.amount)
        m.d.sync += self.settled.eq(~self.moved)
        m.d.sync += [
            self.at_end.eq(self.place == self.end),
            self.at_last.eq(self.place + 1 == self.size),
        ]

    def advance(self, m: Module) -> None:
        """Select the next byte."""
        m.d.comb += self.moved.eq(1)
        m.d.sync += self.place.eq(self.place + 1)

    def finish(self, m: Module, status: Value | int) -> None:
        """Answer a request that was carried out."""
        m.d.sync += [self.status.eq(status), self.index.eq(0)]
        m.next = "header"

    def refuse(self, m: Module, status: Status) -> None:
        """Answer a request that is not carried out; the previous answer is kept."""
        m.d.sync += [self.refusal.eq(status), self.index.eq(0)]
        m.next = "header"

    def full(self, item: int) -> Value:
        """Return whether another item does not fit, if all of the payload's have this many bytes.

        The comparison is for equality, which is smaller: the size is a multiple of the item.
        """
        return self.size == PAYLOAD // item * item

    def append(self, m: Module, byte: Value) -> None:
        """Append a byte to the payload of the answer."""
        m.d.comb += [self.write.en.eq(1), self.write.data.eq(byte)]
        m.d.sync += self.size.eq(self.size + 1)
