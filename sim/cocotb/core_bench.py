"""The cocotb bench of the layer core: drives Verilog through its ports, notes what it does.

What to run stands in the file that ``BITLIF_TASK`` names; what came out is written to the one that
``BITLIF_RESULT`` names. `bitlif.sim.cocotb.cosim` prepares the one and judges the other.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from bitlif.hdl.core_signals import COUNTERS, WATCHED

from .streams import Sink, Source

PERIOD, LOOK = 10, 1
"""Nanoseconds of a clock, and from its falling edge to where we look."""

STEP, WINDOW = (1 << WATCHED.index(name) for name in ("step", "window"))

PATIENCE = 20_000
"""Clocks without the end of a step after which a core counts as stuck, when nothing hesitates."""


def find(dut: Any, path: str) -> Any:
    """Return the signal at a dotted path below the top module."""
    for part in path.split("."):
        dut = getattr(dut, part)
    return dut


class Recorder:
    """Notes the rows of every observable when the core's ``watch`` says that they are there."""

    def __init__(self, dut: Any, wanted: list[dict[str, Any]]) -> None:
        self.wanted = wanted
        self.rows: list[list[int]] = [[] for _ in wanted]
        self.by_flag: dict[int, list[tuple[Any, list[int]]]] = {}
        for row, one in zip(self.rows, wanted, strict=True):
            self.by_flag.setdefault(one["flag"], []).append((find(dut, one["path"]), row))

    def note(self, flags: int) -> None:
        """Read what is there in this clock."""
        while flags:
            lowest = flags & -flags
            flags ^= lowest
            for handle, row in self.by_flag.get(lowest.bit_length() - 1, ()):
                row.append(int(handle.value))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the rows by name: (R, count) int64, unsigned 64-bit values in two's complement."""
        return {
            one["name"]: unpack(row, one) for row, one in zip(self.rows, self.wanted, strict=True)
        }


def unpack(rows: list[int], one: dict[str, Any]) -> np.ndarray:
    """Take packed rows apart."""
    bits, mask, sign = one["bits"], (1 << one["bits"]) - 1, 1 << (one["bits"] - 1)
    out = np.zeros((len(rows), one["count"]), np.int64)
    for number, row in enumerate(rows):
        row >>= one["offset"]
        for place in range(one["count"]):
            raw = (row >> (place * one["stride"])) & mask
            if raw & sign and (one["signed"] or bits == 64):
                raw -= 1 << bits
            out[number, place] = raw
    return out


class Sampler:
    """Notes named signals in every clock of one step."""

    def __init__(self, dut: Any, names: list[str]) -> None:
        self.handles = [find(dut, name) for name in names]
        self.rows: list[list[int]] = []

    def note(self) -> None:
        """Read all of them; -1 stands for a value with an X in it."""
        values = [handle.value for handle in self.handles]
        self.rows.append([int(value) if value.is_resolvable else -1 for value in values])

    def array(self) -> np.ndarray:
        """Return their raw values: (clocks, signals)."""
        return np.array(self.rows, np.int64).reshape(len(self.rows), len(self.handles))


