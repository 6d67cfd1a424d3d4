"""Runs a layer's Verilog with its buses under cocotb, driven by masters of ``cocotbext-axi``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.export.verilog import axi_name, axi_verilog
from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.result import LayerState
from bitlif.model.state import state_variables
from bitlif.sim.simulators import require_simulator
from bitlif.tasks.scenario import targets_by_step

from .runner import simulate


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BusRun:
    """Windows to run after a reset.

    Attributes
    ----------
    weights : (N, M) int
        Raw weights.
    events : Events
        Input events.
    targets : (W, M) or (W, T, M) int, or None
        Raw targets.
    config : Config or None
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

    weights: NDArray[Any]
    events: Events
    targets: NDArray[Any] | None = None
    config: Config | None = None
    learn: bool = True
    stall: float = 0.0
    stray_events: int = 0
    illegal_accesses: bool = False
    reset_midway: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class BusResult:
    """The results of a run, all read over the buses.

    Attributes
    ----------
    raster : (W, T, M) uint8
    weights : (N, M) int64
    counters : dict of str to int
    digest : int
        The signature.
    state : LayerState
    windows, dropped : int
        Values of the registers WINDOWS and DROPPED_EVENTS.
    refused : int
        Number of illegal accesses tried, all of which were refused without effect.
    """

    raster: NDArray[np.uint8]
    weights: NDArray[np.int64]
    counters: dict[str, int]
    digest: int
    state: LayerState
    windows: int
    dropped: int
    refused: int


def run_bus(
    config: Config,
    runs: Sequence[BusRun],
    folder: Path,
    *,
    simulator: str,
    learning: bool = True,
    expected: Config | None = None,
) -> list[BusResult]:
    """Build the Verilog once and simulate all runs, one after another.

    Parameters
    ----------
    config : Config
        Configuration of the core.
    runs : sequence of BusRun
    folder : Path
        Folder for Verilog, build, inputs and outputs.
    simulator : str
        ``"icarus"`` or ``"verilator"``.
    learning : bool
        Whether the core has learning hardware.
    expected : Config or None
        Configuration that the driver expects; None for `config`.

    Raises
    ------
    BitlifError
        If the simulator is missing, the driver rejects the core, or the bench fails.
    """
    require_simulator(simulator)
    folder.mkdir(parents=True, exist_ok=True)
    name = axi_name(config)
    source = folder / f"{name}.sv"
    source.write_text(axi_verilog(config, learning=learning), "utf-8")
    task, result = folder / "task.json", folder / "result.json"
    result.unlink(missing_ok=True)
    words = {
        "config": dump_config(config if expected is None else expected),
        "learning": learning,
        "runs": [_task(config, run) for run in runs],
    }
    task.write_text(json.dumps(words), "utf-8")
    simulate(
        source, name, "bitlif.sim.cocotb.bus_bench", folder, simulator=simulator,
        environment={"BITLIF_TASK": str(task), "BITLIF_RESULT": str(result),
                     "COCOTB_LOG_LEVEL": "WARNING"},  # the bus masters log every access
        build_args=["-Wno-fatal"] if simulator == "verilator" else [],
        # No optimisation, since compiling takes longer than these short runs.
        make="OPT_FAST=-O0 OPT_GLOBAL=-O0",
    )  # fmt: skip
    found = json.loads(result.read_text("utf-8"))
    if "refusal" in found:
        raise BitlifError(found["refusal"])
    return [_result(config, run, own) for run, own in zip(runs, found["runs"], strict=True)]


def _task(built: Config, run: BusRun) -> dict[str, Any]:
    """Return a run as a JSON object."""
    config = built if run.config is None else run.config
    targets = np.zeros((0, 0), np.int64)
    if run.targets is not None:
        targets = targets_by_step(built, run.events, run.targets)
    return {
        "weights": np.asarray(run.weights).tolist(),
        "pointers": run.events.pointers.tolist(),
        "addresses": run.events.addresses.tolist(),
        "targets": targets.tolist(),
        "load": dump_config(config),
        "learn": run.learn,
        "stall": run.stall,
        "stray_events": run.stray_events,
        "illegal_accesses": run.illegal_accesses,
        "reset_midway": run.reset_midway,
        "seed": run.seed,
    }


def _result(config: Config, run: BusRun, found: dict[str, Any]) -> BusResult:
    """Return the result of a run from the JSON object of the bench."""
    state = found["state"]
    shape = (run.events.windows, run.events.steps, config.layer.neurons)
    return BusResult(
        np.array(found["raster"], np.uint8).reshape(shape),
        np.array(found["weights"], np.int64),
        found["counters"],
        found["digest"],
        LayerState(
            **{
                own.name: np.array(state[own.name], np.int64)
                for own in state_variables("neuron", "input")
            },
            noise_lfsr=tuple(state["noise_lfsr"]),
            update_lfsr=tuple(state["update_lfsr"]),
            phase=state["phase"],
        ),
        found["windows"],
        found["dropped"],
        found["refused"],
    )
