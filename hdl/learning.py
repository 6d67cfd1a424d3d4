"""Traces, gradient and weight update: the learning half of a layer (model twin: `model.window`)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.gate_sizes import gate_sizes

from .core_signals import lfsr_counts
from .error_groups import ErrorGroups
from .fixed import shape_for, shape_of
from .gradient import GradientPipe
from .host_port import row_layout, trace_layout
from .loadable import rate_shifts
from .marks import SpikeMarks
from .pipeline import NO_READ_WRITE_COLLISION, Pipe, pulse
from .row_memory import RowMemory, sum_memory
from .trace import TracePipe
from .update_pass import UpdatePass


class LearningEngine(wiring.Component):
    """Computes the traces and the gradient of each step, and the weight update of a window.

    A pass over the inputs computes the traces, and adds the products of the first group of L
    neurons that has an active error. Each further group takes a pass of its own.

    Members
    -------
    mark, mark_address, gathered : In
        An input spikes in the step that is gathered; pulse at the end of that step.
    push, slot, errors, errors_done : In
        Errors of a slot; pulse with the last slot of a step, if it is learned.
    started, taught : Out(1)
        Pulses: the passes of a step start; the errors of the next step may follow, if they are
        computed from now on.
    traced : Out(1)
        Pulse: the first pass of a step is issued.
    done : Out(1)
        Pulse: the last trace and the last product of a step are written.
    fresh : In(1)
        The traces read as zero; must be stable until ``traced``.
    start_update, update_done : In(1), Out(1)
        Update all weights and clear the gradient.
    rate, shift : In
        Constants of the phase.
    restart : In(1)
        Pulse: set the update LFSRs to their seeds.
    clear, cleared : In(1), Out(1)
        While ``clear`` is high, gradient and marks are set to zero; ``cleared`` is high in the last
        clock cycle of that.
    weight_reading, weight_address, weight_row : Out, Out, In
        Row of the weights, during an update; its S weights 2 clock cycles after the address.
    update_address, update_place, update_data, update_enable, update_slot : Out
        Write port of the weights; see `UpdatePass`.
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
        P sums of the gradient that enter the update, by slot and then by input.
    host_input, host_trace : In, Out
        Traces of the input ``host_input``, one clock cycle later, while the engine is idle.
    update_lfsr : Out(array of states)
        Only with stochastic rounding.

    Latency: the first pass issues an input one clock cycle after ``started`` and writes its trace
    `trace_latency` clock cycles later; products are written `gradient_latency` clock cycles after
    the read of a stored trace, or `fused_latency` after the issue in a first pass. Throughput: one
    trace and L products, or P weights, in each clock cycle (in two, with a gradient memory of one
    port). Handshake: pulses. Reset: idle, no errors stored; the memories need ``clear``.
    """

    trace_latency = 1 + TracePipe.latency  # read of the traces
    gradient_latency = 2 + GradientPipe.latency  # read of the trace; operands at the multipliers
    fused_latency = trace_latency - 1 + gradient_latency  # the new trace instead of its read
    update_latency = UpdatePass.latency
    pass_gap = trace_latency + 1
    """Least clock cycles from the read of a trace in a first pass to the next read."""
    fused_gap = trace_latency - 1
    """Clock cycles by which the products of a first pass are behind those of others."""
    single_gap = 3
    """Further clock cycles between passes of a gradient memory of one port."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sizes = sizes = gate_sizes(config)
        layer = config.layer
        error = shape_of(config.error.format)
        gradient = shape_for(derive(config).ranges["gradient"])
        weight = data.ArrayLayout(shape_of(config.synapse.weight), sizes.synapses)
        states = lfsr_counts(config)[1]
        own = data.ArrayLayout(config.learning.lfsr.width, states)
        lfsrs = {"update_lfsr": Out(own)} if states else {}
        super().__init__(
            {
                "mark": In(1),
                "mark_address": In(range(sizes.inputs)),
                "gathered": In(1),
                "push": In(1),
                "slot": In(range(sizes.slots)),
                "errors": In(data.ArrayLayout(error, sizes.lanes)),
                "errors_done": In(1),
                "started": Out(1),
                "taught": Out(1),
                "traced": Out(1),
                "done": Out(1),
                "fresh": In(1),
                "start_update": In(1),
                "update_done": Out(1),
                "rate": In(config.learning.rate_bits),
                "shift": In(range(len(rate_shifts(config)))),
                "restart": In(1),
                "clear": In(1),
                "cleared": Out(1),
                "weight_reading": Out(1),
                "weight_address": Out(range(sizes.inputs * sizes.rows)),
                "weight_row": In(weight),
                "update_address": Out(range(sizes.inputs * sizes.rows)),
                "update_place": Out(range(sizes.row_slots)),
                "update_data": Out(row_layout(config)),
                "update_enable": Out(1),
                "update_slot": Out(range(sizes.slots)),
                "saturated": Out(2),
                "trace_written": Out(1),
                "weight_saturated": Out(layer.lanes),
                "active": Out(layer.lanes),
                "trace_row": Out(trace_layout(config)),
                "gradient_taken": Out(1),
                "gradient_row": Out(data.ArrayLayout(gradient, sizes.lanes)),
                "host_input": In(range(sizes.inputs)),
                "host_trace": Out(trace_layout(config)),
                **lfsrs,
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the passes around their memories."""
        m, sizes = Module(), self._sizes
        # A large memory of look-up tables would cost more than the block RAM, which is available.
        style = NO_READ_WRITE_COLLISION | ({"ram_style": "block"} if sizes.inputs > 32 else {})
        m.submodules.traces = traces = Memory(
            shape=trace_layout(self._config), depth=sizes.inputs, init=[], attrs=style
        )
        self._trace_read = traces.read_port()
        self._trace_write = traces.write_port()
        m.submodules.marks = marks = SpikeMarks(sizes.inputs, style)
        m.submodules.groups = groups = ErrorGroups(self._config)
        self._clear(m)
        issue = self._issue_passes(m, groups)
        trace = self._run_traces(m, marks, issue)
        memory, sums = self._add_products(m, groups, issue, trace)
        self._update_weights(m, memory, sums)
        m.d.comb += [
            marks.mark.eq(self.mark),
            marks.mark_address.eq(self.mark_address),
            marks.ended.eq(self.gathered),
            marks.clear.eq(self.clear),
            marks.clear_address.eq(self._wiping),
            groups.push.eq(self.push),
            groups.slot.eq(self.slot),
            groups.errors.eq(self.errors),
            groups.take.eq(self.started),
            self.active.eq(groups.active),
        ]
        return m

    def _clear(self, m: Module) -> None:
        """Set the gradient and the marks to zero, one address per clock cycle."""
        depth = self._sizes.inputs * self._sizes.groups
        self._wiping = wiping = Signal(range(depth), name="wiping")
        m.d.comb += self.cleared.eq(wiping == depth - 1)
        with m.If(self.clear):
            m.d.sync += wiping.eq(wiping + ~self.cleared)
        with m.Else():
            m.d.sync += wiping.eq(0)

    def _issue_passes(self, m: Module, groups: ErrorGroups) -> dict[str, Signal]:
        """Issue the inputs of all passes of a step; return what is issued."""
        sizes = self._sizes
        running, first = Signal(name="running"), Signal(name="first_pass")
        ending, go = Signal(name="ending"), Signal(name="issue")
        address = Signal(range(sizes.inputs), name="issue_input")
        count, entry = (
            Signal.like(groups.count, name="count"),
            Signal.like(groups.count, name="entry"),
        )
        more, ends, finishes = (
            Signal(name="more"),
            Signal(name="pass_ends"),
            Signal(name="finishes"),
        )
        between, after = pauses(self._config)
        pause = Signal(range(max(between, after) + 1), name="pause")
        resumes = pause == 1
        waiting = Signal(name="waiting")
        m.d.comb += [
            go.eq(running & (pause == 0)),
            more.eq(entry + 1 < count),
            ends.eq(go & (address == sizes.inputs - 1)),
            self.traced.eq(ends & first),
            finishes.eq(resumes & ending),
            self.started.eq(waiting & (~running | finishes)),
        ]
        with m.If(self.errors_done):
            m.d.sync += waiting.eq(1)
        with m.Elif(self.started):
            m.d.sync += waiting.eq(0)
        if sizes.single_gradient:
            beat = Signal(name="beat")
            m.d.sync += beat.eq(go)
            m.d.comb += go.eq(running & (pause == 0) & ~beat)
        with m.If(pause != 0):
            m.d.sync += pause.eq(pause - 1)
            with m.If(resumes):
                m.d.sync += entry.eq(entry + 1)
        with m.Elif(go):
            m.d.sync += address.eq(address + 1)
            with m.If(ends):
                m.d.sync += [address.eq(0), first.eq(0)]
                with m.If(more & first):
                    m.d.sync += pause.eq(between)
                with m.Elif(more):
                    m.d.sync += entry.eq(entry + 1)
                with m.Elif(first & (after > 0)):
                    m.d.sync += [pause.eq(after), ending.eq(1)]
                with m.Else():
                    m.d.comb += finishes.eq(1)
        with m.If(finishes):
            m.d.sync += running.eq(0)
        with m.If(self.started):
            m.d.sync += [
                running.eq(1), first.eq(1), ending.eq(0), address.eq(0), entry.eq(0), pause.eq(0),
                count.eq(groups.count),
            ]  # fmt: skip
            if sizes.single_gradient:
                m.d.sync += beat.eq(0)
        return {
            "address": address,
            "trace": go & first,
            "trace ends": ends & first,
            "fused": go & first & (count != 0),
            "stored": go & ~first,
            "running": running,
            "more": more,
            "final": ends & ~more,
        }

    def _run_traces(self, m: Module, marks: SpikeMarks, issue: dict[str, Signal]) -> Value:
        """Compute one step of all traces, one input per clock cycle; return the new traces."""
        pipe = Pipe(m)
        m.submodules.trace_pipe = traced = TracePipe(self._config)
        address = issue["address"]
        m.d.comb += [
            self._trace_read.addr.eq(Mux(issue["running"], address, self.host_input)),
            self.host_trace.eq(self._trace_read.data),
            marks.read.eq(issue["trace"]),
            marks.read_address.eq(address),
            marks.finished.eq(issue["trace ends"]),
            traced.spiked.eq(marks.marked),
        ]
        valid: Value = issue["trace"]
        for stage in range(self.trace_latency):
            before, valid = valid, Signal(name=f"trace_valid_{stage}")
            m.d.sync += valid.eq(before)
        # Inputs come in order, so a counter replaces a delay of the address.
        place = Signal(range(self._sizes.inputs), name="trace_place")
        with m.If(valid):
            m.d.sync += place.eq(Mux(place == self._sizes.inputs - 1, 0, place + 1))
        old = self._trace_read.data
        with m.If(~pipe.delay(self.fresh, 1, "fresh")):
            m.d.comb += [traced.current.eq(old.current), traced.trace.eq(old.trace)]
        m.d.comb += [
            self._trace_write.en.eq(valid),
            self._trace_write.addr.eq(place),
            self._trace_write.data.current.eq(traced.current_next),
            self._trace_write.data.trace.eq(traced.trace_next),
            self.trace_written.eq(valid),
            self.trace_row.eq(self._trace_write.data),
            self.saturated.eq(traced.saturated),
        ]
        return traced.trace_next

    def _add_products(
        self, m: Module, groups: ErrorGroups, issue: dict[str, Signal], new_trace: Value
    ) -> tuple[RowMemory, Any]:
        """Add the products of a group, one input per clock cycle; return the memory and its row."""
        sizes = self._sizes
        pipe = Pipe(m)
        m.submodules.sums = memory = sum_memory(self._config)
        # The products of a first pass wait for the new traces, those of others for their reads.
        behind = self.fused_gap
        head = issue["address"] == 0
        go = pulse(m, issue["fused"], behind, "fused") | issue["stored"]
        starts = pulse(m, issue["fused"] & head, behind, "fused_head") | (issue["stored"] & head)
        first_final = issue["final"] & issue["trace"]
        final = pulse(m, first_final, behind, "fused_final") | (issue["final"] & ~issue["trace"])
        go_1, starts_1 = pulse(m, go, 1, "go"), pulse(m, starts, 1, "starts")
        place = Signal.like(memory.read_address, name="sum_place")
        errors = Signal(groups.group.errors.shape(), name="sum_errors", reset_less=True)
        with m.If(go_1):
            m.d.sync += place.eq(place + 1)
        with m.If(starts_1):
            m.d.sync += [place.eq(groups.group.base), errors.eq(groups.group.errors)]
        stored = self._trace_read.data.trace
        trace = pipe.register(Mux(self.trace_written, new_trace, stored), "sum_trace")
        m.d.comb += [memory.read_address.eq(place), groups.next.eq(starts)]
        if sizes.keeps_errors and sizes.groups > 1:
            # The errors are kept until those of the last group have been read.
            ends = head & ~issue["more"]
            fused = pulse(m, issue["fused"] & ends, behind, "fused_taught")
            without = self.started & (groups.count == 0)
            m.d.comb += self.taught.eq(without | fused | (issue["stored"] & ends))
        else:
            m.d.comb += self.taught.eq(self.started)
        sums = pipe.register(memory.row, "before")
        adds = pulse(m, go_1, self.gradient_latency - 1, "sum")
        added = Signal(memory.row.shape(), name="sum_next")
        for number in range(sizes.products):
            m.submodules[f"product_{number}"] = product = GradientPipe(self._config)
            m.d.comb += [
                product.error.eq(errors[number]),
                product.trace.eq(trace),
                product.gradient.eq(sums[number]),
                added[number].eq(product.gradient_next),
            ]
        written = pipe.delay(place, GradientPipe.latency, "sum_written")
        if sizes.single_gradient:
            # A memory of one port reads in every other clock cycle, and writes in between.
            added = pipe.register(added, "sum_late")
            adds, written = pulse(m, adds, 1, "sum_late"), pipe.delay(written, 1, "sum_later")
        with m.If(adds):
            m.d.comb += [
                memory.write.eq(1),
                memory.write_address.eq(written),
                memory.written.eq(added),
            ]
        latency = self.gradient_latency + int(sizes.single_gradient)
        m.d.comb += self.done.eq(pulse(m, final, latency, "final"))
        with m.If(self.clear):
            m.d.comb += [memory.write.eq(1), memory.write_address.eq(self._wiping)]
        return memory, sums

    def _update_weights(self, m: Module, memory: RowMemory, sums: Any) -> None:
        """Connect the update of a window to the gradient and the weights."""
        m.submodules.update = update = UpdatePass(self._config)
        with m.If(update.reading):
            m.d.comb += memory.read_address.eq(update.gradient_address)
        with m.If(update.clear):
            m.d.comb += [memory.write.eq(1), memory.write_address.eq(update.clear_address)]
        m.d.comb += [
            update.start.eq(self.start_update),
            update.rate.eq(self.rate),
            update.shift.eq(self.shift),
            update.restart.eq(self.restart),
            update.weight_row.eq(self.weight_row),
            update.sum_row.eq(sums),
            self.update_done.eq(update.done),
            self.weight_reading.eq(update.reading),
            self.weight_address.eq(update.weight_address),
            self.update_address.eq(update.write_address),
            self.update_place.eq(update.write_place),
            self.update_data.eq(update.written),
            self.update_enable.eq(update.write),
            self.update_slot.eq(update.slot),
            self.weight_saturated.eq(update.saturated),
            self.gradient_taken.eq(update.taken),
            self.gradient_row.eq(update.taken_gradient),
        ]
        if hasattr(self, "update_lfsr"):
            m.d.comb += self.update_lfsr.eq(update.lfsr)


def pauses(config: Config) -> tuple[int, int]:
    """Return the clock cycles without an issue after a first pass: before a further, or at its end.

    A trace must have been written before it is read again, the products of a first pass must not
    meet those of the next one, and a gradient memory of one port must not read and write at once.
    """
    sizes, engine = gate_sizes(config), LearningEngine
    single = engine.single_gap if sizes.single_gradient else 0
    taken = sizes.pace * (sizes.inputs - 1) + 1
    unwritten = max(0, engine.pass_gap - taken)
    return max(engine.fused_gap + single, unwritten), max(single, unwritten)
