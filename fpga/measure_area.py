"""Measured sizes of cores and their surroundings: synthesised as for a bitstream, and packed.

``measured.json`` holds the measurements that the calibration (``estimate.toml``) is fitted to, and
``measured_networks.json`` those of networks. Each row is stamped with a hash of the Verilog that
was measured; `stale_rows` finds the rows whose core has changed since.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from bitlif.hdl.export.instance import CoreInstance, black_box
from bitlif.hdl.export.network_verilog import network_verilog
from bitlif.hdl.export.programs import run_program
from bitlif.hdl.export.verilog import core_name, core_verilog
from bitlif.hdl.uart.uart_top import UartTop
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.text import quoted, shortened, terminal_text

from .board_top import prepare
from .boards import BOARDS, Board
from .estimate import Estimate
from .families import BLOCKS, CELLS, MULTIPLIERS, REGISTERS, family_named
from .linking import LINKED, TOP, link, synthesise_top
from .netlist import mapped_core
from .network_samples import is_network, network_sample
from .samples import READY, sample
from .serial_clock import BAUD, clock_for, line_at
from .tools import find_tool

NETLIST, PACKED = "netlist.json", "pack.log"

AGAIN = "bitlif bench estimate --configs 17 --results fpga/measured.json --fit fpga/estimate.toml"
"""Command that measures the rows that are stale, and calibrates again."""

NETWORKS_AGAIN = (
    "bitlif bench estimate --networks --results fpga/measured_networks.json "
    "--fit fpga/network_estimate.toml"
)
"""The same for networks."""


@dataclass(frozen=True, slots=True)
class MeasuredSize:
    """The measured size of a configuration on a family.

    Attributes
    ----------
    name : str
        Of the configuration, as `configuration` takes it.
    family : str
    learning : bool
        Whether the core has learning hardware.
    core_hash : str
        Hash of the measured Verilog, see `hash_of`.
    core, top : dict of str to int
        Resources of the core and of its surroundings, by kind.
    """

    name: str
    family: str
    learning: bool
    core_hash: str
    core: dict[str, int]
    top: dict[str, int]

    @property
    def sizes(self) -> Estimate:
        """Return the sizes in the form of an estimate."""
        return Estimate(self.core, self.top)


def configuration(name: str) -> tuple[Config | NetworkConfig, bool]:
    """Return a measured configuration by name, and whether its core has learning hardware."""
    if name in READY:
        return Config.load(name), True
    if is_network(name):
        return network_sample(name)
    return sample(int(name.rpartition("-")[2]))


def any_verilog(config: Config | NetworkConfig, *, learning: bool) -> str:
    """Return the Verilog of the core of a layer or a network."""
    if isinstance(config, NetworkConfig):
        return network_verilog(config, learning=learning)
    return core_verilog(config, learning=learning)


def recorded_sizes(*, networks: bool = False) -> list[MeasuredSize]:
    """Return the measurements that the package's calibration of layers or networks is fitted to."""
    name = "measured_networks.json" if networks else "measured.json"
    text = resources.files("bitlif.fpga").joinpath(name).read_text("utf-8")
    return read_sizes(text)


def read_sizes(text: str) -> list[MeasuredSize]:
    """Return measurements from JSON.

    Raises
    ------
    BitlifError
        If the text is not JSON of `write_sizes`.
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        said = shortened(terminal_text(error))
        raise BitlifError(f"results of bitlif bench estimate must be JSON: {said}") from error
    if not isinstance(rows, list):
        raise BitlifError(f"results of bitlif bench estimate must be a list, not {quoted(rows)}")
    for number, row in enumerate(rows):
        if not _is_sized(row):
            raise BitlifError(
                f"results of bitlif bench estimate: row {number} is not one that it writes: "
                f"{quoted(row)}"
            )
    return [MeasuredSize(**row) for row in rows]


def _is_sized(row: object) -> bool:
    kinds = {"name": str, "family": str, "learning": bool, "core_hash": str}
    if not isinstance(row, dict) or row.keys() != {*kinds, "core", "top"}:
        return False
    return all(isinstance(row[name], kind) for name, kind in kinds.items()) and all(
        isinstance(row[name], dict) and all(type(count) is int for count in row[name].values())
        for name in ("core", "top")
    )


def write_sizes(rows: list[MeasuredSize]) -> str:
    """Return measurements as JSON, one per line."""
    lines = ",\n".join(json.dumps(asdict(row)) for row in rows)
    return f"[\n{lines}\n]\n"


def hash_of(verilog: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a core's Verilog."""
    return hashlib.sha256(verilog.encode()).hexdigest()[:16]


