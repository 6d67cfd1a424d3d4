"""The cocotb bench of a core with its buses, whose other ends are those of ``cocotbext-axi``.

The core is a layer or a network.

The environment variable ``BITLIF_TASK`` names the input file and ``BITLIF_RESULT`` the output file.
`bitlif.sim.cocotb.bus` writes the one and reads the other.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamSink,
    AxiStreamSource,
)

from bitlif.hdl.bus.axi_stream import target_bits
from bitlif.host.access_error import AccessError
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer, parse_any_config
from bitlif.model.errors import BitlifError

from .contents import load_weights, new_driver, read_contents
from .illegal_accesses import IllegalAccessTester

OFFERS = (
    ("m_axis_events_tvalid", "m_axis_events_tready", "m_axis_events_tdata", "m_axis_events_tlast"),
    ("s_axil_bvalid", "s_axil_bready", "s_axil_bresp"),
    ("s_axil_rvalid", "s_axil_rready", "s_axil_rdata", "s_axil_rresp"),
)
"""Valid, ready and payload of the outputs, which must be stable until accepted."""


class Bench:
    """Bus masters around the design."""

    def __init__(self, dut: Any, config: Config | NetworkConfig, learning: bool) -> None:
        # The streams of a network are those of one layer.
        self.dut, self.config = dut, outer(config)
        clocked = (dut.clk, dut.rst)
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), *clocked)
        # A "byte" of a frame is an address or the targets of a slot; TLAST ends a step.
        self.events = AxiStreamSource(
            AxiStreamBus.from_prefix(dut, "s_axis_events"), *clocked, byte_lanes=1
        )
        self.spikes = AxiStreamSink(
            AxiStreamBus.from_prefix(dut, "m_axis_events"), *clocked, byte_lanes=1
        )
        self.targets = None
        if hasattr(dut, "s_axis_targets_tvalid"):
            self.targets = AxiStreamSource(
                AxiStreamBus.from_prefix(dut, "s_axis_targets"), *clocked, byte_lanes=1
            )
        self.driver = new_driver(config, self.read, self.write, learning=learning)
        self.tester = IllegalAccessTester(self.master, self.driver)
        self.loaded = config
        self.watcher: Any = None

    async def read(self, offset: int) -> int:
        """Read a word."""
        answer = await self.master.read(offset, 4)
        if answer.resp != AxiResp.OKAY:
            raise AccessError(False, offset, answer.resp)
        return int.from_bytes(answer.data, "little")

    async def write(self, offset: int, word: int) -> None:
        """Write a word."""
        answer = await self.master.write(offset, word.to_bytes(4, "little"))
        if answer.resp != AxiResp.OKAY:
            raise AccessError(True, offset, answer.resp)

    def channels(self) -> list[Any]:
        """Return all channels that can stall."""
        write, read = self.master.write_if, self.master.read_if
        own = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]
        own += [self.events, self.spikes]
        return own if self.targets is None else [*own, self.targets]

    def set_stalls(self, stall: float, seed: int) -> None:
        """Stall every channel independently with this probability per clock cycle."""
        for number, channel in enumerate(self.channels()):
            channel.clear_pause_generator()
            channel.pause = False
            if stall:
                channel.set_pause_generator(_pauses(stall, random.Random(f"{seed} {number}")))
        # Stability can only be checked if some cycles do not accept.
        if stall and self.watcher is None:
            self.watcher = cocotb.start_soon(self.watch())
        elif not stall and self.watcher is not None:
            self.watcher.cancel()
            self.watcher = None

    async def watch(self) -> None:
        """Check that the design's outputs are stable until accepted."""
        ports = [[getattr(self.dut, name) for name in names] for names in OFFERS]
        offered: list[list[int] | None] = [None] * len(ports)
        while True:
            await FallingEdge(self.dut.clk)
            for number, (valid, ready, *payload) in enumerate(ports):
                before, now = offered[number], None
                if valid.value:
                    now = [int(handle.value) for handle in payload]
                assert before in (None, now), f"{OFFERS[number][0]}: {before} became {now}"
                offered[number] = None if ready.value else now

    def frames(self, task: dict[str, Any]) -> list[list[int]]:
        """Return the events of each step, preceded by stray events without an input."""
        inputs, width = self.config.layer.inputs, len(self.dut.s_axis_events_tdata)
        strange = [inputs + k for k in range(task["stray_events"]) if inputs + k < 1 << width]
        if task["stray_events"]:
            strange.append((1 << width) - 1)
        pointers, addresses = task["pointers"], task["addresses"]
        # The address of an end of a step is ignored.
        return [
            [*strange, *addresses[start:stop], step % (1 << width)]
            for step, (start, stop) in enumerate(itertools.pairwise(pointers))
        ]

    def send_targets(self, rows: list[list[int]]) -> None:
        """Queue the targets of all slots of these steps."""
        if not rows:
            return
        assert self.targets is not None
        sizes, bits = self.config.layer, target_bits(self.config)
        words = []
        for row in rows:
            padded = row + [0] * (sizes.slots * sizes.lanes - sizes.neurons)
            for slot in range(sizes.slots):
                own = padded[slot * sizes.lanes : (slot + 1) * sizes.lanes]
                words.append(sum(target << (lane * bits) for lane, target in enumerate(own)))
        self.targets.send_nowait(words)

    async def run(self, task: dict[str, Any]) -> dict[str, Any]:
        """Reset and load the core, run all windows, and read everything back."""
        driver, frames = self.driver, self.frames(task)
        self.set_stalls(task["stall"], task["seed"])
        if task["reset_midway"]:
            await self.reset_midway(task, frames)
        else:
            await driver.reset()
        await load_weights(driver, task["weights"])
        loaded = parse_any_config(task["load"], "task")
        if loaded != self.loaded:
            await driver.load_config(loaded)
            self.loaded = loaded
        self.tester.tried = 0
        if task["illegal_accesses"]:
            await self.tester.between_windows()
        await driver.start(learn=task["learn"])
        self.send_targets(task["targets"])
        sent = 0
        if task["illegal_accesses"]:
            # After its first step, the window waits for more events.
            self.events.send_nowait(frames[0])
            sent = 1
            while self.spikes.empty():
                await ClockCycles(self.dut.clk, 1)
            await self.tester.during_a_window()
        for frame in frames[sent:]:
            self.events.send_nowait(frame)
        raster = np.zeros((len(frames), self.config.layer.neurons), np.int64)
        for row in raster:
            for address in (await self.spikes.recv()).tdata[:-1]:
                row[address] += 1
        await driver.stop()
        if task["illegal_accesses"]:
            await self.tester.between_windows()
        return {
            "raster": raster.tolist(),
            "contents": await read_contents(driver),
            "windows": await driver.get("WINDOWS"),
            "dropped": await driver.get("DROPPED_EVENTS"),
            "refused": self.tester.tried,
        }

    async def reset_midway(self, task: dict[str, Any], frames: list[list[int]]) -> None:
        """Reset within a window, while an output event is pending and input events are queued."""
        driver = self.driver
        await load_weights(driver, task["weights"])
        await driver.start(learn=task["learn"])
        self.send_targets(task["targets"])
        for frame in frames[: 2 * self.config.window.steps]:
            self.events.send_nowait(frame)
        await self.spikes.recv()
        self.spikes.clear_pause_generator()
        self.spikes.pause = True
        while not await driver.status("event_waiting"):
            pass
        assert not await driver.status("idle")
        await driver.reset(flush=True)
        assert await driver.status("event_waiting")
        await self.events.wait()
        if self.targets is not None:
            await self.targets.wait()
        self.set_stalls(task["stall"], task["seed"])
        while await driver.status("event_waiting"):
            pass
        await ClockCycles(self.dut.clk, 4)
        # The interrupted step has no end, so the sink must discard its beginning.
        self.spikes.assert_reset()
        self.spikes.clear()
        assert await driver.get("WINDOWS") == 0


def _pauses(chance: float, source: random.Random) -> Iterator[bool]:
    while True:
        yield source.random() < chance


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def run_task(dut: Any) -> None:
    """Reset and identify the core, perform all runs, and write their results."""
    task = json.loads(Path(os.environ["BITLIF_TASK"]).read_text("utf-8"))
    result = Path(os.environ["BITLIF_RESULT"])
    bench = Bench(dut, parse_any_config(task["config"], "task"), task["learning"])
    Clock(dut.clk, 10, unit="ns").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    try:
        await bench.driver.identify()
    except BitlifError as error:
        result.write_text(json.dumps({"refusal": str(error)}), "utf-8")
        return
    runs = [await bench.run(run) for run in task["runs"]]
    result.write_text(json.dumps({"runs": runs}), "utf-8")
