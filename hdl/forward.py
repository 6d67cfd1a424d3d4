"""Weight sums and neurons: the forward half of a layer (model twin: `bitlif.model.window`)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.gate_sizes import gate_sizes

from .core_signals import lfsr_counts
from .fixed import shape_for, shape_of
from .gather import EventGather, event_layout
from .host_port import entry_layout, state_layout
from .lfsr import lane_words
from .neuron import NeuronPipe
from .noise import NoiseDraw, draw_shape
from .pipeline import NO_READ_WRITE_COLLISION, Pipe
from .table import ErrorPipe


class ForwardEngine(wiring.Component):
    """Adds up the weights of input events and computes the neurons of all lanes, slot by slot.

    The events of a step are added up while the neurons of the step before are computed.

    Members
    -------
    i_events : In(stream of event_layout(N))
    i_targets : In(stream of P targets)
        One transfer per slot and step, if ``take_targets``.
    accept, following : In(1)
        Whether events are accepted, and another step may begin with ``start``; see `EventGather`.
    marked, mark_address : Out
        An input spikes in the step that is gathered.
    gathered : Out(1)
        All events of a step are there.
    free : Out(1)
        All slots of the step before are issued, and the state of the first is written in time.
    start : In(1)
        Pulse, while ``gathered`` and ``free``: compute the neurons of the gathered step.
    fresh : In(1)
        The state reads as zero; must be stable until the last slot of a step is issued.
    issued : Out(1)
        Pulse: the last slot of a step is issued.
    done : Out(1)
        Pulse: the spikes of the last slot are valid in this clock cycle.
    learn : In(1)
        Whether the errors of the slots whose spikes are valid are wanted.
    errors_done : Out(1)
        Pulse: the errors of the last slot are valid in this clock cycle.
    take_targets : In(1)
        Whether each slot takes a transfer of targets.
    noise_scale, reciprocal : In
        Constants of the phase.
    restart : In(1)
        Pulse: set the noise LFSRs to their seeds.
    weight_address, weight_row : Out, In
        Row of the weights that is read; its S weights 2 clock cycles after the address.
    drawn, draws, weight_sums : Out
        Noise draws and sums of weights of a slot, as they enter the pipelines.
    slot_valid, slot, spikes, before, currents, kept, saturated : Out
        Results of a slot: P spikes, P membranes before the noise, P synaptic currents, P membranes
        after the reset, P x 3 saturation flags.
    error_valid, error_slot, errors, error_saturated : Out
        Errors of a slot, `ErrorPipe.latency` clock cycles later, if ``learn``.
    host, host_slot, host_state : In(1), In, Out
        While ``host`` is high: state of the slot ``host_slot``, one clock cycle later.
    host_bin, host_entry, host_entry_enable, host_entry_data
        See `ErrorPipe`; a write goes to the tables of all lanes.
    noise_lfsr : Out(array of states)
        Only with noise, as ``noise_scale``.

    Latency: `latency` clock cycles from the issue of a slot to its spikes, `error_latency` to its
    errors; the first slot is issued one clock cycle after ``start``. Throughput: one row of weights
    and one neuron per lane in each clock cycle, and a step per `least_clocks`. Handshake: events
    stall until all rows of the previous one are read, targets until their slot is issued. Reset: no
    events.
    """

    latency = 1 + NeuronPipe.latency  # read of the state
    error_latency = latency + ErrorPipe.latency
    membrane_gap = latency + 1 - NeuronPipe.membrane_delay  # from a read to the next, of one slot
    target_gap = latency + ErrorPipe.target_delay  # from a write to the next, of one slot

    @classmethod
    def least_clocks(cls, *, learning: bool) -> int:
        """Return the least number of clock cycles from a ``start`` to the next one.

        With many slots, it is the number of slots plus 1. The state of a slot must have been
        written when the next step reads it; in a core with learning hardware, its target must have
        been read when the next one is written.
        """
        return max(cls.membrane_gap, cls.target_gap) if learning else cls.membrane_gap

    def __init__(self, config: Config, *, learning: bool) -> None:
        self._config, self._learning = config, learning
        self._sizes = gate_sizes(config)
        inputs, lanes, slots = config.layer.inputs, config.layer.lanes, config.layer.slots
        membrane, error = shape_of(config.membrane.format), shape_of(config.error.format)
        current, weight = shape_of(config.synapse.current), shape_of(config.synapse.weight)
        self._targets = learning or config.membrane.reset == "teacher"
        self._sum_shape = shape_for(derive(config).ranges["weight sum"])
        members = {
            "i_events": In(stream.Signature(event_layout(inputs))),
            "accept": In(1),
            "following": In(1),
            "marked": Out(1),
            "mark_address": Out(range(inputs)),
            "gathered": Out(1),
            "free": Out(1),
            "start": In(1),
            "issued": Out(1),
            "done": Out(1),
            "fresh": In(1),
            **({"noise_scale": In(config.noise.scale_bits)} if config.noise.drawn else {}),
            "restart": In(1),
            "weight_address": Out(range(inputs * self._sizes.rows)),
            "weight_row": In(data.ArrayLayout(weight, self._sizes.synapses)),
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
        }
        if lfsrs := lfsr_counts(config)[0]:
            members["noise_lfsr"] = Out(data.ArrayLayout(config.noise.lfsr.width, lfsrs))
        if self._targets:
            target = config.error.target_bits + 1
            members["i_targets"] = In(stream.Signature(data.ArrayLayout(target, lanes)))
            members["take_targets"] = In(1)
        if learning:
            members |= {
                "reciprocal": In(config.error.reciprocal_bits),
                "learn": In(1),
                "errors_done": Out(1),
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
        m.submodules.gather = gather = EventGather(self._config)
        connect(m, flipped(self.i_events), gather.i_events)
        m.d.comb += [
            gather.accept.eq(self.accept),
            gather.following.eq(self.following),
            gather.take.eq(self.start),
            gather.weight_row.eq(self.weight_row),
            self.weight_address.eq(gather.weight_address),
            self.marked.eq(gather.marked),
            self.mark_address.eq(gather.mark_address),
            self.gathered.eq(gather.gathered),
        ]
        issued = self._issue_slots(m)
        self._run_slots(m, self._next_sums(m, gather, issued), issued)
        return m

    def _issue_slots(self, m: Module) -> dict[str, Signal]:
        """Issue one slot per clock cycle, as soon as its targets are valid."""
        slots = self._sizes.slots
        running, slot = Signal(name="running"), Signal(range(slots), name="issue_slot")
        valid = Signal(name="issue")
        m.d.comb += valid.eq(running)
        if self._targets:
            wanted = self.take_targets
            m.d.comb += [
                valid.eq(running & (~wanted | self.i_targets.valid)),
                self.i_targets.ready.eq(running & wanted),
            ]
        m.d.comb += self.issued.eq(valid & (slot == slots - 1))
        with m.If(self.start):
            m.d.sync += [running.eq(1), slot.eq(0)]
        with m.Elif(valid):
            m.d.sync += slot.eq(slot + 1)
            with m.If(self.issued):
                m.d.sync += running.eq(0)
        # Few slots: wait until the first one may be issued again.
        recent, waits = running, self.least_clocks(learning=self._learning) - 1 - slots
        was = valid
        for stage in range(max(0, waits)):
            before, was = was, Signal(name=f"issued_{stage + 1}")
            m.d.sync += was.eq(before)
            recent = recent | was
        m.d.comb += self.free.eq(~recent)
        valid_1, slot_1 = Signal(name="valid_1"), Signal(range(slots), name="slot_1")
        m.d.sync += [valid_1.eq(valid), slot_1.eq(slot)]
        return {"valid": valid, "slot": slot, "valid_1": valid_1, "slot_1": slot_1}

    def _next_sums(self, m: Module, gather: EventGather, issued: dict[str, Signal]) -> Any:
        """Return the sums of the slot that was issued one clock cycle ago.

        A row of sums is copied to a shift register, from which the slots of the row are taken.
        """
        sizes = self._sizes
        parts, lanes = sizes.row_slots, sizes.lanes
        load = Signal(name="load_sums")
        taken: list[Value] = [gather.sums[number] for number in range(sizes.synapses)]
        if sizes.rows == 1:
            m.d.comb += load.eq(self.start)
        else:
            none = Signal(name="no_events")
            place = Signal(range(parts), name="row_place")
            row = Signal(range(sizes.rows), name="row_next")
            m.d.comb += [
                load.eq(issued["valid"] & (place == 0)),
                gather.read_row.eq(Mux(load, row + 1, row)),
            ]
            with m.If(issued["valid"]):
                m.d.sync += place.eq(Mux(place == parts - 1, 0, place + 1))
            with m.If(load):
                m.d.sync += row.eq(row + 1)
            with m.If(self.start):
                m.d.comb += gather.read_row.eq(0)
                m.d.sync += [place.eq(0), row.eq(0), none.eq(gather.none)]
            taken = [Mux(none, 0, total) for total in taken]
        held = Signal(data.ArrayLayout(self._sum_shape, sizes.synapses), name="held_sums")
        for number in range(sizes.synapses):
            with m.If(load):
                m.d.sync += held[number].eq(taken[number])
            if number + lanes < sizes.synapses:
                with m.Elif(issued["valid_1"]):
                    m.d.sync += held[number].eq(held[number + lanes])
        sums = Signal(data.ArrayLayout(self._sum_shape, lanes), name="slot_sums")
        m.d.comb += [sums[lane].eq(held[lane]) for lane in range(lanes)]
        return sums

    def _run_slots(self, m: Module, sums: Any, issued: dict[str, Signal]) -> None:
        """Send the slots through the pipelines of the lanes and write the state back."""
        config = self._config
        lanes, slots = config.layer.lanes, config.layer.slots
        pipe = Pipe(m)
        valids: list[Value] = [issued["valid_1"]]
        for stage in range(self.error_latency - 1):
            before, passed = valids[-1], Signal(name=f"valid_{stage + 2}")
            if self._learning and stage == self.latency - 1:
                # The next window may have begun before errors that nobody needs are computed.
                before = before & self.learn
            m.d.sync += passed.eq(before)
            valids.append(passed)

        def place(cycles: int, name: str) -> Signal:
            """Return the slot that is valid `cycles` after ``valid_1``; slots come in order."""
            here = Signal(range(slots), name=f"slot_{name}")
            with m.If(valids[cycles]):
                m.d.sync += here.eq(Mux(here == slots - 1, 0, here + 1))
            return here

        here = place(self.latency - 1, "out")
        drawn, stale = NeuronPipe.draw_delay, NeuronPipe.membrane_delay
        m.d.comb += [
            self.drawn.eq(valids[drawn]),
            self.weight_sums.eq(pipe.delay(sums, drawn, "weight_sums")),
            self.slot_valid.eq(valids[self.latency - 1]),
            self.slot.eq(here),
        ]
        m.d.comb += self.done.eq(self.slot_valid & (here == slots - 1))
        if self._learning:
            last = place(self.error_latency - 1, "error")
            m.d.comb += [
                self.error_valid.eq(valids[-1]),
                self.error_slot.eq(last),
                self.errors_done.eq(valids[-1] & (last == slots - 1)),
            ]
        old_currents, old_membranes = self._hold_state(m, issued, valids, place)
        fresh = [pipe.delay(self.fresh, 1 + after, f"fresh_{after}") for after in (0, stale)]
        noise, words = config.noise, list[Signal]()
        if noise.drawn:
            words, states = lane_words(
                m, "noise", noise.streams(lanes), noise.leap, noise.draw_bits,
                valids[drawn - NoiseDraw.latency], self.restart,
            )  # fmt: skip
            m.d.comb += [own.eq(state) for own, state in zip(self.noise_lfsr, states, strict=True)]
        targets = self._hold_targets(m, issued, place) if self._targets else None
        for lane in range(lanes):
            if noise.drawn:
                m.submodules[f"draw_{lane}"] = draw = NoiseDraw(config.noise)
            m.submodules[f"neuron_{lane}"] = neuron = NeuronPipe(config)
            if noise.drawn:
                m.d.comb += [draw.word.eq(words[lane]), neuron.draw.eq(draw.draw)]
                m.d.comb += self.draws[lane].eq(draw.draw)
            m.d.comb += [
                neuron.weight_sum.eq(sums[lane]),
                *([neuron.noise_scale.eq(self.noise_scale)] if noise.drawn else []),
                self.spikes[lane].eq(neuron.spike),
                self.before[lane].eq(neuron.before),
                self.currents[lane].eq(neuron.current_next),
                self.kept[lane].eq(neuron.membrane_next),
                self.saturated.word_select(lane, 3).eq(neuron.saturated),
                self._new_currents[lane].eq(neuron.current_soon),
            ]
            with m.If(~fresh[0]):
                m.d.comb += neuron.current.eq(old_currents[lane])
            with m.If(~fresh[1]):
                m.d.comb += neuron.membrane.eq(old_membranes[lane])
            if targets is not None:
                self._learn_slot(m, pipe, lane, neuron, targets[lane])

    def _hold_state(
        self, m: Module, issued: dict[str, Signal], valids: list[Value], place: Any
    ) -> tuple[Any, Any]:
        """Add the memories of currents and membranes; return their read data.

        Each is read and written at its own pipeline stage. In one memory, the state would need
        delay registers up to the last stage.
        """
        lanes, slots = self._config.layer.lanes, self._config.layer.slots
        current, membrane = self.currents.shape(), self.kept.shape()
        currents = Memory(shape=current, depth=slots, init=[], attrs=NO_READ_WRITE_COLLISION)
        membranes = Memory(shape=membrane, depth=slots, init=[], attrs=NO_READ_WRITE_COLLISION)
        m.submodules.currents, m.submodules.membranes = currents, membranes
        read_current = currents.read_port()
        read_membrane = membranes.read_port()
        write_current = currents.write_port()
        write_membrane = membranes.write_port()
        reads, writes = (read_current, read_membrane), (write_current, write_membrane)
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
        write = targets.write_port()
        read = targets.read_port()
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
