"""The units of the gates as Yosys elaborates them: transition systems in BTOR2."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitlif.fpga.tools import find_tool, run_tool
from bitlif.hdl.export.convert import to_rtlil

from .transition import Machine, read_btor

SCRIPT = """read_rtlil {name}.il
prep -flatten -top {name}
memory_nordff
async2sync
dffunmap
opt_clean
write_btor {name}.btor
design -reset
"""
"""Of one unit: flattened; each register as one state; each memory as one array."""


def elaborated(units: Mapping[str, Any]) -> dict[str, Machine]:
    """Return the transition systems of some units; Yosys is started once for all of them.

    Parameters
    ----------
    units : mapping of str to amaranth.lib.wiring.Component
        By a name that Yosys takes for the module.

    Raises
    ------
    BitlifError
        If Yosys is missing or fails.
    """
    with tempfile.TemporaryDirectory(prefix="bitlif-prove-") as name:
        folder = Path(name)
        for own, unit in units.items():
            (folder / f"{own}.il").write_text(to_rtlil(unit, own), "utf-8")
        script = "".join(SCRIPT.format(name=own) for own in units)
        (folder / "units.ys").write_text(script, "utf-8")
        run_tool("yosys", [*find_tool("yosys"), "-q", "-l", "yosys.log", "units.ys"], folder,
                 "yosys.log")  # fmt: skip
        return {own: read_btor((folder / f"{own}.btor").read_text("utf-8")) for own in units}
