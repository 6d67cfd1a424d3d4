"""The cocotb bench of the layer core: drives its ports and records its signals.

The environment variable ``BITLIF_TASK`` names the input file and ``BITLIF_RESULT`` the output file.
`bitlif.sim.cocotb.cosim` writes the one and reads the other.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from bitlif.hdl.core_signals import COUNTERS, READ_CLOCKS, WATCHED

from .streams import UndefinedValue, integer
from .window_bench import PERIOD, Recorder, WindowBench, find, integer_or_missing, unpack

STEP, WINDOW = (1 << WATCHED.index(name) for name in ("step", "window"))

STALL_CLOCKS = 20_000
"""Clock cycles without the end of a step after which a core counts as stalled."""


class Sampler:
    """Samples signals in every clock cycle from the first event to the end of a step."""

    def __init__(self, dut: Any, names: list[str]) -> None:
        self.handles = [find(dut, name) for name in names]
        self.rows: list[list[int]] = []

    def sample(self) -> None:
        """Read all signals; -1 stands for a value with an X."""
        values = [handle.value for handle in self.handles]
        self.rows.append([int(value) if value.is_resolvable else -1 for value in values])

    def array(self) -> np.ndarray:
        """Return the raw values, shape (clocks, signals)."""
        return np.array(self.rows, np.int64).reshape(len(self.rows), len(self.handles))


class Bench(WindowBench):
    """The host of one core.

    A single task with as few wake-ups as possible does everything, since these dominate the
    simulation time.
    """

    def __init__(self, dut: Any, task: Any) -> None:
        self.lanes, self.slots = int(task["lanes"]), int(task["slots"])
        self.places = task["weight_addresses"].tolist()
        self.bits, self.target_bits = int(task["weight_bits"]), int(task["target_bits"])
        inputs, neurons = task["weights"].shape
        super().__init__(dut, task, inputs, neurons, STALL_CLOCKS)
        self.step_ends: list[int] = []
        self.window_ends: list[int] = []
        self.seen = dut.watch
        self.recorder = Recorder(dut, json.loads(str(task["observables"])))
        self.sampler = Sampler(dut, json.loads(str(task["samples"])))
        # -1 if no step is to be sampled.
        self.sample_step = int(task["sample_step"])

    def _running(self) -> bool:
        done = self.received == self.steps and integer(self.dut.host__idle)
        return not (self.stalled or done)

    def watch(self) -> None:
        """Record this clock cycle; cycles are counted from the first event."""
        self.note_beginning()
        if self.began >= 0 and len(self.step_ends) <= self.sample_step:
            self.sampler.sample()
        flags = integer(self.seen)
        if flags:
            self.recorder.record(flags)
            if flags & STEP:
                self.step_ends.append(self.clock - self.began)
                self.last_progress = self.clock
            if flags & WINDOW:
                self.window_ends.append(self.clock - self.began)
        self.clock += 1

    async def answer(self, address: int, name: str) -> int:
        """Read a host port at an address, and record the clock cycles that this takes."""
        self.dut.host__address.value = address
        for _ in range(READ_CLOCKS):
            await self.passes
            self.watch()
        return integer(getattr(self.dut, f"host__{name}"))

    async def load(self) -> None:
        """Write all weights."""
        dut, mask = self.dut, (1 << self.bits) - 1
        dut.host__weights_enable.value = (1 << self.lanes) - 1
        for row, weights in enumerate(self.task["weights"].tolist()):
            weights = weights + [0] * (self.slots * self.lanes - self.neurons)
            for slot in range(self.slots):
                own = weights[slot * self.lanes : (slot + 1) * self.lanes]
                dut.host__address.value = self.places[row][slot]
                packed = sum((weight & mask) << (k * self.bits) for k, weight in enumerate(own))
                dut.host__weights_data.value = packed
                await FallingEdge(dut.clk)
        dut.host__weights_enable.value = 0

    async def read_back(self) -> np.ndarray:
        """Read all weights, shape (N, M)."""
        sign = 1 << (self.bits - 1)
        weights = np.zeros((self.inputs, self.slots * self.lanes), np.int64)
        for row in range(self.inputs):
            for slot in range(self.slots):
                packed = await self.answer(self.places[row][slot], "weights")
                for lane in range(self.lanes):
                    raw = (packed >> (lane * self.bits)) & (2 * sign - 1)
                    weights[row, slot * self.lanes + lane] = (raw ^ sign) - sign
        return weights[:, : self.neurons]

    async def read_state(self) -> dict[str, np.ndarray]:
        """Read state (M,) and traces (N,) by name; zero where the core marks them as blank."""
        dut, layouts = self.dut, json.loads(str(self.task["state_layouts"]))
        rows: dict[str, list[int]] = {"state": [], "trace": []}
        wanted = {"state": self.slots}
        if hasattr(dut, "host__trace"):
            wanted["trace"] = self.inputs
        for name, count in wanted.items():
            for address in range(count):
                row = await self.answer(address, name)
                rows[name].append(0 if integer(getattr(dut, f"host__{name}_blank")) else row)
        return {
            name: unpack(rows[layout["path"]], layout).reshape(-1)
            for name, layout in layouts.items()
            if layout["path"] in wanted
        }

    def all_targets(self) -> Iterator[int]:
        """Yield the packed targets of every step and slot."""
        width = self.target_bits + 1
        for row in self.task["targets"].tolist():
            row = row + [0] * (self.slots * self.lanes - self.neurons)
            for slot in range(self.slots):
                own = row[slot * self.lanes : (slot + 1) * self.lanes]
                yield sum(target << (k * width) for k, target in enumerate(own))


async def begin(bench: Bench) -> None:
    """Reset the core, wait until it is ready, and load the weights."""
    dut = bench.dut
    inputs = ("i_events__valid", "i_targets__valid", "o_events__ready", "learn")
    for name in (*inputs, *(f"host__{kind}_enable" for kind in ("weights", "entry", "schedule"))):
        if hasattr(dut, name):
            getattr(dut, name).value = 0
    dut.rst.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    if bench.task["learn"]:
        dut.learn.value = 1
    await FallingEdge(dut.clk)
    # Memories are cleared at one row per clock cycle.
    for _ in range(bench.inputs * bench.slots + bench.stall_clocks):
        if dut.host__idle.value:
            break
        await FallingEdge(dut.clk)
    assert dut.host__idle.value, "the core does not come out of its reset"
    await bench.load()
    await bench.settles


@cocotb.test()
async def run_task(dut: Any) -> None:
    """Reset and load the core, run all windows, read everything back, and write the result."""
    with np.load(os.environ["BITLIF_TASK"]) as data:
        task = dict(data)
    # cocotb's compiled clock: one in Python would wake this task twice per clock cycle.
    Clock(dut.clk, PERIOD, unit="ns", impl="gpi").start()
    for clocks in task["false_starts"].tolist():
        bench = Bench(dut, task)
        await begin(bench)
        await bench.run(clocks)
    bench = Bench(dut, task)
    await begin(bench)
    start = time.perf_counter()
    await bench.run()
    seconds = time.perf_counter() - start
    final: dict[str, Any] = {}
    if not bench.stalled:
        try:
            final = {"weights": await bench.read_back(), **await bench.read_state()}
        except UndefinedValue as error:
            bench.note_undefined(error)
    result: dict[str, Any] = dict(
        stalled=bench.stalled,
        seconds=seconds,
        raster=bench.raster,
        step_ends=np.array(bench.step_ends, np.int64),
        window_ends=np.array(bench.window_ends, np.int64),
        counters=np.array([integer_or_missing(getattr(dut, name)) for name in COUNTERS], np.int64),
        phase=integer_or_missing(dut.phase),
        samples=bench.sampler.array(),
        **{f"final {name}": values for name, values in final.items()},
        **{f"observed {name}": rows for name, rows in bench.recorder.arrays().items()},
    )
    np.savez(os.environ["BITLIF_RESULT"], **result)
