"""The teacher task: a student learns when a teacher with hidden weights spikes, from zero weights.

One window of sparse Poisson inputs is shown again and again; the target of each step is whether the
teacher spiked, and the teacher's spikes reset the student too. The teacher is a float neuron with
the noise that the student ends with, so that for threshold noise the likelihood rule is maximum
likelihood: the better the student's weights fit, the more they are the teacher's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import require_int
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.result import Result

from .digits import copy_weights, target_levels
from .learner import Learner

INPUT_SPIKES = 64 * 0.02
"""Input spikes a step, from all inputs together: 0.02 each for 64 inputs."""
TOP_WEIGHT = 0.3
"""The teacher's weights are uniform from 0 to this."""
WINDOWS = 400
"""Repetitions of the window that a student learns from."""
COOLING_PHASES = 20
PROBE_SEED = 1 << 32
"""Of a float student that runs freely: no task's, whose teacher would have the same noise."""

SIGMAS = (0.02, 0.1, 0.3)


@dataclass(frozen=True, slots=True, eq=False)
class TeacherTask:
    """What a student sees, and what it should find.

    Attributes
    ----------
    events : Events
        One window.
    teacher_weights : (N, M) float64
    targets : (1, T, M) uint8
        1 where the teacher spiked.
    """

    events: Events
    teacher_weights: NDArray[np.float64]
    targets: NDArray[np.uint8]


def make_teacher_task(
    config: Config, seed: int, *, sparsity: int = 1, sigma: float | None = None
) -> TeacherTask:
    """Return the task for the configuration's sizes, drawn from `seed`.

    Parameters
    ----------
    config : Config
    seed : int
    sparsity : int
        So many times fewer input spikes, each of which weighs so many times more.
    sigma : float, optional
        The teacher's noise, in the unit of the threshold; what its student ends with by default.
    """
    seed = require_int("seed", seed, 0, (1 << 31) - 1)
    random = np.random.default_rng([seed, 0x7EAC])
    inputs, neurons, steps = config.layer.inputs, config.layer.neurons, config.window.steps
    rate = min(INPUT_SPIKES / inputs / sparsity, 0.5)
    events = Events.from_raster(random.random((1, steps, inputs)) < rate)
    weights = random.uniform(0.0, TOP_WEIGHT * sparsity, (inputs, neurons))
    last = {"sigma": config.schedule[-1].sigma if sigma is None else sigma}
    teacher = FloatLayer(config.replace(membrane__reset="free", schedule=[last]), seed=seed)
    teacher.load(weights)
    return TeacherTask(events, weights, teacher.run(events).raster)


def learn_from_teacher(
    layer: Learner,
    task: TeacherTask,
    windows: int = WINDOWS,
    report: Callable[[int], Any] = lambda windows: None,
) -> list[dict[str, int]]:
    """Show `layer` the task's window `windows` times; return the counters of each call.

    `report` gets how many windows each call had.
    """
    targets: NDArray[Any] = task.targets.astype(np.float64)
    if not isinstance(layer, FloatLayer):
        targets = target_levels(layer.config, targets)
    tallies = []
    done = 0
    while done < windows:
        count = min(20, windows - done)
        result = layer.learn(task.events.select([0] * count), np.repeat(targets, count, axis=0))
        tallies.append(result.counters)
        report(count)
        done += count
    return tallies


def real_weights(layer: Learner) -> NDArray[np.float64]:
    """Return the layer's weights as real numbers: shape (N, M)."""
    if isinstance(layer, FloatLayer):
        return np.asarray(layer.weights, np.float64)
    lsb = float(layer.config.synapse.weight.lsb)
    return np.asarray(layer.weights * lsb, np.float64)


def teacher_correlation(layer: Learner, task: TeacherTask) -> float:
    """Return the correlation of all weights with the teacher's; 0 if they are all equal."""
    learned = real_weights(layer)
    if np.ptp(learned) == 0.0:
        return 0.0
    return float(np.corrcoef(learned.ravel(), task.teacher_weights.ravel())[0, 1])


def free_run(layer: Learner, task: TeacherTask) -> Result:
    """Run the task's window with a copy of the student, reset by itself, at its present noise.

    What was learned in gates runs on the integer model.
    """
    config = layer.config
    last = {"sigma": config.schedule[layer.phase].sigma}
    free = config.replace(membrane__reset="free", schedule=[last])
    probe: Learner = (
        FloatLayer(free, seed=PROBE_SEED) if isinstance(layer, FloatLayer) else Layer(free)
    )
    copy_weights(layer, probe)
    return probe.run(task.events)


def coincidences(layer: Learner, task: TeacherTask) -> tuple[int, int]:
    """Return how many of the student's spikes fall on a teacher's, and how many the teacher has.

    The student runs freely; see `free_run`.
    """
    spikes = free_run(layer, task).raster
    return int((spikes & task.targets).sum()), int(task.targets.sum())


def cooled(config: Config, first: float, last: float, windows: int = WINDOWS) -> Config:
    """Return the configuration with sigma falling from `first` to `last` in equal ratios."""
    ratio = (last / first) ** (1 / (COOLING_PHASES - 1))
    sigmas = [round(first * ratio**number, 6) for number in range(COOLING_PHASES)]
    length = windows // COOLING_PHASES
    schedule = [{"sigma": sigma, "windows": length} for sigma in sigmas]
    schedule[-1]["windows"] = 0
    return config.replace(schedule=schedule)


def conditions(config: Config) -> dict[str, Config]:
    """Return the table's configurations: each sigma by name, and cooling between the extremes."""
    table = {f"{sigma:g}": config.replace(schedule=[{"sigma": sigma}]) for sigma in SIGMAS}
    name = f"{SIGMAS[-1]:g} -> {SIGMAS[0]:g}"
    return {**table, name: cooled(config, SIGMAS[-1], SIGMAS[0])}
