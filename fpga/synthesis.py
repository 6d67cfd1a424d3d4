"""From a configuration to megahertz: the core through Yosys and nextpnr, in a harness of few pins.

The bare core has more ports than a package has pins. The harness is a shift register that feeds
every input, and a chain of registers into which every output is folded: nothing can be optimised
away, every path begins and ends in a register, and five pins are enough. What it costs (a register
an input bit, a register and a look-up table for three output bits) is counted with the core.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.hdl.export.convert import to_verilog
from bitlif.hdl.export.verilog_fixups import plain_names
from bitlif.hdl.layer import LayerCore
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError

from .tools import find_tool, run_tool

FOLDED = 3
"""Output bits that one register of the chain takes: with the one before, what one table reads."""


@dataclass(frozen=True, slots=True)
class Family:
    """A device, and how the tools are called for it.

    Attributes
    ----------
    title : str
    synthesis : str
        Yosys' command.
    router : str
        The place-and-route program, one of `TOOLS`.
    device : tuple of str
        Arguments that name the device.
    aim : int
        MHz to ask for: a little more than wanted, for out of reach the placer never rests.
    cell, flop, multiplier, memory : str
        Names in nextpnr's report of logic cells, flip-flops, multipliers and block RAMs.
    """

    title: str
    synthesis: str
    router: str
    device: tuple[str, ...]
    aim: int
    cell: str
    flop: str
    multiplier: str
    memory: str


FAMILIES = {
    "ecp5": Family(
        "ECP5-25k, speed 6", "synth_ecp5", "nextpnr-ecp5",
        ("--25k", "--package", "CABGA381", "--speed", "6"), 100,
        "TRELLIS_COMB", "TRELLIS_FF", "MULT18X18D", "DP16KD",
    ),
    "up5k": Family(
        "iCE40 UP5K", "synth_ice40 -device u -dsp", "nextpnr-ice40",
        ("--up5k", "--package", "sg48"), 26,
        "ICESTORM_LC", "ICESTORM_LC", "ICESTORM_DSP", "ICESTORM_RAM",
    ),
    "hx8k": Family(
        # No -dsp: an HX8K has no multipliers.
        "iCE40 HX8K", "synth_ice40 -device hx", "nextpnr-ice40",
        ("--hx8k", "--package", "ct256"), 50,
        "ICESTORM_LC", "ICESTORM_LC", "ICESTORM_DSP", "ICESTORM_RAM",
    ),
}  # fmt: skip


class DoesNotFit(BitlifError):
    """A core that is larger than the device; the message says in what."""


class Harness(wiring.Component):
    """A core whose inputs come from a shift register, and whose outputs end in one pin.

    Members
    -------
    i : In(1)
        The next bit of the inputs.
    o : Out(1)
        Every output of the core, folded.

    Latency, throughput, handshake: none that mean anything. Reset: as the core's.
    """

    def __init__(self, config: Config, *, learning: bool) -> None:
        self._core = LayerCore(config, learning=learning)
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the two chains around the core."""
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


def harness_verilog(config: Config, *, learning: bool = True) -> str:
    """Return the core in its harness, module ``top``, in Verilog."""
    return to_verilog(Harness(config, learning=learning), "top")


def synthesise(
    config: Config, family: Family, folder: Path, *, learning: bool = True
) -> dict[str, int]:
    """Leave the netlist of a core in its harness in `folder`; return its cells by their types.

    Raises
    ------
    BitlifError
        If Yosys is missing or fails, with the name of its log.
    """
    cells = map_to_cells(harness_verilog(config, learning=learning), "top", family, folder)
    return dict(Counter(cell["type"] for cell in cells.values()))


