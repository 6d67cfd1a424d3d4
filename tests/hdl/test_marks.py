"""The bits of inputs that spiked, against a queue of sets."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest
from unit_clock import drive, simulate

from bitlif.hdl.marks import BANKS, SpikeMarks


def clear(inputs: int) -> list[dict[str, Any]]:
    """Return the rows that clear all memories after a reset."""
    rows = [{"clear": 1, "clear_address": number} for number in range(inputs)]
    return [*rows, {"clear": 0}]


@pytest.mark.parametrize("inputs", [1, 3, 8])
@pytest.mark.parametrize("often", [0.9, 0.4])
def test_each_step_reads_its_own_marks_and_clears_them(inputs: int, often: float) -> None:
    source = random.Random(f"{inputs} {often}")
    unit = SpikeMarks(inputs, {})
    # Gathered and then waiting; the one at the left is read.
    steps: deque[set[int]] = deque([set()])
    place, most, coincided = 0, 0, 0

    async def bench(ctx: Any) -> None:
        nonlocal place, most, coincided
        for row in clear(inputs):
            for name, value in row.items():
                ctx.set(getattr(unit, name), value)
            await ctx.tick()
        expected = None
        for _ in range(1500):
            shown = ctx.get(unit.marked)
            if expected is not None:
                assert shown == expected
            mark = source.random() < often
            address = source.randrange(inputs)
            ended = len(steps) < BANKS and source.random() < often / 2
            # A step is read as soon as it has ended, one input per clock cycle and in order.
            read = len(steps) > 1 and source.random() < often
            finished = read and place == inputs - 1
            for name, value in (
                ("mark", mark), ("mark_address", address), ("ended", ended), ("read", read),
                ("read_address", place if read else source.randrange(inputs)),
                ("finished", finished),
            ):  # fmt: skip
                ctx.set(getattr(unit, name), value)
            coincided += mark and read
            if mark:
                steps[-1].add(address)
            expected = int(place in steps[0]) if read else None
            place = (place + read) % inputs
            if ended:
                steps.append(set())
            if finished:
                steps.popleft()
            most = max(most, len(steps))
            await ctx.tick()

    simulate(unit, bench)
    assert most == BANKS
    assert coincided > 100


def test_a_mark_belongs_to_the_step_that_ends_with_it() -> None:
    rows = [
        *clear(2),
        {"mark": 1, "mark_address": 1, "ended": 1},
        {"mark": 1, "mark_address": 0, "ended": 1},
        {"mark": 0, "ended": 0},
        *({"read": 1, "read_address": at, "finished": at} for at in (0, 1, 0, 1)),
        {"read": 0, "finished": 0},
    ]
    seen = drive(SpikeMarks(2, {}), rows, "marked")
    assert [value for (value,) in seen[-4:]] == [0, 1, 1, 0]


def test_clear_removes_the_marks_of_all_steps() -> None:
    marks = [{"mark": 1, "mark_address": at, "ended": at == 1} for _ in range(2) for at in (0, 1)]
    reads = [{"read": 1, "read_address": at, "finished": at} for _ in range(3) for at in (0, 1)]
    rows = [*clear(2), *marks, {"mark": 0, "ended": 0}, *clear(2), *reads, {"read": 0}]
    seen = drive(SpikeMarks(2, {}), rows, "marked")
    assert not any(value for (value,) in seen[-6:])
