"""``bitlif learn``: train a layer on a task, or on your own files."""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np

import bitlif
from bitlif import tasks
from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.files.event_file import save_events
from bitlif.model.files.weight_file import load_weights, save_weights
from bitlif.sim.backends.core import Core

from .console.output_files import OutputFolder
from .console.terminal import (
    SubParsers,
    add_backend,
    add_command,
    add_duplicates,
    add_json,
    chosen_backend,
    console,
    print_json,
    report_table,
)
from .learning.from_targets import learn_targets
from .learning.from_task import learn_task
from .learning.outcome import Outcome
from .support.resume import check_resume, save_state


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "learn",
        run,
        "train a layer and write its weights",
        """
        Train a layer, starting from zero weights or from --initial. The default task depends on
        the size: a layer of 65 inputs and 10 neurons learns scikit-learn's digits, any other layer
        learns from a teacher with hidden weights. Tasks of installed packages are selected by
        their registered name or by MODULE:NAME. --spikes and --targets train on your own files
        instead: spikes as for `bitlif run`; targets as .npz with an array `targets` of shape
        (windows, neurons) or (windows, steps, neurons), raw integers or floats in 0 ..= 1. A board
        must have been built from the configuration that is written to --out, which contains the
        LFSR seeds derived from --seed. --resume continues the earlier run in --out, bit for bit as
        if it had not stopped, and replaces the folder; configuration, data and seed must match.
        """,
        (
            "bitlif learn tiny --out tiny-run",
            "bitlif learn digits --seed 3 --out digits-3",
            "bitlif learn digits --seed 3 --out digits-3 --epochs 5 --resume",
            "bitlif learn teacher --float --out teacher-float --json",
            "bitlif learn tiny --backend rtl --out tiny-rtl",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to write")
    parser.add_argument(
        "--task", "--data", metavar="NAME", dest="task",
        help="digits, teacher, another task's name or MODULE:NAME (default: by size)",
    )  # fmt: skip
    parser.add_argument("--spikes", metavar="FILE", help="input spikes, with --targets")
    parser.add_argument("--targets", metavar="FILE", help="targets (.npz), with --spikes")
    add_duplicates(parser)
    parser.add_argument(
        "--epochs", type=int, help="passes over the data (default: set by the task; digits: 20)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the data, their order and LFSRs (default: 0)"
    )
    parser.add_argument("--initial", metavar="FILE", help="initial weights (default: zero)")
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --out for --epochs more epochs"
    )
    add_backend(parser, "train")
    parser.add_argument("--force", action="store_true", help="replace an earlier result folder")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Train, write the folder, print the report."""
    require_int("--seed", args.seed, 0, (1 << 31) - 1)
    if args.epochs is not None:
        require_int("--epochs", args.epochs, 1, 1_000_000)
    if (args.spikes is None) != (args.targets is None):
        raise BitlifError("--spikes and --targets must be given together")
    if args.spikes and args.task:
        raise BitlifError("--task cannot be used with --spikes, which gives the data")
    task = tasks.get(args.task) if args.task else None
    backend = chosen_backend(args)
    if args.resume:
        check_resume(args, backend)
        args.force = True
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(OutputFolder(Path(args.out), "learn", force=args.force))
        config = Config.load(args.config).seeded(args.seed)
        options: dict[str, Any] = {"model": {"signature": False}}.get(backend, {})
        if backend == "float":
            options = {"units": "real", "seed": args.seed}
        core = stack.enter_context(bitlif.open(config, backend, **options))
        if args.initial:
            weights = load_weights(args.initial, config)
            real = core.units == "real"
            core.load(weights * float(config.synapse.weight.lsb) if real else weights)
        if args.spikes:
            done = learn_targets(args, core, stack)
        else:
            task = tasks.default_task(config) if task is None else task
            done = learn_task(args, task, core, stack)
        return _finish(args, out, core, done)


def _finish(args: argparse.Namespace, out: OutputFolder, core: Core, done: Outcome) -> int:
    """Write the folder and print the report."""
    config = core.config
    report = {
        "config": config.name,
        "model": "float" if core.backend == "float" else "integer",
        "backend": core.backend,
        "seed": args.seed,
        **done.report,
        "seconds": done.seconds,
        "learning_steps_per_second": done.windows * config.window.steps / done.seconds,
    }

    def fill(folder: Path) -> None:
        if core.backend == "float":
            np.savez_compressed(folder / "float_weights.npz", weights=core.weights())
        else:
            save_weights(folder / "weights.npz", core.weights(), config)
        (folder / "config.toml").write_text(dump_config(config), "utf-8")
        save_events(folder / "spikes.npz", done.events)
        save_state(folder, core)
        (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")

    out.write(fill)
    if args.json:
        print_json(report)
    else:
        _print(report, out.path)
    return 0


def _print(report: dict[str, Any], out: Path) -> None:
    screen = console()
    screen.print(report_table("learned", report))
    screen.print(f"written to {out}")
