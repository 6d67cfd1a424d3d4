"""The update of all weights against the model's update of each weight in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from unit_clock import simulate

from bitlif.hdl.error_groups import group_place
from bitlif.hdl.loadable import rate_shifts
from bitlif.hdl.update_pass import UpdatePass
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.update import updated_weight

SIZES: dict[str, dict[str, Any]] = {
    "one of each": {"layer__inputs": 1, "layer__neurons": 1, "layer__lanes": 1},
    "one input": {
        "layer__inputs": 1, "layer__neurons": 9, "layer__lanes": 1, "gates__synapses": 9,
        "gates__products": 4,
    },
    "one slot": {"layer__inputs": 4, "layer__neurons": 3, "layer__lanes": 3},
    "rows of lanes": {"layer__inputs": 3, "layer__neurons": 5, "layer__lanes": 2},
    "one wide row": {
        "layer__inputs": 7, "layer__neurons": 6, "layer__lanes": 1, "gates__synapses": 6,
        "gates__products": 3,
    },
    "short last row and group": {
        "layer__inputs": 3, "layer__neurons": 7, "layer__lanes": 1, "gates__synapses": 3,
        "gates__products": 4,
    },
    "last group of one slot": {
        "layer__inputs": 2, "layer__neurons": 10, "layer__lanes": 2, "gates__synapses": 6,
        "gates__products": 4,
    },
    "no noise": {"layer__inputs": 3, "layer__neurons": 4, "learning__random_bits": 0},
}  # fmt: skip


class Memories:
    """Weights and gradient as the unit reads them, 2 clock cycles after their addresses."""

    def __init__(self, config: Config, seed: int) -> None:
        self.sizes = sizes = gate_sizes(config)
        rng, derived = np.random.default_rng(seed), derive(config)
        c, reach = derived.constants, derived.ranges["gradient"]
        wide = sizes.slots * sizes.lanes
        self.weights = rng.integers(c.weight_low, c.weight_high + 1, (sizes.inputs, wide))
        self.gradient = rng.integers(-4000, 4000, (sizes.inputs, wide)).clip(reach.low, reach.high)
        self.weight_rows = np.zeros((sizes.inputs * sizes.rows, sizes.synapses), int)
        self.sums = rng.integers(-99, 99, (sizes.groups * sizes.inputs, sizes.products))
        for slot in range(sizes.slots):
            own = slice(slot * sizes.lanes, (slot + 1) * sizes.lanes)
            row, place = divmod(slot, sizes.row_slots)
            part = slice(place * sizes.lanes, (place + 1) * sizes.lanes)
            self.weight_rows[row :: sizes.rows, part] = self.weights[:, own]
            first = slot // sizes.group_slots * sizes.inputs
            place = group_place(config, slot)
            part = slice(place * sizes.lanes, (place + 1) * sizes.lanes)
            self.sums[first : first + sizes.inputs, part] = self.gradient[:, own]


def expected_writes(config: Config, memories: Memories, windows: int) -> list[list[Any]]:
    """Return, per window, slot and new weights of each write, and the gradient of each."""
    sizes, derived, learning = gate_sizes(config), derive(config), config.learning
    streams = list(learning.lfsr.streams(sizes.lanes)) if learning.random_bits else []
    mask, found = (1 << learning.random_bits) - 1, []
    weights = memories.weights.copy()
    for _ in range(windows):
        found.append([])
        for slot in range(sizes.slots):
            for number in range(sizes.inputs):
                row = []
                for lane in range(sizes.lanes):
                    at = (number, slot * sizes.lanes + lane)
                    word = streams[lane].state & mask if streams else 0
                    gradient = int(memories.gradient[at])
                    value, flag = updated_weight(
                        int(weights[at]), gradient, word, derived.phases[0], derived.constants
                    )
                    weights[at] = value
                    row.append((value, int(flag), gradient))
                streams = [stream.leap(learning.leap) for stream in streams]
                found[-1].append((slot, number, row))
    return found


@pytest.mark.parametrize("port", ["none", "weights", "all"])
@pytest.mark.parametrize("name", SIZES)
def test_weights_are_updated_in_the_order_of_the_draws(name: str, port: str) -> None:
    config = Config.load("tiny").replace(**SIZES[name], gates__single_port=port)
    sizes, windows = gate_sizes(config), 2
    memories, unit = Memories(config, 3), UpdatePass(config)
    expected = expected_writes(config, memories, windows)
    phase = derive(config).phases[0]
    pace = sizes.update_pace

    async def bench(ctx: Any) -> None:
        ctx.set(unit.rate, phase.rate)
        shifts = (phase.rate_left, phase.rate_bias, phase.rate_right)
        ctx.set(unit.shift, rate_shifts(config).index(shifts))
        await ctx.tick().repeat(20)
        for window in range(windows):
            await update(ctx, expected[window])

    async def update(ctx: Any, due: list[Any]) -> None:
        asked = [(0, 0), (0, 0)]
        taken, writes, cleared, written_at = [], [], [], []
        ctx.set(unit.start, 1)
        await ctx.tick()
        ctx.set(unit.start, 0)
        for clock in range(2000):
            row, sums = asked.pop(0)
            ctx.set(unit.weight_row, memories.weight_rows[row].tolist())
            ctx.set(unit.sum_row, memories.sums[sums].tolist())
            if ctx.get(unit.reading):
                asked.append((ctx.get(unit.weight_address), ctx.get(unit.gradient_address)))
            else:
                asked.append((0, 0))
            if ctx.get(unit.clear):
                cleared.append(ctx.get(unit.clear_address))
            if ctx.get(unit.taken):
                taken.append(list(ctx.get(unit.taken_gradient)))
            if ctx.get(unit.write):
                row, place = ctx.get(unit.write_address), ctx.get(unit.write_place)
                new = list(ctx.get(unit.written))
                part = slice(place * sizes.lanes, (place + 1) * sizes.lanes)
                memories.weight_rows[row, part] = new
                where = ctx.get(unit.slot), row, place
                writes.append((*where, new, ctx.get(unit.saturated)))
                written_at.append(clock)
            done = ctx.get(unit.done)
            await ctx.tick()
            if done:
                break
        wanted = []
        for slot, number, row in due:
            values, flags, _ = zip(*row, strict=True)
            at, place = divmod(slot, sizes.row_slots)
            bits = sum(flag << lane for lane, flag in enumerate(flags))
            wanted.append((slot, number * sizes.rows + at, place, list(values), bits))
        assert writes == wanted
        assert taken == [[own[2] for own in row] for _, _, row in due]
        # Each row of sums once, in order, after its last slot.
        assert cleared == list(range(sizes.groups * sizes.inputs))
        # The first issue is one clock cycle after the start, or two.
        steps = range(len(writes))
        assert written_at == [unit.latency + pace * (step + 1) - 1 for step in steps]
        assert not ctx.get(unit.reading)

    simulate(unit, bench)


def test_restart_repeats_the_draws() -> None:
    config = Config.load("tiny").replace(layer__inputs=3, layer__neurons=2, layer__lanes=2)
    unit, states = UpdatePass(config), []

    async def bench(ctx: Any) -> None:
        for _ in range(3):
            ctx.set(unit.restart, 1)
            await ctx.tick()
            ctx.set(unit.restart, 0)
            states.append(list(ctx.get(unit.lfsr)))
            ctx.set(unit.start, 1)
            await ctx.tick()
            ctx.set(unit.start, 0)
            await ctx.tick().until(unit.done)
            states.append(list(ctx.get(unit.lfsr)))

    simulate(unit, bench)
    assert states == states[:2] * 3
    assert states[0] != states[1]