class Bench:
    """The host around one core.

    It drives on the falling edge, and looks one nanosecond after it, in one task and with no more
    wakings than it needs: those, not the core, are what a simulation's time would go to.
    """

    def __init__(self, dut: Any, task: Any) -> None:
        self.dut, self.task = dut, task
        self.lanes, self.slots = int(task["lanes"]), int(task["slots"])
        self.inputs, self.neurons = task["weights"].shape
        self.bits, self.target_bits = int(task["weight_bits"]), int(task["target_bits"])
        self.pointers, self.addresses = task["pointers"].tolist(), task["addresses"].tolist()
        self.steps = len(self.pointers) - 1
        self.stall = float(task["stall"])
        self.random = random.Random(int(task["seed"]))
        self.raster = np.zeros((self.steps, self.neurons), np.uint8)
        self.received = 0
        self.clock = self.lively = 0
        self.began = -1
        self.step_ends: list[int] = []
        self.window_ends: list[int] = []
        self.seen = dut.watch
        self.recorder = Recorder(dut, json.loads(str(task["observables"])))
        self.sampler = Sampler(dut, json.loads(str(task["samples"])))
        # No step has this number, if none is wanted.
        self.sample_step = int(task["sample_step"])
        self.patience = int(PATIENCE / (1.0 - self.stall))
        self.stuck = False
        self.falls, self.settles = dut.clk.falling_edge, Timer(LOOK, "ns")
        self.passes = Timer(PERIOD, "ns")
        self.events = Source(dut, "i_events", self.all_events(), self._hesitates)
        self.ends: list[Source | Sink] = [self.events]
        if task["targets"].size:
            self.ends.append(Source(dut, "i_targets", self.all_targets(), self._hesitates))
        self.ends.append(Sink(dut, "o_events", self.take_event, self._hesitates))

    def _hesitates(self) -> bool:
        return self.random.random() < self.stall

    async def run(self, clocks: int | None = None) -> None:
        """Run so many clocks; None: all windows, until the core idles or is stuck."""
        while self._goes_on() if clocks is None else self.clock < clocks:
            moving = [end for end in self.ends if end.plan()]
            if moving:
                await self.falls
                for end in moving:
                    end.drive()
                await self.settles
            else:
                await self.passes
            self.watch()
            for end in self.ends:
                end.look()
            self.stuck = self.clock - self.lively > self.patience

    def _goes_on(self) -> bool:
        done = self.received == self.steps and self.dut.host__idle.value
        return not (self.stuck or done)

    def watch(self) -> None:
        """Count clocks from the first event; note what the core does in this one."""
        if self.began < 0 and self.events.offers and self.events.ready.value:
            self.began = self.clock
        if self.began >= 0 and len(self.step_ends) == self.sample_step:
            self.sampler.note()
        flags = int(self.seen.value)
        if flags:
            self.recorder.note(flags)
            if flags & STEP:
                self.step_ends.append(self.clock - self.began)
                self.lively = self.clock
            if flags & WINDOW:
                self.window_ends.append(self.clock - self.began)
        self.clock += 1

    async def answer(self, address: int, name: str) -> int:
        """Return what a host's port says of an address, a clock later; keep watching meanwhile."""
        self.dut.host__address.value = address
        await self.passes
        self.watch()
        return int(getattr(self.dut, f"host__{name}").value)

    async def load(self) -> None:
        """Write all weights."""
        dut, mask = self.dut, (1 << self.bits) - 1
        dut.host__weights_enable.value = (1 << self.lanes) - 1
        for row, weights in enumerate(self.task["weights"].tolist()):
            weights = weights + [0] * (self.slots * self.lanes - self.neurons)
            for slot in range(self.slots):
                own = weights[slot * self.lanes : (slot + 1) * self.lanes]
                dut.host__address.value = row * self.slots + slot
                packed = sum((weight & mask) << (k * self.bits) for k, weight in enumerate(own))
                dut.host__weights_data.value = packed
                await FallingEdge(dut.clk)
        dut.host__weights_enable.value = 0

    async def read_back(self) -> np.ndarray:
        """Return all weights: (N, M)."""
        sign = 1 << (self.bits - 1)
        weights = np.zeros((self.inputs, self.slots * self.lanes), np.int64)
        for row in range(self.inputs):
            for slot in range(self.slots):
                packed = await self.answer(row * self.slots + slot, "weights")
                for lane in range(self.lanes):
                    raw = (packed >> (lane * self.bits)) & (2 * sign - 1)
                    weights[row, slot * self.lanes + lane] = (raw ^ sign) - sign
        return weights[:, : self.neurons]

    async def read_state(self) -> dict[str, np.ndarray]:
        """Return state (M,) and traces (N,) by name, zero where the core says so."""
        dut, layouts = self.dut, json.loads(str(self.task["state_layouts"]))
        rows: dict[str, list[int]] = {"state": [], "trace": []}
        wanted = {"state": self.slots}
        if hasattr(dut, "host__trace"):
            wanted["trace"] = self.inputs
        for name, count in wanted.items():
            for address in range(count):
                row = await self.answer(address, name)
                rows[name].append(0 if getattr(dut, f"host__{name}_blank").value else row)
        return {
            name: unpack(rows[layout["path"]], layout).reshape(-1)
            for name, layout in layouts.items()
            if layout["path"] in wanted
        }

    def all_events(self) -> Iterator[int]:
        """Yield all events; ``last`` is the bit above the address."""
        last = 1 << (self.inputs - 1).bit_length()
        for start, stop in itertools.pairwise(self.pointers):
            yield from self.addresses[start:stop]
            yield last

    def all_targets(self) -> Iterator[int]:
        """Yield the targets of every slot and step."""
        width = self.target_bits + 1
        for row in self.task["targets"].tolist():
            row = row + [0] * (self.slots * self.lanes - self.neurons)
            for slot in range(self.slots):
                own = row[slot * self.lanes : (slot + 1) * self.lanes]
                yield sum(target << (k * width) for k, target in enumerate(own))

    def take_event(self, event: int) -> bool:
        """Note an output event; return whether more are to come."""
        last = 1 << (self.neurons - 1).bit_length()
        if event & last:
            self.received += 1
        else:
            self.raster[self.received, event & (last - 1)] += 1
        return self.received < self.steps


async def begin(bench: Bench) -> None:
    """Reset, wait until the core is ready, load the weights."""
    dut = bench.dut
    quiet = ("i_events__valid", "i_targets__valid", "o_events__ready", "learn")
    for name in (*quiet, *(f"host__{kind}_enable" for kind in ("weights", "entry", "schedule"))):
        if hasattr(dut, name):
            getattr(dut, name).value = 0
    dut.rst.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    if bench.task["learn"]:
        dut.learn.value = 1
    await FallingEdge(dut.clk)
    # Memories are cleared, a row a clock cycle.
    for _ in range(bench.inputs * bench.slots + bench.patience):
        if dut.host__idle.value:
            break
        await FallingEdge(dut.clk)
    assert dut.host__idle.value, "the core does not come out of its reset"
    await bench.load()
    await bench.settles


@cocotb.test()
async def run_task(dut: Any) -> None:
    """Reset, load, run all windows, read back, write the result."""
    with np.load(os.environ["BITLIF_TASK"]) as data:
        task = dict(data)
    # The clock of cocotb's own library: one in Python would wake us twice a clock.
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
    if not bench.stuck:
        final = {"weights": await bench.read_back(), **await bench.read_state()}
    result: dict[str, Any] = dict(
        stuck=bench.stuck,
        seconds=seconds,
        raster=bench.raster,
        step_ends=np.array(bench.step_ends, np.int64),
        window_ends=np.array(bench.window_ends, np.int64),
        counters=np.array([int(getattr(dut, name).value) for name in COUNTERS], np.int64),
        phase=int(dut.phase.value),
        samples=bench.sampler.array(),
        **{f"final {name}": values for name, values in final.items()},
        **{f"observed {name}": rows for name, rows in bench.recorder.arrays().items()},
    )
    np.savez(os.environ["BITLIF_RESULT"], **result)
