"""Contents of memories that are undefined at power-up, in exported Verilog.

A memory with one port (`bitlif.hdl.single_port`) has no initial values, as large RAM cannot be
initialised. Simulators fill it with arbitrary rows, so that a result that depends on them differs
from the model.
"""

from __future__ import annotations

import re

from bitlif.hdl.core_signals import SINGLE_PORT

_MEMORY = re.compile(
    rf"^(  reg (?:\[(\d+):0\] )?{SINGLE_PORT} \[(\d+):0\];)\n(  initial begin\n.*?^  end\n)?",
    re.MULTILINE | re.DOTALL,
)
"""A memory with one port: its declaration, the highest bit and row, and its initial values."""
_FACTOR = "32'h9e3779b9"
"""An odd number: its first 2^32 multiples differ in 32 bits."""


def with_undefined_rows(text: str) -> str:
    """Return Verilog in which memories with one port have no initial values in synthesis.

    Parameters
    ----------
    text : str
        As Yosys writes it.
    """
    return _MEMORY.sub(_undefined, text)


def _undefined(memory: re.Match[str]) -> str:
    bits, rows = int(memory[2] or 0) + 1, int(memory[3]) + 1
    copies, address = -(-bits // 32), max(1, (rows - 1).bit_length())
    return (
        f"{memory[1]} // undefined at power-up\n"
        "`ifndef SYNTHESIS\n"
        f"  initial begin : \\{SINGLE_PORT}.undefined \n"
        f"    reg [{address - 1}:0] row;\n"
        f"    reg [31:0] arbitrary;\n"
        f"    reg [{32 * copies - 1}:0] word;\n"
        f"    row = {address}'d0;\n"
        f"    arbitrary = {_FACTOR};\n"
        f"    repeat ({rows}) begin\n"
        f"      word = {{{copies}{{arbitrary}}}};\n"
        f"      {SINGLE_PORT}[row] = word[{bits - 1}:0];\n"
        f"      row = row + {address}'d1;\n"
        f"      arbitrary = arbitrary + {_FACTOR};\n"
        "    end\n"
        "  end\n"
        "`endif\n"
    )
