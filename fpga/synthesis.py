"""The core through Yosys and nextpnr, alone or behind AXI, in a harness that needs few pins.

It has more ports than a package has pins. In the harness a shift register feeds every input,
and a chain of registers folds every output into one pin: nothing can be optimised away, every path
begins and ends at a register, and five pins suffice. Sizes include the harness: one register per
input bit, and one register and look-up table per three output bits.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.hdl.bus.axi_top import AxiTop
from bitlif.hdl.export.convert import to_verilog
from bitlif.hdl.export.verilog_fixups import plain_names
from bitlif.hdl.layer import LayerCore
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, require_choice

from .families import BLOCKS, CELLS, MULTIPLIERS, REGISTERS, Family
from .gate_tally import Product
from .large_ram import with_large_ram
from .logic_products import left_to_logic, products_of
from .paired_products import CELL, pair_products
from .tools import find_tool, run_tool
from .yosys_mapping import MultiplierRules

BUSES = ("none", "axi")
"""What is measured: the core alone, or the core behind AXI buses and registers."""

WRITE = "delete t:$scopeinfo; write_json netlist.json"
"""A nextpnr older than Yosys takes $scopeinfo for cells."""
BARE, HARNESS_PINS = "bare.json", "harness-pins"
READ = "read_verilog -sv core.v"
SWEPT = re.compile(r"^module \\\S+\.sweep\b", re.MULTILINE)
"""A unit of a network that learns."""
LEFT = "chtype -set $__soft_mul t:$mul c:*.\\sweep* %i"
"""Leaves the products of sweeps to logic.