def core_hashes(names: Iterable[str]) -> dict[str, str]:
    """Return the hash of the Verilog that each configuration has now."""
    found = {}
    for name in names:
        config, learning = configuration(name)
        found[name] = hash_of(any_verilog(config, learning=learning))
    return found


def stale_rows(rows: Iterable[MeasuredSize], hashes: Mapping[str, str]) -> list[str]:
    """Return the names of the configurations that were measured on another core.

    Parameters
    ----------
    rows : iterable of MeasuredSize
    hashes : dict of str to str
        From `core_hashes`; rows of other configurations are not checked.
    """
    stale = (row.name for row in rows if hashes.get(row.name, row.core_hash) != row.core_hash)
    return list(dict.fromkeys(stale))


def stamp_of(rows: Iterable[MeasuredSize]) -> str:
    """Return a hash over the cores of measurements: the stamp of their calibration."""
    cores = sorted({(row.name, row.core_hash) for row in rows})
    return hash_of("\n".join(f"{name} {core}" for name, core in cores))


def board_of(family: str) -> Board:
    """Return the board whose surroundings are measured for a family: the first that has it.

    Raises
    ------
    BitlifError
        If no board has this family.
    """
    for board in BOARDS.values():
        if board.family == family:
            return board
    raise BitlifError(f"family {quoted(family)} has no board to measure it on")


def measure(name: str, family: str, verilog: str, folder: Path) -> MeasuredSize:
    """Synthesise and pack a configuration: the core alone, then the core on a board.

    Parameters
    ----------
    name : str
        Of the configuration, as `configuration` takes it.
    family : str
        A key of `bitlif.fpga.families.FAMILIES`.
    verilog : str
        Of the core.
    folder : Path
        Receives netlists and logs.

    Raises
    ------
    BitlifError
        If a tool is missing or fails; the message names its log.
    """
    config, learning = configuration(name)
    board = board_of(family)
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
    (folder / f"{TOP}.{board.toolchain.constraints}").write_text(constraints, "utf-8")
    ports = black_box(config, learning=learning)
    synthesise_top(rtlil, ports, module, family_named(family).synthesis, folder)
    link(mapped, module, folder)
    whole = _sizes(board, folder, LINKED, TOP, pins=True)
    top = {kind: whole[kind] - core[kind] for kind in core}
    return MeasuredSize(name, family, learning, hash_of(verilog), core, top)


def _sizes(board: Board, folder: Path, netlist: str, module: str, *, pins: bool) -> dict[str, int]:
    """Return the sizes of a netlist after packing.

    A core alone has more ports than a package has pins, but no pins are assigned before placement.
    """
    tools = board.toolchain
    own = json.loads((folder / netlist).read_text("utf-8"))["modules"][module]
    if tools.count is not None:
        return tools.count(own)
    call = [
        *find_tool(tools.placer), *board.arguments, "--json", netlist, "--top", module,
        "--pack-only", "--quiet", "--log", PACKED,
    ]  # fmt: skip
    if pins:
        call += tools.constrained_by(f"{TOP}.{tools.constraints}")
    else:
        call += tools.unconstrained
    (folder / PACKED).unlink(missing_ok=True)
    run_program(call, folder)
    text = (folder / PACKED).read_text("utf-8") if (folder / PACKED).exists() else ""
    used = {name: int(count) for name, count in re.findall(r"(\w+):\s+(\d+)/", text)}
    if tools.resources[CELLS] not in used:
        raise BitlifError(f"{tools.placer} did not pack; its log is {folder / PACKED}")
    types = Counter(cell["type"] for cell in own["cells"].values())
    register = family_named(board.family).register_cells
    registers = sum(n for kind, n in types.items() if re.fullmatch(register, kind))
    # The report of an HX8K has no line for multipliers.
    return {
        CELLS: used[tools.resources[CELLS]],
        REGISTERS: registers,
        BLOCKS: used[tools.resources[BLOCKS]],
        MULTIPLIERS: used.get(tools.resources[MULTIPLIERS], 0),
    }
