"""Placement and routing of a linked netlist for a board."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.text import shortened

from .boards import Board
from .linking import LINKED, TOP
from .synthesis import DoesNotFit, excesses
from .tools import find_tool, run_tool

NO_ROOM = ("Unable to place", "unable to place", "Unable to find legal placement", "no BELs")
"""Messages of nextpnr when it finds no legal placement although the totals fit."""


class MissesTiming(BitlifError):
    """No seed meets the clock; the message says by how much, and what to change."""


@dataclass(frozen=True, slots=True)
class Use:
    """Used and available amounts of a resource."""

    used: int
    available: int

    @property
    def percent(self) -> float:
        """Return the used percentage, 0 where nothing is available."""
        return 100 * self.used / self.available if self.available else 0.0


@dataclass(frozen=True, slots=True)
class Placed:
    """One placement.

    Attributes
    ----------
    seed : int
    asked_mhz : float
        Clock frequency of the PLL.
    fmax_mhz : float
        Highest clock frequency at which all paths between registers meet timing.
    use : dict of str to Use
        By kind of resource.
    """

    seed: int
    asked_mhz: float
    fmax_mhz: float
    use: dict[str, Use]

    @property
    def meets(self) -> bool:
        """Whether the design meets timing at the PLL's clock."""
        return self.fmax_mhz >= self.asked_mhz


def place_on(
    board: Board, config: Config | NetworkConfig, mhz: float, seed: int, folder: Path
) -> Placed:
    """Place and route the linked netlist in `folder`; write ``routed-SEED``, a log and a report.

    Parameters
    ----------
    board : Board
    config : Config or NetworkConfig
        Named in the error message of a design that does not fit.
    mhz : float
        Clock frequency of the PLL.
    seed : int
        Of the placer.
    folder : Path

    Raises
    ------
    DoesNotFit
        If the design does not fit; the message names the resources and what to change.
    BitlifError
        If nextpnr is missing or fails for another reason; the message names its log.
    """
    tools = board.toolchain
    log, report = f"nextpnr-{seed}.log", f"nextpnr-{seed}.json"
    routed = routed_name(board, seed)
    call = [
        *find_tool(tools.placer), *board.arguments, "--json", LINKED, "--top", TOP,
        *tools.constrained_by(f"{TOP}.{tools.constraints}"), tools.routed_option, routed,
        "--freq", f"{mhz:.6f}", "--seed", str(seed), "--timing-allow-fail", "--quiet",
        "--log", log, "--report", report,
    ]  # fmt: skip
    for old in (log, report):
        (folder / old).unlink(missing_ok=True)
    try:
        run_tool(tools.placer, call, folder, log, routed)
    except BitlifError as error:
        text = (folder / log).read_text("utf-8") if (folder / log).exists() else ""
        why = _too_large(board, text, str(error))
        if why:
            raise DoesNotFit(
                f"{shortened(config.name)} does not fit the {board.title} ({why}): take fewer "
                f"lanes ({lanes_of(config)}), neurons, inputs or bits, or another board"
            ) from None
        raise
    return read_placed((folder / report).read_text("utf-8"), board, seed, mhz)


def lanes_of(config: Config | NetworkConfig) -> str:
    """Return the lanes of a layer, or of each layer, for a message."""
    if isinstance(config, Config):
        return f"layer.lanes is {config.layer.lanes}"
    own = (f"layer.{n}.lanes is {own.config.layer.lanes}" for n, own in enumerate(config.layers))
    return ", ".join(own)


def routed_name(board: Board, seed: int) -> str:
    """Return the file name of a routed design."""
    return f"routed-{seed}.{board.toolchain.routed}"


def _too_large(board: Board, log: str, error: str) -> str:
    """Return the exceeded resources, or an empty string."""
    names = {own: kind for kind, own in board.toolchain.resources.items()}
    found = [f"{names.get(name, name)} {used} of {there}" for name, used, there in excesses(log)]
    if not found and any(sign in log + error for sign in NO_ROOM):
        return "no room is left between its parts"
    return ", ".join(found)


def read_placed(text: str, board: Board, seed: int, mhz: float) -> Placed:
    """Return the figures of a report of nextpnr."""
    report: dict[str, Any] = json.loads(text)
    listed, tools = report["utilization"], board.toolchain
    counted = {name: int(own["used"]) for name, own in listed.items()}
    use = {
        kind: Use(tools.used(kind, counted), int(listed[name]["available"]))
        for kind, name in tools.resources.items()
        if name in listed and listed[name]["available"]
    }
    fmax = min(float(clock["achieved"]) for clock in report["fmax"].values())
    return Placed(seed, mhz, fmax, use)
