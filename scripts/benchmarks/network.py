"""``bitlif bench network``: learning with a hidden layer, beside NumPy, PyTorch and snnTorch."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.extras import install_command
from bitlif.model.network import Network
from bitlif.scripts.console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    result_table,
)
from bitlif.tasks.digits import load_digits_task

from .limits import minimal_loop_call
from .peers import NumpyNetwork, snntorch_learner, torch_learner
from .work import in_new_process

CONFIG = "digits-96"

EPOCHS, WINDOWS = 20, 1347
"""Passes over the training windows of the digits, and their number."""

BATCH = 32
"""Windows of a batch of snnTorch and of `bitlif.torch`."""

LEARNING, INFERENCE = "learning", "inference"

PLAIN, AT_ONCE, SNNTORCH = "NumPy", "NumPy, one product per window", "snnTorch, batch of 32"
"""Names of the peers. Plain NumPy sums the gradients by an outer product per step."""

TORCH = "bitlif.torch, batch of 32"
"""Name of our own network in PyTorch."""

TARGETS = {LEARNING: 5000.0, PLAIN: 50.0, SNNTORCH: 20.0, TORCH: 1.0}
"""Least samples/s of learning, and ratios: of learning to peers, of `bitlif.torch` to snnTorch."""

MAX_SECONDS = 10.0
"""Most seconds of `EPOCHS` passes."""


class Data(NamedTuple):
    """Windows to learn from."""

    events: Events
    labels: NDArray[np.int64]
    targets: NDArray[np.uint16]
    """(W, M) raw"""
    name: str


class Contestant(NamedTuple):
    """Something to time: each call learns or runs a number of windows."""

    name: str
    windows: int
    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Row:
    """The speed of one contestant, the median of several rounds.

    Attributes
    ----------
    name : str
    samples_per_s : float
    samples_per_cpu_s : float
        Per second of the processor's time, which other processes disturb less.
    of_limit : float
        Its neuron-steps relative to those of the minimal loop, by the processor's time.
    times : float or None
        How many times as fast our learning is in the same round, by the processor's time.
    """

    name: str
    samples_per_s: float
    samples_per_cpu_s: float
    of_limit: float
    times: float | None = None


def add_parser(actions: SubParsers) -> None:
    """Add the subcommand of ``bitlif bench``."""
    parser = add_command(
        actions,
        "network",
        run,
        "measure learning and inference of a network, beside NumPy, PyTorch and snnTorch",
        """
        Learns and runs the digits with 96 hidden neurons (65-96-10, 64 steps), one window after
        another, on one thread. In the same rounds, the same network learns in NumPy, window by
        window, and, if they are installed, in `bitlif.torch` and with snnTorch on the CPU, in
        batches of 32. Without scikit-learn, random spikes take the place of the digits. Ratios are
        of processor time.
        """,
        (
            "bitlif bench network",
            "bitlif bench network --quick --check",
            "bitlif bench network --json > network.json",
        ),
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter rounds: takes seconds"
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 if a target is missed"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print, and with --check compare with the targets."""
    rounds, scale = (3, 0.25) if args.quick else (9, 1.0)
    data, rows, facts, missing = measure(rounds, scale)
    goals = check_targets(rows, facts)
    missed = [goal["name"] for goal in goals if not goal["met"]]
    if args.json:
        print_json({
            "data": data, "rows": [asdict(row) for row in rows], **facts, "goals": goals,
            "missed": missed, "not_installed": missing,
        })  # fmt: skip
        return 1 if args.check and missed else 0
    screen = console()
    lines = [
        (
            row.name,
            f"{row.samples_per_s:,.0f}",
            f"{row.samples_per_cpu_s:,.0f}",
            f"{row.of_limit:.3g}",
            "" if row.times is None else f"{row.times:.1f}",
        )
        for row in rows
    ]
    titles = ("", "samples/s", "per CPU s", "of limit", "learning is faster by")
    screen.print(result_table(f"network 65-96-10, 64 steps, {data}, 1 thread", titles, lines))
    for goal in goals:
        met = "" if goal["met"] else " missed"
        screen.print(f"{goal['name']}: {goal['value']:.4g} {goal['target']}{met}")
    if missing:
        screen.print(missing, markup=False)
    screen.print(
        "of limit: neuron-steps relative to the minimal loop of leak, noise and threshold, "
        f"{facts['minimal_loop_m_per_s']:.0f} M/s"
    )
    return 1 if args.check and missed else 0


