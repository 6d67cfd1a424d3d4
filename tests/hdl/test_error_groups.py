"""Groups of errors against the errors of each step, cut into groups."""

from __future__ import annotations

import random
from typing import Any

import pytest
from unit_clock import simulate

from bitlif.hdl.error_groups import ErrorGroups, group_place
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import GateSizes, gate_sizes

SIZES = {
    "one slot": (2, 2, 2),
    "one group": (7, 2, 8),
    "groups of one slot": (5, 1, 1),
    "two slots": (8, 2, 4),
    "short last group": (11, 2, 6),
    "last group of one slot": (7, 1, 3),
    "three groups of three": (9, 1, 3),
}
"""Neurons, lanes, and products."""


def config_of(name: str) -> Config:
    neurons, lanes, products = SIZES[name]
    return Config.load("tiny").replace(
        layer__inputs=3, layer__neurons=neurons, layer__lanes=lanes, gates__products=products
    )


def grouped(sizes: GateSizes, errors: list[int]) -> list[tuple[int, list[int | None]]]:
    """Return base and errors of each group with an active error; None where there is no neuron."""
    found = []
    for number in range(sizes.groups):
        row: list[int | None] = [None] * sizes.products
        first = number * sizes.group_slots
        for slot in range(first, min(first + sizes.group_slots, sizes.slots)):
            for lane in range(sizes.lanes):
                neuron = slot * sizes.lanes + lane
                if neuron < sizes.neurons:
                    row[group_place(sizes, slot) * sizes.lanes + lane] = errors[neuron]
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
def test_active_groups_are_listed_in_order(name: str, gaps: float) -> None:
    config = config_of(name)
    sizes, source = gate_sizes(config), random.Random(name)
    unit, steps = ErrorGroups(config), steps_of(config_of(name), name)
    shown: list[list[Any]] = []

    async def push(ctx: Any, step: list[int], entries: list[int]) -> list[Any]:
        """Push the errors of a step, and read entries of the step before at the same time."""
        padded = step + [7] * (sizes.slots * sizes.lanes - sizes.neurons)
        slot, read, asked = 0, [], False
        while slot < sizes.slots or len(read) < len(entries):
            going = slot < sizes.slots and source.random() >= gaps
            ctx.set(unit.push, going)
            if going:
                row = padded[slot * sizes.lanes : (slot + 1) * sizes.lanes]
                ctx.set(unit.slot, slot)
                ctx.set(unit.errors, row)
                here = range(slot * sizes.lanes, min((slot + 1) * sizes.lanes, sizes.neurons))
                bits = [step[neuron] != 0 for neuron in here]
                assert ctx.get(unit.active) == sum(
                    1 << lane for lane, bit in enumerate(bits) if bit
                )
                slot += 1
            if asked:
                group = ctx.get(unit.group)
                read.append((group["base"], list(group["errors"])))
            asked = len(read) < len(entries)
            if asked:
                ctx.set(unit.entry, entries[len(read)])
            await ctx.tick()
        ctx.set(unit.push, 0)
        return read

    async def take(ctx: Any, step: list[int]) -> list[int]:
        """Take the step, and return the entries to read, all of them in any order."""
        expected = grouped(sizes, step)
        assert ctx.get(unit.count) == len(expected)
        ctx.set(unit.take, 1)
        await ctx.tick()
        ctx.set(unit.take, 0)
        return source.sample(range(len(expected)), len(expected))

    async def bench(ctx: Any) -> None:
        entries, before = [], []
        for step in [*steps, [0] * sizes.neurons]:
            if sizes.groups == 1 and entries:
                # The only group is read before the next errors come.
                await ctx.tick()
                shown.append([(0, list(ctx.get(unit.group)["errors"]))])
                entries = []
            found = await push(ctx, step, entries)
            if entries:
                wanted = grouped(sizes, before)
                assert found == [
                    blanked(wanted[entry], own) for entry, own in zip(entries, found, strict=True)
                ]
            entries, before = await take(ctx, step), step

    def blanked(wanted: Any, found: Any) -> Any:
        """Return the wanted group with what was found where there is no neuron."""
        base, errors = wanted
        pairs = zip(errors, found[1], strict=True)
        return base, [there if own is None else own for own, there in pairs]

    simulate(unit, bench)
    if sizes.groups == 1:
        wanted = [own for step in steps for own in grouped(sizes, step)]
        pairs = zip(wanted, (own for (own,) in shown), strict=True)
        assert all(blanked(own, found) == found for own, found in pairs)
        assert shown


@pytest.mark.parametrize("name", SIZES)
def test_places_of_slots_in_their_group_are_distinct(name: str) -> None:
    sizes = gate_sizes(config_of(name))
    places = [(slot // sizes.group_slots, group_place(sizes, slot)) for slot in range(sizes.slots)]
    assert places == sorted(set(places))
    assert all(0 <= place < sizes.group_slots for _, place in places)
    # The last slot is the last that is shifted in.
    assert places[-1][1] == sizes.group_slots - 1
