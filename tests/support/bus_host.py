"""A simple AXI host of a layer, stepped one clock cycle at a time, with all buses in parallel."""

from __future__ import annotations

import functools
import itertools
from collections import deque
from typing import Any

import numpy as np

from bitlif.hdl.bus.axi_stream import target_bits
from bitlif.hdl.bus.registers import MEMORIES, REGISTERS, Response, elements
from bitlif.hdl.export.verilog import axi_name, axi_verilog
from bitlif.hdl.memories import by_slot
from bitlif.model.config.config import Config
from bitlif.sim.compiled.stepper import SteppedDesign
from bitlif.tasks.scenario import Work, targets_by_step

AT = {name: register.offset for name, register in REGISTERS.items()}
RUN, LEARN, FLUSH, RESET = 1, 2, 4, 1 << 31
IDLE, READY, WAITING = 1, 2, 4
MOST_CLOCKS = 20_000

verilog_of = functools.cache(axi_verilog)


class BusHost:
    """Masters of the registers and of the streams in, and a sink of the stream out.

    Attributes
    ----------
    spikes : list of (address, last)
        What has come out.
    takes : bool
        Whether the sink takes events.
    """

    def __init__(self, config: Config, **options: Any) -> None:
        self.config = config
        self.at, self.elements = AT, elements(config)
        self.begin_at(verilog_of(config), axi_name(config), **options)

    def begin_at(self, verilog: str, name: str, **options: Any) -> None:
        """Begin with a module in its state after power-up."""
        self.design = SteppedDesign(verilog, name, **options)
        self.events: deque[tuple[int, int]] = deque()
        self.targets: deque[int] = deque()
        self.spikes: list[tuple[int, int]] = []
        self.takes = True

    def clock(self, **inputs: int) -> dict[str, int]:
        """Run one clock cycle, in which the streams advance."""
        event = self.events[0] if self.events else None
        out = self.design.clock(
            s_axis_events_tvalid=int(event is not None),
            s_axis_events_tdata=event[0] if event else 0,
            s_axis_events_tlast=event[1] if event else 0,
            m_axis_events_tready=int(self.takes),
            **self._offered_targets(),
            **inputs,
        )
        if event and out["s_axis_events_tready"]:
            self.events.popleft()
        if self.targets and out["s_axis_targets_tready"]:
            self.targets.popleft()
        if self.takes and out["m_axis_events_tvalid"]:
            self.spikes.append((out["m_axis_events_tdata"], out["m_axis_events_tlast"]))
        return out

    def _offered_targets(self) -> dict[str, int]:
        return {
            "s_axis_targets_tvalid": int(bool(self.targets)),
            "s_axis_targets_tdata": self.targets[0] if self.targets else 0,
        }

    def clocks(self, count: int) -> None:
        """Run clock cycles."""
        for _ in range(count):
            self.clock()

    def reset_pin(self, clocks: int) -> None:
        """Hold the reset for some clock cycles; what the masters still had to send is dropped."""
        for _ in range(clocks):
            self.design.clock(rst=1)
        self.design.inputs = dict.fromkeys(self.design.inputs, 0)
        self.events.clear()
        self.targets.clear()
        self.spikes.clear()

    def write(self, name: str, word: int) -> None:
        """Write a register."""
        assert self.try_write(self.at[name], word) == Response.OKAY, (name, word)

    def try_write(self, offset: int, word: int) -> int:
        """Write at an offset; return the response."""
        address = word_sent = 1
        for _ in range(MOST_CLOCKS):
            out = self.clock(
                s_axil_awvalid=address, s_axil_awaddr=offset, s_axil_wvalid=word_sent,
                s_axil_wdata=word & 0xFFFFFFFF, s_axil_wstrb=0xF, s_axil_bready=1,
            )  # fmt: skip
            address &= ~out["s_axil_awready"]
            word_sent &= ~out["s_axil_wready"]
            if out["s_axil_bvalid"]:
                return out["s_axil_bresp"]
        raise AssertionError(f"writing {offset:#x} is not answered")

    def read(self, name: str) -> int:
        """Read a register."""
        response, word = self.try_read(self.at[name])
        assert response == Response.OKAY, name
        return word

    def try_read(self, offset: int) -> tuple[int, int]:
        """Read at an offset; return the response and the word."""
        address = 1
        for _ in range(MOST_CLOCKS):
            out = self.clock(s_axil_arvalid=address, s_axil_araddr=offset, s_axil_rready=1)
            address &= ~out["s_axil_arready"]
            if out["s_axil_rvalid"]:
                return out["s_axil_rresp"], out["s_axil_rdata"]
        raise AssertionError(f"reading {offset:#x} is not answered")

    def wait(self, mask: int, value: int) -> None:
        """Run until STATUS has the given bits."""
        for _ in range(MOST_CLOCKS):
            if self.read("STATUS") & mask == value:
                return
        raise AssertionError(f"STATUS does not become {value}")

    def load(self, weights: Any) -> None:
        """Write all weights."""
        self.write("MEMORY", MEMORIES["weights"].number)
        for weight in np.asarray(weights).ravel().tolist():
            self.write("DATA", weight)

    def begin(self, work: Work) -> None:
        """Load the weights, start windows, and queue all events and targets."""
        config, sizes = self.config, self.config.layer
        self.load(work.weights)
        self.write("CONTROL", RUN | LEARN)
        pointers = work.events.pointers.tolist()
        for start, stop in itertools.pairwise(pointers):
            self.events += [(event, 0) for event in work.events.addresses[start:stop].tolist()]
            self.events.append((0, 1))
        rows = targets_by_step(config, work.events, np.asarray(work.targets))
        for slot in by_slot(config, rows).reshape(-1, sizes.lanes).tolist():
            bits = target_bits(config)
            self.targets.append(sum(value << (bits * lane) for lane, value in enumerate(slot)))

    def finish(self) -> None:
        """Run all queued windows."""
        for _ in range(MOST_CLOCKS):
            if not self.events:
                break
            self.clock()
        self.write("CONTROL", LEARN)
        self.wait(IDLE | WAITING, IDLE)

    def everything(self) -> dict[str, Any]:
        """Return all registers, all memories, and all spikes."""
        names = [name for name in self.at if name not in ("DATA", "DATA_HIGH")]
        found: dict[str, Any] = {name: self.read(name) for name in names}
        for name, own in self.elements.items():
            self.write("MEMORY", own.memory.number)
            wide = own.high >> 32
            found[name] = [
                self.read("DATA") | (self.read("DATA_HIGH") << 32 if wide else 0)
                for _ in range(own.count)
            ]
        self.write("MEMORY", 0)
        return {**found, "spikes": list(self.spikes)}
