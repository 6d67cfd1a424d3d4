"""The adjoint currents of one step of a layer, in rows of S."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes

from .fixed import shape_of
from .pipeline import Pipe
from .row_memory import RowMemory


class CurrentRows(wiring.Component):
    """Keeps the adjoint currents of a step in rows, as the weights are kept.

    Parameters
    ----------
    config : bitlif.NetworkConfig
    number : int
        Of the layer.

    Members
    -------
    push, currents, ended : In
        P adjoint currents of the next slot; ``ended`` with the last slot of a step.
    read_row, row : In, Out
        S adjoint currents, 2 clock cycles later. Those of slots after the last are undefined.

    Latency: 2 clock cycles. Throughput: one slot and one row each clock cycle. Handshake: none; no
    row is read while it is pushed. Reset: the next slot is the first.
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        own = config.layers[number]
        self._sizes = sizes = gate_sizes(own.config)
        current = shape_of(own.sweep.current)
        self._layout = data.ArrayLayout(current, sizes.synapses)
        super().__init__(
            {
                "push": In(1),
                "currents": In(data.ArrayLayout(current, sizes.lanes)),
                "ended": In(1),
                "read_row": In(range(sizes.rows)),
                "row": Out(self._layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory, and the place of the next slot."""
        m = Module()
        sizes, pipe = self._sizes, Pipe(m)
        m.submodules.rows = kept = RowMemory(self._layout, sizes.rows, parts=sizes.row_slots)
        row = Signal(range(sizes.rows), name="next_row")
        part = Signal(range(sizes.row_slots), name="next_part")
        with m.If(self.push):
            m.d.sync += part.eq(part + 1)
            with m.If(part == sizes.row_slots - 1):
                m.d.sync += [part.eq(0), row.eq(row + 1)]
            with m.If(self.ended):
                m.d.sync += [part.eq(0), row.eq(0)]
        m.d.comb += [
            kept.write.eq(Cat(self.push & (part == own) for own in range(sizes.row_slots))),
            kept.write_address.eq(row),
            kept.read_address.eq(self.read_row),
            self.row.eq(pipe.register(kept.row, "shown")),
        ]
        for number in range(sizes.synapses):
            m.d.comb += kept.written[number].eq(self.currents[number % sizes.lanes])
        return m
