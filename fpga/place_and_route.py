"""A linked netlist through a board's placer, and what becomes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.text import shortened

from .boards import Board
from .linking import LINKED, TOP
from .synthesis import DoesNotFit, excesses
from .tools import find_tool, run_tool

NO_ROOM = ("Unable to place", "unable to place", "Unable to find legal placement", "no BELs")
"""What nextpnr says where it ran out of room without having counted so."""


class MissesTiming(BitlifError):
    """A design that no seed makes fast enough; the message says by how much, and what to change."""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a resource is used."""

    used: int
    available: int

    @property
    def percent(self) -> float:
        """Return the share in use."""
        return 100 * self.used / self.available if self.available else 0.0


@dataclass(frozen=True, slots=True)
class Placed:
    """One placement.

    Attributes
    ----------
    seed : int
    asked_mhz : float
        The clock that the PLL makes.
    fmax_mhz : float
        The highest clock at which all paths between registers meet their time.
    use : dict of str to Use
        By kind of resource.
    """

    seed: int
    asked_mhz: float
    fmax_mhz: float
    use: dict[str, Use]

    @property
    def meets(self) -> bool:
        """Whether the design runs at the clock that it gets."""
        return self.fmax_mhz >= self.asked_mhz


def place_on(board: Board, config: Config, mhz: float, seed: int, folder: Path) -> Placed:
    """Place and route the linked netlist in `folder`; leave ``routed-SEED`` and its log and report.

    Parameters
    ----------
    board : Board
    config : Config
        For what is said where it does not fit.
    mhz : float
        The clock that the PLL makes.
    seed : int
    folder : Path

    Raises
    ------
    DoesNotFit
        With what there is too little of, and what to change.
    BitlifError
        If the placer is missing, or fails for another reason: with the name of its log.
    """
    route = board.route
    log, report = f"nextpnr-{seed}.log", f"nextpnr-{seed}.json"
    routed = routed_name(board, seed)
    call = [
        *find_tool(route.placer), *board.arguments, "--json", LINKED, "--top", TOP,
        route.constraints_option, f"{TOP}.{route.constraints}", route.routed_option, routed,
        "--freq", f"{mhz:.6f}", "--seed", str(seed), "--timing-allow-fail", "--quiet",
        "--log", log, "--report", report,
    ]  # fmt: skip
    for old in (log, report):
        (folder / old).unlink(missing_ok=True)
    try:
        run_tool(route.placer, call, folder, log, routed)
    except BitlifError as error:
        text = (folder / log).read_text("utf-8") if (folder / log).exists() else ""
        why = _too_large(board, text, str(error))
        if why:
            raise DoesNotFit(
                f"{shortened(config.name)} does not fit the {board.title} ({why}): take fewer "
                f"lanes (layer.lanes is {config.layer.lanes}), neurons, inputs or bits, or another "
                "board"
            ) from None
        raise
    return read_placed((folder / report).read_text("utf-8"), board, seed, mhz)


def routed_name(board: Board, seed: int) -> str:
    """Return the name of the file that a placement leaves."""
    return f"routed-{seed}.{board.route.routed}"


def _too_large(board: Board, log: str, error: str) -> str:
    """Return what there is too little of, or an empty string."""
    names = {own: kind for kind, own in board.route.resources.items()}
    found = [f"{names.get(name, name)} {used} of {there}" for name, used, there in excesses(log)]
    if not found and any(sign in log + error for sign in NO_ROOM):
        return "no room is left between its parts"
    return ", ".join(found)


def read_placed(text: str, board: Board, seed: int, mhz: float) -> Placed:
    """Return what a report of nextpnr's says."""
    report: dict[str, Any] = json.loads(text)
    counted = report["utilization"]
    use = {
        kind: Use(int(counted[name]["used"]), int(counted[name]["available"]))
        for kind, name in board.route.resources.items()
        if name in counted and counted[name]["available"]
    }
    fmax = min(float(clock["achieved"]) for clock in report["fmax"].values())
    return Placed(seed, mhz, fmax, use)
