"""The demo's learned weights in the core's Verilog, compared with the model."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.result import Result
from bitlif.scripts.console.terminal import console, require_gates, result_table
from bitlif.tasks.digits import CLASSES, class_targets
from bitlif.tasks.learner import target_levels
from bitlif.tasks.task import Examples, classify

from .waveform import SIGNALS, Wave

if TYPE_CHECKING:
    from bitlif.sim.cocotb.cosim import CosimRun
    from bitlif.sim.compare.expected import Expected
    from bitlif.tasks.scenario import Work

SHOWN = range(CLASSES)
"""Classes, of each of which one digit is run."""


@dataclass(frozen=True, slots=True, eq=False)
class Gates:
    """Results of the gate simulation.

    Attributes
    ----------
    report : dict
    wave : Wave or None
        The signals of one learning step; None if the gates did not finish it.
    """

    report: dict[str, Any]
    wave: Wave | None

    @property
    def agree(self) -> bool:
        """Whether every value equals the model's."""
        return bool(self.report["agree"])


def choose_simulator() -> str:
    """Return ``"icarus"`` if it is installed, else ``"verilator"``.

    Raises
    ------
    BitlifError
        If Amaranth, or any simulator, is missing.
    """
    try:
        require_gates()
    except BitlifError as error:
        raise BitlifError(f"{error}; --no-gates skips them") from error
    from bitlif.hdl.export.programs import find_program
    from bitlif.sim.simulators import require_simulator

    needed = ("verilator", "perl", "make", "g++")
    complete = all(find_program(program) for program in needed)
    if find_program("iverilog"):
        try:
            require_simulator("icarus")
        except BitlifError:
            # A simulator that does not work is skipped if the other one works.
            if not complete:
                raise
        else:
            return "icarus"
    if not complete:
        raise BitlifError(
            "the demo's gates need a Verilog simulator: sudo apt-get install iverilog; "
            "--no-gates skips them"
        )
    return "verilator"


def gates_text(config: Config) -> str:
    """Return the core's Verilog."""
    from bitlif.hdl.export.verilog import core_verilog

    return core_verilog(config)


def run_gates(
    config: Config, weights: NDArray[Any], digits: Examples, simulator: str, threads: int = 2
) -> Gates:
    """Run a test digit of each class, and learn a training digit of each, in gates and model.

    Both runs start with a core and a model fresh from reset, in the schedule's first phase, with
    these weights loaded.

    Parameters
    ----------
    config : Config
    weights : (65, 10) int
    digits : Examples
    simulator : str
    threads : int
        Simulations that run at the same time.
    """
    from bitlif.sim.cocotb.cosim import Sample, run_cosim
    from bitlif.sim.compare.expected import compute_expected
    from bitlif.tasks.scenario import Work

    start = time.perf_counter()
    works, labels = {}, {}
    for name, events, all_labels in (
        ("inference", digits.test, digits.test_labels),
        ("learning", digits.train, digits.train_labels),
    ):
        chosen = first_of_each(all_labels)
        labels[name] = all_labels[chosen]
        # A teacher that resets the neurons is needed for inference too.
        goals = target_levels(config, class_targets(labels[name]))
        learn = name == "learning"
        works[name] = Work(config, weights, events.select(chosen), goals, learn=learn)
    expected = {name: compute_expected(work) for name, work in works.items()}
    step = busy_step(works["learning"], expected["learning"])
    samples = {"inference": Sample(), "learning": Sample(tuple(SIGNALS.values()), step)}
    text = gates_text(config)
    scratch = Path(tempfile.mkdtemp(prefix="bitlif-demo-"))
    # Hide the output of cocotb's runner; the logs have it, and are kept on failure.
    with contextlib.redirect_stdout(io.StringIO()), ThreadPoolExecutor(threads) as pool:
        runs = {
            name: pool.submit(
                run_cosim, work, scratch / name, simulator=simulator, verilog=text,
                sample=samples[name],
            )
            for name, work in works.items()
        }  # fmt: skip
        cores = {name: run.result() for name, run in runs.items()}
    shutil.rmtree(scratch, ignore_errors=True)
    both = {
        name: compare(work, cores[name], expected[name], labels[name])
        for name, work in works.items()
    }
    learned = cores["learning"]
    report = {
        "simulator": simulator,
        "agree": all(own["differ"] == 0 for own in both.values()),
        "seconds": time.perf_counter() - start,
        **both,
    }
    wave = None if learned.stalled else Wave(config, step, learned.samples)
    return Gates(report, wave)


