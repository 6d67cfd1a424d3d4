"""``bitlif learn``: train a layer on the digits, on a teacher, or on files of your own."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bitlif.sim
from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.model.files.target_file import load_targets
from bitlif.model.files.weight_file import load_weights, save_weights
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.text import path_text
from bitlif.sim.backends.learner import CoreLearner
from bitlif.sim.backends.serial import PREFIX
from bitlif.tasks.digits import (
    CLASSES,
    PIXELS,
    Epoch,
    check_digits_layer,
    judged_by,
    load_digits_task,
    orders,
    train,
)
from bitlif.tasks.learner import Learner
from bitlif.tasks.teacher import (
    WINDOWS,
    coincidences,
    learn_from_teacher,
    make_teacher_task,
    teacher_correlation,
)

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
from .support.resume import Earlier, check_resume, data_hash, resume, save_state


class Outcome(NamedTuple):
    """What training gives.

    Attributes
    ----------
    report : dict
        Of all epochs, those before a --resume too.
    events : Events
        To run the layer with.
    seconds : float
        Of this call, in which so many `windows` were learned.
    windows : int
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
        Train a layer from zero (or given) weights. The data are scikit-learn's digits for a layer
        of 65 inputs and 10 neurons, else a teacher with hidden weights, or your own files: spikes
        as for `bitlif run`, targets as .npz with an array targets of shape (windows, neurons) or
        (windows, steps, neurons), raw integers or floats in 0 ..= 1. A board must have been built
        from the configuration that is written, with the LFSR seeds of --seed in it. With --resume,
        learning goes on where the earlier run in --out stopped, to the same bits as if it had never
        stopped, and the folder is replaced; give the same configuration, data and seed.
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
    parser.add_argument("--data", choices=("digits", "teacher"), help="task (default: by size)")
    parser.add_argument("--spikes", metavar="FILE", help="input spikes, with --targets")
    parser.add_argument("--targets", metavar="FILE", help="targets (.npz), with --spikes")
    add_duplicates(parser)
    parser.add_argument("--epochs", type=int, help="passes (default: 20; teacher: 400 windows)")
    parser.add_argument("--seed", type=int, default=0, help="of data, order and LFSRs (default: 0)")
    parser.add_argument("--initial", metavar="FILE", help="weights to begin with (default: zero)")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the earlier run in --out, --epochs more"
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
    if args.spikes and args.data:
        raise BitlifError("--data must be left out when --spikes gives the data")
    backend = chosen_backend(args)
    if args.resume:
        check_resume(args, backend)
        args.force = True
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(OutputFolder(Path(args.out), "learn", force=args.force))
        config = Config.load(args.config).seeded(args.seed)
        layer = _new_layer(backend, args.seed, config, stack)
        # A board is one layer: what else is needed runs on the model, which computes the same.
        beside = "model" if backend.startswith(PREFIX) else backend

        def new_layer() -> Learner:
            return _new_layer(beside, args.seed, config, stack)

        if args.initial:
            weights = load_weights(args.initial, config)
            real = isinstance(layer, FloatLayer)
            layer.load(weights * float(config.synapse.weight.lsb) if real else weights)
        if args.spikes:
            task = _from_files
        else:
            task = _digits if (args.data or _default_data(config)) == "digits" else _teacher
        return _finish(args, out, layer, backend, task(args, backend, layer, new_layer))


