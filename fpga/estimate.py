"""Estimated size and speed of a core and its surroundings on an FPGA, without synthesis.

Memories and products follow Yosys' rules (`bitlif.fpga.yosys_mapping`). Cells and registers are a
weighted sum of the counts of `bitlif.fpga.gate_count`. The coefficients were fitted to real
netlists (``bitlif bench estimate``). ``estimate.toml`` holds them, together with the errors for
configurations outside the fit and a stamp of the measured core.
"""

from __future__ import annotations

import functools
import statistics
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import numpy as np

from bitlif.model.clocks import full_step, quiet_step, window_end
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.text import quoted

from .boards import BOARDS, Board, board_named
from .families import BLOCKS, CELLS, FAMILIES, LARGE, MULTIPLIERS, REGISTERS, Family, family_named
from .gate_count_network import any_gates, any_surroundings
from .gate_tally import GateTally
from .logic_products import map_products
from .yosys_mapping import map_memories

PARTS = ("core", "top")
FITTED, RULED = (CELLS, REGISTERS), (BLOCKS, MULTIPLIERS)
"""Kinds of resources that are fitted, and those that follow from rules; `LARGE` does, too."""

TOP_BLOCKS = 2
"""Block RAMs around the core: the buffers of a request and of a response."""

Features = dict[str, float]
Model = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Coefficients by part, kind of resource and feature."""


@dataclass(frozen=True, slots=True)
class Error:
    """The relative error of estimates.

    Attributes
    ----------
    median, worst : float
        Of the absolute relative errors.
    configs : int
        Number of configurations, none of which was in the fit.
    """

    median: float
    worst: float
    configs: int

    @classmethod
    def of(cls, errors: Sequence[float]) -> Error:
        """Return median and worst of relative errors."""
        sizes = np.abs(errors)
        return cls(float(np.median(sizes)), float(sizes.max()), len(sizes))


def relative(estimated: int, real: int) -> float:
    """Return the relative error of an estimate; a real size of 0 counts as 1."""
    return (estimated - real) / max(1, real)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The size of a core on a family of FPGAs.

    Attributes
    ----------
    core, top : dict of str to int
        Resources of the core and of its surroundings, by kind. Large RAMs are there if they are
        used.
    """

    core: dict[str, int]
    top: dict[str, int]

    @property
    def total(self) -> dict[str, int]:
        """Return the sum of core and surroundings."""
        return {kind: self.core[kind] + self.top[kind] for kind in self.core}


@dataclass(frozen=True, slots=True)
class Clock:
    """Clock frequencies of placements on a board.

    Attributes
    ----------
    mhz : float
        Median.
    least, most : float
        Lowest and highest, in MHz.
    placements : int
        Number of placements; 0 where none was measured, and `mhz` is the board's own aim.
    note : str
        Where the figures come from, if not from this board.
    """

    mhz: float
    least: float
    most: float
    placements: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Speed:
    """The speed of a core at a clock frequency.

    Attributes
    ----------
    quiet_clocks, full_clocks : int
        Clock cycles of a step without events, spikes and errors, and of a step with an event of
        every input, a spike of every neuron and an error of every neuron.
    window_clocks : int
        Clock cycles of a window of full steps.
    quiet_steps_per_s, full_steps_per_s : float
    operations_per_s : float
        Most synaptic operations per second: S weights are added in one clock cycle.
    products_per_s : float
        Most products of the gradient per second: L in one clock cycle; 0 without learning.
    """

    quiet_clocks: int
    full_clocks: int
    window_clocks: int
    quiet_steps_per_s: float
    full_steps_per_s: float
    operations_per_s: float
    products_per_s: float


@functools.cache
def calibration(*, networks: bool = False) -> dict[str, Any]:
    """Return the calibration of layers or of networks.

    It has coefficients and errors by family, clocks by board, and the stamp.
    """
    name = "network_estimate.toml" if networks else "estimate.toml"
    text = resources.files("bitlif.fpga").joinpath(name).read_text("utf-8")
    return tomllib.loads(text)


def is_calibrated(family: str, *, networks: bool = False) -> bool:
    """Return whether there are estimates of layers, or of networks, for a family."""
    return _calibrated(family, networks) is not None


def _calibrated(family: str, networks: bool) -> str | None:
    known, fabric = calibration(networks=networks), family_named(family).fabric.name
    alike = (own.name for own in FAMILIES.values() if own.fabric.name == fabric)
    return next((name for name in (family, *alike) if name in known), None)


def calibrated_family(family: str, *, networks: bool = False) -> str:
    """Return the family whose calibration applies: the family itself, or one of the same fabric.

    Raises
    ------
    BitlifError
        If no family of this fabric has been calibrated, for layers or for networks.
    """
    found = _calibrated(family, networks)
    if found is None:
        what, option = (" for networks", "--networks ") if networks else ("", "")
        raise BitlifError(
            f"family {quoted(family)} has no calibration{what}: measure it with bitlif bench "
            f"estimate {option}--fit"
        )
    return found


