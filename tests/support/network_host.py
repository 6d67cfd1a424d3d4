"""A host of the exported core of a network, compiled by Verilator, one clock cycle at a time."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
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
"""Clock cycles of a run: more than any test takes."""

MEMORIES = ("weights", "state", "schedule", "entry")
"""What a host reads at an address, by layer."""

verilog_of = functools.cache(network_verilog)


class NetworkHost:
    """Resets, loads, runs and reads the core of a network; it begins after a reset.

    Other options are those of `SteppedDesign`.
    """

    def __init__(self, config: NetworkConfig, *, learning: bool = True, **options: Any) -> None:
        self.config = config
        verilog = verilog_of(config, learning=learning)
        self.design = SteppedDesign(verilog, network_name(config), **options)
        self.reset(1)

    def reset(self, clocks: int) -> int:
        """Hold the reset for some clock cycles; return the cycles until the core is idle.

        The streams keep their valid signals and payloads while it is held.
        """
        for _ in range(clocks):
            self.design.clock(rst=1)
        waited, quiet = 0, dict.fromkeys(self.design.inputs, 0)
        while not self.design.clock(**quiet)["idle"]:
            waited += 1
            assert waited < MOST_CLOCKS
        return waited

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

    def _read(self, number: int, name: str, addresses: Any) -> Iterator[int]:
        """Read a memory of a layer at some addresses."""
        port = f"host_{number}__"
        for address in addresses:
            for _ in range(READ_CLOCKS):
                self.design.clock(**{f"{port}address": address})
            yield self.design.clock()[f"{port}{name}"]

    def weights(self) -> list[np.ndarray]:
        """Read the weights of all layers."""
        found = []
        for number, own in enumerate(self.config.layers):
            sizes, bits = gate_sizes(own.config), own.config.synapse.weight.bits
            values = []
            for row in self._read(number, "weights", sizes.addresses_in_order()):
                for lane in range(sizes.lanes):
                    value = row >> (bits * lane) & ((1 << bits) - 1)
                    values.append(value - ((value >> (bits - 1)) << bits))
            array = np.array(values, np.int64).reshape(sizes.inputs, -1)
            found.append(array[:, : sizes.neurons])
        return found

    def memories(self) -> dict[str, list[int]]:
        """Read weights, and the state unless it is blank, of all layers."""
        found, blank = {}, self.design.clock()
        for number, own in enumerate(self.config.layers):
            places: dict[str, Any] = {"weights": gate_sizes(own.config).addresses_in_order()}
            if not blank[f"host_{number}__state_blank"]:
                places["state"] = range(own.config.layer.slots)
            for name, addresses in places.items():
                found[f"{name} {number}"] = list(self._read(number, name, addresses))
        return found

    def _offered(self, events: Events, targets: np.ndarray) -> tuple[list[int], list[int]]:
        """Return the payloads of the input events and of the targets of windows."""
        final = 1 << (self.config.layers[0].config.layer.inputs - 1).bit_length()
        given: list[int] = []
        for first, end in itertools.pairwise(events.pointers.tolist()):
            given += [*events.addresses[first:end].tolist(), final]
        last = self.config.layers[-1].config
        bits, lanes = last.error.target_bits + 1, last.layer.lanes
        slots = by_slot(last, np.asarray(targets_by_step(last, events, targets)))
        goals = [
            sum(value << (bits * lane) for lane, value in enumerate(slot))
            for slot in slots.reshape(-1, lanes).tolist()
        ]
        return given, goals

    def watch(
        self, events: Events, targets: np.ndarray, *, learn: bool, until: int | None = None
    ) -> list[dict[str, int]]:
        """Run windows, or a number of clock cycles; return all outputs of each clock cycle."""
        given, goals = self._offered(events, targets)
        sent, taught, ended, shown = 0, 0, 0, []
        while len(shown) != until:
            row: dict[str, Any] = {"o_events__ready": 1, "learn": int(learn)}
            row["i_events__valid"] = int(sent < len(given))
            row["i_events__payload"] = given[sent] if sent < len(given) else 0
            row["i_targets__valid"] = int(learn and taught < len(goals))
            row["i_targets__payload"] = goals[taught] if taught < len(goals) else 0
            out = self.design.clock(**row)
            shown.append(out)
            sent += row["i_events__valid"] & out["i_events__ready"]
            taught += row["i_targets__valid"] & out["i_targets__ready"]
            ended += out["window_done"]
            if ended == events.windows and out["idle"]:
                return shown
            assert len(shown) < MOST_CLOCKS, "the network must end its windows"
        return shown

    def run(self, events: Events, targets: np.ndarray, *, learn: bool) -> tuple[np.ndarray, int]:
        """Run one window; return the output spikes (T, M) and the clock cycles until it is idle."""
        neurons = self.config.layers[-1].config.layer.neurons
        high, step = (neurons - 1).bit_length(), 0
        raster = np.zeros((events.steps, neurons), np.uint8)
        shown = self.watch(events, targets, learn=learn)
        for out in shown:
            if out["o_events__valid"]:
                event = out["o_events__payload"]
                if event >> high & 1:
                    step += 1
                else:
                    raster[step, event] += 1
        assert step == events.steps
        return raster, len(shown)
