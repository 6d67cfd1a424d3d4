"""The demo's network in the core's Verilog, compiled, beside the model.

As a program, compiles the gates of the network that is pickled on the standard input.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.scripts.console.terminal import console, result_table
from bitlif.tasks.digits import class_targets
from bitlif.tasks.learner import target_levels
from bitlif.tasks.task import Examples

from .compile_network import beside
from .demo_gates import first_of_each

LEARNED = 20
"""Training digits that the gates learn, the first ones."""


def missing_tools() -> str:
    """Return why compiled gates cannot be run, or ""."""
    from bitlif.sim.compiled.build import require_tools

    try:
        require_tools()
    except BitlifError as error:
        return str(error)
    return ""


def gates_beside(
    network: NetworkConfig, *, wanted: bool
) -> contextlib.AbstractContextManager[Callable[[], object]]:
    """Compile the network's gates in another process, if they are wanted; see `beside`."""
    if not wanted:
        return contextlib.nullcontext(lambda: None)
    return beside(__name__, network)


def run_network_gates(
    network: NetworkConfig, weights: list[NDArray[np.int64]], digits: Examples
) -> dict[str, Any]:
    """Run a test digit of each class, and learn training digits, in gates and in the model.

    Both runs start with cores fresh from reset, with these weights loaded. Everything that the
    gates show of each layer is compared after each window.

    Parameters
    ----------
    network : NetworkConfig
    weights : list of (N, M) int64
        Raw weights of each layer.
    digits : Examples
    """
    import bitlif
    from bitlif.sim.compare.network_crosscheck import crosscheck_network
    from bitlif.tasks.scenario import NetworkWork

    start = time.perf_counter()
    chosen = first_of_each(digits.test_labels)
    works = {
        "test digits": (digits.test.select(chosen), digits.test_labels[chosen], False),
        "learned digits": (
            digits.train.select(range(LEARNED)), digits.train_labels[:LEARNED], True
        ),
    }  # fmt: skip
    runs: dict[str, Any] = {}
    with bitlif.open(network) as model, bitlif.open(network, "rtl") as core:
        for name, (events, labels, learns) in works.items():
            goals = target_levels(network.outer, class_targets(labels))
            by_step = np.repeat(goals[:, None], events.steps, axis=1)
            work = NetworkWork(network, weights, events, by_step, learns=learns)
            _, gates = crosscheck_network([model, core], work)
            runs[name] = {
                "windows": events.windows,
                "compared": _by_part(gates.compared),
                "differ": _by_part(gates.mismatches),
                "first_difference": str(gates.first) if gates.first else gates.note,
                "clocks": gates.clocks,
                "signature": None if gates.signature is None else f"{gates.signature:08x}",
            }
    differ = sum(sum(run["differ"].values()) for run in runs.values())
    return {"agree": not differ, "seconds": time.perf_counter() - start, "runs": runs}


def _by_part(counted: dict[str, int]) -> dict[str, int]:
    """Return counts of signals by layer and pass, as ``"layer.0 sweep"``."""
    found: Counter[str] = Counter()
    for name, count in counted.items():
        part, colon, _ = name.partition(": ")
        found[part if colon else "the network"] += count
    return dict(found)


def print_network_gates(report: dict[str, Any]) -> None:
    """Print the values compared by layer and pass."""
    screen, runs = console(), report["runs"]
    parts = list(dict.fromkeys(part for run in runs.values() for part in run["compared"]))
    rows: list[tuple[Any, ...]] = []
    for part in parts:
        cells: list[Any] = [part]
        for run in runs.values():
            cells += [f"{run['compared'].get(part, 0):,}", run["differ"].get(part, 0)]
        rows.append(tuple(cells))
    ends: list[Any] = ["clocks"]
    for run in runs.values():
        ends += ["stuck" if run["clocks"] is None else f"{run['clocks']:,}", ""]
    titles = [f"{run['windows']} {name}" for name, run in runs.items()]
    columns = ("values compared", *(own for title in titles for own in (title, "differ")))
    title = f"the network in compiled gates ({report['seconds']:.0f} s)"
    screen.print(result_table(title, columns, [*rows, tuple(ends)]))
    values = sum(sum(run["compared"].values()) for run in runs.values())
    if report["agree"]:
        screen.print(f"gates and model of the network agree in all {values:,} values")
        return
    screen.print("gates and model of the network are NOT the same")
    for name, run in runs.items():
        if run["first_difference"]:
            screen.print(f"{name}: first difference: {run['first_difference']}", highlight=False)


def main() -> None:
    """Compile the gates of the network that is pickled on the standard input."""
    from bitlif.sim.compiled.build import library

    library(pickle.load(sys.stdin.buffer), "rtl")


if __name__ == "__main__":
    main()
