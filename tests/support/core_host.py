"""A host of a bare core, stepped one clock cycle at a time: streams, memories and outputs."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from bitlif.hdl.core_signals import COUNTERS, READ_CLOCKS
from bitlif.hdl.export.verilog import core_name, core_verilog
from bitlif.hdl.host_port import row_layout
from bitlif.hdl.memories import by_slot, packed
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes
from bitlif.sim.compiled.stepper import SteppedDesign
from bitlif.tasks.scenario import Work, targets_by_step

MOST_CLOCKS = 20_000
"""Clock cycles of a run: more than any test takes."""

SHOWN = (
    "i_events__ready", "i_targets__ready", "o_events__valid", "host__idle", "host__state_blank",
    "host__trace_blank", "host__noise_lfsr", "host__update_lfsr", "step_done", "window_done",
    "phase", "digest", *COUNTERS,
)  # fmt: skip
"""Outputs that must be equal in every clock cycle after two resets."""


verilog_of = functools.cache(core_verilog)


class CoreHost:
    """Resets, loads, runs and reads a core."""

    def __init__(self, config: Config, *, learning: bool = True, **options: Any) -> None:
        self.config, self.learning = config, learning
        self.addresses = gate_sizes(config).addresses_in_order()
        verilog = verilog_of(config, learning=learning)
        self.design = SteppedDesign(verilog, core_name(config), **options)

    def reset(self, clocks: int, **inputs: int) -> int:
        """Hold the reset for some clock cycles; return the cycles until the core is idle."""
        for _ in range(clocks):
            self.design.clock(rst=1, **inputs)
        waited = 0
        quiet = dict.fromkeys(self.design.inputs, 0)
        while not self.design.clock(**quiet)["host__idle"]:
            waited += 1
            assert waited < MOST_CLOCKS
        return waited

    def load(self, weights: Any) -> None:
        """Write all weights."""
        slots = by_slot(self.config, np.asarray(weights)).reshape(-1, self.config.layer.lanes)
        rows = packed(row_layout(self.config), slots.tolist())
        lanes = (1 << self.config.layer.lanes) - 1
        for address, row in zip(self.addresses, rows, strict=True):
            self.design.clock(
                host__address=address, host__weights_data=row, host__weights_enable=lanes
            )
        self.design.clock(host__weights_enable=0)

    def run(self, work: Work, *, until: int | None = None) -> list[Any]:
        """Run all windows, or a number of cycles; return the outputs of each cycle."""
        config, sizes = self.config, self.config.layer
        last = 1 << (sizes.inputs - 1).bit_length()
        events: list[int] = []
        pointers = work.events.pointers.tolist()
        for start, stop in itertools.pairwise(pointers):
            events += [*work.events.addresses[start:stop].tolist(), last]
        targets: list[int] = []
        if work.takes_targets and work.targets is not None:
            rows = targets_by_step(config, work.events, np.asarray(work.targets))
            bits = config.error.target_bits + 1
            for slot in by_slot(config, np.asarray(rows)).reshape(-1, sizes.lanes).tolist():
                targets.append(sum(value << (bits * lane) for lane, value in enumerate(slot)))
        ends, shown, given, taught = 0, [], 0, 0
        takes = "i_targets__valid" in self.design.inputs
        fixed = {"o_events__ready": 1}
        if "learn" in self.design.inputs:
            fixed["learn"] = int(work.learns)
        while len(shown) != until:
            inputs = {"i_events__valid": 0, **fixed}
            if given < len(events):
                inputs |= {"i_events__valid": 1, "i_events__payload": events[given]}
            if takes:
                inputs["i_targets__valid"] = 0
                if taught < len(targets):
                    inputs |= {"i_targets__valid": 1, "i_targets__payload": targets[taught]}
            out = self.design.clock(**inputs)
            row = [out.get(name) for name in SHOWN]
            row.append(out["o_events__payload"] if out["o_events__valid"] else None)
            shown.append(row)
            given += inputs["i_events__valid"] & out["i_events__ready"]
            if takes:
                taught += inputs["i_targets__valid"] & out["i_targets__ready"]
            ends += out["window_done"]
            if ends == work.events.windows and out["host__idle"]:
                return shown
            assert len(shown) < MOST_CLOCKS
        return shown

    def read(self) -> dict[str, list[int]]:
        """Return all memories that are not blank."""
        sizes, out = self.config.layer, self.design.clock()
        places: dict[str, Sequence[int]] = {
            "weights": self.addresses,
            "schedule": range(len(self.config.schedule)),
        }
        if not out["host__state_blank"]:
            places["state"] = range(sizes.slots)
        if self.learning:
            places["entry"] = range(self.config.error.entries)
            if not out["host__trace_blank"]:
                places["trace"] = range(sizes.inputs)
        found: dict[str, list[int]] = {}
        for name, addresses in places.items():
            found[name] = []
            for address in addresses:
                for _ in range(READ_CLOCKS):
                    self.design.clock(host__address=address)
                found[name].append(self.design.clock()[f"host__{name}"])
        return found
