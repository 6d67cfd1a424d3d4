"""The memories of a window and the walk over their bits, in every clock cycle."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.lib import data
from unit_clock import drive, simulate

from bitlif.hdl.bit_walk import BitWalk
from bitlif.hdl.window_memories import MarkMemory, StepMemory


@pytest.mark.parametrize("inputs", [1, 7, 16, 17, 40])
def test_marks_are_kept_in_any_order(inputs: int) -> None:
    rng, steps = random.Random(inputs), 3
    unit = MarkMemory(inputs, steps)
    marked = [rng.sample(range(inputs), rng.randint(0, inputs)) for _ in range(steps)]
    seen: list[int] = []

    async def read(ctx: Any, *, wipe: bool) -> None:
        seen.clear()
        for address in range(unit.depth):
            ctx.set(unit.address, address)
            await ctx.tick()
            seen.append(ctx.get(unit.shown))
            ctx.set(unit.wipe, wipe)
            await ctx.tick()
            ctx.set(unit.wipe, 0)

    async def bench(ctx: Any) -> None:
        for step in marked:
            # One mark each clock cycle; the last comes with the end of its step.
            for place, address in enumerate(step):
                ctx.set(unit.mark, 1)
                ctx.set(unit.mark_address, address)
                ctx.set(unit.ended, place == len(step) - 1)
                await ctx.tick()
            ctx.set(unit.mark, 0)
            ctx.set(unit.ended, not step)
            await ctx.tick()
            ctx.set(unit.ended, 0)
        await ctx.tick()
        for wipe in (False, True):
            await read(ctx, wipe=wipe)
            found = [
                [
                    word * unit.width + bit
                    for word in range(unit.words)
                    for bit in range(unit.width)
                    if seen[step * unit.words + word] >> bit & 1
                ]
                for step in range(steps)
            ]
            assert found == [sorted(step) for step in marked]
        await read(ctx, wipe=False)
        assert not any(seen)

    simulate(unit, bench)


def test_clear_empties_all_marks() -> None:
    unit = MarkMemory(3, 2)
    rows = [
        {"mark": 1, "mark_address": 2}, {"mark": 0, "ended": 1}, {"ended": 0},
        {"clear": 1, "clear_address": 0}, {"clear_address": 1}, {"clear": 0, "address": 0}, {}, {},
    ]  # fmt: skip
    assert drive(unit, rows, "shown")[-1] == (0,)


def test_rows_of_a_window_begin_anew_after_the_last() -> None:
    unit = StepMemory(data.StructLayout({"value": 4}), 3)
    rows = [{"push": 1, "row": {"value": value}} for value in (1, 2, 3, 4)]
    reads = [{"push": 0, "address": address} for address in (0, 1, 2)]
    shown = drive(unit, [*rows, *reads, {}], "shown")
    assert [own[0].value for own in shown[-3:]] == [4, 2, 3]


def walked(unit: BitWalk, memory: list[int], most: int) -> tuple[list[Any], list[int]]:
    """Start a walk in clock cycle 0; return what it shows, and the clock cycles of ``done``."""
    shown: list[Any] = []
    ends: list[int] = []

    async def bench(ctx: Any) -> None:
        ctx.set(unit.start, 1)
        word = 0
        for clock in range(most):
            ctx.set(unit.word, word)
            if ctx.get(unit.valid):
                shown.append([ctx.get(own) for own in (unit.at, unit.lane, unit.row, unit.tail)])
            if ctx.get(unit.done):
                ends.append(clock)
            place = ctx.get(unit.place)
            word = memory[place] if place < len(memory) else 0
            await ctx.tick()
            ctx.set(unit.start, 0)

    simulate(unit, bench)
    return shown, ends


@pytest.mark.parametrize(("words", "width", "rows"), [(1, 1, 1), (1, 5, 3), (4, 3, 1), (3, 4, 2)])
def test_walk_shows_every_bit_in_the_stated_clock_cycle(words: int, width: int, rows: int) -> None:
    rng = random.Random(words)
    for _ in range(12):
        memory = [rng.getrandbits(width) & rng.getrandbits(width) for _ in range(words)]
        found = walked(BitWalk(words, width, rows), memory, words * (1 + width * rows) + 4)
        bits = sum(own.bit_count() for own in memory)
        expected = [
            [at, lane, row, int(row == rows - 1)]
            for at in range(words)
            for lane in range(width)
            if memory[at] >> lane & 1
            for row in range(rows)
        ]
        assert found == (expected, [words + rows * bits])
