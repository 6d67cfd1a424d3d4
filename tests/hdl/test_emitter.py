"""Output events against the spikes of each step, with two steps in flight."""

from __future__ import annotations

import random
from typing import Any

import pytest
from unit_clock import simulate

from bitlif.hdl.emitter import SpikeEmitter
from bitlif.model.config.config import Config
from bitlif.model.sections import LayerConfig

SIZES = {"one": (1, 1), "one slot": (3, 3), "many slots": (9, 1), "short last slot": (7, 3)}
"""Neurons and lanes."""


def sizes_of(name: str) -> LayerConfig:
    neurons, lanes = SIZES[name]
    return Config.load("tiny").replace(layer__neurons=neurons, layer__lanes=lanes).layer


def steps_of(sizes: LayerConfig, name: str, count: int) -> list[list[int]]:
    """Return the neurons that spike, per step: none, all, or some."""
    source = random.Random(name)
    chances = [0.0, 1.0, 0.0, 0.0, 1.0, *(source.choice((0.1, 0.4, 0.8)) for _ in range(count))]
    return [
        [neuron for neuron in range(sizes.neurons) if source.random() < chance]
        for chance in chances
    ]


def emit(
    sizes: LayerConfig, steps: list[list[int]], *, gaps: float, stall: float
) -> tuple[list[list[int]], list[int], list[int]]:
    """Return the events of each step, and the clock cycles of ``start`` and of ``done``.

    A step is pushed as soon as the step before the last is sent.
    """
    unit, source = SpikeEmitter(sizes), random.Random(f"{gaps} {stall}")
    sent: list[list[int]] = [[]]
    starts: list[int] = []
    ends: list[int] = []

    async def bench(ctx: Any) -> None:
        slot, held = 0, None
        for clock in range(6000):
            step = len(starts)
            push = step < len(steps) and step < len(ends) + 2 and source.random() >= gaps
            ctx.set(unit.push, push)
            ctx.set(unit.start, push and slot == sizes.slots - 1)
            if push:
                first = slot * sizes.lanes
                spikes = sum(
                    1 << lane
                    for lane in range(sizes.lanes)
                    # Lanes without a neuron always spike.
                    if first + lane in steps[step] or first + lane >= sizes.neurons
                )
                ctx.set(unit.slot, slot)
                ctx.set(unit.spikes, spikes)
                if slot == sizes.slots - 1:
                    starts.append(clock)
                slot = (slot + 1) % sizes.slots
            ready = source.random() >= stall
            ctx.set(unit.o.ready, ready)
            valid, event = ctx.get(unit.o.valid), ctx.get(unit.o.payload)
            if held is not None:
                # An event is held until it is transferred.
                assert valid
                assert (event["address"], event["last"]) == held
            held = (event["address"], event["last"]) if valid and not ready else None
            last = bool(valid and ready and event["last"])
            assert ctx.get(unit.done) == last
            if last:
                ends.append(clock)
                sent.append([])
            elif valid and ready:
                sent[-1].append(event["address"])
            await ctx.tick()
            if len(ends) == len(steps):
                return

    simulate(unit, bench)
    return sent[:-1], starts, ends


@pytest.mark.parametrize(("gaps", "stall"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.7), (0.3, 0.3)])
@pytest.mark.parametrize("name", SIZES)
def test_spikes_leave_by_step_lowest_first(name: str, gaps: float, stall: float) -> None:
    sizes = sizes_of(name)
    steps = steps_of(sizes, name, 25)
    sent, starts, ends = emit(sizes, steps, gaps=gaps, stall=stall)
    assert sent == steps
    # Two steps are in flight whenever the output is slower than the pushes.
    if stall and not gaps:
        assert any(start < end for start, end in zip(starts[1:], ends, strict=False))


@pytest.mark.parametrize("name", SIZES)
def test_clock_cycles_are_as_documented(name: str) -> None:
    sizes = sizes_of(name)
    steps = steps_of(sizes, name, 25)
    _, starts, ends = emit(sizes, steps, gaps=0.0, stall=0.0)
    before = -1
    for step, start, end in zip(steps, starts, ends, strict=True):
        speaking = len({neuron // sizes.lanes for neuron in step})
        assert end == max(start, before) + len(step) + speaking + 3
        before = end


def test_start_with_the_end_of_the_step_before_is_not_lost() -> None:
    sizes = sizes_of("one slot")
    unit, seen = SpikeEmitter(sizes), []

    async def bench(ctx: Any) -> None:
        ctx.set(unit.o.ready, 1)
        # Without spikes, ``last`` leaves 3 clock cycles after ``start``.
        for clock in range(12):
            ctx.set(unit.push, clock in (0, 3))
            ctx.set(unit.start, clock in (0, 3))
            ctx.set(unit.spikes, 0b101 if clock == 3 else 0)
            if ctx.get(unit.o.valid):
                event = ctx.get(unit.o.payload)
                seen.append((clock, event["address"], event["last"]))
            await ctx.tick()

    simulate(unit, bench)
    assert seen == [(3, 0, 1), (6, 0, 0), (7, 2, 0), (9, 0, 1)]
