"""The benchmark's workloads: layers, spikes and weights that make them what they are called."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.layer import Layer

INPUT_RATE = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A layer with spikes and targets.

    Attributes
    ----------
    layer : Layer
    events : Events
    targets : (W, M) uint16
    """

    layer: Layer
    events: Events
    targets: NDArray[np.uint16]

    @property
    def neuron_steps(self) -> int:
        """Neuron-steps of one run of all windows."""
        return self.events.windows * self.events.steps * self.layer.config.layer.neurons

    @property
    def synaptic_events(self) -> int:
        """Weights added in one run of all windows."""
        return self.events.count * self.layer.config.layer.neurons


def bench_config(inputs: int, neurons: int, steps: int, lanes: int = 1) -> Config:
    """Return the benchmark's configuration: 8-bit weights, four-byte noise, everything on."""
    return Config(name="bench").replace(
        layer={"inputs": inputs, "neurons": neurons, "lanes": lanes},
        window={"steps": steps},
        synapse__weight="s8.7",
        synapse__current="s16.10",
        trace={"current": "u12.8", "format": "u8.5"},
        error__format="s8.5",
        learning__rate=0.01,
        schedule=[{"sigma": 0.2}],
    )


def make_work(
    inputs: int,
    neurons: int,
    steps: int,
    windows: int,
    *,
    threads: int = 1,
    lanes: int = 1,
    active: float | None = None,
) -> Work:
    """Return a workload with Poisson inputs at 0.02 and an output rate of a few per cent.

    Parameters
    ----------
    active : float or None
        Share of errors that should not be zero: 1.0 (and None) by targets that leave none zero,
        or less by shifting the weights down until few neurons come near their threshold.
    """
    random = np.random.default_rng(2026)
    config = bench_config(inputs, neurons, steps, lanes)
    events = Events.from_raster(random.random((windows, steps, inputs)) < INPUT_RATE)
    layer = Layer(config, threads=threads)
    sparse = active is not None and active < 1.0
    # In the type of raw targets, so that none is taken for a real one.
    targets = np.full((windows, neurons), 0 if sparse else 40, np.uint16)
    spread = random.normal(0.0, 1.0, (inputs, neurons))
    layer.load(_weights(layer, events, targets, spread, active if sparse else None))
    return Work(layer, events, targets)


def _weights(
    layer: Layer,
    events: Events,
    targets: NDArray[np.uint16],
    spread: NDArray[np.float64],
    active: float | None,
) -> NDArray[np.int64]:
    """Return weights whose mean is bisected on the first window.

    To the wished share of `active` errors, or (None) to an output rate of 0.03.
    """
    inputs = spread.shape[0]
    scale = 40.0 / np.sqrt(max(inputs * INPUT_RATE, 1.0))
    low, high = -60.0, 60.0
    first = events.select([0])
    weights = np.zeros(spread.shape, np.int64)
    for _ in range(16):
        mean = (low + high) / 2
        weights = np.asarray(np.clip(np.floor(scale * spread + mean + 0.5), -128, 127), np.int64)
        layer.load(weights)
        layer.reset()
        if active is None:
            excess = float(layer.run(first).raster.mean()) - 0.03
        else:
            result = layer.run(first, targets[:1], record=("errors",))
            excess = result.counters["active_errors"] / result.raster.size - active
        low, high = (low, mean) if excess > 0 else (mean, high)
    layer.reset()
    return weights


def peak_memory(status: Path = Path("/proc/self/status")) -> float:
    """Return the most MiB that this process has had in memory.

    From Linux's `status` file where there is one: the maximum of getrusage, which answers
    elsewhere, is inherited there from the process that started this one.
    """
    if status.exists():
        lines = status.read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In bytes on macOS, in KiB elsewhere.
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


FIRST_RESULT = """
import json, sys, time
start = time.perf_counter()
from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.layer import Layer
import numpy as np
from bitlif.scripts.benchmarks.work import bench_config, peak_memory
imported = time.perf_counter()
random = np.random.default_rng(0)
steps = int(sys.argv[1])
events = Events.from_raster(random.random((1, steps, 1024)) < 0.02)
layer = Layer(bench_config(1024, 1024, steps))
layer.load(random.integers(-20, 20, (1024, 1024)))
begin = time.perf_counter()
layer.run(events)
done = time.perf_counter()
print(json.dumps({
    "import": imported - start, "first_result": done - imported, "memory": peak_memory(),
}))
"""


def first_result(steps: int) -> dict[str, float]:
    """Return seconds of import and of the first W1 after it, and peak MiB, of a new process.

    The first process fills the cache; the second one is measured.
    """
    command = [sys.executable, "-P", "-c", FIRST_RESULT, str(steps)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    for _ in range(2):
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", env=environment, check=True
        )
    result: Any = json.loads(done.stdout)
    return {name: float(value) for name, value in result.items()}
