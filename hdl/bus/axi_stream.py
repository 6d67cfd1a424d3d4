"""AXI4-Stream ports of a layer: input events, targets and output events."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitlif.hdl.gather import event_layout
from bitlif.model.config.config import Config


def whole_bytes(bits: int) -> int:
    """Return `bits` rounded up to whole bytes, at least one byte.

    >>> whole_bytes(0), whole_bytes(8), whole_bytes(9)
    (8, 8, 16)
    """
    return max(1, -(-bits // 8)) * 8


def target_bits(config: Config) -> int:
    """Return the width of one lane in TDATA of the targets."""
    return whole_bytes(config.error.target_bits + 1)


def event_members(
    units: int, *, into: bool = True, bits: int | None = None
) -> dict[str, wiring.Member]:
    """Return the signals of an input (`into`) or output event stream.

    TDATA has `bits` bits, by default as many whole bytes as an address needs.
    """
    forth, back = (In, Out) if into else (Out, In)
    return {
        "tdata": forth(bits or whole_bytes((units - 1).bit_length())),
        "tlast": forth(1),
        "tvalid": forth(1),
        "tready": back(1),
    }


def target_members(config: Config) -> dict[str, wiring.Member]:
    """Return the signals of the stream of targets, an input."""
    bits = target_bits(config) * config.layer.lanes
    return {"tdata": In(bits), "tvalid": In(1), "tready": Out(1)}


class EventInput(wiring.Component):
    """Receives input events from AXI4-Stream; discards those whose address is out of range.

    Parameters
    ----------
    inputs : int
    bits : int or None
        Width of TDATA, see `event_members`.
    back_to_back : bool
        False: accept an event only after the previous one has left. This halves the throughput and
        shortens the path to ``tready``.

    Members
    -------
    tdata, tlast, tvalid, tready
        An address padded to whole bytes. ``tlast`` ends the step; ``tdata`` is then ignored.
    o : Out(stream of event_layout(N))
        Valid falls without a transfer when ``pass_on`` falls, which `LayerCore` tolerates.
    pass_on : In(1)
        Whether events can leave.
    discard : In(1)
        Accept events and discard them; ``pass_on`` must be low.
    dropped : Out(1)
        Pulse: an event whose address is out of range is discarded.

    Latency: 1 clock cycle. Throughput: one event per clock cycle, or one per two without
    `back_to_back`. Handshake: ``tready`` does not depend on the other inputs of the stream.
    Reset: empty; a waiting event is lost.
    """

    def __init__(self, inputs: int, bits: int | None = None, *, back_to_back: bool = True) -> None:
        self._inputs, self._back_to_back = inputs, back_to_back
        super().__init__(
            {
                **event_members(inputs, bits=bits),
                "o": Out(stream.Signature(event_layout(inputs))),
                "pass_on": In(1),
                "discard": In(1),
                "dropped": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build one register, and the logic that empties it."""
        m = Module()
        full = Signal()
        stray = Signal()
        leaves = Signal()
        event = Signal(event_layout(self._inputs))
        m.d.comb += [
            self.o.payload.eq(event),
            self.o.valid.eq(full & ~stray & self.pass_on),
            leaves.eq(stray | self.discard | (self.pass_on & self.o.ready)),
            self.tready.eq(~full | leaves if self._back_to_back else ~full),
            self.dropped.eq(full & stray & ~self.discard),
        ]
        with m.If(leaves):
            m.d.sync += full.eq(0)
        with m.If(self.tready & self.tvalid):
            # The range check uses the whole padded address, not only the bits of the layer.
            m.d.sync += [
                full.eq(1),
                event.address.eq(self.tdata),
                event.last.eq(self.tlast),
                stray.eq(~self.tlast & (self.tdata >= self._inputs)),
            ]
        return m


class TargetInput(wiring.Component):
    """Receives targets from AXI4-Stream; saturates those above 1.

    Parameters
    ----------
    config : bitlif.Config
    back_to_back : bool
        As for `EventInput`.

    Members
    -------
    tdata, tvalid, tready
        Raw targets of a slot, each padded to whole bytes, lane 0 lowest.
    o : Out(stream of P raw targets)
    discard : In(1)
        Accept targets and discard them.
    held : Out(1)
        Pulse: a transfer with a target above 1 is accepted.

    Latency: 1 clock cycle. Throughput: one slot per clock cycle, or one per two without
    `back_to_back`. Handshake: as `EventInput`. Reset: empty; a waiting slot is lost.
    """

    def __init__(self, config: Config, *, back_to_back: bool = True) -> None:
        self._one, self._back_to_back = 1 << config.error.target_bits, back_to_back
        lanes = config.layer.lanes
        self._tdata = data.ArrayLayout(target_bits(config), lanes)
        own = data.ArrayLayout(config.error.target_bits + 1, lanes)
        super().__init__(
            {
                **target_members(config),
                "o": Out(stream.Signature(own)),
                "discard": In(1),
                "held": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build one register, and the comparators before it."""
        m = Module()
        full = Signal()
        leaves = Signal()
        given = data.View(self._tdata, self.tdata)
        above = [target > self._one for target in given]
        m.d.comb += [
            self.o.valid.eq(full),
            leaves.eq(self.discard | self.o.ready),
            self.tready.eq(~full | leaves if self._back_to_back else ~full),
            self.held.eq(self.tready & self.tvalid & ~self.discard & Cat(*above).any()),
        ]
        with m.If(leaves):
            m.d.sync += full.eq(0)
        with m.If(self.tready & self.tvalid):
            m.d.sync += full.eq(1)
            for lane, high in enumerate(above):
                m.d.sync += self.o.payload[lane].eq(given[lane])
                with m.If(high):
                    m.d.sync += self.o.payload[lane].eq(self._one)
        return m


class EventOutput(wiring.Component):
    """Sends output events to AXI4-Stream.

    Members
    -------
    i : In(stream of event_layout(M))
    tdata, tlast, tvalid, tready
        As for `EventInput`; ``tdata`` is 0 with ``tlast``.

    Latency: 1 clock cycle. Throughput: one event per clock cycle. Handshake: an event is held until
    it is transferred, even if the layer is reset. Reset: empty.
    """

    def __init__(self, neurons: int) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(event_layout(neurons))),
                **event_members(neurons, into=False),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build one register."""
        m = Module()
        event = self.i.payload
        m.d.comb += self.i.ready.eq(~self.tvalid | self.tready)
        with m.If(self.i.ready):
            m.d.sync += self.tvalid.eq(self.i.valid)
            with m.If(self.i.valid):
                m.d.sync += [self.tdata.eq(event.address), self.tlast.eq(event.last)]
                with m.If(event.last):
                    m.d.sync += self.tdata.eq(0)
        return m
