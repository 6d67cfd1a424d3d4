"""``bitlif quantize``: the fewest bits with which a network in NIR keeps its accuracy."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bitlif.fpga.estimate import estimate
from bitlif.fpga.families import CELLS
from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.files.weight_file import save_network_weights
from bitlif.model.network import Network
from bitlif.model.text import path_text

from .console.output_files import OutputFolder, require_place
from .console.terminal import (
    SubParsers,
    add_command,
    add_duplicates,
    add_json,
    console,
    print_json,
    progress_bars,
    result_table,
)
from .drawing.pictures import require_matplotlib
from .drawing.quantise_figure import draw_trials
from .support.nir_source import (
    add_time,
    always_on,
    always_on_note,
    load_codes,
    load_spikes,
    name_of,
    read_network,
    save_with_always_on,
)

if TYPE_CHECKING:
    from bitlif.model.events import Events
    from bitlif.trained.quantise import Quantised

KIND = "quantize"

FILES = "bitlif quantize net.nir --data spikes.npz --labels labels.npz"

PAIR = "bitlif learn patterns --epochs 1 --out p && bitlif export patterns --weights p/weights.npz"

OWN = "bitlif quantize p.nir --data p/spikes.npz --labels p/labels.npz --loss 10 --out small"

FAMILY = "ecp5"

HELD = 4
"""With fine-tuning, one window of so many is kept to measure with."""


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "quantize",
        run,
        "find the fewest bits with which a network in NIR keeps its accuracy",
        """
        Reads a network as `bitlif import` does, and takes bits from the weights, the currents and
        the membranes of its layers as long as it tells the classes of --data with no more than
        --loss percentage points less than in real numbers. Of all formats that could lose a bit,
        the one is chosen that saves most estimated logic and memory. Writes DIR with config.toml,
        weights.npz, report.json and pareto.png.

        With --fine-tune, three quarters of the windows, drawn by --seed, train the quantised
        network in PyTorch; the rest measure, before and after. The windows of --test are used once,
        for the accuracies at the end.
        """,
        (
            f"{PAIR} -o p.nir && {OWN}",
            f"{FILES} --test test.npz --test-labels test_labels.npz --out small",
            f"{FILES} --loss 0.5 --sigma 0.1 --fine-tune 5 --out small --json",
        ),
    )
    parser.add_argument("file", metavar="FILE.nir", help="NIR file; its sidecar is not used")
    parser.add_argument("-o", "--out", metavar="DIR", required=True, help="folder to write")
    parser.add_argument("--data", metavar="FILE", required=True, help="spikes (.npz)")
    parser.add_argument("--labels", metavar="FILE", required=True, help="true classes of --data")
    parser.add_argument("--test", metavar="FILE", help="spikes (.npz) to test with at the end")
    parser.add_argument("--test-labels", metavar="FILE", help="true classes of --test")
    parser.add_argument(
        "--loss", type=float, default=1.0, help="accuracy to lose, in points (default: 1)"
    )
    add_time(parser)
    parser.add_argument(
        "--sigma", type=float, default=0.0, help="noise, in thresholds (default: 0, none)"
    )
    parser.add_argument("--fine-tune", type=int, metavar="EPOCHS", help="train with PyTorch")
    parser.add_argument("--seed", type=int, default=0, help="seed of --fine-tune (default: 0)")
    add_duplicates(parser)
    parser.add_argument("--force", action="store_true", help="replace an earlier result")
    add_json(parser)


class _Cost:
    """Estimated cells and bits of memory of the inference cores, each relative to the first."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None

    def __call__(self, network: NetworkConfig) -> float:
        cells, memory = logic_cells(network), memory_bits(network)
        first = self._first = self._first or (cells, memory)
        return cells / first[0] + memory / first[1]


def logic_cells(network: NetworkConfig) -> int:
    """Return the estimated cells of an ECP5 that the layers' cores for inference take."""
    return sum(estimate(own.config, FAMILY, learning=False).core[CELLS] for own in network.layers)


def memory_bits(network: NetworkConfig) -> int:
    """Return the bits of all weights, currents and membranes."""
    bits = 0
    for own in network.layers:
        config, sizes = own.config, own.config.layer
        state = config.synapse.current.bits + config.membrane.format.bits
        bits += sizes.neurons * (sizes.inputs * config.synapse.weight.bits + state)
    return bits


def run(args: argparse.Namespace) -> int:
    """Search, write the folder and report."""
    if (args.test is None) != (args.test_labels is None):
        raise BitlifError("--test and --test-labels need each other")
    if args.fine_tune is not None:
        require_int("--fine-tune", args.fine_tune, 1, 1000)
        if not args.sigma > 0:
            raise BitlifError(
                "--fine-tune needs --sigma above 0: without noise, spikes have no derivative"
            )
    require_int("--seed", args.seed, 0, (1 << 31) - 1)
    require_place("--out", Path(args.out), KIND, force=args.force)
    require_matplotlib()
    real = read_network(args)
    events = load_spikes(args.data, real, args.duplicates)
    labels = load_codes(args.labels, events, real)
    test: tuple[Events, Any] | None = None
    if args.test is not None:
        tested = load_spikes(args.test, real, args.duplicates, events.steps)
        test = tested, load_codes(args.test_labels, tested, real)
    with OutputFolder(Path(args.out), KIND, force=args.force) as out:
        found, weights, report = _quantised(args, real, events, labels, test)

        def fill(folder: Path) -> None:
            found.config.save(folder / "config.toml")
            save_network_weights(folder / "weights.npz", weights, found.config)
            save_with_always_on(folder, events, found.config)
            text = json.dumps(report, indent=1, allow_nan=False)
            (folder / "report.json").write_text(text + "\n", "utf-8")
            draw_trials(folder / "pareto.png", report)

        out.write(fill)
    if args.json:
        print_json({**report, "written": args.out})
    else:
        _show(report, args.out)
    return 0


