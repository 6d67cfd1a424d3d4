"""The cocotb bench of the core of a network: drives its ports and records signals of all layers.

The environment variable ``BITLIF_TASK`` names the input file and ``BITLIF_RESULT`` the output file.
`bitlif.sim.cocotb.network_cosim` writes the one and reads the other.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from bitlif.hdl.core_signals import FORWARD_COUNTERS, READ_CLOCKS, SWEPT_COUNTERS, WATCHED

from .streams import UndefinedValue, integer
from .window_bench import (
    PERIOD,
    SETTLE_TIME,
    Recorder,
    WindowBench,
    find,
    integer_or_missing,
    unpack,
)

WINDOW = 1 << WATCHED.index("window")

STALL_CLOCKS = 100_000
"""Clock cycles without a window's end or an event after which a core counts as stalled."""


class LayerEnd:
    """The host port of a layer, and the recorder of its signals."""

    def __init__(self, dut: Any, number: int, facts: dict[str, Any], weights: np.ndarray) -> None:
        self.dut, self.port, self.facts, self.weights = dut, f"host_{number}__", facts, weights
        inside = find(dut, f"layer_{number}")
        self.watch = inside.watch
        self.recorder = Recorder(inside, facts["observables"])
        self.window_ends: list[int] = []

    def handle(self, name: str) -> Any:
        """Return a signal of the host port."""
        return getattr(self.dut, self.port + name)

    async def load(self) -> None:
        """Write the weights, (N, M)."""
        lanes, bits = self.facts["lanes"], self.facts["weight_bits"]
        padded = np.zeros((len(self.weights), self.facts["slots"] * lanes), np.int64)
        padded[:, : self.weights.shape[1]] = self.weights
        self.handle("weights_enable").value = (1 << lanes) - 1
        rows = padded.reshape(-1, lanes).tolist()
        for address, row in zip(self.facts["weight_addresses"], rows, strict=True):
            self.handle("address").value = address
            mask = (1 << bits) - 1
            self.handle("weights_data").value = sum(
                (own & mask) << (k * bits) for k, own in enumerate(row)
            )
            await FallingEdge(self.dut.clk)
        self.handle("weights_enable").value = 0

    async def answer(self, address: int, name: str) -> int:
        """Read a row at an address."""
        self.handle("address").value = address
        for _ in range(READ_CLOCKS + 1):
            await FallingEdge(self.dut.clk)
        await Timer(SETTLE_TIME, "ns")
        return integer(self.handle(name))

    async def read_back(self) -> dict[str, np.ndarray]:
        """Read weights and state."""
        bits, lanes = self.facts["weight_bits"], self.facts["lanes"]
        rows = [await self.answer(place, "weights") for place in self.facts["weight_addresses"]]
        layout = {
            "bits": bits, "count": lanes, "offset": 0, "stride": bits, "signed": True
        }  # fmt: skip
        weights = unpack(rows, layout).reshape(len(self.weights), -1)
        found = {"weights": weights[:, : self.weights.shape[1]]}
        blank = bool(integer(self.handle("state_blank")))
        rows = [await self.answer(slot, "state") for slot in range(self.facts["slots"])]
        for name, own in self.facts["state_layouts"].items():
            values = unpack([0] * len(rows) if blank else rows, own).reshape(-1)
            found[name] = values[: self.weights.shape[1]]
        for name in ("noise", "update", "sweep"):
            if hasattr(self.dut, f"{self.port}{name}_lfsr"):
                states = integer(self.handle(f"{name}_lfsr"))
                width = self.facts["lfsr_widths"][name]
                count = len(self.handle(f"{name}_lfsr")) // width
                mask = (1 << width) - 1
                found[f"{name}_lfsr"] = np.array(
                    [states >> (k * width) & mask for k in range(count)], np.uint64
                )
        return found


