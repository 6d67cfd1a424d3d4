"""FPGA resources and clock frequency of a point, estimated or from synthesis."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from bitlif.fpga.estimate import clock_of, estimate
from bitlif.fpga.families import BLOCKS, CELLS, MULTIPLIERS, REGISTERS, family_named
from bitlif.fpga.network_speed import network_speed
from bitlif.model.clocks import full_step
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import require_choice
from bitlif.model.storage.cache import cached, key_of

from .base import AnyConfig

PLACEMENT_SEED = 1


def require_board(name: str) -> None:
    """Raise BitlifError unless the board is known."""
    from bitlif.fpga.boards import BOARDS

    require_choice("board", name, tuple(BOARDS))


@functools.lru_cache(maxsize=1024)
def _area(config: AnyConfig, board: str, synthesise: bool) -> tuple[tuple[str, float], ...]:
    from bitlif.fpga.boards import BOARDS

    family, networks = BOARDS[board].family, isinstance(config, NetworkConfig)
    if synthesise and isinstance(config, Config):
        values = placed(config, family)
    else:
        size = estimate(config, family).total
        values = {
            "cells": size[CELLS],
            "flip_flops": size[REGISTERS],
            "block_rams": size[BLOCKS],
            "multipliers": size[MULTIPLIERS],
            "mhz": clock_of(board, networks=networks).mhz,
        }
    if isinstance(config, NetworkConfig):
        speed = network_speed(config, values["mhz"])
        values |= {"learned_per_s": speed.learned_per_s, "runs_per_s": speed.runs_per_s}
        return tuple(values.items())
    clocks = full_step(config, learn=True, learning_core=True)
    values["steps_per_s"] = 1e6 * values["mhz"] / clocks
    return tuple(values.items())


def area(config: AnyConfig, board: str, *, synthesise: bool) -> dict[str, float]:
    """Return the metrics of `bitlif.study.search.metrics.AREA`.

    Those of a network are estimated, and have windows per second in place of steps.

    Raises
    ------
    BitlifError
        If a synthesised core does not fit its device, or a tool is missing or fails.
    """
    return dict(_area(config, board, synthesise))


def placed(config: Config, family: str) -> dict[str, float]:
    """Synthesise and place a core; return its size and its clock frequency in MHz, from a cache."""
    from bitlif.fpga.synthesis import harness_verilog, place, synthesise
    from bitlif.fpga.tools import tool_version

    own_family = family_named(family)
    device, router = own_family.device, own_family.toolchain.placer
    parts = {
        "verilog": harness_verilog(config),
        "device": " ".join((own_family.synthesis, *device.arguments, str(device.aim))),
        "seed": str(PLACEMENT_SEED),
        "yosys": tool_version("yosys"),
        "router": tool_version(router),
    }

    def make(folder: Path) -> None:
        (folder / "config.toml").write_text(dump_config(config), "utf-8")
        synthesise(config, own_family, folder)
        placement = place(folder, own_family, PLACEMENT_SEED)
        values = {
            "cells": placement.cells,
            "flip_flops": placement.flops,
            "block_rams": placement.memories,
            "multipliers": placement.multipliers,
            "mhz": placement.mhz,
        }
        (folder / "placement.json").write_text(json.dumps(values), "utf-8")

    file = cached(key_of(parts), "placement.json", make)
    values: dict[str, float] = json.loads(file.read_text("utf-8"))
    return values
