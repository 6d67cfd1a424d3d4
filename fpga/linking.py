"""Linking: the netlist of a core is inserted into the netlist of a board's top.

The core is mapped to cells once, on its own. The top is mapped with the core as a black box, which
is then replaced by the core's cells, without further optimisation. The placed core is therefore the
simulated core; `check_linked` verifies this on the netlist that the placer reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bitlif.hdl.export.verilog_fixups import plain_names
from bitlif.model.errors import BitlifError

from .synthesis import require_no_conflict
from .tools import find_tool, run_tool

TOP = "top"
TOP_NETLIST, CORE_NETLIST, LINKED = "top.json", "core.json", "linked.json"

Cell = Mapping[str, Any]


def synthesise_top(rtlil: str, black_box: str, core: str, synthesis: str, folder: Path) -> None:
    """Synthesise a top with the core as a black box; write ``top.json`` to `folder`.

    Parameters
    ----------
    rtlil : str
        The top, module ``top``.
    black_box : str
        The core's ports in Verilog, as `bitlif.hdl.export.instance.black_box` returns them.
    core : str
        Name of the core's module.
    synthesis : str
        Yosys' command.
    folder : Path

    Raises
    ------
    BitlifError
        If Yosys is missing or fails; the message names its log.
    """
    command = find_tool("yosys")
    (folder / "top.il").write_text(plain_names(rtlil), "utf-8")
    (folder / "core_ports.v").write_text(black_box, "utf-8")
    script = (
        f"read_verilog core_ports.v; read_rtlil top.il; {synthesis} -top {TOP}; "
        f"delete t:$scopeinfo; delete ={core}; write_json {TOP_NETLIST}"
    )
    call = [*command, "-q", "-l", "yosys-top.log", "-p", script]
    run_tool("yosys", call, folder, "yosys-top.log", TOP_NETLIST)
    require_no_conflict(folder / "yosys-top.log")


def link(mapped: Path, core: str, folder: Path) -> None:
    """Insert a core's cells into the top of `synthesise_top`; write ``linked.json``.

    Parameters
    ----------
    mapped : Path
        The core's netlist, as `bitlif.fpga.netlist.mapped_core` returns it.
    core : str
        Name of the core's module.
    folder : Path

    Raises
    ------
    BitlifError
        If Yosys is missing or fails: the message names its log; if a cell of the core has changed.
    """
    command = find_tool("yosys")
    netlist = json.loads(mapped.read_text("utf-8"))
    # The modules of the cell library are in the top already.
    netlist["modules"] = {core: netlist["modules"][core]}
    (folder / CORE_NETLIST).write_text(json.dumps(netlist), "utf-8")
    script = (
        f"read_json {TOP_NETLIST}; read_json {CORE_NETLIST}; hierarchy -top {TOP}; "
        f"flatten; delete t:$scopeinfo; write_json {LINKED}"
    )
    call = [*command, "-q", "-l", "yosys-link.log", "-p", script]
    run_tool("yosys", call, folder, "yosys-link.log", LINKED)
    top, linked = (
        json.loads((folder / name).read_text("utf-8"))["modules"][TOP]
        for name in (TOP_NETLIST, LINKED)
    )
    check_linked(netlist["modules"][core], core, top, linked)


def check_linked(
    core: Mapping[str, Any], name: str, top: Mapping[str, Any], linked: Mapping[str, Any]
) -> dict[str, str]:
    """Raise unless a linked netlist is the top with exactly the core's cells in it.

    Cells are matched by name. Type, parameters and ports must be equal, and a single mapping of
    nets must yield all connections. Two nets of the core may be joined only at its ports.

    Parameters
    ----------
    core, top, linked : module of Yosys' JSON
        `top` is the one before linking, with one instance of `name`.
    name : str
        Name of the core's module.

    Returns
    -------
    dict of str to str
        Name of the linked cell, by cell of the core.

    Raises
    ------
    BitlifError
        For the first cell that differs.
    """
    instances = [key for key, cell in top["cells"].items() if cell["type"] == name]
    if len(instances) != 1:
        raise BitlifError(f"the top must hold one {name}, not {len(instances)}")
    (instance,) = instances
    pairs = dict(_paired(core["cells"], instance, linked["cells"]))
    others = {key: cell for key, cell in top["cells"].items() if key != instance}
    unknown = linked["cells"].keys() - others.keys() - set(pairs.values())
    if unknown:
        raise BitlifError(
            f"the linked netlist has a cell that is in neither core nor top: {min(unknown)}"
        )
    inner: dict[int, int | str] = {}
    for cell, twin in pairs.items():
        _compare(f"cell {cell} of the core", core["cells"][cell], linked["cells"][twin], inner)
    outer: dict[int, int | str] = {}
    for key, cell in others.items():
        if key not in linked["cells"]:
            raise BitlifError(f"the linked netlist lacks cell {key} of the top")
        _compare(f"cell {key} of the top", cell, linked["cells"][key], outer)
    for port, wires in top["ports"].items():
        _map(f"port {port}", wires["bits"], linked["ports"][port]["bits"], outer)
    _require_joined(core, top["cells"][instance]["connections"], inner, outer)
    return pairs


def _require_joined(
    core: Mapping[str, Any],
    connections: Mapping[str, list[int | str]],
    inner: Mapping[int, int | str],
    outer: Mapping[int, int | str],
) -> None:
    """Raise unless core and top are connected at the core's ports, and nowhere else."""
    inputs: set[int | str] = set()
    outputs: set[int | str] = set()
    for port, wires in connections.items():
        bits = core["ports"][port]["bits"]
        is_input = core["ports"][port]["direction"] == "input"
        (inputs if is_input else outputs).update(bits)
        for inside, outside in zip(bits, wires, strict=True):
            ends = [
                known.get(bit) if isinstance(bit, int) else bit
                for bit, known in ((inside, inner), (outside, outer))
            ]
            # A net without a cell on one side has no counterpart there.
            if None not in ends and ends[0] != ends[1]:
                raise BitlifError(
                    f"port {port} of the core is connected to another net in the linked netlist"
                )
    # Only inputs may share a net outside the core, or be constant.
    driven = [net for bit, net in inner.items() if bit not in inputs]
    hidden = {net for bit, net in inner.items() if bit not in inputs | outputs}
    received = {net for bit, net in inner.items() if bit in inputs}
    if (
        len(set(driven)) != len(driven)
        or not all(isinstance(net, int) for net in driven)
        or not received.isdisjoint(hidden)
        or not hidden.isdisjoint(outer.values())
    ):
        raise BitlifError("a net of the core is joined to another one in the linked netlist")


