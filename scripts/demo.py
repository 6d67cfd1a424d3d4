"""``bitlif demo``: digits learned in integers and in float, side by side, and by a network."""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bitlif
from bitlif import tasks
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.toml import config_hash, dump_config
from bitlif.model.errors import require_int
from bitlif.model.files.event_file import save_events
from bitlif.model.files.weight_file import save_weights
from bitlif.sim.backends.core import Core
from bitlif.tasks.diagnosis import diagnose, warn_of_findings
from bitlif.tasks.task import Epoch, Examples
from bitlif.tasks.training import predict, total_counters, train

from .console.output_files import OutputFolder, require_place
from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    result_table,
)
from .drawing.demo_figure import Shown, draw_demo
from .drawing.pictures import require_matplotlib
from .drawing.waveform_figure import draw_waveform
from .support.compile_network import compile_network, compiled_beside
from .support.demo_gates import choose_simulator, print_gates, run_gates
from .support.demo_network import (
    Learned,
    learn_network,
    load_network,
    print_network,
)
from .support.demo_network_gates import (
    gates_beside,
    missing_tools,
    print_network_gates,
    run_network_gates,
)

WAVEFORM = "waveform.png"
"""Name of the picture that needs the gates."""

TASK = "digits"


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "demo",
        run,
        "learn handwritten digits in integers and in float, side by side",
        """
        Train one layer of noisy neurons on scikit-learn's digits twice from the same seed: in the
        integers that the gates compute, and in float64. Train a network with a hidden layer beside
        it, in integers. Print accuracies, spikes, weights and saturations. Then run a test digit
        of each class, and learn a training digit of each, in the core's Verilog with the layer's
        learned weights, and compare every value with the integers. Do so with the network in
        compiled Verilog, its hidden layer and backward sweep included, and 20 training digits.
        Write weights, configurations, report and pictures to a folder. Exits with status 1 on a
        mismatch.
        """,
        (
            "bitlif demo",
            "bitlif demo --no-gates",
            "bitlif demo --seed 3 --epochs 5 --out demo-3 --json",
        ),
    )
    parser.add_argument("--config", default="digits", help="configuration (default: digits)")
    parser.add_argument(
        "--network", default="digits-96", help="the network beside the layer (default: digits-96)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws (default: 0)")
    parser.add_argument("--epochs", type=int, default=20, help="passes over data (default: 20)")
    parser.add_argument("--out", default="out/demo", help="folder to write (default: out/demo)")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads; results do not depend on it (default: 1)"
    )
    parser.add_argument(
        "--no-gates", action="store_true", help="skip the gate simulation, which needs a simulator"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Train both models, write the folder, print the report."""
    require_int("--seed", args.seed, 0, (1 << 31) - 1)
    epochs = require_int("--epochs", args.epochs, 1, 10_000)
    # An earlier demo is replaced without --force.
    require_place("--out", Path(args.out), "demo", force=True)
    require_matplotlib()
    simulator = None if args.no_gates else choose_simulator()
    config = Config.load(args.config).seeded(args.seed)
    tasks.get(TASK).check(config)
    network = load_network(args.network, TASK, args.seed)
    lacking = "--no-gates" if simulator is None else missing_tools()
    with (
        OutputFolder(Path(args.out), "demo", force=True) as out,
        compiled_beside(network, TASK, args.seed, args.threads) as engine,
        gates_beside(network, wanted=not lacking) as gates,
    ):
        return _run(args, config, network, epochs, simulator, out, Waits(engine, gates, lacking))


class Waits(NamedTuple):
    """What other processes compile for the network."""

    engine: Callable[[], object]
    """Wait for the engine."""
    gates: Callable[[], object]
    """Wait for the gates."""
    lacking: str
    """Why gates are not run, or ""."""


def _run(
    args: argparse.Namespace,
    config: Config,
    network: NetworkConfig,
    epochs: int,
    simulator: str | None,
    out: OutputFolder,
    waits: Waits,
) -> int:
    # First, so that nothing is compiled if scikit-learn is missing.
    examples = tasks.get(TASK).load(config, args.seed)
    integer = bitlif.open(config, threads=args.threads, signature=False)
    twin = bitlif.open(config, "float", units="real", seed=args.seed)
    cores = {"integer": integer, "float": twin}
    probes = {name: core.fresh() for name, core in cores.items()}
    # Spare cores learn one digit first, so that compiling is not timed as training.
    start = time.perf_counter()
    for core in cores.values():
        train(core.fresh(), TASK, epochs=1, seed=args.seed, examples=examples.head(1))
    compiling = time.perf_counter() - start
    histories: dict[str, list[Epoch]] = {}
    seconds: dict[str, float] = {}
    with progress_bars() as bars:
        for name, core in cores.items():
            bar = bars.add_task(name, total=epochs)

            def step(epoch: Epoch, name: str = name, bar: Any = bar) -> None:
                text = f"{name}: test accuracy {100 * epoch.test_accuracy:.1f} %"
                bars.update(bar, advance=1, description=text)

            start = time.perf_counter()
            histories[name] = train(
                core, TASK, epochs=epochs, seed=args.seed, progress=step, examples=examples,
                probe=probes[name],
            )  # fmt: skip
            seconds[name] = time.perf_counter() - start
        gates = None
        if simulator is not None:
            bar = bars.add_task("the learned digits in gates", total=None)
            gates = run_gates(config, integer.weights(), examples, simulator)
            bars.update(bar, total=1, completed=1)
        # After the simulation, so that it does not disturb the training that is timed.
        bar = bars.add_task("the network's engine", total=None)
        own_examples = tasks.get(TASK).load(network.outer, args.seed)
        waits.engine()
        compile_network(network, TASK, own_examples, args.seed, args.threads)
        bars.update(bar, total=1, completed=1)
        learned = learn_network(network, TASK, own_examples, epochs, args.seed, args.threads, bars)
        swept = None
        if not waits.lacking:
            bar = bars.add_task("the network in gates", total=None)
            waits.gates()
            swept = run_network_gates(network, learned.weights, own_examples)
            bars.update(bar, total=1, completed=1)
    report = make_report(examples, integer, histories, seconds, args.seed)
    report["compiling_seconds"] = compiling
    findings = diagnose(integer, examples, histories["integer"], task=tasks.get(TASK))
    report["diagnosis"] = [finding.to_json() for finding in findings]
    warn_of_findings(findings)
    report["network"] = learned.report
    shown = show_one(examples, integer, histories, twin, learned)
    report["gates"] = None if gates is None else gates.report
    report["network_gates"] = swept

    def fill(folder: Path) -> None:
        save_weights(folder / "weights.npz", integer.weights(), config)
        np.savez_compressed(folder / "float_weights.npz", weights=twin.weights())
        (folder / "config.toml").write_text(dump_config(config), "utf-8")
        learned.write(folder)
        save_events(folder / "spikes.npz", examples.test)
        np.savez_compressed(folder / "labels.npz", labels=examples.test_labels)
        (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        draw_demo(folder / "demo.png", shown)
        if gates is not None and gates.wave is not None:
            draw_waveform(folder / WAVEFORM, gates.wave)

    out.write(fill)
    if args.json:
        print_json(report)
    else:
        _print(report, out.path, waits.lacking)
    agree = (gates is None or gates.agree) and (swept is None or swept["agree"])
    return 0 if agree else 1


def make_report(
    examples: Examples,
    core: Core,
    histories: dict[str, list[Epoch]],
    seconds: dict[str, float],
    seed: int,
) -> dict[str, Any]:
    """Return everything that the demo measured."""
    config = core.config
    last = {name: history[-1] for name, history in histories.items()}
    epochs = len(histories["integer"])
    windows = examples.train.windows
    counters = total_counters(histories["integer"])
    weights, fmt = core.weights(), config.synapse.weight
    pmf = config.noise.pmf
    decisions = windows * config.window.steps * config.layer.neurons * epochs
    return {
        "config": config.name,
        "config_hash": config_hash(config),
        "seed": seed,
        "epochs": epochs,
        "train_digits": windows,
        "test_digits": examples.test.windows,
        "test_accuracy": {name: epoch.test_accuracy for name, epoch in last.items()},
        "test_accuracy_difference": last["integer"].test_accuracy - last["float"].test_accuracy,
        "train_accuracy": {name: epoch.train_accuracy for name, epoch in last.items()},
        "test_accuracy_by_epoch": {
            name: [epoch.test_accuracy for epoch in history] for name, history in histories.items()
        },
        "training_seconds": seconds,
        "learning_steps_per_second": {
            name: epochs * windows * config.window.steps / own for name, own in seconds.items()
        },
        "output_spikes_per_digit": {name: epoch.spikes for name, epoch in last.items()},
        "input_spikes_per_digit": examples.train.count / windows,
        "synaptic_events_per_digit": counters["synaptic_events"] / (windows * epochs),
        "active_error_share": counters["active_errors"] / decisions,
        "counters": counters,
        "weights": {
            "format": str(fmt),
            "least": int(weights.min()),
            "greatest": int(weights.max()),
            "rms": float(np.sqrt((weights.astype(float) ** 2).mean())),
            "at_the_rails": float(((weights == fmt.raw_min) | (weights == fmt.raw_max)).mean()),
        },
        "noise": {
            "kind": config.noise.kind,
            "cutoff_sigma": pmf.cutoff,
            "excess_kurtosis": pmf.kurtosis,
        },
    }


def show_one(
    examples: Examples,
    core: Core,
    histories: dict[str, list[Epoch]],
    twin: Core,
    learned: Learned,
) -> Shown:
    """Run one test digit that is recognised, and collect what the picture shows."""
    config = core.config
    probe = core.fresh()
    predicted, true = predict(core, TASK, examples=examples, probe=probe)
    right = np.flatnonzero(predicted == true)
    number = int(right[0]) if right.size else 0
    # The same noise again: the probe has run the same windows from its reset.
    probe.reset()
    windows = examples.test.select(range(number + 1))
    result = probe.run(windows, record=("membrane",))
    assert result.membrane is not None
    return Shown(
        label=int(true[number]),
        inputs=examples.test.select([number]),
        raster=result.raster[number],
        membrane=result.membrane[number] * float(config.membrane.format.lsb),
        threshold=config.membrane.threshold,
        accuracy={
            name: [epoch.test_accuracy for epoch in history] for name, history in histories.items()
        },
        network_accuracy=learned.report["test_accuracy_by_epoch"],
        integer_weights=core.real_weights(),
        float_weights=twin.weights(),
        weight_format=str(config.synapse.weight),
        recognised=right.size > 0,
    )


def _print(report: dict[str, Any], out: Path, lacking: str) -> None:
    screen = console()
    both: list[tuple[str, str, Callable[[float], str]]] = [
        ("test accuracy", "test_accuracy", lambda x: f"{100 * x:.2f} %"),
        ("training accuracy", "train_accuracy", lambda x: f"{100 * x:.2f} %"),
        ("output spikes a digit", "output_spikes_per_digit", lambda x: f"{x:.1f}"),
        ("training time", "training_seconds", lambda x: f"{x:.1f} s"),
        ("steps/s, tests included", "learning_steps_per_second", lambda x: f"{x:,.0f}"),
    ]
    rows = [
        (label, *(show(report[key][name]) for name in ("integer", "float")), "")
        for label, key, show in both
    ]
    rows[0] = (*rows[0][:3], f"{100 * report['test_accuracy_difference']:+.2f} points")
    tested = report["test_digits"]
    title = f"{tested} test digits ({100 / tested:.2f} % each) after {report['epochs']} epochs"
    screen.print(result_table(title, ("", "integer", "float", "difference"), rows))
    weights, noise, counters = report["weights"], report["noise"], report["counters"]
    facts = [
        ("input spikes a digit", f"{report['input_spikes_per_digit']:.0f}"),
        ("synaptic events a digit", f"{report['synaptic_events_per_digit']:,.0f}"),
        ("errors that are not zero", f"{100 * report['active_error_share']:.1f} %"),
        ("weights", f"{weights['format']}: {weights['least']} ..= {weights['greatest']}"),
        ("weights, root mean square", f"{weights['rms']:.1f} LSB"),
        ("weights at the format's ends", f"{100 * weights['at_the_rails']:.1f} %"),
        ("noise", noise["kind"]),
        ("noise cut-off", f"{noise['cutoff_sigma']:.2f} sigma"),
        ("noise excess kurtosis", f"{noise['excess_kurtosis']:.2f} (Gaussian: 0)"),
    ]
    facts += [
        (name.replace("_", " "), f"{count:,}")
        for name, count in counters.items()
        if name.endswith("saturations")
    ]
    screen.print(result_table("the integer layer, whole training", ("", ""), facts))
    print_network(report)
    if report["gates"] is None:
        screen.print("the gates were not run: --no-gates")
    else:
        print_gates(report["gates"])
        if report["network_gates"] is None:
            screen.print(f"the network's gates were not run: {lacking}")
        else:
            print_network_gates(report["network_gates"])
    pictures = [str(out / name) for name in ("demo.png", WAVEFORM) if (out / name).exists()]
    screen.print(f"written to {out}: open {' and '.join(pictures)}, then for instance")
    config, weights, spikes = (
        shlex.quote(str(out / name)) for name in ("config.toml", "weights.npz", "spikes.npz")
    )
    screen.print(f"  bitlif run {config} --weights {weights} --spikes {spikes}")
    screen.print(f"  bitlif noise {config}")
