"""Evaluate one run of a study, which is a point with one seed. Workers call this."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import time
import warnings
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer, parse_any_config
from bitlif.model.engine.compile import source_stamp
from bitlif.model.errors import BitlifError, BitlifWarning
from bitlif.model.text import shortened
from bitlif.sim.backends.open import open as open_core
from bitlif.tasks.diagnosis import diagnose
from bitlif.tasks.learner import Learner
from bitlif.tasks.task import Epoch, Examples, Task
from bitlif.tasks.training import total_counters, train

from .area import area
from .base import AnyConfig
from .ideal import Ideal, weight_distance
from .metrics import DIAGNOSIS, stored_bits, weight_bits
from .network_metrics import hidden_spikes, sweep_operations
from .own_data import OwnData, keep, task_of
from .space import Edits, apply_edits

Values = dict[str, float]

MAX_ERROR_LENGTH = 1000
"""Most characters of a stored error."""


class Learned(NamedTuple):
    """What came of learning: results, and the counters of so many training windows.

    `layers` are the counters of each layer of a network over the same windows. The examples and the
    history are for `diagnosis`.
    """

    values: Values
    counters: dict[str, int]
    layers: list[dict[str, int]]
    windows: int
    examples: Examples
    history: list[Epoch]


DECIDING = {
    "bitlif.tasks": (
        "arrays.py",
        "csv_file.py",
        "cures.py",
        "data_file.py",
        "diagnosis.py",
        "digits.py",
        "encoder_options.py",
        "encoders.py",
        "encoding.py",
        "finding.py",
        "gunpoint.py",
        "independent.py",
        "labels.py",
        "learner.py",
        "limits.py",
        "network_cures.py",
        "network_diagnosis.py",
        "numeric.py",
        "patterns.py",
        "randman.py",
        "readouts.py",
        "registry.py",
        "samples.py",
        "spike_codes.py",
        "task.py",
        "teacher.py",
        "temporal_targets.py",
        "training.py",
        "yin_yang.py",
    ),
    "bitlif.study.search": (
        "area.py",
        "base.py",
        "evaluate.py",
        "ideal.py",
        "metrics.py",
        "network_metrics.py",
        "own_data.py",
        "space.py",
    ),
    "bitlif.fpga": (
        "boards.py",
        "estimate.py",
        "estimate.toml",
        "families.py",
        "family.py",
        "gate_count.py",
        "gate_count_learning.py",
        "gate_count_network.py",
        "gate_count_neuron.py",
        "gate_count_sweep.py",
        "gate_tally.py",
        "gowin.py",
        "large_ram.py",
        "logic_products.py",
        "network_estimate.toml",
        "network_speed.py",
        "yosys_mapping.py",
    ),
}
"""Files outside the model that affect the results of a run."""


@functools.cache
def results_stamp() -> str:
    """Return a hash of all sources that affect a result: the model and the files of `DECIDING`."""
    digest = hashlib.sha256(source_stamp().encode())
    for package, names in DECIDING.items():
        for name in names:
            digest.update(importlib.resources.files(package).joinpath(name).read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Job:
    """A run to be evaluated.

    Attributes
    ----------
    key : str
        Key of the result: a hash of all other attributes.
    base : str
        The base configuration as TOML text.
    edits : dict
        Edits of the base configuration, by field.
    task : str
        Name of a task, as `bitlif.study.search.own_data.task_of` takes it.
    length : int
        Passes over the training windows.
    seed : int
    extras : tuple of str
        Optional measurements, from `bitlif.study.search.metrics.EXTRAS`.
    board : str
        Board for area and clock frequency, or "".
    own : OwnData or None
        The data of the task, if it is one of own data and this process may not have them yet. It
        is left out where jobs are sent to workers, which receive the data once.
    """

    key: str
    base: str
    edits: Edits
    task: str
    length: int
    seed: int
    extras: tuple[str, ...] = ()
    board: str = ""
    own: OwnData | None = field(default=None, compare=False, repr=False)

    def bare(self) -> Job:
        """Return this job without data."""
        return self if self.own is None else replace(self, own=None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a job.

    Attributes
    ----------
    key : str
        Key of the job.
    error : str
        Error message if the run failed, or "".
    values : dict of str to float
        Values by the names of `bitlif.study.search.metrics`.
    seconds : float
        Duration of the run.
    stamp : str
        Stamp of the sources that computed it; see `results_stamp`.
    worker : str
        Address of the worker that computed it.
    """

    key: str
    error: str
    values: Values = field(default_factory=dict)
    seconds: float = 0.0
    stamp: str = ""
    worker: str = ""


def evaluate(job: Job) -> Outcome:
    """Return the outcome of a job; errors are part of it, except that a missing package raises."""
    start = time.perf_counter()
    error, values = "", {}
    try:
        with warnings.catch_warnings():
            # Studies also visit unreasonable points, such as layers that cannot learn.
            warnings.simplefilter("ignore", BitlifWarning)
            values = measure(job)
    except ImportError:
        raise
    except BitlifError as refused:
        error = str(refused)
    except Exception as failed:
        error = f"{type(failed).__name__}: {failed}"
    seconds = time.perf_counter() - start
    return Outcome(job.key, shortened(error, MAX_ERROR_LENGTH), values, seconds, results_stamp())


