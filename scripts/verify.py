"""``bitlif verify``: the core in a Verilog simulator beside the model, compared to the bit."""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bitlif.model.config import Config
from bitlif.model.errors import BitlifError, require_int, require_real
from bitlif.model.events import Events

from .terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    require_gates,
    result_table,
)


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "verify",
        run,
        "run the core's Verilog beside the model and compare",
        """
        Writes the layer core of a configuration in SystemVerilog, runs whole learning windows of
        random spikes, weights and targets through it under cocotb, and compares spikes, weights,
        counters, signature and clocks with the integer model. Exit code 0 only if all agree.
        """,
        (
            "bitlif verify tiny --simulator icarus",
            "bitlif verify tiny --windows 5 --stall 0.3 --json",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("--windows", type=int, default=2, help="windows to learn (default: 2)")
    parser.add_argument("--simulator", choices=("icarus", "verilator", "both"), default="both")
    parser.add_argument(
        "--stall", type=float, default=0.0, help="chance that a stream hesitates (default: 0)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of spikes, weights and targets")
    parser.add_argument("--keep", metavar="DIR", help="keep Verilog, logs and inputs here")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the chosen simulators and print what agrees."""
    windows = require_int("--windows", args.windows, 1, 100_000)
    stall = require_real("--stall", args.stall, 0.0, 0.99)
    seed = require_int("--seed", args.seed, 0, (1 << 31) - 1)
    config = Config.load(args.config)
    require_gates()
    from bitlif.sim.cosim import judge, require_simulator, run_cosim

    names = ("icarus", "verilator") if args.simulator == "both" else (args.simulator,)
    for name in names:
        require_simulator(name)
    if args.keep and Path(args.keep).exists() and any(Path(args.keep).iterdir()):
        raise BitlifError(f"--keep must be a new or empty folder, not '{args.keep}'")
    folder = Path(args.keep or tempfile.mkdtemp(prefix="bitlif-verify-")).absolute()
    events, weights, targets = random_stimulus(config, seed, windows)
    verdicts = {}
    try:
        with progress_bars() as bars:
            bar = bars.add_task("simulating", total=len(names))
            for name in names:
                bars.update(bar, description=f"simulating in {name}")
                # cocotb's runner talks; its words are in the logs.
                with contextlib.redirect_stdout(io.StringIO()):
                    core = run_cosim(config, weights, events, targets, folder / name,
                                     simulator=name, stall=stall, seed=seed)  # fmt: skip
                verdicts[name] = judge(config, weights, events, targets, core, stalled=stall > 0)
                bars.update(bar, advance=1)
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
    agree = all(verdict.agrees for verdict in verdicts.values())
    if args.json:
        listed: dict[str, Any] = {
            name: {"compared": v.compared, "mismatches": v.mismatches, "first": v.first}
            for name, v in verdicts.items()
        }
        print_json({"config": config.name, "windows": windows, "agree": agree, "by": listed})
    else:
        _print(config, verdicts)
    return 0 if agree else 1


def random_stimulus(config: Config, seed: int, windows: int) -> tuple[Events, Any, Any]:
    """Return events at a rate of 0.3, weights over the whole format, and targets, by `seed`."""
    random = np.random.default_rng([seed, 0x7E57])
    sizes, steps, fmt = config.layer, config.window.steps, config.synapse.weight
    events = Events.from_raster(random.random((windows, steps, sizes.inputs)) < 0.3)
    shape = (sizes.inputs, sizes.neurons)
    weights = random.integers(fmt.raw_min, fmt.raw_max, shape, endpoint=True)
    one = 1 << config.error.target_bits
    targets = random.integers(0, one, (windows, steps, sizes.neurons), endpoint=True)
    return events, weights, targets


def _print(config: Config, verdicts: dict[str, Any]) -> None:
    out = console()
    rows = [
        (name, observable, count, verdict.mismatches[observable])
        for name, verdict in verdicts.items()
        for observable, count in verdict.compared.items()
    ]
    columns = ("simulator", "observable", "values compared", "that differ")
    out.print(result_table(f"{config.name}: gates against the integer model", columns, rows))
    for name, verdict in verdicts.items():
        if verdict.first:
            out.print(f"{name}: first difference: {verdict.first}")
    if all(verdict.agrees for verdict in verdicts.values()):
        out.print("all agree")
