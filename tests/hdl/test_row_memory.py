"""Rows of weights and sums against lists, with one port and with two."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Value, signed
from amaranth.lib import data
from unit_clock import drive, simulate

from bitlif.hdl.row_memory import RowMemory, sum_memory, weight_memory
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes

LAYOUT = data.ArrayLayout(signed(6), 4)


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(("depth", "parts"), [(1, 1), (5, 4), (8, 2), (9, 1)])
def test_rows_and_parts_are_written_and_read(depth: int, parts: int, single: bool) -> None:
    source, width = random.Random(f"{depth} {parts} {single}"), 24 // parts
    init = [] if single else [[n, -n, n + 1, 0] for n in range(depth)]
    unit = RowMemory(LAYOUT, depth, init, single=single, parts=parts)
    rows = [LAYOUT.const(row).as_bits() for row in init] or [0] * depth
    compared = 0

    async def bench(ctx: Any) -> None:
        nonlocal compared
        expected = None
        for clock in range(500):
            if expected is not None:
                compared += 1
                assert ctx.get(Value.cast(unit.row)) == expected
            read, at = source.randrange(depth), source.randrange(depth)
            # A new memory of one port has undefined rows.
            if single and clock < depth:
                at, write = clock, (1 << parts) - 1
            else:
                write = source.getrandbits(parts) if source.random() < 0.5 else 0
            written = source.getrandbits(24)
            ctx.set(unit.read_address, read)
            ctx.set(unit.write, write)
            ctx.set(unit.write_address, at)
            ctx.set(Value.cast(unit.written), written)
            # One port reads only without a write; two ports must not collide.
            blind = write and (single or read == at)
            expected = None if blind else rows[read]
            for part in range(parts):
                if write >> part & 1:
                    mask = (1 << width) - 1 << part * width
                    rows[at] = rows[at] & ~mask | written & mask
            await ctx.tick()

    simulate(unit, bench)
    assert compared > 150


@pytest.mark.parametrize("port", ["none", "weights", "all"])
def test_memories_have_the_sizes_of_the_gates(port: str) -> None:
    config = Config.load("tiny").replace(
        layer__inputs=5, layer__neurons=7, layer__lanes=2, gates__synapses=4, gates__products=6,
        gates__single_port=port,
    )  # fmt: skip
    sizes = gate_sizes(config)
    weights, sums = weight_memory(config), sum_memory(config)
    for memory in (weights, sums):
        drive(memory, [{}])
    assert (sizes.rows, sizes.groups) == (2, 2)
    # A write enable for each weight, and one for a row of sums.
    assert (len(weights.write), len(sums.write)) == (4, 1)
    assert (len(weights.row), len(sums.row)) == (4, 6)
    assert len(weights.read_address) == (5 * 2 - 1).bit_length()
    assert len(sums.read_address) == (5 * 2 - 1).bit_length()
