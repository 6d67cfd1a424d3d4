"""Runs the Verilog of a network under cocotb and collects what all layers show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.export.network_verilog import network_name, network_verilog
from bitlif.model.gate_sizes import gate_sizes
from bitlif.sim.network_probes import network_observables
from bitlif.sim.probes import state_layouts
from bitlif.sim.simulators import require_simulator
from bitlif.tasks.scenario import NetworkWork

from .cosim import RESULT, TASK, bench_files, observed_values, simulate_bench


@dataclass(frozen=True, slots=True, eq=False)
class LayerRun:
    """What a layer showed in W windows.

    Attributes
    ----------
    observed : dict of str to array
        Values by name of the probe, with the axes of `bitlif.sim.probes.arrange`.
    extra_rows : dict of str to int
        Surplus of rows of each probe; negative if rows are missing.
    final : dict of str to array
        What was read at the end: weights, current, membrane, LFSRs, counters, phase, signature; and
        ``window_ends``, the clock cycle of the end of each window, from the first event. Without
        memories and LFSRs if the core stalled.
    """

    observed: dict[str, NDArray[Any]]
    extra_rows: dict[str, int]
    final: dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkRun:
    """What a network in a Verilog simulator showed.

    Attributes
    ----------
    layers : list of LayerRun
    raster : (W, T, M) uint8
        Number of output events of each neuron and step.
    signature : int
    stalled : bool
        Whether the core stopped making progress before the end, or what the bench needs to go on or
        to read its memories became undefined (X).
    """

    layers: list[LayerRun]
    raster: NDArray[np.uint8]
    signature: int
    stalled: bool


def run_network_cosim(
    work: NetworkWork, folder: Path, *, simulator: str, verilog: str | None = None,
    waves: bool = False,
) -> NetworkRun:  # fmt: skip
    """Simulate all windows with the Verilog of a network.

    Parameters
    ----------
    work : NetworkWork
    folder : Path
        Folder for Verilog, build, inputs and outputs.
    simulator : str
        ``"icarus"`` or ``"verilator"``.
    verilog : str or None
        Verilog of the core; None generates it. Used for faults and replays.
    waves : bool
        Write a waveform; see `bitlif.sim.cocotb.cosim.run_cosim`.

    Raises
    ------
    BitlifError
        If the simulator is missing, or the build or simulation fails. The message names the log.
    """
    require_simulator(simulator)
    name = network_name(work.network)
    source, environment = bench_files(
        folder, name, verilog or network_verilog(work.network, learning=work.learns)
    )
    save_network_task(work, Path(environment[TASK]))
    simulate_bench(
        "network_bench", name, source, folder, simulator=simulator, seed=work.seed,
        environment=environment, waves=waves,
    )  # fmt: skip
    with np.load(environment[RESULT]) as data:
        return _collect(work, dict(data))


def save_network_task(work: NetworkWork, path: Path) -> None:
    """Write the input of the bench, which `load_network_work` reads, too."""
    network, steps = work.network, work.events.windows * work.events.steps
    layers = []
    for number, own in enumerate(network.layers):
        config = own.config
        seen = network_observables(network, number, learning=work.learns)
        layouts = state_layouts(config, learning=False)
        layers.append(
            {
                "lanes": config.layer.lanes,
                "slots": config.layer.slots,
                "weight_bits": config.synapse.weight.bits,
                "weight_addresses": list(gate_sizes(config).addresses_in_order()),
                "observables": [one.as_task() for one in seen],
                "state_layouts": {name: one.as_task() for name, one in layouts.items()},
                "lfsr_widths": {
                    "noise": config.noise.lfsr.width, "update": config.learning.lfsr.width,
                    "sweep": own.sweep.lfsr.width,
                },
            }
        )  # fmt: skip
    targets = np.zeros((0, 0), np.int64)
    if work.takes_targets:
        targets = work.targets.reshape(steps, -1)
    weights: dict[str, Any] = {
        f"weights_{k}": np.asarray(own, np.int64) for k, own in enumerate(work.weights)
    }
    np.savez(
        path, layers=json.dumps(layers), pointers=work.events.pointers,
        addresses=work.events.addresses, targets=targets, learn=work.learns, stall=work.stall,
        seed=work.seed, target_bits=network.layers[-1].config.error.target_bits,
        false_starts=np.array(work.false_starts, np.int64),
        **weights,
    )  # fmt: skip


def _collect(work: NetworkWork, data: dict[str, Any]) -> NetworkRun:
    windows, steps = work.events.windows, work.events.steps
    layers = []
    for number, own in enumerate(work.network.layers):
        seen = network_observables(work.network, number, learning=work.learns)
        observed, extra = observed_values(own.config, seen, data, windows, f"{number} ")
        prefix = f"{number} final "
        final = {
            name[len(prefix) :]: values for name, values in data.items() if name.startswith(prefix)
        }
        layers.append(LayerRun(observed, extra, final))
    raster = data["raster"].reshape(windows, steps, -1)
    return NetworkRun(layers, raster, int(data["signature"]), bool(data["stalled"]))
