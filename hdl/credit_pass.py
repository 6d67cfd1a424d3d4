"""Credit that a layer hands to the layer before it (model twin: `bitlif.model.sweep_credit`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes

from .adjoint_pass import credit_total
from .bit_walk import BitWalk
from .credit import CreditTree
from .fixed import shape_of
from .pipeline import Pipe, pulse
from .row_memory import RowMemory


class CreditSignature(wiring.Signature):
    """Between a layer and the hidden layer before it, from the side of the former.

    Members
    -------
    address, open : Out, In
        Slot of a step in the window's memory of the layer before, and P bits of it, one clock cycle
        later: neurons whose surrogate derivative is not zero.
    write, slot, total : Out
        Write an exact sum of credit, for these lanes of a slot.
    handed, none : Out(1)
        Pulse: the sums of a step are complete; and whether all of them are zero.
    full : In(1)
        Sums are waiting, or in use.
    """

    def __init__(self, config: NetworkConfig, before: int) -> None:
        sizes = config.layers[before].config.layer
        depth = sizes.slots * config.layers[before].config.window.steps
        super().__init__(
            {
                "address": Out(range(depth)),
                "open": In(sizes.lanes),
                "write": Out(sizes.lanes),
                "slot": Out(range(sizes.slots)),
                "total": Out(credit_total(config, before)),
                "handed": Out(1),
                "none": Out(1),
                "full": In(1),
            }
        )


class CreditBuffer(wiring.Component):
    """Keeps the sums of credit of one step until a hidden layer has used them.

    Parameters
    ----------
    config : bitlif.NetworkConfig
    number : int
        Of the hidden layer.

    Members
    -------
    write, slot, total, handed, given_none : In
        See `CreditSignature`.
    full, none : Out(1)
        Sums are waiting; all of them are zero.
    taken : In(1)
        Pulse: they have been used.
    read_slot, totals : In, Out
        The P sums of a slot, one clock cycle later.

    Latency: one clock cycle. Throughput: one sum, or one slot, each clock cycle. Handshake: sums
    may be written while ``full`` is low. Reset: not full.
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        sizes = config.layers[number].config.layer
        self._layout = data.ArrayLayout(credit_total(config, number), sizes.lanes)
        self._slots, self._lanes = sizes.slots, sizes.lanes
        super().__init__(
            {
                "write": In(sizes.lanes),
                "slot": In(range(sizes.slots)),
                "total": In(credit_total(config, number)),
                "handed": In(1),
                "given_none": In(1),
                "full": Out(1),
                "none": Out(1),
                "taken": In(1),
                "read_slot": In(range(sizes.slots)),
                "totals": Out(self._layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory and the flags."""
        m = Module()
        m.submodules.totals = memory = RowMemory(self._layout, self._slots, parts=self._lanes)
        with m.If(self.taken):
            m.d.sync += self.full.eq(0)
        with m.If(self.handed):
            m.d.sync += [self.full.eq(1), self.none.eq(self.given_none)]
        m.d.comb += [
            memory.read_address.eq(self.read_slot),
            self.totals.eq(memory.row),
            memory.write.eq(self.write),
            memory.write_address.eq(self.slot),
        ]
        m.d.comb += [memory.written[lane].eq(self.total) for lane in range(self._lanes)]
        return m


class CreditPass(wiring.Component):
    """Adds up the credit of one step for the neurons before that have a surrogate derivative.

    For each of them it reads the rows of its weights, S weights per clock cycle.

    Parameters
    ----------
    config : bitlif.NetworkConfig
    number : int
        Of the layer that hands credit back.

    Members
    -------
    start : In(1)
        Pulse: hand back the credit of a step.
    base : In
        First slot of the step in the window's memory of the layer before; stable during the pass.
    before : Out(CreditSignature)
        ``handed`` is a pulse in the last clock cycle of the pass; ``none`` is not driven.
    reading : Out(1)
        A row of weights is read.
    weight_address, weight_row : Out, In
        Row of the weights; its S weights 2 clock cycles after the address.
    row, currents : Out, In
        Row of the adjoint currents; its S currents 2 clock cycles after it.

    Latency: `latency` clock cycles after the last row is read. Throughput: a clock cycle per slot
    of the layer before and per row of weights. Handshake: pulses. Reset: idle.
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        self._config, self._number = config, number
        own = config.layers[number]
        self._sizes = sizes = gate_sizes(own.config)
        before = config.layers[number - 1].config
        self._tree = CreditTree(
            shape_of(own.config.synapse.weight), shape_of(own.sweep.current),
            credit_total(config, number - 1), sizes.synapses,
            config.derived_sweep(number - 1).constants.credit.feedback,
        )  # fmt: skip
        self.latency = 2 + self._tree.latency
        slots = before.layer.slots
        self._walk = BitWalk(slots, before.layer.lanes, sizes.rows)
        super().__init__(
            {
                "start": In(1),
                "base": In(range(slots * before.window.steps)),
                "before": Out(CreditSignature(config, number - 1)),
                "reading": Out(1),
                "weight_address": Out(range(sizes.inputs * sizes.rows)),
                "weight_row": In(
                    data.ArrayLayout(shape_of(own.config.synapse.weight), sizes.synapses)
                ),
                "row": Out(range(sizes.rows)),
                "currents": In(data.ArrayLayout(shape_of(own.sweep.current), sizes.synapses)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the walk over the neurons, and the tree."""
        m = Module()
        pipe = Pipe(m)
        m.submodules.walk, m.submodules.tree = walk, tree = self._walk, self._tree
        sizes = self._sizes
        lanes = self._config.layers[self._number - 1].config.layer.lanes
        neuron = Signal(range(sizes.inputs), name="neuron")
        head = Signal(name="head")
        m.d.comb += [
            walk.start.eq(self.start),
            self.before.address.eq(self.base + walk.place),
            walk.word.eq(self.before.open),
            neuron.eq(walk.at * lanes + walk.lane),
            self.reading.eq(walk.valid),
            self.weight_address.eq(neuron * sizes.rows + walk.row),
            self.row.eq(walk.row),
            head.eq(walk.row == 0),
            tree.weights.eq(self.weight_row),
            tree.first.eq(pipe.delay(head, self.latency - 1, "head")),
        ]
        # Slots after the last one of a row have no adjoint currents.
        short = sizes.rows * sizes.row_slots - sizes.slots
        last = pipe.delay(walk.row == sizes.rows - 1, 2, "last_row")
        for number in range(sizes.synapses):
            current: Value = self.currents[number]
            if number >= sizes.synapses - short * sizes.lanes:
                current = Mux(last, 0, current)
            m.d.comb += tree.adjoints[number].eq(current)
        writes = pulse(m, walk.valid & walk.tail, self.latency, "write")
        lane = pipe.delay(walk.lane, self.latency, "lane")
        m.d.comb += [
            self.before.write.eq(Cat(writes & (lane == number) for number in range(lanes))),
            self.before.slot.eq(pipe.delay(walk.at, self.latency, "slot")),
            self.before.total.eq(tree.total),
            self.before.handed.eq(pulse(m, walk.done, self.latency, "handed")),
        ]
        return m
