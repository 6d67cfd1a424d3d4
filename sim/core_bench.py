"""The cocotb bench of the layer core: drives Verilog through its ports, notes what it does.

What to run stands in the file that ``BITLIF_TASK`` names; what came out is written to the one that
``BITLIF_RESULT`` names. `bitlif.sim.cosim` prepares the one and judges the other.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, Timer

from bitlif.hdl.witness import COUNTERS, WATCHED

PATIENCE = 20_000
"""Clocks without the end of a step after which a core counts as stuck, when nothing hesitates."""


class Recorder:
    """Notes the rows of every observable when the core's ``watch`` says that they are there."""

    def __init__(self, dut: Any, wanted: list[dict[str, Any]]) -> None:
        self.wanted = wanted
        self.rows: list[list[int]] = [[] for _ in wanted]
        self.by_flag: dict[int, list[tuple[Any, list[int]]]] = {}
        for row, one in zip(self.rows, wanted, strict=True):
            handle = dut
            for part in one["path"].split("."):
                handle = getattr(handle, part)
            self.by_flag.setdefault(one["flag"], []).append((handle, row))

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


class Bench:
    """The host's coroutines. All drive on the falling edge, and look one nanosecond after it."""

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
        self.clock = 0
        self.began = -1
        self.step_ends: list[int] = []
        self.window_ends: list[int] = []
        self.recorder = Recorder(dut, json.loads(str(task["observables"])))
        self.patience = int(PATIENCE / (1.0 - self.stall))
        self.stuck = False

    async def _hesitate(self) -> None:
        while self.random.random() < self.stall:
            await FallingEdge(self.dut.clk)

    async def _transfer(self, name: str, payload: int) -> None:
        valid, ready = (getattr(self.dut, f"{name}__{end}") for end in ("valid", "ready"))
        await self._hesitate()
        getattr(self.dut, f"{name}__payload").value = payload
        valid.value = 1
        while True:
            await Timer(1, "ns")
            taken = bool(ready.value)
            await FallingEdge(self.dut.clk)
            if taken:
                break
        valid.value = 0

    async def watch(self) -> None:
        """Count clocks from the first event; note what the core does, and when it stops to."""
        dut = self.dut
        step, window = (1 << WATCHED.index(name) for name in ("step", "window"))
        lively = 0
        while not self.stuck:
            await FallingEdge(dut.clk)
            await Timer(2, "ns")
            if self.began < 0 and dut.i_events__valid.value and dut.i_events__ready.value:
                self.began = self.clock
            flags = int(dut.watch.value)
            if flags:
                self.recorder.note(flags)
                if flags & step:
                    self.step_ends.append(self.clock - self.began)
                    lively = self.clock
                if flags & window:
                    self.window_ends.append(self.clock - self.began)
            self.clock += 1
            self.stuck = self.clock - lively > self.patience

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
        dut, sign = self.dut, 1 << (self.bits - 1)
        weights = np.zeros((self.inputs, self.slots * self.lanes), np.int64)
        for row in range(self.inputs):
            for slot in range(self.slots):
                dut.host__address.value = row * self.slots + slot
                await FallingEdge(dut.clk)
                packed = int(dut.host__weights.value)
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
                dut.host__address.value = address
                await FallingEdge(dut.clk)
                row = int(getattr(dut, f"host__{name}").value)
                rows[name].append(0 if getattr(dut, f"host__{name}_blank").value else row)
        return {
            name: unpack(rows[layout["path"]], layout).reshape(-1)
            for name, layout in layouts.items()
            if layout["path"] in wanted
        }

    async def send_events(self) -> None:
        """Send all events; ``last`` is the bit above the address."""
        last = 1 << (self.inputs - 1).bit_length()
        for step in range(self.steps):
            for address in self.addresses[self.pointers[step] : self.pointers[step + 1]]:
                await self._transfer("i_events", address)
            await self._transfer("i_events", last)

    async def send_targets(self) -> None:
        """Send the targets of every slot and step."""
        for row in self.task["targets"].tolist():
            row = row + [0] * (self.slots * self.lanes - self.neurons)
            for slot in range(self.slots):
                own = row[slot * self.lanes : (slot + 1) * self.lanes]
                width = self.target_bits + 1
                packed = sum(target << (k * width) for k, target in enumerate(own))
                await self._transfer("i_targets", packed)

    def senders(self) -> list[Any]:
        """Return the coroutines that feed the core."""
        return [self.send_events(), *([self.send_targets()] if self.task["targets"].size else [])]

    async def collect(self) -> None:
        """Take all output events."""
        dut = self.dut
        last = 1 << (self.neurons - 1).bit_length()
        while self.received < self.steps:
            await self._hesitate()
            dut.o_events__ready.value = 1
            while True:
                await Timer(1, "ns")
                given, event = bool(dut.o_events__valid.value), dut.o_events__payload.value
                await FallingEdge(dut.clk)
                if given:
                    break
                if self.stuck:
                    return
            dut.o_events__ready.value = 0
            if int(event) & last:
                self.received += 1
            else:
                self.raster[self.received, int(event) & (last - 1)] += 1


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
    while not dut.host__idle.value:
        await FallingEdge(dut.clk)
    await bench.load()


@cocotb.test()
async def run_task(dut: Any) -> None:
    """Reset, load, run all windows, read back, write the result."""
    with np.load(os.environ["BITLIF_TASK"]) as data:
        bench = Bench(dut, dict(data))
    Clock(dut.clk, 10, unit="ns").start()
    for clocks in bench.task["false_starts"].tolist():
        await begin(bench)
        started = [cocotb.start_soon(sender) for sender in bench.senders()]
        started.append(cocotb.start_soon(bench.collect()))
        await ClockCycles(dut.clk, clocks)
        for task in started:
            task.cancel()
        with np.load(os.environ["BITLIF_TASK"]) as data:
            bench = Bench(dut, dict(data))
    await begin(bench)
    cocotb.start_soon(bench.watch())
    # A clock ahead of the senders: the very first event must be seen.
    await FallingEdge(dut.clk)
    for sender in bench.senders():
        cocotb.start_soon(sender)
    await bench.collect()
    while not (dut.host__idle.value or bench.stuck):
        await FallingEdge(dut.clk)
    final: dict[str, Any] = {}
    if not bench.stuck:
        final = {"weights": await bench.read_back(), **await bench.read_state()}
    result: dict[str, Any] = dict(
        stuck=bench.stuck,
        raster=bench.raster,
        step_ends=np.array(bench.step_ends, np.int64),
        window_ends=np.array(bench.window_ends, np.int64),
        counters=np.array([int(getattr(dut, name).value) for name in COUNTERS], np.int64),
        phase=int(dut.phase.value),
        **{f"final {name}": values for name, values in final.items()},
        **{f"observed {name}": rows for name, rows in bench.recorder.arrays().items()},
    )
    np.savez(os.environ["BITLIF_RESULT"], **result)
