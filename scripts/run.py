"""``bitlif run``: spikes through a layer or a network with given weights."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import bitlif
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, load_any_config, outer
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.model.files.target_file import load_targets
from bitlif.model.files.weight_file import load_any_weights
from bitlif.model.result import Result
from bitlif.model.text import path_text
from bitlif.sim.backends.network_core import NetworkCore
from bitlif.sim.backends.serial import PREFIX
from bitlif.tasks.independent import CLEARED, run_independent
from bitlif.tasks.label_file import Labels, load_labels
from bitlif.tasks.learner import as_learner
from bitlif.tasks.readouts import READOUTS, readout
from bitlif.tasks.scores import confusion_matrix

from .console.class_tables import class_tables
from .console.output_files import OutputFile, OutputFolder
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
    report_table,
)
from .learning.judged import scores_report
from .learning.layers import layer_table, run_apart
from .learning.trained import is_trained, load_trained
from .support.resume import counters_of

WINE = (
    "bitlif new wine --data sklearn:wine && "
    "bitlif learn wine.toml --data sklearn:wine --out wine-run"
)

MODELS = ("float", "model")
"""Backends that are not gates."""

FORWARD_COUNTERS = ("current_saturations", "membrane_saturations", "synaptic_events")
"""Counters of a layer of a network that a run without learning increments."""

SHOWN = 32
"""Most values of a list that are printed."""

CHAIN = (
    "bitlif learn tiny --out tiny-run && "
    "bitlif run tiny --weights tiny-run/weights.npz --spikes tiny-run/spikes.npz"
)


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "run",
        run,
        "run input spikes or own data through a layer or a network with given weights",
        """
        Run all windows of a spike file through a layer or a network, without learning. Spike files
        are .npz (arrays addresses, pointers, steps, units) or text with one 'time address' per line
        (AER). With --labels, the windows are classified, and the accuracy, a table by class and the
        confusion matrix are printed.

        CONFIG can be a result folder of `bitlif learn`, which has weights, test windows and labels;
        and the encoder of own data, so that --data classifies the windows of another file.

        The output spikes of a network are those of its last layer. --layers writes the spikes of
        every layer, hidden ones too, to a folder: layer.0.npz, layer.1.npz and so on.
        """,
        (
            CHAIN,
            f"{WINE} && bitlif run wine-run",
            "bitlif run wine-run --data sklearn:wine --json",
            "bitlif run digits --weights out/demo/weights.npz --spikes out/demo/spikes.npz --json",
            f"{CHAIN} --backend rtl",
        ),
    )
    parser.add_argument(
        "config", metavar="CONFIG", help="TOML file, ready-made name, or folder of bitlif learn"
    )
    parser.add_argument("--weights", metavar="FILE", help="weights (.npz); needed unless a folder")
    parser.add_argument("--spikes", metavar="FILE", help="input spikes; needed unless a folder")
    add_duplicates(parser)
    parser.add_argument(
        "--data", metavar="FILE", help="windows to encode as in training: .csv, .tsv or .npz"
    )
    parser.add_argument(
        "--labels", metavar="FILE",
        help="true classes of the windows (.npz, .csv, .txt); of --data, their column or array",
    )  # fmt: skip
    parser.add_argument(
        "--readout", choices=READOUTS,
        help="how a class is read (default: as in training, or count)",
    )  # fmt: skip
    parser.add_argument(
        "--targets", metavar="FILE", help="targets (.npz); required if a teacher resets the neurons"
    )
    parser.add_argument("--out", metavar="FILE", help="write the output spikes here")
    parser.add_argument(
        "--layers", metavar="DIR", help="write the spikes of each layer of a network here"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace an earlier folder of --layers"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads (default: 1)")
    add_backend(parser, "run")
    add_json(parser)


class Inputs(NamedTuple):
    """What a run needs.

    Attributes
    ----------
    config : Config or NetworkConfig
    weights : (N, M) int64, or a list of them
    events : Events
    labels : Labels or None
        True classes of the windows.
    known : Labels or None
        Classes of the neurons of a trained classifier; its values do not matter.
    readout : str
    """

    config: Config | NetworkConfig
    weights: NDArray[np.int64] | list[NDArray[np.int64]]
    events: Events
    labels: Labels | None
    known: Labels | None
    readout: str


def run(args: argparse.Namespace) -> int:
    """Run the windows and print the result."""
    backend = chosen_backend(args)
    inputs = _inputs(args)
    config, events = outer(inputs.config), inputs.events
    levels = load_targets(args.targets, config, events.windows) if args.targets else None
    if args.layers and not isinstance(inputs.config, NetworkConfig):
        raise BitlifError("--layers needs a network, and CONFIG is a single layer: use --out")
    if args.layers and backend.startswith(("netlist:", PREFIX)):
        raise BitlifError(
            f"--layers must not be combined with --backend {backend}, which shows the spikes of "
            f"the last layer only: use --out"
        )
    if events.windows == 0:
        raise BitlifError(f"spikes '{path_text(args.spikes)}' must hold at least one window, not 0")
    files = {
        "CONFIG": args.config, "--weights": args.weights, "--spikes": args.spikes,
        "--targets": args.targets, "--data": args.data, "--labels": args.labels,
    }  # fmt: skip
    with ExitStack() as stack:
        out = stack.enter_context(OutputFile(Path(args.out), files)) if args.out else None
        folder = None
        if args.layers:
            folder = stack.enter_context(
                OutputFolder(Path(args.layers), "run", force=args.force, what="--layers")
            )
        result, predicted, seconds, told = _run_on(backend, args.threads, inputs, levels)
        layers = getattr(result, "layers", ())
        if out:
            out.write(lambda path: save_events(path, result.spikes))
        if folder:
            folder.write(lambda path: _save_layers(path, layers))
    steps = events.windows * events.steps
    counts = result.counts.sum(axis=0)
    report = {
        "config": config.name,
        **told,
        "windows": events.windows,
        "steps": steps,
        "input_spikes": events.count,
        "output_spikes": int(counts.sum()),
        "spikes_by_neuron": counts.tolist(),
        "output_rate": float(counts.sum() / (steps * config.layer.neurons)),
        **_scores(inputs, predicted),
        **{
            name: result.counters[name]
            for name in counters_of(backend, inputs.config)
            if name in result.counters
        },
        **_layers(inputs.config, layers, backend),
        "seconds": seconds,
        "neuron_steps_per_second": steps * config.layer.neurons / seconds,
    }
    if args.out:
        report["written"] = args.out
    if args.layers:
        report["layers_written"] = args.layers
    if args.json:
        print_json(report)
        return 0
    screen = console()
    screen.print(report_table("run", report))
    for table in class_tables(report):
        screen.print(table)
    if (table := layer_table(report)) is not None:
        screen.print(table)
    if "predicted" in report:
        screen.print(f"classes of the windows: {_listed(report['predicted'], 'windows')}")
    screen.print(f"spikes by neuron: {_listed(counts.tolist(), 'neurons')}")
    return 0


def _save_layers(folder: Path, layers: Sequence[Result]) -> None:
    for number, own in enumerate(layers):
        save_events(folder / f"layer.{number}.npz", own.spikes)


def _layers(
    config: Config | NetworkConfig, layers: Sequence[Result], backend: str
) -> dict[str, Any]:
    """Return the entry of the report on the layers of a network."""
    if not isinstance(config, NetworkConfig):
        return {}
    found = []
    for own, result in zip(config.layers, layers, strict=True):
        counts = result.counts.sum(axis=0)
        windows, steps, neurons = result.raster.shape
        facts: dict[str, Any] = {"inputs": own.config.layer.inputs, "neurons": neurons}
        # A netlist does not show the spikes of hidden layers.
        if windows:
            facts |= {
                "spikes": int(counts.sum()),
                "spikes_per_window": float(counts.sum() / windows),
                "rate": float(counts.sum() / (windows * steps * neurons)),
                "silent_neurons": int((counts == 0).sum()),
            }
        names = [name for name in FORWARD_COUNTERS if name in result.counters]
        if backend == "float":
            names = ["synaptic_events"]
        found.append({**facts, **{name: result.counters[name] for name in names}})
    return {"layers": found}


def _listed(values: list[Any], what: str) -> str:
    more = f" ... ({len(values)} {what})" if len(values) > SHOWN else ""
    return " ".join(map(str, values[:SHOWN])) + more


def _inputs(args: argparse.Namespace) -> Inputs:
    """Return configuration, weights, spikes and labels, from files or from a result folder."""
    trained = None
    if is_trained(args.config):
        trained = load_trained(args.config)
        args.weights = args.weights or trained.weights
        if not args.spikes and not args.data:
            args.spikes = str(trained.folder / "spikes.npz")
            if trained.labels is not None:
                args.labels = args.labels or str(trained.folder / "labels.npz")
    elif args.data:
        raise BitlifError(
            f"--data needs the encoder of a training: CONFIG must be a folder of bitlif learn "
            f"--data, not '{path_text(args.config)}'"
        )
    if not args.weights or not (args.spikes or args.data):
        if trained is None:
            # A folder that does not exist is a likelier mistake than two missing options.
            load_any_config(args.config)
        raise BitlifError(f"--weights and --spikes are required, for example: {CHAIN}")
    if args.data and args.spikes:
        raise BitlifError("--data cannot be used with --spikes, which gives other windows")
    config = load_any_config(args.config) if trained is None else trained.config
    known = None if trained is None else trained.labels
    readout = args.readout or ("count" if trained is None else trained.readout)
    if trained is not None and args.data:
        events, labels = trained.encoded(args.data, args.labels)
        weights = load_any_weights(args.weights, config)
        return Inputs(config, weights, events, labels, known, readout)
    events = chosen_events(args, config)
    weights = load_any_weights(args.weights, config)
    labels = load_labels(args.labels, events.windows) if args.labels else None
    if labels is not None and labels.classes is None and known is not None:
        labels = known._replace(values=labels.values)
    return Inputs(config, weights, events, labels, known, readout)


def _scores(inputs: Inputs, predicted: NDArray[np.int64] | None) -> dict[str, Any]:
    """Return the entries of the report on the classes of the windows."""
    if predicted is None:
        return {}
    neurons = outer(inputs.config).layer.neurons
    if inputs.labels is None:
        assert inputs.known is not None
        names = inputs.known.neurons(neurons)[1]
        return {"readout": inputs.readout, "predicted": [names[own] for own in predicted]}
    true, names = inputs.labels.neurons(neurons)
    matrix = confusion_matrix(true, predicted, neurons)
    return {
        "readout": inputs.readout,
        "accuracy": float((true == predicted).mean()),
        **scores_report(names, matrix),
        "predicted": [names[own] for own in predicted],
    }


def _run_on(
    backend: str, threads: int, inputs: Inputs, levels: Any
) -> tuple[Result, NDArray[np.int64] | None, float, dict[str, Any]]:
    """Return the result, the predicted neurons, the time in seconds, and facts of the backend.

    Windows are classified only if there are labels, or the layer is a classifier.
    """
    config, events = inputs.config, inputs.events
    told: dict[str, Any] = {"model": "float" if backend == "float" else "integer"}
    told["backend"] = backend
    options: dict[str, Any] = {}
    if backend == "model":
        options = {"threads": threads, "signature": False}
    elif threads != 1:
        raise BitlifError(f"--threads must be 1 with --backend {backend}, not {threads}")
    elif backend == "float":
        options = {"seed": 0}
    labels = inputs.labels or inputs.known
    # Each window from a reset, as in training, unless its targets reset the neurons.
    independent = labels is not None and labels.independent and levels is None
    if labels is not None:
        # Labels are checked before any window runs.
        labels.neurons(outer(config).layer.neurons)
    if independent and backend == "model":
        # As after a reset before every window.
        config = config.replace(**CLEARED)
    with bitlif.open(config, backend, **options) as core:
        core.load(inputs.weights)  # type: ignore[arg-type]
        read = readout(inputs.readout)
        record = read.records(core) if labels is not None else ()
        if backend in MODELS:
            # A spare core runs one window first, so that loading the engine is not timed.
            first = None if levels is None else levels[:1]
            core.fresh().run(events.select([0]), first, record=record)
        start = time.perf_counter()
        if independent and backend != "model":
            if isinstance(core, NetworkCore):
                result: Result = run_apart(core, events, record=record)
            else:
                result = run_independent(as_learner(core), events, record=record)
        else:
            result = core.run(events, levels, record=record)
        seconds = time.perf_counter() - start
        if backend not in MODELS and not independent:
            clocks = {"clocks": core.clocks()} if core.counts_clocks else {}
            told |= {**clocks, "signature": f"{core.signature():08x}"}
        predicted = None if labels is None else read.classify(result)
        return result, predicted, seconds, told
