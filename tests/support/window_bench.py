"""A core in Amaranth's simulator that learns from some of its windows, with streams that stall."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from amaranth.sim import Simulator

import bitlif.sim
from bitlif.model.config.config import Config
from bitlif.model.state import state_variables
from bitlif.sim.backends.pysim import Bench
from bitlif.tasks.stimulus import random_work

LFSRS = ("noise_lfsr", "update_lfsr")


class WindowBench(Bench):
    """The host of a core; ``learn`` changes only between windows, while the core is idle."""

    learns: Sequence[bool]
    event_stall: float

    async def host(self, ctx: Any) -> None:
        """Load the weights, send the events of all windows, read everything back."""
        core, steps = self.core, self.events.steps
        for window, learns in enumerate(self.learns):
            while not ctx.get(core.host.idle | self.over):
                await ctx.tick()
            if not window:
                await self.load_weights(ctx)
            if self.learning:
                ctx.set(core.learn, learns)
            for step in range(window * steps, (window + 1) * steps):
                start, stop = self.events.pointers[step : step + 2].tolist()
                for address in [*self.events.addresses[start:stop].tolist(), None]:
                    while self.random.random() < self.event_stall:
                        await ctx.tick()
                    payload = {"address": address or 0, "last": address is None}
                    ctx.set(core.i_events.payload, payload)
                    ctx.set(core.i_events.valid, 1)
                    await ctx.tick().until(core.i_events.ready | self.over)
                    ctx.set(core.i_events.valid, 0)
        while self.received < self.steps or not ctx.get(core.host.idle):
            if ctx.get(self.over):
                return
            await ctx.tick()
        await self.read_back(ctx)


def differences(
    config: Config,
    *,
    learns: Sequence[bool],
    seed: int,
    learning: bool = True,
    stalls: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> list[str]:
    """Return the names of results in which a core differs from the model.

    Parameters
    ----------
    config : Config
    learns : sequence of bool
        Of each window, whether it is learned.
    seed : int
        Of events, targets, weights and stalls.
    learning : bool
        Whether the core has learning hardware.
    stalls : tuple of float
        Probability that events, targets and output stall. Clock cycles are compared if all are 0.
    """
    windows = len(learns)
    work = random_work(config, seed, windows)
    teacher = config.membrane.reset == "teacher"
    bench = WindowBench(config, work.weights, work.events, work.targets, learning=learning,
                        learn=learning, stall=stalls[2], seed=seed, built=config)  # fmt: skip
    bench.learns, bench.event_stall = learns, stalls[0]
    bench.most *= 3
    simulator = Simulator(bench.core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench.count, background=True)
    simulator.add_testbench(bench.host)
    simulator.add_testbench(bench.collect)
    if learning or teacher:
        teaching = copy.copy(bench)
        teaching.stall = stalls[1]
        taught = np.repeat([teacher or learn for learn in learns], work.events.steps)
        teaching.targets = bench.targets[taught]
        simulator.add_testbench(teaching.teach, background=True)
    simulator.run()
    if not bench.result:
        return ["the end"]
    found = {"digest": bench.result["digest"], "counters": bench.result["counters"],
             "weights": bench.result["weights"]}  # fmt: skip
    with bitlif.sim.open(config, learning=learning) as model:
        model.load(work.weights)
        raster, clocks = [], []
        for window, learn in enumerate(learns):
            targets = work.targets[window : window + 1] if learn or teacher else None
            events = work.events.select(range(window, window + 1))
            result = model.run(events, targets, learn=learn)
            raster.append(result.raster)
            clocks.append(int(result.window_clocks[0]))
        counters = {name: model.counters()[name] for name in found["counters"]}
        expected = {
            "digest": model.signature(), "counters": counters, "weights": model.weights(),
            "raster": np.concatenate(raster).reshape(bench.raster.shape),
        }  # fmt: skip
        found["raster"] = bench.raster
        for name in (*(own.name for own in state_variables("neuron", "input")), *LFSRS, "phase"):
            expected[name] = getattr(model.state(), name)
            found[name] = getattr(bench.result["state"], name)
    if not any(stalls):
        expected["clocks"], found["clocks"] = clocks[1:], np.diff(bench.window_clocks)
    return [name for name in expected if not np.array_equal(found[name], expected[name])]
