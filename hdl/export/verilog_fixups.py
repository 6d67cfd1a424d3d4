"""Fixes for the Verilog that Yosys writes, so that other tools accept it without warnings."""

from __future__ import annotations

import re

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
_ESCAPED = re.compile(r"\\\S+")
_ROUND = str.maketrans("[]", "()")


def fix_verilog(text: str) -> str:
    """Return the text so that Icarus, Verilator and Yosys read it in the same way."""
    return plain_names(_WAKER.sub(_wake, _EMPTY.sub("", text)))


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