def measure(rounds: int, scale: float) -> tuple[str, list[Row], dict[str, float], str]:
    """Time all contestants in turn, round by round.

    Parameters
    ----------
    rounds : int
    scale : float
        Length of a round; 1 for about half a second of each contestant.

    Returns
    -------
    name : str
        What is learned.
    rows : list of Row
    facts : dict of str to float
    missing : str
        How to install what is missing, or "".
    """
    config = NetworkConfig.load(CONFIG)
    data = load_data(config)
    network = Network(config)
    contestants = _own(network, data, scale)
    peers, missing = _peers(config, data, scale)
    contestants += peers
    loop, neuron_steps = minimal_loop_call()
    contestants.append(Contestant("", max(1, int(100 * scale)), _repeated(loop, int(100 * scale))))
    walls: dict[str, list[float]] = {own.name: [] for own in contestants}
    cpus: dict[str, list[float]] = {own.name: [] for own in contestants}
    with progress_bars() as bars:
        bar = bars.add_task("measuring", total=rounds + 1)
        for number in range(rounds + 1):
            for own in contestants:
                wall, cpu = time.perf_counter(), time.process_time()
                own.call()
                # The first round compiles, and fills the caches.
                if number > 0:
                    walls[own.name].append(own.windows / (time.perf_counter() - wall))
                    cpus[own.name].append(own.windows / (time.process_time() - cpu))
            bars.update(bar, advance=1)
        loaded = _seconds_of_loading()
    limit = statistics.median(cpus[""]) * neuron_steps
    each = config.layers[0].config.window.steps * sum(
        layer.config.layer.neurons for layer in config.layers
    )
    rows = []
    for own in contestants[:-1]:
        cpu = statistics.median(cpus[own.name])
        pairs = zip(cpus[LEARNING], cpus[own.name], strict=True)
        times = statistics.median(ours / other for ours, other in pairs)
        ours = own.name in (LEARNING, INFERENCE)
        rows.append(
            Row(own.name, statistics.median(walls[own.name]), cpu, cpu * each / limit,
                None if ours else times)
        )  # fmt: skip
    facts = {
        "minimal_loop_m_per_s": limit / 1e6,
        "seconds_of_epochs": loaded + EPOCHS * WINDOWS / rows[0].samples_per_s,
    }
    if SNNTORCH in cpus:
        pairs = zip(cpus[TORCH], cpus[SNNTORCH], strict=True)
        facts["torch_times_snntorch"] = statistics.median(ours / other for ours, other in pairs)
    return data.name, rows, facts, missing


def check_targets(rows: list[Row], facts: dict[str, float]) -> list[dict[str, Any]]:
    """Return the targets that apply to the rows, with values and whether they are met."""
    by_name = {row.name: row for row in rows}
    goals = []
    learned = by_name[LEARNING].samples_per_s
    figures = [("learning, samples/s", learned, TARGETS[LEARNING])]
    for name in (PLAIN, SNNTORCH):
        if name in by_name:
            times = by_name[name].times
            assert times is not None
            figures.append((f"learning, times {name}", times, TARGETS[name]))
    if "torch_times_snntorch" in facts:
        figures.append((f"{TORCH}, times snnTorch", facts["torch_times_snntorch"], TARGETS[TORCH]))
    for title, value, least in figures:
        goals.append(
            {"name": title, "value": value, "target": f">= {least:g}", "met": value >= least}
        )
    seconds = facts["seconds_of_epochs"]
    goals.append({
        "name": f"{EPOCHS} epochs of {WINDOWS} windows, code loaded from the cache, s",
        "value": seconds, "target": f"< {MAX_SECONDS:g}", "met": seconds < MAX_SECONDS,
    })  # fmt: skip
    return goals


