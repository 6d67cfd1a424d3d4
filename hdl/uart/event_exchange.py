"""The request EVENTS: input events and targets to the layer, and its output events back."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from bitlif.hdl.bus.axi_stream import whole_bytes
from bitlif.model.sections import LayerConfig

from .protocol import Status
from .request_state import RequestState

STALL_TIMEOUT = 1 << 16
"""Clock cycles without a transfer after which EVENTS is answered STALLED."""


def event_bytes(units: int) -> int:
    """Return the bytes of an item: one of `units` addresses, or the end of the step.

    >>> event_bytes(255), event_bytes(256)
    (1, 2)
    """
    return whole_bytes(units.bit_length()) // 8


class EventExchange:
    """Adds the states of EVENTS to the state machine of a bridge.

    Parameters
    ----------
    m : Module
        Of the bridge.
    ports : bitlif.hdl.uart.bridge.Bridge
        Its members for events, targets and spikes are used.
    request : RequestState
    sizes : LayerConfig
    slot_bytes : int
        Bytes of the targets of one slot; 0 if the core takes none.
    layers : int
        Number of layers in a row.
    """

    def __init__(
        self, m: Module, ports: Any, request: RequestState, sizes: LayerConfig, slot_bytes: int,
        layers: int,
    ) -> None:  # fmt: skip
        self._ports, self._request, self._sizes = ports, request, sizes
        self._in_bytes, self._out_bytes = event_bytes(sizes.inputs), event_bytes(sizes.neurons)
        self._slot_bytes = slot_bytes
        item_bytes = max(self._in_bytes, slot_bytes)
        # Bytes are shifted in at the top; an item shares the register of a word if it fits.
        self._bytes = request.word
        if 8 * item_bytes > len(request.word):
            self._bytes = Signal(8 * item_bytes, name="_item")
        self._item = self._bytes[-8 * item_bytes :]
        self._offered = Signal()
        self._given = Signal()
        self._last_byte = Signal(range(item_bytes))
        # At most two steps are in each layer, and the end of the next step waits before it.
        self._unanswered = Signal(range(4 * layers))
        self._answered = Signal()
        self._offer_items(m)

    def _offer_items(self, m: Module) -> None:
        """Offer an item to the layer: an event, or after the end of a step, targets of a slot."""
        ports, item, slots = self._ports, self._item, self._sizes.slots
        offered, given, last_byte = self._offered, self._given, self._last_byte
        ended = Signal()
        slot = Signal()
        ready = Signal()
        m.d.comb += [
            ports.events_tdata.eq(item[-8 * self._in_bytes :]),
            ports.events_tlast.eq(ports.events_tdata == self._sizes.inputs),
            ports.events_tvalid.eq(offered & ~slot),
            ready.eq(ports.events_tready),
            last_byte.eq(self._in_bytes - 1),
            given.eq(offered & ready),
            ended.eq(given & ~slot & ports.events_tlast),
        ]
        m.d.sync += self._unanswered.eq(self._unanswered + ended - self._answered)
        if self._slot_bytes:
            due = Signal(range(slots + 1))
            m.d.comb += [
                slot.eq(due != 0),
                ports.targets_tdata.eq(item[-8 * self._slot_bytes :]),
                ports.targets_tvalid.eq(offered & slot),
            ]
            with m.If(slot):
                m.d.comb += [ready.eq(ports.targets_tready), last_byte.eq(self._slot_bytes - 1)]
            with m.If(ended & ports.takes_targets):
                m.d.sync += due.eq(slots)
            with m.Elif(given & slot):
                m.d.sync += due.eq(due - 1)
            with m.If(ports.restart):
                m.d.sync += due.eq(0)
        with m.If(ports.restart):
            m.d.sync += self._unanswered.eq(0)

    def build(self, m: Module) -> None:
        """Build the states that pass items to the layer and take its output events."""
        request, spike = self._request, self._ports.spikes
        held = Signal()
        still = Signal(range(STALL_TIMEOUT))
        # A register, because the state of the core depends on it in the same clock cycle.
        ready = Signal()
        m.d.comb += spike.ready.eq(ready)
        byte = Signal(range(max(self._in_bytes, self._slot_bytes, self._out_bytes)))
        end = self._sizes.neurons
        value = Value.cast(Mux(spike.payload.last, end, spike.payload.address))
        with m.State("events"):
            m.d.sync += [still.eq(0), byte.eq(0)]
            with m.If(spike.valid):
                m.next = "spike"
                with m.If(request.full(self._out_bytes)):
                    m.d.sync += held.eq(0)
                    request.finish(m, Status.FULL)
            with m.Elif(held):
                m.d.comb += self._offered.eq(1)
                with m.If(self._given):
                    m.d.sync += held.eq(0)
                    m.d.comb += [request.counted.eq(1), request.amount.eq(self._last_byte + 1)]
                with m.Else():
                    m.d.sync += still.eq(still + 1)
            with m.Elif(request.settled):
                with m.If(~request.at_end):
                    m.next = "item"
                with m.Elif(self._unanswered == 0):
                    request.finish(m, Status.DONE)
                with m.Else():
                    m.d.sync += still.eq(still + 1)
            with m.If(still.all() & ~spike.valid & ~self._given):
                m.d.sync += held.eq(0)
                request.finish(m, Status.STALLED)
        with m.State("item"), m.If(request.settled):
            # An incomplete item at the end is ignored; the count shows that.
            m.next = "events"
            with m.If(~request.at_end):
                request.advance(m)
                m.d.sync += [
                    self._bytes.eq(Cat(self._bytes[8:], self._ports.byte)),
                    byte.eq(byte + 1),
                ]
                m.next = "item"
                with m.If(byte == self._last_byte):
                    m.d.sync += held.eq(1)
                    m.next = "events"
        with m.State("spike"):
            request.append(m, value.word_select(byte, 8))
            m.d.sync += byte.eq(byte + 1)
            with m.If(byte == self._out_bytes - 1):
                m.d.sync += ready.eq(1)
                m.next = "taken"
        with m.State("taken"):
            m.d.comb += self._answered.eq(spike.payload.last)
            m.d.sync += ready.eq(0)
            m.next = "events"