Yosys' pass ice40_dsp has two errors that they meet. It puts a register between two multipliers into
both: into the one that drives it, and into the operand of the adder of the other one, which then
has no driver. And if the upper bits of a product repeat its sign, the register behind it loses
them.
"""

PREPARED, TIDY, TRIES = "products.json", "opt_expr; opt_merge; opt_clean", 3

FOLDED = 3
"""Output bits per register of the chain: with the previous register, the inputs of one LUT."""


class DoesNotFit(BitlifError):
    """A core is larger than the device; the message names the resources."""


class Harness(wiring.Component):
    """A core whose inputs come from a shift register, and whose outputs end in one pin.

    Parameters
    ----------
    config : Config
    learning : bool
        Whether the core has learning hardware.
    bus : str
        One of `BUSES`.

    Members
    -------
    i : In(1)
        The next bit of the inputs.
    o : Out(1)
        Every output of the core, folded.

    Latency, throughput, handshake: not applicable; outputs have no meaning. Reset: the core's.
    """

    def __init__(self, config: Config, *, learning: bool, bus: str = "none") -> None:
        made = AxiTop if bus == "axi" else LayerCore
        self._core: wiring.Component = made(config, learning=learning)
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Elaborate the core and the two chains."""
        m = Module()
        m.submodules.core = core = self._core
        given: list[Value] = []
        shown: list[Value] = []
        for _, member, port in core.signature.flatten(core):
            (given if member.flow == In else shown).append(Value.cast(port))
        inputs, outputs = Cat(*given), Cat(*shown)
        source = Signal(len(inputs), reset_less=True)
        m.d.sync += source.eq(Cat(self.i, source))
        m.d.comb += inputs.eq(source)
        sink = Signal(-(-len(outputs) // FOLDED), reset_less=True)
        for place in range(len(sink)):
            taken = outputs[FOLDED * place : FOLDED * (place + 1)].xor()
            m.d.sync += sink[place].eq(taken ^ (sink[place - 1] if place else 0))
        m.d.comb += self.o.eq(sink[-1])
        return m


def harness_verilog(config: Config, *, learning: bool = True, bus: str = "none") -> str:
    """Return the core in its harness, module ``top``, in Verilog."""
    require_choice("bus", bus, BUSES)
    return to_verilog(Harness(config, learning=learning, bus=bus), "top")


def synthesise(
    config: Config, family: Family, folder: Path, *, learning: bool = True, bus: str = "none"
) -> dict[str, int]:
    """Synthesise a core in its harness and write ``netlist.json`` to `folder`.

    Parameters
    ----------
    config : Config
    family : Family
    folder : Path
        Created if missing.
    learning : bool
        Whether the core has learning hardware.
    bus : str
        One of `BUSES`.

    Returns
    -------
    dict of str to int
        Number of cells by type.

    Raises
    ------
    BitlifError
        If Yosys is missing or fails; the message names its log.
    """
    text = harness_verilog(config, learning=learning, bus=bus)
    cells = map_to_cells(text, "top", family, folder)
    add_pads(family, folder)
    return dict(Counter(cell["type"] for cell in cells.values()))


def add_pads(family: Family, folder: Path) -> None:
    """Give all ports of ``netlist.json`` buffers, where nextpnr does not add them itself.

    Raises
    ------
    BitlifError
        If Yosys is missing or fails; the message names its log.
    """
    if family.toolchain.pads:
        (folder / "netlist.json").rename(folder / BARE)
        _yosys(f"read_json {BARE}; {family.toolchain.pads}; {WRITE}", folder)


def map_to_cells(text: str, top: str, family: Family, folder: Path) -> dict[str, dict[str, Any]]:
    """Synthesise Verilog and write ``netlist.json`` to `folder`; return its cells by name.

    Raises
    ------
    BitlifError
        If Yosys is missing or fails, or drives a net twice or not at all; the message names its
        log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = plain_names(with_large_ram(text, family.large))
    (folder / "core.v").write_text(text, "utf-8")
    rules = family.multiplier
    begun = f"{READ}; {family.synthesis} -top {top} -run begin:coarse; {TIDY}"
    script = f"{READ}; {family.synthesis} -top {top}"
    if rules is not None and not rules.sweeps and SWEPT.search(text):
        begun += f"; {LEFT}"
        script = f"{begun}; {family.synthesis} -top {top} -run coarse:"
    _yosys(f"{script}; {WRITE}", folder)
    module = _refined(family, top, folder)
    if rules is not None and rules.most:
        module = _fewer_multipliers(family, rules, module, top, folder, begun)
    cells: dict[str, dict[str, Any]] = module["cells"]
    return cells


def _fewer_multipliers(
    family: Family, rules: MultiplierRules, module: dict[str, Any], top: str, folder: Path,
    begun: str,
) -> dict[str, Any]:  # fmt: skip
    """Leave products to logic until a module has no more multipliers than the devices."""
    allowed, products = rules.most, dict[str, Product]()
    for _ in range(TRIES):
        excess = _multipliers(module) - rules.most
        if excess <= 0:
            break
        if products:
            # Registers keep products apart that the rules put together.
            allowed = max(0, allowed - excess)
        else:
            _yosys(f"{begun}; select {top}; write_json -selected {PREPARED}", folder, PREPARED)
            text = (folder / PREPARED).read_text("utf-8")
            products = products_of(json.loads(text)["modules"][top])
        left = left_to_logic(list(products.values()), rules, allowed)
        names = list(products)
        soft = "".join(f"chtype -set $__soft_mul c:{names[index]}; " for index in left)
        rest = f"{family.synthesis} -top {top} -run coarse:; {WRITE}"
        _yosys(f"{begun}; {soft}{rest}", folder)
        module = _refined(family, top, folder)
    return module


def _yosys(script: str, folder: Path, made: str = "netlist.json") -> None:
    """Run a script of Yosys in a folder; raise unless it makes a file."""
    call = [*find_tool("yosys"), "-q", "-l", "yosys.log", "-p", script]
    run_tool("yosys", call, folder, "yosys.log", made)
    require_no_conflict(folder / "yosys.log")


def _refined(family: Family, top: str, folder: Path) -> dict[str, Any]:
    """Return the top module of ``netlist.json``, after its small products have been paired."""
    netlist = json.loads((folder / "netlist.json").read_text("utf-8"))
    module: dict[str, Any] = netlist["modules"][top]
    rules = family.multiplier
    if rules is not None and rules.half and pair_products(module):
        (folder / "netlist.json").write_text(json.dumps(netlist), "utf-8")
    _require_one_driver(module, folder / "yosys.log")
    _require_operands(module, folder / "yosys.log")
    return module


def _multipliers(module: Mapping[str, Any]) -> int:
    return sum(cell["type"] == CELL for cell in module["cells"].values())


def require_no_conflict(log: Path) -> None:
    """Raise if Yosys has connected a driven net to a constant, which is only a warning there."""
    text = log.read_text("utf-8") if log.exists() else ""
    found = re.search(r"Warning: Driver-driver conflict for (.+?) between", text)
    if found is not None:
        raise BitlifError(f"yosys drove a net twice ({found.group(1).strip()}); its log is {log}")


def _require_one_driver(module: dict[str, Any], log: Path) -> None:
    """Raise if a net has two drivers or none, which is only a warning in Yosys."""
    driven: set[int] = set()
    used: set[int] = set()
    for port in module["ports"].values():
        own = driven if port["direction"] == "input" else used
        own.update(bit for bit in port["bits"] if isinstance(bit, int))
    for name, cell in module["cells"].items():
        for port, bits in cell["connections"].items():
            nets = {bit for bit in bits if isinstance(bit, int)}
            if cell["port_directions"][port] == "input":
                used |= nets
            elif driven.isdisjoint(nets):
                driven |= nets
            else:
                raise BitlifError(f"yosys drove a net twice ({port} of {name}); its log is {log}")
    if not used <= driven:
        raise BitlifError(f"yosys left a net without a driver; its log is {log}")


def _require_operands(module: dict[str, Any], log: Path) -> None:
    """Raise if the adder of a multiplier has an operand that Yosys lost, and so made undefined."""
    for name, cell in module["cells"].items():
        if cell["type"] != CELL:
            continue
        values = {key: int(bits, 2) for key, bits in cell["parameters"].items()}
        for half, port in (("TOP", "C"), ("BOT", "D")):
            added = values[f"{half}ADDSUB_UPPERINPUT"] and values[f"{half}OUTPUT_SELECT"] < 2
            if added and "x" in cell["connections"][port]:
                raise BitlifError(f"yosys lost operand {port} of {name}; its log is {log}")


@dataclass(frozen=True, slots=True)
class Placement:
    """The result of nextpnr for one seed.

    Attributes
    ----------
    seed : int
    mhz : float
        Highest clock frequency.
    cells, flops, multipliers, memories : int
        Used resources, harness included.
    available : int
        Logic cells of the device.
    path : str
        The slowest path: its ends, its delay, and the part of the delay in wires.
    """

    seed: int
    mhz: float
    cells: int
    flops: int
    multipliers: int
    memories: int
    available: int
    path: str


def place(folder: Path, family: Family, seed: int) -> Placement:
    """Place and route the netlist that `synthesise` wrote to `folder`.

    Parameters
    ----------
    folder : Path
    family : Family
    seed : int
        Of the placer.

    Raises
    ------
    DoesNotFit
        If the core is larger than the family's device.
    BitlifError
        If nextpnr is missing or fails for another reason; the message names its log.
    """
    tools, device = family.toolchain, family.device
    command = find_tool(tools.placer)
    log, report = f"nextpnr-{seed}.log", f"report-{seed}.json"
    call = [
        *command, *device.arguments, "--json", "netlist.json", "--seed", str(seed),
        "--freq", str(device.aim), "--timing-allow-fail", "--quiet", "--log", log,
        "--report", report, *tools.unconstrained,
    ]  # fmt: skip
    if device.constraints:
        (folder / HARNESS_PINS).write_text(device.constraints, "utf-8")
        call += tools.constrained_by(HARNESS_PINS)
    (folder / log).unlink(missing_ok=True)
    try:
        run_tool(tools.placer, call, folder, log, report)
    except BitlifError:
        text = (folder / log).read_text("utf-8") if (folder / log).exists() else ""
        excess = ", ".join(f"{name} {used} of {there}" for name, used, there in excesses(text))
        if excess:
            raise DoesNotFit(f"the core does not fit {device.title}: {excess}") from None
        raise
    return read_report((folder / report).read_text("utf-8"), family, seed)


def read_report(text: str, family: Family, seed: int) -> Placement:
    """Return the figures of a report of nextpnr."""
    report: dict[str, Any] = json.loads(text)
    tools = family.toolchain
    cell = tools.resources[CELLS]
    counted = {name: int(count["used"]) for name, count in report["utilization"].items()}
    return Placement(
        seed,
        min(float(clock["achieved"]) for clock in report["fmax"].values()),
        tools.used(CELLS, counted),
        tools.used(REGISTERS if REGISTERS in tools.resources else CELLS, counted),
        tools.used(MULTIPLIERS, counted),  # the report of an HX8K has no line for them
        tools.used(BLOCKS, counted),
        int(report["utilization"][cell]["available"]),
        _slowest(report),
    )


def _slowest(report: dict[str, Any]) -> str:
    """Describe the slowest path that begins and ends at a register."""
    paths = [own for own in report["critical_paths"] if "async" not in own["from"] + own["to"]]
    if not paths:
        return ""
    steps = max(paths, key=lambda own: sum(step["delay"] for step in own["path"]))["path"]
    wires = [step for step in steps if step["type"] == "routing"]
    logic = sum(1 for step in steps if step["type"] == "logic")
    total, routed = sum(s["delay"] for s in steps), sum(s["delay"] for s in wires)
    first, last = steps[0]["from"]["cell"], steps[-1]["to"]["cell"]
    return f"{first} to {last}: {total:.1f} ns, {routed:.1f} in wires, {logic} cells"


def excesses(log: str) -> list[tuple[str, int, int]]:
    """Return the overused resources in a log of nextpnr: name, used, available."""
    lines = re.findall(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)", log, re.MULTILINE)
    found = [(name, int(used), int(there)) for name, used, there in lines]
    return [own for own in found if own[1] > own[2]]
