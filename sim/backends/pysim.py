"""A layer core in Amaranth's simulator, driven through its streams as by a host."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Signal
from amaranth.sim import Simulator
from numpy.typing import NDArray

from bitlif.hdl.core_signals import COUNTERS, READ_CLOCKS
from bitlif.hdl.layer import LayerCore
from bitlif.hdl.loadable import phase_rows, require_loadable
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.result import LayerState
from bitlif.model.state import state_variables
from bitlif.tasks.scenario import targets_by_step


@dataclass(frozen=True, slots=True, eq=False)
class CoreRun:
    """Result of a simulated core.

    Attributes
    ----------
    raster : (W, T, M) uint8
    weights : (N, M) int64
        After the last window.
    counters : dict of str to int
    digest : int
        The signature.
    state : LayerState
        After the last window.
    window_clocks : (W,) int64
        Clock cycle in which each window ended, update included, counted from the first event.
    """

    raster: NDArray[np.uint8]
    weights: NDArray[np.int64]
    counters: dict[str, int]
    digest: int
    window_clocks: NDArray[np.int64]
    state: LayerState


class Bench:
    """The simulated host of a core: one process per stream or port."""

    def __init__(
        self, config: Config, weights: NDArray[Any], events: Events, targets: NDArray[Any] | None,
        *, learning: bool, learn: bool, stall: float, seed: int, built: Config,
    ) -> None:  # fmt: skip
        self.config, self.weights, self.events = config, weights, events
        self.learning, self.learn, self.stall = learning, learn, stall
        self.loads = built != config
        self.built = built
        self.addresses = gate_sizes(built).addresses_in_order()
        self.core = LayerCore(built, learning=learning)
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
        self.clock, self.most = 0, most_clocks(config, events, stall)
        # Set to 1 to end all waits; an exception would leave the other processes waiting.
        self.over = Signal()
        self.began = -1
        self.received = 0
        self.result: dict[str, Any] = {}

    async def _hesitate(self, ctx: Any) -> None:
        while self.random.random() < self.stall:
            await ctx.tick()

    async def count(self, ctx: Any) -> None:
        """Count clock cycles, and record when windows end."""
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
            if self.clock == self.most:
                ctx.set(self.over, 1)

    async def host(self, ctx: Any) -> None:
        """Load the weights, send the events, read everything back."""
        core = self.core
        if self.learning:
            ctx.set(core.learn, int(self.learn))
        while not ctx.get(core.host.idle | self.over):
            await ctx.tick()
        await self.load_weights(ctx)
        if self.loads:
            await self.load_memories(ctx)
        for step in range(self.steps):
            start, stop = self.events.pointers[step : step + 2]
            for address in [*self.events.addresses[start:stop], None]:
                await self._hesitate(ctx)
                last = address is None
                payload = {"address": 0 if last else int(address), "last": int(last)}
                ctx.set(core.i_events.payload, payload)
                ctx.set(core.i_events.valid, 1)
                await ctx.tick().until(core.i_events.ready | self.over)
                ctx.set(core.i_events.valid, 0)
        while self.received < self.steps or not ctx.get(core.host.idle):
            if ctx.get(self.over):
                return
            await ctx.tick()
        await self.read_back(ctx)

    async def load_weights(self, ctx: Any) -> None:
        """Write the weights in `padded`."""
        host, sizes = self.core.host, self.config.layer
        lanes, slots = sizes.lanes, sizes.slots
        ctx.set(host.weights_enable, (1 << lanes) - 1)
        for number, address in enumerate(self.addresses):
            row, slot = divmod(number, slots)
            ctx.set(host.address, address)
            values = self.padded[row, slot * lanes : (slot + 1) * lanes]
            ctx.set(host.weights_data, [int(value) for value in values])
            await ctx.tick()
        ctx.set(host.weights_enable, 0)

    async def load_memories(self, ctx: Any) -> None:
        """Load table and schedule, and verify them."""
        host = self.core.host
        rows = [("schedule", row) for row in phase_rows(self.built, self.config)]
        if self.learning:
            columns = zip(*derive(self.config).table, strict=True)
            rows += [("entry", {"a": a, "b": b}) for a, b in columns]
        address = 0
        for number, (name, row) in enumerate(rows):
            address = 0 if number and rows[number - 1][0] != name else number and address + 1
            ctx.set(host.address, address)
            ctx.set(getattr(host, f"{name}_data"), row)
            ctx.set(getattr(host, f"{name}_enable"), 1)
            await ctx.tick()
            ctx.set(getattr(host, f"{name}_enable"), 0)
            await ctx.tick()
            kept = ctx.get(getattr(host, name))
            for key, value in row.items():
                if kept[key] != value:
                    raise AssertionError(f"{name} {address}: {key} {kept[key]}, loaded {value}")

    async def read_back(self, ctx: Any) -> None:
        """Read weights, state, traces, LFSRs and counters."""
        core, sizes = self.core, self.config.layer
        lanes, slots = sizes.lanes, sizes.slots
        back = np.zeros_like(self.padded)
        for number, address in enumerate(self.addresses):
            row, slot = divmod(number, slots)
            ctx.set(core.host.address, address)
            await ctx.tick().repeat(READ_CLOCKS)
            values = ctx.get(core.host.weights)
            back[row, slot * lanes : (slot + 1) * lanes] = [values[lane] for lane in range(lanes)]
        variables = state_variables("neuron", "input")
        counts = {"neuron": slots * lanes, "input": sizes.inputs}
        found = {variable.name: np.zeros(counts[variable.per], np.int64) for variable in variables}
        for slot in range(slots):
            ctx.set(core.host.address, slot)
            await ctx.tick()
            for lane in range(lanes):
                values = ctx.get(core.host.state[lane])
                for variable in state_variables("neuron"):
                    found[variable.name][slot * lanes + lane] = getattr(values, variable.field)
        for variable in state_variables("neuron"):
            found[variable.name] *= 1 - ctx.get(core.host.state_blank)
        updates: tuple[int, ...] = ()
        if self.learning:
            for address in range(sizes.inputs):
                ctx.set(core.host.address, address)
                await ctx.tick()
                values = ctx.get(core.host.trace)
                for variable in state_variables("input"):
                    found[variable.name][address] = getattr(values, variable.field)
            for variable in state_variables("input"):
                found[variable.name] *= 1 - ctx.get(core.host.trace_blank)
            if hasattr(core.host, "update_lfsr"):
                updates = tuple(ctx.get(state) for state in core.host.update_lfsr)
        self.result = {
            "weights": back[:, : sizes.neurons],
            "digest": ctx.get(core.digest),
            "counters": {name: ctx.get(getattr(core, name)) for name in COUNTERS},
            "state": LayerState(
                **{
                    variable.name: found[variable.name][: variable.count(self.config)]
                    for variable in variables
                },
                noise_lfsr=tuple(ctx.get(state) for state in getattr(core.host, "noise_lfsr", ())),
                update_lfsr=updates,
                phase=ctx.get(core.phase),
            ),
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
                await ctx.tick().until(core.i_targets.ready | self.over)
                ctx.set(core.i_targets.valid, 0)

    async def collect(self, ctx: Any) -> None:
        """Receive the output events."""
        core = self.core
        while self.received < self.steps:
            await self._hesitate(ctx)
            ctx.set(core.o_events.ready, 1)
            comes = core.o_events.valid | self.over
            (event,) = await ctx.tick().sample(core.o_events.payload).until(comes)
            ctx.set(core.o_events.ready, 0)
            if ctx.get(self.over):
                return
            if event.last:
                self.received += 1
            else:
                self.raster[self.received, event.address] += 1


def most_clocks(config: Config, events: Events, stall: float) -> int:
    """Return an upper bound on the clock cycles of loading, all windows and reading back."""
    sizes = config.layer
    synapses, steps = sizes.inputs * sizes.slots, events.windows * events.steps
    step = 4 * (synapses + sizes.slots + sizes.neurons + sizes.inputs) + 200
    memories = synapses + sizes.inputs + sizes.slots + 2 * config.error.entries
    work = steps * step + events.windows * 2 * synapses + 4 * memories
    # A transfer takes 1 / (1 - stall) clock cycles on average; ten times that is never reached.
    return int(10 * work / max(1 - stall, 0.01)) + 1000


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
    built: Config | None = None,
) -> CoreRun:
    """Run all windows of `events` on a new core and return the result.

    Parameters
    ----------
    config : Config
        Its error table and schedule are loaded if `built` differs.
    weights : (N, M) int
    events : Events
    targets : (W, M) or (W, T, M) int, raw
    learning : bool
        Whether the core has learning hardware.
    learn : bool
        Whether to use it.
    stall : float
        Probability per clock cycle, 0 ..= 1, that the other side of a stream stalls.
    seed : int
        Seed of the stalls.
    built : Config or None
        Configuration that the core is built from; None: `config`.

    Raises
    ------
    BitlifError
        If the core cannot load the table and schedule of `config`, or does not finish its windows.
    """
    built = config if built is None else built
    if built != config:
        require_loadable(built, config)
    bench = Bench(config, weights, events, targets, learning=learning, learn=learn and learning,
                   stall=stall, seed=seed, built=built)  # fmt: skip
    simulator = Simulator(bench.core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench.count, background=True)
    simulator.add_testbench(bench.host)
    if hasattr(bench.core, "i_targets") and (bench.learn or config.membrane.reset == "teacher"):
        simulator.add_testbench(bench.teach, background=True)
    simulator.add_testbench(bench.collect)
    simulator.run()
    if not bench.result:
        raise BitlifError(
            f"the core must finish its windows within {bench.most} clock cycles, but finished only "
            f"{bench.received} of {bench.steps} steps"
        )
    shape = (events.windows, events.steps)
    return CoreRun(
        bench.raster.reshape(*shape, config.layer.neurons),
        window_clocks=np.array(bench.window_clocks, np.int64),
        **bench.result,
    )
