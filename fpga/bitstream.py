"""From a configuration to a bitstream for a board, around the netlist that is simulated.

The core's netlist comes from the cache, where ``netlist:FAMILY`` takes it from too. The clock is
found, not asked for: all seeds are placed once, the PLL is set to the highest clock below the best
of them, and the whole is built anew for that clock, since the line's rate is derived from it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bitlif.hdl.export.instance import CoreInstance, black_box
from bitlif.hdl.export.verilog import core_name, core_verilog
from bitlif.hdl.pll import PllSettings, settings
from bitlif.hdl.uart.serial import LEAST_DIVISOR
from bitlif.hdl.uart.uart_top import UartTop
from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_hash, dump_config
from bitlif.model.errors import BitlifError
from bitlif.model.storage.atomic import NewFolder
from bitlif.model.storage.ownership import write_marker
from bitlif.model.text import file_name, path_text, shortened

from .board_top import prepare
from .boards import Board, board_named
from .estimate import error_of, estimate
from .linking import LINKED, TOP, link, synthesise_top
from .netlist import NETLIST_FAMILIES, mapped_core
from .place_and_route import MissesTiming, Placed, Use, place_on, routed_name
from .synthesis import DoesNotFit
from .throughput import Pace, pace
from .tools import TOOLS, find_tool, run_tool, tool_version

BAUD = 1_000_000
BAUD_ERROR = 0.01
"""Largest deviation of the line's rate: ten bits may slip by a tenth of one."""

HOPELESS = 2
"""How many times too large a core is, by estimate, before the tools are not even asked."""

ROUNDS = 4
"""Clocks that are tried, one below the other, once the first placement has shown what to expect."""

Tell = Callable[[str, float | None], None]
"""Called with what begins, and None; with the same and its seconds when it is done."""


