"""FPGA resources and clock frequency of a point, estimated or from synthesis."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from bitlif.fpga.estimate import clock_of, estimate
from bitlif.fpga.families import BLOCKS, CELLS, MULTIPLIERS, REGISTERS, family_named
from bitlif.model.clocks import full_step
from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import require_choice
from bitlif.model.storage.cache import cached, key_of

PLACEMENT_SEED = 1


def require_board(name: str) -> None:
    """Raise BitlifError unless the board is known."""
    from bitlif.fpga.boards import BOARDS

    require_choice("board", name, tuple(BOARDS))


@functools.lru_cache(maxsize=1024)
def _area(config: Config, board: str, synthesise: bool) -> tuple[tuple[str, float], ...]:
    from bitlif.fpga.boards import BOARDS

    family = BOARDS[board].family
    if synthesise:
        values = placed(config, family)
    else:
        size = estimate(config, family).total
        values = {
            "cells": size[CELLS],
            "flip_flops": size[REGISTERS],
            "block_rams": size[BLOCKS],
            "multipliers": size[MULTIPLIERS],
            "mhz": clock_of(board).mhz,
        }
    clocks = full_step(config, learn=True, learning_core=True)
    values["steps_per_s"] = 1e6 * values["mhz"] / clocks
    return tuple(values.items())


def area(config: Config, board: str, *, synthesise: bool) -> dict[str, float]:
    """Return the metrics of `bitlif.study.search.metrics.AREA`.

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
