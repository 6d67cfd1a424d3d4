"""A walk over all weights of a layer for the signature (model twin: `bitlif.model.signature`)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes

from .fixed import shape_of
from .host_port import row_layout
from .pipeline import Pipe, pulse, select_part


class SignPass(wiring.Component):
    """Reads all weights slot by slot and then input by input, without changing them.

    Members
    -------
    start, done : In(1), Out(1)
        Pulses: read all weights; the last ones are shown.
    reading : Out(1)
        ``weight_address`` is read in this clock cycle.
    weight_address, weight_row : Out, In
        Row of the weights; its S weights 2 clock cycles after the address.
    valid, slot, weights : Out
        P weights of a slot.

    Latency: `latency` clock cycles from the read of a row to its weights. Throughput: P weights per
    clock cycle. Handshake: pulses. Reset: idle.
    """

    latency = 2  # read of the row; its register

    def __init__(self, config: Config) -> None:
        self._sizes = sizes = gate_sizes(config)
        weight = data.ArrayLayout(shape_of(config.synapse.weight), sizes.synapses)
        super().__init__(
            {
                "start": In(1),
                "done": Out(1),
                "reading": Out(1),
                "weight_address": Out(range(sizes.inputs * sizes.rows)),
                "weight_row": In(weight),
                "valid": Out(1),
                "slot": Out(range(sizes.slots)),
                "weights": Out(row_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the walk."""
        m = Module()
        sizes, pipe = self._sizes, Pipe(m)
        slot = Signal.like(self.slot, name="slot_issued")
        place = Signal(range(sizes.row_slots), name="place")
        source = Signal(range(sizes.inputs), name="source")
        row = Signal(range(sizes.rows), name="row")
        last_input, last_slot = Signal(name="last_input"), Signal(name="last_slot")
        m.d.comb += [
            last_input.eq(source == sizes.inputs - 1),
            last_slot.eq(slot == sizes.slots - 1),
            self.weight_address.eq(source * sizes.rows + row),
        ]
        with m.If(self.start):
            m.d.sync += [self.reading.eq(1), slot.eq(0), source.eq(0), place.eq(0), row.eq(0)]
        with m.Elif(self.reading):
            m.d.sync += source.eq(source + 1)
            with m.If(last_input):
                ends = place == sizes.row_slots - 1
                m.d.sync += [
                    source.eq(0), slot.eq(slot + 1), place.eq(Mux(ends, 0, place + 1)),
                    row.eq(row + ends),
                ]  # fmt: skip
                with m.If(last_slot):
                    m.d.sync += self.reading.eq(0)
        final = self.reading & last_input & last_slot
        shown = pipe.delay(place, self.latency, "place")
        chosen = select_part(list(self.weight_row), shown, sizes.lanes)
        m.d.comb += [
            self.valid.eq(pulse(m, self.reading, self.latency, "valid")),
            self.done.eq(pulse(m, final, self.latency, "final")),
            self.slot.eq(pipe.delay(slot, self.latency, "slot")),
        ]
        m.d.comb += [own.eq(value) for own, value in zip(self.weights, chosen, strict=True)]
        return m
