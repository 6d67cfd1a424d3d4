"""``bitlif learn``: train a layer on a task, or on your own files."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bitlif
from bitlif import tasks
from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError, BitlifTypeError, require_int
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.model.files.target_file import load_targets
from bitlif.model.files.weight_file import load_weights, save_weights
from bitlif.model.text import path_text, quoted
from bitlif.sim.backends.core import Core
from bitlif.tasks.task import Epoch, Task
from bitlif.tasks.training import checked_examples, orders

from .console.output_files import OutputFolder
from .console.terminal import (
    SubParsers,
    add_backend,
    add_command,
    add_duplicates,
    add_json,
    chosen_backend,
    chosen_events,
    console,
    print_json,
    progress_bars,
    report_table,
)
from .support.resume import (
    Earlier,
    check_resume,
    counters_of,
    data_hash,
    resume,
    save_state,
)


class Outcome(NamedTuple):
    """Outcome of training.

    Attributes
    ----------
    report : dict
        Covers all epochs, including those before a --resume.
    events : Events
        Windows to run the layer with.
    seconds : float
        Time of this call.
    windows : int
        Windows learned in this call.
    """

    report: dict[str, Any]
    events: Events
    seconds: float
    windows: int


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
            done = _from_files(args, core, stack)
        else:
            task = tasks.default_task(config) if task is None else task
            done = _learn(args, task, core, stack)
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


def _learn(
    args: argparse.Namespace, task: Task, core: Core, stack: contextlib.ExitStack
) -> Outcome:
    """Train on a task."""
    examples = checked_examples(task, core.config, args.seed)
    labelled = examples.train_labels is not None
    earlier = Earlier()
    if args.resume:
        windows = examples.train.windows
        earlier = resume(args, core, task.name, windows, length=task.length_field, tested=labelled)
    epochs = args.epochs or task.epochs
    probe = stack.enter_context(core.fresh())
    # A spare core learns one window first, so that loading the engine is not timed.
    spare = stack.enter_context(core.fresh())
    one = examples.head(1)
    tasks.train(spare, task, epochs=1, seed=args.seed, examples=one, probe=spare)
    start = time.perf_counter()
    with progress_bars() as bars:
        bar = bars.add_task(task.length_field, total=epochs)

        def step(epoch: Epoch) -> None:
            text = f"test accuracy {100 * epoch.test_accuracy:.1f} %" if labelled else None
            bars.update(bar, completed=epoch.number - earlier.epochs, description=text)

        history = tasks.train(
            core, task, epochs=epochs, seed=args.seed, progress=step, examples=examples,
            probe=probe, first=earlier.epochs,
        )  # fmt: skip
    seconds = time.perf_counter() - start
    told = _reported(task, task.report(core, probe, examples, history))
    if labelled:
        accuracies = [epoch.test_accuracy for epoch in history]
        told["test_accuracy_by_epoch"] = [*earlier.accuracies, *accuracies]
    counted = {"epochs": earlier.epochs + epochs} if task.length_field == "epochs" else {}
    report = {
        "data": task.name,
        **counted,
        "windows": core.windows_learned(),
        **told,
        **_counters(core, earlier, [epoch.counters for epoch in history]),
    }
    return Outcome(report, examples.test, seconds, core.windows_learned() - earlier.windows)


def _reported(task: Task, told: Any) -> dict[str, Any]:
    """Return what a task reports as values of JSON, with None for NaN and infinity, or raise."""
    if not isinstance(told, dict):
        raise BitlifTypeError(f"report of task '{task.name}' must be a dict, not {quoted(told)}")
    values = {}
    for name, value in told.items():
        plain = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        if isinstance(plain, float) and not np.isfinite(plain):
            plain = None
        try:
            json.dumps({name: plain}, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise BitlifTypeError(
                f"{quoted(name, 40)} in the report of task '{task.name}' must be finite numbers, "
                f"texts and lists, not {quoted(value, 60)}"
            ) from error
        values[name] = plain
    return values


def _from_files(args: argparse.Namespace, core: Core, stack: contextlib.ExitStack) -> Outcome:
    """Train on spikes and targets from files."""
    config = core.config
    events = chosen_events(args, config)
    levels = load_targets(args.targets, config, events.windows)
    if events.windows == 0:
        raise BitlifError(f"spikes '{path_text(args.spikes)}' must hold at least one window, not 0")
    real = core.units == "real"
    targets: Any = levels / (1 << config.error.target_bits) if real else levels
    epochs = args.epochs or 1
    name = data_hash(events, levels)
    earlier = resume(args, core, name, events.windows) if args.resume else Earlier()
    tallies = []
    spikes = 0
    stack.enter_context(core.fresh()).learn(events.select([0]), targets[:1])
    start = time.perf_counter()
    with progress_bars() as bars:
        bar = bars.add_task("epochs", total=epochs)
        for order in orders(events.windows, epochs, args.seed, first=earlier.epochs):
            result = core.learn(events.select(order), targets[order])
            tallies.append(result.counters)
            spikes = int(result.counts.sum())
            bars.update(bar, advance=1)
    seconds = time.perf_counter() - start
    report = {
        "data": args.spikes,
        "data_hash": name,
        "epochs": earlier.epochs + epochs,
        "windows": core.windows_learned(),
        "output_spikes_per_window": spikes / events.windows,
        **_counters(core, earlier, tallies),
    }
    return Outcome(report, events, seconds, core.windows_learned() - earlier.windows)


def _counters(core: Core, earlier: Earlier, tallies: list[dict[str, int]]) -> dict[str, int]:
    """Return the sums of counters over calls."""
    known = [earlier.counters] if earlier.counters else []
    names = counters_of(core.backend)
    return {name: sum(tally[name] for tally in (*known, *tallies)) for name in names}


def _print(report: dict[str, Any], out: Path) -> None:
    screen = console()
    screen.print(report_table("learned", report))
    screen.print(f"written to {out}")
