"""Runs a layer or a network with its buses under cocotb, driven by masters of ``cocotbext-axi``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.export.network_verilog import network_axi_name, network_axi_verilog
from bitlif.hdl.export.verilog import axi_name, axi_verilog
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, any_text, outer
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.sim.simulators import require_simulator
from bitlif.tasks.scenario import targets_by_step

from .contents import Contents, parsed_contents, weights_task
from .runner import simulate


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BusRun:
    """Windows to run after a reset.

    Attributes
    ----------
    weights : (N, M) int, or list of them
        Raw weights; of a network, one array per layer.
    events : Events
        Input events.
    targets : (W, M) or (W, T, M) int, or None
        Raw targets.
    config : Config, NetworkConfig or None
        Configuration whose error table and schedule are loaded first; None for the built one.
    learn : bool
        Whether the windows learn.
    stall : float
        Probability, 0 ..= 1, that a bus channel stalls in a clock cycle.
    stray_events : int
        Number of events without an input that precede the events of each step.
    illegal_accesses : bool
        Try all illegal accesses before, during and after the windows, and check that they have no
        effect.
    reset_midway : bool
        First reset the core through CONTROL within a window, while an output event is pending.
    seed : int
        Seed of the stalls.
    """

    weights: Any
    events: Events
    targets: NDArray[Any] | None = None
    config: Config | NetworkConfig | None = None
    learn: bool = True
    stall: float = 0.0
    stray_events: int = 0
    illegal_accesses: bool = False
    reset_midway: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BusResult(Contents):
    """The results of a run, all read over the buses.

    Attributes
    ----------
    raster : (W, T, M) uint8
        Spikes of the layer, or of the last layer of a network.
    windows, dropped : int
        Values of the registers WINDOWS and DROPPED_EVENTS.
    refused : int
        Number of illegal accesses tried, all of which were refused without effect.
    """

    raster: NDArray[np.uint8]
    windows: int
    dropped: int
    refused: int


def run_bus(
    config: Config | NetworkConfig,
    runs: Sequence[BusRun],
    folder: Path,
    *,
    simulator: str,
    learning: bool = True,
    expected: Config | NetworkConfig | None = None,
) -> list[BusResult]:
    """Build the Verilog once and simulate all runs, one after another.

    Parameters
    ----------
    config : Config or NetworkConfig
        Configuration of the core.
    runs : sequence of BusRun
    folder : Path
        Folder for Verilog, build, inputs and outputs.
    simulator : str
        ``"icarus"`` or ``"verilator"``.
    learning : bool
        Whether the core has learning hardware.
    expected : Config, NetworkConfig or None
        Configuration that the driver expects; None for `config`.

    Raises
    ------
    BitlifError
        If the simulator is missing, the driver rejects the core, or the bench fails.
    """
    require_simulator(simulator)
    folder.mkdir(parents=True, exist_ok=True)
    name, verilog = _exported(config, learning)
    source = folder / f"{name}.sv"
    source.write_text(verilog, "utf-8")
    task, result = folder / "task.json", folder / "result.json"
    result.unlink(missing_ok=True)
    words = {
        "config": any_text(config if expected is None else expected),
        "learning": learning,
        "runs": [_task(config, run) for run in runs],
    }
    task.write_text(json.dumps(words), "utf-8")
    simulate(
        source, name, "bitlif.sim.cocotb.bus_bench", folder, simulator=simulator,
        environment={"BITLIF_TASK": str(task), "BITLIF_RESULT": str(result),
                     "COCOTB_LOG_LEVEL": "WARNING"},  # the bus masters log every access
        build_args=["-Wno-fatal"] if simulator == "verilator" else [],
    )  # fmt: skip
    found = json.loads(result.read_text("utf-8"))
    if "refusal" in found:
        raise BitlifError(found["refusal"])
    return [_result(config, run, own) for run, own in zip(runs, found["runs"], strict=True)]


def _exported(config: Config | NetworkConfig, learning: bool) -> tuple[str, str]:
    """Return the name of the module with AXI buses, and its Verilog."""
    if isinstance(config, NetworkConfig):
        return network_axi_name(config), network_axi_verilog(config, learning=learning)
    return axi_name(config), axi_verilog(config, learning=learning)


def _task(built: Config | NetworkConfig, run: BusRun) -> dict[str, Any]:
    """Return a run as a JSON object."""
    config = built if run.config is None else run.config
    targets = np.zeros((0, 0), np.int64)
    if run.targets is not None:
        targets = targets_by_step(outer(built), run.events, run.targets)
    return {
        "weights": weights_task(built, run.weights),
        "pointers": run.events.pointers.tolist(),
        "addresses": run.events.addresses.tolist(),
        "targets": targets.tolist(),
        "load": any_text(config),
        "learn": run.learn,
        "stall": run.stall,
        "stray_events": run.stray_events,
        "illegal_accesses": run.illegal_accesses,
        "reset_midway": run.reset_midway,
        "seed": run.seed,
    }


def _result(config: Config | NetworkConfig, run: BusRun, found: dict[str, Any]) -> BusResult:
    """Return the result of a run from the JSON object of the bench."""
    shape = (run.events.windows, run.events.steps, outer(config).layer.neurons)
    return BusResult(
        raster=np.array(found["raster"], np.uint8).reshape(shape),
        windows=found["windows"],
        dropped=found["dropped"],
        refused=found["refused"],
        **parsed_contents(config, found["contents"]),
    )
