"""``bitlif verify``: simulate the core's Verilog and compare it with the model bit for bit."""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, load_any_config
from bitlif.model.errors import BitlifError, require_real
from bitlif.model.text import file_name

from .console.output_files import KeptElsewhere, OutputFolder
from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    require_gates,
    result_table,
    say,
)
from .support.replay import make_replay, read_replay, replay_command
from .support.stimuli import (
    HELP,
    TRAINED,
    add_stimuli,
    check_numbers,
    chosen_network_work,
    chosen_work,
    given_stimuli,
)

if TYPE_CHECKING:
    from bitlif.sim.compare.compare import RunComparison
    from bitlif.sim.compare.float_check import Distance
    from bitlif.tasks.scenario import NetworkWork, Work

MAX_WINDOWS = 100_000
WINDOWS = 3

Outcome = tuple["RunComparison", dict[str, "Distance"]]
Outcomes = dict[str, Outcome]
Compare = Callable[[Path, str, str | None], Outcome]
"""Given a folder, a simulator and the core's Verilog or None, simulates and compares."""


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "verify",
        run,
        "simulate the core's Verilog and compare it with the model",
        f"""
        Writes the layer core of a configuration in SystemVerilog, runs learning windows through it
        under cocotb, and compares every signal of every step with the integer model bit for bit,
        and with the float model within its derived bound. Exits with status 1 on a mismatch,
        reports the first signal that differs with its step, neuron, both integers and the
        operation, and leaves a folder with a waveform that replays it. --inject injects a fault to
        show this. --replay reads the inputs of such a folder and generates its core again.

        Of a network, every layer is compared: its forward steps, its sweep, and its weights. The
        core is reset twice before, once in its forward steps and once in its sweep. A difference is
        reported with its layer and the operation. --inject FAULT injects a fault into all layers
        that have the unit, and --inject FAULT@LAYER into one, counted from 0.
        {HELP}""",
        (
            "bitlif verify tiny --simulator icarus",
            "bitlif verify tiny --windows 5 --stall 0.3 --json",
            "bitlif verify tiny --inject threshold-greater --simulator icarus",
            "bitlif verify yin-yang --inject adjoint-sign@0 --windows 1 --simulator verilator",
            "bitlif verify --list-faults",
            "bitlif verify --replay bitlif-verify-tiny",
            (
                f"{TRAINED} && bitlif verify tiny --weights tiny-run/weights.npz "
                "--spikes tiny-run/spikes.npz --simulator icarus"
            ),
        ),
    )
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="TOML file or ready-made name")
    add_stimuli(parser, WINDOWS, "learn")
    parser.add_argument(
        "--simulator",
        choices=("icarus", "verilator", "both"),
        default="both",
        help="simulator (default: both)",
    )
    parser.add_argument(
        "--stall",
        type=float,
        default=0.0,
        help="chance that a stream stalls in a clock cycle (default: 0)",
    )
    parser.add_argument(
        "--inject",
        metavar="FAULT",
        help="inject this fault into the gates; FAULT@LAYER for one layer of a network",
    )
    parser.add_argument(
        "--list-faults", action="store_true", help="list the faults that can be injected"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="folder for the replay (default: bitlif-verify-NAME)"
    )
    parser.add_argument(
        "--replay", metavar="DIR", help="run a replay folder again, and nothing else"
    )
    parser.add_argument(
        "--trust-core",
        action="store_true",
        help="with --replay, simulate the folder's core.sv, which can run any command as you",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the chosen simulators and report whether gates and model agree."""
    check_numbers(args, MAX_WINDOWS)
    stall = require_real("--stall", args.stall, 0.0, 0.99)
    if args.list_faults:
        return _list_faults(args.json)
    if (args.config is None) == (args.replay is None):
        raise BitlifError("verify needs either a CONFIG or --replay with a folder")
    if args.trust_core and args.replay is None:
        raise BitlifError("--trust-core can only be used with --replay")
    if args.replay is not None and given_stimuli(args):
        raise BitlifError(
            f"--{given_stimuli(args)[0]} cannot be used with --replay: the folder holds all inputs"
        )
    require_gates()
    from bitlif.sim.simulators import require_simulator
    from bitlif.tasks.scenario import NetworkWork

    names = ("icarus", "verilator") if args.simulator == "both" else (args.simulator,)
    for name in names:
        require_simulator(name)
    work, verilog, out = _chosen(args, stall)
    with contextlib.nullcontext() if out is None else out:
        outcomes, left = _simulate(work, names, verilog, args.inject, out)
    config = work.network if isinstance(work, NetworkWork) else work.config
    windows = work.events.windows
    agree = all(
        verdict.agrees and not any(d.beyond for d in distances.values())
        for verdict, distances in outcomes.values()
    )
    if args.json:
        print_json(_report(config, windows, outcomes, agree, left))
    else:
        _print(config, outcomes, agree, left)
        if args.inject and agree:
            console().print(
                f"the injected fault {args.inject} had no effect: try more --windows or "
                "another --seed"
            )
    return 0 if agree else 1


def _chosen(
    args: argparse.Namespace, stall: float
) -> tuple[Work | NetworkWork, str | None, OutputFolder | None]:
    """Return what to run, the core's Verilog if it is not the generated one, and where to write."""
    from bitlif.sim.compare.faults import faulty_verilog
    from bitlif.sim.compare.network_compare import resets_of
    from bitlif.sim.compare.network_faults import faulty_network_verilog

    if args.replay:
        return *read_replay(Path(args.replay), trust_core=args.trust_core), None
    config, faulty = load_any_config(args.config), None
    work: Work | NetworkWork
    if isinstance(config, NetworkConfig):
        chosen = chosen_network_work(args, config, windows=WINDOWS, most=MAX_WINDOWS)
        work = replace(chosen, stall=stall, false_starts=resets_of(chosen))
        if args.inject:
            faulty = faulty_network_verilog(args.inject, config)
    else:
        work = chosen_work(args, config, windows=WINDOWS, most=MAX_WINDOWS, stall=stall)
        if args.inject:
            faulty = faulty_verilog(args.inject, config)
    place = Path(args.out or f"bitlif-verify-{file_name(config.name)}")
    # An earlier replay is replaced without --force.
    return work, faulty, OutputFolder(place, "verify", force=True)


def _list_faults(as_json: bool) -> int:
    require_gates()
    from bitlif.sim.compare.faults import FAULTS
    from bitlif.sim.compare.network_faults import NETWORK_FAULTS

    told = {name: (f.unit, f.description, f.signal) for name, f in FAULTS.items()}
    networks = {name: (f.unit, f.description, f.part) for name, f in NETWORK_FAULTS.items()}
    if as_json:
        print_json(
            {name: {"unit": unit, "fault": what, "seen in": seen, "of": kind}
             for kind, own in (("layer", told), ("network", networks))
             for name, (unit, what, seen) in own.items()}
        )  # fmt: skip
        return 0
    for kind, own in (("layers", told), ("networks", networks)):
        rows = [(name, f"hdl/{unit}.py", what, seen) for name, (unit, what, seen) in own.items()]
        columns = ("name", "unit", "what is wrong", "seen in")
        console().print(result_table(f"faults of {kind} for --inject", columns, rows))
    return 0


def _simulate(
    work: Work | NetworkWork, names: tuple[str, ...], verilog: str | None, fault: str | None,
    out: OutputFolder | None,
) -> tuple[Outcomes, Path | None]:  # fmt: skip
    """Run each simulator. On a mismatch, write a replay to `out` and return its path."""
    from bitlif.tasks.scenario import NetworkWork

    compared = _network_compared if isinstance(work, NetworkWork) else _layer_compared
    scratch = Path(tempfile.mkdtemp(prefix="bitlif-verify-"))
    outcomes: Outcomes = {}
    left: Path | None = None
    # If a run fails, the folder with its logs is kept.
    with progress_bars() as bars:
        bar = bars.add_task("running the model", total=len(names))
        compare = compared(work)
        for name in names:
            bars.update(bar, description=f"simulating in {name}")
            # The output of cocotb's runner is in the logs.
            with contextlib.redirect_stdout(io.StringIO()):
                verdict, distances = compare(scratch / name, name, verilog)
            outcomes[name] = verdict, distances
            if not verdict.agrees and out is not None and left is None:
                bars.update(bar, description="keeping the replay")
                replay = scratch / "replay"
                make_replay(work, name, verdict, verilog, fault, replay, out.path)
                left = _put(replay, out)
            bars.update(bar, advance=1)
    shutil.rmtree(scratch, ignore_errors=True)
    return outcomes, left


def _layer_compared(work: Any) -> Compare:
    """Return a function that simulates a layer and compares it with the model, which runs now."""
    from bitlif.sim.cocotb.cosim import run_cosim
    from bitlif.sim.compare.compare import compare_run
    from bitlif.sim.compare.expected import compute_expected
    from bitlif.sim.compare.float_check import float_distances

    expected = compute_expected(work)

    def compare(folder: Path, simulator: str, verilog: str | None) -> Outcome:
        run = run_cosim(work, folder, simulator=simulator, verilog=verilog)
        return compare_run(work, run, expected), float_distances(work, run, expected)

    return compare


def _network_compared(work: Any) -> Compare:
    """Return the same for a network."""
    from bitlif.sim.cocotb.network_cosim import run_network_cosim
    from bitlif.sim.compare.network_compare import compare_network_run
    from bitlif.sim.compare.network_expected import compute_network_expected
    from bitlif.sim.compare.network_float_check import network_float_distances

    expected = compute_network_expected(work)

    def compare(folder: Path, simulator: str, verilog: str | None) -> Outcome:
        run = run_network_cosim(work, folder, simulator=simulator, verilog=verilog)
        verdict = compare_network_run(work, run, expected)
        return verdict, network_float_distances(work, run, expected)

    return compare


def _put(replay: Path, out: OutputFolder) -> Path:
    """Write a replay, if need be to another folder, and return its path."""
    try:
        out.write(lambda folder: shutil.copytree(replay, folder, dirs_exist_ok=True))
    except KeptElsewhere as error:
        say(f"bitlif verify: {error}")
        return error.folder
    return out.path


def _report(
    config: Config | NetworkConfig,
    windows: int,
    outcomes: Outcomes,
    agree: bool,
    left: Path | None,
) -> dict[str, Any]:
    by = {
        name: {
            "compared": verdict.compared,
            "mismatches": verdict.mismatches,
            "first": str(verdict.first) if verdict.first else "",
            "float": {
                signal: {"values": d.values, "beyond": d.beyond, "share of bound": d.share}
                for signal, d in distances.items()
            },
        }
        for name, (verdict, distances) in outcomes.items()
    }
    return {
        "config": config.name, "windows": windows, "agree": agree, "by": by,
        "replay": str(left) if left else "",
    }  # fmt: skip


def _print(
    config: Config | NetworkConfig, outcomes: Outcomes, agree: bool, left: Path | None
) -> None:
    out = console()
    names = list(outcomes)
    verdicts = [verdict for verdict, _ in outcomes.values()]
    columns = ("observable", "values", *(f"differ in {name}" for name in names))
    rows: list[tuple[Any, ...]] = [
        (observable, f"{count:,}", *(v.mismatches[observable] for v in verdicts))
        for observable, count in verdicts[0].compared.items()
    ]
    total = sum(verdicts[0].compared.values())
    rows.append(("all", f"{total:,}", *(sum(v.mismatches.values()) for v in verdicts)))
    out.print(result_table(f"{config.name}: gates compared with the integer model", columns, rows))
    _, distances = next(iter(outcomes.values()))
    if distances:
        columns = ("signal", "values", "outside the bound", "largest share of it")
        rows = [(s, f"{d.values:,}", d.beyond, f"{d.share:.2f}") for s, d in distances.items()]
        out.print(
            result_table(f"{config.name}: gates compared with the float model", columns, rows)
        )
    else:
        out.print("float model: no window of this run has a derived bound")
    for name, verdict in zip(names, verdicts, strict=True):
        if verdict.first:
            out.print(f"{name}: first difference: {verdict.first}", highlight=False)
    if left is not None:
        out.print(f"replay and waveform are in {left}: {replay_command(left)}")
    out.print("all agree" if agree else "MISMATCH")
