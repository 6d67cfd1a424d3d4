"""From a configuration to a bitstream for a board, around the netlist that is simulated.

The core's netlist comes from the same cache entry as that of the backend ``netlist:FAMILY``. The
clock is searched: all seeds are placed once, then the PLL is set to the highest clock below the
best of them, and the top is built again for that clock, because the baud rate is divided from it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bitlif.hdl.export.instance import CoreInstance, black_box
from bitlif.hdl.export.network_verilog import network_verilog
from bitlif.hdl.export.verilog import core_name, core_verilog
from bitlif.hdl.pll import PllSettings
from bitlif.hdl.uart.uart_top import UartTop
from bitlif.model.checks import check_initial_weights
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, any_text
from bitlif.model.errors import BitlifError
from bitlif.model.storage.atomic import NewFolder
from bitlif.model.storage.ownership import write_marker
from bitlif.model.text import file_name, path_text, shortened

from .board_top import prepare
from .boards import Board, board_named
from .build_report import BitstreamReport, Built, make_report, tool_versions
from .estimate import error_of, estimate, is_calibrated
from .families import family_named
from .linking import TOP, link, synthesise_top
from .netlist import mapped_core
from .place_and_route import MissesTiming, Placed, lanes_of, place_on, routed_name
from .serial_clock import BAUD, clock_for, line_at
from .synthesis import DoesNotFit
from .tools import find_tool, run_tool

HOPELESS = 2
"""Ratio of estimated to available resources above which the tools are not started."""

ROUNDS = 4
"""Clocks that are tried, in descending order, after the first round of placements."""

Notify = Callable[[str, float | None], None]
"""Called with the name of a stage and None when it begins, and with its seconds when it ends."""


def no_notice(stage: str, seconds: float | None) -> None:
    """Ignore the progress of a build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What to build.

    Attributes
    ----------
    config : Config or NetworkConfig
    board : str
        A key of `bitlif.fpga.boards.BOARDS`.
    seeds : sequence of int
        Of the placer: each is tried at each clock.
    mhz : float or None
        Wanted clock frequency; the PLL makes this or the next lower one. None: as high as possible.
    baud : int
        Of the serial line.
    learning : bool
        False: inference only.
    weights : (N, M) int or None
        Initial raw weights of the core; None: zeros, or undefined in memories with one port. A
        host loads those of a network.

    Raises
    ------
    BitlifError
        If there is no such board, or the weights are wrong or cannot be built in.
    """

    config: Config | NetworkConfig
    board: str
    seeds: Sequence[int] = (1,)
    mhz: float | None = None
    baud: int = BAUD
    learning: bool = True
    weights: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        board_named(self.board)
        if self.weights is not None:
            if isinstance(self.config, NetworkConfig):
                raise BitlifError("weights must be None for a network, whose host loads them")
            check_initial_weights(self.config, self.weights)

    def first_clock(self) -> PllSettings:
        """Return the clock of the first placements.

        Raises
        ------
        BitlifError
            If the PLL cannot make the clock, or the line cannot be divided from it.
        """
        own = board_named(self.board)
        asked = self.mhz is not None
        return clock_for(own, own.aim if self.mhz is None else self.mhz, self.baud, exactly=asked)


def build(request: BuildRequest, folder: Path, *, notify: Notify = no_notice) -> BitstreamReport:
    """Build a bitstream in a new folder.

    Parameters
    ----------
    request : BuildRequest
    folder : Path
        New or empty. It appears complete, or not at all.
    notify : callable
        Called when a stage begins and ends.

    Raises
    ------
    DoesNotFit
        If the design is larger than the device.
    MissesTiming
        If no placement meets the clock.
    BitlifError
        If the request is invalid; if a tool is missing or fails: the message names its log, whose
        folder is kept.
    """
    request.first_clock()
    _require_empty(folder)
    with NewFolder(folder) as made:
        report = build_in(request, made.folder, notify=notify)
        write_marker(made.folder, "build")
        made.commit(_require_empty)
    return report


def build_in(request: BuildRequest, folder: Path, *, notify: Notify = no_notice) -> BitstreamReport:
    """Build a bitstream in an empty folder, whose files are kept on failure; else as `build`."""
    clock, board = request.first_clock(), board_named(request.board)
    networks = isinstance(request.config, NetworkConfig)
    if is_calibrated(board.family, networks=networks):
        require_room(request.config, board, learning=request.learning)
    return _Build(request, board, folder, notify).run(clock)


def require_room(config: Config | NetworkConfig, board: Board, *, learning: bool) -> None:
    """Raise for a core that is far too large, instead of letting the tools run for minutes.

    Raises
    ------
    DoesNotFit
        If the estimate, less its worst measured error, exceeds `HOPELESS` times the resources.
    """
    networks = isinstance(config, NetworkConfig)
    for kind, used in estimate(config, board.family, learning=learning).total.items():
        limit = board.limit(kind)
        worst = error_of(board.family, kind, networks=networks).worst
        if used > HOPELESS * limit * (1 + worst):
            raise DoesNotFit(
                f"{config.name} does not fit the {board.title} (about {used:,} {kind} of "
                f"{limit:,}): take fewer neurons or inputs; bitlif fit finds the largest sizes"
            )


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BitlifError(f"folder of a bitstream must be new or empty, not '{path_text(folder)}'")


@dataclass(slots=True)
class _Build:
    """State that the stages of one build share."""

    request: BuildRequest
    board: Board
    folder: Path
    notify: Notify
    core: Path = Path()
    placements: list[Placed] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, what: str) -> Iterator[None]:
        """Announce and time a stage."""
        self.notify(what, None)
        begun = time.monotonic()
        yield
        taken = time.monotonic() - begun
        self.seconds[what] = self.seconds.get(what, 0.0) + taken
        self.notify(what, taken)

    def run(self, clock: PllSettings) -> BitstreamReport:
        """Run all stages; all files stay in the folder."""
        request, folder, board = self.request, self.folder, self.board
        config, learning = request.config, request.learning
        # First, so that a missing tool or package does not cost minutes.
        tools = tool_versions(board)
        with self.stage("core in Verilog"):
            if isinstance(config, NetworkConfig):
                text = network_verilog(config, learning=learning)
            else:
                text = core_verilog(config, learning=learning, weights=request.weights)
            (folder / "core.sv").write_text(text, "utf-8")
            (folder / "config.toml").write_text(any_text(config), "utf-8")
        with self.stage("core in cells (kept in the cache)"):
            self.core = mapped_core(text, core_name(config), board.family)
            shutil.copyfile(self.core, folder / "core-netlist.json")
        search = request.mhz is None
        clock, best = self.search(clock) if search else (clock, self.round(clock))
        if best is None:
            raise self._missed(clock)
        with self.stage("bitstream"):
            stream = self.pack(best)
        shutil.copyfile(self.core.with_name("yosys.log"), folder / "yosys-core.log")
        built = Built(folder, self.core, clock, best, stream, self.placements, self.seconds, tools)
        report = make_report(
            config, board, built, baud=request.baud, learning=learning,
            with_weights=request.weights is not None,
        )  # fmt: skip
        self._clean_up(best)
        text = json.dumps(asdict(report), indent=2) + "\n"
        (folder / "report.json").write_text(text, "utf-8")
        return report

    def search(self, clock: PllSettings) -> tuple[PllSettings, Placed | None]:
        """Return the highest clock that a placement meets, and the placement if there is one.

        The files in the folder are then those of this placement.
        """
        met: tuple[PllSettings, Placed] | None = None
        for number in range(1 + ROUNDS):
            best = self.round(clock)
            if best is not None:
                met = clock, best
                if number:
                    return met
            fastest = max(own.fmax_mhz for own in self.placements[-len(self.request.seeds) :])
            try:
                following = clock_for(self.board, fastest, self.request.baud)
            except BitlifError:
                break
            if (met and following.output <= met[0].output) or number == ROUNDS:
                break
            clock = following
        if met is None or met[0].output == clock.output:
            return met or (clock, None)
        # Only faster clocks were missed: build again for the one that was met.
        return met[0], self.round(met[0])

    def round(self, clock: PllSettings) -> Placed | None:
        """Build for a clock and place with every seed; return the fastest that meets it."""
        request, folder, board = self.request, self.folder, self.board
        config, learning = request.config, request.learning
        line = line_at(clock.mhz, request.baud)
        with self.stage(f"top for {clock.mhz:.3f} MHz"):
            core = CoreInstance(config, learning=learning)
            front = UartTop(config, divisor=line.divisor, learning=learning, core=core)
            rtlil, constraints = prepare(board, clock, front)
            (folder / f"{TOP}.{board.toolchain.constraints}").write_text(constraints, "utf-8")
            synthesis = family_named(board.family).synthesis
            ports = black_box(config, learning=learning)
            synthesise_top(rtlil, ports, core_name(config), synthesis, folder)
        with self.stage("link and check"):
            link(self.core, core_name(config), folder)
        done = []
        for seed in request.seeds:
            with self.stage(f"place at {clock.mhz:.3f} MHz, seed {seed}"):
                placed = place_on(board, config, clock.mhz, seed, folder)
            done.append(placed)
            self.placements.append(placed)
        return max((own for own in done if own.meets), key=lambda own: own.fmax_mhz, default=None)

    def _missed(self, clock: PllSettings) -> MissesTiming:
        fastest = max(own.fmax_mhz for own in self.placements)
        asked = self.request.mhz is not None
        change = f"a lower --mhz, such as {fastest:.0f}, " if asked else ""
        config = self.request.config
        return MissesTiming(
            f"{shortened(config.name)} misses {clock.mhz:.3f} MHz on the {self.board.title}: the "
            f"best of {len(self.request.seeds)} seeds reaches {fastest:.2f} MHz; take {change}"
            f"fewer lanes ({lanes_of(config)}), more --seeds or another board"
        )

    def pack(self, best: Placed) -> Path:
        """Make the bitstream of a placement; return its file."""
        tools = self.board.toolchain
        name = f"{file_name(self.request.config.name)}-{self.board.name}"
        stream = f"{name}.{tools.bitstream}"
        routed = routed_name(self.board, best.seed)
        option = [tools.bitstream_option] if tools.bitstream_option else []
        call = [*find_tool(tools.packer), *self.board.packing, routed, *option, stream]
        run_tool(tools.packer, call, self.folder, f"{tools.packer}.log", stream)
        return self.folder / stream

    def _clean_up(self, best: Placed) -> None:
        """Keep one routed file, and move the logs to a folder of their own."""
        folder, suffix = self.folder, self.board.toolchain.routed
        (folder / routed_name(self.board, best.seed)).rename(folder / f"routed.{suffix}")
        for other in folder.glob(f"routed-*.{suffix}"):
            other.unlink()
        for name in ("core.json", "top.json"):
            (folder / name).unlink()
        (folder / "logs").mkdir()
        for log in (*folder.glob("*.log"), *folder.glob("nextpnr-*.json")):
            log.rename(folder / "logs" / log.name)
