"""Runs a core's Verilog under cocotb and collects its results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.core_signals import COUNTERS
from bitlif.hdl.export.programs import find_program, run_program
from bitlif.hdl.export.verilog import core_name, core_verilog
from bitlif.model.clocks import SETTLE
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes
from bitlif.sim.probes import (
    MISSING,
    Observable,
    arrange,
    observables,
    rows_of_window,
    state_layouts,
)
from bitlif.sim.simulators import require_simulator
from bitlif.tasks.scenario import Work, targets_by_step

from .runner import simulate

TASK, RESULT = "BITLIF_TASK", "BITLIF_RESULT"
"""Environment variables that name the input and the output of a bench."""


@dataclass(frozen=True, slots=True, eq=False)
class CosimRun:
    """The results of a core in a Verilog simulator over W windows.

    Attributes
    ----------
    raster : (W, T, M) uint8
        Number of output events of each neuron and step, at most 1 for a correct core.
    observed : dict of str to array
        Values by name of the probe, with the axes of `bitlif.sim.probes.arrange`.
    extra_rows : dict of str to int
        Surplus of rows of each probe; negative if rows are missing.
    weights : (N, M) int64
        Weights at the end.
    state : dict of str to array
        current and membrane (M,), trace_current and trace (N,), read back at the end.
    counters : dict of str to int
        Counters at the end, by name.
    phase : int
        Phase of the schedule at the end.
    step_clocks : (W, T) int64
        Clock cycles of each step, from the end of the previous step or window. That of the first
        step of all is 0.
    window_clocks : (W,) int64
        Clock cycle in which each window ended, counted from the first event.
    stalled : bool
        Whether the core stopped making progress before the end, or what the bench needs to go on or
        to read its memories became undefined (X).
    samples : dict of str to (clocks,) int64
        Raw values of each sampled signal in each clock cycle from the first event to the end of
        the chosen step; -1 for a value with an X.
    seconds : float
        Time that the simulator took for the windows.
    """

    raster: NDArray[np.uint8]
    observed: dict[str, NDArray[Any]]
    extra_rows: dict[str, int]
    weights: NDArray[np.int64]
    state: dict[str, NDArray[np.int64]]
    counters: dict[str, int]
    phase: int
    step_clocks: NDArray[np.int64]
    window_clocks: NDArray[np.int64]
    stalled: bool
    samples: dict[str, NDArray[np.int64]]
    seconds: float


@dataclass(frozen=True, slots=True)
class Sample:
    """Signals to sample in every clock cycle from the first event to the end of a step.

    Attributes
    ----------
    signals : tuple of str
        Dotted paths below the top module, each of up to 63 bits.
    step : int
        Number of the step in the whole run, from 0.
    """

    signals: tuple[str, ...] = ()
    step: int = -1


def save_task(work: Work, path: Path, sample: Sample) -> None:
    """Write the input of the bench, which is complete: `Work.load` reads the same work from it."""
    config, events = work.config, work.events
    goals = np.zeros((0, 0), np.int64)
    if work.targets is not None and work.takes_targets:
        goals = targets_by_step(config, events, work.targets)
    seen = observables(config, learning=work.learning, learn=work.learns)
    layouts = state_layouts(config, learning=work.learning)
    np.savez(
        path,
        weights=np.asarray(work.weights, np.int64),
        weight_addresses=np.reshape(
            gate_sizes(config).addresses_in_order(), (config.layer.inputs, config.layer.slots)
        ),
        pointers=events.pointers,
        addresses=events.addresses,
        windows=events.windows,
        targets=goals,
        lanes=config.layer.lanes,
        slots=config.layer.slots,
        weight_bits=config.synapse.weight.bits,
        target_bits=config.error.target_bits,
        learning=work.learning,
        learn=work.learns,
        stall=work.stall,
        seed=work.seed,
        false_starts=np.array(work.false_starts, np.int64),
        samples=json.dumps(sample.signals),
        sample_step=sample.step,
        observables=json.dumps([one.as_task() for one in seen]),
        state_layouts=json.dumps({name: one.as_task() for name, one in layouts.items()}),
    )


def run_cosim(
    work: Work,
    folder: Path,
    *,
    simulator: str,
    verilog: str | None = None,
    waves: bool = False,
    sample: Sample = Sample(),
) -> CosimRun:
    """Simulate all windows with the core's Verilog.

    Threads may run simulations at the same time in different folders.

    Parameters
    ----------
    work : Work
        Windows to run.
    folder : Path
        Folder for Verilog, build, inputs and outputs.
    simulator : str
        ``"icarus"`` or ``"verilator"``.
    verilog : str or None
        Verilog of the core; None generates it from the configuration. Used for faults and replays.
    waves : bool
        Write a waveform to the folder; see `simulate_bench`.
    sample : Sample
        Signals to sample.

    Returns
    -------
    CosimRun

    Raises
    ------
    BitlifError
        If the simulator is missing, or the build or simulation fails. The message names the log.
    """
    require_simulator(simulator)
    name = core_name(work.config)
    source, environment = bench_files(
        folder, name, verilog or core_verilog(work.config, learning=work.learning)
    )
    save_task(work, Path(environment[TASK]), sample)
    simulate_bench(
        "core_bench", name, source, folder, simulator=simulator, seed=work.seed,
        environment=environment, waves=waves,
    )  # fmt: skip
    with np.load(environment[RESULT]) as data:
        return _collect(work, dict(data), sample)


def simulate_bench(
    bench: str, name: str, source: Path, folder: Path, *, simulator: str, seed: int,
    environment: Mapping[str, str], waves: bool,
) -> None:  # fmt: skip
    """Simulate a module of the package `bitlif.sim.cocotb`, with a waveform if wanted.

    The waveform is ``waveform.fst`` in the folder. Verilator writes ``waveform.vcd`` if the headers
    that FST needs (lz4.h, zlib.h) are missing.
    """
    fst = simulator == "icarus" or (waves and _fst_headers(folder))
    simulate(
        source, name, f"bitlif.sim.cocotb.{bench}", folder, simulator=simulator, seed=seed,
        environment=environment, waves=waves,
        build_args=["--trace-fst"] if simulator == "verilator" and waves and fst else [],
    )  # fmt: skip
    if waves:
        kind = "fst" if fst else "vcd"
        made = folder / simulator / (f"{name}.fst" if simulator == "icarus" else f"dump.{kind}")
        made.replace(folder / f"waveform.{kind}")


def bench_files(folder: Path, name: str, verilog: str) -> tuple[Path, dict[str, str]]:
    """Write a core's Verilog; return its file, and the variables that name a bench's two files.

    The result of an earlier run is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source, task, result = folder / f"{name}.sv", folder / "task.npz", folder / "result.npz"
    # A file with the same text keeps its date, so that Verilator does not build it again.
    if not source.exists() or source.read_text("utf-8") != verilog:
        source.write_text(verilog, "utf-8")
    result.unlink(missing_ok=True)
    return source, {TASK: str(task), RESULT: str(result)}


