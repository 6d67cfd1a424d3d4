"""A core as FPGA cells, and the same cells as Verilog that any simulator runs.

Yosys maps the core as it would for a bitstream. The netlist that a placer would take is then read
back, and every cell is replaced by its simulation model: Yosys' own, or ours where it has none.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitlif.model.errors import BitlifError
from bitlif.model.storage.cache import cached, key_of

from .synthesis import FAMILIES, map_to_cells
from .tools import find_tool, run_tool, tool_version

NETLIST_FAMILIES = {
    "ice40": FAMILIES["up5k"],
    "ice40hx": FAMILIES["hx8k"],
    "ecp5": FAMILIES["ecp5"],
}

PRODUCT = "netlist.json"

OWN_MODELS = "ecp5_cells.v"

MODELS = {
    # Without this, Yosys would read a reset of SB_SPRAM256KA word by word, 16,384 of them.
    "ice40": "-D EQUIV -map +/ice40/cells_sim.v",
    "ice40hx": "-D EQUIV -map +/ice40/cells_sim.v",
    # The first model of a cell counts: Yosys' files have empty ones of what ours has.
    "ecp5": f"-map {OWN_MODELS} -map +/ecp5/cells_sim.v",
}
"""Where a family's models are, for Yosys' ``techmap``: Yosys' own, and ours where it has none."""

MODELLED = {
    "ice40": "SB_LUT4|SB_CARRY|SB_DFF[A-Z]*|SB_RAM40_4K(NR|NW|NRNW)?|SB_MAC16",
    "ice40hx": "SB_LUT4|SB_CARRY|SB_DFF[A-Z]*|SB_RAM40_4K(NR|NW|NRNW)?",
    "ecp5": "LUT4|CCU2C|PFUMX|L6MUX21|TRELLIS_FF|TRELLIS_DPR16X4|DP16KD|MULT18X18D",
}
"""Cells that have a model there: a module that is merely empty would be a silent black box."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model of ours covers of its cell; everything is a regular expression.

    Attributes
    ----------
    parameters : dict of str to str
        The values that are covered.
    ports : str
        Those that the model has.
    zeros : str
        Inputs that must be 0.
    clocks : tuple of str
        Ports that must be one clock; one without a net is not used.
    """

    parameters: dict[str, str]
    ports: str
    zeros: str = ""
    clocks: tuple[str, ...] = ()


LIMITS = {
    "DP16KD": Limits(
        {
            "DATA_WIDTH_[AB]": "1|2|4|9|18|36",
            "WRITEMODE_[AB]": "NORMAL|WRITETHROUGH|READBEFOREWRITE",
            "REGMODE_[AB]": "NOREG",
            "RESETMODE|ASYNC_RESET_RELEASE": "SYNC|ASYNC",
            "CSDECODE_[AB]": "0b000",
            "CLK[AB]MUX": "CLK[AB]|INV",
            "GSR": "AUTO|ENABLED|DISABLED",
            "INITVAL_[0-3][0-9A-F]": "[0-9x]+",
        },
        r"(DI|DO|AD)[AB]\d+|(CE|OCE|CLK|WE|RST)[AB]",
        zeros="CS[AB][012]",
        clocks=("CLKA", "CLKB"),
    ),
    "MULT18X18D": Limits({"REG_.*_CLK": "NONE"}, r"[ABP]\d+|SIGNED[AB]", zeros=r"C\d+|SOURCE[AB]"),
}


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


def mapped_core(verilog: str, top: str, family: str) -> Path:
    """Return the netlist of FPGA cells, made once: what is simulated and what is placed.

    Parameters
    ----------
    verilog : str
        As `bitlif.hdl.export.verilog.core_verilog` returns it.
    top : str
        Name of its top module.
    family : str
        One of `NETLIST_FAMILIES`.

    Returns
    -------
    Path
        Yosys' ``netlist.json``, an entry of the cache by itself, named by nothing but this text,
        Yosys and how it is called.

    Raises
    ------
    BitlifError
        If Yosys is missing or fails, with the name of its log.
    """
    if family not in NETLIST_FAMILIES:
        known = ", ".join(NETLIST_FAMILIES)
        raise BitlifError(f"family of a netlist must be one of {known}, not '{family}'")
    own = NETLIST_FAMILIES[family]
    parts = {
        "verilog": verilog,
        "top": top,
        "synthesis": own.synthesis,
        "yosys": tool_version("yosys"),
        "flow": (Path(__file__).with_name("synthesis.py")).read_text("utf-8"),
    }

    def make(folder: Path) -> None:
        map_to_cells(verilog, top, own, folder)

    return cached(key_of(parts), PRODUCT, make)


