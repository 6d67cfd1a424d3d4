"""A core as a netlist of FPGA cells, and the same netlist as Verilog for simulation.

Yosys maps the core to cells as it does for a bitstream. It then reads the netlist back and replaces
every cell by its simulation model: Yosys' model, or the one of this package where Yosys has none.
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

from .families import Family, family_named
from .synthesis import map_to_cells
from .tools import find_tool, run_tool, tool_version

PRODUCT = "netlist.json"
FLOW = ("synthesis.py", "paired_products.py", "logic_products.py")
"""Modules that decide what a netlist looks like."""


@dataclass(frozen=True, slots=True)
class Netlist:
    """A core synthesised for an FPGA.

    Attributes
    ----------
    json : Path
        Yosys' netlist of FPGA cells, the input of nextpnr.
    verilog : Path
        The same netlist with every cell replaced by its simulation model: one module with the name
        and ports of the core.
    cells : dict of str to int
        Number of cells by type.
    """

    json: Path
    verilog: Path
    cells: dict[str, int]


def mapped_core(verilog: str, top: str, family: str) -> Path:
    """Return a core's netlist of FPGA cells from the cache; synthesise it on first use.

    The simulated and the placed netlist are this one file.

    Parameters
    ----------
    verilog : str
        As `bitlif.hdl.export.verilog.core_verilog` returns it.
    top : str
        Name of its top module.
    family : str
        A key of `bitlif.fpga.families.FAMILIES`.

    Returns
    -------
    Path
        ``netlist.json`` in the cache. Its key is a hash of the text, of the version of Yosys and of
        how it is called.

    Raises
    ------
    BitlifError
        If there is no such family; if Yosys is missing or fails: the message names its log.
    """
    own = family_named(family)
    parts = {
        "verilog": verilog,
        "top": top,
        "synthesis": own.synthesis,
        "yosys": tool_version("yosys"),
        "large": str(own.large),
        "flow": "".join(
            Path(__file__).with_name(f"{name}.py").read_text("utf-8")
            for name in ("synthesis", "large_ram", "paired_products", "logic_products")
        ),
        "multipliers": str(own.multiplier),
    }

    def make(folder: Path) -> None:
        map_to_cells(verilog, top, own, folder)

    return cached(key_of(parts), PRODUCT, make)


def make_netlist(verilog: str, top: str, family: str, folder: Path) -> Netlist:
    """Synthesise Verilog for a family, and write the netlist as Verilog for simulation.

    Parameters
    ----------
    verilog, top, family
        As in `mapped_core`.
    folder : Path
        Receives both netlists and the logs.

    Raises
    ------
    BitlifError
        If Yosys is missing or fails: the message names its log; if a cell has no simulation model,
        or is used in a way that its model does not cover.
    """
    own = family_named(family)
    mapped = mapped_core(verilog, top, family)
    text = mapped.read_text("utf-8")
    cells: dict[str, dict[str, Any]] = json.loads(text)["modules"][top]["cells"]
    for name, cell in with_constants(own, cells).items():
        _require_model(own, name, cell)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PRODUCT).write_text(text, "utf-8")
    for file in own.models.files:
        shutil.copy(file, folder)
    constants = " ".join(f"t:{kind}" for kind in own.models.constants)
    first = f"techmap -wb {own.models.techmap} {constants};" if constants else ""
    script = f"""
        read_json {PRODUCT}; hierarchy -top {top}; {first}
        techmap -wb -autoproc {own.models.techmap}; select -assert-none t:* t:$* %d;
        clean -purge; memory -nomap; opt -full; clean -purge;
        write_verilog -noattr netlist.v
    """
    call = [*find_tool("yosys"), "-q", "-l", "models.log", "-p", " ".join(script.split())]
    run_tool("yosys", call, folder, "models.log", "netlist.v")
    counted = Counter(cell["type"] for cell in cells.values())
    return Netlist(folder / PRODUCT, folder / "netlist.v", dict(counted))


def with_constants(
    family: Family, cells: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return cells whose connections have constants in place of the nets that cells drive so."""
    known = {
        wire: family.models.constants[cell["type"]]
        for cell in cells.values()
        if cell["type"] in family.models.constants
        for wires in cell["connections"].values()
        for wire in wires
    }
    return {
        name: {
            **cell,
            "connections": {
                port: [known.get(wire, wire) for wire in wires]
                for port, wires in cell["connections"].items()
            },
        }
        for name, cell in cells.items()
    }


def _require_model(family: Family, name: str, cell: Mapping[str, Any]) -> None:
    """Raise unless a cell has a simulation model that covers its use in the netlist."""
    kind = cell["type"]
    if not re.fullmatch(family.models.cells, kind):
        raise BitlifError(f"cell {name} is a {kind}, which has no simulation model")
    limits = family.models.limits.get(kind)
    if limits is None:
        return
    for parameter, bits in cell["parameters"].items():
        value = _value(bits)
        covered = [own for key, own in limits.parameters.items() if re.fullmatch(key, parameter)]
        if not (covered and re.fullmatch(covered[0], value)):
            raise _uncovered(name, kind, f"{parameter} = {value}")
    for port, wires in cell["connections"].items():
        zero = re.fullmatch(limits.zeros, port) and set(wires) <= {"0", "x"}
        one = re.fullmatch(limits.ones, port) and set(wires) <= {"1"}
        if wires and not (zero or one or re.fullmatch(limits.ports, port)):
            raise _uncovered(name, kind, f"port {port} in use")
    edges = {_edge(cell, port) for port in limits.clocks} - {None}
    if len(edges) > 1:
        raise _uncovered(name, kind, "two clocks")
    other = limits.check(cell) if limits.check else ""
    if other:
        raise _uncovered(name, kind, other)


def _edge(cell: Mapping[str, Any], clock: str) -> tuple[int, bool] | None:
    """Return the net and polarity of a clock input, or None if it has no net."""
    (wire,) = cell["connections"][clock]
    inverted = cell["parameters"].get(f"{clock}MUX") == "INV"
    return (wire, inverted) if isinstance(wire, int) else None


def _value(text: str) -> str:
    """Return a parameter as Verilog writes it; Yosys writes numbers in binary."""
    return str(int(text, 2)) if re.fullmatch("[01]+", text) else text


def _uncovered(name: str, kind: str, what: str) -> BitlifError:
    return BitlifError(f"cell {name} is a {kind} with {what}, which its model does not cover")
