"""``bitlif verify``: the core in a Verilog simulator beside the model, compared to the bit."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.config import Config
from bitlif.model.errors import BitlifError, require_int, require_real
from bitlif.model.reading import read_text
from bitlif.model.text import path_text
from bitlif.model.toml import dump_config

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

if TYPE_CHECKING:
    from bitlif.sim.floatcheck import Distance
    from bitlif.sim.judge import Verdict
    from bitlif.sim.work import Work

MOST_VERILOG = 1 << 26
"""Bytes of a replay's core beyond which it is refused."""

Outcomes = dict[str, tuple["Verdict", dict[str, "Distance"]]]


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "verify",
        run,
        "run the core's Verilog beside the model and compare",
        """
        Writes the layer core of a configuration in SystemVerilog, runs whole learning windows of
        random spikes, weights and targets through it under cocotb, and compares every signal of
        every step with the integer model, bit for bit, and with the float model within the derived
        bound. Exit code 0 only if all agree. On a difference it says which signal first differs,
        where, both integers and the operation, and leaves a folder that replays it, with a
        waveform. `--inject` plants a fault, to see that happen.
        """,
        (
            "bitlif verify tiny --simulator icarus",
            "bitlif verify tiny --windows 5 --stall 0.3 --json",
            "bitlif verify tiny --inject threshold-greater --simulator icarus",
            "bitlif verify --list-faults",
            "bitlif verify --replay bitlif-verify-tiny",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="TOML file or ready-made name")
    parser.add_argument("--windows", type=int, default=3, help="windows to learn (default: 3)")
    parser.add_argument("--simulator", choices=("icarus", "verilator", "both"), default="both")
    parser.add_argument(
        "--stall", type=float, default=0.0, help="chance that a stream hesitates (default: 0)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of spikes, weights and targets")
    parser.add_argument("--inject", metavar="FAULT", help="plant this fault in the gates")
    parser.add_argument("--list-faults", action="store_true", help="say what can be injected")
    parser.add_argument("--out", metavar="DIR", help="for the replay (default: bitlif-verify-NAME)")
    parser.add_argument(
        "--replay", metavar="DIR", help="run again what such a folder holds, nothing else"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the chosen simulators and print what agrees."""
    windows = require_int("--windows", args.windows, 1, 100_000)
    stall = require_real("--stall", args.stall, 0.0, 0.99)
    seed = require_int("--seed", args.seed, 0, (1 << 31) - 1)
    if args.list_faults:
        return _list_faults(args.json)
    if (args.config is None) == (args.replay is None):
        raise BitlifError("verify needs a CONFIG, or --replay with a folder and no CONFIG")
    config = Config.load(args.config or _file(args.replay, "config.toml"))
    require_gates()
    from bitlif.sim.faults import faulty_verilog
    from bitlif.sim.runner import require_simulator
    from bitlif.sim.stimulus import random_work
    from bitlif.sim.work import Work

    names = ("icarus", "verilator") if args.simulator == "both" else (args.simulator,)
    for name in names:
        require_simulator(name)
    verilog = None
    if args.replay:
        work = Work.load(config, _file(args.replay, "task.npz"))
        verilog = read_text("core", _file(args.replay, "core.sv"), MOST_VERILOG)
        out = None
    else:
        work = random_work(config, seed, windows, stall=stall)
        out = Path(args.out or f"bitlif-verify-{config.name}")
        if args.inject:
            verilog = faulty_verilog(args.inject, config)
        if out.exists() and not _is_replay(out):
            raise BitlifError(f"--out must be a new folder or an old replay, not '{out}'")
    outcomes = _simulate(work, names, verilog, out)
    agree = all(
        verdict.agrees and not any(d.beyond for d in distances.values())
        for verdict, distances in outcomes.values()
    )
    left = out if out is not None and not agree else None
    if args.json:
        print_json(_report(config, work, outcomes, agree, left))
    else:
        _print(config, outcomes, agree, left)
        if args.inject and agree:
            console().print(
                f"the planted fault {args.inject} did not show: more --windows, another --seed?"
            )
    return 0 if agree else 1


def _list_faults(as_json: bool) -> int:
    require_gates()
    from bitlif.sim.faults import FAULTS

    if as_json:
        print_json(
            {name: {"unit": f.unit, "fault": f.text, "seen in": f.signal}
             for name, f in FAULTS.items()}
        )  # fmt: skip
        return 0
    rows = [(name, f"hdl/{f.unit}.py", f.text, f.signal) for name, f in FAULTS.items()]
    console().print(
        result_table("faults for --inject", ("name", "unit", "what is wrong", "seen in"), rows)
    )
    return 0


def _file(folder: str, name: str) -> Path:
    path = Path(folder) / name
    # What is there but is no regular file is refused by who reads it.
    if not os.path.lexists(path):
        raise BitlifError(
            f"--replay must be a folder that verify left, with {name}, not '{path_text(folder)}'"
        )
    return path


def _is_replay(folder: Path) -> bool:
    return folder.is_dir() and (folder / "difference.json").is_file()


def _simulate(
    work: Work, names: tuple[str, ...], verilog: str | None, out: Path | None
) -> Outcomes:
    """Run each simulator; where the gates differ, leave a replay in `out`."""
    from bitlif.sim.cosim import run_cosim
    from bitlif.sim.expected import expect
    from bitlif.sim.floatcheck import float_distances
    from bitlif.sim.judge import judge

    scratch = Path(tempfile.mkdtemp(prefix="bitlif-verify-"))
    outcomes: Outcomes = {}
    # Where a run fails the folder stays, with its logs.
    with progress_bars() as bars:
        bar = bars.add_task("running the model", total=2 * len(names))
        expected = expect(work)
        for name in names:
            bars.update(bar, description=f"simulating in {name}")
            # cocotb's runner talks; its words are in the logs.
            with contextlib.redirect_stdout(io.StringIO()):
                core = run_cosim(work, scratch / name, simulator=name, verilog=verilog)
            bars.update(bar, advance=1, description="comparing")
            verdict = judge(work, core, expected)
            outcomes[name] = verdict, float_distances(work, core, expected)
            if not verdict.agrees and out is not None:
                bars.update(bar, description="keeping the replay")
                _keep_replay(work, name, verdict, verilog, scratch / "replay", out)
                out = None
            bars.update(bar, advance=1)
    shutil.rmtree(scratch, ignore_errors=True)
    return outcomes


def _keep_replay(
    work: Work, simulator: str, verdict: Verdict, verilog: str | None, scratch: Path, out: Path
) -> None:
    """Run the windows up to the difference again, with a waveform, and move the folder to `out`."""
    from bitlif.hdl.verilog import core_name
    from bitlif.sim.cosim import run_cosim

    first = verdict.first
    assert first is not None
    short = work.first_windows(first.place.get("window", work.events.windows - 1) + 1)
    with contextlib.redirect_stdout(io.StringIO()):
        run_cosim(short, scratch, simulator=simulator, verilog=verilog, waves=True)
    (scratch / f"{core_name(work.config)}.sv").rename(scratch / "core.sv")
    shutil.rmtree(scratch / simulator)
    (scratch / "config.toml").write_text(dump_config(work.config), "utf-8")
    command = shlex.join(["bitlif", "verify", "--replay", str(out), "--simulator", simulator])
    told = {
        "simulator": simulator, "signal": first.signal, "place": first.place,
        "gates": first.gates, "model": first.model, "operation": first.operation,
        "replay": command,
    }  # fmt: skip
    (scratch / "difference.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    if out.exists():
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(scratch, out)


def _report(
    config: Config, work: Work, outcomes: Outcomes, agree: bool, left: Path | None
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
        "config": config.name, "windows": work.events.windows, "agree": agree, "by": by,
        "replay": str(left) if left else "",
    }  # fmt: skip


def _print(config: Config, outcomes: Outcomes, agree: bool, left: Path | None) -> None:
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
    out.print(result_table(f"{config.name}: gates against the integer model", columns, rows))
    _, distances = next(iter(outcomes.values()))
    if distances:
        columns = ("signal", "values", "beyond the bound", "largest share of it")
        rows = [(s, f"{d.values:,}", d.beyond, f"{d.share:.2f}") for s, d in distances.items()]
        out.print(result_table(f"{config.name}: gates against the float model", columns, rows))
    else:
        out.print("float model: no window of this run has a derived bound")
    for name, verdict in zip(names, verdicts, strict=True):
        if verdict.first:
            out.print(f"{name}: first difference: {verdict.first}", highlight=False)
    if left is not None:
        command = shlex.join(["bitlif", "verify", "--replay", str(left)])
        out.print(f"replay and waveform are in {left}: {command}")
    out.print("all agree" if agree else "NOT the same")
