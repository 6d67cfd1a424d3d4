"""Access to single elements of the memories of a core, by their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.hdl.host_port import HostSignature
from bitlif.hdl.network_port import SweptHostSignature
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.state import state_variables

from .register_map import Place, RegisterMap, register_map
from .registers import SCHEDULE, WORD_BITS, Elements

STATE = {own.name: own for own in state_variables()}
"""Memories that hold state variables."""


def host_signatures(
    config: Config | NetworkConfig, *, learning: bool
) -> list[HostSignature | SweptHostSignature]:
    """Return the signature of the host port of each layer of a core."""
    if isinstance(config, Config):
        return [HostSignature(config, learning=learning)]
    if learning:
        return [SweptHostSignature(config, number) for number in range(len(config.layers))]
    return [HostSignature(own.config, learning=False) for own in config.layers]


def element_ports(config: Config | NetworkConfig, *, learning: bool = True) -> list[ElementPort]:
    """Return the element port of each layer of a core."""
    own = register_map(config, learning=learning)
    hosts = host_signatures(config, learning=learning)
    return [ElementPort(own, place, host) for place, host in zip(own.places, hosts, strict=True)]


class ElementPort(wiring.Component):
    """Keeps a pointer to an element of a memory; reads, writes and advances.

    Parameters
    ----------
    map_ : RegisterMap
        Of the core.
    place : Place
        The layer whose memories are reached.
    host : signature
        Of its host port.

    Members
    -------
    host : Out(HostSignature or SweptHostSignature)
        Host port of the layer.
    word : In(32)
        Number of a memory, number of an element, or value; stable from two clock cycles before use.
    known, inside, fits : Out(1)
        Whether ``word``, two clock cycles earlier, was the number of a memory of this core, of an
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
    show : In(1)
    value : Out(32)
        Lower half of the element, sign-extended to 64 bits, after 3 clock cycles without a change
        of core or pointer; 0 unless ``show`` was high in the last clock cycle.
    high : Out(32)
        Upper half of the last element that was left by ``advance`` without ``store``; ``show``
        must have been high in the clock cycle before.

    Latency: 3 clock cycles to read, `seek_clocks` to seek. Throughput: one write per clock cycle.
    Handshake: pulses. Reset: element 0 of memory 0.
    """

    def __init__(
        self, map_: RegisterMap, place: Place, host: HostSignature | SweptHostSignature
    ) -> None:
        self._config, self._elements = place.config, place.elements
        most = max(own.count for own in self._elements.values())
        numbers = max(own.number for own in map_.memories.values()) + 1
        self._sizes = gate_sizes(place.config)
        super().__init__(
            {
                "host": Out(host),
                "word": In(WORD_BITS),
                "known": Out(1),
                "inside": Out(1),
                "fits": Out(1),
                "choose": In(1),
                "seek": In(1),
                "sought": Out(1),
                "store": In(1),
                "advance": In(1),
                "memory": Out(range(numbers)),
                "index": Out(range(most + 1)),
                "count": Out(range(most + 1)),
                "ended": Out(1),
                "show": In(1),
                "value": Out(WORD_BITS),
                "high": Out(WORD_BITS),
            }
        )

    def seek_clocks(self, element: int) -> int:
        """Return the clock cycles from ``seek`` to ``sought`` for an element of the weights.

        A seek steps over the inputs and then over the neurons, one per two clock cycles: it needs
        no divider, and addresses are written seldom.
        """
        return 2 * (sum(divmod(element, self._sizes.neurons)) + 2)

    def elaborate(self, platform: object) -> Module:
        """Build the pointer, and the path from the row of each memory to its element."""
        m = Module()
        host, word = self.host, self.word
        weights, slot, lane = self._point(m)
        clear = _clear_from(m, word, [len(self.count), len(self.memory), *self._widths()])
        index_bits, memory_bits = len(self.count), len(self.memory)
        m.d.comb += [self.ended.eq(self.index == self.count), host.address.eq(self.index)]
        m.d.sync += [
            self.known.eq(0),
            self.fits.eq(0),
            self.inside.eq(clear(index_bits) & (word[:index_bits] < self.count)),
        ]
        numbers = [own.memory.number for own in self._elements.values()]
        with m.Switch(word[:memory_bits]), m.Case(*numbers):
            m.d.sync += self.known.eq(clear(memory_bits))
        m.d.comb += [host.weights_data[own].eq(word) for own in range(self._config.layer.lanes)]
        chosen = {name: Signal(name=f"is_{name}") for name in self._elements}
        for row, names in (("schedule", SCHEDULE), ("entry", ("table_a", "table_b"))):
            if not chosen.keys().isdisjoint(names):
                # An element is written with its row; the others keep their values.
                m.d.comb += getattr(host, f"{row}_data").eq(getattr(host, row))
        fits = {
            name: _in_range(m, word, own, clear)
            for name, own in self._elements.items()
            if own.memory.access == "rw"
        }
        with m.Switch(self.memory):
            for name, own in self._elements.items():
                with m.Case(own.memory.number):
                    m.d.comb += [chosen[name].eq(1), self.count.eq(own.count)]
                    if name in STATE and STATE[name].per != "input":
                        per_synapse = STATE[name].per == "synapse"
                        m.d.comb += host.address.eq(weights if per_synapse else slot)
                    if name in fits:
                        m.d.sync += self.fits.eq(fits[name])
                        self._write(m, name, lane)
        element = Signal(2 * WORD_BITS)
        terms = []
        for name, here in chosen.items():
            shown = Signal(name=f"shows_{name}")
            m.d.sync += shown.eq(self.show & here & ~self._blank(name))
            terms.append(Mux(shown, self._element(name, lane), 0))
        m.d.comb += [element.eq(reduce(or_, terms)), self.value.eq(element)]
        with m.If(self.advance & ~self.store):
            m.d.sync += self.high.eq(element[WORD_BITS:])
        return m

    def _widths(self) -> list[int]:
        """Return the numbers of bits of the elements that can be written, without a sign."""
        written = (own for own in self._elements.values() if own.memory.access == "rw")
        return [own.high.bit_length() for own in written]

    def _point(self, m: Module) -> tuple[Value, Value, Signal]:
        """Build the pointer; return the address of the weights, slot and lane of the element.

        The slot is right for memories of neurons.
        """
        sizes = self._sizes
        row = Signal(range(sizes.inputs * sizes.rows))
        lane = Signal(range(sizes.lanes))
        place = Signal(sizes.place_bits)
        weights: Value = Cat(place, row) if sizes.place_bits else row
        # The addresses of the weights have gaps unless a row holds a power of two of slots.
        gaps = sizes.rows > 1 and sizes.row_slots != 1 << sizes.place_bits
        slot: Value = Signal(range(sizes.slots), name="slot") if gaps else weights
        neuron = Signal(range(sizes.neurons))
        counters = [row, place, neuron, lane, *([slot] if gaps else [])]
        next_neuron, next_input = self._seek(m)
        step = self.advance | next_neuron
        final = neuron == sizes.neurons - 1
        next_slot = final | (lane == sizes.lanes - 1)
        full = (place == sizes.row_slots - 1) | final
        # One adder: a neuron moves the row by one, an input by all its rows.
        rows = Signal(range(sizes.rows + 1))
        m.d.comb += rows.eq(Mux(next_input, sizes.rows, step & next_slot & full))
        with m.If(self.choose | self.seek):
            m.d.sync += [own.eq(0) for own in counters]
        with m.Else():
            m.d.sync += row.eq(row + rows)
            with m.If(step):
                m.d.sync += [
                    neuron.eq(Mux(final, 0, neuron + 1)),
                    lane.eq(Mux(next_slot, 0, lane + 1)),
                ]
                with m.If(next_slot):
                    m.d.sync += place.eq(Mux(full, 0, place + 1))
                    if gaps:
                        m.d.sync += slot.eq(Mux(final, 0, slot + 1))
        with m.If(self.choose):
            m.d.sync += self.memory.eq(self.word)
        return weights, slot, lane

    def _seek(self, m: Module) -> tuple[Signal, Signal]:
        """Build the number of the element; return its pulses to the next neuron and next input."""
        following = Signal(len(self.index) + 1)
        # A register, compared in one clock cycle and used in the next.
        reached = Signal()
        compared = Signal()
        next_neuron = Signal()
        next_input = Signal()
        m.d.sync += [
            reached.eq(following > self.word[: len(self.index)]),
            compared.eq(0),
        ]
        with m.FSM(name="seek") as seeking:
            with m.State("still"), m.If(self.seek):
                m.next = "inputs"
            with m.State("inputs"):
                m.d.sync += compared.eq(~compared)
                m.d.comb += next_input.eq(compared & ~reached)
                with m.If(compared & reached):
                    m.next = "neurons"
            with m.State("neurons"):
                m.d.sync += compared.eq(~compared)
                m.d.comb += [
                    next_neuron.eq(compared & ~reached),
                    self.sought.eq(compared & reached),
                ]
                with m.If(compared & reached):
                    m.next = "still"
        width = Mux(seeking.ongoing("inputs"), self._sizes.neurons, 1)
        m.d.comb += following.eq(self.index + width)
        with m.If(self.choose | self.seek):
            m.d.sync += self.index.eq(0)
        with m.Elif(self.advance | next_neuron | next_input):
            m.d.sync += self.index.eq(following)
        return next_neuron, next_input

    def _blank(self, name: str) -> Value:
        """Return whether a memory reads as zero whatever it holds."""
        per = STATE[name].per if name in STATE else ""
        if per == "neuron":
            return self.host.state_blank
        return self.host.trace_blank if per == "input" else Value.cast(0)

    def _element(self, name: str, lane: Signal) -> Value:
        """Return the selected element of a memory."""
        host = self.host
        if name in STATE:
            own = STATE[name]
            if own.per == "synapse":
                return getattr(host, own.field)[lane]
            if own.per == "neuron":
                return getattr(host.state[lane], own.field)
            return getattr(host.trace, own.field)
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
                m.d.comb += host.weights_enable[number].eq(self.store & (lane == number))
            return
        row, field = ("schedule", SCHEDULE[name]) if name in SCHEDULE else ("entry", name[-1])
        m.d.comb += [
            getattr(getattr(host, f"{row}_data"), field).eq(self.word),
            getattr(host, f"{row}_enable").eq(self.store),
        ]


def _clear_from(m: Module, word: Signal, places: Iterable[int]) -> Callable[[int], Value]:
    """Return a function of one of the places: whether all bits from it upwards were 0.

    The flags are registers; each is built from the bits of the next higher one, and some more.
    """
    flags: dict[int, Value] = {}
    above: Value = Value.cast(1)
    top = len(word)
    for place in sorted(set(places), reverse=True):
        if place < top:
            above = above & ~word[place:top].any()
            top = place
        flag = Signal(init=1, name=f"clear_from_{place}")
        m.d.sync += flag.eq(above)
        flags[place] = flag
    return flags.__getitem__


def _in_range(m: Module, word: Signal, own: Elements, clear: Callable[[int], Value]) -> Value:
    """Return whether a word was in the range of an element, a clock cycle later."""
    bits = own.high.bit_length()
    if own.low < 0:
        negative = Signal(name=f"{own.memory.name}_negative")
        m.d.sync += negative.eq(word[bits:].all())
        return negative | clear(bits)
    within = clear(bits)
    return within if own.high == (1 << bits) - 1 else within & (word[:bits] <= own.high)
