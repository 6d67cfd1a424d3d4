"""The memories of weights and gradient: rows of many synapses, with two ports or with one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.interval import Interval

from .fixed import shape_for, shape_of
from .pipeline import NO_READ_WRITE_COLLISION
from .single_port import SinglePortMemory


class RowMemory(wiring.Component):
    """A memory of rows that is read and written, with one port for both or with two.

    Parameters
    ----------
    layout : data.ArrayLayout
        Of a row.
    depth : int
        Number of rows.
    init : sequence
        Initial rows; zeros after it. A memory of one port must have none.
    single : bool
        Whether reads and writes share a port; see `SinglePortMemory`.
    parts : int
        Number of equal parts of a row with a write enable each.

    Members
    -------
    read_address : In
    row : Out
        The row, one clock cycle later; undefined if it is written in the clock cycle of its read.
    write : In(parts)
    write_address, written : In

    Latency: one clock cycle. Throughput: a read and a write per clock cycle, or one of them with a
    single port, where a write takes precedence. Handshake: none. Reset: the contents are kept.
    """

    def __init__(
        self,
        layout: data.ArrayLayout,
        depth: int,
        init: Sequence[Any] = (),
        *,
        single: bool = False,
        parts: int = 1,
    ) -> None:
        self._layout, self._depth, self._init = layout, depth, list(init)
        self._single, self._parts = single, parts
        super().__init__(
            {
                "read_address": In(range(depth)),
                "row": Out(layout),
                "write": In(parts),
                "write_address": In(range(depth)),
                "written": In(layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory and its ports."""
        m = Module()
        if self._single:
            m.submodules.memory = one = SinglePortMemory(
                self._depth, self._layout, parts=self._parts
            )
            writes = self.write.any()
            m.d.comb += [
                one.address.eq(Mux(writes, self.write_address, self.read_address)),
                one.enable.eq(self.write),
                one.data.eq(self.written),
                self.row.eq(one.read),
            ]
            return m
        m.submodules.memory = memory = Memory(
            shape=self._layout, depth=self._depth, init=self._init, attrs=NO_READ_WRITE_COLLISION
        )
        granularity = self._layout.length // self._parts if self._parts > 1 else None
        read = memory.read_port()
        write = memory.write_port(granularity=granularity)
        m.d.comb += [
            read.addr.eq(self.read_address),
            self.row.eq(read.data),
            write.addr.eq(self.write_address),
            write.data.eq(self.written),
            write.en.eq(self.write),
        ]
        return m


def weight_layout(config: Config) -> data.ArrayLayout:
    """Return a row of S weights."""
    return data.ArrayLayout(shape_of(config.synapse.weight), gate_sizes(config).synapses)


def weight_memory(config: Config, init: Sequence[Any] = ()) -> RowMemory:
    """Return the memory of the weights, whose rows hold S weights, with an enable for each."""
    sizes = gate_sizes(config)
    depth = sizes.inputs * sizes.rows
    return RowMemory(
        weight_layout(config), depth, init, single=sizes.single_weights, parts=sizes.synapses
    )


def sum_memory(config: Config, gradient: Interval | None = None) -> RowMemory:
    """Return the memory of the gradient, whose rows hold the sums of L synapses.

    `gradient` is the range of a sum; None for that of a single layer.
    """
    sizes = gate_sizes(config)
    shape = shape_for(gradient or derive(config).ranges["gradient"])
    layout = data.ArrayLayout(shape, sizes.products)
    return RowMemory(layout, sizes.inputs * sizes.groups, single=sizes.single_gradient)
