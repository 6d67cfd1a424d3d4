"""``bitlif selftest``: run a board over its serial port and compare it with the model."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from bitlif.hdl.bus.registers import REGISTERS
from bitlif.host.link import Link
from bitlif.host.serial_port import BAUD, MAX_BAUD, open_serial
from bitlif.model.config.config import Config, ready_made
from bitlif.model.config.toml import config_hash
from bitlif.model.errors import BitlifError, require_int
from bitlif.sim.backends.core import Core
from bitlif.sim.backends.models import ModelCore
from bitlif.sim.backends.serial import PREFIX, SerialCore
from bitlif.tasks.scenario import Work
from bitlif.tasks.stimulus import random_work

from .console.configuration import load_layer
from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    result_table,
)

AXES = {"raster": ("window", "step", "neuron"), "weights": ("input", "neuron")}
"""Axes of the arrays compared; all others have one axis."""


@dataclass(slots=True)
class Check:
    """Number of values compared under one name, and how many of them differ."""

    values: int = 0
    differ: int = 0


@dataclass(slots=True)
class Checks:
    """Everything that was compared.

    Attributes
    ----------
    by : dict of str to Check
        Numbers of values, by what was compared.
    first : str
        Description of the first value that differs; empty if all are equal.
    """

    by: dict[str, Check]
    first: str = ""

    def compare(self, name: str, board: Any, model: Any, names: tuple[str, ...] = ()) -> None:
        """Compare two arrays or numbers; `names` are the names of their elements, if any."""
        ours, theirs = np.atleast_1d(np.asarray(board)), np.atleast_1d(np.asarray(model))
        check = self.by.setdefault(name, Check())
        differ = ours != theirs
        check.values += differ.size
        check.differ += int(differ.sum())
        if self.first or not differ.any():
            return
        place = tuple(np.argwhere(differ)[0].tolist())
        if names:
            where = [names[place[0]]]
        else:
            axes = AXES.get(name.partition(",")[0], ("number",)) if ours.size > 1 else ()
            where = [f"{axis} {index}" for axis, index in zip(axes, place, strict=False)]
        what = ", ".join([name, *where])
        self.first = f"{what}: {ours[place]} on the board, {theirs[place]} in the model"


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "selftest",
        run,
        "run a board over its serial port and compare it with the model",
        """
        Opens the board, loads random weights and reads them back, runs learning windows of random
        spikes and targets, and compares spikes, weights, state, counters and signature with the
        integer model bit for bit. Exits with status 1 on a mismatch and reports the first value
        that differs. Weights and state on the board are overwritten. Without CONFIG, the hash of
        the board's configuration must be that of a ready-made one, with any number of lanes.
        """,
        (
            "bitlif selftest --port /dev/ttyUSB1",
            "bitlif selftest out/icebreaker/config.toml --port /dev/ttyUSB1",
            "bitlif selftest digits --port COM3 --baud 115200 --windows 20 --json",
        ),
    )
    parser.add_argument(
        "config",
        metavar="CONFIG",
        nargs="?",
        help="TOML file or ready-made name (default: read from the board)",
    )
    parser.add_argument("--port", required=True, metavar="PATH", help="serial port of the board")
    parser.add_argument(
        "--baud", type=int, default=BAUD, help=f"baud rate of the bitstream (default: {BAUD})"
    )
    parser.add_argument("--windows", type=int, default=20, help="windows to learn (default: 20)")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of spikes, weights and targets (default: 0)"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the test and report whether board and model agree."""
    windows = require_int("--windows", args.windows, 1, 1_000_000)
    seed = require_int("--seed", args.seed, 0, (1 << 31) - 1)
    baud = require_int("--baud", args.baud, 1, MAX_BAUD)
    given = load_layer(args.config) if args.config else None
    # Opened before the model runs, so that a missing port is reported at once.
    link = Link(open_serial(args.port, baud))
    config = given or _config_there(link)
    work = random_work(config, seed, windows)
    began = time.monotonic()
    with SerialCore(config, f"{PREFIX}{args.port}@{baud}", link=link) as board:
        checks = _compare(board, work)
    agree = not checks.first
    report = {
        "config": config.name, "port": args.port, "baud": baud, "windows": windows, "seed": seed,
        "agree": agree, "first": checks.first,
        "compared": {name: check.values for name, check in checks.by.items()},
        "mismatches": {name: check.differ for name, check in checks.by.items()},
        "frames": link.sent, "resent": link.resent, "bad answers": link.bad_answers,
        "seconds": time.monotonic() - began,
    }  # fmt: skip
    if args.json:
        print_json(report)
    else:
        _print(report)
    return 0 if agree else 1


