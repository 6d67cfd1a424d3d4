"""Monitors of the AXI4-Stream ports: events and targets into a layer, and events out of it."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from bitlif.hdl.bus import axi_stream
from bitlif.hdl.bus.axi_stream import event_members, target_bits, target_members
from bitlif.model.config.config import Config

from .monitors import before
from .protocol import ProtocolUnit
from .unit import used


class EventInputMonitor(Component):
    """Watches events into a layer: any events, in any clock cycles.

    Parameters
    ----------
    inputs : int
        Of the layer.
    back_to_back : bool
        As for `EventInput`.

    Members
    -------
    tdata, tlast, tvalid, ready, pass_on, discard : In
    assumed : Out(1)
        ``pass_on`` is low while events are discarded.
    bad_lost : Out(1)
        An event is accepted while another one waits and does not leave.
    bad_event : Out(1)
        An event leaves that does not wait, or another than that which waits, or none is to leave.
    bad_drop : Out(1)
        An event with an address of an input is dropped, or one without is not.
    bad_hold : Out(1)
        An event that could leave and did not changes, or is gone.
    bad_wait : Out(1)
        Nothing waits, and no event is accepted; or an event can leave, and does not.
    """

    def __init__(self, inputs: int, *, back_to_back: bool) -> None:
        self._inputs = inputs
        self._input = used(axi_stream, "EventInput")(inputs, back_to_back=back_to_back)
        members = {
            name: member for name, member in event_members(inputs).items() if member.flow == In
        }
        kinds = ("lost", "event", "drop", "hold", "wait")
        super().__init__(
            {
                **members, "ready": In(1), "pass_on": In(1), "discard": In(1), "assumed": Out(1),
                **{f"bad_{kind}": Out(1) for kind in kinds},
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        """Build the port, and the event that waits."""
        m = Module()
        m.submodules.input = unit = self._input
        for name in ("tdata", "tlast", "tvalid", "pass_on", "discard"):
            m.d.comb += getattr(unit, name).eq(getattr(self, name))
        m.d.comb += [
            unit.o.ready.eq(self.ready),
            self.assumed.eq(~(self.pass_on & self.discard)),
        ]
        waits, address = Signal(name="waits"), Signal.like(self.tdata, name="waiting_address")
        last, stray = Signal(name="waiting_last"), Signal(name="waiting_stray")
        accepted, offered = unit.tvalid & unit.tready, unit.o.valid
        left = offered & self.ready
        gone = left | unit.dropped | (waits & (self.discard | stray))
        m.d.sync += waits.eq(accepted | (waits & ~gone))
        with m.If(accepted):
            m.d.sync += [
                address.eq(self.tdata), last.eq(self.tlast),
                stray.eq(~self.tlast & (self.tdata >= self._inputs)),
            ]  # fmt: skip
        payload = unit.o.payload
        bits = len(payload.address)
        right = (payload.last == last) & (payload.address == address[:bits])
        held = before(m, offered & ~self.ready, "held")
        m.d.comb += [
            self.bad_lost.eq(accepted & waits & ~gone),
            self.bad_event.eq(
                (offered & ~(waits & ~stray & self.pass_on)) | (waits & ~stray & ~right)
            ),
            self.bad_drop.eq(unit.dropped != (waits & stray & ~self.discard)),
            self.bad_hold.eq(held & self.pass_on & ~offered),
            self.bad_wait.eq((~waits & ~unit.tready) | (waits & ~stray & self.pass_on & ~offered)),
        ]
        return m


class TargetInputMonitor(Component):
    """Watches targets into a layer: any targets, in any clock cycles.

    Parameters
    ----------
    config : Config
    back_to_back : bool
        As for `TargetInput`.

    Members
    -------
    tdata, tvalid, ready, discard : In
    assumed : Out(1)
        Always 1.
    bad_lost, bad_hold, bad_wait : Out(1)
        As in `EventInputMonitor`.
    bad_target : Out(1)
        Targets leave that do not wait, or others than those which wait, limited to 1.
    bad_flag : Out(1)
        A target above 1 is not reported, or one that is not above.
    """

    def __init__(self, config: Config, *, back_to_back: bool) -> None:
        self._one, self._lanes = 1 << config.error.target_bits, config.layer.lanes
        self._bits = target_bits(config)
        self._input = used(axi_stream, "TargetInput")(config, back_to_back=back_to_back)
        kinds = ("lost", "target", "flag", "hold", "wait")
        members = target_members(config)
        super().__init__(
            {
                "tdata": members["tdata"], "tvalid": In(1), "ready": In(1), "discard": In(1),
                "assumed": Out(1), **{f"bad_{kind}": Out(1) for kind in kinds},
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        """Build the port, and the targets that wait."""
        m = Module()
        m.submodules.input = unit = self._input
        for name in ("tdata", "tvalid", "discard"):
            m.d.comb += getattr(unit, name).eq(getattr(self, name))
        m.d.comb += [unit.o.ready.eq(self.ready), self.assumed.eq(1)]
        waits, offered = Signal(name="waits"), unit.o.valid
        accepted, gone = unit.tvalid & unit.tready, offered & (self.ready | self.discard)
        m.d.sync += waits.eq(accepted | (waits & ~gone))
        given = data.View(data.ArrayLayout(self._bits, self._lanes), self.tdata)
        wrong, above = [], []
        for lane in range(self._lanes):
            due = Signal(len(unit.o.payload[lane]), name=f"due_{lane}")
            high = given[lane] > self._one
            above.append(high)
            with m.If(accepted):
                m.d.sync += due.eq(Mux(high, self._one, given[lane]))
            wrong.append(unit.o.payload[lane] != due)
        reported = accepted & ~self.discard & Cat(above).any()
        held = before(m, offered & ~self.ready & ~self.discard, "held")
        m.d.comb += [
            self.bad_lost.eq(accepted & waits & ~gone),
            self.bad_target.eq(offered & (~waits | Cat(wrong).any())),
            self.bad_flag.eq(unit.held != reported),
            self.bad_hold.eq(held & ~offered),
            self.bad_wait.eq((~waits & ~unit.tready) | (waits & ~offered)),
        ]
        return m


class EventOutputMonitor(Component):
    """Watches events out of a layer.

    Parameters
    ----------
    neurons : int

    Members
    -------
    address, last, valid, tready : In
    assumed : Out(1)
        Always 1.
    bad_lost, bad_hold, bad_wait : Out(1)
        As in `EventInputMonitor`.
    bad_event : Out(1)
        An event leaves that does not wait, or another than that which waits, or the end of a step
        with an address that is not 0.
    """

    def __init__(self, neurons: int) -> None:
        self._output = used(axi_stream, "EventOutput")(neurons)
        kinds = ("lost", "event", "hold", "wait")
        address = self._output.i.payload.address.shape()
        super().__init__(
            {
                "address": In(address), "last": In(1), "valid": In(1), "tready": In(1),
                "assumed": Out(1), **{f"bad_{kind}": Out(1) for kind in kinds},
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        """Build the port, and the event that waits."""
        m = Module()
        m.submodules.output = unit = self._output
        m.d.comb += [
            unit.i.payload.address.eq(self.address),
            unit.i.payload.last.eq(self.last),
            unit.i.valid.eq(self.valid),
            unit.tready.eq(self.tready),
            self.assumed.eq(1),
        ]
        waits, address = Signal(name="waits"), Signal.like(self.address, name="waiting_address")
        last = Signal(name="waiting_last")
        accepted, left = unit.i.valid & unit.i.ready, unit.tvalid & unit.tready
        m.d.sync += waits.eq(accepted | (waits & ~left))
        with m.If(accepted):
            m.d.sync += [address.eq(Mux(self.last, 0, self.address)), last.eq(self.last)]
        right = (unit.tlast == last) & (unit.tdata == address)
        m.d.comb += [
            self.bad_lost.eq(accepted & waits & ~left),
            self.bad_event.eq(unit.tvalid & ~(waits & right)),
            self.bad_hold.eq(before(m, unit.tvalid & ~unit.tready, "held") & ~unit.tvalid),
            self.bad_wait.eq((~waits & ~unit.i.ready) | (waits & ~unit.tvalid)),
        ]
        return m


SAME = (("input.full", "waits"), ("input.stray", "waiting_stray"))


def stream_units(config: Config) -> list[ProtocolUnit]:
    """Return the ports of a configuration: both forms of those with two."""
    inputs, neurons = config.layer.inputs, config.layer.neurons
    made: list[Any] = []
    for form, fast in (("fast", True), ("slow", False)):
        made += [
            ProtocolUnit(
                f"axi_stream_events_{form}",
                lambda fast=fast: EventInputMonitor(inputs, back_to_back=fast),
                same=SAME,
            ),
            ProtocolUnit(
                f"axi_stream_targets_{form}",
                lambda fast=fast: TargetInputMonitor(config, back_to_back=fast),
            ),
        ]
    return [*made, ProtocolUnit("axi_stream_output", lambda: EventOutputMonitor(neurons))]
