"""A core in Amaranth's simulator with the interface of all backends, for windows and steps.

`bitlif.sim.backends.pysim` runs whole windows with streams that stall. This core needs no compiler
either, and is hundreds of times slower than compiled gates.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.result import LayerState

from .core import Core
from .pysim import Bench, most_clocks
from .result import StepResult, Tally


class SimulatedCore(Core):
    """A core of Amaranth's simulator. It records nothing.

    Parameters
    ----------
    config : Config
    learning : bool
        False: inference only, without learning hardware.
    """

    backend = "amaranth"
    records = ()

    def __init__(self, config: Config, *, learning: bool = True) -> None:
        super().__init__(config, learning=learning)
        sizes = config.layer
        self._nothing = Events.from_times([], [], steps=1, units=sizes.inputs, windows=1)
        weights = np.zeros((sizes.inputs, sizes.neurons), np.int64)
        self._bench = Bench(config, weights, self._nothing, None, learning=learning, learn=False,
                            stall=0.0, seed=0, built=config)  # fmt: skip
        top = Module()
        top.domains.sync = self._domain = ClockDomain("sync")
        top.submodules.core = self._bench.core
        self._simulator = Simulator(top)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._serve)
        self._command: Callable[[Any], Awaitable[None]] | None = None
        self._broken = ""
        self._begin()
        self._do(self._restart, "a reset")

    def _begin(self) -> None:
        self._counted, self._stepped, self._window_clocks = Tally(), 0, 0

    async def _serve(self, ctx: Any) -> None:
        """Carry out one command after another; clock cycles between them change nothing."""
        while True:
            if self._command is None:
                await ctx.tick()
            else:
                await self._command(ctx)
                self._command = None

    def _do(self, command: Callable[[Any], Awaitable[None]], name: str) -> None:
        """Advance the simulation until a command is complete."""
        self._require_sound()
        self._broken = f"was interrupted in {name}"
        self._command = command
        while self._command is not None:
            self._simulator.advance()
        self._broken = ""

    def _require_sound(self) -> None:
        if self._broken:
            raise BitlifError(f"the core ({self.backend}) {self._broken}: open a new one")

    async def _restart(self, ctx: Any) -> None:
        ctx.set(self._domain.rst, 1)
        await ctx.tick()
        ctx.set(self._domain.rst, 0)
        while not ctx.get(self._bench.core.host.idle):
            await ctx.tick()

    def fresh(self) -> SimulatedCore:
        """Return a new core of the same configuration; see `Core.fresh`."""
        core = SimulatedCore(self._built, learning=self._learning)
        if self._config != self._built:
            core.load_tables(self._config)
        return core

    # -- loading -----------------------------------------------------------------------------

    def _load(self, weights: NDArray[Any]) -> None:
        self._bench.padded[:, : self._built.layer.neurons] = weights
        self._do(self._bench.load_weights, "a load")

    def _load_tables(self) -> None:
        self._bench.config = self._config
        self._do(self._bench.load_memories, "a load")

    def _reset(self) -> None:
        self._begin()
        self._do(self._restart, "a reset")

    # -- running -----------------------------------------------------------------------------

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        config, windows, steps = self._built, events.windows, events.steps
        raster = np.zeros((windows, steps, config.layer.neurons), np.bool_)
        step_clocks = np.zeros((windows, steps), np.int64)
        window_clocks = np.zeros(windows, np.int64)
        for w in range(windows):
            addresses = [
                events.addresses[slice(*events.pointers[w * steps + t :][:2])].tolist()
                for t in range(steps)
            ]
            goals = None if targets is None else targets[w]
            clocks, _, rest = self._pass(addresses, goals, learn, raster[w], ended=True)
            step_clocks[w], window_clocks[w] = clocks, sum(clocks) + rest
            self._count(learn, sum(map(len, addresses)), int(window_clocks[w]), ended=True)
        return {
            "raster": raster.astype(np.uint8),
            "step_clocks": step_clocks,
            "step_signatures": np.zeros((0, steps), np.int64),
            "window_clocks": window_clocks,
        }

    def _step(
        self,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
        learn: bool,
        record: tuple[str, ...],
    ) -> StepResult:
        position = self._stepped
        ended = position + 1 == self._built.window.steps
        spikes = np.zeros((1, self._built.layer.neurons), np.bool_)
        goals = None if targets is None else targets[0]
        (clocks,), signature, rest = self._pass(
            [addresses.tolist()], goals, learn, spikes, ended=ended
        )
        spent = self._window_clocks + clocks + rest
        self._count(learn, len(addresses), spent, ended=ended)
        return StepResult(spikes[0], position, ended, clocks, spent if ended else None, signature)

    def _count(self, learn: bool, events: int, spent: int, *, ended: bool) -> None:
        """Count a window, or a step of a window that has taken `spent` clock cycles."""
        done = self._counted
        self._counted = Tally(
            done.windows_learned + (learn and ended),
            done.clocks + spent * ended,
            done.synaptic_events + events * self._built.layer.neurons,
        )
        self._stepped, self._window_clocks = (0, 0) if ended else (self._stepped + 1, spent)

    def _pass(
        self,
        addresses: list[list[int]],
        targets: NDArray[Any] | None,
        learn: bool,
        spikes: NDArray[np.bool_],
        *,
        ended: bool,
    ) -> tuple[list[int], int, int]:
        """Pass steps to the core, and the end of the window if `ended`.

        Returns the clock cycles of each step, the signature after the last one, and the clock
        cycles of the end.
        """
        config = self._built
        sizes, steps = config.layer, len(addresses)
        rows = np.zeros((steps, sizes.slots * sizes.lanes), np.int64)
        if targets is not None:
            rows[:, : sizes.neurons] = targets
        teaches = learn or config.membrane.reset == "teacher"
        goals = rows.reshape(-1, sizes.lanes).tolist() if teaches else []
        clocks: list[int] = []
        signature, rest = 0, 0

        async def run(ctx: Any) -> None:
            nonlocal clocks, signature, rest
            if self._learning:
                ctx.set(self._bench.core.learn, int(learn))
            clocks, signature = await self._pass_steps(ctx, addresses, goals, spikes)
            rest = await self._pass_end(ctx) if ended else 0

        self._do(run, "a step" if steps == 1 else "a window")
        return clocks, signature, rest

    async def _pass_steps(
        self,
        ctx: Any,
        addresses: list[list[int]],
        goals: list[list[int]],
        spikes: NDArray[np.bool_],
    ) -> tuple[list[int], int]:
        """Pass steps through the streams; return their clock cycles, and the last signature."""
        core, now, steps = self._bench.core, 0, len(addresses)
        items = [
            item
            for step in addresses
            for item in (*({"address": own, "last": 0} for own in step), {"address": 0, "last": 1})
        ]
        goals, most = list(goals), steps * most_clocks(self._built, self._nothing, 0.0)
        ends: list[int] = []
        received, signature = 0, 0
        ports = [
            core.i_events.ready, core.o_events.valid, core.o_events.payload.address,
            core.o_events.payload.last, core.step_done,
        ]  # fmt: skip
        if goals:
            ports.append(core.i_targets.ready)
        ctx.set(core.o_events.ready, 1)
        while len(ends) < steps or received < steps:
            ctx.set(core.i_events.valid, bool(items))
            if items:
                ctx.set(core.i_events.payload, items[0])
            if len(ports) > 5:
                ctx.set(core.i_targets.valid, bool(goals))
                if goals:
                    ctx.set(core.i_targets.payload, goals[0])
            sampled = await ctx.tick().sample(*ports)
            ready, valid, address, last, done, *takes = sampled[-len(ports) :]
            now += 1
            if now > most:
                raise BitlifError(f"the core did not end {steps} steps within {most} clock cycles")
            del items[: int(bool(ready))]
            del goals[: int(bool(takes and takes[0]))]
            if valid and last:
                received += 1
            elif valid:
                spikes[received, int(address)] = True
            if done:
                ends.append(now)
                signature = ctx.get(core.digest)
        ctx.set(core.i_events.valid, 0)
        return np.diff(ends, prepend=0).tolist(), signature

    async def _pass_end(self, ctx: Any) -> int:
        """Wait for the end of a window; return its clock cycles."""
        core, clocks = self._bench.core, 0
        while not ctx.get(core.host.idle):
            await ctx.tick()
            clocks += 1
        return clocks

    def _position(self) -> int:
        return 0 if self._broken else self._stepped

    # -- reading -----------------------------------------------------------------------------

    def _back(self, name: str) -> Any:
        self._do(self._bench.read_back, "a read")
        return self._bench.result[name]

    def _weights(self) -> NDArray[np.int64]:
        return np.array(self._back("weights"), np.int64)

    def _state(self) -> LayerState:
        state: LayerState = self._back("state")
        return state

    def _counters(self) -> dict[str, int]:
        return {**self._back("counters"), "synaptic_events": self._counted.synaptic_events}

    def _signature(self) -> int:
        return int(self._back("digest"))

    def _tally(self) -> Tally:
        self._require_sound()
        return self._counted