def _quantised(
    args: argparse.Namespace, real: Any, events: Events, labels: Any, test: Any
) -> tuple[Quantised, list[Any], dict[str, Any]]:
    """Return the search's result, the final weights and the report."""
    from bitlif.trained.nir_compare import correct_windows, run_real
    from bitlif.trained.quantise import quantise

    held, train = np.arange(events.windows), np.arange(0)
    if args.fine_tune is not None:
        order = np.random.default_rng(args.seed).permutation(events.windows)
        held, train = np.sort(order[::HELD]), np.sort(np.delete(order, slice(None, None, HELD)))
        if not train.size:
            raise BitlifError("--fine-tune needs at least 2 windows, not 1")
    seen, codes = events.select(held), labels[held]
    with progress_bars() as bars:
        bar = bars.add_task("networks tried", total=None)
        found = quantise(
            real, run_real(real, seen), seen, codes, cost=_Cost(), loss=args.loss,
            sigma=args.sigma, name=name_of(args.file),
            progress=lambda: bars.update(bar, advance=1),
        )  # fmt: skip
        bars.update(bar, total=1, completed=1)
        accuracy = {
            "before": found.correct_before / seen.windows,
            "after": found.chosen.correct / seen.windows,
        }
        weights = found.weights
        if args.fine_tune is not None:
            from bitlif.trained.fine_tune import fine_tune

            bar = bars.add_task("fine-tuning", total=args.fine_tune)
            weights = fine_tune(
                found.config, weights, events.select(train), labels[train],
                epochs=args.fine_tune, seed=args.seed,
                held=always_on(real, found.config)["neurons"],
                progress=lambda: bars.update(bar, advance=1),
            )  # fmt: skip
            correct = correct_windows(_counts(found.config, weights, seen), codes)
            accuracy["fine_tuned"] = correct / seen.windows
            if correct < found.chosen.correct:
                weights = found.weights
    report = {
        "config": found.config.name,
        "hash": any_hash(found.config),
        "windows": seen.windows,
        "accuracy": accuracy,
        "fine_tuned": weights is not found.weights,
        "layers": [
            {
                "weight": str(own.config.synapse.weight),
                "current": str(own.config.synapse.current),
                "membrane": str(own.config.membrane.format),
            }
            for own in found.config.layers
        ],
        "cells": logic_cells(found.config),
        "memory_bits": memory_bits(found.config),
        "always_on": always_on(real, found.config),
        "trials": [_trial(own, seen.windows) for own in found.trials],
        "path": [_trial(own, seen.windows) for own in found.path],
    }
    if test is not None:
        tested, right = test
        counts = run_real(real, tested)[-1].spikes.sum(1)
        report["test_windows"] = tested.windows
        report["test_accuracy"] = {
            "before": correct_windows(counts, right) / tested.windows,
            "after": correct_windows(_counts(found.config, weights, tested), right)
            / tested.windows,
        }
    return found, weights, report


def _counts(config: NetworkConfig, weights: list[Any], events: Events) -> Any:
    from bitlif.trained.always_on import with_always_on

    core = Network(config)
    core.load(weights)
    return core.run(with_always_on(events, config)).output.counts


def _trial(trial: Any, windows: int) -> dict[str, Any]:
    bits = [list(own) for own in trial.bits]
    return {"bits": bits, "accuracy": trial.correct / windows, "cost": trial.cost}


def _show(report: dict[str, Any], out: str) -> None:
    screen = console()
    rows = [
        (str(number), own["weight"], own["current"], own["membrane"])
        for number, own in enumerate(report["layers"])
    ]
    title = f"the formats found, after {len(report['trials'])} trials"
    screen.print(result_table(title, ("layer", "weight", "current", "membrane"), rows))
    names = {
        "before": "in real numbers", "after": "quantised", "fine_tuned": "fine-tuned",
    }  # fmt: skip
    for key, title in (("accuracy", "accuracy"), ("test_accuracy", "test accuracy")):
        if key in report:
            shown = (f"{names[own]} {100 * value:.2f} %" for own, value in report[key].items())
            screen.print(f"{title}: {', '.join(shown)}")
    if "fine_tuned" in report["accuracy"] and not report["fine_tuned"]:
        screen.print("fine-tuning made it worse: the weights are those before it")
    for note in always_on_note(report["always_on"]):
        screen.print(note)
    screen.print(f"{report['cells']:,} cells by estimate, {report['memory_bits']:,} bits of memory")
    screen.print(f"written to {path_text(out)}", markup=False)