def _config_there(link: Link) -> Config:
    """Return the ready-made configuration that a board was built from.

    Raises
    ------
    BitlifError
        If it was built from another configuration.
    """
    link.open()
    low, high = link.read(REGISTERS["CONFIG_HASH_LOW"].offset, 2)
    lanes = link.read(REGISTERS["LANES"].offset)[0]
    there = f"{high << 32 | low:016x}"
    for name in ready_made():
        config = Config.load(name)
        if 1 <= lanes <= min(config.layer.neurons, 256):
            if lanes != config.layer.lanes:
                # The widths of the gates may not suit other lanes. The host does not need them.
                config = config.replace(layer__lanes=lanes, gates__synapses=0, gates__products=0)
            if config_hash(config) == there:
                return config
    raise BitlifError(
        f"CONFIG must be given: {link.name} was built from configuration {there}, which is not "
        f"one of {', '.join(ready_made())}"
    )


def _compare(board: SerialCore, work: Work) -> Checks:
    """Run the same learning windows on board and model, and compare everything."""
    checks = Checks({})
    model = ModelCore(work.config)
    with progress_bars() as bars:
        bar = bars.add_task("loading weights", total=work.events.windows)
        cores: tuple[Core, Core] = (board, model)
        for core in cores:
            core.load(work.weights)
        checks.compare("weights, read back", board.weights(), work.weights)
        bars.update(bar, description="learning")
        rasters: tuple[list[Any], list[Any]] = ([], [])
        # One window at a time, to update the progress bar.
        for w in range(work.events.windows):
            for core, raster in zip(cores, rasters, strict=True):
                raster.append(_window(core, work, w))
            bars.update(bar, advance=1)
        bars.update(bar, description="reading back")
        checks.compare("raster", np.concatenate(rasters[0]), np.concatenate(rasters[1]))
        checks.compare("weights, learned", board.weights(), model.weights())
        found, expected = board.state(), model.state()
        for name in (one.name for one in fields(found)):
            title = name.replace("_", " ")
            checks.compare(title, getattr(found, name), getattr(expected, name))
        counted, due = board.counters(), model.counters()
        names = tuple(name.replace("_", " ") for name in due)
        checks.compare("counters", list(counted.values()), list(due.values()), names)
        checks.compare("signature", board.signature(), model.signature())
    return checks


def _window(core: Core, work: Work, w: int) -> Any:
    """Learn one window and return its raster."""
    assert work.targets is not None
    return core.learn(work.events.select([w]), work.targets[w : w + 1]).raster


def _print(report: dict[str, Any]) -> None:
    out = console()
    rows = [
        (name, f"{values:,}", f"{report['mismatches'][name]:,}")
        for name, values in report["compared"].items()
    ]
    title = f"{report['config']}: {report['windows']} windows"
    out.print(result_table(title, ("compared", "values", "differ"), rows))
    out.print(
        f"{report['port']} at {report['baud']:,} baud: {report['frames']:,} frames, "
        f"{report['resent']:,} of them retries, {report['bad answers']:,} damaged answers, "
        f"{report['seconds']:.1f} s"
    )
    if report["first"]:
        out.print(f"first difference: {report['first']}", highlight=False)
    out.print("all agree" if report["agree"] else "MISMATCH")
