"""Executes requests: the protocol of docs/uart.md between frames and a layer."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitlif.hdl.bus.axi_stream import target_bits, target_members
from bitlif.hdl.bus.register_mapped_layer import takes_targets
from bitlif.hdl.bus.register_port import AccessSignature
from bitlif.hdl.bus.registers import ADDRESS_BITS, WORD_BITS, Response
from bitlif.hdl.gather import event_layout
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer

from .event_exchange import EventExchange, event_bytes
from .protocol import CRC_BYTES, LONGEST, Command, Status
from .request_state import RequestState


class Bridge(wiring.Component):
    """Executes requests one after another.

    Parameters
    ----------
    config : bitlif.Config or bitlif.NetworkConfig
    learning : bool
        Whether the core has learning hardware.

    Members
    -------
    listen, arrived, good, length, address, byte
        Connections to the `FrameReceiver`.
    o, done
        Connections to the `FrameSender`.
    access : Out(AccessSignature)
    events_tdata, events_tlast, events_tvalid, events_tready
        Input events; TDATA has as many whole bytes as the number N needs.
    targets_tdata, targets_tvalid, targets_tready
        Targets of a slot, if the core takes any.
    spikes : In(stream of event_layout(M))
    takes_targets, restart : In(1)
        As for `RegisterMappedLayer`.

    Latency: some tens of clock cycles per request, and about 12 per word; EVENTS takes the time of
    the core. Throughput: one request at a time. Handshake: that of the members. Reset: request
    number 0, no request in progress.
    """

    def __init__(self, config: Config | NetworkConfig, *, learning: bool) -> None:
        self._layers = 1 if isinstance(config, Config) else len(config.layers)
        self._config = config = outer(config)
        sizes = config.layer
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
            "events_tdata": Out(8 * event_bytes(sizes.inputs)),
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
        """Build the registers, and the state machine of a request."""
        m = Module()
        self._request = r = RequestState(m)
        m.d.comb += [
            self.address.eq(r.place),
            r.read.addr.eq(r.place),
            r.write.addr.eq(r.size),
            self.access.data.eq(r.word),
            self.access.strobe.eq(~0),
        ]
        events = EventExchange(m, self, r, self._config.layer, self._slot_bytes, self._layers)
        with m.FSM(name="request"):
            self._receive(m)
            self._access_registers(m)
            events.build(m)
            self._send_answer(m)
        return m

    def _receive(self, m: Module) -> None:
        """Build the states that receive a request and check its number, byte by byte."""
        r = self._request
        same = Signal()
        follows = Signal()
        carry = Signal()
        opening = r.command == Command.OPEN
        total = Signal(9)
        m.d.comb += total.eq(r.number[:8] + carry)
        with m.State("listen"):
            m.d.comb += self.listen.eq(~self.arrived)
            m.d.sync += [
                r.place.eq(0),
                r.index.eq(0),
                r.refusal.eq(0),
                r.end.eq(self.length - CRC_BYTES),
                same.eq(1),
                follows.eq(1),
                carry.eq(1),
            ]
            m.d.comb += r.moved.eq(1)
            with m.If(self.arrived):
                m.next = "number"
                with m.If(~self.good):
                    r.refuse(m, Status.BAD_FRAME)
        with m.State("number"), m.If(r.settled):
            r.advance(m)
            m.d.sync += [
                same.eq(same & (self.byte == r.number[:8])),
                follows.eq(follows & (self.byte == total[:8])),
                carry.eq(total[8]),
                r.number.eq(Cat(r.number[8:], r.number[:8])),
                r.index.eq(r.index + 1),
            ]
            with m.If(r.index == 3):
                m.next = "command"
        with m.State("command"), m.If(r.settled):
            r.advance(m)
            m.d.sync += [r.command.eq(self.byte), r.index.eq(0), carry.eq(1)]
            m.next = "count up"
            with m.If(self.byte != Command.OPEN):
                with m.If(same):
                    m.next = "header"
                with m.Elif(~follows):
                    r.refuse(m, Status.OUT_OF_ORDER)
                with m.Elif(self.byte > max(Command)):
                    r.refuse(m, Status.UNKNOWN)
        with m.State("count up"):
            m.d.comb += r.begun.eq(1)
            m.d.sync += [
                r.number.eq(Cat(r.number[8:], total[:8])),
                carry.eq(total[8]),
                r.index.eq(r.index + 1),
            ]
            with m.If(opening & ~r.index[1]):
                # The next multiple of 2**16: the lower half becomes zero and carries one.
                m.d.sync += [r.number[24:].eq(0), carry.eq(1)]
            with m.If(r.index == 3):
                m.d.sync += r.index.eq(0)
                m.next = "address"
                with m.If(r.command == Command.EVENTS):
                    m.next = "events"
                with m.Elif(opening):
                    r.finish(m, Status.OPENED)

    def _access_registers(self, m: Module) -> None:
        """Build the states of READ and WRITE, one register access per word."""
        r = self._request
        access = self.access
        stay = Signal()
        left = Signal(7)
        beyond = Signal()
        where = Signal(ADDRESS_BITS)
        m.d.comb += [access.address.eq(where), access.write.eq(r.command == Command.WRITE)]
        with m.State("address"), m.If(r.settled):
            r.advance(m)
            m.d.sync += r.index.eq(r.index + 1)
            with m.If(~r.index[0]):
                m.d.sync += where[:8].eq(self.byte)
            with m.Else():
                m.d.sync += [
                    where[8:].eq(self.byte),
                    beyond.eq(self.byte[ADDRESS_BITS - 8 : 7].any()),
                    stay.eq(self.byte[7]),
                    r.index.eq(0),
                ]
                m.next = "amount"
                with m.If(access.write):
                    m.next = "gather"
            with m.If(r.at_end):
                r.finish(m, Status.DONE)
        with m.State("amount"), m.If(r.settled):
            m.d.sync += left.eq(self.byte)
            m.next = "more"
            with m.If(r.at_end):
                r.finish(m, Status.DONE)
        with m.State("more"):
            m.next = "access"
            with m.If(left == 0):
                r.finish(m, Status.DONE)
            with m.Elif(r.full(WORD_BITS // 8)):
                r.finish(m, Status.FULL)
        with m.State("gather"), m.If(r.settled):
            r.advance(m)
            m.d.sync += [
                r.word.eq(Cat(r.word[8:], self.byte)),
                r.index.eq(r.index + 1),
            ]
            with m.If(r.index[:2] == 3):
                m.d.sync += r.index.eq(0)
                m.next = "access"
            with m.If(r.at_end):
                r.finish(m, Status.DONE)
        with m.State("access"):
            m.d.comb += access.request.eq(~beyond)
            with m.If(beyond):
                r.finish(m, Status.NO_REGISTER)
            with m.Elif(access.done):
                m.d.sync += [
                    where.eq(Mux(stay, where, where + WORD_BITS // 8)),
                    left.eq(left - 1),
                ]
                m.next = "gather"
                with m.If(~access.write):
                    m.d.sync += r.word.eq(access.result)
                    m.next = "store"
                with m.If(access.response == Response.OKAY):
                    m.d.comb += r.counted.eq(1)
                with m.Else():
                    r.finish(m, access.response)
        with m.State("store"):
            r.append(m, r.word[:8])
            m.d.sync += [r.word.eq(r.word >> 8), r.index.eq(r.index + 1)]
            with m.If(r.index[:2] == 3):
                m.d.sync += r.index.eq(0)
                m.next = "more"

    def _send_answer(self, m: Module) -> None:
        """Build the states that send number, status, count and payload."""
        r = self._request
        out = self.o
        refused = r.refusal != 0
        empty = refused | (r.size == 0)
        with m.State("header"):
            m.d.comb += out.valid.eq(1)
            with m.Switch(r.index):
                with m.Case(4):
                    m.d.comb += out.payload.data.eq(Mux(refused, r.refusal, r.status))
                with m.Case(5):
                    m.d.comb += out.payload.data.eq(Mux(refused, 0, r.count[:8]))
                with m.Case(6):
                    m.d.comb += [
                        out.payload.data.eq(Mux(refused, 0, r.count[8:])),
                        out.payload.last.eq(empty),
                    ]
                with m.Default():
                    m.d.comb += out.payload.data.eq(r.number[:8])
            m.d.sync += r.place.eq(0)
            m.d.comb += r.moved.eq(1)
            with m.If(out.ready):
                m.d.sync += r.index.eq(r.index + 1)
                with m.If(~r.index[2]):
                    m.d.sync += r.number.eq(Cat(r.number[8:], r.number[:8]))
                with m.If(r.index == 6):
                    m.next = "payload"
                    with m.If(empty):
                        m.next = "end"
        with m.State("payload"), m.If(r.settled):
            m.d.comb += [
                out.valid.eq(1),
                out.payload.data.eq(r.read.data),
                out.payload.last.eq(r.at_last),
            ]
            with m.If(out.ready):
                r.advance(m)
                with m.If(out.payload.last):
                    m.next = "end"
        with m.State("end"), m.If(self.done):
            m.next = "listen"
