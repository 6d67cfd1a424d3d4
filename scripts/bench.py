"""``bitlif bench``: the engine's speed, as ratios to what this machine can do in the same run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.layer import Layer
from bitlif.model.text import quoted
from bitlif.tasks.digits import class_targets, load_digits_task, target_levels

from .benchmarks import (
    cosim as bench_cosim,
)
from .benchmarks import (
    estimate as bench_estimate,
)
from .benchmarks import (
    gates as bench_gates,
)
from .benchmarks import (
    study as bench_study,
)
from .benchmarks.limits import best_seconds, copy_bandwidth, matrix_rate, minimal_loop_rate
from .benchmarks.work import Work, first_result, make_work
from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    result_table,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure.

    Attributes
    ----------
    name, unit : str
    value : float
        From the fastest of several runs.
    median : float
        The same from the median run.
    synaptic : float or None
        Million synaptic events/s of the same run.
    limit : str
        The machine's limit that the figure is held against, or "".
    ratio : float or None
        Value divided by that limit.
    target : float or None
        What the project asks for.
    at_most : bool
        Whether the target is the most that is allowed, not the least.
    active : float or None
        Measured share of errors that are not zero, where errors are computed.
    note : str
    """

    name: str
    unit: str
    value: float
    median: float
    synaptic: float | None = None
    limit: str = ""
    ratio: float | None = None
    target: float | None = None
    at_most: bool = False
    active: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met, if there is one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "bench",
        run,
        "measure the engine against this machine's own limits",
        """
        Measures inference and learning end to end (noise, saturation counting and everything else
        on), and in the same run what the machine can do at all: copies, matrix products, and a
        minimal integer loop of leak, noise and threshold. Times on a shared machine are noisy; the
        ratios are what compares. `bitlif bench gates` measures the core on FPGAs instead,
        `bitlif bench cosim` how fast gates are simulated, `bitlif bench estimate` how far off
        `bitlif estimate` is, and `bitlif bench study` runs a second of a study.
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
        help="the workloads with a target only, fewer repetitions: seconds, not a minute or two",
    )
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    add_json(parser)
    actions = parser.add_subparsers(dest="what", metavar="gates|cosim|estimate|study")
    bench_gates.add_parser(actions)
    bench_cosim.add_parser(actions)
    bench_estimate.add_parser(actions)
    bench_study.add_parser(actions)


def run(args: argparse.Namespace) -> int:
    """Measure, print, and check if asked to."""
    try:
        threads = [int(word) for word in args.threads.split(",")]
    except ValueError:
        threads = []
    if not threads or min(threads) < 1 or max(threads) > 256:
        raise BitlifError(
            f"--threads must be numbers from 1 to 256 as in 1,2, not {quoted(args.threads)}"
        )
    limits, rows = measure(threads, quick=args.quick)
    missed = [row.name for row in rows if row.met is False]
    if args.json:
        listed = [{**asdict(row), "met": row.met} for row in rows]
        print_json({"limits": limits, "rows": listed, "missed": missed})
    else:
        _print(limits, rows)
    return 1 if args.check and missed else 0


def measure(
    threads: list[int], *, quick: bool = False, scale: float = 1.0
) -> tuple[dict[str, float], list[Row]]:
    """Return the machine's limits and all rows; `scale` below 1 shrinks the windows, for tests."""
    repeats = (3 if quick else 7) if scale == 1.0 else 1
    steps = max(int(1000 * scale), 4)
    jobs: list[tuple[str, Callable[[], list[Row]]]] = []
    limits: dict[str, float] = {}

    def measure_limits() -> list[Row]:
        limits["copy_gb_per_s"] = copy_bandwidth(repeats)
        limits["float64_gflop_per_s"] = matrix_rate(np.float64, repeats)
        limits["float32_gflop_per_s"] = matrix_rate(np.float32, repeats)
        limits["minimal_loop_m_per_s"] = minimal_loop_rate(repeats)
        return []

    jobs.append(("machine limits", measure_limits))
    jobs += [
        ("W1", partial(_w1, limits, repeats, steps)),
        ("W2", partial(_w2, limits, repeats, steps, max(threads))),
        ("W3", partial(_w3, limits, repeats, steps)),
        ("W4", partial(_w4, limits, repeats, steps)),
        ("digits", partial(_digits, repeats, steps)),
        ("first result", partial(_first, steps)),
    ]
    for size in () if quick else ((64, 10), (256, 256), (1024, 1024)):
        for batch in (1, 32):
            for count in threads:
                grid = partial(_grid, limits, repeats, steps, size, batch, count)
                jobs.append((f"{size[0]}x{size[1]}", grid))
    rows: list[Row] = []
    with progress_bars() as bars:
        bar = bars.add_task("measuring", total=len(jobs))
        for name, job in jobs:
            bars.update(bar, description=f"measuring {name}")
            rows += job()
            bars.update(bar, advance=1)
    return limits, rows


