"""Runs a core with its UART under cocotb, with ``cocotbext-uart`` at the other end of the line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitlif.host.event_codec import decode_raster
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, any_text, outer
from bitlif.sim.compiled.board_sim import TOP, board_verilog
from bitlif.sim.simulators import require_simulator
from bitlif.tasks.scenario import NetworkWork, Work, targets_by_step

from .contents import Contents, parsed_contents, weights_task
from .runner import simulate


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class UartResult(Contents):
    """The results of a run, all read over the serial line.

    Attributes
    ----------
    raster : (W, T, M) uint8
        Spikes of the layer, or of the last layer of a network.
    """

    raster: NDArray[np.uint8]


def run_uart(
    work: Work | NetworkWork, folder: Path, *, simulator: str, divisor: int = 20, skew: float = 0.0
) -> UartResult:
    """Build the board's Verilog, and load, run and read it back through its two pins.

    Parameters
    ----------
    work : Work or NetworkWork
        The core of a network has learning hardware if the network learns.
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
    if isinstance(work, NetworkWork):
        config: Config | NetworkConfig = work.network
        learning = work.learns
    else:
        config, learning = work.config, work.learning
    seen = outer(config)
    source = folder / f"{TOP}.sv"
    source.write_text(board_verilog(config, divisor=divisor, learning=learning), "utf-8")
    task, result = folder / "task.json", folder / "result.json"
    result.unlink(missing_ok=True)
    targets = None
    if work.takes_targets and work.targets is not None:
        shape = (work.events.windows, seen.window.steps, seen.layer.neurons)
        targets = np.reshape(targets_by_step(seen, work.events, work.targets), shape).tolist()
    words = {
        "config": any_text(config),
        "learning": learning,
        "learn": work.learns,
        "divisor": divisor,
        "skew": skew,
        "weights": weights_task(config, work.weights),
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
    )  # fmt: skip
    found = json.loads(result.read_text("utf-8"))
    output, windows = bytes.fromhex(found["output"]), work.events.windows
    return UartResult(
        raster=decode_raster(seen, output, windows, seen.window.steps),
        **parsed_contents(config, found["contents"]),
    )
