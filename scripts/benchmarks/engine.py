"""Benchmarks of the engine: its workloads, timed beside the limits of this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.layer import Layer
from bitlif.scripts.console.terminal import progress_bars
from bitlif.sim.backends.models import ModelCore
from bitlif.tasks.digits import class_targets, load_digits_task
from bitlif.tasks.learner import target_levels

from .limits import best_seconds, copy_bandwidth, matrix_rate, minimal_loop_rate
from .stepping import STEP_RATE, STEP_WINDOWS, step_seconds
from .work import Work, first_result, make_work


@dataclass(frozen=True, slots=True)
class Row:
    """One measured value.

    Attributes
    ----------
    name, unit : str
    value : float
        Of the fastest of several runs.
    median : float
        Of the median run.
    synaptic : float or None
        Million synaptic events/s of the fastest run.
    limit : str
        The limit of the machine that the value is compared with, or "".
    ratio : float or None
        The value divided by that limit.
    target : float or None
        The project's target for the value.
    at_most : bool
        Whether the target is an upper bound, not a lower one.
    active : float or None
        Measured share of nonzero errors, if errors are computed.
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


def measure(
    threads: list[int], *, quick: bool = False, scale: float = 1.0
) -> tuple[dict[str, float], list[Row]]:
    """Measure the limits of the machine and all workloads.

    Parameters
    ----------
    threads : list of int
        Numbers of threads for the workloads that use several.
    quick : bool
        Whether to omit the workloads without a target, and to repeat less often.
    scale : float
        Length of the windows relative to a real benchmark; below 1 for tests.

    Returns
    -------
    limits : dict of str to float
    rows : list of Row
    """
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
        ("steps", partial(_stepped, repeats, steps)),
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
    """Time `call` and return a row in million neuron-steps/s, compared with the minimal loop."""
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
    """Time learning, each run from the initial weights of `work`.

    Otherwise the share of active errors, and with it the speed, would change from run to run.
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

    # The warm-up call is the first pass. From the second pass on, errors are as sparse as during
    # most of a training.
    fastest, median = best_seconds(learn, repeats)
    work = count * config.window.steps
    return [
        Row("digits 65x10, learning", "M steps/s", work / fastest / 1e6, work / median / 1e6,
            synaptic=events.count * 10 / fastest / 1e6, target=1.0,
            active=counters["active_errors"] / (work * config.layer.neurons))
    ]  # fmt: skip


def _stepped(repeats: int, steps: int) -> list[Row]:
    """Learn digits step by step in the model as a backend, after a first pass in windows."""
    config = Config.load("digits")
    digits = load_digits_task(config.window.steps, 0)
    count = 500 if steps >= 100 else STEP_WINDOWS
    events = digits.train.select(range(count))
    targets = target_levels(config, class_targets(digits.train_labels[:count]))
    core = ModelCore(config)
    core.learn(events, targets)
    few, goals, weights = events.select(range(STEP_WINDOWS)), targets[:STEP_WINDOWS], core.weights()
    fastest, median, whole = step_seconds(core, weights, few, goals, repeats)
    active = core.counters()["active_errors"] / (few.windows * few.steps * config.layer.neurons)
    work = few.windows * few.steps
    return [
        Row("digits 65x10, step by step", "k steps/s", work / fastest / 1e3, work / median / 1e3,
            synaptic=few.count * 10 / fastest / 1e6, target=STEP_RATE / 1e3, active=active,
            note=f"{fastest / whole:.0f} times as long as the same windows in one call")
    ]  # fmt: skip


def _first(steps: int) -> list[Row]:
    figures = first_result(steps)
    first, memory = figures["first_result"], figures["memory"]
    return [
        Row("first result of W1, warm cache", "s", first, first, target=1.0, at_most=True,
            note=f"not counting the import, {figures['import']:.2f} s"),
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
    """Measure inference and learning at one size, batch and number of threads.

    Windows are learned one after another, so threads help only if the gradient of a large window
    is computed by a matrix product.
    """
    work = make_work(*size, steps, batch, threads=threads)
    title = f"{size[0]}x{size[1]}, batch {batch}, threads {threads}"
    call = lambda: work.layer.run(work.events)  # noqa: E731
    rows = [_neuron_row(limits, f"inference {title}", work, call, repeats)]
    count = min(2, repeats) if batch > 1 else repeats
    rows.append(_learning_row(limits, f"learning {title}", work, count))
    return rows
