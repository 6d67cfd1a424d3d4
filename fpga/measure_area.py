"""Real sizes of cores and their surroundings on FPGAs: synthesised as for a bitstream, packed."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from bitlif.hdl.export.instance import CoreInstance, black_box
from bitlif.hdl.export.programs import run_program
from bitlif.hdl.export.verilog import core_name
from bitlif.hdl.uart.uart_top import UartTop
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.text import quoted, shortened, terminal_text

from .bitstream import BAUD, clock_for, line_at
from .board_top import prepare
from .boards import Board, board_named
from .estimate import BLOCKS, CELLS, MULTIPLIERS, REGISTERS, Estimate
from .linking import LINKED, TOP, link, synthesise_top
from .netlist import NETLIST_FAMILIES, mapped_core
from .samples import READY, sample
from .tools import find_tool

BOARD_OF = {"ice40": "icebreaker", "ice40hx": "hx8k", "ecp5": "ulx3s-85f"}
"""The board whose surroundings are measured for a family; all boards have the same."""

REGISTER_CELLS = r"SB_DFF[A-Z]*|TRELLIS_FF"
NETLIST, PACKED = "netlist.json", "pack.log"


@dataclass(frozen=True, slots=True)
class Sized:
    """A measured configuration.

    Attributes
    ----------
    name, family : str
    learning : bool
    core_hash : str
        Of the core's Verilog: what was measured.
    core, top : dict of str to int
        Sizes by kind of resource.
    """

    name: str
    family: str
    learning: bool
    core_hash: str
    core: dict[str, int]
    top: dict[str, int]

    @property
    def sizes(self) -> Estimate:
        """Return the sizes, as an estimate says them."""
        return Estimate(self.core, self.top)


def configuration(name: str) -> tuple[Config, bool]:
    """Return a configuration by its name in a list of `Sized`, and whether its core learns."""
    if name in READY:
        return Config.load(name), True
    return sample(int(name.rpartition("-")[2]))


def kept_sizes() -> list[Sized]:
    """Return what the coefficients that the package brings were fitted to."""
    text = resources.files("bitlif.fpga").joinpath("measured.json").read_text("utf-8")
    return read_sizes(text)


def read_sizes(text: str) -> list[Sized]:
    """Return measured configurations from JSON.

    Raises
    ------
    BitlifError
        If it is none.
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        said = shortened(terminal_text(error))
        raise BitlifError(f"results of bitlif bench estimate must be its JSON: {said}") from error
    if not isinstance(rows, list):
        raise BitlifError(f"results of bitlif bench estimate must be a list, not {quoted(rows)}")
    for number, row in enumerate(rows):
        if not _is_sized(row):
            raise BitlifError(
                f"results of bitlif bench estimate must be rows as it writes them, not row "
                f"{number}: {quoted(row)}"
            )
    return [Sized(**row) for row in rows]


def _is_sized(row: object) -> bool:
    kinds = {"name": str, "family": str, "learning": bool, "core_hash": str}
    if not isinstance(row, dict) or row.keys() != {*kinds, "core", "top"}:
        return False
    return all(isinstance(row[name], kind) for name, kind in kinds.items()) and all(
        isinstance(row[name], dict) and all(type(count) is int for count in row[name].values())
        for name in ("core", "top")
    )


def write_sizes(rows: list[Sized]) -> str:
    """Return measured configurations as JSON, one a line."""
    lines = ",\n".join(json.dumps(asdict(row)) for row in rows)
    return f"[\n{lines}\n]\n"


def hash_of(verilog: str) -> str:
    """Return what tells one core from another."""
    return hashlib.sha256(verilog.encode()).hexdigest()[:16]


def measure(name: str, family: str, verilog: str, folder: Path) -> Sized:
    """Synthesise and pack a configuration: the core alone, then with its board's surroundings.

    Parameters
    ----------
    name : str
        For `configuration`.
    family : str
        One of `bitlif.fpga.yosys_mapping.FAMILIES`.
    verilog : str
        Of the core.
    folder : Path
        For the netlists.

    Raises
    ------
    BitlifError
        If a tool is missing or fails, with the name of its log.
    """
    config, learning = configuration(name)
    board = board_named(BOARD_OF[family])
    folder.mkdir(parents=True, exist_ok=True)
    module = core_name(config)
    mapped = mapped_core(verilog, module, family)
    (folder / NETLIST).write_bytes(mapped.read_bytes())
    core = _sizes(board, folder, NETLIST, module, pins=False)
    made = clock_for(board, board.aim, BAUD)
    divisor = line_at(made.mhz, BAUD).divisor
    inner = CoreInstance(config, learning=learning)
    front = UartTop(config, divisor=divisor, learning=learning, core=inner)
    rtlil, constraints = prepare(board, made, front)
    (folder / f"{TOP}.{board.route.constraints}").write_text(constraints, "utf-8")
    ports = black_box(config, learning=learning)
    synthesise_top(rtlil, ports, module, NETLIST_FAMILIES[family].synthesis, folder)
    link(mapped, module, folder)
    whole = _sizes(board, folder, LINKED, TOP, pins=True)
    top = {kind: whole[kind] - core[kind] for kind in core}
    return Sized(name, family, learning, hash_of(verilog), core, top)


def _sizes(board: Board, folder: Path, netlist: str, module: str, *, pins: bool) -> dict[str, int]:
    """Return what nextpnr makes of a netlist before it places it.

    A core alone has more ports than a package has pins; nobody minds so early.
    """
    route = board.route
    call = [
        *find_tool(route.placer), *board.arguments, "--json", netlist, "--top", module,
        "--pack-only", "--quiet", "--log", PACKED,
    ]  # fmt: skip
    if pins:
        call += [route.constraints_option, f"{TOP}.{route.constraints}"]
    elif route.placer == "nextpnr-ecp5":
        call.append("--lpf-allow-unconstrained")
    (folder / PACKED).unlink(missing_ok=True)
    run_program(call, folder)
    text = (folder / PACKED).read_text("utf-8") if (folder / PACKED).exists() else ""
    used = {name: int(count) for name, count in re.findall(r"(\w+):\s+(\d+)/", text)}
    if route.resources["cells"] not in used:
        raise BitlifError(f"{route.placer} did not pack; its log is {folder / PACKED}")
    cells = json.loads((folder / netlist).read_text("utf-8"))["modules"][module]["cells"]
    types = Counter(cell["type"] for cell in cells.values())
    registers = sum(n for kind, n in types.items() if re.fullmatch(REGISTER_CELLS, kind))
    # An HX8K's report knows no multipliers.
    return {
        CELLS: used[route.resources["cells"]],
        REGISTERS: registers,
        BLOCKS: used[route.resources["block RAMs"]],
        MULTIPLIERS: used.get(route.resources["multipliers"], 0),
    }
