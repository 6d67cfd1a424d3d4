"""A core as FPGA cells, and the same cells as Verilog that any simulator runs.

Yosys maps the core as it would for a bitstream. The netlist that a placer would take is then read
back, and every cell is replaced by its simulation model: Yosys' own, or ours where it has none.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitlif.model.errors import BitlifError

from .synthesis import FAMILIES, find_tool, map_to_cells, run_tool

NETLIST_FAMILIES = {"ice40": FAMILIES["up5k"], "ecp5": FAMILIES["ecp5"]}

OWN_MODELS = "ecp5_cells.v"

MODELS = {
    # Without this, Yosys would read a reset of SB_SPRAM256KA word by word, 16,384 of them.
    "ice40": "-D EQUIV -map +/ice40/cells_sim.v",
    # The first model of a cell counts: Yosys' files have empty ones of what ours has.
    "ecp5": f"-map {OWN_MODELS} -map +/ecp5/cells_sim.v",
}
"""Where a family's models are, for Yosys' ``techmap``."""

MODELLED = {
    "ice40": r"SB_LUT4|SB_CARRY|SB_DFF[A-Z]*|SB_RAM40_4K(NR|NW|NRNW)?|SB_MAC16",
    "ecp5": r"LUT4|CCU2C|PFUMX|L6MUX21|TRELLIS_FF|TRELLIS_DPR16X4|DP16KD|MULT18X18D",
}
"""Cells that have a model there: a module that is merely empty would be a silent black box."""

COVERED: dict[str, dict[str, str]] = {
    "DP16KD": {
        "DATA_WIDTH_[AB]": "1|2|4|9|18|36",
        "WRITEMODE_[AB]": "NORMAL|WRITETHROUGH|READBEFOREWRITE",
        "REGMODE_[AB]": "NOREG",
        "RESETMODE|ASYNC_RESET_RELEASE": "SYNC|ASYNC",
        "CSDECODE_[AB]": "0b000",
        "CLK([AB])MUX": "CLK[AB]|INV",
        "GSR": "AUTO|ENABLED|DISABLED",
        "INITVAL_[0-3][0-9A-F]": "[0-9]+",
    },
    "MULT18X18D": {"REG_.*_CLK": "NONE"},
}
"""Parameters of the cells with a model of ours, and the values that it covers."""

CONSTANT: dict[str, str] = {"DP16KD": "CS[AB][012]", "MULT18X18D": r"C\d+|SOURCE[AB]"}
"""Inputs of these cells that must be 0."""

PORTS = {
    "DP16KD": r"(DI|DO|AD)[AB]\d+|(CE|OCE|CLK|WE|RST)[AB]",
    "MULT18X18D": r"[ABP]\d+|SIGNED[AB]",
}
"""Their other ports that the models have."""


@dataclass(frozen=True, slots=True)
class Netlist:
    """A core synthesised for an FPGA.

    Attributes
    ----------
    json : Path
        Yosys' netlist of FPGA cells, as a placer would take it.
    verilog : Path
        The same with every cell replaced by its simulation model: one module of the same name and
        ports.
    cells : dict of str to int
        Cells by their types.
    """

    json: Path
    verilog: Path
    cells: dict[str, int]


def make_netlist(verilog: str, top: str, family: str, folder: Path) -> Netlist:
    """Synthesise Verilog for a family, and make Verilog of the cells again.

    Parameters
    ----------
    verilog : str
        As `bitlif.hdl.verilog.core_verilog` returns it.
    top : str
        Name of its top module.
    family : str
        ``"ice40"`` or ``"ecp5"``.
    folder : Path
        Takes both netlists, and the logs.

    Raises
    ------
    BitlifError
        If Yosys is missing or fails, with the name of its log; if a cell has no model, or is used
        in a way that its model does not cover.
    """
    if family not in NETLIST_FAMILIES:
        known = ", ".join(NETLIST_FAMILIES)
        raise BitlifError(f"family of a netlist must be one of {known}, not '{family}'")
    cells = map_to_cells(verilog, top, NETLIST_FAMILIES[family], folder)
    for name, cell in cells.items():
        _require_model(family, name, cell)
    shutil.copy(Path(__file__).with_name(OWN_MODELS), folder)
    script = f"""
        read_json netlist.json; hierarchy -top {top};
        techmap -wb -autoproc {MODELS[family]}; select -assert-none t:* t:$* %d;
        clean -purge; memory -nomap; opt_expr; opt_clean -purge;
        write_verilog -noattr netlist.v
    """
    call = [*find_tool("yosys"), "-q", "-l", "models.log", "-p", " ".join(script.split())]
    run_tool("yosys", call, folder, "models.log", "netlist.v")
    counted = Counter(cell["type"] for cell in cells.values())
    return Netlist(folder / "netlist.json", folder / "netlist.v", dict(counted))


def _require_model(family: str, name: str, cell: Mapping[str, Any]) -> None:
    """Raise unless there is a model of a cell that covers what the netlist makes of it."""
    kind = cell["type"]
    if not re.fullmatch(MODELLED[family], kind):
        raise BitlifError(f"cell {name} is a {kind}, which has no simulation model")
    if kind not in COVERED:
        return
    for parameter, value in cell["parameters"].items():
        text = _value(value)
        allowed = [own for key, own in COVERED[kind].items() if re.fullmatch(key, parameter)]
        if not (allowed and re.fullmatch(allowed[0], text)):
            raise _uncovered(name, kind, f"{parameter} = {text}")
    for port, bits in cell["connections"].items():
        zero = re.fullmatch(CONSTANT[kind], port) and set(bits) <= {"0", "x"}
        if not (zero or re.fullmatch(PORTS[kind], port) or not bits):
            raise _uncovered(name, kind, f"port {port} = {bits[0]}")
    if kind == "DP16KD":
        _require_one_clock(name, cell)


def _require_one_clock(name: str, cell: Mapping[str, Any]) -> None:
    """Raise unless the ports of a DP16KD that are used share an edge, and are as wide as they may.

    A port without a clock is not used.
    """
    parameters, wires = cell["parameters"], cell["connections"]
    clocks = [(wires[f"CLK{own}"][0], _value(parameters[f"CLK{own}MUX"])) for own in "AB"]
    edges = {(wire, how == "INV") for wire, how in clocks if isinstance(wire, int)}
    if len(edges) > 1:
        raise _uncovered(name, "DP16KD", "two clocks")
    width_a, width_b = (_value(parameters[f"DATA_WIDTH_{own}"]) for own in "AB")
    writes_b = wires["WEB"] != ["0"]
    if (width_a != "36" and width_b == "36") or (width_a == "36" and writes_b):
        raise _uncovered(name, "DP16KD", "a port of 36 bits beside one of")


def _value(text: str) -> str:
    """Return a parameter as it is written in Verilog: Yosys writes numbers as their bits."""
    return str(int(text, 2)) if re.fullmatch("[01]+", text) else text


def _uncovered(name: str, kind: str, what: str) -> BitlifError:
    return BitlifError(f"cell {name} is a {kind} with {what}, which its model does not cover")
