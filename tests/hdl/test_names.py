"""Every name in the Verilog is the same on all versions of Python, and in every process.

Amaranth names a signal after the variable that it is assigned to, which it reads from the bytecode
of the caller. That is the same on all versions only if the assignment has a plain target and is a
statement of its own: CPython 3.13 compiles ``a, b = Signal(), Signal()`` in another way than 3.11.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bitlif.hdl
from bitlif.fpga.synthesis import Harness
from bitlif.hdl.bus.axi_top import AxiTop
from bitlif.hdl.export.convert import to_rtlil
from bitlif.hdl.export.verilog import core_verilog
from bitlif.hdl.uart.uart_top import UartTop
from bitlif.model.config.config import Config

ROOT = Path(bitlif.hdl.__file__).parents[1]
TINY = Config.load("tiny")

NAMED = ("Signal", "Memory", "MemoryData", "ClockDomain", "Record")
"""Classes of Amaranth that take the name of a variable."""
METHODS = ("like", "read_port", "write_port", "create")
"""Methods that do."""


def amaranth_names(tree: ast.Module) -> set[str]:
    """Return the names that a module imports from Amaranth."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("amaranth")
        for alias in node.names
    }


def plain(target: ast.expr) -> bool:
    """Return whether a target is a name, or an attribute of one."""
    while isinstance(target, ast.Attribute):
        target = target.value
    return isinstance(target, ast.Name)


def unnamed(text: str) -> Iterator[int]:
    """Yield the line of every call whose name would depend on the version of Python."""
    tree = ast.parse(text)
    ours = amaranth_names(tree).intersection(NAMED)
    first_lines: dict[int, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            first_lines[node.lineno] = first_lines.get(node.lineno, 0) + 1
    assigned = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and plain(node.targets[0])
        # Instructions of two statements are combined only if they are on the same line.
        and first_lines[node.lineno] == 1
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or node in assigned:
            continue
        function = node.func
        traced = isinstance(function, ast.Name) and function.id in ours
        traced |= isinstance(function, ast.Attribute) and function.attr in METHODS
        if traced and not any(own.arg in ("name", "path") for own in node.keywords):
            yield node.lineno


def test_every_signal_has_a_name_or_a_plain_variable() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("hdl", "fpga")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in unnamed(path.read_text("utf-8"))
    ]
    assert not wrong, f"assign one signal per statement, or pass name=: {', '.join(wrong)}"


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("a = Signal()", True),
        ("self.a = Signal(3)", True),
        ("m.submodules.a = a = Memory(depth=1)", True),
        ("a = Signal.like(b)", True),
        ("a, b = Signal(name='a'), x.read_port(path=('b',))", True),
        ("a, b = Signal(), Signal()", False),
        ("a = [Signal(), Signal()]", False),
        ("a[0] = Signal()", False),
        ("a = f(Signal())", False),
        ("a = Signal(); b = Signal()", False),
        ("with m.If(c): a = Signal()", False),
        ("read, write = one.read_port(), one.write_port()", False),
        ("return Signal()", False),
    ],
)
def test_names_are_checked(text: str, ok: bool) -> None:
    body = f"from amaranth.hdl import Signal\nfrom amaranth.lib.memory import Memory\n{text}\n"
    assert (not list(unnamed(body))) == ok
    # Classes of others with the same name are not meant.
    assert not list(unnamed("from .tally import Memory\na = [Memory('x', 1, 2)]\n"))


def tops(config: Config, *, learning: bool) -> dict[str, Any]:
    """Return all tops."""
    return {
        "axi": AxiTop(config, learning=learning),
        "uart": UartTop(config, divisor=6, learning=learning),
        "harness": Harness(config, learning=learning),
    }


@pytest.mark.parametrize("learning", [True, False])
def test_no_name_is_missing(learning: bool) -> None:
    # Also catches names that are read from the caller of a helper.
    odd = TINY.replace(
        layer__neurons=7, layer__lanes=3, noise__kind="inverse_cdf", noise__words=1,
        membrane__reset="teacher",
    )  # fmt: skip
    for config in (TINY, odd):
        for name, top in tops(config, learning=learning).items():
            text = to_rtlil(top, "top")
            missing = re.findall(r"\\\$(?:signal|like|signature|memory|port)\S*", text)
            assert not missing, (name, sorted(set(missing)))
            # Line numbers would change with every edit, and paths from machine to machine.
            assert "attribute \\src" not in text


CODE = """
import hashlib
from bitlif.hdl.export.verilog import core_verilog
from bitlif.model.config.config import Config
print(hashlib.sha256(core_verilog(Config.load("tiny")).encode()).hexdigest())
"""


def test_text_does_not_depend_on_the_process() -> None:
    found = {hashlib.sha256(core_verilog(TINY).encode()).hexdigest()}
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-P", "-c", CODE],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.add(done.stdout.strip())
    assert len(found) == 1
