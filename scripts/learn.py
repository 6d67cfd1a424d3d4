"""``bitlif learn``: train a layer on own data, on a task, or on spikes and targets."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

import bitlif
from bitlif import tasks
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, load_any_config, outer
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.files.weight_file import load_any_weights
from bitlif.sim.backends.core import Core
from bitlif.tasks.data_file import Data, load_data
from bitlif.tasks.finding import warn_of_findings
from bitlif.tasks.label_file import load_labels
from bitlif.tasks.readouts import READOUTS

from .console.output_files import OutputFolder
from .console.terminal import (
    SubParsers,
    add_backend,
    add_command,
    add_duplicates,
    add_json,
    chosen_backend,
    chosen_events,
    print_json,
)
from .learning.from_targets import learn_targets
from .learning.from_task import learn_task
from .learning.outcome import Outcome
from .learning.own_data import (
    READOUT,
    OwnData,
    add_data_options,
    own_data,
    require_data_file,
    require_layer,
)
from .learning.results import fill_folder, print_result
from .support.resume import check_resume

WINE = (
    "bitlif new wine --data sklearn:wine && "
    "bitlif learn wine.toml --data sklearn:wine --out wine-run"
)
SPIKES = (
    "bitlif encode sklearn:iris -o iris.npz && "
    "bitlif new iris --spikes iris.npz --labels iris.labels.npz && "
    "bitlif learn iris.toml --spikes iris.npz --labels iris.labels.npz --out iris-run"
)


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "learn",
        run,
        "train a layer or a network on own data or a task, and write its weights",
        """
        Train a layer, starting from zero weights or from --initial; or a network, a CONFIG with
        [[layer]] tables, starting from weights drawn as its sections `initial` say.

        Own data: --data names a .csv, .tsv or .npz file with a label for each window (or a sample
        of scikit-learn), and `bitlif new NAME --data FILE` writes a configuration for it. A share
        of the windows, or another file, is kept to test with; the result has the accuracy, a table
        by class, the confusion matrix and pictures. Ready spikes (as for `bitlif run`) are given by
        --spikes with --labels, or with --targets: .npz with an array `targets` of shape (windows,
        neurons) or (windows, steps, neurons): floats in 0 ..= 1, booleans, or raw integers (of
        dtype uint16 if all are 0 or 1); or labels of shape (windows,).

        Without data, the layer learns a --task: one of 65 inputs and 10 neurons scikit-learn's
        digits, the configuration `patterns` three patterns that differ in time only, any other one
        a teacher with hidden weights. Tasks of installed packages are selected by their registered
        name or by MODULE:NAME.

        After the training, what is out of range is told as warnings with their likely cures. A
        board must have been built from the configuration that is written to --out, which contains
        the LFSR seeds derived from --seed. --resume continues the earlier run in --out, bit for bit
        as if it had not stopped, and replaces the folder; configuration, data and seed must match.
        """,
        (
            "bitlif learn tiny --out tiny-run",
            WINE,
            SPIKES,
            "bitlif learn digits --seed 3 --out digits-3",
            "bitlif learn digits --seed 3 --out digits-3 --epochs 5 --resume",
            "bitlif learn patterns --out patterns-run",
            "bitlif learn teacher --float --out teacher-float --json",
            "bitlif learn tiny --backend rtl --out tiny-rtl",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to write")
    parser.add_argument("--data", metavar="FILE", help="windows with labels: .csv, .tsv or .npz")
    parser.add_argument("--spikes", metavar="FILE", help="input spikes, with --labels or --targets")
    parser.add_argument("--targets", metavar="FILE", help="targets (.npz) of --spikes")
    add_data_options(parser)
    parser.add_argument(
        "--readout", choices=READOUTS, help=f"how a class is read (default: {READOUT})"
    )
    parser.add_argument(
        "--task", metavar="NAME",
        help="digits, teacher, patterns, another task's name or MODULE:NAME (default: by size)",
    )  # fmt: skip
    add_duplicates(parser)
    parser.add_argument(
        "--epochs", type=int,
        help="passes over the data (default: as many as the schedule of own data has, or set by "
        "the task; digits: 20)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=0,
        help="seed of the split, the order, spikes and LFSRs (default: 0)",
    )  # fmt: skip
    parser.add_argument("--initial", metavar="FILE", help="initial weights (default: zero)")
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --out for --epochs more epochs"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with status 1 if something is out of range"
    )
    add_backend(parser, "train")
    parser.add_argument("--force", action="store_true", help="replace an earlier result folder")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Train, write the folder, print the report."""
    _check(args)
    task = tasks.get(args.task) if args.task else None
    backend = chosen_backend(args)
    if args.resume:
        check_resume(args, backend)
        args.force = True
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(OutputFolder(Path(args.out), "learn", force=args.force))
        config = load_any_config(args.config).seeded(args.seed)
        own = _own(args, config)
        options: dict[str, Any] = {"model": {"signature": False}}.get(backend, {})
        if backend == "float":
            options = {"units": "real", "seed": args.seed}
        core = stack.enter_context(bitlif.open(config, backend, **options))
        if args.initial:
            _load_initial(args.initial, core, config)
        if args.targets:
            done = learn_targets(args, core, stack)
        elif own is not None:
            done = learn_task(args, own.task, core, stack, own)
        else:
            task = tasks.default_task(config) if task is None else task
            done = learn_task(args, task, core, stack)
        return _finish(args, out, core, done)


