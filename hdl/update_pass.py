"""The update of all weights at the end of a window (model twin: `bitlif.model.update`)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.gate_sizes import gate_sizes

from .core_signals import lfsr_counts
from .error_groups import group_place
from .fixed import shape_for
from .host_port import row_layout
from .lfsr import lane_words
from .loadable import SweptUpdate, rate_shifts
from .pipeline import Pipe, select_part
from .update import UpdatePipe

RATE_CHAIN = 16
"""Most registers between the rate of a phase and the last lane; shorter than any window."""


class UpdatePass(wiring.Component):
    """Updates the weights slot by slot and then input by input, in the order of the draws.

    Parameters
    ----------
    config : bitlif.Config
    swept : bitlif.hdl.loadable.SweptUpdate or None
        See `UpdatePipe`.

    Members
    -------
    start, done : In(1), Out(1)
        Update all weights and clear the gradient; done in the clock cycle of the last write.
    rate, shift : In
        Constants of the phase.
    restart : In(1)
        Pulse: set the LFSRs to their seeds.
    reading : Out(1)
        ``weight_address`` and ``gradient_address`` are read in this clock cycle.
    weight_address, weight_row : Out, In
        Row of the weights; its S weights 2 clock cycles after the address.
    gradient_address, sum_row : Out, In
        Row of the gradient; its L sums 2 clock cycles after the address.
    clear, clear_address : Out
        Row of the gradient that is set to zero: it has been read for all of its slots.
    write, write_address, write_place, written : Out
        A row of the weights, the slot in it, and the P new weights of that slot.
    slot : Out
        Slot of the layer that is written.
    saturated : Out(lanes)
        Saturation flags of the weights, with ``write``.
    taken, taken_gradient : Out
        The P sums that enter the update, by slot and then by input.
    lfsr : Out(array of states)
        Only with stochastic rounding.

    Latency: `latency` clock cycles from the issue of P synapses to their write. Throughput: P
    synapses per `GateSizes.update_pace` clock cycles. Handshake: start and done pulses. Reset:
    idle.
    """

    latency = 2 + UpdatePipe.latency  # read of weights and gradient; their registers

    def __init__(self, config: Config, swept: SweptUpdate | None = None) -> None:
        self._config, self._swept = config, swept
        self._sizes = sizes = gate_sizes(config)
        gradient = shape_for(swept.gradient if swept else derive(config).ranges["gradient"])
        shifts = swept.shifts if swept else rate_shifts(config)
        weight = row_layout(config)[0]
        members: dict[str, Any] = {
            "start": In(1),
            "done": Out(1),
            "rate": In(config.learning.rate_bits),
            "shift": In(range(len(shifts))),
            "restart": In(1),
            "reading": Out(1),
            "weight_address": Out(range(sizes.inputs * sizes.rows)),
            "weight_row": In(data.ArrayLayout(weight.shape, sizes.synapses)),
            "gradient_address": Out(range(sizes.inputs * sizes.groups)),
            "sum_row": In(data.ArrayLayout(gradient, sizes.products)),
            "clear": Out(1),
            "clear_address": Out(range(sizes.inputs * sizes.groups)),
            "write": Out(1),
            "write_address": Out(range(sizes.inputs * sizes.rows)),
            "write_place": Out(range(sizes.row_slots)),
            "written": Out(row_layout(config)),
            "slot": Out(range(sizes.slots)),
            "saturated": Out(sizes.lanes),
            "taken": Out(1),
            "taken_gradient": Out(data.ArrayLayout(gradient, sizes.lanes)),
        }
        states = lfsr_counts(config)[1]
        if states:
            members["lfsr"] = Out(data.ArrayLayout(config.learning.lfsr.width, states))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Build the walk over all synapses, and the pipelines of the lanes."""
        m = Module()
        pipe = Pipe(m)
        walk = self._walk(m)
        valid, final = walk["valid"], walk["final"]
        valids: list[Value] = []
        for stage in range(self.latency):
            passed = Signal(name=f"valid_{stage}")
            passed_final = Signal(name=f"final_{stage}")
            m.d.sync += [passed.eq(valid), passed_final.eq(final)]
            valid, final = passed, passed_final
            valids.append(valid)
        m.d.comb += [
            self.clear.eq(valids[0] & pipe.delay(walk["cleared"], 1, "cleared")),
            self.clear_address.eq(pipe.delay(self.gradient_address, 1, "clear_place")),
            self.write.eq(valids[-1]),
            self.write_address.eq(pipe.delay(self.weight_address, self.latency, "write_row")),
            self.write_place.eq(pipe.delay(walk["row_place"], self.latency, "write_place")),
            self.slot.eq(pipe.delay(walk["slot"], self.latency, "write_slot")),
            self.done.eq(final),
            self.taken.eq(valids[1]),
        ]
        lanes = self._sizes.lanes
        place = pipe.delay(walk["row_place"], 2, "row_place")
        weights = select_part(list(self.weight_row), place, lanes)
        place = pipe.delay(walk["group_place"], 2, "group_place")
        gradients = select_part(list(self.sum_row), place, lanes)
        pairs = zip(self.taken_gradient, gradients, strict=True)
        m.d.comb += [taken.eq(value) for taken, value in pairs]
        self._update(m, pipe, weights, gradients, valids[1])
        return m

    def _place(self, slot: int) -> int:
        """Return the place of a slot in its row of the gradient; a sweep has no error groups."""
        return slot % self._sizes.group_slots if self._swept else group_place(self._config, slot)

    def _walk(self, m: Module) -> dict[str, Any]:
        """Issue all slots of all inputs, slot by slot; return what is issued."""
        sizes = self._sizes
        inputs, slots = sizes.inputs, sizes.slots
        running, slot = Signal(name="running"), Signal(range(slots), name="slot_issued")
        address = Signal(range(inputs), name="input")
        row_place = Signal(range(sizes.row_slots), name="row_place")
        group = Signal(range(sizes.group_slots), name="group_place")
        weight = Signal.like(self.weight_address, name="weight_place")
        gradient = Signal.like(self.gradient_address, name="gradient_place")
        row, base = Signal(range(sizes.rows), name="row"), Signal.like(gradient, name="base")
        issue: Value = running
        if sizes.update_pace == 2:
            beat = Signal(name="beat")
            m.d.sync += beat.eq(running & ~beat)
            issue = running & beat
        row_ends = address == inputs - 1
        ends = row_ends & (slot == slots - 1)
        group_ends = (slot == slots - 1) | (group == sizes.group_slots - 1)
        next_row = Mux(row_place == sizes.row_slots - 1, row + 1, row)
        next_base = Mux(group_ends, base + inputs, base)
        with m.If(self.start):
            m.d.sync += [
                running.eq(1), slot.eq(0), address.eq(0), row_place.eq(0), weight.eq(0), row.eq(0),
                group.eq(self._place(0)), gradient.eq(0), base.eq(0),
            ]  # fmt: skip
        with m.Elif(issue):
            m.d.sync += [
                address.eq(address + 1),
                weight.eq(weight + sizes.rows),
                gradient.eq(gradient + 1),
            ]
            with m.If(row_ends):
                m.d.sync += [
                    address.eq(0), slot.eq(slot + 1), weight.eq(next_row), row.eq(next_row),
                    row_place.eq(Mux(row_place == sizes.row_slots - 1, 0, row_place + 1)),
                    gradient.eq(next_base), base.eq(next_base), group.eq(group + 1),
                ]  # fmt: skip
                with m.If(group_ends):
                    m.d.sync += group.eq(0)
                short = (sizes.groups - 1) * sizes.group_slots
                if short and self._place(short):
                    with m.If(slot == short - 1):
                        m.d.sync += group.eq(self._place(short))
            with m.If(ends):
                m.d.sync += running.eq(0)
        m.d.comb += [
            self.reading.eq(running),
            self.weight_address.eq(weight),
            self.gradient_address.eq(gradient),
        ]
        return {
            "valid": issue, "final": issue & ends, "slot": slot, "row_place": row_place,
            "group_place": group, "cleared": group_ends,
        }  # fmt: skip

    def _update(self, m: Module, pipe: Pipe, weights: Any, gradients: Any, draw: Value) -> None:
        """Build the pipeline of each lane, and the LFSRs."""
        config = self._config
        learning, lanes = config.learning, config.layer.lanes
        words: list[Signal] = []
        if learning.random_bits:
            words, states = lane_words(
                m, "update", learning.lfsr.streams(lanes), learning.leap, learning.random_bits,
                draw, self.restart,
            )  # fmt: skip
            m.d.comb += [own.eq(state) for own, state in zip(self.lfsr, states, strict=True)]
        rate, shift, chain = self.rate, self.shift, -(-lanes // RATE_CHAIN)
        for lane in range(lanes):
            if lane % chain == 0:
                # Registers in a chain: a single one would be far from most multipliers.
                rate = pipe.register(rate, f"rate_{lane}")
                shift = pipe.register(shift, f"shift_{lane}")
            m.submodules[f"update_{lane}"] = update = UpdatePipe(config, self._swept)
            m.d.comb += [
                update.weight.eq(weights[lane]),
                update.gradient.eq(gradients[lane]),
                update.rate.eq(rate),
                update.shift.eq(shift),
                self.written[lane].eq(update.weight_next),
                self.saturated[lane].eq(update.saturated),
            ]
            if words:
                m.d.comb += update.random.eq(words[lane])
