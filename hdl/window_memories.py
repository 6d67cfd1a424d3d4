"""The memories of a window: what its steps leave for the sweep."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .pipeline import NO_READ_WRITE_COLLISION

MARK_BITS = 16
"""Most input bits of a word of marks."""


def style(depth: int) -> dict[str, object]:
    """Return the attributes of a memory: block RAM, unless it is small."""
    return NO_READ_WRITE_COLLISION | ({"ram_style": "block"} if depth > 32 else {})


class StepMemory(wiring.Component):
    """Keeps the rows of all slots and steps of a window, in the order in which they come.

    Parameters
    ----------
    layout : data.Layout
        Of a row.
    depth : int
        Rows of a window.

    Members
    -------
    push, row : In
        The next row; the one after the last row of a window is its first again.
    address, shown : In, Out
        A row of the window, one clock cycle later.

    Latency: one clock cycle. Throughput: one row each clock cycle. Handshake: none; rows are not
    read while they are pushed. Reset: the next row is the first; the contents are kept.
    """

    def __init__(self, layout: data.Layout, depth: int) -> None:
        self._depth = depth
        super().__init__(
            {
                "push": In(1),
                "row": In(layout),
                "address": In(range(depth)),
                "shown": Out(layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory and the counter of its rows."""
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.row.shape(), depth=self._depth, init=[], attrs=style(self._depth)
        )
        write = memory.write_port()
        read = memory.read_port()
        place = Signal(range(self._depth), name="place")
        with m.If(self.push):
            m.d.sync += place.eq(Mux(place == self._depth - 1, 0, place + 1))
        m.d.comb += [
            write.addr.eq(place),
            write.data.eq(self.row),
            write.en.eq(self.push),
            read.addr.eq(self.address),
            self.shown.eq(read.data),
        ]
        return m


class MarkMemory(wiring.Component):
    """Keeps a bit per input and step of a window, in words; inputs come in any order.

    Parameters
    ----------
    inputs, steps : int

    Members
    -------
    mark, mark_address : In
        The input spikes in the step that is gathered.
    ended : In(1)
        Pulse: the step that is gathered has ended; a mark in this clock cycle belongs to it.
    address, shown : In, Out
        Word ``step * words + word`` of the window, one clock cycle later; no mark comes meanwhile.
    wipe : In(1)
        Clear the word that was read one clock cycle ago.
    clear, clear_address : In
        While ``clear`` is high, clear the word at an address.

    Latency: one clock cycle. Throughput: one mark, or one word, each clock cycle. Handshake: none.
    Reset: the step that is gathered is the first; the memory needs ``clear``.
    """

    def __init__(self, inputs: int, steps: int) -> None:
        self.width = min(inputs, MARK_BITS)
        self.words = -(-inputs // self.width)
        self.depth = self.words * steps
        self._steps = steps
        super().__init__(
            {
                "mark": In(1),
                "mark_address": In(range(inputs)),
                "ended": In(1),
                "address": In(range(self.depth)),
                "shown": Out(self.width),
                "wipe": In(1),
                "clear": In(1),
                "clear_address": In(range(self.depth)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory; a mark reads its word, and writes it back one clock cycle later."""
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.width, depth=self.depth, init=[], attrs=style(self.depth)
        )
        write = memory.write_port()
        read = memory.read_port()
        base = Signal(range(self.depth), name="base")
        with m.If(self.ended):
            last = base == self.depth - self.words
            m.d.sync += base.eq(Mux(last, 0, base + self.words))
        marked, bit = Signal(name="marked"), Signal(range(self.width), name="bit")
        place = Signal(range(self.depth), name="place")
        repeats, before = Signal(name="repeats"), Signal(self.width, name="before")
        here = Signal(range(self.depth), name="here")
        # Either a word holds all inputs, or words have a power of two of bits.
        low = (self.width - 1).bit_length()
        m.d.comb += here.eq(base + (self.mark_address >> low if self.words > 1 else 0))
        m.d.sync += [
            marked.eq(self.mark), place.eq(read.addr),
            bit.eq(self.mark_address[:low] if self.words > 1 else self.mark_address),
            # A word that is just being written is taken from what is written.
            repeats.eq(self.mark & marked & (here == place)),
            before.eq(write.data),
        ]  # fmt: skip
        m.d.comb += [
            read.addr.eq(Mux(self.mark, here, self.address)),
            self.shown.eq(read.data),
            write.addr.eq(place),
            write.data.eq(Mux(repeats, before, read.data) | (1 << bit)),
            write.en.eq(marked),
        ]
        with m.If(self.wipe):
            m.d.comb += [write.en.eq(1), write.data.eq(0)]
        with m.If(self.clear):
            m.d.comb += [write.en.eq(1), write.data.eq(0), write.addr.eq(self.clear_address)]
        return m
