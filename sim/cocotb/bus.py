"""A layer's Verilog behind its buses, under cocotb, driven by somebody else's bus masters."""

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
from bitlif.sim.simulators import require_simulator
from bitlif.tasks.scenario import targets_by_step

from .runner import simulate


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BusRun:
    """Windows to run after a reset.

    Attributes
    ----------
    weights : (N, M) int
    events : Events
    targets : (W, M) or (W, T, M) int, raw; or None
    config : Config or None
        Its error table and schedule are loaded first; None: the built one's.
    learn : bool
    stall : float
        Chance of each clock, 0 ..= 1, that a channel of a bus hesitates.
    stray : int
        Events that name no input, before each step's own ones.
    trespass : bool
        Try all unlawful accesses before, during and after, and see that nothing changes.
    broken : bool
        Reset by CONTROL in mid-window first, with an output event still waiting.
    seed : int
        Of the hesitation.
    """

    weights: NDArray[Any]
    events: Events
    targets: NDArray[Any] | None = None
    config: Config | None = None
    learn: bool = True
    stall: float = 0.0
    stray: int = 0
    trespass: bool = False
    broken: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class BusResult:
    """What came out of a run, all of it over the buses.

    Attributes
    ----------
    raster : (W, T, M) uint8
    weights : (N, M) int64
    counters : dict of str to int
    digest : int
        The signature.
    state : LayerState
    windows, dropped : int
        Of the registers of these names.
    refused : int
        Unlawful accesses that were tried; all were refused and changed nothing.
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
    """Build the front's Verilog once and run through it all `runs`, one after another.

    Parameters
    ----------
    config : Config
        What the core is built from.
    runs : sequence of BusRun
    folder : Path
        Holds Verilog, build, inputs and outputs.
    simulator : str
        ``"icarus"`` or ``"verilator"``.
    learning : bool
        Whether there is learning hardware.
    expected : Config or None
        What the driver believes that the core was built from; None: `config`.

    Raises
    ------
    BitlifError
        If the simulator is missing, the driver refuses the core, or the bench fails.
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
                     "COCOTB_LOG_LEVEL": "WARNING"},  # the masters log every access
        build_args=["-Wno-fatal"] if simulator == "verilator" else [],
        # Compiling costs more than these short runs: no optimisation.
        make="OPT_FAST=-O0 OPT_GLOBAL=-O0",
    )  # fmt: skip
    found = json.loads(result.read_text("utf-8"))
    if "refusal" in found:
        raise BitlifError(found["refusal"])
    return [_result(config, run, own) for run, own in zip(runs, found["runs"], strict=True)]


def _task(built: Config, run: BusRun) -> dict[str, Any]:
    """Return a run as JSON can hold it."""
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
        "stray": run.stray,
        "trespass": run.trespass,
        "broken": run.broken,
        "seed": run.seed,
    }


def _result(config: Config, run: BusRun, found: dict[str, Any]) -> BusResult:
    """Return what the bench wrote of a run."""
    state = found["state"]
    shape = (run.events.windows, run.events.steps, config.layer.neurons)
    return BusResult(
        np.array(found["raster"], np.uint8).reshape(shape),
        np.array(found["weights"], np.int64),
        found["counters"],
        found["digest"],
        LayerState(
            current=np.array(state["current"], np.int64),
            membrane=np.array(state["membrane"], np.int64),
            trace_current=np.array(state["trace_current"], np.int64),
            trace=np.array(state["trace"], np.int64),
            noise_lfsr=tuple(state["noise_lfsr"]),
            update_lfsr=tuple(state["update_lfsr"]),
            phase=state["phase"],
        ),
        found["windows"],
        found["dropped"],
        found["refused"],
    )
