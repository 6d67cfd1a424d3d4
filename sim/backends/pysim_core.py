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
        windows, steps = events.windows, events.steps
        found: list[StepResult] = []
        for step in range(windows * steps):
            w, t = divmod(step, steps)
            goals = None
            if targets is not None:
                goals = targets[
                    w : w + 1,
                    (t if targets.shape[1] > 1 else 0),
                ][:, None]
            start, stop = events.pointers[step : step + 2]
            found.append(self._step(events.addresses[start:stop], goals, learn, record))
        return {
            "raster": np.array([own.spikes for own in found], np.uint8).reshape(windows, steps, -1),
            "step_clocks": np.array([own.clocks for own in found], np.int64).reshape(-1, steps),
            "step_signatures": np.array([own.signature for own in found]).reshape(-1, steps),
            "window_clocks": np.array([own.window_clocks for own in found if own.ended], np.int64),
        }

    def _step(
        self,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
        learn: bool,
        record: tuple[str, ...],
    ) -> StepResult:
        config, position = self._built, self._stepped
        sizes, ended = config.layer, position + 1 == config.window.steps
        teaches = learn or config.membrane.reset == "teacher"
        rows = np.zeros(sizes.slots * sizes.lanes, np.int64)
        if targets is not None:
            rows[: sizes.neurons] = targets[0, 0]
        goals = rows.reshape(sizes.slots, sizes.lanes).tolist() if teaches else []
        spikes = np.zeros(sizes.neurons, np.bool_)
        clocks, signature, rest = 0, 0, 0

        async def run(ctx: Any) -> None:
            nonlocal clocks, signature, rest
            if self._learning:
                ctx.set(self._bench.core.learn, int(learn))
            clocks, signature = await self._pass_step(ctx, addresses.tolist(), goals, spikes)
            rest = await self._pass_end(ctx) if ended else 0

        self._do(run, "a step")
        done, spent = self._counted, self._window_clocks + clocks + rest
        self._counted = Tally(
            done.windows_learned + (learn and ended),
            done.clocks + spent * ended,
            done.synaptic_events + len(addresses) * sizes.neurons,
        )
        self._stepped, self._window_clocks = (0, 0) if ended else (position + 1, spent)
        return StepResult(spikes, position, ended, clocks, spent if ended else None, signature)

    async def _pass_step(
        self, ctx: Any, addresses: list[int], goals: list[list[int]], spikes: NDArray[np.bool_]
    ) -> tuple[int, int]:
        """Pass a step through the streams; return its clock cycles, and the signature after it."""
        core, clocks = self._bench.core, 0
        items = [*({"address": own, "last": 0} for own in addresses), {"address": 0, "last": 1}]
        goals, most = list(goals), most_clocks(self._built, self._nothing, 0.0)
        received, counted, signature = False, 0, 0
        ports = [
            core.i_events.ready, core.o_events.valid, core.o_events.payload.address,
            core.o_events.payload.last, core.step_done,
        ]  # fmt: skip
        if goals:
            ports.append(core.i_targets.ready)
        ctx.set(core.o_events.ready, 1)
        while not (counted and received):
            ctx.set(core.i_events.valid, bool(items))
            if items:
                ctx.set(core.i_events.payload, items[0])
            if len(ports) > 5:
                ctx.set(core.i_targets.valid, bool(goals))
                if goals:
                    ctx.set(core.i_targets.payload, goals[0])
            sampled = await ctx.tick().sample(*ports)
            ready, valid, address, last, done, *takes = sampled[-len(ports) :]
            clocks += 1
            if clocks > most:
                raise BitlifError(f"the core did not end a step within {most} clock cycles")
            del items[: int(bool(ready))]
            del goals[: int(bool(takes and takes[0]))]
            if valid and last:
                received = True
            elif valid:
                spikes[int(address)] = True
            if done:
                counted, signature = clocks, ctx.get(core.digest)
        ctx.set(core.i_events.valid, 0)
        return counted, signature

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
