"""``bitlif bench``: the speed of the engine, relative to the limits of the machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from bitlif.model.errors import BitlifError
from bitlif.model.text import quoted

from .benchmarks import cosim as bench_cosim
from .benchmarks import estimate as bench_estimate
from .benchmarks import gates as bench_gates
from .benchmarks import network as bench_network
from .benchmarks import study as bench_study
from .console.terminal import SubParsers, add_command, add_json, console, print_json, result_table

if TYPE_CHECKING:
    from .benchmarks.engine import Row


def add_parser(subparsers: SubParsers) -> None:
    """Add the parser of the command."""
    parser = add_command(
        subparsers,
        "bench",
        run,
        "measure the engine's speed relative to this machine's limits",
        """
        Measures inference and learning with all features on (noise, saturation counters), and in
        the same run the limits of the machine: copies, matrix products, and a minimal integer loop
        of leak, noise and threshold. Times vary on a shared machine, so compare the ratios.

        Other benchmarks: `bitlif bench network` measures learning with a hidden layer beside NumPy,
        PyTorch and snnTorch, `bitlif bench gates` clock and size of the core on FPGAs,
        `bitlif bench cosim` the speed of gate simulation, `bitlif bench estimate` the error of
        `bitlif estimate`, and `bitlif bench study` the overhead of a study.
        """,
        (
            "bitlif bench",
            "bitlif bench --quick --check",
            "bitlif bench --threads 1 --json > bench.json",
        ),
    )
    parser.add_argument(
        "--threads", default="1,2", metavar="LIST", help="numbers of threads (default: 1,2)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="only workloads with a target, and fewer repetitions: takes seconds, not minutes",
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 if a target is missed"
    )
    add_json(parser)
    actions = parser.add_subparsers(dest="what", metavar="network|gates|cosim|estimate|study")
    bench_network.add_parser(actions)
    bench_gates.add_parser(actions)
    bench_cosim.add_parser(actions)
    bench_estimate.add_parser(actions)
    bench_study.add_parser(actions)


def run(args: argparse.Namespace) -> int:
    """Measure and print; with ``--check``, compare with the targets."""
    from .benchmarks.engine import measure

    try:
        threads = [int(word) for word in args.threads.split(",")]
    except ValueError:
        threads = []
    if not threads or min(threads) < 1 or max(threads) > 256:
        raise BitlifError(
            f"--threads must be numbers in 1 ..= 256 such as 1,2, not {quoted(args.threads)}"
        )
    limits, rows = measure(threads, quick=args.quick)
    missed = [row.name for row in rows if row.met is False]
    if args.json:
        listed = [{**asdict(row), "met": row.met} for row in rows]
        print_json({"limits": limits, "rows": listed, "missed": missed})
    else:
        _print(limits, rows)
    return 1 if args.check and missed else 0


def _print(limits: dict[str, float], rows: list[Row]) -> None:
    screen = console()
    names = {
        "copy_gb_per_s": "copy, GB/s (read and written)",
        "float64_gflop_per_s": "float64 matrix product, GFLOP/s, 1 thread",
        "float32_gflop_per_s": "float32 matrix product, GFLOP/s, 1 thread",
        "minimal_loop_m_per_s": "minimal leak-noise-threshold loop, M neuron-steps/s, 1 thread",
    }
    facts = [(names[name], f"{value:.1f}") for name, value in limits.items()]
    screen.print(result_table("limits of this machine", ("", ""), facts))
    named = [row for row in rows if not row.name.startswith(GRID)]
    lines = []
    for row in named:
        target = "" if row.target is None else f"{'<=' if row.at_most else '>='} {row.target:g}"
        name, *figures = _cells(row)
        figures.insert(2, UNITS.get(row.unit, row.unit))
        lines.append((name, *figures, target if row.met is not False else f"{target} missed"))
    titles = ("workload", "best", "median", "", "Msyn/s", "of limit", "target")
    screen.print(result_table("bitlif, end to end", titles, lines))
    for row in named:
        if row.active is not None:
            screen.print(f"{row.name.strip()}: {_percent(row.active)} of the errors are nonzero")
        if row.note:
            screen.print(f"{row.name.strip()}: {row.note}")
    grid = [(*_cells(row), _percent(row.active)) for row in rows if row.name.startswith(GRID)]
    if grid:
        columns = ("M neuron-steps/s", "best", "median", "Msyn/s", "of limit", "active")
        screen.print(result_table("by size, batch and number of threads", columns, grid))
    for line in LEGEND.splitlines():
        screen.print(line)


def _cells(row: Row) -> tuple[str, ...]:
    """Return name, best, median, synaptic events and ratio as they are printed."""
    return (
        row.name,
        f"{row.value:.4g}",
        f"{row.median:.4g}",
        "" if row.synaptic is None else f"{row.synaptic:.0f}",
        "" if row.ratio is None else f"{row.ratio:.2f}",
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


GRID = ("inference", "learning")
"""First words of the rows that are measured at every size."""

UNITS = {"M neuron-steps/s": "Mns/s"}

LEGEND = """\
W1: 1024 inputs at rate 0.02, 1024 neurons, 1000 steps, 1 thread. W2: 32 windows of W1.
W3: 64 inputs, 10 neurons. W4: W1 with its exact gradient. Mns/s: million neuron-steps/s.
Msyn/s: million synaptic events/s. of limit: ratio to the minimal loop on 1 thread, or to a
float32 matrix product. active: share of nonzero errors."""
