"""Traces, gradient and weight update: the learning half of a layer (model twin: `model.window`)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive

from .core_signals import lfsr_counts
from .fixed import shape_for, shape_of
from .gradient import GradientPipe
from .host_port import row_layout, trace_layout
from .lfsr import lane_words
from .loadable import rate_shifts
from .pipeline import NO_READ_WRITE_COLLISION, Pipe, present_lanes
from .trace import TracePipe
from .update import UpdatePipe

RATE_CHAIN = 16
"""Most registers between the rate of a phase and the last lane; shorter than any window."""


class LearningEngine(wiring.Component):
    """Computes the traces and the gradient of each step, and the weight update of a window.

    Members
    -------
    mark, mark_address : In
        An input spikes in this step.
    start_traces, traces_done : In(1), Out(1)
        Compute the step of all traces; done in the clock cycle of the last write.
    fresh : In(1)
        The traces read as zero.
    push, slot, errors : In
        Errors of a slot; stored if at least one is not zero.
    start_gradient, gradient_done : In(1), Out(1)
        Add the products of all stored errors; done in the clock cycle of the last write, or one
        clock cycle after the start if no errors are stored.
    start_update, update_done : In(1), Out(1)
        Update all weights and clear the gradient.
    rate, shift : In
        Constants of the phase.
    restart, clear, cleared : In(1), In(1), Out(1)
        As in `ForwardEngine`.
    weight_address, weight_data : Out, In
        Read port of the weights; data one clock cycle after the address.
    update_address, update_data, update_enable : Out
        Write port of the weights.
    update_slot : Out
        Slot of the row that is written.
    saturated : Out(2)
        Saturation flags of both traces, with ``trace_written``.
    trace_written : Out(1)
    weight_saturated : Out(lanes)
        Saturation flags of the weights, with ``update_enable``.
    active : Out(lanes)
        Errors that are not zero, with ``push``.
    trace_row : Out
        The traces that are written, with ``trace_written``.
    gradient_taken, gradient_row : Out
        A row of the gradient that is read for the update, by slot and then by input.
    host_input, host_trace : In, Out
        Traces of the input ``host_input``, one clock cycle later, while the engine is idle.
    update_lfsr : Out(array of states)
        Only with stochastic rounding.

    Latency: from the last issue of a pass to its last write, `trace_latency`, `gradient_latency`
    or `update_latency` clock cycles. Throughput: one trace, or one product per lane, or one weight
    per lane, in each clock cycle. Handshake: start and done pulses. Reset: idle, no errors stored;
    the memories need ``clear``.
    """

    trace_latency = 1 + TracePipe.latency  # read of the traces
    gradient_latency = 2 + GradientPipe.latency  # read of the errors; operands at the multipliers
    update_latency = 1 + UpdatePipe.latency  # read of the gradient and the weights

    def __init__(self, config: Config) -> None:
        self._config = config
        sizes = config.layer
        error, row = shape_of(config.error.format), row_layout(config)
        depth = sizes.inputs * sizes.slots
        self._gradient_row = data.ArrayLayout(
            shape_for(derive(config).ranges["gradient"]), sizes.lanes
        )
        states = lfsr_counts(config)[1]
        own = data.ArrayLayout(config.learning.lfsr.width, states)
        lfsrs = {"update_lfsr": Out(own)} if states else {}
        super().__init__(
            {
                "mark": In(1),
                "mark_address": In(range(sizes.inputs)),
                "start_traces": In(1),
                "traces_done": Out(1),
                "fresh": In(1),
                "push": In(1),
                "slot": In(range(sizes.slots)),
                "errors": In(data.ArrayLayout(error, sizes.lanes)),
                "start_gradient": In(1),
                "gradient_done": Out(1),
                "start_update": In(1),
                "update_done": Out(1),
                "rate": In(config.learning.rate_bits),
                "shift": In(range(len(rate_shifts(config)))),
                "restart": In(1),
                "clear": In(1),
                "cleared": Out(1),
                "weight_address": Out(range(depth)),
                "weight_data": In(row),
                "update_address": Out(range(depth)),
                "update_data": Out(row),
                "update_enable": Out(1),
                "update_slot": Out(range(sizes.slots)),
                "saturated": Out(2),
                "trace_written": Out(1),
                "weight_saturated": Out(sizes.lanes),
                "active": Out(sizes.lanes),
                "trace_row": Out(trace_layout(config)),
                "gradient_taken": Out(1),
                "gradient_row": Out(self._gradient_row),
                "host_input": In(range(sizes.inputs)),
                "host_trace": Out(trace_layout(config)),
                **lfsrs,
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the three passes around their memories."""
        m = Module()
        config = self._config
        sizes = config.layer
        m.submodules.gradient = gradient = Memory(
            shape=self._gradient_row,
            depth=sizes.inputs * sizes.slots,
            init=[],
            attrs=NO_READ_WRITE_COLLISION,
        )
        self._sum_read, self._sum_write = gradient.read_port(), gradient.write_port()
        # A large memory of look-up tables would cost more than the block RAM, which is available.
        self._style = NO_READ_WRITE_COLLISION | (
            {"ram_style": "block"} if sizes.inputs > 32 else {}
        )
        m.submodules.traces = traces = Memory(
            shape=trace_layout(config), depth=sizes.inputs, init=[], attrs=self._style
        )
        self._trace_read, self._trace_write = traces.read_port(), traces.write_port()
        m.d.comb += [
            self._trace_read.addr.eq(self.host_input),
            self.host_trace.eq(self._trace_read.data),
        ]
        self._clear(m)
        self._run_traces(m)
        self._add_products(m)
        self._update_weights(m)
        return m

    def _clear(self, m: Module) -> None:
        """Set the gradient and the spike marks to zero, one address per clock cycle."""
        depth = self._config.layer.inputs * self._config.layer.slots
        self._wiping = wiping = Signal(range(depth))
        m.d.comb += self.cleared.eq(wiping == depth - 1)
        with m.If(self.clear):
            m.d.sync += wiping.eq(wiping + ~self.cleared)
            m.d.comb += [self._sum_write.en.eq(1), self._sum_write.addr.eq(wiping)]
        with m.Else():
            m.d.sync += wiping.eq(0)

    def _run_traces(self, m: Module) -> None:
        """Compute one step of all traces, one input per clock cycle."""
        inputs = self._config.layer.inputs
        pipe = Pipe(m)
        m.submodules.marks = marks = Memory(shape=1, depth=inputs, init=[], attrs=self._style)
        mark_read, mark_write = marks.read_port(), marks.write_port()
        m.submodules.trace_pipe = traced = TracePipe(self._config)
        running, address = Signal(), Signal(range(inputs))
        with m.If(self.start_traces):
            m.d.sync += [running.eq(1), address.eq(0)]
        with m.Elif(running):
            m.d.sync += address.eq(address + 1)
            with m.If(address == inputs - 1):
                m.d.sync += running.eq(0)
        m.d.comb += mark_read.addr.eq(address)
        with m.If(running):
            m.d.comb += self._trace_read.addr.eq(address)
        valid, place = running, address
        for stage in range(self.trace_latency):
            passed = Signal(name=f"trace_valid_{stage}")
            m.d.sync += passed.eq(valid)
            valid, place = passed, pipe.register(place, f"trace_place_{stage}")
            if stage == 0:
                read, read_place = valid, place
        old = self._trace_read.data
        m.d.comb += traced.spiked.eq(mark_read.data)
        with m.If(~self.fresh):
            m.d.comb += [traced.current.eq(old.current), traced.trace.eq(old.trace)]
        m.d.comb += [
            self._trace_write.en.eq(valid),
            self._trace_write.addr.eq(place),
            self._trace_write.data.current.eq(traced.current_next),
            self._trace_write.data.trace.eq(traced.trace_next),
            self.trace_written.eq(valid),
            self.trace_row.eq(self._trace_write.data),
            self.saturated.eq(traced.saturated),
            self.traces_done.eq(valid & (place == inputs - 1)),
        ]
        # A mark is set by an event, and cleared when its trace reads it or by ``clear``.
        with m.If(self.clear):
            m.d.comb += [mark_write.en.eq(self._wiping < inputs), mark_write.addr.eq(self._wiping)]
        with m.Elif(read):
            m.d.comb += [mark_write.en.eq(1), mark_write.addr.eq(read_place)]
        with m.Else():
            m.d.comb += [
                mark_write.en.eq(self.mark),
                mark_write.addr.eq(self.mark_address),
                mark_write.data.eq(1),
            ]

    def _add_products(self, m: Module) -> None:
        """For each stored slot and each input, add one product per lane in each clock cycle."""
        config = self._config
        inputs, lanes, slots = config.layer.inputs, config.layer.lanes, config.layer.slots
        pipe = Pipe(m)
        base_shape = self._sum_read.addr.shape()
        layout = data.StructLayout(
            {"base": base_shape, "errors": data.ArrayLayout(shape_of(config.error.format), lanes)}
        )
        m.submodules.kept = kept = Memory(
            shape=layout, depth=slots, init=[], attrs=NO_READ_WRITE_COLLISION
        )
        write, read = kept.write_port(), kept.read_port()
        count = Signal(range(slots + 1))
        base = Signal(base_shape)
        with m.If(self.push):
            # Slots come in order, so an adder replaces a multiplier.
            m.d.sync += base.eq(Mux(self.slot == slots - 1, 0, base + inputs))
        for lane, exists in enumerate(present_lanes(config.layer, self.slot)):
            active = (self.errors[lane] != 0) & exists
            m.d.comb += [
                self.active[lane].eq(active),
                write.data.errors[lane].eq(self.errors[lane]),
            ]
        m.d.comb += [
            write.en.eq(self.push & self.active.any()),
            write.addr.eq(count),
            write.data.base.eq(base),
        ]
        with m.If(write.en):
            m.d.sync += count.eq(count + 1)
        running, entry, address = Signal(), Signal(range(slots)), Signal(range(inputs))
        row_ends = address == inputs - 1
        ends = row_ends & (entry + 1 == count)
        with m.If(self.start_gradient):
            m.d.sync += [running.eq(count != 0), entry.eq(0), address.eq(0)]
        with m.Elif(running):
            m.d.sync += address.eq(address + 1)
            with m.If(row_ends):
                m.d.sync += [address.eq(0), entry.eq(entry + 1)]
            with m.If(ends):
                m.d.sync += [running.eq(0), count.eq(0)]
        m.d.comb += read.addr.eq(entry)
        with m.If(running):
            m.d.comb += self._trace_read.addr.eq(address)
        flags = [(running, running & ends)]
        for stage in range(self.gradient_latency):
            valid, final = Signal(name=f"sum_valid_{stage}"), Signal(name=f"sum_final_{stage}")
            m.d.sync += [valid.eq(flags[-1][0]), final.eq(flags[-1][1])]
            flags.append((valid, final))
        address_1 = pipe.delay(address, 1, "sum_input")
        place = pipe.register(read.data.base + address_1, "sum_place", base_shape)
        trace = pipe.register(self._trace_read.data.trace, "sum_trace")
        errors = pipe.register(read.data.errors, "sum_errors")
        with m.If(flags[2][0]):
            m.d.comb += self._sum_read.addr.eq(place)
        written = pipe.delay(place, GradientPipe.latency, "sum_written")
        for lane in range(lanes):
            m.submodules[f"product_{lane}"] = product = GradientPipe(config)
            m.d.comb += [
                product.error.eq(errors[lane]),
                product.trace.eq(trace),
                product.gradient.eq(self._sum_read.data[lane]),
            ]
            with m.If(flags[-1][0]):
                m.d.comb += self._sum_write.data[lane].eq(product.gradient_next)
        with m.If(flags[-1][0]):
            m.d.comb += [self._sum_write.en.eq(1), self._sum_write.addr.eq(written)]
        idle = Signal()
        m.d.sync += idle.eq(self.start_gradient & (count == 0))
        m.d.comb += self.gradient_done.eq(flags[-1][1] | idle)

    def _update_weights(self, m: Module) -> None:
        """Update the weights by slot and then by input, in the order of the draws."""
        config = self._config
        inputs, lanes, slots = config.layer.inputs, config.layer.lanes, config.layer.slots
        pipe = Pipe(m)
        running, slot, address = Signal(), Signal(range(slots)), Signal(range(inputs))
        place, weight = Signal.like(self._sum_read.addr), Signal.like(self.weight_address)
        row_ends = address == inputs - 1
        ends = row_ends & (slot == slots - 1)
        with m.If(self.start_update):
            m.d.sync += [running.eq(1), slot.eq(0), address.eq(0), place.eq(0), weight.eq(0)]
        with m.Elif(running):
            m.d.sync += [
                address.eq(address + 1),
                place.eq(place + 1),
                weight.eq(weight + slots),
            ]
            with m.If(row_ends):
                m.d.sync += [address.eq(0), slot.eq(slot + 1), weight.eq(slot + 1)]
            with m.If(ends):
                m.d.sync += running.eq(0)
        m.d.comb += self.weight_address.eq(weight)
        with m.If(running):
            m.d.comb += self._sum_read.addr.eq(place)
        valid, final = running, running & ends
        valids, finals = [], []
        for stage in range(self.update_latency):
            passed, passed_final = (
                Signal(name=f"update_valid_{stage}"),
                Signal(name=f"update_final_{stage}"),
            )
            m.d.sync += [passed.eq(valid), passed_final.eq(final)]
            valid, final = passed, passed_final
            valids.append(valid)
            finals.append(final)
        cleared = pipe.delay(place, 1, "update_place")
        with m.If(valids[0]):
            m.d.comb += [self._sum_write.en.eq(1), self._sum_write.addr.eq(cleared)]
        m.d.comb += [
            self.update_address.eq(pipe.delay(weight, self.update_latency, "update_weight")),
            self.update_enable.eq(valids[-1]),
            self.update_slot.eq(pipe.delay(slot, self.update_latency, "update_slot")),
            self.update_done.eq(finals[-1]),
            self.gradient_taken.eq(valids[0]),
            self.gradient_row.eq(self._sum_read.data),
        ]
        words: list[Signal] = []
        learning = config.learning
        if learning.random_bits:
            words, states = lane_words(
                m, "update", learning.lfsr.streams(lanes), learning.leap, learning.random_bits,
                valids[0], self.restart,
            )  # fmt: skip
            pairs = zip(self.update_lfsr, states, strict=True)
            m.d.comb += [own.eq(state) for own, state in pairs]
        rate, shift, chain = self.rate, self.shift, -(-lanes // RATE_CHAIN)
        for lane in range(lanes):
            if lane % chain == 0:
                # Registers in a chain: a single one would be far from most multipliers.
                rate = pipe.register(rate, f"rate_{lane}")
                shift = pipe.register(shift, f"shift_{lane}")
            m.submodules[f"update_{lane}"] = update = UpdatePipe(config)
            m.d.comb += [
                update.weight.eq(self.weight_data[lane]),
                update.gradient.eq(self._sum_read.data[lane]),
                update.rate.eq(rate),
                update.shift.eq(shift),
                self.update_data[lane].eq(update.weight_next),
                self.weight_saturated[lane].eq(update.saturated),
            ]
            if words:
                m.d.comb += update.random.eq(words[lane])
