"""How large a core and its surroundings become on an FPGA, and how fast: by counting, at once.

Memories and products go by Yosys' rules (`bitlif.fpga.yosys_mapping`). Cells and registers are a
sum over the counts of `bitlif.fpga.gate_count`, whose coefficients were fitted to real netlists,
family by family (`bitlif bench estimate`); ``estimate.toml`` holds them, and how far off they are
for configurations that they were not fitted to.
"""

from __future__ import annotations

import functools
import statistics
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from bitlif.model.clocks import full_step, quiet_step, window_end
from bitlif.model.config.config import Config

from .gate_count import Tally, tally_core, tally_top
from .yosys_mapping import hold, multiply

PARTS = ("core", "top")
CELLS, REGISTERS, BLOCKS, MULTIPLIERS = "cells", "flip-flops", "block RAMs", "multipliers"
"""Kinds of resources, by the names that `bitlif.fpga.boards` has for a board's limits."""
FITTED, RULED = (CELLS, REGISTERS), (BLOCKS, MULTIPLIERS)

TOP_BLOCKS = 2
"""Block RAMs of the surroundings: a request and an answer."""

Features = dict[str, float]
Model = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Coefficients by part, kind and feature."""


@dataclass(frozen=True, slots=True)
class Error:
    """How far off an estimate was.

    Attributes
    ----------
    median, worst : float
        Of the absolute relative errors.
    configs : int
        Of how many, none of which was in the fit.
    """

    median: float
    worst: float
    configs: int

    @classmethod
    def of(cls, errors: Sequence[float]) -> Error:
        """Return that of relative errors."""
        sizes = np.abs(errors)
        return cls(float(np.median(sizes)), float(sizes.max()), len(sizes))


def relative(estimated: int, real: int) -> float:
    """Return a relative error; for what there is none of, as if there were one."""
    return (estimated - real) / max(1, real)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A core on a family of FPGAs.

    Attributes
    ----------
    core, top : dict of str to int
        Of the core alone and of its surroundings, by kind of resource.
    """

    core: dict[str, int]
    top: dict[str, int]

    @property
    def total(self) -> dict[str, int]:
        """Return the sum of both."""
        return {kind: self.core[kind] + self.top[kind] for kind in self.core}


@dataclass(frozen=True, slots=True)
class Clock:
    """What placements reached on a board.

    Attributes
    ----------
    mhz : float
        The median.
    least, most : float
        Of them, in MHz.
    placements : int
        How many there were.
    """

    mhz: float
    least: float
    most: float
    placements: int


@dataclass(frozen=True, slots=True)
class Speed:
    """A core at a clock.

    Attributes
    ----------
    quiet_clocks, full_clocks : int
        Of a step in which nothing happens, and of one in which everything does: an event of every
        input, a spike and an error of every neuron.
    window_clocks : int
        Of a window of full steps.
    quiet_steps_per_s, full_steps_per_s : float
    operations_per_s : float
        Synaptic operations at most: one a lane and clock.
    """

    quiet_clocks: int
    full_clocks: int
    window_clocks: int
    quiet_steps_per_s: float
    full_steps_per_s: float
    operations_per_s: float


@functools.cache
def kept() -> dict[str, Any]:
    """Return what ``estimate.toml`` says: coefficients, errors and clocks, by family."""
    text = resources.files("bitlif.fpga").joinpath("estimate.toml").read_text("utf-8")
    return tomllib.loads(text)


def estimate(config: Config, family: str, *, learning: bool = True) -> Estimate:
    """Estimate what a core and its surroundings on a board take.

    Parameters
    ----------
    config : Config
    family : str
        One of `bitlif.fpga.yosys_mapping.FAMILIES`.
    learning : bool
        Whether the core has learning hardware.
    """
    return predict(features(config, family, learning=learning), kept()[family]["coefficients"])


def error_of(family: str, kind: str) -> Error:
    """Return the measured error of an estimate of core and surroundings together."""
    return Error(**kept()[family]["errors"][kind])


def clock_of(board: str) -> Clock:
    """Return the clock that placements reach on a board of `bitlif.fpga.boards.BOARDS`."""
    reached: list[float] = kept()["clocks"][board]
    return Clock(statistics.median(reached), min(reached), max(reached), len(reached))


def features(config: Config, family: str, *, learning: bool) -> dict[str, Features]:
    """Return what the coefficients are multiplied with, and what rules say, by part."""
    parts = {}
    for part, tally in (
        ("core", tally_core(config, learning=learning)),
        ("top", tally_top(config, learning=learning)),
    ):
        parts[part] = _features(tally, family, learning)
    parts["top"][BLOCKS] += TOP_BLOCKS
    return parts


def _features(tally: Tally, family: str, learning: bool) -> Features:
    held = [hold(store, family) for store in tally.stores]
    made = [multiply(product, family) for product in tally.products]
    return {
        "constant": 1.0,
        "learning": float(learning),
        **{kind: float(tally.bits[kind]) for kind in KINDS},
        "soft": float(sum(own.soft for own in made)),
        "product": float(sum(own.registers for own in made)),
        "distributed": float(sum(own.distributed for own in held)),
        "table": float(sum(own.table for own in held)),
        "answer": float(sum(own.answer for own in held)),
        "choice": float(sum(own.choice for own in held)),
        "held": float(sum(own.registers for own in held)),
        BLOCKS: sum(own.blocks for own in held),
        MULTIPLIERS: sum(own.blocks for own in made),
    }


KINDS = ("add", "chain", "compare", "delay", "result", "choose", "parity")
"""Of `Tally.bits`."""


def predict(given: Mapping[str, Features], model: Model) -> Estimate:
    """Return the estimate by given coefficients."""
    parts = []
    for part in PARTS:
        own = given[part]
        sizes = {kind: round(_weighted(own, model[part][kind])) for kind in FITTED}
        parts.append(sizes | {kind: int(own[kind]) for kind in RULED})
    return Estimate(*parts)


def _weighted(given: Features, coefficients: Mapping[str, float]) -> float:
    return sum(value * given[name] for name, value in coefficients.items())


def speed(config: Config, mhz: float, *, learning: bool = True) -> Speed:
    """Return how fast a core is at a clock, when its streams never stall.

    Parameters
    ----------
    config : Config
    mhz : float
    learning : bool
        Whether the core has learning hardware; if so, it learns.
    """
    quiet = quiet_step(config, learn=learning, learning_core=learning)
    full = full_step(config, learn=learning, learning_core=learning)
    hertz = 1e6 * mhz
    window = config.window.steps * full + window_end(config, learn=learning)
    return Speed(quiet, full, window, hertz / quiet, hertz / full, hertz * config.layer.lanes)
