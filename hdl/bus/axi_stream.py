"""AXI4-Stream on either side of a layer: events in, targets in, events out."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitlif.hdl.forward import event_layout
from bitlif.model.config.config import Config


def whole_bytes(bits: int) -> int:
    """Return `bits` rounded up to whole bytes, at least one.

    >>> whole_bytes(0), whole_bytes(8), whole_bytes(9)
    (8, 8, 16)
    """
    return max(1, -(-bits // 8)) * 8


def target_bits(config: Config) -> int:
    """Return the width of one lane's part of the targets' TDATA."""
    return whole_bytes(config.error.target_bits + 1)


def event_members(
    units: int, *, into: bool = True, bits: int | None = None
) -> dict[str, wiring.Member]:
    """Return the signals of an event stream that comes in, or goes out.

    TDATA has as many whole bytes as an address needs, if no number of bits is given.
    """
    forth, back = (In, Out) if into else (Out, In)
    return {
        "tdata": forth(bits or whole_bytes((units - 1).bit_length())),
        "tlast": forth(1),
        "tvalid": forth(1),
        "tready": back(1),
    }


def target_members(config: Config) -> dict[str, wiring.Member]:
    """Return the signals of the stream of targets, which comes in."""
    bits = target_bits(config) * config.layer.lanes
    return {"tdata": In(bits), "tvalid": In(1), "tready": Out(1)}


class EventInput(wiring.Component):
    """Input events from AXI4-Stream; those that name no input are thrown away.

    Parameters
    ----------
    inputs : int
    bits : int or None
        Of TDATA, see `event_members`.
    prompt : bool
        False: take an event only once the one before has left, which makes half the throughput and
        a shorter way from there to ``tready``.

    Members
    -------
    tdata, tlast, tvalid, tready
        An address padded to whole bytes; with ``tlast`` the step ends, and ``tdata`` means nothing.
    o : Out(stream of event_layout(N))
        Valid falls again without a transfer when ``pass_on`` does: `LayerCore` may be given that.
    pass_on : In(1)
        Whether events may leave.
    discard : In(1)
        Take events and throw them away; only without ``pass_on``.
    dropped : Out(1)
        An event that names no input is thrown away in this clock.

    Latency: 1 clock. Throughput: one event a clock. Handshake: ``tready`` does not depend on the
    other inputs of the stream. Reset: empty; an event that waited here is lost.
    """

    def __init__(self, inputs: int, bits: int | None = None, *, prompt: bool = True) -> None:
        self._inputs, self._prompt = inputs, prompt
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
        """Build one register, and what empties it."""
        m = Module()
        full, stray, leaves = Signal(), Signal(), Signal()
        event = Signal(event_layout(self._inputs))
        m.d.comb += [
            self.o.payload.eq(event),
            self.o.valid.eq(full & ~stray & self.pass_on),
            leaves.eq(stray | self.discard | (self.pass_on & self.o.ready)),
            self.tready.eq(~full | leaves if self._prompt else ~full),
            self.dropped.eq(full & stray & ~self.discard),
        ]
        with m.If(leaves):
            m.d.sync += full.eq(0)
        with m.If(self.tready & self.tvalid):
            # All of the padded address counts, not only the bits that the layer has.
            m.d.sync += [
                full.eq(1),
                event.address.eq(self.tdata),
                event.last.eq(self.tlast),
                stray.eq(~self.tlast & (self.tdata >= self._inputs)),
            ]
        return m


class TargetInput(wiring.Component):
    """Targets from AXI4-Stream; those above 1 are held at 1.

    Parameters
    ----------
    config : bitlif.Config
    prompt : bool
        As of `EventInput`.

    Members
    -------
    tdata, tvalid, tready
        The raw targets of a slot, each padded to whole bytes, lane 0 lowest.
    o : Out(stream of P raw targets)
    discard : In(1)
        Take targets and throw them away.
    held : Out(1)
        A transfer with a target above 1 is taken in this clock.

    Latency: 1 clock. Throughput: one slot a clock. Handshake: as `EventInput`. Reset: empty; a slot
    that waited here is lost.
    """

    def __init__(self, config: Config, *, prompt: bool = True) -> None:
        self._one, self._prompt = 1 << config.error.target_bits, prompt
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
        """Build one register, and the comparison in front of it."""
        m = Module()
        full, leaves = Signal(), Signal()
        given = data.View(self._tdata, self.tdata)
        above = [target > self._one for target in given]
        m.d.comb += [
            self.o.valid.eq(full),
            leaves.eq(self.discard | self.o.ready),
            self.tready.eq(~full | leaves if self._prompt else ~full),
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
    """Output events to AXI4-Stream.

    Members
    -------
    i : In(stream of event_layout(M))
    tdata, tlast, tvalid, tready
        As of `EventInput`; ``tdata`` is 0 with ``tlast``.

    Latency: 1 clock. Throughput: one event a clock. Handshake: an event stays until it is taken,
    whatever becomes of the layer. Reset: empty.
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