def map_to_cells(text: str, top: str, family: Family, folder: Path) -> dict[str, dict[str, Any]]:
    """Synthesise Verilog into ``netlist.json`` in `folder`; return its cells by their names.

    Raises
    ------
    BitlifError
        If Yosys is missing or fails, with the name of its log.
    """
    command = find_tool("yosys")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "core.v").write_text(plain_names(text), "utf-8")
    # Neutral names within the folder: WebAssembly does not see all absolute paths, /tmp among them.
    script = f"read_verilog -sv core.v; {family.synthesis} -top {top}; "
    # A nextpnr older than Yosys takes these marks for cells.
    script += "delete t:$scopeinfo; write_json netlist.json"
    call = [*command, "-q", "-l", "yosys.log", "-p", script]
    run_tool("yosys", call, folder, "yosys.log", "netlist.json")
    require_no_conflict(folder / "yosys.log")
    netlist = json.loads((folder / "netlist.json").read_text("utf-8"))
    _require_one_driver(netlist["modules"][top], folder / "yosys.log")
    cells: dict[str, dict[str, Any]] = netlist["modules"][top]["cells"]
    return cells


def require_no_conflict(log: Path) -> None:
    """Raise where Yosys has joined what a cell drives to a constant, of which it only warns."""
    text = log.read_text("utf-8") if log.exists() else ""
    found = re.search(r"Warning: Driver-driver conflict for (.+?) between", text)
    if found is not None:
        raise BitlifError(f"yosys drove a net twice ({found.group(1).strip()}); its log is {log}")


def _require_one_driver(module: dict[str, Any], log: Path) -> None:
    """Raise where two cells drive a net or none does, of which Yosys only warns."""
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


@dataclass(frozen=True, slots=True)
class Placement:
    """What nextpnr made of a netlist with one seed.

    Attributes
    ----------
    seed : int
    mhz : float
        The highest clock.
    cells, flops, multipliers, memories : int
        Used of the device, harness included.
    available : int
        Logic cells of the device.
    path : str
        The slowest path: where from, where to, and how its delay divides.
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
    """Place and route the netlist that `synthesise` left in `folder`.

    Raises
    ------
    DoesNotFit
    BitlifError
        If nextpnr is missing, or fails for another reason: with the name of its log.
    """
    command = find_tool(family.router)
    log, report = f"nextpnr-{seed}.log", f"report-{seed}.json"
    call = [
        *command, *family.device, "--json", "netlist.json", "--seed", str(seed),
        "--freq", str(family.aim), "--timing-allow-fail", "--quiet", "--log", log,
        "--report", report,
    ]  # fmt: skip
    if family.router == "nextpnr-ecp5":
        call.append("--lpf-allow-unconstrained")
    (folder / log).unlink(missing_ok=True)
    try:
        run_tool(family.router, call, folder, log, report)
    except BitlifError:
        text = (folder / log).read_text("utf-8") if (folder / log).exists() else ""
        excess = ", ".join(f"{name} {used} of {there}" for name, used, there in excesses(text))
        if excess:
            raise DoesNotFit(f"the core does not fit {family.title}: {excess}") from None
        raise
    return read_report((folder / report).read_text("utf-8"), family, seed)


def read_report(text: str, family: Family, seed: int) -> Placement:
    """Return what a report of nextpnr's says."""
    report: dict[str, Any] = json.loads(text)
    used = {name: int(count["used"]) for name, count in report["utilization"].items()}
    return Placement(
        seed,
        min(float(clock["achieved"]) for clock in report["fmax"].values()),
        used[family.cell],
        used[family.flop],
        used.get(family.multiplier, 0),  # of which an HX8K has none, nor a line for them
        used[family.memory],
        int(report["utilization"][family.cell]["available"]),
        _slowest(report),
    )


def _slowest(report: dict[str, Any]) -> str:
    """Describe the slowest path that begins and ends in a register."""
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
    """Return what a log of nextpnr's says is used more than there is: name, used, available."""
    lines = re.findall(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)", log, re.MULTILINE)
    found = [(name, int(used), int(there)) for name, used, there in lines]
    return [own for own in found if own[1] > own[2]]
