"""Any design of ours, compiled by Verilator and stepped one clock cycle at a time from Python."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

from bitlif.model.errors import BitlifError
from bitlif.model.storage.cache import cached, key_of

from .bit_packing import words_for
from .build import LIBRARY, compile_verilog, ingredients, require_tools
from .process import release_with

DRIVER = "step_driver.cc"
SHELL = "bitlif_stepped"

_FIRST_VALUE = re.compile(r"^(  reg (?:\[\d+:0\] )?(?!\S*dump_module)\S+) +=[^;]+;$", re.MULTILINE)
_BLANK_MEMORY = re.compile(
    r"^  initial begin\n(?:    \S+\[\d+\] = \d+'h0+;\n)+  end\n", re.MULTILINE
)
_PORT = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", re.MULTILINE)


def without_first_values(verilog: str) -> str:
    """Return Amaranth's Verilog without first values of registers and of memories of zeros."""
    return _BLANK_MEMORY.sub("", _FIRST_VALUE.sub(r"\1 ;", verilog))


class SteppedDesign:
    """A compiled design whose clock cycles are made one by one.

    Parameters
    ----------
    verilog : str
        As Amaranth writes it, with a port ``clk``.
    top : str
        Name of its module.
    scrambled : bool
        Registers, and memories of zeros, start with random values instead of their own.
    seed : int
        Of these values, at least 1.

    Attributes
    ----------
    inputs : dict of str to int
        What stands at each input port, but ``clk``; read with every `clock`.

    Raises
    ------
    BitlifError
        If a tool is missing or fails.
    """

    def __init__(self, verilog: str, top: str, *, scrambled: bool = False, seed: int = 1) -> None:
        if scrambled:
            verilog = without_first_values(verilog)
        start = re.search(rf"^module {top}\(", verilog, re.MULTILINE)
        if start is None:
            raise BitlifError(f"verilog must have a module {top}")
        own = verilog[start.start() : verilog.index("endmodule", start.start())]
        ports = {name: (kind, int(high or 0) + 1) for kind, high, name in _PORT.findall(own)}
        del ports["clk"]
        self._in = {name: bits for name, (kind, bits) in ports.items() if kind == "input"}
        self._out = {name: bits for name, (kind, bits) in ports.items() if kind == "output"}
        self.inputs = dict.fromkeys(self._in, 0)
        self._code = code = ctypes.CDLL(str(self._library(verilog, top, scrambled)))
        code.step_open.restype = ctypes.c_void_p
        code.step_open.argtypes = [ctypes.c_int32]
        code.step_close.argtypes = [ctypes.c_void_p]
        code.step_clock.argtypes = [ctypes.c_void_p] * 3
        self._rows = [
            (ctypes.c_uint32 * sum(map(words_for, bits.values())))()
            for bits in (self._in, self._out)
        ]
        self._design = code.step_open(seed if scrambled else 0)
        self.close = release_with(self, code.step_close, self._design)

    def _library(self, verilog: str, top: str, scrambled: bool) -> Path:
        require_tools()
        unknown = "unique" if scrambled else "0"
        parts = {"stepped": verilog, "top": top, "unknown": unknown, **ingredients()}

        def make(folder: Path) -> None:
            (folder / "design.sv").write_text(verilog, "utf-8")
            (folder / "shell.sv").write_text(self._shell(top), "utf-8")
            lists = {"INPUTS": self._in, "OUTPUTS": self._out}
            macros = [
                f"#define {name}(X) {' '.join(f'X({_plain(port)})' for port in ports)}\n"
                for name, ports in lists.items()
            ]
            (folder / "ports.h").write_text("".join(macros), "utf-8")
            sources = ["shell.sv", "design.sv"]
            compile_verilog(folder, sources, SHELL, DRIVER, "-O1", unknown=unknown)

        return cached(key_of(parts), LIBRARY, make)

    def _shell(self, top: str) -> str:
        """Return a module around `top` whose ports have plain names."""
        sides = (("input", {"clk": 1, **self._in}), ("output", self._out))
        ports = [
            f"  {kind} wire [{bits - 1}:0] {_plain(name)}"
            for kind, own in sides
            for name, bits in own.items()
        ]
        wires = [f"    .{name}({_plain(name)})" for _, own in sides for name in own]
        header, wired = ",\n".join(ports), ",\n".join(wires)
        return f"module {SHELL}(\n{header}\n);\n  {top} top (\n{wired}\n  );\nendmodule\n"

    def clock(self, **inputs: int) -> dict[str, int]:
        """Make a clock cycle with these inputs changed; return the outputs before its edge."""
        self.inputs.update(inputs)
        given, came = self._rows
        place = 0
        for name, bits in self._in.items():
            value = self.inputs[name]
            for _ in range(words_for(bits)):
                given[place] = value & 0xFFFFFFFF
                value >>= 32
                place += 1
        self._code.step_clock(self._design, given, came)
        outputs, place = {}, 0
        for name, bits in self._out.items():
            value = 0
            for word in range(words_for(bits)):
                value |= came[place] << (32 * word)
                place += 1
            outputs[name] = value
        return outputs


def _plain(name: str) -> str:
    """Return a port's name in the shell: C++ generators escape two underscores side by side."""
    return name.replace("__", "_")
