"""Access to single elements of the memories of a core, whose rows are as wide as its lanes."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.hdl.host_port import HostSignature
from bitlif.model.config.config import Config
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
        The element, sign-extended, after 2 clock cycles without a change of core or pointer.

    Latency: 2 clock cycles to read, `seek_clocks` to seek. Throughput: one write per clock cycle.
    Handshake: pulses. Reset: element 0 of memory 0.
    """

    def __init__(self, config: Config, *, learning: bool = True) -> None:
        self._config = config
        self._elements = elements(config, learning=learning)
        most = max(own.count for own in self._elements.values())
        neurons = config.layer.neurons
        self._index_bits = max(1, (config.layer.inputs * neurons - 1).bit_length())
        self._neuron_bits = max(1, (neurons - 1).bit_length())
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
        return self._index_bits + self._neuron_bits

    def elaborate(self, platform: object) -> Module:
        """Build the pointer, and the path from the row of each memory to its element."""
        m = Module()
        sizes, host = self._config.layer, self.host
        row, lane = Signal(range(sizes.inputs * sizes.slots)), Signal(range(sizes.lanes))
        self._point(m, row, lane)
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
                        m.d.comb += host.address.eq(row)
                    if own.memory.access == "rw":
                        m.d.sync += self.fits.eq(_in_range(self.word, own))
                        self._write(m, name, lane)
        return m

    def _point(self, m: Module, row: Signal, lane: Signal) -> None:
        """Build element number, row and lane; a seek divides, one bit per clock cycle."""
        sizes = self._config.layer
        neuron = Signal(range(sizes.neurons))
        dividend, steps = Signal(self._index_bits), Signal(range(self._index_bits))
        rest, slot = Signal(range(sizes.neurons)), Signal(range(sizes.slots))
        by_lanes = Signal()
        divisor = Mux(by_lanes, sizes.lanes, sizes.neurons)
        longer = Signal(self._neuron_bits + 1)
        m.d.comb += longer.eq((rest << 1) | dividend[-1])
        digit, left = longer >= divisor, Signal(self._neuron_bits + 1)
        m.d.comb += left.eq(Mux(digit, longer - divisor, longer))
        with m.If(self.choose):
            m.d.sync += [
                self.memory.eq(self.word),
                self.index.eq(0),
                row.eq(0),
                neuron.eq(0),
                lane.eq(0),
            ]
        with m.If(self.advance):
            final = neuron == sizes.neurons - 1
            m.d.sync += [
                self.index.eq(self.index + 1),
                neuron.eq(Mux(final, 0, neuron + 1)),
                lane.eq(lane + 1),
            ]
            with m.If(final | (lane == sizes.lanes - 1)):
                m.d.sync += [lane.eq(0), row.eq(row + 1)]
        with m.FSM(name="seek"):
            with m.State("still"), m.If(self.seek):
                m.d.sync += [
                    self.index.eq(self.word),
                    dividend.eq(self.word),
                    rest.eq(0),
                    row.eq(0),
                    steps.eq(self._index_bits - 1),
                ]
                m.next = "input"
            with m.State("input"):
                # The quotient is the input; only its product with the number of slots is needed.
                m.d.sync += [
                    dividend.eq(dividend << 1),
                    rest.eq(left),
                    row.eq((row << 1) + Mux(digit, sizes.slots, 0)),
                    steps.eq(steps - 1),
                ]
                with m.If(steps == 0):
                    m.d.sync += [
                        neuron.eq(left),
                        dividend.eq(left << (self._index_bits - self._neuron_bits)),
                        rest.eq(0),
                        slot.eq(0),
                        steps.eq(self._neuron_bits - 1),
                    ]
                    m.next = "lane"
            with m.State("lane"):
                m.d.comb += by_lanes.eq(1)
                m.d.sync += [
                    dividend.eq(dividend << 1),
                    rest.eq(left),
                    slot.eq((slot << 1) | digit),
                    steps.eq(steps - 1),
                ]
                with m.If(steps == 0):
                    m.d.comb += self.sought.eq(1)
                    m.d.sync += [lane.eq(left), row.eq(row + ((slot << 1) | digit))]
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