def first_of_each(labels: NDArray[np.int64]) -> list[int]:
    """Return the index of the first digit of each class."""
    return [int(np.flatnonzero(labels == label)[0]) for label in SHOWN]


def busy_step(work: Work, expected: Expected) -> int:
    """Return the step of the first window to draw, other than its first step.

    Among the steps with spikes and errors, if any, it is the one with the fewest events.
    """
    events = np.diff(work.events.pointers)[: work.config.window.steps]
    spikes = expected.raster[0].any(axis=1)
    errors = expected.observed["error"][0].any(axis=1)
    ranks = [(not spikes[t] or not errors[t], events[t], t) for t in range(1, len(events))]
    return int(min(ranks)[2])


def compare(
    work: Work, core: CosimRun, expected: Expected, labels: NDArray[np.int64]
) -> dict[str, Any]:
    """Return a comparison of the core's run and the model's."""
    from bitlif.sim.compare.compare import compare_run
    from bitlif.sim.probes import MISSING

    verdict = compare_run(work, core, expected)
    ends: dict[str, Any] = {"gates": core, "model": expected}
    winners = {
        name: classify(Result(own.raster, membrane=own.observed["membrane potential"]))
        for name, own in ends.items()
    }
    signatures = {name: int(own.observed["signature"][-1, 0]) for name, own in ends.items()}
    return {
        "shown": labels.tolist(),
        "winner": {name: own.tolist() for name, own in winners.items()},
        "compared_by_digit": verdict.by_window[:, 0].tolist(),
        "differ_by_digit": verdict.by_window[:, 1].tolist(),
        "compared": verdict.values,
        "differ": sum(verdict.mismatches.values()),
        "differ_by_signal": {name: n for name, n in verdict.mismatches.items() if n},
        "first_difference": str(verdict.first) if verdict.first else "",
        "weights_identical": bool(np.array_equal(core.weights, expected.weights)),
        "signature": {
            name: "none" if value == MISSING else f"{value:08x}"
            for name, value in signatures.items()
        },
        "clocks": None if core.stalled else int(core.window_clocks[-1]),
    }


def print_gates(report: dict[str, Any]) -> None:
    """Print the results of the gates as tables."""
    screen = console()
    runs = [report[name] for name in ("inference", "learning")]
    titles = {"icarus": "Icarus Verilog", "verilator": "Verilator"}
    rows: list[tuple[Any, ...]] = []
    for number, label in enumerate(runs[0]["shown"]):
        cells: list[Any] = [label]
        for run in runs:
            cells += [run["winner"][side][number] for side in ("gates", "model")]
            cells += [f"{run['compared_by_digit'][number]:,}", run["differ_by_digit"][number]]
        rows.append(tuple(cells))
    ends: list[Any] = ["at the end"]
    for run in runs:
        compared = run["compared"] - sum(run["compared_by_digit"])
        ends += ["", "", f"{compared:,}", run["differ"] - sum(run["differ_by_digit"])]
    rows.append(tuple(ends))
    columns = ("digit shown", *(
        f"{kind}: {what}" if what == "gates" else what
        for kind in ("test", "learning")
        for what in ("gates", "model", "values", "differ")
    ))  # fmt: skip
    where = f"{titles[report['simulator']]}, {report['seconds']:.0f} s"
    title = f"the learned weights in gates ({where}): most spikes by, values compared"
    screen.print(result_table(title, columns, rows))
    rows = [
        (
            "weights at the end",
            *("identical" if r["weights_identical"] else "DIFFER" for r in runs),
        ),
        *(
            (f"signature, {side}", *(run["signature"][side] for run in runs))
            for side in ("gates", "model")
        ),
        ("clocks", *("stuck" if run["clocks"] is None else f"{run['clocks']:,}" for run in runs)),
    ]
    screen.print(result_table("", ("", "test digits", "learning"), rows))
    values = sum(run["compared"] for run in runs)
    if report["agree"]:
        screen.print(f"gates and model agree in all {values:,} values")
        return
    differ = sum(run["differ"] for run in runs)
    screen.print(f"gates and model are NOT the same: {differ:,} of {values:,} values differ")
    for name, run in zip(("test digits", "learning"), runs, strict=True):
        if run["first_difference"]:
            screen.print(f"{name}: first difference: {run['first_difference']}", highlight=False)
