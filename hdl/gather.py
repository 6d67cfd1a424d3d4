"""Input events of a step, added up row by row (model twin: `bitlif.model.window`)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.gate_sizes import gate_sizes

from .fixed import shape_for, shape_of
from .pipeline import NO_READ_WRITE_COLLISION, Pipe

SUM_LATENCY = 3
"""Clock cycles from the address of a row to its sums: memory; register; sum."""


def event_layout(units: int) -> data.StructLayout:
    """Return an address event: ``last`` ends the step, and its ``address`` is ignored."""
    return data.StructLayout({"address": range(units), "last": 1})


class EventGather(wiring.Component):
    """Adds the weights of the input events of a step, one row of S weights per clock cycle.

    The sums are kept twice: those of one step are read while those of the next are added up. With
    one row per input, the reader copies them instead, in the clock cycle of ``take``.

    Members
    -------
    i_events : In(stream of event_layout(N))
    accept : In(1)
        Whether events of the next step are accepted; the events after a ``last`` also wait for
        ``take``.
    gathered : Out(1)
        The events of the step are complete, and its sums will be when they are read.
    take : In(1)
        Pulse, while ``gathered``: the reader takes over the sums.
    following : In(1)
        Whether another step may begin in the clock cycle of ``take``.
    marked, mark_address : Out
        An input spikes in this step.
    weight_address : Out
        Row of the weights that is read.
    weight_row : In(array of S weights)
        The row, 2 clock cycles after its address.
    read_row : In
        Row of sums that is read; with ``take`` and later, from the step that is taken over.
    sums : Out(array of S sums)
        With one row per input: the sums of the step. Otherwise the sums of ``read_row``, one clock
        cycle later.
    none : Out(1)
        With ``take``: the step has no events, and its sums are zero whatever ``sums`` shows.

    Latency: with R rows per input, ``gathered`` comes max(1, 4 - R) clock cycles after the
    transfer of ``last``, or 1 if the step has no events. Throughput: an event per R clock cycles.
    Handshake: events stall until all rows of the previous one are read. Reset: no events.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sizes = sizes = gate_sizes(config)
        self._sum_shape = shape_for(derive(config).ranges["weight sum"])
        super().__init__(
            {
                "i_events": In(stream.Signature(event_layout(sizes.inputs))),
                "accept": In(1),
                "gathered": Out(1),
                "take": In(1),
                "following": In(1),
                "marked": Out(1),
                "mark_address": Out(range(sizes.inputs)),
                "weight_address": Out(range(sizes.inputs * sizes.rows)),
                "weight_row": In(data.ArrayLayout(shape_of(config.synapse.weight), sizes.synapses)),
                "read_row": In(range(sizes.rows)),
                "sums": Out(data.ArrayLayout(self._sum_shape, sizes.synapses)),
                "none": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the walk over the rows of each event, and the sums."""
        m = Module()
        rows = self._sizes.rows
        pipe = Pipe(m)
        walking, row = Signal(name="walking"), Signal(range(rows), name="row")
        base = Signal(self.weight_address.shape(), name="base")
        ending, some = Signal(name="ending"), Signal(name="some")
        final = row == rows - 1
        event = self.i_events.payload
        open_ = Signal(name="open")
        m.d.comb += [
            open_.eq(self.accept & (~ending | (self.take & self.following))),
            self.i_events.ready.eq(open_ & (~walking | final)),
        ]
        taken = self.i_events.valid & self.i_events.ready
        with m.If(walking):
            m.d.sync += row.eq(row + 1)
        with m.If(~walking | final):
            m.d.sync += [
                walking.eq(taken & ~event.last),
                base.eq(event.address * rows),
                self.mark_address.eq(event.address),
                row.eq(0),
            ]
        with m.If(self.take):
            m.d.sync += [ending.eq(0), some.eq(0)]
        with m.If(taken):
            m.d.sync += [ending.eq(event.last), some.eq(some & ~self.take | ~event.last)]
        m.d.comb += [
            self.weight_address.eq(base + row),
            self.marked.eq(walking & (row == 0)),
            self.none.eq(~some),
        ]
        reading, adding = Signal(name="reading"), Signal(name="adding")
        m.d.sync += [reading.eq(walking), adding.eq(reading)]
        busy = walking
        if rows <= 2:
            busy = busy | reading
        if rows == 1:
            busy = busy | adding
        m.d.comb += self.gathered.eq(ending & ~busy)
        if rows == 1:
            self._add_in_registers(m, adding)
        else:
            self._add_in_memory(m, pipe, row, adding, walking)
        return m

    def _add_in_registers(self, m: Module, adding: Signal) -> None:
        """Keep the only row of sums in registers, which ``take`` clears."""
        for number in range(self._sizes.synapses):
            total = Signal(self._sum_shape, name=f"sum_{number}")
            with m.If(self.take):
                m.d.sync += total.eq(0)
            with m.Elif(adding):
                m.d.sync += total.eq(total + self.weight_row[number])
            m.d.comb += self.sums[number].eq(total)

    def _add_in_memory(
        self, m: Module, pipe: Pipe, row: Signal, adding: Signal, walking: Signal
    ) -> None:
        """Keep two banks of sums in a memory; the first event of a step replaces the old ones."""
        sizes = self._sizes
        bank, first = Signal(name="bank"), Signal(init=1, name="first")
        with m.If(self.take):
            m.d.sync += [bank.eq(~bank), first.eq(1)]
        with m.Elif(walking & (row == sizes.rows - 1)):
            m.d.sync += first.eq(0)
        m.submodules.memory = memory = Memory(
            shape=self.sums.shape(),
            depth=2 << (sizes.rows - 1).bit_length(),
            init=[],
            attrs=NO_READ_WRITE_COLLISION,
        )
        write = memory.write_port()
        before = memory.read_port()
        after = memory.read_port()
        place = Signal(write.addr.shape(), name="place")
        high = (sizes.rows - 1).bit_length()
        m.d.comb += place.eq(row | (bank << high))
        place_1 = pipe.delay(place, 1, "sum_read")
        m.d.comb += [
            before.addr.eq(place_1),
            write.addr.eq(pipe.delay(place_1, 1, "sum_add")),
            write.en.eq(adding),
            # Until it is taken over, the bank that the reader has is the other one.
            after.addr.eq(self.read_row | (~(bank ^ self.take) << high)),
            self.sums.eq(after.data),
        ]
        fresh: Any = pipe.delay(first, 2, "first")
        for number in range(sizes.synapses):
            old = Mux(fresh, 0, before.data[number])
            m.d.comb += write.data[number].eq(old + self.weight_row[number])
