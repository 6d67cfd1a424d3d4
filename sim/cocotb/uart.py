"""Runs a layer with its UART under cocotb, with ``cocotbext-uart`` at the other end of the line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.host.event_codec import decode_raster
from bitlif.model.config.toml import dump_config
from bitlif.sim.compiled.board_sim import TOP, board_verilog
from bitlif.sim.simulators import require_simulator
from bitlif.tasks.scenario import Work, targets_by_step

from .runner import simulate


@dataclass(frozen=True, slots=True, eq=False)
class UartResult:
    """The results of a run, all read over the serial line.

    Attributes
    ----------
    raster : (W, T, M) uint8
    weights : (N, M) int64
    counters : dict of str to int
    signature : int
    """

    raster: NDArray[np.uint8]
    weights: NDArray[Any]
    counters: dict[str, int]
    signature: int


def run_uart(
    work: Work, folder: Path, *, simulator: str, divisor: int = 20, skew: float = 0.0
) -> UartResult:
    """Build the board's Verilog, and load, run and read it back through its two pins.

    Parameters
    ----------
    work : Work
    folder : Path
        Folder for Verilog, build, inputs and outputs.
    simulator : str
        ``"icarus"`` or ``"verilator"``.
    divisor : int
        Clock cycles per bit of the board.
    skew : float
        Relative deviation of the other end's baud rate.

    Raises
    ------
    BitlifError
        If the simulator is missing, or the bench fails.
    """
    require_simulator(simulator)
    folder.mkdir(parents=True, exist_ok=True)
    config = work.config
    source = folder / f"{TOP}.sv"
    source.write_text(board_verilog(config, divisor=divisor, learning=work.learning), "utf-8")
    task, result = folder / "task.json", folder / "result.json"
    result.unlink(missing_ok=True)
    targets = None
    if work.takes_targets and work.targets is not None:
        shape = (work.events.windows, config.window.steps, config.layer.neurons)
        by_step = targets_by_step(config, work.events, work.targets)
        targets = np.reshape(by_step, shape).tolist()
    words = {
        "config": dump_config(config),
        "learning": work.learning,
        "learn": work.learns,
        "divisor": divisor,
        "skew": skew,
        "weights": np.asarray(work.weights).tolist(),
        "pointers": work.events.pointers.tolist(),
        "addresses": work.events.addresses.tolist(),
        "targets": targets,
    }
    task.write_text(json.dumps(words), "utf-8")
    simulate(
        source, TOP, "bitlif.sim.cocotb.uart_bench", folder, simulator=simulator,
        environment={"BITLIF_TASK": str(task), "BITLIF_RESULT": str(result),
                     "COCOTB_LOG_LEVEL": "WARNING"},  # both ends log every byte
        build_args=["-Wno-fatal"] if simulator == "verilator" else [],
        # No optimisation, since compiling takes longer than these short runs.
        make="OPT_FAST=-O0 OPT_GLOBAL=-O0",
    )  # fmt: skip
    found = json.loads(result.read_text("utf-8"))
    return UartResult(
        decode_raster(
            config, bytes.fromhex(found["output"]), work.events.windows, config.window.steps
        ),
        np.array(found["weights"], np.int64),
        found["counters"],
        found["signature"],
    )