def observed_values(
    config: Config, wanted: Sequence[Observable], data: Mapping[str, Any], windows: int, prefix: str
) -> tuple[dict[str, NDArray[Any]], dict[str, int]]:
    """Return the values by observable, and how many more rows each showed than it should."""
    observed, extra = {}, {}
    for one in wanted:
        rows = data[f"{prefix}observed {one.name}"]
        observed[one.name] = arrange(config, one, rows, windows)
        extra[one.name] = len(rows) - rows_of_window(config, one) * windows
    return observed, extra


def _fst_headers(folder: Path) -> bool:
    """Return whether Verilator's FST writer can be compiled."""
    text = "#include <lz4.h>\n#include <zlib.h>\n"
    compiler = find_program("g++")
    if compiler is None:
        return False
    command = [compiler, "-fsyntax-only", "-x", "c++", "-"]
    return run_program(command, folder, stdin=text).returncode == 0


def _collect(work: Work, data: dict[str, Any], sample: Sample) -> CosimRun:
    config, events = work.config, work.events
    sizes, windows, steps = config.layer, events.windows, events.steps
    seen = observables(config, learning=work.learning, learn=work.learns)
    observed, extra = observed_values(config, seen, data, windows, "")
    final = {name[6:]: values for name, values in data.items() if name.startswith("final ")}
    unread = np.full((sizes.inputs, sizes.neurons), MISSING)
    weights = final.pop("weights", unread)
    ends = np.full(windows * steps, MISSING, np.int64)
    ends[: len(data["step_ends"])] = data["step_ends"][: len(ends)]
    by_window = ends.reshape(windows, steps)
    closes = np.full(windows, MISSING, np.int64)
    closes[: len(data["window_ends"])] = data["window_ends"][:windows]
    before = np.concatenate([by_window[:, :1], by_window[:, :-1]], axis=1)
    before[1:, 0] = closes[:-1] + SETTLE
    return CosimRun(
        raster=data["raster"].reshape(windows, steps, sizes.neurons),
        observed=observed,
        extra_rows=extra,
        weights=weights,
        state={
            name: values[: sizes.neurons if "trace" not in name else None]
            for name, values in final.items()
        },
        counters={key: int(count) for key, count in zip(COUNTERS, data["counters"], strict=True)},
        phase=int(data["phase"]),
        step_clocks=by_window - before,
        window_clocks=closes,
        stalled=bool(data["stalled"]),
        samples=dict(zip(sample.signals, data["samples"].T, strict=True)),
        seconds=float(data["seconds"]),
    )
