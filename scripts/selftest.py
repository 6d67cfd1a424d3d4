"""``bitlif selftest``: run a board over its serial port and compare it with the model."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from bitlif.host.link import Link
from bitlif.host.serial_port import BAUD, MAX_BAUD, open_serial
from bitlif.model.config.network import NetworkConfig, load_any_config, outer
from bitlif.model.errors import require_int
from bitlif.sim.backends.network_serial import NetworkSerialCore
from bitlif.sim.backends.serial import PREFIX, SerialCore
from bitlif.sim.compare.network_expected import random_network_work
from bitlif.tasks.scenario import NetworkWork, Work
from bitlif.tasks.stimulus import random_work

from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    result_table,
)
from .support.board_config import config_on_board

AXES = {"raster": ("window", "step", "neuron"), "weights": ("input", "neuron")}
"""Axes of the arrays compared; all others have one axis."""

UNSEEN = "synaptic_events"
"""Counter that a board does not show of the layers after the first."""


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
            signal = name.rpartition(": ")[2].partition(",")[0]
            axes = AXES.get(signal, ("number",)) if ours.size > 1 else ()
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
        integer model bit for bit, of a network those of every layer. Exits with status 1 on a
        mismatch and reports the first value that differs. Weights and state on the board are
        overwritten. Without CONFIG, the hash of the board's configuration must be that of a
        ready-made one, with any number of lanes.
        """,
        (
            "bitlif selftest --port /dev/ttyUSB1",
            "bitlif selftest out/icebreaker/config.toml --port /dev/ttyUSB1",
            "bitlif selftest digits-96 --inference --port /dev/ttyUSB1",
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
        "--inference", action="store_true", help="the board has no learning hardware: run windows"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of spikes, weights and targets (default: 0)"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the test and report whether board and model agree."""
    windows = require_int("--windows", args.windows, 1, 1_000_000)
    seed = require_int("--seed", args.seed, 0, (1 << 31) - 1)
    baud = require_int("--baud", args.baud, 1, MAX_BAUD)
    given = load_any_config(args.config) if args.config else None
    # Opened before the model runs, so that a missing port is reported at once.
    link = Link(open_serial(args.port, baud))
    config = given or config_on_board(link)
    learning, backend = not args.inference, f"{PREFIX}{args.port}@{baud}"
    work: Work | NetworkWork
    kind: Any
    if isinstance(config, NetworkConfig):
        kind, work = NetworkSerialCore, random_network_work(config, seed, windows, learns=learning)
    else:
        kind, work = SerialCore, random_work(config, seed, windows)
    began = time.monotonic()
    with kind(config, backend, learning=learning, link=link) as board:
        checks = _compare(board, work, learning=learning)
    agree = not checks.first
    report = {
        "config": config.name, "port": args.port, "baud": baud, "windows": windows, "seed": seed,
        "learning": learning, "agree": agree, "first": checks.first,
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


def _compare(board: Any, work: Work | NetworkWork, *, learning: bool) -> Checks:
    """Run the same windows on board and model, and compare everything."""
    checks = Checks({})
    model = board.fresh()
    with progress_bars() as bars:
        bar = bars.add_task("loading weights", total=work.events.windows)
        for core in (board, model):
            core.load(work.weights)
        _compare_weights(checks, "weights, read back", board.weights(), work.weights)
        bars.update(bar, description="learning" if learning else "running")
        rasters: tuple[list[Any], list[Any]] = ([], [])
        # One window at a time, to update the progress bar.
        for w in range(work.events.windows):
            for core, raster in zip((board, model), rasters, strict=True):
                raster.append(_window(core, work, w, learning))
            bars.update(bar, advance=1)
        bars.update(bar, description="reading back")
        checks.compare("raster", np.concatenate(rasters[0]), np.concatenate(rasters[1]))
        _compare_weights(checks, "weights, learned", board.weights(), model.weights())
        if isinstance(work, NetworkWork):
            _compare_layers(checks, board, model)
        else:
            _compare_state(checks, board.state(), model.state())
            _compare_counters(checks, "counters", board.counters(), model.counters())
        checks.compare("signature", board.signature(), model.signature())
    return checks


def _window(core: Any, work: Work | NetworkWork, w: int, learning: bool) -> Any:
    """Run one window, learned if the board can learn, and return its raster."""
    assert work.targets is not None
    teacher = outer(core.config).membrane.reset == "teacher"
    goals = work.targets[w : w + 1] if learning or teacher else None
    return core.run(work.events.select([w]), goals, learn=learning).raster


def _compare_layers(checks: Checks, board: Any, model: Any) -> None:
    """Compare what a network keeps in each layer."""
    states = zip(board.state(), model.state(), strict=True)
    for number, (found, expected) in enumerate(states):
        _compare_state(checks, found, expected, f"layer.{number}: ")
    pairs = zip(board.layer_counters(), model.layer_counters(), strict=True)
    for number, (counted, due) in enumerate(pairs):
        shown = {name: count for name, count in due.items() if not number or name != UNSEEN}
        _compare_counters(checks, f"layer.{number}: counters", counted, shown)
    pairs = zip(board.sweep_lfsr(), model.sweep_lfsr(), strict=True)
    for number, (own, other) in enumerate(pairs):
        if other:
            checks.compare(f"layer.{number}: sweep lfsr", own, other)
    signed = zip(board.layer_signatures(), model.layer_signatures(), strict=True)
    for number, (own, other) in enumerate(signed):
        checks.compare(f"layer.{number}: signature", own, other)


def _compare_weights(checks: Checks, name: str, board: Any, model: Any) -> None:
    """Compare the weights of a layer, or of all layers of a network."""
    if not isinstance(model, list):
        checks.compare(name, board, model)
        return
    for number, (own, other) in enumerate(zip(board, model, strict=True)):
        checks.compare(f"layer.{number}: {name}", own, other)


def _compare_state(checks: Checks, board: Any, model: Any, prefix: str = "") -> None:
    """Compare what the next window of a layer starts from."""
    for name in (one.name for one in fields(board)):
        title = prefix + name.replace("_", " ")
        checks.compare(title, getattr(board, name), getattr(model, name))


def _compare_counters(checks: Checks, title: str, board: Any, model: dict[str, int]) -> None:
    """Compare the counters that a board shows."""
    names = tuple(name.replace("_", " ") for name in model)
    checks.compare(title, [board[name] for name in model], list(model.values()), names)


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
