"""Workloads of the benchmark: layers with spikes, targets and weights of known activity."""

from __future__ import annotations

import json
import os
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
"""Spikes per input and step."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A layer with input spikes and targets.

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
        """Number of neurons times steps in one run of all windows."""
        return self.events.windows * self.events.steps * self.layer.config.layer.neurons

    @property
    def synaptic_events(self) -> int:
        """Number of weights added in one run of all windows."""
        return self.events.count * self.layer.config.layer.neurons


def bench_config(inputs: int, neurons: int, steps: int, lanes: int = 1) -> Config:
    """Return the configuration of the benchmark: 8-bit weights, four-byte noise, learning on."""
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
    """Return a workload with random inputs of `INPUT_RATE` and an output rate of a few per cent.

    Parameters
    ----------
    active : float or None
        Wanted share of nonzero errors. With 1.0 or None, the targets make all errors nonzero. With
        less, weights are shifted down until few neurons come near their threshold.
    """
    random = np.random.default_rng(2026)
    config = bench_config(inputs, neurons, steps, lanes)
    events = Events.from_raster(random.random((windows, steps, inputs)) < INPUT_RATE)
    layer = Layer(config, threads=threads)
    sparse = active is not None and active < 1.0
    # uint16 marks raw targets; floating-point numbers would be taken for real ones.
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
    """Return weights whose mean is found by bisection on the first window.

    The goal is the share `active` of nonzero errors, or an output rate of 0.03 if it is None.
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
    """Return the peak resident memory of this process in MiB.

    On Linux it is read from the file `status`, because the maximum that getrusage returns is
    inherited from the parent process. Other systems use getrusage.
    """
    if status.exists():
        lines = status.read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, KiB elsewhere.
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
    """Measure a new process: seconds of the import and of the first W1, and peak memory in MiB.

    A first process fills the cache, and a second one is measured.
    """
    for _ in range(2):
        result = in_new_process(FIRST_RESULT, str(steps))
    return {name: float(value) for name, value in result.items()}


def in_new_process(program: str, *arguments: str) -> Any:
    """Run a Python program in a new process, and return the JSON value that it prints."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        capture_output=True, encoding="utf-8", check=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    return json.loads(done.stdout)