def _neuron_row(
    limits: dict[str, float],
    name: str,
    work: Work,
    call: Callable[[], Any],
    repeats: int,
    before: Callable[[], Any] = lambda: None,
    **more: Any,
) -> Row:
    """Time `call` and return a row in million neuron-steps/s, held against the minimal loop."""
    fastest, median = best_seconds(call, repeats, before)
    rate = work.neuron_steps / fastest / 1e6
    return Row(
        name,
        "M neuron-steps/s",
        rate,
        work.neuron_steps / median / 1e6,
        synaptic=work.synaptic_events / fastest / 1e6,
        limit="minimal loop, 1 thread",
        ratio=rate / limits["minimal_loop_m_per_s"],
        **more,
    )


def _w1(limits: dict[str, float], repeats: int, steps: int) -> list[Row]:
    rows = []
    for lanes, target in ((1, 200.0), (16, None)):
        work = make_work(1024, 1024, steps, 1, lanes=lanes)
        name = f"W1, lanes {lanes}"
        call = lambda work=work: work.layer.run(work.events)  # noqa: E731
        rows.append(_neuron_row(limits, name, work, call, repeats, target=target))
    return rows


def _w2(limits: dict[str, float], repeats: int, steps: int, threads: int) -> list[Row]:
    work = make_work(1024, 1024, steps, 32, threads=threads)
    name = f"W2, threads {threads}"
    target = 400.0 if threads == 2 else None
    call = lambda: work.layer.run(work.events)  # noqa: E731
    return [_neuron_row(limits, name, work, call, repeats, target=target)]


def _w3(limits: dict[str, float], repeats: int, steps: int) -> list[Row]:
    work = make_work(64, 10, steps, 1)
    call = lambda: work.layer.run(work.events)  # noqa: E731
    return [_neuron_row(limits, "W3", work, call, 5 * repeats, target=40.0)]


def _w4(limits: dict[str, float], repeats: int, steps: int) -> list[Row]:
    rows = []
    for label, active, target in (("all", 1.0, 20.0), ("5 %", 0.05, 100.0)):
        work = make_work(1024, 1024, steps, 1, active=active)
        result = work.layer.run(work.events, work.targets, gradient=True)
        share = result.counters["active_errors"] / result.raster.size
        call = lambda work=work: work.layer.run(  # noqa: E731
            work.events, work.targets, gradient=True
        )
        name = f"W4, {label} active"
        row = _neuron_row(limits, name, work, call, repeats, target=target, active=share)
        rows.append(row)
        if active == 1.0:
            products = 2 * 1024 * 1024 * steps * row.value * 1e6 / work.neuron_steps / 1e9
            rows.append(
                Row("   its products", "GFLOP/s", products, products, limit="float32 product",
                    ratio=products / limits["float32_gflop_per_s"])
            )  # fmt: skip
        rows.append(_learning_row(limits, f"   and the update, {label} active", work, repeats))
    return rows


