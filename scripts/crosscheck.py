"""``bitlif crosscheck``: run the same windows on several backends and compare them bit for bit."""

from __future__ import annotations

import argparse
import contextlib
import shlex
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, load_any_config
from bitlif.model.errors import BitlifError
from bitlif.model.events import DUPLICATES
from bitlif.model.text import quoted
from bitlif.sim.backends.open import accepted_names, require_backend
from bitlif.sim.backends.serial import PREFIX

from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    require_gates,
    result_table,
)
from .support.stimuli import (
    HELP,
    TRAINED,
    add_stimuli,
    check_conformance,
    check_numbers,
    chosen_network_work,
    chosen_work,
    given_stimuli,
)

if TYPE_CHECKING:
    from bitlif.sim.compare.crosscheck import BackendComparison
    from bitlif.sim.compare.float_check import Distance
    from bitlif.tasks.scenario import Work


MAX_WINDOWS = 1_000_000
WINDOWS = 20


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "crosscheck",
        run,
        "run the same windows on several backends and compare all values",
        f"""
        Runs the same windows on each backend and compares each backend with the first one after
        every window: spikes, signatures, clock cycles, weights, counters, state and LFSRs. The
        model and RTL also show currents, membranes, noise draws, errors, traces and gradients of
        every step. The float twin is checked against its derived error bound instead. Exits with
        status 1 on a mismatch and reports the first value that differs: its step and neuron, both
        integers and the operation. --conformance runs the fixed set of small configurations that
        `bitlif golden --conformance` writes. Of a network, all layers are compared, with the
        adjoint currents of the sweep, and the first difference names the layer and whether it is in
        its forward steps, its sweep or the end of the window.
        {HELP}""",
        (
            "bitlif crosscheck tiny",
            "bitlif crosscheck tiny --backends model,rtl,netlist:ice40,netlist:ecp5 --windows 5",
            "bitlif crosscheck tiny --backends float,model,rtl --json",
            "bitlif crosscheck tiny --inject threshold-greater",
            "bitlif crosscheck digits-96 --windows 2",
            "bitlif crosscheck --conformance --backends model,float",
            (
                f"{TRAINED} && bitlif crosscheck tiny --weights tiny-run/weights.npz "
                "--spikes tiny-run/spikes.npz"
            ),
        ),
    )
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="TOML file or ready-made name")
    parser.add_argument(
        "--backends",
        default="model,rtl",
        metavar="LIST",
        help=f"comma-separated list of {accepted_names()} (default: model,rtl)",
    )
    add_stimuli(parser, WINDOWS)
    parser.add_argument(
        "--inference", action="store_true", help="use cores without learning hardware"
    )
    parser.add_argument(
        "--conformance",
        action="store_true",
        help="run the conformance set: every one of its configurations, three windows each",
    )
    parser.add_argument(
        "--inject",
        metavar="FAULT",
        help="inject this fault into all gates of a single layer (see bitlif verify --list-faults; "
        "bitlif verify also injects faults into networks)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the backends and report whether they agree."""
    check_numbers(args, MAX_WINDOWS)
    check_conformance(args, ("inference", "inject"))
    names = parse_backends(args.backends)
    if args.inject and args.inference:
        raise BitlifError(
            "--inject cannot be used with --inference: faults are injected into learning cores"
        )
    boards = [name for name in names if name.startswith(PREFIX)]
    if args.inject and boards:
        raise BitlifError(
            f"--inject cannot be used with {boards[0]}: the gates of a board cannot be changed"
        )
    if args.conformance and boards:
        raise BitlifError(
            f"--conformance cannot be used with {boards[0]}: a board holds one configuration"
        )
    config = None if args.conformance else load_any_config(args.config)
    if args.inject or not set(names) <= {"float", "model", *boards}:
        require_gates()
    if config is None:
        return _run_conformance(args, names)
    learning = not args.inference
    distances: dict[str, Distance] = {}
    if isinstance(config, NetworkConfig):
        outcomes = _compare_network(args, config, names)
    else:
        work = chosen_work(args, config, windows=WINDOWS, most=MAX_WINDOWS, learning=learning)
        outcomes, distances = _compare(work, names, args.inject)
    agree = all(outcome.agrees for outcome in outcomes)
    agree = agree and not any(distance.beyond for distance in distances.values())
    if args.json:
        print_json(_report(config, outcomes, distances, agree))
    else:
        _print(config, outcomes, distances, agree)
        wrong = [outcome.backend for outcome in outcomes if not outcome.agrees]
        if "rtl" in wrong and not args.inference and isinstance(config, Config):
            words = ["bitlif", "verify", args.config, "--windows", str(outcomes[0].windows)]
            words += ["--seed", str(args.seed)]
            for name in given_stimuli(args):
                words += [f"--{name}", getattr(args, name)]
            if args.spikes and args.duplicates != DUPLICATES[0]:
                words += ["--duplicates", args.duplicates]
            words += ["--inject", args.inject] if args.inject else []
            console().print(f"for a waveform, run: {shlex.join(words)}")
        if args.inject and agree:
            console().print(
                f"the injected fault {args.inject} had no effect: try more --windows or "
                "another --seed"
            )
    return 0 if agree else 1


def _compare_network(
    args: argparse.Namespace, network: NetworkConfig, names: list[str]
) -> list[BackendComparison]:
    """Return the comparison of each backend that runs a network, or raise if an option is wrong."""
    from bitlif.sim.backends.open import open as open_core
    from bitlif.sim.compare.network_crosscheck import crosscheck_network

    for given, what in (
        (args.inject, "--inject"),
        ("float" in names, "--backends float"),
        ([name for name in names if name.startswith(PREFIX)], "--backends with a board"),
    ):
        if given:
            raise BitlifError(f"{what} cannot be used with a network: give a single layer")
    learning = not args.inference
    work = chosen_network_work(args, network, windows=WINDOWS, most=MAX_WINDOWS, learning=learning)
    with contextlib.ExitStack() as stack, progress_bars() as bars:
        bar = bars.add_task("", total=len(names) + work.events.windows)
        cores = []
        for name in names:
            bars.update(bar, description=f"opening {name}")
            cores.append(stack.enter_context(open_core(network, name, learning=learning)))
            bars.update(bar, advance=1)
        bars.update(bar, description="windows")
        return crosscheck_network(cores, work, lambda window: bars.update(bar, advance=1))


def _run_conformance(args: argparse.Namespace, names: list[str]) -> int:
    """Run the backends on every conformance configuration, and report each."""
    from bitlif.sim.compare.conformance import conformance_works

    reports = {}
    rows: list[tuple[str, ...]] = []
    firsts: list[str] = []
    for name, work in conformance_works():
        outcomes, distances = _compare(work, names, None, f"{name}: ")
        agree = all(outcome.agrees for outcome in outcomes)
        agree = agree and not any(distance.beyond for distance in distances.values())
        reports[name] = _report(work.config, outcomes, distances, agree)
        values = sum(outcome.values for outcome in outcomes)
        differ = sum(sum(outcome.mismatches.values()) for outcome in outcomes)
        row: tuple[str, ...] = (name, f"{values:,}", f"{differ:,}", _signature(outcomes[0]))
        if "float" in names:
            row = (*row, f"{sum(distance.beyond for distance in distances.values()):,}")
        rows.append(row)
        for outcome in outcomes:
            if outcome.first:
                text = outcome.first.describe(outcome.backend, outcomes[0].backend)
                firsts.append(f"{name}: first difference: {text}")
    agree = all(report["agree"] for report in reports.values())
    if args.json:
        print_json({"agree": agree, "configs": reports})
        return 0 if agree else 1
    out = console()
    columns: tuple[str, ...] = ("configuration", "values", "differ", "signature")
    if "float" in names:
        columns = (*columns, "outside the float bound")
    out.print(result_table(f"conformance: {', '.join(names)}", columns, rows))
    for first in firsts:
        out.print(first, highlight=False)
    out.print("all agree" if agree else "MISMATCH")
    return 0 if agree else 1


def parse_backends(text: str) -> list[str]:
    """Return the backends of a comma-separated list such as ``model,rtl``.

    Raises
    ------
    BitlifError
        If a name is not a backend, or there are fewer than two.
    """
    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        require_backend("--backends must be some of", name)
    if len(names) < 2:
        raise BitlifError(f"--backends must name at least two, not {quoted(text)}")
    return names


def _compare(
    work: Work, names: list[str], fault: str | None, prefix: str = ""
) -> tuple[list[BackendComparison], dict[str, Distance]]:
    """Return the comparison of each bit-exact backend, and the distances of the float twin."""
    from bitlif.sim.backends.core import Core
    from bitlif.sim.backends.open import open as open_core
    from bitlif.sim.compare.crosscheck import crosscheck
    from bitlif.sim.compare.expected import compute_expected
    from bitlif.sim.compare.float_check import float_distances

    verilog = None
    if fault:
        from bitlif.sim.compare.faults import faulty_verilog

        verilog = faulty_verilog(fault, work.config)
    exact = [name for name in names if name != "float"]
    with contextlib.ExitStack() as stack, progress_bars() as bars:
        bar = bars.add_task("", total=len(exact) + work.events.windows)
        cores: list[Core] = []
        for name in exact:
            bars.update(bar, description=f"{prefix}opening {name}")
            if verilog is not None and name != "model":
                from bitlif.sim.backends.gates import GateCore

                core: Core = GateCore(work.config, name, verilog=verilog)
            else:
                core = open_core(work.config, name, learning=work.learning)
            cores.append(stack.enter_context(core))
            bars.update(bar, advance=1)
        bars.update(bar, description=f"{prefix}windows")
        outcomes = crosscheck(cores, work, lambda window: bars.update(bar, advance=1))
        distances = {}
        if "float" in names:
            expected = compute_expected(work)
            distances = float_distances(work, expected, expected)
    return outcomes, distances


def _signature(outcome: BackendComparison) -> str:
    return "none" if outcome.signature is None else f"{outcome.signature:08x}"


def _report(
    config: Config | NetworkConfig,
    outcomes: list[BackendComparison],
    distances: dict[str, Distance],
    agree: bool,
) -> dict[str, Any]:  # fmt: skip
    by = {
        outcome.backend: {
            "windows": outcome.windows,
            "clocks": outcome.clocks,
            "compared": outcome.compared,
            "mismatches": outcome.mismatches,
            "first": str(outcome.first) if outcome.first else "",
            "note": outcome.note,
            "signature": _signature(outcome),
        }
        for outcome in outcomes
    }
    held = {
        name: {"values": d.values, "beyond": d.beyond, "share of bound": d.share}
        for name, d in distances.items()
    }
    return {"config": config.name, "agree": agree, "by": by, "float": held}


def _print(
    config: Config | NetworkConfig,
    outcomes: list[BackendComparison],
    distances: dict[str, Distance],
    agree: bool,
) -> None:
    out = console()
    columns = ("backend", "windows", "clocks", "values", "differ", "signature")
    rows = [
        (
            o.backend, f"{o.windows:,}", "" if o.clocks is None else f"{o.clocks:,}",
            f"{o.values:,}" if number else "",
            f"{sum(o.mismatches.values()):,}" if number else "", _signature(o),
        )
        for number, o in enumerate(outcomes)
    ]  # fmt: skip
    out.print(result_table(f"{config.name}: compared with {outcomes[0].backend}", columns, rows))
    if distances:
        titles = ("signal", "values", "outside the bound", "largest share of it")
        held = [(s, f"{d.values:,}", d.beyond, f"{d.share:.2f}") for s, d in distances.items()]
        out.print(
            result_table(f"{config.name}: integers compared with the float twin", titles, held)
        )
    for outcome in outcomes:
        if outcome.first:
            text = outcome.first.describe(outcome.backend, outcomes[0].backend)
            out.print(f"first difference: {text}", highlight=False)
        if outcome.note:
            out.print(outcome.note, highlight=False)
    out.print("all agree" if agree else "MISMATCH")
