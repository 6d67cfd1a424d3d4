"""Which inputs spiked in a step, for the traces."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

BANKS = 3
"""Steps that are marked at a time: one is gathered, one waits, and the traces read one."""


class SpikeMarks(wiring.Component):
    """Keeps a bit per input for up to three steps; reading a step clears it.

    Parameters
    ----------
    inputs : int
    attrs : dict
        Attributes of the memories.

    Members
    -------
    mark, mark_address : In
        The input spikes in the step that is gathered.
    ended : In(1)
        Pulse: the step that is gathered has ended; a mark in this clock cycle belongs to it.
    read, read_address : In
        Read and clear the bit of an input in the oldest step.
    finished : In(1)
        Pulse with the last ``read`` of a step: the next ``read`` is of the next step.
    marked : Out(1)
        The bit, one clock cycle after ``read``.
    clear, clear_address : In
        While ``clear`` is high, clear the bit of the input in all steps.

    Latency: one clock cycle. Throughput: one mark and one read per clock cycle. Handshake: none;
    with `BANKS` steps in progress, ``ended`` must come after ``finished``, not with it. Reset: the
    oldest step is the one that is gathered; the memories need ``clear``.
    """

    def __init__(self, inputs: int, attrs: dict[str, Any]) -> None:
        self._inputs, self._attrs = inputs, attrs
        super().__init__(
            {
                "mark": In(1),
                "mark_address": In(range(inputs)),
                "ended": In(1),
                "read": In(1),
                "read_address": In(range(inputs)),
                "finished": In(1),
                "marked": Out(1),
                "clear": In(1),
                "clear_address": In(range(inputs)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build a memory per step, as the mark of one and the clearing of another coincide."""
        m = Module()
        # One-hot numbers of the steps that are gathered, read, and were read a clock cycle ago.
        filled = Signal(BANKS, init=1, name="filled")
        drained = Signal(BANKS, init=1, name="drained")
        shown = Signal(BANKS, name="shown")
        cleared, place = Signal(name="cleared"), Signal.like(self.read_address, name="place")
        with m.If(self.ended):
            m.d.sync += filled.eq(filled.rotate_left(1))
        with m.If(self.finished):
            m.d.sync += drained.eq(drained.rotate_left(1))
        m.d.sync += [shown.eq(drained), cleared.eq(self.read), place.eq(self.read_address)]
        bits = []
        for bank in range(BANKS):
            memory = Memory(shape=1, depth=self._inputs, init=[], attrs=self._attrs)
            m.submodules[f"bank_{bank}"] = memory
            read = memory.read_port()
            write = memory.write_port()
            m.d.comb += read.addr.eq(self.read_address)
            with m.If(self.clear):
                m.d.comb += [write.en.eq(1), write.addr.eq(self.clear_address)]
            with m.Elif(shown[bank] & cleared):
                m.d.comb += [write.en.eq(1), write.addr.eq(place)]
            with m.Else():
                m.d.comb += [
                    write.en.eq(self.mark & filled[bank]),
                    write.addr.eq(self.mark_address),
                    write.data.eq(1),
                ]
            bits.append(read.data & shown[bank])
        m.d.comb += self.marked.eq(Cat(*bits).any())
        return m
