"""Requests in, answers out: the protocol of docs/uart.md between frames and a layer."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.hdl.bus.axi_stream import target_bits, target_members, whole_bytes
from bitlif.hdl.bus.register_mapped_layer import takes_targets
from bitlif.hdl.bus.register_port import AccessSignature
from bitlif.hdl.bus.registers import ADDRESS_BITS, WORD_BITS, Response
from bitlif.hdl.forward import event_layout
from bitlif.hdl.pipeline import NO_READ_WRITE_COLLISION
from bitlif.model.config.config import Config

from .protocol import ANSWER_HEAD, CRC_BYTES, LONGEST, REQUEST_HEAD, Command, Status

PATIENCE = 1 << 16
"""Clocks without a movement after which EVENTS is answered STALLED."""


PAYLOAD = LONGEST - ANSWER_HEAD - CRC_BYTES
"""Bytes of an answer's payload, at most."""


def event_bytes(units: int) -> int:
    """Return how many bytes an item takes that says one of `units` addresses, or the end.

    >>> event_bytes(255), event_bytes(256)
    (1, 2)
    """
    return whole_bytes(units.bit_length()) // 8


class Bridge(wiring.Component):
    """Carries out one request after another.

    Parameters
    ----------
    config : bitlif.Config
    learning : bool
        Whether the core has learning hardware.

    Members
    -------
    listen, arrived, good, length, address, byte
        Of the `FrameReceiver`.
    o, done
        Of the `FrameSender`.
    access : Out(AccessSignature)
    events_tdata, events_tlast, events_tvalid, events_tready
        Input events; as many whole bytes as N itself needs.
    targets_tdata, targets_tvalid, targets_tready
        A slot's targets, if the core takes any.
    spikes : In(stream of event_layout(M))
    takes_targets, restart : In(1)
        As of `RegisterMappedLayer`.

    Latency: a request is carried out in some tens of clocks, and a dozen a word; EVENTS takes the
    core's time. Throughput: one request at a time. Handshake: of the members. Reset: number 0,
    nothing due.
    """

    def __init__(self, config: Config, *, learning: bool) -> None:
        self._config = config
        sizes = config.layer
        self._in_bytes, self._out_bytes = event_bytes(sizes.inputs), event_bytes(sizes.neurons)
        self._slot_bytes = 0
        members = {
            "listen": Out(1),
            "arrived": In(1),
            "good": In(1),
            "length": In(range(LONGEST + 1)),
            "address": Out(range(LONGEST)),
            "byte": In(8),
            "o": Out(stream.Signature(data.StructLayout({"data": 8, "last": 1}))),
            "done": In(1),
            "access": Out(AccessSignature()),
            "events_tdata": Out(8 * self._in_bytes),
            "events_tlast": Out(1),
            "events_tvalid": Out(1),
            "events_tready": In(1),
            "spikes": In(stream.Signature(event_layout(sizes.neurons))),
            "takes_targets": In(1),
            "restart": In(1),
        }
        if takes_targets(config, learning=learning):
            self._slot_bytes = target_bits(config) * sizes.lanes // 8
            flow = target_members(config)
            members |= {f"targets_{name}": member.flip() for name, member in flow.items()}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Build the registers, and the states of a request one after another."""
        m = Module()
        m.submodules.answer = answer = Memory(
            shape=8, depth=LONGEST, init=[], attrs=NO_READ_WRITE_COLLISION
        )
        self._write, self._read = answer.write_port(), answer.read_port()
        # Of the request, and of what is being read: bytes so far, and where it ends.
        self._place, self._end = Signal(range(LONGEST + 1)), Signal(range(LONGEST + 1))
        self._index = Signal(3)
        # Of the answer, which stays for a repetition.
        self._number, self._status = Signal(32), Signal(4)
        self._count, self._size = Signal(range(LONGEST + 1)), Signal(range(LONGEST + 1))
        self._objection = Signal(4)
        self._word = Signal(WORD_BITS)
        self._command = Signal(2)
        # A memory answers a clock after its address.
        settled, moved = Signal(), Signal()
        m.d.sync += settled.eq(~moved)
        self._settled = settled
        # Of registers too: what they say is true once the place has settled.
        at_end, at_last = Signal(), Signal()
        m.d.sync += [
            at_end.eq(self._place == self._end),
            at_last.eq(self._place + 1 == self._size),
        ]
        m.d.comb += [
            self.address.eq(self._place),
            self._read.addr.eq(self._place),
            self._write.addr.eq(self._size),
            self.access.data.eq(self._word),
            self.access.strobe.eq(~0),
        ]
        self._moved, self._at_end, self._at_last = moved, at_end, at_last
        self._offer(m)
        with m.FSM(name="request"):
            self._judge(m)
            self._access(m)
            self._stream(m)
            self._answer(m)
        return m

    def _step(self, m: Module) -> None:
        """Go to the next byte."""
        m.d.comb += self._moved.eq(1)
        m.d.sync += self._place.eq(self._place + 1)

    def _say(self, m: Module, status: Value | int) -> None:
        """End a request that was carried out."""
        m.d.sync += [self._status.eq(status), self._index.eq(0)]
        m.next = "header"

    def _object(self, m: Module, status: Status) -> None:
        """Answer a request that is not carried out; the answer before it stays."""
        m.d.sync += [self._objection.eq(status), self._index.eq(0)]
        m.next = "header"

    def _put(self, m: Module, byte: Value) -> None:
        """Add a byte to the answer."""
        m.d.comb += [self._write.en.eq(1), self._write.data.eq(byte)]
        m.d.sync += self._size.eq(self._size + 1)

    def _judge(self, m: Module) -> None:
        """Take a frame, compare its number with ours, byte by byte, and count ours up."""
        same, follows, carry = Signal(), Signal(), Signal()
        opening = self._command == Command.OPEN
        total = Signal(9)
        m.d.comb += total.eq(self._number[:8] + carry)
        with m.State("listen"):
            m.d.comb += self.listen.eq(~self.arrived)
            m.d.sync += [
                self._place.eq(0),
                self._index.eq(0),
                self._objection.eq(0),
                self._end.eq(self.length - CRC_BYTES),
                same.eq(1),
                follows.eq(1),
                carry.eq(1),
            ]
            m.d.comb += self._moved.eq(1)
            with m.If(self.arrived):
                m.next = "number"
                with m.If(~self.good):
                    self._object(m, Status.BAD_FRAME)
        with m.State("number"), m.If(self._settled):
            self._step(m)
            m.d.sync += [
                same.eq(same & (self.byte == self._number[:8])),
                follows.eq(follows & (self.byte == total[:8])),
                carry.eq(total[8]),
                self._number.eq(Cat(self._number[8:], self._number[:8])),
                self._index.eq(self._index + 1),
            ]
            with m.If(self._index == 3):
                m.next = "command"
        with m.State("command"), m.If(self._settled):
            self._step(m)
            m.d.sync += [self._command.eq(self.byte), self._index.eq(0), carry.eq(1)]
            m.next = "count up"
            with m.If(self.byte != Command.OPEN):
                with m.If(same):
                    m.next = "header"
                with m.Elif(~follows):
                    self._object(m, Status.OUT_OF_ORDER)
                with m.Elif(self.byte > max(Command)):
                    self._object(m, Status.UNKNOWN)
        with m.State("count up"):
            m.d.sync += [
                self._number.eq(Cat(self._number[8:], total[:8])),
                carry.eq(total[8]),
                self._index.eq(self._index + 1),
                self._count.eq(0),
                self._size.eq(0),
            ]
            with m.If(opening & ~self._index[1]):
                # The next multiple of 2**16: what is below becomes zero, and carries one.
                m.d.sync += [self._number[24:].eq(0), carry.eq(1)]
            with m.If(self._index == 3):
                m.d.sync += self._index.eq(0)
                m.next = "address"
                with m.If(self._command == Command.EVENTS):
                    m.next = "events"
                with m.Elif(opening):
                    self._say(m, Status.OPENED)

    def _access(self, m: Module) -> None:
        """Read or write a register, again and again."""
        access = self.access
        stay, left, beyond = Signal(), Signal(7), Signal()
        where = Signal(ADDRESS_BITS)
        m.d.comb += [access.address.eq(where), access.write.eq(self._command == Command.WRITE)]
        with m.State("address"), m.If(self._settled):
            self._step(m)
            m.d.sync += self._index.eq(self._index + 1)
            with m.If(~self._index[0]):
                m.d.sync += where[:8].eq(self.byte)
            with m.Else():
                m.d.sync += [
                    where[8:].eq(self.byte),
                    beyond.eq(self.byte[ADDRESS_BITS - 8 : 7].any()),
                    stay.eq(self.byte[7]),
                    self._index.eq(0),
                ]
                m.next = "amount"
                with m.If(access.write):
                    m.next = "gather"
            with m.If(self._at_end):
                self._say(m, Status.DONE)
        with m.State("amount"), m.If(self._settled):
            m.d.sync += left.eq(self.byte)
            m.next = "more"
            with m.If(self._at_end):
                self._say(m, Status.DONE)
        with m.State("more"):
            m.next = "access"
            with m.If(left == 0):
                self._say(m, Status.DONE)
            with m.Elif(self._size > PAYLOAD - WORD_BITS // 8):
                self._say(m, Status.FULL)
        with m.State("gather"), m.If(self._settled):
            self._step(m)
            m.d.sync += [
                self._word.eq(Cat(self._word[8:], self.byte)),
                self._index.eq(self._index + 1),
            ]
            with m.If(self._index[:2] == 3):
                m.d.sync += self._index.eq(0)
                m.next = "access"
            with m.If(self._at_end):
                self._say(m, Status.DONE)
        with m.State("access"):
            m.d.comb += access.request.eq(~beyond)
            with m.If(beyond):
                self._say(m, Status.NO_REGISTER)
            with m.Elif(access.done):
                m.d.sync += [
                    where.eq(Mux(stay, where, where + WORD_BITS // 8)),
                    left.eq(left - 1),
                    self._count.eq(self._count + 1),
                ]
                m.next = "gather"
                with m.If(~access.write):
                    m.d.sync += self._word.eq(access.result)
                    m.next = "store"
                with m.If(access.response != Response.OKAY):
                    m.d.sync += self._count.eq(self._count)
                    self._say(m, access.response)
        with m.State("store"):
            self._put(m, self._word[:8])
            m.d.sync += [self._word.eq(self._word >> 8), self._index.eq(self._index + 1)]
            with m.If(self._index[:2] == 3):
                m.d.sync += self._index.eq(0)
                m.next = "more"

    def _offer(self, m: Module) -> None:
        """Offer an item to the layer, and count what is due after it."""
        sizes = self._config.layer
        self._item = item = Signal(8 * max(self._in_bytes, self._slot_bytes))
        self._offered, self._given = offered, given = Signal(), Signal()
        self._last_byte = last_byte = Signal(range(max(self._in_bytes, self._slot_bytes)))
        # One step is in the core at most, and the end of the next waits before it.
        self._unanswered = Signal(range(3))
        self._answered = Signal()
        ended, slot, ready = Signal(), Signal(), Signal()
        m.d.comb += [
            self.events_tdata.eq(item[-8 * self._in_bytes :]),
            self.events_tlast.eq(self.events_tdata == sizes.inputs),
            self.events_tvalid.eq(offered & ~slot),
            ready.eq(self.events_tready),
            last_byte.eq(self._in_bytes - 1),
            given.eq(offered & ready),
            ended.eq(given & ~slot & self.events_tlast),
        ]
        m.d.sync += self._unanswered.eq(self._unanswered + ended - self._answered)
        if self._slot_bytes:
            due = Signal(range(sizes.slots + 1))
            m.d.comb += [
                slot.eq(due != 0),
                self.targets_tdata.eq(item[-8 * self._slot_bytes :]),
                self.targets_tvalid.eq(offered & slot),
            ]
            with m.If(slot):
                m.d.comb += [ready.eq(self.targets_tready), last_byte.eq(self._slot_bytes - 1)]
            with m.If(ended & self.takes_targets):
                m.d.sync += due.eq(sizes.slots)
            with m.Elif(given & slot):
                m.d.sync += due.eq(due - 1)
            with m.If(self.restart):
                m.d.sync += due.eq(0)
        with m.If(self.restart):
            m.d.sync += self._unanswered.eq(0)

    def _stream(self, m: Module) -> None:
        """Give items to the layer, and take its spikes."""
        spike, item = self.spikes, self._item
        held, still = Signal(), Signal(range(PATIENCE))
        # Of a register, as the core's turn depends on it in the same clock.
        ready = Signal()
        m.d.comb += spike.ready.eq(ready)
        byte = Signal(range(max(self._in_bytes, self._slot_bytes, self._out_bytes)))
        end = self._config.layer.neurons
        value = Value.cast(Mux(spike.payload.last, end, spike.payload.address))
        with m.State("events"):
            m.d.sync += [still.eq(0), byte.eq(0)]
            with m.If(spike.valid):
                m.next = "spike"
                with m.If(self._size > PAYLOAD - self._out_bytes):
                    m.d.sync += held.eq(0)
                    self._say(m, Status.FULL)
            with m.Elif(held):
                m.d.comb += self._offered.eq(1)
                with m.If(self._given):
                    m.d.sync += [held.eq(0), self._count.eq(self._place - REQUEST_HEAD)]
                with m.Else():
                    m.d.sync += still.eq(still + 1)
            with m.Elif(self._settled):
                with m.If(~self._at_end):
                    m.next = "item"
                with m.Elif(self._unanswered == 0):
                    self._say(m, Status.DONE)
                with m.Else():
                    m.d.sync += still.eq(still + 1)
            with m.If(still.all() & ~spike.valid & ~self._given):
                m.d.sync += held.eq(0)
                self._say(m, Status.STALLED)
        with m.State("item"), m.If(self._settled):
            # A rest that is no whole item is left alone: the count says so.
            m.next = "events"
            with m.If(~self._at_end):
                self._step(m)
                m.d.sync += [item.eq(Cat(item, self.byte)[8:]), byte.eq(byte + 1)]
                m.next = "item"
                with m.If(byte == self._last_byte):
                    m.d.sync += held.eq(1)
                    m.next = "events"
        with m.State("spike"):
            self._put(m, value.word_select(byte, 8))
            m.d.sync += byte.eq(byte + 1)
            with m.If(byte == self._out_bytes - 1):
                m.d.sync += ready.eq(1)
                m.next = "taken"
        with m.State("taken"):
            m.d.comb += self._answered.eq(spike.payload.last)
            m.d.sync += ready.eq(0)
            m.next = "events"

    def _answer(self, m: Module) -> None:
        """Send number, status, count, and what was read or came out."""
        out = self.o
        objects = self._objection != 0
        empty = objects | (self._size == 0)
        with m.State("header"):
            m.d.comb += out.valid.eq(1)
            with m.Switch(self._index):
                with m.Case(4):
                    m.d.comb += out.payload.data.eq(Mux(objects, self._objection, self._status))
                with m.Case(5):
                    m.d.comb += out.payload.data.eq(Mux(objects, 0, self._count[:8]))
                with m.Case(6):
                    m.d.comb += [
                        out.payload.data.eq(Mux(objects, 0, self._count[8:])),
                        out.payload.last.eq(empty),
                    ]
                with m.Default():
                    m.d.comb += out.payload.data.eq(self._number[:8])
            m.d.sync += self._place.eq(0)
            m.d.comb += self._moved.eq(1)
            with m.If(out.ready):
                m.d.sync += self._index.eq(self._index + 1)
                with m.If(~self._index[2]):
                    m.d.sync += self._number.eq(Cat(self._number[8:], self._number[:8]))
                with m.If(self._index == 6):
                    m.next = "payload"
                    with m.If(empty):
                        m.next = "end"
        with m.State("payload"), m.If(self._settled):
            m.d.comb += [
                out.valid.eq(1),
                out.payload.data.eq(self._read.data),
                out.payload.last.eq(self._at_last),
            ]
            with m.If(out.ready):
                self._step(m)
                with m.If(out.payload.last):
                    m.next = "end"
        with m.State("end"), m.If(self.done):
            m.next = "listen"
