"""A memory with one port, which either reads or writes, such as the large RAM of a UP5K."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Shape, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.errors import BitlifError

from .core_signals import SINGLE_PORT
from .pipeline import NO_READ_WRITE_COLLISION


class SinglePortMemory(wiring.Component):
    """A memory that reads or writes one row in each clock cycle.

    Its rows are undefined at power-up, as no bitstream initialises the large RAM of a UP5K.
    Simulations of the exported Verilog start with arbitrary rows.

    Parameters
    ----------
    depth : int
        Number of rows.
    shape : shape-like
        Of a row.
    parts : int
        Parts of a row, equally wide, with a write enable each.

    Members
    -------
    address : In(range(depth))
        The row that is read or written.
    enable : In(parts)
        Write these parts; the lowest bit is that of the lowest bits of the row. Zero: read.
    data : In(shape)
        The row to write.
    read : Out(shape)
        The row that was read; undefined after a clock cycle with a write.

    Raises
    ------
    BitlifError
        If a row does not consist of `parts` parts.

    Latency: ``read`` is valid one clock cycle after its address, for one clock cycle. A row that
    was written can be read in the next clock cycle. Throughput: one read or write per clock cycle.
    Handshake: none. Reset: none; rows keep their values.
    """

    def __init__(self, depth: int, shape: Any, *, parts: int = 1) -> None:
        self._depth, self._width = depth, Shape.cast(shape).width
        if parts < 1 or self._width % parts:
            raise BitlifError(f"a row of {self._width} bits has no {parts} equal parts")
        self._parts = parts
        super().__init__(
            {
                "address": In(range(depth)),
                "enable": In(parts),
                "data": In(shape),
                "read": Out(shape),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory, whose two ports share one address and never work together."""
        m = Module()
        memory = Memory(
            shape=self._width,
            depth=self._depth,
            init=[],
            attrs={SINGLE_PORT: self._parts} | NO_READ_WRITE_COLLISION,
        )
        m.submodules[SINGLE_PORT] = memory
        write = memory.write_port(granularity=self._width // self._parts)
        read = memory.read_port()
        m.d.comb += [
            write.addr.eq(self.address),
            write.data.eq(self.data),
            write.en.eq(self.enable),
            read.addr.eq(self.address),
            read.en.eq(~self.enable.any()),
            Value.cast(self.read).eq(read.data),
        ]
        return m
