"""Output events from spikes: lowest address first, then the end of the step."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.sections import LayerConfig

from .gather import event_layout
from .pipeline import NO_READ_WRITE_COLLISION, present_lanes


class SpikeEmitter(wiring.Component):
    """Stores the spikes of a step, and sends them as events when the step is complete.

    The spikes of the next step are stored while those of a step are sent.

    Members
    -------
    push, slot, spikes : In
        Spikes of one slot; stored if any lane spikes.
    start : In(1)
        Pulse with the last push of a step: send its spikes, then ``last``, after those of the step
        before. At most one step waits.
    done : Out(1)
        The ``last`` event is transferred in this clock cycle.
    o : Out(stream of event_layout(M))

    Latency: with S spikes in Z slots, ``last`` is offered S + Z + 3 clock cycles after ``start``,
    or S + Z + 3 after ``done`` of the step before if that is later. Throughput: one event per clock
    cycle, and one more clock cycle per slot with spikes. Handshake: an event is held until it is
    transferred. Reset: no spikes stored.
    """

    def __init__(self, sizes: LayerConfig) -> None:
        self._sizes = sizes
        super().__init__(
            {
                "push": In(1),
                "slot": In(range(sizes.slots)),
                "spikes": In(sizes.lanes),
                "start": In(1),
                "done": Out(1),
                "o": Out(stream.Signature(event_layout(sizes.neurons))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the list of slots with spikes, and the state machine that sends it."""
        m = Module()
        sizes = self._sizes
        layout = data.StructLayout({"slot": range(sizes.slots), "spikes": sizes.lanes})
        # Block RAM is available; in registers, even ten slots cost as much as an adder tree.
        style = NO_READ_WRITE_COLLISION | ({"ram_style": "block"} if sizes.slots > 4 else {})
        high = (sizes.slots - 1).bit_length()
        m.submodules.kept = kept = Memory(shape=layout, depth=2 << high, init=[], attrs=style)
        write = kept.write_port()
        read = kept.read_port()
        count = Signal(range(sizes.slots + 1), name="count")
        taken, total = Signal.like(count, name="taken"), Signal.like(count, name="total")
        filled, sent = Signal(name="filled_bank"), Signal(name="sent_bank")
        # Lanes after the last neuron compute, but their spikes are discarded.
        real = Signal(sizes.lanes, name="real")
        for lane, exists in enumerate(present_lanes(sizes, self.slot)):
            m.d.comb += real[lane].eq(self.spikes[lane] & exists)
        m.d.comb += [
            write.en.eq(self.push & real.any()),
            write.addr.eq(count[:high] | (filled << high)),
            write.data.slot.eq(self.slot),
            write.data.spikes.eq(real),
            read.addr.eq(taken[:high] | (sent << high)),
        ]
        waiting = Signal(name="waiting")
        with m.If(write.en):
            m.d.sync += count.eq(count + 1)
        due = Signal.like(count, name="due")
        left = Signal(sizes.lanes, name="left")
        base = Signal(range(sizes.slots * sizes.lanes), name="base")
        lowest = Signal(range(sizes.lanes), name="lowest")
        for lane in reversed(range(sizes.lanes)):
            with m.If(left[lane]):
                m.d.comb += lowest.eq(lane)
        with m.FSM(name="emit"):
            with m.State("idle"), m.If(waiting):
                m.d.sync += [waiting.eq(0), due.eq(total)]
                m.next = "look"
            with m.State("look"):
                # The row at ``taken`` was addressed in the clock cycle before.
                m.d.sync += [
                    left.eq(read.data.spikes),
                    base.eq(read.data.slot * sizes.lanes),
                    taken.eq(taken + 1),
                ]
                m.next = "send"
                with m.If(taken == due):
                    m.d.sync += [taken.eq(0), sent.eq(~sent)]
                    m.next = "last"
            with m.State("send"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.address.eq(base + lowest)]
                with m.If(self.o.ready):
                    rest = left & (left - 1)
                    m.d.sync += left.eq(rest)
                    with m.If(rest[: sizes.lanes] == 0):
                        m.next = "look"
            with m.State("last"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.last.eq(1)]
                with m.If(self.o.ready):
                    m.d.comb += self.done.eq(1)
                    m.next = "idle"
        # After the state machine: a step may end in the clock cycle in which the last one leaves.
        with m.If(self.start):
            m.d.sync += [
                total.eq(count + write.en), count.eq(0), filled.eq(~filled), waiting.eq(1),
            ]  # fmt: skip
        return m