def estimate(config: Config | NetworkConfig, family: str, *, learning: bool = True) -> Estimate:
    """Estimate the size of a core and its surroundings on a board.

    Parameters
    ----------
    config : Config or NetworkConfig
    family : str
        A key of `bitlif.fpga.families.FAMILIES`.
    learning : bool
        Whether the core has learning hardware.

    Raises
    ------
    BitlifError
        If there is no such family, or no calibration for it.
    """
    networks = isinstance(config, NetworkConfig)
    known = calibration(networks=networks)
    coefficients = known[calibrated_family(family, networks=networks)]["coefficients"]
    return predict(features(config, family, learning=learning), coefficients)


def error_of(family: str, kind: str, *, networks: bool = False) -> Error:
    """Return the measured error of estimates of core and surroundings together.

    The number of large RAMs follows from rules and is exact.
    """
    if kind == LARGE:
        return Error(0.0, 0.0, 0)
    found = calibrated_family(family, networks=networks)
    return Error(**calibration(networks=networks)[found]["errors"][kind])


def clock_of(board: str, *, networks: bool = False) -> Clock:
    """Return the clock frequencies that placements reach on a board.

    Without placements of this board, they are those of the most similar board: one with the same
    device, else the slowest one of its family. Without placements of networks on any of them, they
    are those of layers.

    Parameters
    ----------
    board : str
        A key of `bitlif.fpga.boards.BOARDS`.
    networks : bool
        Whether networks are placed.

    Raises
    ------
    BitlifError
        If there is no such board.
    """
    own = board_named(board)
    measured = calibration(networks=networks)["clocks"]
    if board in measured:
        return _clock(measured[board])
    alike = [other for other in BOARDS.values() if _alike(own, other) and other.name in measured]
    same = [other for other in alike if other.arguments == own.arguments]
    if not alike and networks:
        layers = clock_of(board)
        note = f"no placement of a network has been measured; {layers.note or 'layers reach this'}"
        return replace(layers, note=note)
    none = "no placement of this board has been measured"
    if not alike:
        return Clock(own.aim, own.aim, own.aim, 0, f"{none}; the clock is the board's aim")
    slowest = min(same or alike, key=lambda other: _clock(measured[other.name]).mhz).name
    return _clock(measured[slowest], f"{none}; the clock is that of {slowest}")


def _alike(one: Board, two: Board) -> bool:
    return one.family == two.family


def _clock(reached: list[float], note: str = "") -> Clock:
    return Clock(statistics.median(reached), min(reached), max(reached), len(reached), note)


def features(config: Config | NetworkConfig, family: str, *, learning: bool) -> dict[str, Features]:
    """Return the features that the coefficients weight, and the sizes by rules, by part."""
    own = family_named(family)
    parts = {}
    for part, tally in (
        ("core", any_gates(config, learning=learning)),
        ("top", any_surroundings(config, learning=learning)),
    ):
        parts[part] = _features(tally, own, learning)
    parts["top"][BLOCKS] += TOP_BLOCKS
    return parts


def _features(tally: GateTally, family: Family, learning: bool) -> Features:
    held = map_memories(tally.memories, family.fabric.memory, family.large)
    made = map_products(tally.products, family.multiplier)
    return {
        "constant": 1.0,
        "learning": float(learning),
        **{kind: float(tally.bits[kind]) for kind in KINDS},
        "soft": float(made.soft),
        "product": float(made.registers),
        "distributed": float(sum(own.distributed for own in held)),
        "table": float(sum(own.table for own in held)),
        "answer": float(sum(own.answer for own in held)),
        "choice": float(sum(own.choice for own in held)),
        "held": float(sum(own.registers for own in held)),
        BLOCKS: sum(own.blocks for own in held),
        LARGE: sum(own.large for own in held),
        MULTIPLIERS: made.blocks,
    }


KINDS = ("add", "chain", "compare", "delay", "result", "choose", "parity")
"""Keys of `GateTally.bits`."""


def predict(given: Mapping[str, Features], model: Model) -> Estimate:
    """Return the estimate of features by coefficients."""
    ruled = (*RULED, LARGE) if any(given[part].get(LARGE) for part in PARTS) else RULED
    parts = []
    for part in PARTS:
        own = given[part]
        sizes = {kind: round(_weighted(own, model[part][kind])) for kind in FITTED}
        parts.append(sizes | {kind: int(own[kind]) for kind in ruled})
    return Estimate(*parts)


def _weighted(given: Features, coefficients: Mapping[str, float]) -> float:
    return sum(value * given[name] for name, value in coefficients.items())


def speed(config: Config, mhz: float, *, learning: bool = True) -> Speed:
    """Return the speed of a core at a clock frequency, if its streams never stall.

    Parameters
    ----------
    config : Config
    mhz : float
    learning : bool
        Whether the core has learning hardware, and learns.
    """
    quiet = quiet_step(config, learn=learning, learning_core=learning)
    full = full_step(config, learn=learning, learning_core=learning)
    hertz = 1e6 * mhz
    window = config.window.steps * full + window_end(config, learn=learning)
    sizes = gate_sizes(config)
    products = sizes.products if learning else 0
    return Speed(
        quiet, full, window, hertz / quiet, hertz / full, hertz * sizes.synapses, hertz * products
    )