def make_netlist(verilog: str, top: str, family: str, folder: Path) -> Netlist:
    """Synthesise Verilog for a family, and make Verilog of the cells again.

    Parameters
    ----------
    verilog, top, family
        As of `mapped_core`.
    folder : Path
        Takes both netlists, and the logs.

    Raises
    ------
    BitlifError
        If Yosys is missing or fails, with the name of its log; if a cell has no model, or is used
        in a way that its model does not cover.
    """
    mapped = mapped_core(verilog, top, family)
    text = mapped.read_text("utf-8")
    cells: dict[str, dict[str, Any]] = json.loads(text)["modules"][top]["cells"]
    for name, cell in cells.items():
        _require_model(family, name, cell)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PRODUCT).write_text(text, "utf-8")
    shutil.copy(Path(__file__).with_name(OWN_MODELS), folder)
    script = f"""
        read_json {PRODUCT}; hierarchy -top {top};
        techmap -wb -autoproc {MODELS[family]}; select -assert-none t:* t:$* %d;
        clean -purge; memory -nomap; opt -full; clean -purge;
        write_verilog -noattr netlist.v
    """
    call = [*find_tool("yosys"), "-q", "-l", "models.log", "-p", " ".join(script.split())]
    run_tool("yosys", call, folder, "models.log", "netlist.v")
    counted = Counter(cell["type"] for cell in cells.values())
    return Netlist(folder / PRODUCT, folder / "netlist.v", dict(counted))


def _require_model(family: str, name: str, cell: Mapping[str, Any]) -> None:
    """Raise unless there is a model of a cell that covers what the netlist makes of it."""
    kind = cell["type"]
    if not re.fullmatch(MODELLED[family], kind):
        raise BitlifError(f"cell {name} is a {kind}, which has no simulation model")
    limits = LIMITS.get(kind)
    if limits is None:
        return
    for parameter, bits in cell["parameters"].items():
        value = _value(bits)
        covered = [own for key, own in limits.parameters.items() if re.fullmatch(key, parameter)]
        if not (covered and re.fullmatch(covered[0], value)):
            raise _uncovered(name, kind, f"{parameter} = {value}")
    for port, wires in cell["connections"].items():
        zero = re.fullmatch(limits.zeros, port) and set(wires) <= {"0", "x"}
        if wires and not (zero or re.fullmatch(limits.ports, port)):
            raise _uncovered(name, kind, f"port {port} in use")
    edges = {_edge(cell, port) for port in limits.clocks} - {None}
    if len(edges) > 1:
        raise _uncovered(name, kind, "two clocks")
    if kind == "DP16KD":
        _require_widths(name, cell)


def _edge(cell: Mapping[str, Any], clock: str) -> tuple[int, bool] | None:
    """Return net and polarity of a clock input, None for one without a net."""
    (wire,) = cell["connections"][clock]
    inverted = cell["parameters"].get(f"{clock}MUX") == "INV"
    return (wire, inverted) if isinstance(wire, int) else None


def _require_widths(name: str, cell: Mapping[str, Any]) -> None:
    """Raise where a DP16KD's port of 36 bits takes pins that the other port uses."""
    width_a, width_b = (int(cell["parameters"][f"DATA_WIDTH_{own}"], 2) for own in "AB")
    writes_b = cell["connections"]["WEB"] != ["0"]
    if (width_b == 36 and width_a != 36) or (width_a == 36 and writes_b):
        raise _uncovered(name, "DP16KD", "36 bits on one port and pins of them in use by the other")


def _value(text: str) -> str:
    """Return a parameter as it is written in Verilog: Yosys writes numbers as their bits."""
    return str(int(text, 2)) if re.fullmatch("[01]+", text) else text


def _uncovered(name: str, kind: str, what: str) -> BitlifError:
    return BitlifError(f"cell {name} is a {kind} with {what}, which its model does not cover")
