"""``bitlif run``: spikes through a layer with given weights."""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bitlif
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.model.files.target_file import load_targets
from bitlif.model.files.weight_file import load_weights
from bitlif.model.result import Result
from bitlif.model.text import path_text

from .console.output_files import OutputFile
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
from .support.resume import counters_of

MODELS = ("float", "model")
"""Backends that are not gates."""

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
        "run input spikes through a layer with given weights",
        """
        Run all windows of a spike file through a layer, without learning. Spike files are .npz
        (arrays addresses, pointers, steps, units) or text with one 'time address' per line (AER).
        """,
        (
            CHAIN,
            "bitlif run digits --weights out/demo/weights.npz --spikes out/demo/spikes.npz --json",
            f"{CHAIN} --backend rtl",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("--weights", metavar="FILE", help="weights (.npz); required")
    parser.add_argument("--spikes", metavar="FILE", help="input spikes; required")
    add_duplicates(parser)
    parser.add_argument(
        "--targets", metavar="FILE", help="targets (.npz); required if a teacher resets the neurons"
    )
    parser.add_argument("--out", metavar="FILE", help="write the output spikes here")
    parser.add_argument("--threads", type=int, default=1, help="threads (default: 1)")
    add_backend(parser, "run")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the windows and print the result."""
    if not args.weights or not args.spikes:
        raise BitlifError(f"--weights and --spikes are required, for example: {CHAIN}")
    backend = chosen_backend(args)
    config = Config.load(args.config)
    events = chosen_events(args, config)
    weights = load_weights(args.weights, config)
    levels = load_targets(args.targets, config, events.windows) if args.targets else None
    if events.windows == 0:
        raise BitlifError(f"spikes '{path_text(args.spikes)}' must hold at least one window, not 0")
    inputs = {
        "CONFIG": args.config, "--weights": args.weights, "--spikes": args.spikes,
        "--targets": args.targets,
    }  # fmt: skip
    with ExitStack() as stack:
        out = stack.enter_context(OutputFile(Path(args.out), inputs)) if args.out else None
        result, seconds, told = _run_on(backend, args.threads, config, weights, events, levels)
        if out:
            out.write(lambda path: save_events(path, result.spikes))
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
        **{name: result.counters[name] for name in counters_of(backend)},
        "seconds": seconds,
        "neuron_steps_per_second": steps * config.layer.neurons / seconds,
    }
    if args.out:
        report["written"] = args.out
    if args.json:
        print_json(report)
        return 0
    screen = console()
    screen.print(report_table("run", report))
    shown = counts[:32].tolist()
    more = f" ... ({counts.size} neurons)" if counts.size > 32 else ""
    screen.print(f"spikes by neuron: {' '.join(map(str, shown))}{more}")
    return 0


def _run_on(
    backend: str, threads: int, config: Config, weights: Any, events: Events, levels: Any
) -> tuple[Result, float, dict[str, Any]]:
    """Return the result, its time in seconds, and what the report says of the backend."""
    told: dict[str, Any] = {"model": "float" if backend == "float" else "integer"}
    told["backend"] = backend
    options: dict[str, Any] = {}
    if backend == "model":
        options = {"threads": threads, "signature": False}
    elif threads != 1:
        raise BitlifError(f"--threads must be 1 with --backend {backend}, not {threads}")
    elif backend == "float":
        options = {"seed": 0}
    with bitlif.open(config, backend, **options) as core:
        core.load(weights)
        if backend in MODELS:
            # A spare core runs one window first, so that loading the engine is not timed.
            core.fresh().run(events.select([0]), None if levels is None else levels[:1])
        start = time.perf_counter()
        result = core.run(events, levels)
        seconds = time.perf_counter() - start
        if backend not in MODELS:
            clocks = {"clocks": core.clocks()} if core.counts_clocks else {}
            told |= {**clocks, "signature": f"{core.signature():08x}"}
        return result, seconds, told