def _finish(
    args: argparse.Namespace, out: OutputFolder, layer: Learner, backend: str, done: Outcome
) -> int:  # fmt: skip
    """Write the folder and print the report."""
    config = layer.config
    report = {
        "config": config.name,
        "model": "float" if isinstance(layer, FloatLayer) else "integer",
        "backend": backend,
        "seed": args.seed,
        **done.report,
        "seconds": done.seconds,
        "learning_steps_per_second": done.windows * config.window.steps / done.seconds,
    }

    def fill(folder: Path) -> None:
        if isinstance(layer, FloatLayer):
            np.savez_compressed(folder / "float_weights.npz", weights=layer.weights)
        else:
            save_weights(folder / "weights.npz", layer.weights, config)
        (folder / "config.toml").write_text(dump_config(config), "utf-8")
        save_events(folder / "spikes.npz", done.events)
        save_state(folder, layer)
        (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")

    out.write(fill)
    if args.json:
        print_json(report)
    else:
        _print(report, out.path)
    return 0


def _new_layer(backend: str, seed: int, config: Config, stack: contextlib.ExitStack) -> Learner:
    """Return a layer that runs on the backend; the stack gives it back."""
    if backend == "float":
        return FloatLayer(config, seed=seed)
    if backend == "model":
        return Layer(config)
    return CoreLearner(stack.enter_context(bitlif.sim.open(config, backend)))


def _default_data(config: Config) -> str:
    sizes = config.layer
    return "digits" if (sizes.inputs, sizes.neurons) == (PIXELS + 1, CLASSES) else "teacher"


def _digits(
    args: argparse.Namespace, backend: str, layer: Learner, new_layer: Callable[[], Learner]
) -> Outcome:
    config = layer.config
    check_digits_layer(config)
    digits = load_digits_task(config.window.steps, args.seed)
    earlier = _earlier(args, backend, layer, "digits", digits.train.windows)
    epochs = args.epochs or 20
    probe: Learner = new_layer()
    if isinstance(probe, FloatLayer):
        probe = FloatLayer(config, seed=args.seed + 1)
    # Here and below a throw-away layer learns one window first: loading the engine is not timed.
    train(new_layer(), new_layer(), digits.head(1), 1, args.seed)
    start = time.perf_counter()
    with progress_bars() as bars:
        bar = bars.add_task("epochs", total=epochs)

        def step(epoch: Epoch) -> None:
            bars.update(
                bar, advance=1, description=f"test accuracy {100 * epoch.test_accuracy:.1f} %"
            )

        history = train(layer, probe, digits, epochs, args.seed, step, first=earlier.epochs)
    seconds = time.perf_counter() - start
    last = history[-1]
    report = {
        "data": "digits",
        "epochs": earlier.epochs + epochs,
        "windows": layer.windows_learned,
        "test_accuracy": last.test_accuracy,
        "train_accuracy": last.train_accuracy,
        "output_spikes_per_digit": last.spikes,
        "ties_go_to": "the lower class" if judged_by(probe)[1] else "the higher membrane",
        "test_accuracy_by_epoch": [
            *earlier.accuracies, *(epoch.test_accuracy for epoch in history)
        ],
        **_counters(earlier, [epoch.counters for epoch in history]),
    }  # fmt: skip
    return Outcome(report, digits.test, seconds, layer.windows_learned - earlier.windows)


def _teacher(
    args: argparse.Namespace, backend: str, layer: Learner, new_layer: Callable[[], Learner]
) -> Outcome:
    config = layer.config
    task = make_teacher_task(config, args.seed)
    windows = args.epochs or WINDOWS
    earlier = _earlier(args, backend, layer, "teacher", 1)
    learn_from_teacher(new_layer(), task, 1)
    start = time.perf_counter()
    with progress_bars() as bars:
        bar = bars.add_task("windows", total=windows)
        tallies = learn_from_teacher(
            layer, task, windows, report=lambda count: bars.update(bar, advance=count)
        )
    seconds = time.perf_counter() - start
    together, teacher = coincidences(layer, task)
    report = {
        "data": "teacher",
        "windows": earlier.windows + windows,
        "correlation_with_teacher": teacher_correlation(layer, task),
        "coincident_spikes": together,
        "teacher_spikes": teacher,
        **_counters(earlier, tallies),
    }
    return Outcome(report, task.events, seconds, windows)


def _from_files(
    args: argparse.Namespace, backend: str, layer: Learner, new_layer: Callable[[], Learner]
) -> Outcome:
    config = layer.config
    events = chosen_events(args, config)
    levels = load_targets(args.targets, config, events.windows)
    if events.windows == 0:
        raise BitlifError(f"spikes '{path_text(args.spikes)}' must hold at least one window, not 0")
    real = isinstance(layer, FloatLayer)
    targets: Any = levels / (1 << config.error.target_bits) if real else levels
    epochs = args.epochs or 1
    name = data_hash(events, levels)
    earlier = _earlier(args, backend, layer, name, events.windows)
    tallies = []
    spikes = 0
    new_layer().learn(events.select([0]), targets[:1])
    start = time.perf_counter()
    with progress_bars() as bars:
        bar = bars.add_task("epochs", total=epochs)
        for order in orders(events.windows, epochs, args.seed, first=earlier.epochs):
            result = layer.learn(events.select(order), targets[order])
            tallies.append(result.counters)
            spikes = int(result.counts.sum())
            bars.update(bar, advance=1)
    seconds = time.perf_counter() - start
    report = {
        "data": args.spikes,
        "data_hash": name,
        "epochs": earlier.epochs + epochs,
        "windows": layer.windows_learned,
        "output_spikes_per_window": spikes / events.windows,
        **_counters(earlier, tallies),
    }
    return Outcome(report, events, seconds, layer.windows_learned - earlier.windows)


def _earlier(
    args: argparse.Namespace, backend: str, layer: Learner, data: str, per_epoch: int
) -> Earlier:
    """Return what was learned before this call, and set the layer to it."""
    return resume(args, layer, backend, data, per_epoch) if args.resume else Earlier()


def _counters(earlier: Earlier, tallies: list[dict[str, int]]) -> dict[str, int]:
    """Return the sums of counters over calls."""
    known = [earlier.counters] if earlier.counters else []
    return {name: sum(tally[name] for tally in (*known, *tallies)) for name in tallies[0]}


def _print(report: dict[str, Any], out: Path) -> None:
    screen = console()
    screen.print(report_table("learned", report))
    screen.print(f"written to {out}")