def measure(job: Job) -> Values:
    """Return all measurements of a job."""
    if job.own is not None:
        keep(job.own)
    config = apply_edits(_base(job.base), job.edits)
    seeded = config.seeded(job.seed)
    task = task_of(job.task)
    core = open_core(seeded, signature=False)
    probe = core.fresh()
    learned = learn_task(job.task, core, probe, job.seed, job.length)
    values = learned.values | _work(seeded, learned)
    if isinstance(seeded, NetworkConfig):
        values["hidden_spikes"] = hidden_spikes(core, probe, learned.examples.test)
    values |= {"bits": stored_bits(seeded), "weight_bits": weight_bits(seeded)}
    if "float" in job.extras:
        reached, weights = _twin(Ideal.of(seeded), job.task, job.length, job.seed)
        values["float_accuracy"] = reached
        values["float_gap"] = reached - values[task.score.name]
        distance = weight_distance(core.real_weights(), weights)
        if distance is not None:
            values["weight_distance"] = distance
    if "diagnosis" in job.extras:
        values |= diagnosis(core, task, learned)
    for kind in ("estimate", "synthesis"):
        if kind in job.extras:
            # The seed of the run is not applied: LFSR seeds do not change the gates.
            values |= area(config, job.board, synthesise=kind == "synthesis")
    return values


@functools.lru_cache(maxsize=8)
def _base(text: str) -> AnyConfig:
    return parse_any_config(text, "the study's configuration")


@dataclass(frozen=True, slots=True)
class ExamplesKey:
    """Cache key of the examples of a task: the parts of a configuration that they depend on."""

    task: str
    part: Hashable
    seed: int
    config: Config = field(compare=False)


@functools.lru_cache(maxsize=8)
def _examples(key: ExamplesKey) -> Examples:
    return task_of(key.task).load(key.config, key.seed)


def learn_task(name: str, core: Learner, probe: Learner, seed: int, length: int) -> Learned:
    """Train a core on a task and measure the result.

    The counters are those of the last epoch for tasks with labels, else of all epochs together.

    Parameters
    ----------
    name : str
        Name of a registered task.
    core, probe : Learner
        The core to train, and another one of the same configuration for tests.
    seed : int
        Seed of the examples and their order.
    length : int
        Number of epochs (windows for the teacher).
    """
    task, config = task_of(name), outer(core.config)
    task.check(config)
    examples = _examples(ExamplesKey(name, task.depends_on(config), seed, config))
    counted = [_layer_counters(core)]
    history = train(
        core, task, epochs=length, seed=seed, examples=examples, probe=probe,
        progress=lambda epoch: counted.append(_layer_counters(core)),
    )  # fmt: skip
    values = task.measure(core, probe, examples, history)
    whole = examples.train_labels is None
    layers = [
        {name: after[name] - before[name] for name in after}
        for before, after in zip(counted[0 if whole else -2], counted[-1], strict=True)
    ]
    if not whole:
        last = history[-1].counters
        return Learned(values, last, layers, examples.train.windows, examples, history)
    windows = length * examples.train.windows
    return Learned(values, total_counters(history), layers, windows, examples, history)


def _layer_counters(core: Any) -> list[dict[str, int]]:
    """Return the counters of each layer of a network of integers; none of other cores."""
    if isinstance(core.config, NetworkConfig) and core.units == "raw":
        counters: list[dict[str, int]] = core.layer_counters()
        return counters
    return []


def diagnosis(core: Learner, task: Task, learned: Learned) -> Values:
    """Return the metrics of `bitlif.study.search.metrics.DIAGNOSIS` of a trained core."""
    found = diagnose(core, learned.examples, learned.history, task=task)
    known = {metric.name for metric in DIAGNOSIS}
    values = {finding.name: float(finding.value) for finding in found if finding.name in known}
    labels = learned.examples.test_labels
    if labels is not None and len(labels):
        largest = float(np.bincount(labels).max())
        values |= {"chance": largest / len(labels), "test_windows": float(len(labels))}
    return values


def _work(config: AnyConfig, learned: Learned) -> Values:
    """Return the cost of learning per window."""
    counters = learned.counters
    saturated = sum(count for name, count in counters.items() if name.endswith("saturations"))
    if isinstance(config, NetworkConfig):
        operations = sweep_operations(config, learned.layers)
    else:
        operations = counters["active_errors"] * config.layer.inputs
    return {
        "learning_operations": operations / learned.windows,
        "saturations": saturated / learned.windows,
    }


@functools.lru_cache(maxsize=1024)
def _twin(ideal: Ideal, task: str, length: int, seed: int) -> tuple[float, Any]:
    """Return the score and the weights of the float twin, which many points of a study share."""
    # These seeds differ from each other and from those of teachers, which are below 2**31.
    twin, probe = (
        open_core(ideal.config, "float", units="real", seed=(n << 32) + seed) for n in (2, 3)
    )
    values = learn_task(task, twin, probe, seed, length).values
    return values[task_of(task).score.name], twin.real_weights()
