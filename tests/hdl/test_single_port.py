# amaranth: UnusedElaboratable=no
"""The memory with one port against a list of rows."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Shape, Value
from amaranth.lib import data
from amaranth.sim import Simulator

from bitlif.hdl.single_port import SinglePortMemory
from bitlif.model.errors import BitlifError


def clocked(dut: SinglePortMemory, steps: list[tuple[int, int, int]]) -> list[int]:
    """Return what is read one clock cycle after each address, write enable and row to write."""
    seen = []

    async def bench(ctx: Any) -> None:
        for address, enable, value in steps:
            ctx.set(dut.address, address)
            ctx.set(dut.enable, enable)
            ctx.set(Value.cast(dut.data), value)
            await ctx.tick()
            seen.append(ctx.get(Value.cast(dut.read)))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


@pytest.mark.parametrize(
    ("depth", "shape", "parts"),
    [(1, 7, 1), (2, 6, 3), (13, 12, 2), (20, data.ArrayLayout(5, 4), 4), (9, 70, 1)],
)
def test_rows_and_parts_are_written_and_read(depth: int, shape: Any, parts: int) -> None:
    source = random.Random(f"{depth} {parts}")
    width = Shape.cast(shape).width
    part = width // parts
    rows = [0] * depth
    steps, expected = [], []
    for _ in range(300):
        address, value = source.randrange(depth), source.getrandbits(width)
        enable = source.getrandbits(parts) if source.random() < 0.5 else 0
        steps.append((address, enable, value))
        expected.append(rows[address])
        for place in range(parts):
            if enable >> place & 1:
                mask = ((1 << part) - 1) << place * part
                rows[address] = rows[address] & ~mask | value & mask
    seen = clocked(SinglePortMemory(depth, shape, parts=parts), steps)
    # After a write, what is read is undefined.
    defined = [place for place, (_, enable, _) in enumerate(steps) if not enable]
    assert len(defined) > 100
    assert [seen[place] for place in defined] == [expected[place] for place in defined]


@pytest.mark.parametrize("parts", [0, 3])
def test_parts_are_equal(parts: int) -> None:
    with pytest.raises(BitlifError, match=f"^a row of 8 bits has no {parts} equal parts$"):
        SinglePortMemory(4, 8, parts=parts)
