"""Groups of errors against the errors of each step, cut into groups."""

from __future__ import annotations

import random
from typing import Any

import pytest
from unit_clock import simulate

from bitlif.hdl.error_groups import ErrorGroups, group_place
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes

SIZES = {
    "one slot": (2, 2, 2),
    "one group": (7, 2, 8),
    "groups of one slot": (5, 1, 1),
    "two slots": (8, 2, 4),
    "short last group": (11, 2, 6),
    "last group of one slot": (7, 1, 3),
    "three groups of three": (9, 1, 3),
    "in a memory": (60, 2, 20),
    "in a memory, short last group": (45, 1, 7),
    "in a memory, groups of one slot": (40, 1, 1),
}
"""Neurons, lanes, and products."""


def config_of(name: str) -> Config:
    neurons, lanes, products = SIZES[name]
    return Config.load("tiny").replace(
        layer__inputs=3, layer__neurons=neurons, layer__lanes=lanes, gates__products=products
    )


def grouped(config: Config, errors: list[int]) -> list[tuple[int, list[int | None]]]:
    """Return base and errors of each group with an active error; None where there is no neuron."""
    found, sizes = [], gate_sizes(config)
    for number in range(sizes.groups):
        row: list[int | None] = [None] * sizes.products
        first = number * sizes.group_slots
        for slot in range(first, min(first + sizes.group_slots, sizes.slots)):
            for lane in range(sizes.lanes):
                neuron = slot * sizes.lanes + lane
                if neuron < sizes.neurons:
                    row[group_place(config, slot) * sizes.lanes + lane] = errors[neuron]
        if any(row):
            found.append((number * sizes.inputs, row))
    return found


def steps_of(config: Config, name: str) -> list[list[int]]:
    """Return the errors of steps: all, none, few, or only the first or the last."""
    source, neurons = random.Random(name), config.layer.neurons
    most = (1 << config.error.format.bits - 1) - 1
    steps = [[0] * neurons, [most] * neurons, [-most] + [0] * (neurons - 1)]
    steps.append([0] * (neurons - 1) + [1])
    for chance in (0.1, 0.5, 0.1, 0.9, 0.1, 0.3) * 2:
        steps.append(
            [source.randint(-most, most) * (source.random() < chance) for _ in range(neurons)]
        )
    return steps


@pytest.mark.parametrize("gaps", [0.0, 0.5])
@pytest.mark.parametrize("name", SIZES)
def test_active_groups_are_read_in_order(name: str, gaps: float) -> None:
    config = config_of(name)
    sizes, source = gate_sizes(config), random.Random(name)
    unit, steps = ErrorGroups(config), steps_of(config, name)

    async def push(ctx: Any, step: list[int]) -> None:
        """Push the errors of a step."""
        padded = step + [7] * (sizes.slots * sizes.lanes - sizes.neurons)
        slot = 0
        while slot < sizes.slots:
            going = source.random() >= gaps
            ctx.set(unit.push, going)
            if going:
                first = slot * sizes.lanes
                ctx.set(unit.slot, slot)
                ctx.set(unit.errors, padded[first : first + sizes.lanes])
                bits = [error != 0 for error in step[first : first + sizes.lanes]]
                assert ctx.get(unit.active) == sum(1 << k for k, bit in enumerate(bits) if bit)
                slot += 1
            await ctx.tick()
        ctx.set(unit.push, 0)

    async def read(ctx: Any, step: list[int]) -> None:
        """Read the listed groups of the step that was taken."""
        for base, errors in grouped(config, step):
            ctx.set(unit.next, 1)
            await ctx.tick()
            ctx.set(unit.next, 0)
            group = ctx.get(unit.group)
            assert group["base"] == base
            for wanted, found in zip(errors, group["errors"], strict=True):
                assert wanted is None or wanted == found
            for _ in range(source.randrange(3)):
                await ctx.tick()

    async def bench(ctx: Any) -> None:
        before: list[int] | None = None
        for step in steps:
            await push(ctx, step)
            if before is not None and not sizes.keeps_errors:
                # A memory keeps the step before, too.
                await read(ctx, before)
            assert ctx.get(unit.count) == len(grouped(config, step))
            await ctx.tick().repeat(2)
            ctx.set(unit.take, 1)
            await ctx.tick()
            ctx.set(unit.take, 0)
            await ctx.tick()
            if sizes.keeps_errors:
                await read(ctx, step)
            before = step

    simulate(unit, bench)


@pytest.mark.parametrize("name", SIZES)
def test_places_of_slots_in_their_group_are_distinct(name: str) -> None:
    config = config_of(name)
    sizes = gate_sizes(config)
    places = [(slot // sizes.group_slots, group_place(config, slot)) for slot in range(sizes.slots)]
    assert places == sorted(set(places))
    assert all(0 <= place < sizes.group_slots for _, place in places)
    if not sizes.keeps_errors:
        # The last slot is the last that is shifted in.
        assert places[-1][1] == sizes.group_slots - 1