def _learning_row(limits: dict[str, float], name: str, work: Work, repeats: int) -> Row:
    """Time learning, each time from the weights that `work` came with.

    Learning on would change the share of active errors, and with it the speed, from run to run.
    """
    tally: dict[str, int] = {}
    weights = work.layer.weights

    def rewind() -> None:
        work.layer.load(weights)
        work.layer.reset()

    def learn() -> None:
        tally.update(work.layer.learn(work.events, work.targets).counters)

    row = _neuron_row(limits, name, work, learn, repeats, rewind)
    rewind()
    return replace(row, active=tally["active_errors"] / work.neuron_steps)


def _digits(repeats: int, steps: int) -> list[Row]:
    config = Config.load("digits")
    digits = load_digits_task(config.window.steps, 0)
    count = digits.train.windows if steps >= 100 else 20
    events = digits.train.select(range(count))
    targets = target_levels(config, class_targets(digits.train_labels[:count]))
    layer = Layer(config)
    counters: dict[str, int] = {}

    def learn() -> None:
        counters.update(layer.learn(events, targets).counters)

    # The call that warms up is the first pass: from the second on errors are as sparse as they
    # are for most of a training.
    fastest, median = best_seconds(learn, repeats)
    work = count * config.window.steps
    return [
        Row("digits 65x10, learning", "M steps/s", work / fastest / 1e6, work / median / 1e6,
            synaptic=events.count * 10 / fastest / 1e6, target=1.0,
            active=counters["active_errors"] / (work * config.layer.neurons))
    ]  # fmt: skip


def _first(steps: int) -> list[Row]:
    figures = first_result(steps)
    first, memory = figures["first_result"], figures["memory"]
    return [
        Row("first result of W1, warm cache", "s", first, first, target=1.0, at_most=True,
            note=f"importing takes {figures['import']:.2f} s before it"),
        Row("resident memory of W1", "MiB", memory, memory, target=200.0, at_most=True),
    ]  # fmt: skip


def _grid(
    limits: dict[str, float],
    repeats: int,
    steps: int,
    size: tuple[int, int],
    batch: int,
    threads: int,
) -> list[Row]:
    """Inference and learning at one size, batch and number of threads.

    Windows are learned one after another: threads help only where a matrix product makes the
    gradient of a large one.
    """
    work = make_work(*size, steps, batch, threads=threads)
    title = f"{size[0]}x{size[1]}, batch {batch}, threads {threads}"
    call = lambda: work.layer.run(work.events)  # noqa: E731
    rows = [_neuron_row(limits, f"inference {title}", work, call, repeats)]
    count = min(2, repeats) if batch > 1 else repeats
    rows.append(_learning_row(limits, f"learning {title}", work, count))
    return rows


def _print(limits: dict[str, float], rows: list[Row]) -> None:
    screen = console()
    names = {
        "copy_gb_per_s": "copy, GB/s (read and written)",
        "float64_gflop_per_s": "float64 matrix product, GFLOP/s, 1 thread",
        "float32_gflop_per_s": "float32 matrix product, GFLOP/s, 1 thread",
        "minimal_loop_m_per_s": "minimal leak-noise-threshold loop, M neuron-steps/s, 1 thread",
    }
    facts = [(names[name], f"{value:.1f}") for name, value in limits.items()]
    screen.print(result_table("this machine, now", ("", ""), facts))
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
            screen.print(f"{row.name.strip()}: {_percent(row.active)} of the errors are not zero")
        if row.note:
            screen.print(f"{row.name.strip()}: {row.note}")
    grid = [(*_cells(row), _percent(row.active)) for row in rows if row.name.startswith(GRID)]
    if grid:
        columns = ("M neuron-steps/s", "best", "median", "Msyn/s", "of limit", "active")
        screen.print(result_table("every size, batch and number of threads", columns, grid))
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
"""How the names of rows begin that are measured at every size."""

UNITS = {"M neuron-steps/s": "Mns/s"}

LEGEND = """\
W1: 1024 inputs at 0.02 x 1024 neurons, 1000 steps, 1 thread; W2: 32 windows of it; W3: 64 x 10
neurons; W4: W1 and its exact gradient. Mns/s: million neuron-steps/s; Msyn/s: million synaptic
events/s; of limit: the minimal loop on 1 thread for neuron-steps, a float32 product for the
products; active: errors that are not zero."""
