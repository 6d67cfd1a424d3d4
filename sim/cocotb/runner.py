"""One way to build a core's Verilog and run a cocotb bench on it, whatever is around the core."""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bitlif.hdl.export.programs import program_environment
from bitlif.model.errors import BitlifError
from bitlif.model.text import path_text
from bitlif.sim.simulators import require_simulator


def simulate(
    source: Path, name: str, bench: str, folder: Path, *, simulator: str,
    environment: Mapping[str, str], build_args: Sequence[str] = (), make: str = "", seed: int = 0,
    waves: bool = False,
) -> None:  # fmt: skip
    """Build a Verilog file and run the one test of a bench on it, which must pass.

    Parameters
    ----------
    source, name : Path, str
        The file and its top module.
    bench : str
        Module with the test ``run_task``.
    folder : Path
        Takes a folder of the simulator's name, ``build.log`` and ``test.log``.
    simulator : str
        ``"icarus"`` or ``"verilator"``.
    environment : mapping
        Of the bench, besides our own.
    build_args : sequence of str
        Of the simulator's compiler.
    make : str
        More variables of make, where Verilator uses it.
    seed : int
        Of cocotb.
    waves : bool
        Whether to write a waveform.

    Raises
    ------
    BitlifError
        If building or simulating fails, with the name of the log.
    """
    from cocotb_tools.runner import get_runner

    if simulator == "verilator" and any(letter.isspace() for letter in str(folder.absolute())):
        raise BitlifError(
            f"a folder for Verilator must have no space in its path, for make takes none, unlike "
            f"'{path_text(folder)}': set TMPDIR to another, or take Icarus"
        )

    build = folder / simulator
    runner: Any = _guarded(type(get_runner(simulator)))()
    # The wheel was built without knowing how to name a precompiled header.
    runner.more = {"MAKEFLAGS": f"CFG_CXXFLAGS_PCH_I=-include {make}".rstrip()}
    with _told(folder / "build.log", "building the core"):
        runner.build(
            sources=[source], hdl_toplevel=name, build_dir=build, always=True, waves=waves,
            timescale=("1ns", "1ps"), build_args=list(build_args), log_file=folder / "build.log",
        )  # fmt: skip
    with _told(folder / "test.log", "simulating the core"):
        report = runner.test(
            hdl_toplevel=name, test_module=bench, build_dir=build, waves=waves,
            timescale=("1ns", "1ps"), seed=seed, log_file=folder / "test.log",
            extra_env=dict(environment),
        )  # fmt: skip
    _require_passed(report, folder)


def _guarded(kind: type[Any]) -> type[Any]:
    """Return one of cocotb's runners, whose programs are found and run as all others of ours.

    cocotb itself looks for programs on all of the PATH, and gives the bench an import path on which
    the current directory may be.
    """
    base: Any = kind

    class Guarded(base):
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

    return Guarded


@contextlib.contextmanager
def _told(log: Path, doing: str) -> Iterator[None]:
    """Turn the runner's ways to fail, a RuntimeError or an exit, into one error."""
    try:
        yield
    except (RuntimeError, SystemExit) as error:
        raise BitlifError(f"{doing} failed; what was said is in {log}") from error


def _require_passed(report: Path, folder: Path) -> None:
    """Raise unless exactly our one test ran, and passed: a filter that matches none passes too."""
    cases = list(ET.parse(report).iter("testcase"))
    failed = [
        case for case in cases if case.find("failure") is not None or case.find("error") is not None
    ]
    if [case.get("name") for case in cases] != ["run_task"] or failed:
        raise BitlifError(f"the cocotb bench did not pass; its log is {folder / 'test.log'}")
