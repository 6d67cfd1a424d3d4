"""Weight sums and neurons: the forward half of a layer (model twin: `bitlif.model.window`)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive

from .core_signals import lfsr_counts
from .fixed import shape_for, shape_of
from .host_port import entry_layout, state_layout
from .lfsr import lane_words
from .neuron import NeuronPipe
from .noise import NoiseDraw, draw_shape
from .pipeline import NO_READ_WRITE_COLLISION, Pipe
from .table import ErrorPipe


def event_layout(units: int) -> data.StructLayout:
    """Return an address event: ``last`` ends the step, and its ``address`` is ignored."""
    return data.StructLayout({"address": range(units), "last": 1})


class ForwardEngine(wiring.Component):
    """Adds up the weights of input events and computes the neurons of all lanes, slot by slot.

    Members
    -------
    i_events : In(stream of event_layout(N))
    i_targets : In(stream of P targets)
        One transfer per slot and step, if ``take_targets``.
    accept : In(1)
        Whether events are accepted.
    marked, mark_address : Out
        An input spikes in this step (for the traces).
    ended : Out(1)
        The last event of the step has been processed and all sums are complete; high until
        ``start``.
    start : In(1)
        Pulse: start to compute the neurons.
    done : Out(1)
        Pulse: the results of the last slot are valid in this clock cycle.
    fresh : In(1)
        The state reads as zero.
    take_targets : In(1)
        Whether each slot takes a transfer of targets.
    noise_scale, reciprocal : In
        Constants of the phase.
    restart : In(1)
        Pulse: set the noise LFSRs to their seeds.
    clear, cleared : In(1), Out(1)
        While ``clear`` is high, the sums are set to zero; ``cleared`` is high in the last clock
        cycle of that.
    weight_address, weight_data : Out, In
        Read port of the weights; data one clock cycle after the address.
    drawn, draws, weight_sums : Out
        Noise draws and sums of weights of a slot, as they enter the pipelines.
    slot_valid, slot, spikes, before, currents, kept, saturated : Out
        Results of a slot: P spikes, P membranes before the noise, P synaptic currents, P membranes
        after the reset, P x 3 saturation flags.
    error_valid, error_slot, errors, error_saturated : Out
        Errors of a slot, `ErrorPipe.latency` clock cycles later.

    host, host_slot, host_state : In(1), In, Out
        While ``host`` is high: state of the slot ``host_slot``, one clock cycle later.
    host_bin, host_entry, host_entry_enable, host_entry_data
        See `ErrorPipe`; a write goes to the tables of all lanes.
    noise_lfsr : Out(array of states)

    Latency: `latency` clock cycles from the issue of a slot to its spikes, `error_latency` to its
    errors. Throughput: one weight and one neuron per lane and clock cycle. Handshake: events stall
    until all slots of the previous one are issued, targets until their slot is issued. Reset: no
    events; the sums need ``clear``.
    """

    latency = 1 + NeuronPipe.latency  # read of the sums
    error_latency = latency + ErrorPipe.latency

    def __init__(self, config: Config, *, learning: bool) -> None:
        self._config = config
        self._learning = learning
        sizes, ranges = config.layer, derive(config).ranges
        lanes, slots = sizes.lanes, sizes.slots
        membrane, error = shape_of(config.membrane.format), shape_of(config.error.format)
        current = shape_of(config.synapse.current)
        weight = shape_of(config.synapse.weight)
        self._targets = learning or config.membrane.reset == "teacher"
        self._sum_shape = shape_for(ranges["weight sum"])
        members = {
            "i_events": In(stream.Signature(event_layout(sizes.inputs))),
            "accept": In(1),
            "marked": Out(1),
            "mark_address": Out(range(sizes.inputs)),
            "ended": Out(1),
            "start": In(1),
            "done": Out(1),
            "fresh": In(1),
            "noise_scale": In(config.noise.scale_bits),
            "restart": In(1),
            "clear": In(1),
            "cleared": Out(1),
            "weight_address": Out(range(sizes.inputs * slots)),
            "weight_data": In(data.ArrayLayout(weight, lanes)),
            "slot_valid": Out(1),
            "slot": Out(range(slots)),
            "spikes": Out(lanes),
            "before": Out(data.ArrayLayout(membrane, lanes)),
            "currents": Out(data.ArrayLayout(current, lanes)),
            "kept": Out(data.ArrayLayout(membrane, lanes)),
            "saturated": Out(3 * lanes),
            "drawn": Out(1),
            "draws": Out(data.ArrayLayout(draw_shape(config.noise), lanes)),
            "weight_sums": Out(data.ArrayLayout(self._sum_shape, lanes)),
            "host": In(1),
            "host_slot": In(range(slots)),
            "host_state": Out(state_layout(config)),
            "noise_lfsr": Out(data.ArrayLayout(config.noise.lfsr.width, lfsr_counts(config)[0])),
        }
        if self._targets:
            target = config.error.target_bits + 1
            members["i_targets"] = In(stream.Signature(data.ArrayLayout(target, lanes)))
            members["take_targets"] = In(1)
        if learning:
            members |= {
                "reciprocal": In(config.error.reciprocal_bits),
                "error_valid": Out(1),
                "error_slot": Out(range(slots)),
                "errors": Out(data.ArrayLayout(error, lanes)),
                "error_saturated": Out(lanes),
                "host_bin": In(config.error.index_bits),
                "host_entry": Out(entry_layout(config)),
                "host_entry_enable": In(1),
                "host_entry_data": In(entry_layout(config)),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Build the addition of events, the sums, and the pass over the slots."""
        m = Module()
        sizes = self._config.layer
        m.submodules.sums = sums = Memory(
            shape=data.ArrayLayout(self._sum_shape, sizes.lanes), depth=sizes.slots, init=[]
        )
        write = sums.write_port()
        read = sums.read_port(transparent_for=(write,))
        wiping = Signal(range(sizes.slots))
        m.d.comb += self.cleared.eq(wiping == sizes.slots - 1)
        with m.If(self.clear):
            m.d.sync += wiping.eq(wiping + ~self.cleared)
        with m.Else():
            m.d.sync += wiping.eq(0)
        walked, adding = self._walk_events(m, read, write)
        issued = self._issue_slots(m)
        with m.If(self.clear):
            m.d.comb += [write.en.eq(1), write.addr.eq(wiping)]
        with m.Elif(issued["valid_1"]):
            # A sum is used once and set to zero for the next step.
            m.d.comb += [write.en.eq(1), write.addr.eq(issued["slot_1"])]
        with m.If(~adding & ~walked):
            m.d.comb += read.addr.eq(issued["slot"])
        self._run_slots(m, read, issued)
        return m

    def _walk_events(self, m: Module, read: Any, write: Any) -> tuple[Signal, Signal]:
        """Accept events; for each, add its row to the sums, one slot per clock cycle."""
        slots, lanes = self._config.layer.slots, self._config.layer.lanes
        pipe = Pipe(m)
        walking, base = Signal(), Signal(self.weight_address.shape())
        slot, address = Signal(range(slots)), Signal.like(self.mark_address)
        ending = Signal()
        final = slot == slots - 1
        event = self.i_events.payload
        m.d.comb += self.i_events.ready.eq(self.accept & ~ending & (~walking | final))
        with m.If(walking):
            m.d.sync += slot.eq(slot + 1)
        with m.If(~walking | final):
            taken = self.i_events.valid & self.i_events.ready
            m.d.sync += [
                walking.eq(taken & ~event.last),
                base.eq(event.address * slots),
                address.eq(event.address),
                slot.eq(0),
            ]
            with m.If(taken & event.last):
                m.d.sync += ending.eq(1)
        m.d.comb += [
            self.weight_address.eq(base + slot),
            self.marked.eq(walking & (slot == 0)),
            self.mark_address.eq(address),
        ]
        # The weights pass a register because the output of block RAM is slow.
        reading = Signal()
        m.d.sync += reading.eq(walking)
        slot_1 = pipe.delay(slot, 1, "sum_slot_read")
        adding = Signal()
        m.d.sync += adding.eq(reading)
        slot_2 = pipe.delay(slot_1, 1, "sum_slot_add")
        row = pipe.register(self.weight_data, "row")
        with m.If(reading):
            m.d.comb += read.addr.eq(slot_1)
        with m.If(adding):
            m.d.comb += [write.en.eq(1), write.addr.eq(slot_2)]
            for lane in range(lanes):
                m.d.comb += write.data[lane].eq(read.data[lane] + row[lane])
        m.d.comb += self.ended.eq(ending & ~walking & ~reading & ~adding)
        with m.If(self.start):
            m.d.sync += ending.eq(0)
        return reading, adding

    def _issue_slots(self, m: Module) -> dict[str, Signal]:
        """Issue one slot per clock cycle, as soon as its targets are valid."""
        slots = self._config.layer.slots
        running, slot = Signal(), Signal(range(slots))
        valid = Signal()
        m.d.comb += valid.eq(running)
        if self._targets:
            wanted = self.take_targets
            m.d.comb += [
                valid.eq(running & (~wanted | self.i_targets.valid)),
                self.i_targets.ready.eq(running & wanted),
            ]
        with m.If(self.start):
            m.d.sync += [running.eq(1), slot.eq(0)]
        with m.Elif(valid):
            m.d.sync += slot.eq(slot + 1)
            with m.If(slot == slots - 1):
                m.d.sync += running.eq(0)
        valid_1, slot_1 = Signal(), Signal.like(slot)
        m.d.sync += [valid_1.eq(valid), slot_1.eq(slot)]
        return {"valid": valid, "slot": slot, "valid_1": valid_1, "slot_1": slot_1}

    def _run_slots(self, m: Module, sums: Any, issued: dict[str, Signal]) -> None:
        """Send the slots through the pipelines of the lanes and write the state back."""
        config = self._config
        lanes, slots = config.layer.lanes, config.layer.slots
        pipe = Pipe(m)
        valids = [issued["valid_1"]]
        for stage in range(self.error_latency - 1):
            passed = Signal(name=f"valid_{stage + 2}")
            m.d.sync += passed.eq(valids[-1])
            valids.append(passed)

        def place(cycles: int, name: str) -> Signal:
            """Return the slot that is valid `cycles` after ``valid_1``; slots come in order."""
            here = Signal(range(slots), name=f"slot_{name}")
            with m.If(valids[cycles]):
                m.d.sync += here.eq(Mux(here == slots - 1, 0, here + 1))
            return here

        here = place(self.latency - 1, "out")
        drawn = NeuronPipe.draw_delay
        m.d.comb += [
            self.drawn.eq(valids[drawn]),
            self.weight_sums.eq(pipe.delay(sums.data, drawn, "weight_sums")),
            self.slot_valid.eq(valids[self.latency - 1]),
            self.slot.eq(here),
        ]
        last = here
        if self._learning:
            last = place(self.error_latency - 1, "error")
            m.d.comb += [self.error_valid.eq(valids[-1]), self.error_slot.eq(last)]
        there = valids[self.error_latency - 1 if self._learning else self.latency - 1]
        m.d.comb += self.done.eq(there & (last == slots - 1))
        old_currents, old_membranes = self._hold_state(m, issued, valids, place)
        noise = config.noise
        words, states = lane_words(
            m, "noise", noise.lfsr.streams(lanes), noise.leap, noise.draw_bits,
            valids[drawn - NoiseDraw.latency], self.restart,
        )  # fmt: skip
        m.d.comb += [own.eq(state) for own, state in zip(self.noise_lfsr, states, strict=True)]
        targets = self._hold_targets(m, issued, place) if self._targets else None
        for lane in range(lanes):
            m.submodules[f"draw_{lane}"] = draw = NoiseDraw(config.noise)
            m.submodules[f"neuron_{lane}"] = neuron = NeuronPipe(config)
            m.d.comb += [
                draw.word.eq(words[lane]),
                neuron.draw.eq(draw.draw),
                self.draws[lane].eq(draw.draw),
                neuron.weight_sum.eq(sums.data[lane]),
                neuron.noise_scale.eq(self.noise_scale),
                self.spikes[lane].eq(neuron.spike),
                self.before[lane].eq(neuron.before),
                self.currents[lane].eq(neuron.current_next),
                self.kept[lane].eq(neuron.membrane_next),
                self.saturated.word_select(lane, 3).eq(neuron.saturated),
                self._new_currents[lane].eq(neuron.current_soon),
            ]
            with m.If(~self.fresh):
                m.d.comb += [
                    neuron.current.eq(old_currents[lane]),
                    neuron.membrane.eq(old_membranes[lane]),
                ]
            if targets is not None:
                self._learn_slot(m, pipe, lane, neuron, targets[lane])

    def _hold_state(
        self, m: Module, issued: dict[str, Signal], valids: list[Signal], place: Any
    ) -> tuple[Any, Any]:
        """Add the memories of currents and membranes; return their read data.

        Each is read and written at its own pipeline stage. In one memory, the state would need
        delay registers up to the last stage.
        """
        config = self._config
        lanes, slots = config.layer.lanes, config.layer.slots
        current, membrane = self.currents.shape(), self.kept.shape()
        currents = Memory(shape=current, depth=slots, init=[], attrs=NO_READ_WRITE_COLLISION)
        membranes = Memory(shape=membrane, depth=slots, init=[], attrs=NO_READ_WRITE_COLLISION)
        m.submodules.currents, m.submodules.membranes = currents, membranes
        reads = [currents.read_port(), membranes.read_port()]
        writes = [currents.write_port(), membranes.write_port()]
        self._new_currents = Signal(current)
        soon = NeuronPipe.current_latency
        m.d.comb += [
            reads[0].addr.eq(issued["slot"]),
            reads[1].addr.eq(place(NeuronPipe.membrane_delay - 1, "membrane")),
            writes[0].en.eq(valids[soon]),
            writes[0].addr.eq(place(soon, "current")),
            writes[0].data.eq(self._new_currents),
            writes[1].en.eq(valids[self.latency - 1]),
            writes[1].addr.eq(self.slot),
            writes[1].data.eq(self.kept),
        ]
        with m.If(self.host):
            m.d.comb += [read.addr.eq(self.host_slot) for read in reads]
        for lane in range(lanes):
            m.d.comb += [
                self.host_state[lane].current.eq(reads[0].data[lane]),
                self.host_state[lane].membrane.eq(reads[1].data[lane]),
            ]
        return reads[0].data, reads[1].data

    def _hold_targets(self, m: Module, issued: dict[str, Signal], place: Any) -> Any:
        """Store the targets of a step until the error stage; return those of the slot there."""
        layout = self.i_targets.payload.shape()
        if not self._learning:
            return self.i_targets.payload
        m.submodules.targets = targets = Memory(
            shape=layout, depth=self._config.layer.slots, init=[], attrs=NO_READ_WRITE_COLLISION
        )
        write, read = targets.write_port(), targets.read_port()
        due = self.latency - 1 + ErrorPipe.target_delay
        m.d.comb += [
            write.addr.eq(issued["slot"]),
            write.data.eq(self.i_targets.payload),
            write.en.eq(issued["valid"]),
            read.addr.eq(place(due - 1, "target")),
        ]
        return read.data

    def _learn_slot(
        self, m: Module, pipe: Pipe, lane: int, neuron: NeuronPipe, target: Value
    ) -> None:
        """Connect the target of a lane, and its error pipeline."""
        config = self._config
        one = 1 << config.error.target_bits
        teaches = pipe.register((self.i_targets.payload[lane] << 1) >= one, f"teaches_{lane}")
        m.d.comb += neuron.reset.eq(teaches)
        if self._learning:
            m.submodules[f"error_{lane}"] = error = ErrorPipe(config)
            m.d.comb += [
                error.membrane.eq(neuron.before),
                error.target.eq(target),
                error.reciprocal.eq(self.reciprocal),
                self.errors[lane].eq(error.error),
                self.error_saturated[lane].eq(error.saturated),
                error.host.eq(self.host),
                error.host_address.eq(self.host_bin),
                error.host_enable.eq(self.host_entry_enable),
                error.host_data.eq(self.host_entry_data),
            ]
            if lane == 0:
                m.d.comb += self.host_entry.eq(error.host_entry)
