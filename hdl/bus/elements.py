"""Access to single elements of the memories of a core, by their numbers."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.hdl.host_port import HostSignature
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.state import state_variables

from .registers import MEMORIES, SCHEDULE, WORD_BITS, Elements, elements

STATE = {own.name: own for own in state_variables()}
"""Memories that hold state variables."""


class ElementPort(wiring.Component):
    """Keeps a pointer to an element of a memory; reads, writes and advances.

    Members
    -------
    host : Out(HostSignature)
        Host port of the core.
    word : In(32)
        Number of a memory, number of an element, or value; stable from one clock cycle before use.
    known, inside, fits : Out(1)
        Whether ``word``, one clock cycle earlier, was the number of a memory of this core, of an
        element of the selected memory, and in the range of its elements.
    choose : In(1)
        Pulse: select memory ``word`` and its element 0.
    seek, sought : In(1), Out(1)
        Pulse: select element ``word``. ``sought`` pulses `seek_clocks` clock cycles later.
    store : In(1)
        Pulse: write ``word``; the core must be idle for the second clock cycle in a row.
    advance : In(1)
        Pulse: select the next element.
    memory, index, count : Out
        The selected memory, the selected element, and the number of elements.
    ended : Out(1)
        The pointer is after the last element.
    value : Out(64)
        The element, sign-extended, after 3 clock cycles without a change of core or pointer.

    Latency: 3 clock cycles to read, `seek_clocks` to seek. Throughput: one write per clock cycle.
    Handshake: pulses. Reset: element 0 of memory 0.
    """

    def __init__(self, config: Config, *, learning: bool = True) -> None:
        self._config = config
        self._elements = elements(config, learning=learning)
        most = max(own.count for own in self._elements.values())
        neurons = config.layer.neurons
        self._index_bits = max(1, (config.layer.inputs * neurons - 1).bit_length())
        self._neuron_bits = max(1, (neurons - 1).bit_length())
        self._sizes = sizes = gate_sizes(config)
        # The rows of the weights of an input are told from a slot by one more division, unless
        # there is only one, or they hold a power of two of slots.
        divides = sizes.rows > 1 and sizes.row_slots != 1 << sizes.place_bits
        self._slot_bits = (sizes.slots - 1).bit_length() if divides else 0
        super().__init__(
            {
                "host": Out(HostSignature(config, learning=learning)),
                "word": In(WORD_BITS),
                "known": Out(1),
                "inside": Out(1),
                "fits": Out(1),
                "choose": In(1),
                "seek": In(1),
                "sought": Out(1),
                "store": In(1),
                "advance": In(1),
                "memory": Out(range(len(MEMORIES))),
                "index": Out(range(most + 1)),
                "count": Out(WORD_BITS),
                "ended": Out(1),
                "value": Out(2 * WORD_BITS),
            }
        )

    @property
    def seek_clocks(self) -> int:
        """Clock cycles from ``seek`` to ``sought``."""
        return self._index_bits + self._neuron_bits + self._slot_bits

    def elaborate(self, platform: object) -> Module:
        """Build the pointer, and the path from the row of each memory to its element."""
        m = Module()
        host = self.host
        weights, slot, lane = self._point(m)
        m.d.comb += [self.ended.eq(self.index == self.count), host.address.eq(self.index)]
        m.d.sync += [self.known.eq(0), self.fits.eq(0), self.inside.eq(self.word < self.count)]
        for own in self._elements.values():
            with m.If(self.word == own.memory.number):
                m.d.sync += self.known.eq(1)
        with m.Switch(self.memory):
            for name, own in self._elements.items():
                with m.Case(own.memory.number):
                    m.d.comb += self.count.eq(own.count)
                    m.d.sync += self.value.eq(self._element(name, lane))
                    if name in STATE and STATE[name].per != "input":
                        per_synapse = STATE[name].per == "synapse"
                        m.d.comb += host.address.eq(weights if per_synapse else slot)
                    if own.memory.access == "rw":
                        m.d.sync += self.fits.eq(_in_range(self.word, own))
                        self._write(m, name, lane)
        return m

    def _point(self, m: Module) -> tuple[Value, Value, Signal]:
        """Build the pointer; return the address of the weights, slot and lane of the element.

        The slot is right for memories of neurons. A seek divides, one bit per clock cycle.
        """
        sizes = self._sizes
        row = Signal(range(sizes.inputs * sizes.rows))
        lane = Signal(range(sizes.lanes))
        place = Signal(sizes.place_bits)
        weights: Value = Cat(place, row) if sizes.place_bits else row
        slot: Value = weights
        if self._slot_bits:
            # A register of its own, as the addresses of the weights have gaps.
            slot = Signal(self._slot_bits, name="slot")
        neuron = Signal(range(sizes.neurons))
        next_slot = Signal()
        with m.If(self.choose):
            m.d.sync += [self.memory.eq(self.word), self.index.eq(0)]
            m.d.sync += [own.eq(0) for own in (row, place, neuron, lane)]
            if self._slot_bits:
                m.d.sync += slot.eq(0)
        with m.If(self.advance):
            final = neuron == sizes.neurons - 1
            m.d.comb += next_slot.eq(final | (lane == sizes.lanes - 1))
            m.d.sync += [
                self.index.eq(self.index + 1),
                neuron.eq(Mux(final, 0, neuron + 1)),
                lane.eq(Mux(next_slot, 0, lane + 1)),
            ]
            full = (place == sizes.row_slots - 1) | final
            with m.If(next_slot):
                m.d.sync += [row.eq(row + full), place.eq(Mux(full, 0, place + 1))]
                if self._slot_bits:
                    m.d.sync += slot.eq(Mux(final, 0, slot + 1))
        self._seek(m, row, place, slot, neuron, lane)
        return weights, slot, lane

    def _seek(
        self, m: Module, row: Signal, place: Signal, slot: Value, neuron: Signal, lane: Signal
    ) -> None:
        """Divide the number of an element by the neurons, the lanes and the slots of a row."""
        sizes, places = self._sizes, self._sizes.place_bits
        dividend = Signal(self._index_bits)
        steps = Signal(range(self._index_bits))
        rest = Signal(range(sizes.neurons))
        quotient = Signal(range(sizes.slots))
        by_lanes = Signal()
        by_row = Signal()
        divisor = Mux(by_lanes, sizes.lanes, sizes.neurons)
        if self._slot_bits:
            divisor = Mux(by_row, sizes.row_slots, divisor)
        longer = Signal(self._neuron_bits + 1)
        m.d.comb += longer.eq((rest << 1) | dividend[-1])
        digit = longer >= divisor
        left = Signal(self._neuron_bits + 1)
        m.d.comb += left.eq(Mux(digit, longer - divisor, longer))
        divided = (quotient << 1) | digit

        def divide(value: Value, bits: int) -> list[Any]:
            """Return the statements that begin the division of a value of some bits."""
            return [
                dividend.eq(value << (self._index_bits - bits)),
                rest.eq(0),
                quotient.eq(0),
                steps.eq(bits - 1),
            ]

        with m.FSM(name="seek"):
            with m.State("still"), m.If(self.seek):
                m.d.sync += [self.index.eq(self.word), row.eq(0)]
                m.d.sync += divide(self.word, self._index_bits)
                m.next = "input"
            with m.State("input"):
                # The quotient is the input; only its product with the number of rows is needed.
                m.d.sync += [
                    dividend.eq(dividend << 1),
                    rest.eq(left),
                    row.eq((row << 1) + Mux(digit, sizes.rows, 0)),
                    steps.eq(steps - 1),
                ]
                with m.If(steps == 0):
                    m.d.sync += [neuron.eq(left), *divide(left, self._neuron_bits)]
                    m.next = "lane"
            with m.State("lane"):
                m.d.comb += by_lanes.eq(1)
                m.d.sync += [
                    dividend.eq(dividend << 1),
                    rest.eq(left),
                    quotient.eq(divided),
                    steps.eq(steps - 1),
                ]
                with m.If(steps == 0):
                    m.d.sync += lane.eq(left)
                    if self._slot_bits:
                        m.d.sync += [slot.eq(divided), *divide(divided, self._slot_bits)]
                        m.next = "row"
                    else:
                        m.d.comb += self.sought.eq(1)
                        rows = divided >> places if sizes.rows > 1 else 0
                        m.d.sync += [row.eq(row + rows), place.eq(divided)]
                        m.next = "still"
            if self._slot_bits:
                with m.State("row"):
                    m.d.comb += by_row.eq(1)
                    m.d.sync += [
                        dividend.eq(dividend << 1),
                        rest.eq(left),
                        quotient.eq(divided),
                        steps.eq(steps - 1),
                    ]
                    with m.If(steps == 0):
                        m.d.comb += self.sought.eq(1)
                        m.d.sync += [row.eq(row + divided), place.eq(left)]
                        m.next = "still"

    def _element(self, name: str, lane: Signal) -> Value:
        """Return the selected element of a memory."""
        host = self.host
        if name in STATE:
            own = STATE[name]
            if own.per == "synapse":
                return getattr(host, own.field)[lane]
            if own.per == "neuron":
                return Mux(host.state_blank, 0, getattr(host.state[lane], own.field))
            return Mux(host.trace_blank, 0, getattr(host.trace, own.field))
        if name in ("table_a", "table_b"):
            return getattr(host.entry, name[-1])
        if name in SCHEDULE:
            return getattr(host.schedule, SCHEDULE[name])
        return getattr(host, name)[self.index]

    def _write(self, m: Module, name: str, lane: Signal) -> None:
        """Write an element; the others in its row keep their values."""
        host = self.host
        if name == "weights":
            for number in range(self._config.layer.lanes):
                m.d.comb += [
                    host.weights_data[number].eq(self.word),
                    host.weights_enable[number].eq(self.store & (lane == number)),
                ]
            return
        row, field = ("schedule", SCHEDULE[name]) if name in SCHEDULE else ("entry", name[-1])
        data = getattr(host, f"{row}_data")
        m.d.comb += [
            data.eq(getattr(host, row)),
            getattr(data, field).eq(self.word),
            getattr(host, f"{row}_enable").eq(self.store),
        ]


def _in_range(word: Signal, own: Elements) -> Value:
    """Return whether a word is in the range of an element."""
    if own.low < 0:
        above = word[own.high.bit_length() :]
        return above.all() | ~above.any()
    return word <= own.high
