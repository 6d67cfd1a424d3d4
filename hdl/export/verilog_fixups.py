"""What Yosys's Verilog needs before other tools take it without a complaint."""

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
"""Verilator's warnings that say nothing here, and why."""

_WAKER = re.compile(r"^  reg (\\\S+dump_module\S*)  = 0;$", re.MULTILINE)
"""The register that Yosys writes into every module so that its blocks run once at time zero."""
_EMPTY = re.compile(r"^  wire \[-1:0\] .*;\n", re.MULTILINE)
"""Wires without a bit, which Verilog would take for two."""
_ESCAPED = re.compile(r"\\\S+")
_ROUND = str.maketrans("[]", "()")


def fix_verilog(text: str) -> str:
    """Return the text so that Icarus, Verilator and Yosys take it alike."""
    return plain_names(_WAKER.sub(_wake, _EMPTY.sub("", text)))


def plain_names(text: str) -> str:
    r"""Write names of array elements, as ``\lfsr[1]``, so that none looks like a bit: ``\lfsr(1)``.

    Yosys 0.70 takes the first bit of such a net for bit 1 of ``lfsr`` when ABC9 gives names back,
    and joins the two: the netlist then computes something else.
    """
    return _ESCAPED.sub(lambda match: match[0].translate(_ROUND), text)


def lint_waivers() -> str:
    """Return Verilator's waivers as comments with their reasons."""
    lines = [f"/* verilator lint_off {name} */ // {reason}" for name, reason in WAIVERS.items()]
    return "\n".join(lines) + "\n"


def _wake(match: re.Match[str]) -> str:
    """Make that register change in Icarus, which does not take a first value for a change.

    Without it, blocks that depend on constants alone never run there. (``always_comb`` would not
    do: Icarus 11 runs such blocks without an end when many of them change in one clock.)
    """
    own = match[1]
    return f"{match[0]}\n`ifdef __ICARUS__\n  initial #0 {own}  = 1;\n`endif"
