"""A layer core in Amaranth's own simulator, driven through its streams as a host would."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.sim import Simulator
from numpy.typing import NDArray

from bitlif.hdl.layer import COUNTERS, LayerCore
from bitlif.model.config import Config
from bitlif.model.events import Events


@dataclass(frozen=True, slots=True, eq=False)
class CoreRun:
    """What came out of a core.

    Attributes
    ----------
    raster : (W, T, M) uint8
    weights : (N, M) int64
        After the last window.
    counters : dict of str to int
    digest : int
        The signature.
    window_clocks : (W,) int64
        Clock with which each window ended, update included, counted from the first event.
    """

    raster: NDArray[np.uint8]
    weights: NDArray[np.int64]
    counters: dict[str, int]
    digest: int
    window_clocks: NDArray[np.int64]


def targets_by_step(config: Config, events: Events, targets: NDArray[Any]) -> NDArray[np.int64]:
    """Return raw targets (W, M) or (W, T, M) as a row for each step: (W * T, M)."""
    by_step = targets[:, None, :] if targets.ndim == 2 else targets
    shape = (events.windows, events.steps, config.layer.neurons)
    return np.asarray(np.broadcast_to(by_step, shape).reshape(-1, shape[2]), np.int64)


class _Bench:
    """The host's processes around one core."""

    def __init__(
        self, config: Config, weights: NDArray[Any], events: Events, targets: NDArray[Any] | None,
        *, learning: bool, learn: bool, stall: float, seed: int,
    ) -> None:  # fmt: skip
        self.config, self.weights, self.events = config, weights, events
        self.learning, self.learn, self.stall = learning, learn, stall
        self.core = LayerCore(config, learning=learning)
        self.random = random.Random(seed)
        self.steps = events.windows * events.steps
        sizes = config.layer
        self.padded = np.zeros((sizes.inputs, sizes.slots * sizes.lanes), np.int64)
        shape = (self.steps, sizes.slots * sizes.lanes)
        self.targets = np.zeros(shape, np.int64)
        if targets is not None:
            self.targets[:, : sizes.neurons] = targets_by_step(config, events, targets)
        self.padded[:, : sizes.neurons] = weights
        self.raster = np.zeros((self.steps, sizes.neurons), np.uint8)
        self.window_clocks: list[int] = []
        self.clock = 0
        self.began = -1
        self.received = 0
        self.result: dict[str, Any] = {}

    async def _hesitate(self, ctx: Any) -> None:
        while self.random.random() < self.stall:
            await ctx.tick()

    async def count(self, ctx: Any) -> None:
        """Count the clocks, and note when windows end."""
        core = self.core
        while True:
            sampled = await ctx.tick().sample(
                core.i_events.valid, core.i_events.ready, core.window_done
            )
            valid, ready, done = sampled[-3:]
            if self.began < 0 and valid and ready:
                self.began = self.clock
            if done:
                self.window_clocks.append(self.clock - self.began)
            self.clock += 1

    async def host(self, ctx: Any) -> None:
        """Load the weights, send the events, read everything back."""
        core, sizes = self.core, self.config.layer
        lanes, slots = sizes.lanes, sizes.slots
        if self.learning:
            ctx.set(core.learn, int(self.learn))
        while not ctx.get(core.idle):
            await ctx.tick()
        ctx.set(core.host_enable, (1 << lanes) - 1)
        for address in range(sizes.inputs * slots):
            row, slot = divmod(address, slots)
            ctx.set(core.host_address, address)
            values = self.padded[row, slot * lanes : (slot + 1) * lanes]
            ctx.set(core.host_data, [int(value) for value in values])
            await ctx.tick()
        ctx.set(core.host_enable, 0)
        for step in range(self.steps):
            start, stop = self.events.pointers[step : step + 2]
            for address in [*self.events.addresses[start:stop], None]:
                await self._hesitate(ctx)
                last = address is None
                payload = {"address": 0 if last else int(address), "last": int(last)}
                ctx.set(core.i_events.payload, payload)
                ctx.set(core.i_events.valid, 1)
                await ctx.tick().until(core.i_events.ready)
                ctx.set(core.i_events.valid, 0)
        while self.received < self.steps or not ctx.get(core.idle):
            await ctx.tick()
        back = np.zeros_like(self.padded)
        for address in range(sizes.inputs * slots):
            row, slot = divmod(address, slots)
            ctx.set(core.host_address, address)
            await ctx.tick()
            values = ctx.get(core.host_row)
            back[row, slot * lanes : (slot + 1) * lanes] = [values[lane] for lane in range(lanes)]
        self.result = {
            "weights": back[:, : sizes.neurons],
            "digest": ctx.get(core.digest),
            "counters": {name: ctx.get(getattr(core, name)) for name in COUNTERS},
        }

    async def teach(self, ctx: Any) -> None:
        """Send the targets of every slot and step."""
        core, lanes = self.core, self.config.layer.lanes
        for row in self.targets:
            for slot in range(self.config.layer.slots):
                await self._hesitate(ctx)
                values = row[slot * lanes : (slot + 1) * lanes]
                ctx.set(core.i_targets.payload, [int(value) for value in values])
                ctx.set(core.i_targets.valid, 1)
                await ctx.tick().until(core.i_targets.ready)
                ctx.set(core.i_targets.valid, 0)

    async def collect(self, ctx: Any) -> None:
        """Take the output events."""
        core = self.core
        while self.received < self.steps:
            await self._hesitate(ctx)
            ctx.set(core.o_events.ready, 1)
            (event,) = await ctx.tick().sample(core.o_events.payload).until(core.o_events.valid)
            ctx.set(core.o_events.ready, 0)
            if event.last:
                self.received += 1
            else:
                self.raster[self.received, event.address] += 1


def run_core(
    config: Config,
    weights: NDArray[Any],
    events: Events,
    targets: NDArray[Any] | None = None,
    *,
    learning: bool = True,
    learn: bool = True,
    stall: float = 0.0,
    seed: int = 0,
) -> CoreRun:
    """Run all windows of `events` through a new core and return what came out.

    Parameters
    ----------
    config : Config
    weights : (N, M) int
    events : Events
    targets : (W, M) or (W, T, M) int, raw
    learning : bool
        Whether the core has learning hardware at all.
    learn : bool
        Whether to use it.
    stall : float
        Chance of each clock, 0 ..= 1, that a stream's other side hesitates.
    seed : int
        Of the hesitation.
    """
    bench = _Bench(config, weights, events, targets, learning=learning, learn=learn and learning,
                   stall=stall, seed=seed)  # fmt: skip
    simulator = Simulator(bench.core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench.count, background=True)
    simulator.add_testbench(bench.host)
    if hasattr(bench.core, "i_targets") and (bench.learn or config.membrane.reset == "teacher"):
        simulator.add_testbench(bench.teach, background=True)
    simulator.add_testbench(bench.collect)
    simulator.run()
    shape = (events.windows, events.steps)
    return CoreRun(
        bench.raster.reshape(*shape, config.layer.neurons),
        window_clocks=np.array(bench.window_clocks, np.int64),
        **bench.result,
    )