class NetworkBench(WindowBench):
    """The host of one network."""

    def __init__(self, dut: Any, task: Any) -> None:
        facts = json.loads(str(task["layers"]))
        self.layers = [LayerEnd(dut, k, own, task[f"weights_{k}"]) for k, own in enumerate(facts)]
        neurons = self.layers[-1].weights.shape[1]
        super().__init__(dut, task, len(task["weights_0"]), neurons, STALL_CLOCKS)

    async def begin(self) -> None:
        """Reset the core, wait until it is ready, and load the weights."""
        dut = self.dut
        names = ["i_events__valid", "i_targets__valid", "o_events__ready", "learn"]
        for k, kind in itertools.product(range(len(self.layers)), ("weights", "entry", "schedule")):
            names.append(f"host_{k}__{kind}_enable")
        for name in names:
            if hasattr(dut, name):
                getattr(dut, name).value = 0
        dut.rst.value = 1
        # The first falling edge may come before any rising one.
        for _ in range(3):
            await FallingEdge(dut.clk)
        dut.rst.value = 0
        if self.task["learn"]:
            dut.learn.value = 1
        await FallingEdge(dut.clk)
        for _ in range(STALL_CLOCKS):
            if dut.idle.value:
                break
            await FallingEdge(dut.clk)
        assert dut.idle.value, "the network does not come out of its reset"
        for layer in self.layers:
            await layer.load()
        await self.settles

    def _running(self) -> bool:
        done = self.received == self.steps and integer(self.dut.idle)
        return not (self.stalled or done)

    def watch(self) -> None:
        """Record this clock cycle; cycles are counted from the first event."""
        self.note_beginning()
        for layer in self.layers:
            flags = integer(layer.watch)
            if flags:
                layer.recorder.record(flags)
                if flags & WINDOW:
                    layer.window_ends.append(self.clock - self.began)
                    self.last_progress = self.clock
        self.clock += 1

    def all_targets(self) -> Iterator[int]:
        """Yield the packed targets of every step and slot."""
        own, width = self.layers[-1].facts, int(self.task["target_bits"]) + 1
        padded = np.zeros((self.steps, own["slots"] * own["lanes"]), np.int64)
        padded[:, : self.neurons] = self.task["targets"]
        for row in padded.reshape(-1, own["lanes"]).tolist():
            yield sum(target << (k * width) for k, target in enumerate(row))

    def take_event(self, event: int) -> bool:
        """Record an output event, which is progress; return whether more are expected."""
        self.last_progress = self.clock
        return super().take_event(event)


@cocotb.test()
async def run_task(dut: Any) -> None:
    """Reset and load the network, run all windows, read everything back, and write the result."""
    with np.load(os.environ["BITLIF_TASK"]) as data:
        task = dict(data)
    Clock(dut.clk, PERIOD, unit="ns", impl="gpi").start()
    for clocks in task["false_starts"].tolist():
        bench = NetworkBench(dut, task)
        await bench.begin()
        await bench.run(clocks)
    bench = NetworkBench(dut, task)
    await bench.begin()
    await bench.run()
    memories: list[dict[str, Any]] = [{} for _ in bench.layers]
    if not bench.stalled:
        try:
            memories = [await layer.read_back() for layer in bench.layers]
        except UndefinedValue as error:
            bench.note_undefined(error)
    result: dict[str, Any] = {"stalled": bench.stalled, "raster": bench.raster}
    names = SWEPT_COUNTERS if hasattr(dut, "learn") else FORWARD_COUNTERS
    for number, (layer, found) in enumerate(zip(bench.layers, memories, strict=True)):
        found["counters"] = np.array(
            [integer_or_missing(getattr(dut, f"{name}_{number}")) for name in names], np.int64
        )
        found["signature"] = np.array([integer_or_missing(getattr(dut, f"digest_{number}"))])
        if hasattr(dut, f"phase_{number}"):
            found["phase"] = np.array([integer_or_missing(getattr(dut, f"phase_{number}"))])
        found["window_ends"] = np.array(layer.window_ends, np.int64)
        result |= {f"{number} final {name}": values for name, values in found.items()}
        rows = layer.recorder.arrays()
        result |= {f"{number} observed {name}": values for name, values in rows.items()}
    result["signature"] = integer_or_missing(dut.digest)
    np.savez(os.environ["BITLIF_RESULT"], **result)