def _paired(
    core: Mapping[str, Cell], instance: str, linked: Mapping[str, Cell]
) -> Iterator[tuple[str, str]]:
    """Yield the name of each cell of the core, and its name after flattening."""
    for cell in core:
        # Yosys escapes a public name that looks like a private one with a backslash.
        twin = f"{instance}.{cell.removeprefix(chr(92))}"
        if cell.startswith("$"):
            twin = f"$flatten{chr(92)}{instance}.{cell}"
        if twin not in linked:
            raise BitlifError(f"the linked netlist lacks cell {cell} of the core")
        yield cell, twin


def _compare(what: str, cell: Cell, twin: Cell, known: dict[int, int | str]) -> None:
    """Raise unless two cells have equal type, parameters and ports; record their nets."""
    for field in ("type", "parameters"):
        if cell[field] != twin[field]:
            raise BitlifError(f"{what} has a different {field.rstrip('s')} in the linked netlist")
    if cell["connections"].keys() != twin["connections"].keys():
        raise BitlifError(f"{what} has different ports in the linked netlist")
    for port, bits in cell["connections"].items():
        _map(f"{what}, port {port},", bits, twin["connections"][port], known)


def _map(
    what: str, bits: list[int | str], become: list[int | str], known: dict[int, int | str]
) -> None:
    """Record the mapping of nets; raise if a net maps to two nets or a constant changes."""
    if len(bits) != len(become):
        raise BitlifError(f"{what} has a different width in the linked netlist")
    for bit, net in zip(bits, become, strict=True):
        if isinstance(bit, int):
            if known.setdefault(bit, net) != net:
                raise BitlifError(f"{what} is connected to another net in the linked netlist")
        elif bit != net:
            raise BitlifError(f"{what} is {net} instead of {bit} in the linked netlist")
