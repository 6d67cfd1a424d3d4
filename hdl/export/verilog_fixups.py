"""Fixes for the Verilog that Yosys writes, so that other tools accept it without warnings."""

from __future__ import annotations

import re
from collections.abc import Mapping

WAIVERS = {
    "DECLFILENAME": "one file holds all modules of a core",
    "PROCASSINIT": "registers have first values: FPGAs load them, no reset is needed for those",
    "UNUSEDSIGNAL": "fields of structures and inner sums keep their names, for reading and benches",
    "WIDTHEXPAND": "shorter operands are extended by Verilog's own rules; signs are explicit",
    "WIDTHTRUNC": "! of a vector asks whether it is zero; nothing else is truncated",
    "CASEINCOMPLETE": "a value before each case stands where no branch is taken",
}
"""Warnings of Verilator that are not relevant here, with the reasons."""

_WAKER = re.compile(r"^  reg (\\\S+dump_module\S*)  = 0;$", re.MULTILINE)
"""The register that Yosys adds to every module so that its blocks run at time zero."""
_EMPTY = re.compile(r"^  wire \[-1:0\] .*;\n", re.MULTILINE)
"""Wires of width zero, which Verilog would read as two bits wide."""
_BLANK = re.compile(
    r"^  reg (?:\[(\d+):0\] )?(\w+|\\\S+ ) *\[(\d+):0\];\n(?!  initial begin\n    \2)", re.MULTILINE
)
"""Memories without initial values: the highest bit and row, and the name in between."""
_ESCAPED = re.compile(r"\\\S+")
_ROUND = str.maketrans("[]", "()")


def fix_verilog(text: str, contents: Mapping[str, str] | None = None) -> str:
    """Return the text so that Icarus, Verilator and Yosys read it in the same way.

    Parameters
    ----------
    text : str
        As `bitlif.hdl.export.convert.to_verilog` returns it.
    contents : dict of str to str
        Verilog that fills a memory without initial values, by the name of the submodule that holds
        it. In it, ``{memory}`` stands for the name of the memory, and ``{zeros}`` for the Verilog
        that fills it with zeros in simulation, which all other memories get.
    """
    loads = contents or {}
    text = _EMPTY.sub("", text)

    def fill(match: re.Match[str]) -> str:
        top, name, last = match.groups()
        zeros = _zeros(name, int(top or 0) + 1, int(last) + 1)
        start = text.rindex("\nmodule ", 0, match.start())
        module = text[start : text.index("(", start)].strip().rpartition(".")[2]
        own = loads.get(module, "{zeros}").replace("{memory}", name.strip())
        return match[0] + own.replace("{zeros}", zeros)

    filled = _BLANK.sub(fill, text)
    return plain_names(_WAKER.sub(_wake, filled))


def _zeros(memory: str, bits: int, rows: int) -> str:
    """Return the Verilog that fills a memory with zeros in simulation.

    Synthesis is left free to use memories that have no initial values. The core never depends on
    these: what it does not write before it reads, it ignores.
    """
    bits_of_row = max(1, (rows - 1).bit_length())
    base = memory.strip("\\ ")
    row, one = f"\\{base}.row ", f"{bits_of_row}'d1"
    return (
        "`ifndef SYNTHESIS\n"
        f"  initial begin : \\{base}.zeros \n"
        f"    reg [{bits_of_row - 1}:0] {row};\n"
        f"    {row} = {bits_of_row}'d0;\n"
        f"    repeat ({rows}) begin {memory}[{row}] = {bits}'d0; {row} = {row} + {one}; end\n"
        "  end\n"
        "`endif\n"
    )


def plain_names(text: str) -> str:
    r"""Rename array elements, such as ``\lfsr[1]`` to ``\lfsr(1)``, so that none looks like a bit.

    When ABC9 restores names, Yosys 0.70 mistakes the first bit of such a net for bit 1 of ``lfsr``
    and joins the two nets, which makes the netlist wrong.
    """
    return _ESCAPED.sub(lambda match: match[0].translate(_ROUND), text)


def lint_waivers() -> str:
    """Return the waivers for Verilator as comments, with their reasons."""
    lines = [f"/* verilator lint_off {name} */ // {reason}" for name, reason in WAIVERS.items()]
    return "\n".join(lines) + "\n"


def _wake(match: re.Match[str]) -> str:
    """Make that register change in Icarus, where an initial value is no change.

    Without this, blocks that depend only on constants never run there. (``always_comb`` is no
    alternative: Icarus 11 loops forever when many such blocks change in one clock cycle.)
    """
    own = match[1]
    return f"{match[0]}\n`ifdef __ICARUS__\n  initial #0 {own}  = 1;\n`endif"