def _load_initial(path: str, core: Core, config: Config | NetworkConfig) -> None:
    """Load the weights of ``--initial`` in the units of a core."""
    weights: Any = load_any_weights(path, config)
    if core.units != "real":
        core.load(weights)
    elif isinstance(config, NetworkConfig):
        pairs = zip(weights, config.layers, strict=True)
        core.load([raw * float(own.config.synapse.weight.lsb) for raw, own in pairs])  # type: ignore[arg-type]
    else:
        core.load(weights * float(config.synapse.weight.lsb))


def _check(args: argparse.Namespace) -> None:
    """Raise unless the options go together."""
    require_int("--seed", args.seed, 0, (1 << 31) - 1)
    if args.epochs is not None:
        require_int("--epochs", args.epochs, 1, 1_000_000)
    given = [name for name in ("data", "spikes", "task") if getattr(args, name)]
    if len(given) > 1:
        raise BitlifError(
            f"--{given[0]} cannot be used with --{given[1]}, which gives other windows"
        )
    if args.data:
        require_data_file(args.data, tasks.names())
    if args.targets and not args.spikes:
        raise BitlifError("--targets needs --spikes")
    if args.spikes and bool(args.targets) == bool(args.labels):
        raise BitlifError("--spikes needs either --labels or --targets")
    labelled = args.data or (args.spikes and args.labels)
    for name in ("labels", "test", "encoder", "option", "readout"):
        if getattr(args, name) and not labelled:
            raise BitlifError(f"--{name} needs --data, or --spikes with --labels")


def _own(args: argparse.Namespace, config: Config | NetworkConfig) -> OwnData | None:
    """Return the task on --data, or on --spikes with --labels; None without them."""
    if args.data:
        data, source = load_data(args.data, args.labels), args.data
    elif args.spikes and args.labels:
        events = chosen_events(args, config)
        labels = load_labels(args.labels, events.windows)
        data, source = Data.of(events, labels.values), args.spikes
    else:
        return None
    own = own_data(args, "data", data, source)
    require_layer(own, config)
    return own


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
        "learning_steps_per_second": done.windows * outer(config).window.steps / done.seconds,
        "findings": [finding.to_json() for finding in done.findings],
    }
    out.write(lambda folder: fill_folder(folder, core, done, report))
    if args.json:
        print_json(report)
    else:
        print_result(report, done, out.path)
    wrong = warn_of_findings(done.findings)
    return 1 if wrong and args.strict else 0
