"""A host of the exported core of a network, compiled by Verilator, one clock cycle at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitlif.hdl.core_signals import READ_CLOCKS
from bitlif.hdl.export.network_verilog import network_name, network_verilog
from bitlif.hdl.host_port import row_layout
from bitlif.hdl.memories import by_slot, packed
from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.gate_sizes import gate_sizes
from bitlif.sim.compiled.stepper import SteppedDesign
from bitlif.tasks.scenario import targets_by_step

MOST_CLOCKS = 200_000
"""Clock cycles of a window: more than any test takes."""


class NetworkHost:
    """Resets, loads, runs and reads the core of a network."""

    def __init__(self, config: NetworkConfig, *, learning: bool = True) -> None:
        self.config = config
        verilog = network_verilog(config, learning=learning)
        self.design = SteppedDesign(verilog, network_name(config))
        self.clocks = 0
        self.design.clock(rst=1)
        while not self.design.clock(rst=0)["idle"]:
            pass

    def load(self, weights: list[np.ndarray]) -> None:
        """Write the weights of all layers."""
        for number, own in enumerate(self.config.layers):
            sizes, port = own.config.layer, f"host_{number}__"
            slots = by_slot(own.config, np.asarray(weights[number])).reshape(-1, sizes.lanes)
            rows = packed(row_layout(own.config), slots.tolist())
            for address, row in zip(gate_sizes(own.config).addresses_in_order(), rows, strict=True):
                self.design.clock(
                    **{
                        f"{port}address": address, f"{port}weights_data": row,
                        f"{port}weights_enable": (1 << sizes.lanes) - 1,
                    }
                )  # fmt: skip
            self.design.clock(**{f"{port}weights_enable": 0})

    def weights(self) -> list[np.ndarray]:
        """Read the weights of all layers."""
        found = []
        for number, own in enumerate(self.config.layers):
            sizes, port = gate_sizes(own.config), f"host_{number}__"
            bits = own.config.synapse.weight.bits
            values = []
            for address in sizes.addresses_in_order():
                for _ in range(READ_CLOCKS):
                    self.design.clock(**{f"{port}address": address})
                row = self.design.clock()[f"{port}weights"]
                for lane in range(sizes.lanes):
                    value = row >> (bits * lane) & ((1 << bits) - 1)
                    values.append(value - ((value >> (bits - 1)) << bits))
            array = np.array(values, np.int64).reshape(sizes.inputs, -1)
            found.append(array[:, : sizes.neurons])
        return found

    def run(self, events: Events, targets: np.ndarray, *, learn: bool) -> tuple[np.ndarray, int]:
        """Run one window; return the output spikes (T, M) and the clock cycles until it is idle."""
        last, sizes = self.config.layers[-1].config, self.config.layers[-1].config.layer
        inputs = self.config.layers[0].config.layer.inputs
        final = 1 << (inputs - 1).bit_length()
        given: list[int] = []
        for step in range(events.steps):
            first, end = events.pointers[step : step + 2].tolist()
            given += [*events.addresses[first:end].tolist(), final]
        rows = targets_by_step(last, events, targets)
        bits = last.error.target_bits + 1
        goals = [
            sum(value << (bits * lane) for lane, value in enumerate(slot))
            for slot in by_slot(last, np.asarray(rows)).reshape(-1, sizes.lanes).tolist()
        ]
        raster = np.zeros((events.steps, sizes.neurons), np.uint8)
        high = (sizes.neurons - 1).bit_length()
        sent, taught, step = 0, 0, 0
        for clock in range(MOST_CLOCKS):
            row: dict[str, Any] = {"o_events__ready": 1, "learn": int(learn)}
            row["i_events__valid"] = int(sent < len(given))
            row["i_events__payload"] = given[sent] if sent < len(given) else 0
            row["i_targets__valid"] = int(learn and taught < len(goals))
            row["i_targets__payload"] = goals[taught] if taught < len(goals) else 0
            out = self.design.clock(**row)
            sent += row["i_events__valid"] & out["i_events__ready"]
            taught += row["i_targets__valid"] & out["i_targets__ready"]
            if out["o_events__valid"]:
                event = out["o_events__payload"]
                if event >> high & 1:
                    step += 1
                else:
                    raster[step, event] += 1
            if step == events.steps and out["idle"]:
                self.clocks += clock + 1
                return raster, clock + 1
        raise AssertionError("the network must end its window")
