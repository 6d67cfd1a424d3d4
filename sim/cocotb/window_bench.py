"""What the benches of a layer and of a network share: clock cycles, streams, and recorded rows."""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from cocotb.triggers import Timer

from bitlif.sim.probes import MISSING

from .streams import Sink, Source, UndefinedValue, integer

PERIOD, SETTLE_TIME = 10, 1
"""Nanoseconds of a clock cycle, and from its falling edge until outputs are read."""


def find(dut: Any, path: str) -> Any:
    """Return the signal at a dotted path below the top module."""
    for part in path.split("."):
        dut = getattr(dut, part)
    return dut


class Recorder:
    """Records the rows of every probe when the core's signal ``watch`` marks them as valid."""

    def __init__(self, dut: Any, wanted: list[dict[str, Any]]) -> None:
        self.wanted = wanted
        self.rows: list[list[int]] = [[] for _ in wanted]
        self.by_flag: dict[int, list[tuple[Any, list[int]]]] = {}
        for row, one in zip(self.rows, wanted, strict=True):
            self.by_flag.setdefault(one["flag"], []).append((find(dut, one["path"]), row))

    def record(self, flags: int) -> None:
        """Record the probes that are valid in this clock cycle."""
        while flags:
            lowest = flags & -flags
            flags ^= lowest
            for handle, row in self.by_flag.get(lowest.bit_length() - 1, ()):
                row.append(integer_or_missing(handle))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the rows by name, (R, count) int64; 64-bit unsigned values become negative."""
        return {
            one["name"]: unpack(row, one) for row, one in zip(self.rows, self.wanted, strict=True)
        }


def integer_or_missing(handle: Any) -> int:
    """Return the value of a signal as an unsigned integer, or `MISSING` if it is undefined."""
    try:
        return integer(handle)
    except UndefinedValue:
        return MISSING


def unpack(rows: list[int], one: dict[str, Any]) -> np.ndarray:
    """Return the fields of packed rows; all those of a row that is `MISSING` are, too."""
    bits, mask, sign = one["bits"], (1 << one["bits"]) - 1, 1 << (one["bits"] - 1)
    out = np.zeros((len(rows), one["count"]), np.int64)
    for number, row in enumerate(rows):
        if row == MISSING:
            out[number] = MISSING
            continue
        row >>= one["offset"]
        for place in range(one["count"]):
            raw = (row >> (place * one["stride"])) & mask
            if raw & sign and (one["signed"] or bits == 64):
                raw -= 1 << bits
            out[number, place] = raw
    return out


class WindowBench(ABC):
    """Runs windows through the streams of a core, and takes its output events.

    It drives inputs on the falling edge and reads outputs one nanosecond later.

    Parameters
    ----------
    dut : Any
    task : mapping
        Pointers, addresses and targets, and the chance and the seed of stalls.
    inputs, neurons : int
    stall_clocks : int
        Clock cycles without progress after which a core that does not stall counts as stalled.
    """

    def __init__(self, dut: Any, task: Any, inputs: int, neurons: int, stall_clocks: int) -> None:
        self.dut, self.task, self.inputs, self.neurons = dut, task, inputs, neurons
        self.pointers, self.addresses = task["pointers"].tolist(), task["addresses"].tolist()
        self.steps = len(self.pointers) - 1
        self.stall = float(task["stall"])
        self.random = random.Random(int(task["seed"]))
        self.raster = np.zeros((self.steps, self.neurons), np.uint8)
        self.received = 0
        self.clock = self.last_progress = 0
        self.began = -1
        self.stall_clocks = int(stall_clocks / (1.0 - self.stall))
        self.stalled = False
        self.falls, self.settles = dut.clk.falling_edge, Timer(SETTLE_TIME, "ns")
        self.passes = Timer(PERIOD, "ns")
        self.events = Source(dut, "i_events", self.all_events(), self._draw_stall)
        self.ends: list[Source | Sink] = [self.events]
        if task["targets"].size:
            self.ends.append(Source(dut, "i_targets", self.all_targets(), self._draw_stall))
        self.ends.append(Sink(dut, "o_events", self.take_event, self._draw_stall))

    def _draw_stall(self) -> bool:
        return self.random.random() < self.stall

    async def run(self, clocks: int | None = None) -> None:
        """Run a number of clock cycles; if None, until all windows are done or the core stalls.

        A core with an undefined value counts as stalled.
        """
        try:
            while self._running() if clocks is None else self.clock < clocks:
                await self._run_clock()
        except UndefinedValue as error:
            self.note_undefined(error)

    async def _run_clock(self) -> None:
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
        self.stalled = self.clock - self.last_progress > self.stall_clocks

    @abstractmethod
    def _running(self) -> bool:
        """Return whether windows are to be run, and the core has not stalled."""

    @abstractmethod
    def watch(self) -> None:
        """Record this clock cycle, and count it."""

    @abstractmethod
    def all_targets(self) -> Iterator[int]:
        """Yield the packed targets of every step and slot."""

    def note_undefined(self, error: UndefinedValue) -> None:
        """End the run: what was recorded so far shows what is wrong first."""
        self.dut._log.warning("%s is undefined in clock cycle %d", error, self.clock)
        self.stalled = True

    def note_beginning(self) -> None:
        """Note the clock cycle in which the first event is transferred."""
        if self.began < 0 and self.events.offers and integer(self.events.ready):
            self.began = self.clock

    def all_events(self) -> Iterator[int]:
        """Yield all input events. The bit above the address marks the end of a step."""
        last = 1 << (self.inputs - 1).bit_length()
        for start, stop in itertools.pairwise(self.pointers):
            yield from self.addresses[start:stop]
            yield last

    def take_event(self, event: int) -> bool:
        """Record an output event; return whether more are expected."""
        last = 1 << (self.neurons - 1).bit_length()
        if event & last:
            self.received += 1
        else:
            self.raster[self.received, event & (last - 1)] += 1
        return self.received < self.steps
