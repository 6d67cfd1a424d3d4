"""The sums of input events against sums of rows of a matrix."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from unit_clock import simulate

from bitlif.hdl.gather import EventGather
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes

ROWS = {1: (6, 6), 2: (7, 4), 3: (5, 2), 5: (5, 1)}
"""Neurons and weights of a row, by the number of rows per input."""


def config_of(rows: int, inputs: int = 6) -> Config:
    neurons, synapses = ROWS[rows]
    config = Config.load("tiny").replace(
        layer__inputs=inputs, layer__neurons=neurons, layer__lanes=1, gates__synapses=synapses
    )
    assert gate_sizes(config).rows == rows
    return config


def steps_of(seed: int, inputs: int, count: int = 14) -> list[list[int]]:
    """Return the inputs of each step: none, one, or many."""
    source = random.Random(seed)
    lengths = [0, 0, 1, *(source.choice((0, 1, 2, 3, inputs)) for _ in range(count))]
    return [source.sample(range(inputs), min(length, inputs)) for length in lengths]


@dataclass
class Gathered:
    """What a bench saw: sums and marks per step, and clock cycles of transfers and pulses."""

    sums: list[list[int]] = field(default_factory=list)
    marks: list[list[int]] = field(default_factory=list)
    transfers: list[int] = field(default_factory=list)
    complete: list[int] = field(default_factory=list)
    takes: list[int] = field(default_factory=list)


def gather(
    config: Config, weights: np.ndarray, steps: list[list[int]], *, stall: float, lag: float
) -> Gathered:
    """Gather steps; events come late with probability `stall`, and the reader with `lag`.

    Each row of sums is read as early as the unit permits, or later.
    """
    sizes = gate_sizes(config)
    unit, seen, source = EventGather(config), Gathered(), random.Random(f"{stall} {lag}")
    events = [event for step in steps for event in [*((own, 0) for own in step), (3, 1)]]
    shown = weights.reshape(-1, sizes.synapses).tolist()

    async def bench(ctx: Any) -> None:
        queue, offering = list(events), False
        addresses, marks = [0, 0], []
        left, due, empty, found = 0, False, False, []
        ctx.set(unit.accept, 1)
        for clock in range(4000):
            offering = bool(queue) and (offering or source.random() >= stall)
            ctx.set(unit.i_events.valid, offering)
            if offering:
                ctx.set(unit.i_events.payload, {"address": queue[0][0], "last": queue[0][1]})
            if due:
                # The row that was addressed in the clock cycle before.
                found += [0] * sizes.synapses if empty else list(ctx.get(unit.sums))
                left, due = left - 1, False
                if not left:
                    seen.sums.append(found)
            ready = ctx.get(unit.gathered)
            if ready and len(seen.complete) == len(seen.takes):
                seen.complete.append(clock)
            take = bool(ready and not left and source.random() >= lag)
            # The last step has none after it.
            ctx.set(unit.following, len(seen.takes) + 1 < len(steps))
            ctx.set(unit.take, take)
            if take:
                seen.takes.append(clock)
                empty = bool(ctx.get(unit.none))
                found, left = [], sizes.rows
                seen.marks.append(marks)
                marks = []
                if sizes.rows == 1:
                    seen.sums.append(list(ctx.get(unit.sums)))
                    left = 0
            if left:
                due = source.random() >= lag
                ctx.set(unit.read_row, sizes.rows - left if due else 0)
            if ctx.get(unit.marked):
                marks.append(ctx.get(unit.mark_address))
            address = ctx.get(unit.weight_address)
            addresses.append(address if address < len(shown) else 0)
            ctx.set(unit.weight_row, shown[addresses.pop(0)])
            if offering and ctx.get(unit.i_events.ready):
                seen.transfers.append(clock)
                del queue[0]
                offering = False
            await ctx.tick()
            if len(seen.sums) == len(steps):
                return

    simulate(unit, bench)
    return seen


def random_weights(config: Config, seed: int) -> np.ndarray:
    sizes = gate_sizes(config)
    rng = np.random.default_rng(seed)
    return rng.integers(-32, 32, (sizes.inputs, sizes.rows * sizes.synapses))


@pytest.mark.parametrize(("stall", "lag"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.6), (0.4, 0.4)])
@pytest.mark.parametrize("rows", ROWS)
def test_sums_and_marks_are_those_of_each_step(rows: int, stall: float, lag: float) -> None:
    config = config_of(rows)
    weights, steps = random_weights(config, rows), steps_of(rows, config.layer.inputs)
    seen = gather(config, weights, steps, stall=stall, lag=lag)
    expected = [weights[step].sum(axis=0).tolist() for step in steps]
    assert seen.sums == expected
    assert seen.marks == steps


def test_one_input_needs_no_address() -> None:
    for rows in ROWS:
        config = config_of(rows, inputs=1)
        weights, steps = random_weights(config, 9), steps_of(2, 1)
        seen = gather(config, weights, steps, stall=0.2, lag=0.2)
        assert seen.sums == [(len(step) * weights[0]).tolist() for step in steps]


@pytest.mark.parametrize("rows", ROWS)
def test_clock_cycles_are_as_documented(rows: int) -> None:
    config = config_of(rows)
    steps = [[0, 1, 2], [], [3], [], [], [4, 2], [1, 0, 5, 2, 3, 4]]
    seen = gather(config, random_weights(config, 0), steps, stall=0.0, lag=0.0)
    transfers = iter(seen.transfers)
    for number, step in enumerate(steps):
        took = [next(transfers) for _ in range(len(step) + 1)]
        assert np.diff(took).tolist() == [rows] * len(step)
        assert seen.complete[number] - took[-1] == (max(1, 4 - rows) if step else 1)
        # Without gaps: the events of the next step follow in the clock cycle of the take.
        if number and rows == 1:
            assert took[0] == seen.takes[number - 1]


def test_events_wait_while_they_are_not_accepted() -> None:
    config = config_of(2)
    unit, taken = EventGather(config), []

    async def bench(ctx: Any) -> None:
        ctx.set(unit.i_events.valid, 1)
        ctx.set(unit.i_events.payload, {"address": 1, "last": 1})
        for accept, take, following in (
            (0, 0, 1), (1, 0, 1), (1, 0, 1), (1, 1, 0), (0, 0, 0), (1, 0, 0), (1, 1, 1), (1, 1, 1),
        ):  # fmt: skip
            ctx.set(unit.accept, accept)
            ctx.set(unit.following, following)
            ctx.set(unit.take, take)
            taken.append(ctx.get(unit.i_events.ready))
            await ctx.tick()

    simulate(unit, bench)
    # After a last event, the next one waits for the take, and that it may follow.
    assert taken == [0, 1, 0, 0, 0, 1, 1, 1]
