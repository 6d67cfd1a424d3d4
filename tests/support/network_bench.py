"""The core of a network in Amaranth's simulator, with streams that stall, beside the model."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from amaranth.hdl import Signal
from amaranth.sim import Simulator

import bitlif.sim
from bitlif.hdl.core_signals import FORWARD_COUNTERS, READ_CLOCKS, SWEPT_COUNTERS
from bitlif.hdl.network import NetworkCore
from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.network import Network
from bitlif.model.network_clocks import network_window_ends
from bitlif.tasks.scenario import targets_by_step

MOST_CLOCKS = 400_000
"""Clock cycles of a run: more than any test takes."""


class NetworkBench:
    """The simulated host of a network: one process per stream or port."""

    def __init__(
        self, config: NetworkConfig, weights: list[np.ndarray], events: Events, targets: Any,
        *, learns: list[bool] | None, stalls: tuple[float, float, float], seed: int,
    ) -> None:  # fmt: skip
        self.config, self.weights, self.events, self.stalls = config, weights, events, stalls
        self.learns = learns
        self.core = NetworkCore(config, learning=learns is not None)
        self.design: Any = self.core
        self.watching = [self.count]
        self.most = MOST_CLOCKS
        self.adjoints: list[list[list[int]]] = [[] for _ in config.layers]
        self.random = random.Random(seed)
        self.steps = events.windows * events.steps
        self.targets = targets
        self.rasters = [
            np.zeros((self.steps, own.config.layer.neurons), np.uint8) for own in config.layers
        ]
        self.received = [0] * len(config.layers)
        self.ends: list[list[int]] = [[] for _ in config.layers]
        self.clock, self.began = 0, -1
        self.over = Signal()
        self.result: dict[str, Any] = {}

    async def hesitate(self, ctx: Any, number: int) -> None:
        while self.random.random() < self.stalls[number]:
            await ctx.tick()

    async def count(self, ctx: Any) -> None:
        """Count clock cycles; record when windows end, and the spikes of all layers."""
        core = self.core
        ports = [core.i_events.valid, core.i_events.ready]
        for layer in core.layers:
            ports += [
                layer.window_done, layer.o_events.valid & layer.o_events.ready,
                layer.o_events.payload.last, layer.o_events.payload.address,
            ]  # fmt: skip
        engines = []
        if self.learns is not None:
            engines = [(k, own.engine) for k, own in enumerate(core.layers) if own.learned]
        fixed = len(ports)
        for _, engine in engines:
            ports += [engine.adjoints_valid, engine.adjoints]
        while True:
            sampled = await ctx.tick().sample(*ports)
            values = sampled[-len(ports) :]
            for place, (number, engine) in enumerate(engines):
                valid, row = values[fixed + 2 * place :][:2]
                if valid:
                    self.adjoints[number].append([row[lane] for lane in range(len(engine.active))])
            if self.began < 0 and values[0] and values[1]:
                self.began = self.clock
            for number in range(len(core.layers)):
                done, comes, last, address = values[2 + 4 * number :][:4]
                if done:
                    self.ends[number].append(self.clock - self.began)
                if comes and last:
                    self.received[number] += 1
                elif comes:
                    self.rasters[number][self.received[number], int(address)] += 1
            self.clock += 1
            if self.clock == self.most:
                ctx.set(self.over, 1)

    async def host(self, ctx: Any) -> None:
        """Load the weights, send the events, read everything back."""
        core = self.core
        while not ctx.get(core.idle | self.over):
            await ctx.tick()
        for number in range(len(core.layers)):
            await self.load_weights(ctx, number)
        for step in range(self.steps):
            if self.learns is not None and step % self.events.steps == 0:
                learns = self.learns[step // self.events.steps]
                if ctx.get(core.learn) != learns:
                    # All windows before must have ended, and begun.
                    while self.received[-1] < step or not ctx.get(core.idle | self.over):
                        await ctx.tick()
                ctx.set(core.learn, learns)
            start, stop = self.events.pointers[step : step + 2].tolist()
            for address in [*self.events.addresses[start:stop].tolist(), None]:
                await self.hesitate(ctx, 0)
                payload = {"address": address or 0, "last": address is None}
                ctx.set(core.i_events.payload, payload)
                ctx.set(core.i_events.valid, 1)
                await ctx.tick().until(core.i_events.ready | self.over)
                ctx.set(core.i_events.valid, 0)
        while self.received[-1] < self.steps or not ctx.get(core.idle):
            if ctx.get(self.over):
                return
            await ctx.tick()
        await self.read_back(ctx)

    async def load_weights(self, ctx: Any, number: int) -> None:
        config = self.config.layers[number].config
        host, sizes = getattr(self.core, f"host_{number}"), gate_sizes(config)
        padded = np.zeros((sizes.inputs, sizes.slots * sizes.lanes), np.int64)
        padded[:, : sizes.neurons] = self.weights[number]
        ctx.set(host.weights_enable, (1 << sizes.lanes) - 1)
        rows = padded.reshape(-1, sizes.lanes).tolist()
        for address, row in zip(sizes.addresses_in_order(), rows, strict=True):
            ctx.set(host.address, address)
            ctx.set(host.weights_data, row)
            await ctx.tick()
        ctx.set(host.weights_enable, 0)

    async def read_back(self, ctx: Any) -> None:
        """Read what the host ports show; the arrays are indexed by layer."""
        core = self.core
        found: dict[str, Any] = {"digest": ctx.get(core.digest)}
        for number, own in enumerate(self.config.layers):
            host, sizes = getattr(core, f"host_{number}"), gate_sizes(own.config)
            rows = []
            for address in sizes.addresses_in_order():
                ctx.set(host.address, address)
                await ctx.tick().repeat(READ_CLOCKS)
                rows.append([ctx.get(host.weights)[lane] for lane in range(sizes.lanes)])
            weights = np.array(rows, np.int64).reshape(sizes.inputs, -1)
            state: dict[str, list[int]] = {"current": [], "membrane": []}
            for slot in range(sizes.slots):
                ctx.set(host.address, slot)
                await ctx.tick()
                blank = ctx.get(host.state_blank)
                for lane in range(sizes.lanes):
                    values = ctx.get(host.state[lane])
                    for name, kept in state.items():
                        kept.append(0 if blank else getattr(values, name))
            found[f"weights {number}"] = weights[:, : sizes.neurons]
            for name, kept in state.items():
                found[f"{name} {number}"] = np.array(kept[: sizes.neurons])
            found[f"noise {number}"] = tuple(ctx.get(own) for own in host.noise_lfsr)
            found[f"raster {number}"] = self.rasters[number]
            found[f"digest {number}"] = ctx.get(getattr(core, f"digest_{number}"))
            names = FORWARD_COUNTERS
            if self.learns is not None:
                names = SWEPT_COUNTERS
                found[f"phase {number}"] = ctx.get(getattr(core, f"phase_{number}"))
                for name in ("update", "sweep"):
                    states = getattr(host, f"{name}_lfsr", None)
                    if states is not None:
                        found[f"{name} {number}"] = tuple(ctx.get(state) for state in states)
                found[f"adjoints {number}"] = self.adjoints[number]
            for name in names:
                found[f"{name} {number}"] = ctx.get(getattr(core, f"{name}_{number}"))
        self.result = found

    async def teach(self, ctx: Any) -> None:
        """Send the targets of every slot and step."""
        core, sizes = self.core, self.config.layers[-1].config.layer
        # Lanes without neuron ignore their targets.
        most = 1 << self.config.layers[-1].config.error.target_bits
        padded = np.full((self.steps, sizes.slots * sizes.lanes), most, np.int64)
        padded[:, : sizes.neurons] = self.targets
        if self.learns is not None and self.config.layers[-1].config.membrane.reset == "free":
            padded = padded[np.repeat(self.learns, self.events.steps)]
        for row in padded.reshape(-1, sizes.lanes).tolist():
            await self.hesitate(ctx, 1)
            ctx.set(core.i_targets.payload, row)
            ctx.set(core.i_targets.valid, 1)
            await ctx.tick().until(core.i_targets.ready | self.over)
            ctx.set(core.i_targets.valid, 0)

    async def collect(self, ctx: Any) -> None:
        """Take the output events."""
        core = self.core
        while self.received[-1] < self.steps and not ctx.get(self.over):
            ctx.set(core.o_events.ready, self.random.random() >= self.stalls[2])
            await ctx.tick()


def simulated(bench: NetworkBench, *, taught: bool) -> dict[str, Any]:
    """Run a bench to its end, and return what it has found."""
    simulator = Simulator(bench.design)
    simulator.add_clock(1e-6)
    for watching in bench.watching:
        simulator.add_testbench(watching, background=True)
    simulator.add_testbench(bench.host)
    simulator.add_testbench(bench.collect)
    if taught:
        simulator.add_testbench(bench.teach, background=True)
    simulator.run()
    return bench.result


def differences(
    config: NetworkConfig, weights: list[np.ndarray], events: Events, targets: np.ndarray,
    *, learns: list[bool] | None = None, stalls: tuple[float, float, float] = (0.0, 0.0, 0.0),
    seed: int = 0,
) -> list[str]:  # fmt: skip
    """Return the names of results in which a core differs from the model.

    Parameters
    ----------
    config : NetworkConfig
    weights : list of (N, M) int
    events : Events
    targets : (W, M) or (W, T, M) int
        Used in learned windows, and in others if a teacher resets the last layer.
    learns : list of bool or None
        Of each window, whether it is learned; None for a core without learning hardware.
    stalls : tuple of float
        Probability that events, targets and output stall. Clock cycles are compared if all are 0.
    seed : int
        Of the stalls.
    """
    teacher = config.layers[-1].config.membrane.reset == "teacher"
    goals = targets_by_step(config.layers[-1].config, events, targets)
    bench = NetworkBench(config, weights, events, goals, learns=learns, stalls=stalls, seed=seed)
    found = simulated(bench, taught=teacher or learns is not None)
    if not found:
        return ["the end"]
    expected = expected_results(config, weights, events, targets, learns)
    if any(stalls):
        expected = {name: own for name, own in expected.items() if not name.startswith("clocks")}
    else:
        found |= {f"clocks {number}": own for number, own in enumerate(bench.ends)}
    assert found.keys() == expected.keys()
    return [name for name in expected if not np.array_equal(found[name], expected[name])]


def expected_results(
    config: NetworkConfig, weights: list[np.ndarray], events: Events, targets: np.ndarray,
    learns: list[bool] | None,
) -> dict[str, Any]:  # fmt: skip
    """Return what the model says that a bench must find."""
    teacher = config.layers[-1].config.membrane.reset == "teacher"
    network = Network(config)
    network.load(weights)
    totals = [dict.fromkeys(SWEPT_COUNTERS, 0) for _ in config.layers]
    rasters: list[list[np.ndarray]] = [[] for _ in config.layers]
    adjoints: list[list[list[int]]] = [[] for _ in config.layers]
    results = []
    with bitlif.sim.open(config) as core:
        core.load(weights)
        for window, learn in enumerate(learns or [False] * events.windows):
            given = events.select(range(window, window + 1))
            goals = targets[window : window + 1] if learn or teacher else None
            core.run(given, goals, learn=learn)
            if learn:
                result = network.learn(given, goals, record=("adjoints", "membrane"))
            else:
                result = network.run(given, goals, record=("membrane",))
            results.append(result)
            for number, own in enumerate(result.layers):
                rasters[number].append(own.raster[0])
                counts = {**own.counters, **(result.sweep_counters[number] if learn else {})}
                for name in SWEPT_COUNTERS:
                    totals[number][name] += counts.get(name, 0)
                if learn and number >= config.learned_from:
                    adjoints[number] += rows_of(config, number, result.adjoints[number][0])
        expected: dict[str, Any] = {"digest": core.signature()}
        signatures = core.layer_signatures() or ()
        expected |= {f"digest {number}": own for number, own in enumerate(signatures)}
    states = zip(network.states(), network.weights(), network.sweep_lfsr(), strict=True)
    for number, (state, learned, sweep) in enumerate(states):
        expected |= {
            f"weights {number}": learned,
            f"current {number}": state.current,
            f"membrane {number}": state.membrane,
            f"noise {number}": state.noise_lfsr,
            f"raster {number}": np.concatenate(rasters[number]),
        }
        names = FORWARD_COUNTERS if learns is None else SWEPT_COUNTERS
        expected |= {f"{name} {number}": totals[number][name] for name in names}
        if learns is None:
            continue
        expected |= {f"phase {number}": state.phase, f"adjoints {number}": adjoints[number]}
        if number >= config.learned_from:
            own = config.layers[number]
            if own.config.learning.random_bits:
                expected[f"update {number}"] = state.update_lfsr
            if own.sweep.rounding == "stochastic":
                expected[f"sweep {number}"] = sweep
    ends = network_window_ends(config, events, results, learns)
    return expected | {f"clocks {number}": own for number, own in enumerate(ends)}


def rows_of(config: NetworkConfig, number: int, adjoints: np.ndarray) -> list[list[int]]:
    """Return adjoint currents (T, M) as rows of P, in the order of the sweep."""
    sizes = config.layers[number].config.layer
    padded = np.zeros((len(adjoints), sizes.slots * sizes.lanes), np.int64)
    padded[:, : sizes.neurons] = adjoints
    rows: list[list[int]] = padded[::-1].reshape(-1, sizes.lanes).tolist()
    return rows
