"""Commands import only the modules they need, and no module of Unix that they can do without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bitlif.scripts.main import SUBCOMMANDS, build_parser

HEAVY = {
    "amaranth", "cocotb", "distributed", "llvmlite", "matplotlib", "numba", "optuna", "plotly",
    "pyarrow", "rich", "scipy", "sklearn", "serial",
}  # fmt: skip
"""Packages that no help needs."""

UNIX = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")

IMPORTED = """
import contextlib, io, sys
from bitlif.scripts.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(sys.argv[1:])
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
"""Prints the top-level modules that a command line imports."""

WITHOUT_UNIX = f"""
import shlex, sys
for name in {UNIX}:
    sys.modules[name] = None
from bitlif.scripts.main import main
for line in sys.stdin:
    try:
        status = main(shlex.split(line))
    except SystemExit as stop:
        status = stop.code
    if status:
        sys.exit(f"status {{status}}: {{line}}")
"""
"""Runs the command lines of standard input in a process that cannot import modules of Unix."""

WORK = """
config list
config show tiny
config show tiny --derived
config validate tiny
noise tiny --draws 1000
noise tiny --draws 1000 --out noise
learn tiny --epochs 1 --out learned
run tiny --weights learned/weights.npz --spikes learned/spikes.npz --out spikes.npz
golden tiny --windows 1 --out golden
registers tiny --format c --out tiny.h
verilog tiny --out tiny.sv
estimate tiny --board hx8k
fit tiny --board hx8k --vary lanes
build --list
crosscheck tiny --windows 1 --backends model,float
study --list
verify --list-faults
"""
"""Command lines that need no module of Unix; `verilog` runs Yosys in WebAssembly."""


def imported(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORTED, *words], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("help",), ("help", "help")])
def test_list_of_commands_imports_no_numpy(words: tuple[str, ...]) -> None:
    assert not imported(*words) & {*HEAVY, "numpy", "tomli_w"}


@pytest.mark.parametrize("command", SUBCOMMANDS)
def test_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    assert not imported(command, "--help") & HEAVY


def test_summaries_are_those_of_the_commands() -> None:
    listed = build_parser(()).format_help()
    assert listed == build_parser().format_help()


def run_without_unix(lines: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_UNIX],
        input=lines.lstrip(), cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_helps_need_no_module_of_unix(tmp_path: Path) -> None:
    run_without_unix("--help\n" + "".join(f"{name} --help\n" for name in SUBCOMMANDS), tmp_path)


def test_commands_need_no_module_of_unix(tmp_path: Path) -> None:
    run_without_unix(WORK, tmp_path)
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"noise", "learned", "spikes.npz", "golden", "tiny.h", "tiny.sv"}
