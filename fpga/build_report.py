"""The report of a bitstream: what was built, from what, with which tools."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from bitlif.hdl.export.verilog import core_name
from bitlif.hdl.pll import PllSettings
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.gate_sizes import gate_sizes

from .boards import Board
from .families import CELLS, family_named
from .linking import LINKED, TOP
from .memory_table import MemoryRow, memory_rows
from .network_throughput import NetworkPace, network_pace
from .place_and_route import Placed, Use, routed_name
from .serial_clock import line_at
from .throughput import Pace, pace
from .tools import TOOLS, find_tool, tool_version


@dataclass(frozen=True, slots=True)
class BitstreamReport:
    """What was built.

    Attributes
    ----------
    config, board, device : str
    backend : str
        Simulates the netlist of the core that was placed.
    learning : bool
        Whether the core has learning hardware.
    with_weights : bool
        Whether initial weights were given.
    clock : dict
        Frequencies of the PLL in MHz, and the parameters of its primitive.
    line : dict
        Requested baud rate, clock cycles per bit, resulting rate and its error.
    seed : int
        Of the chosen placement.
    fmax_mhz : float
        Its highest clock frequency.
    placements : list of dict
        All placements in order: seed, requested and highest clock frequency.
    use : dict
        Used, available and percentage of each resource.
    core_cells : dict of str to int
        Cells of the core alone, by type.
    memories : list of dict
        Memories of the core, see `bitlif.fpga.memory_table.MemoryRow`; none of a network.
    pace : dict
        See `bitlif.fpga.throughput.Pace`, and for a network `NetworkPace`.
    tools : dict of str to str
        Versions.
    hashes : dict of str to str
        SHA-256 of each file from the configuration to the bitstream, in order of derivation.
    seconds : dict of str to float
        Run time of each stage.
    files : dict of str to str
        File names in the folder.
    widths : dict
        Lanes P, synapses S and products L, and which memories have one port. For a network, each
        is a list with one item per layer.
    """

    config: str
    board: str
    device: str
    backend: str
    learning: bool
    with_weights: bool
    clock: dict[str, Any]
    line: dict[str, Any]
    seed: int
    fmax_mhz: float
    placements: list[dict[str, Any]]
    use: dict[str, dict[str, Any]]
    core_cells: dict[str, int]
    memories: list[dict[str, Any]]
    pace: dict[str, Any]
    tools: dict[str, str]
    hashes: dict[str, str]
    seconds: dict[str, float] = field(compare=False)
    files: dict[str, str] = field(compare=False)
    widths: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Built:
    """The results of a build's stages, from which its report is made.

    Attributes
    ----------
    folder : Path
        Holds all files.
    core : Path
        The core's netlist in the cache.
    clock : PllSettings
    best : Placed
        The chosen placement.
    stream : Path
        The bitstream.
    placements : sequence of Placed
    seconds : dict of str to float
    tools : dict of str to str
    """

    folder: Path
    core: Path
    clock: PllSettings
    best: Placed
    stream: Path
    placements: Sequence[Placed]
    seconds: Mapping[str, float]
    tools: Mapping[str, str]


def tool_versions(board: Board) -> dict[str, str]:
    """Return the versions of all tools and packages that a build for a board uses.

    Raises
    ------
    BitlifError
        If one is missing.
    """
    tools = board.toolchain
    found = {name: tool_version(name) for name in ("yosys", tools.placer)}
    packer = find_tool(tools.packer)
    package = TOOLS[tools.packer][1]
    # The packers have no option that shows a version.
    own = f"{package} {metadata.version(package)}" if len(packer) > 1 else tools.packer
    found[tools.packer] = own
    found["amaranth"] = metadata.version("amaranth")
    found["amaranth-boards"] = metadata.version("amaranth-boards")
    return found


def make_report(
    config: Config | NetworkConfig, board: Board, built: Built, *, baud: int, learning: bool,
    with_weights: bool,
) -> BitstreamReport:  # fmt: skip
    """Return the report of a finished build."""
    folder, clock, best = built.folder, built.clock, built.best
    line = line_at(clock.mhz, baud)
    routed = folder / routed_name(board, best.seed)
    placed = _cells_of(folder / LINKED, TOP)
    parts = {
        kind: Use(
            sum(count for name, count in placed.items() if re.fullmatch(types, name)),
            board.limits[CELLS],
        )
        for kind, types in board.toolchain.parts.items()
    }
    own: Pace | NetworkPace
    memories: list[MemoryRow] = []
    if isinstance(config, NetworkConfig):
        own = network_pace(config, clock.mhz, learning=learning)
    else:
        own = pace(config, clock.mhz, learning=learning)
        memories = memory_rows(config, board.family, learning=learning)
    return BitstreamReport(
        config=config.name,
        board=board.name,
        device=board.device,
        backend=family_named(board.family).backend,
        learning=learning,
        with_weights=with_weights,
        clock={
            "mhz": clock.mhz, "reference_mhz": board.reference,
            "oscillator_mhz": float(clock.oscillator),
            "detector_mhz": float(clock.detector), "parameters": dict(clock.parameters),
        },
        line={
            "baud": line.baud, "divisor": line.divisor, "actual_baud": line.actual,
            "error_percent": 100 * line.error,
        },
        seed=best.seed,
        fmax_mhz=best.fmax_mhz,
        placements=[
            {"seed": one.seed, "asked_mhz": one.asked_mhz, "fmax_mhz": one.fmax_mhz,
             "meets": one.meets}
            for one in built.placements
        ],
        use={kind: _percent(use) for kind, use in (best.use | parts).items()},
        core_cells=_cells_of(folder / "core-netlist.json", core_name(config)),
        memories=[asdict(row) for row in memories],
        pace=asdict(own),
        tools=dict(built.tools),
        hashes={
            "configuration": any_hash(config),
            "core_verilog": _sha256(folder / "core.sv"),
            "core_netlist": _sha256(built.core),
            "linked_netlist": _sha256(folder / LINKED),
            "routed": _sha256(routed),
            "bitstream": _sha256(built.stream),
        },
        seconds={what: round(taken, 3) for what, taken in built.seconds.items()},
        files={
            "bitstream": built.stream.name, "routed": f"routed.{board.toolchain.routed}",
            "linked_netlist": LINKED, "core_netlist": "core-netlist.json",
            "core_verilog": "core.sv", "configuration": "config.toml", "logs": "logs",
        },
        widths=widths_of(config, learning=learning),
    )  # fmt: skip


def widths_of(config: Config | NetworkConfig, *, learning: bool) -> dict[str, Any]:
    """Return the widths of a core, and its memories with one port, as a report holds them."""
    if isinstance(config, NetworkConfig):
        layers = [widths_of(own.config, learning=learning) for own in config.layers]
        return {name: [own[name] for own in layers] for name in layers[0]}
    sizes = gate_sizes(config)
    return {
        "lanes": sizes.lanes, "synapses": sizes.synapses,
        "products": sizes.products if learning else 0, "single_port": config.gates.single_port,
    }  # fmt: skip


def _cells_of(netlist: Path, top: str) -> dict[str, int]:
    """Return the number of cells in a module of a netlist, by type."""
    cells = json.loads(netlist.read_text("utf-8"))["modules"][top]["cells"].values()
    return dict(sorted(Counter(cell["type"] for cell in cells).items()))


def _percent(use: Use) -> dict[str, Any]:
    return {**asdict(use), "percent": round(use.percent, 1)}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