@dataclass(frozen=True, slots=True)
class BitstreamReport:
    """What was built.

    Attributes
    ----------
    config, board, device, backend : str
        ``backend`` simulates the very netlist of the core that was placed.
    learning : bool
    with_weights : bool
        Whether its weights begin as given, not as zeros.
    clock : dict
        What the PLL makes, of what and how; MHz.
    line : dict
        The rate that was asked for, the clocks of a bit, the rate that results, its error.
    seed : int
        Of the placement that was taken.
    fmax_mhz : float
        Its highest clock.
    placements : list of dict
        All of them in their order: seed, clock asked for, highest clock.
    use : dict
        Used, available and percent of each resource.
    core_cells : dict of str to int
        Of the core alone, by type.
    pace : dict
        See `bitlif.fpga.throughput.Pace`.
    tools : dict of str to str
    hashes : dict of str to str
        From the configuration to the bitstream, each made of the one before.
    seconds : dict of str to float
    files : dict of str to str
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
    pace: dict[str, Any]
    tools: dict[str, str]
    hashes: dict[str, str]
    seconds: dict[str, float] = field(compare=False)
    files: dict[str, str] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Line:
    """The serial line at a clock."""

    baud: int
    divisor: int
    actual: float

    @property
    def error(self) -> float:
        """Return the relative deviation."""
        return self.actual / self.baud - 1


def line_at(mhz: float, baud: int) -> Line:
    """Return how a line of a rate is made of a clock."""
    hertz = 1e6 * mhz
    divisor = max(1, round(hertz / baud))
    return Line(baud, divisor, hertz / divisor)


def _good(line: Line) -> bool:
    # The limit itself counts, whatever its last bit.
    return abs(line.error) <= BAUD_ERROR + 1e-9 and line.divisor >= LEAST_DIVISOR


def clock_for(board: Board, wanted_mhz: float, baud: int, *, exactly: bool = False) -> PllSettings:
    """Return the highest clock of a board's PLL that is not above the wanted one.

    Parameters
    ----------
    board : Board
    wanted_mhz : float
    baud : int
        The line's rate, which must come out of the clock within `BAUD_ERROR`.
    exactly : bool
        Whether the clock was asked for: another one for the line's sake is then no choice.

    Raises
    ------
    BitlifError
        If there is none.
    """
    kind, reference = board.route.pll, board.reference
    if not exactly:
        return settings(kind, reference, wanted_mhz, lambda mhz: _good(line_at(mhz, baud)))
    made = settings(kind, reference, wanted_mhz)
    line = line_at(made.mhz, baud)
    if not _good(line):
        raise BitlifError(
            f"baud must be a whole part of the clock, {made.mhz:.3f} MHz, to {BAUD_ERROR:.0%}, and "
            f"at most a {LEAST_DIVISOR}th of it, not {baud}: near it is {line.actual:.0f}"
        )
    return made


def build(
    config: Config,
    board: str,
    folder: Path,
    *,
    seeds: Sequence[int] = (1,),
    mhz: float | None = None,
    baud: int = BAUD,
    learning: bool = True,
    weights: NDArray[Any] | None = None,
    tell: Tell = lambda what, seconds: None,
) -> BitstreamReport:
    """Build a bitstream.

    Parameters
    ----------
    config : Config
    board : str
        One of `bitlif.fpga.boards.BOARDS`.
    folder : Path
        New or empty; appears whole or not at all.
    seeds : sequence of int
        Of the placer: each is tried at each clock.
    mhz : float or None
        The clock, or the next lower one that the PLL makes; None: as fast as it goes.
    baud : int
        Of the line.
    learning : bool
        False: inference only.
    weights : (N, M) int or None
        Raw weights that the core begins with; zeros if None.
    tell : callable
        Is told what begins and ends.

    Raises
    ------
    DoesNotFit
    MissesTiming
    BitlifError
        If the request is wrong; if a tool is missing or fails: with the name of its log, in a
        folder that is left for it.
    """
    clock_of(board, mhz, baud)
    _require_empty(folder)
    with NewFolder(folder) as made:
        report = build_in(
            made.folder, config, board, seeds=seeds, mhz=mhz, baud=baud, learning=learning,
            weights=weights, tell=tell,
        )  # fmt: skip
        write_marker(made.folder, "build")
        made.commit(_require_empty)
    return report


def build_in(
    folder: Path,
    config: Config,
    board: str,
    *,
    seeds: Sequence[int] = (1,),
    mhz: float | None = None,
    baud: int = BAUD,
    learning: bool = True,
    weights: NDArray[Any] | None = None,
    tell: Tell = lambda what, seconds: None,
) -> BitstreamReport:
    """Build a bitstream in an empty folder, which is left as it is if that fails; see `build`."""
    clock, own = clock_of(board, mhz, baud), board_named(board)
    require_room(config, own, learning=learning)
    work = _Build(config, board, own, folder, tuple(seeds), baud, learning, weights, tell)
    return work.run(clock, search=mhz is None)


def require_room(config: Config, board: Board, *, learning: bool) -> None:
    """Raise where a core is far too large, which the tools would find out in minutes or never.

    Raises
    ------
    DoesNotFit
        If the estimate is more than `HOPELESS` times what the board has, even if it is as far off
        as the worst one that was measured.
    """
    for kind, used in estimate(config, board.family, learning=learning).total.items():
        limit = board.limits.get(kind, board.limits["cells"])
        if used > HOPELESS * limit * (1 + error_of(board.family, kind).worst):
            raise DoesNotFit(
                f"{config.name} does not fit the {board.title} (about {used:,} {kind}, of which it "
                f"has {limit:,}): take fewer neurons or inputs; bitlif fit finds the largest layers"
            )


def clock_of(board: str, mhz: float | None, baud: int) -> PllSettings:
    """Return the clock that a build begins with; raises as `clock_for`."""
    own = board_named(board)
    return clock_for(own, own.aim if mhz is None else mhz, baud, exactly=mhz is not None)


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BitlifError(f"folder of a bitstream must be new or empty, not '{path_text(folder)}'")


@dataclass(slots=True)
class _Build:
    """What the stages of one build share."""

    config: Config
    board_name: str
    board: Board
    folder: Path
    seeds: tuple[int, ...]
    baud: int
    learning: bool
    weights: NDArray[Any] | None
    tell: Tell
    core: Path = Path()
    placements: list[Placed] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, what: str) -> Iterator[None]:
        """Tell of a stage, and measure it."""
        self.tell(what, None)
        begun = time.monotonic()
        yield
        taken = time.monotonic() - begun
        self.seconds[what] = self.seconds.get(what, 0.0) + taken
        self.tell(what, taken)

    def run(self, clock: PllSettings, *, search: bool) -> BitstreamReport:
        """Go through all stages; leave everything in the folder."""
        config, folder, board = self.config, self.folder, self.board
        # Before minutes go by: a missing tool, or a package.
        tools = self.tools()
        with self.stage("core in Verilog"):
            text = core_verilog(config, learning=self.learning, weights=self.weights)
            (folder / "core.sv").write_text(text, "utf-8")
            (folder / "config.toml").write_text(dump_config(config), "utf-8")
        with self.stage("core in cells (kept in the cache)"):
            self.core = mapped_core(text, core_name(config), board.family)
            shutil.copyfile(self.core, folder / "core-netlist.json")
        clock, best = self.search(clock) if search else (clock, self.round(clock))
        if best is None:
            raise self._missed(clock, asked=not search)
        with self.stage("bitstream"):
            stream = self.pack(best)
        shutil.copyfile(self.core.with_name("yosys.log"), folder / "yosys-core.log")
        report = self.report(clock, best, stream, tools)
        self._tidy(best)
        text = json.dumps(asdict(report), indent=2) + "\n"
        (folder / "report.json").write_text(text, "utf-8")
        return report

    def search(self, clock: PllSettings) -> tuple[PllSettings, Placed | None]:
        """Return the highest clock that a placement meets, and the placement, if there is one.

        What is in the folder afterwards belongs to it.
        """
        met: tuple[PllSettings, Placed] | None = None
        for number in range(1 + ROUNDS):
            best = self.round(clock)
            if best is not None:
                met = clock, best
                if number:
                    return met
            fastest = max(own.fmax_mhz for own in self.placements[-len(self.seeds) :])
            try:
                following = clock_for(self.board, fastest, self.baud)
            except BitlifError:
                break
            if (met and following.output <= met[0].output) or number == ROUNDS:
                break
            clock = following
        if met is None or met[0].output == clock.output:
            return met or (clock, None)
        # Faster clocks were missed: build again for the one that was met.
        return met[0], self.round(met[0])

    def round(self, clock: PllSettings) -> Placed | None:
        """Build for a clock and place with every seed; return the fastest that meets it."""
        config, folder = self.config, self.folder
        line = line_at(clock.mhz, self.baud)
        with self.stage(f"top for {clock.mhz:.3f} MHz"):
            core = CoreInstance(config, learning=self.learning)
            front = UartTop(config, divisor=line.divisor, learning=self.learning, core=core)
            rtlil, constraints = prepare(self.board, clock, front)
            (folder / f"{TOP}.{self.board.route.constraints}").write_text(constraints, "utf-8")
            synthesis = NETLIST_FAMILIES[self.board.family].synthesis
            ports = black_box(config, learning=self.learning)
            synthesise_top(rtlil, ports, core_name(config), synthesis, folder)
        with self.stage("link and check"):
            link(self.core, core_name(config), folder)
        done = []
        for seed in self.seeds:
            with self.stage(f"place at {clock.mhz:.3f} MHz, seed {seed}"):
                placed = place_on(self.board, config, clock.mhz, seed, folder)
            done.append(placed)
            self.placements.append(placed)
        return max((own for own in done if own.meets), key=lambda own: own.fmax_mhz, default=None)

    def _missed(self, clock: PllSettings, *, asked: bool) -> MissesTiming:
        fastest = max(own.fmax_mhz for own in self.placements)
        change = f"a lower --mhz, such as {fastest:.0f}, " if asked else ""
        return MissesTiming(
            f"{shortened(self.config.name)} misses {clock.mhz:.3f} MHz on the "
            f"{self.board.title}: the best of {len(self.seeds)} seeds reaches {fastest:.2f} MHz; "
            f"take {change}fewer lanes (layer.lanes is {self.config.layer.lanes}), more --seeds "
            "or another board"
        )

    def pack(self, best: Placed) -> Path:
        """Make the bitstream of a placement."""
        route, name = self.board.route, f"{file_name(self.config.name)}-{self.board_name}"
        stream = f"{name}.{route.bitstream}"
        routed = routed_name(self.board, best.seed)
        call = [*find_tool(route.packer), *self.board.packing, routed, stream]
        run_tool(route.packer, call, self.folder, f"{route.packer}.log", stream)
        return self.folder / stream

    def tools(self) -> dict[str, str]:
        """Return the tools' versions."""
        route = self.board.route
        found = {name: tool_version(name) for name in ("yosys", route.placer)}
        packer = find_tool(route.packer)
        package = TOOLS[route.packer][1]
        own = f"{package} {metadata.version(package)}" if len(packer) > 1 else route.packer
        found[route.packer] = own
        found["amaranth"] = metadata.version("amaranth")
        found["amaranth-boards"] = metadata.version("amaranth-boards")
        return found

    def report(
        self, clock: PllSettings, best: Placed, stream: Path, tools: dict[str, str]
    ) -> BitstreamReport:
        """Return what was built."""
        config, folder = self.config, self.folder
        line = line_at(clock.mhz, self.baud)
        routed = folder / routed_name(self.board, best.seed)
        cells = _cells_of(folder / "core-netlist.json", core_name(config))
        placed = _cells_of(folder / LINKED, TOP)
        parts = {
            kind: Use(
                sum(count for name, count in placed.items() if re.fullmatch(types, name)),
                self.board.limits["cells"],
            )
            for kind, types in self.board.route.parts.items()
        }
        own: Pace = pace(config, clock.mhz, learning=self.learning)
        return BitstreamReport(
            config.name, self.board_name, self.board.device, f"netlist:{self.board.family}",
            self.learning, self.weights is not None,
            {
                "mhz": clock.mhz, "reference_mhz": self.board.reference,
                "oscillator_mhz": float(clock.oscillator),
                "detector_mhz": float(clock.detector), "parameters": dict(clock.parameters),
            },
            {
                "baud": line.baud, "divisor": line.divisor, "actual_baud": line.actual,
                "error_percent": 100 * line.error,
            },
            best.seed, best.fmax_mhz,
            [
                {"seed": one.seed, "asked_mhz": one.asked_mhz, "fmax_mhz": one.fmax_mhz,
                 "meets": one.meets}
                for one in self.placements
            ],
            {kind: _percent(use) for kind, use in (best.use | parts).items()},
            cells, asdict(own), tools,
            {
                "configuration": config_hash(config),
                "core_verilog": _sha256(folder / "core.sv"),
                "core_netlist": _sha256(self.core),
                "linked_netlist": _sha256(folder / LINKED),
                "routed": _sha256(routed),
                "bitstream": _sha256(stream),
            },
            {what: round(taken, 3) for what, taken in self.seconds.items()},
            {
                "bitstream": stream.name, "routed": f"routed.{self.board.route.routed}",
                "linked_netlist": LINKED, "core_netlist": "core-netlist.json",
                "core_verilog": "core.sv", "configuration": "config.toml", "logs": "logs",
            },
        )  # fmt: skip

    def _tidy(self, best: Placed) -> None:
        """Leave one routed file, and the logs in a folder of their own."""
        folder, suffix = self.folder, self.board.route.routed
        (folder / routed_name(self.board, best.seed)).rename(folder / f"routed.{suffix}")
        for other in folder.glob(f"routed-*.{suffix}"):
            other.unlink()
        for name in ("core.json", "top.json"):
            (folder / name).unlink()
        (folder / "logs").mkdir()
        for log in (*folder.glob("*.log"), *folder.glob("nextpnr-*.json")):
            log.rename(folder / "logs" / log.name)


def _cells_of(netlist: Path, top: str) -> dict[str, int]:
    """Return how many cells of each type a netlist's module has."""
    cells = json.loads(netlist.read_text("utf-8"))["modules"][top]["cells"].values()
    return dict(sorted(Counter(cell["type"] for cell in cells).items()))


def _percent(use: Use) -> dict[str, Any]:
    return {**asdict(use), "percent": round(use.percent, 1)}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