def load_data(config: NetworkConfig) -> Data:
    """Return the training windows of the digits, or random spikes without scikit-learn."""
    first, last = config.layers[0].config, config.layers[-1].config
    one = 1 << last.error.target_bits
    try:
        digits = load_digits_task(first.window.steps, 0)
        events, labels, name = digits.train, digits.train_labels, "digits"
    except BitlifError:
        random = np.random.default_rng(0)
        labels = random.integers(0, last.layer.neurons, WINDOWS)
        # As many spikes as the digits have, at rates that depend on the class.
        rates = random.random((last.layer.neurons, 1, first.layer.inputs)) ** 2 * 0.8
        shape = (WINDOWS, first.window.steps, first.layer.inputs)
        events, name = Events.from_raster(random.random(shape) < rates[labels]), "random spikes"
    targets = (np.arange(last.layer.neurons) == np.asarray(labels)[:, None]) * one
    return Data(events, np.asarray(labels, np.int64), targets.astype(np.uint16), name)


def _own(network: Network, data: Data, scale: float) -> list[Contestant]:
    """Return learning and inference; each call takes the next windows of the data."""
    count = max(1, int(1340 * scale))
    parts = [range(k, k + count) for k in range(0, WINDOWS - count + 1, count)]
    places = cycle([(data.events.select(part), data.targets[part[0] : part[-1] + 1])
                    for part in parts])  # fmt: skip
    return [
        Contestant(LEARNING, count, lambda: network.learn(*next(places))),
        Contestant(INFERENCE, count, lambda: network.run(next(places)[0])),
    ]


def _peers(config: NetworkConfig, data: Data, scale: float) -> tuple[list[Contestant], str]:
    few = range(2 * BATCH)
    rasters = data.events.select(few).raster()
    inputs = rasters.astype(np.float64)
    goals = (
        np.arange(config.layers[-1].config.layer.neurons) == data.labels[: len(few), None]
    ) * 1.0
    found = []
    for name, at_once in ((PLAIN, False), (AT_ONCE, True)):
        found.append(_numpy(name, NumpyNetwork(config, at_once=at_once), inputs, goals, scale))
    batches = rasters.reshape(-1, BATCH, *rasters.shape[1:]).transpose(0, 2, 1, 3)
    labels = data.labels[: len(few)].reshape(-1, BATCH)
    try:
        learners = {
            SNNTORCH: (snntorch_learner(config, batches, labels), max(1, int(6 * scale))),
            TORCH: (torch_learner(config, batches, labels), max(1, int(24 * scale))),
        }
    except ImportError:
        return found, f"snnTorch is not installed: {install_command('bench')}"
    for name, (learn, count) in learners.items():
        found.append(Contestant(name, count * BATCH, _repeated(learn, count)))
    return found, ""


def _numpy(
    name: str, peer: NumpyNetwork, inputs: NDArray[Any], goals: NDArray[Any], scale: float
) -> Contestant:
    windows = cycle(zip(inputs, goals, strict=True))
    count = max(1, int(160 * scale))
    return Contestant(name, count, _repeated(lambda: peer.learn(*next(windows)), count))


def _repeated(call: Callable[[], Any], count: int) -> Callable[[], None]:
    def repeat() -> None:
        for _ in range(max(1, count)):
            call()

    return repeat


LOADING = """
import json, time
import numpy as np
from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.network import Network
start = time.perf_counter()
config = NetworkConfig.load({config!r})
first, last = config.layers[0].config, config.layers[-1].config
events = Events.from_raster(np.zeros((1, first.window.steps, first.layer.inputs), bool))
Network(config).learn(events, np.zeros((1, last.layer.neurons), np.uint16))
print(time.perf_counter() - start)
"""


def _seconds_of_loading() -> float:
    """Return the seconds that a new process needs for its first window, with a filled cache."""
    return float(in_new_process(LOADING.format(config=CONFIG)))
