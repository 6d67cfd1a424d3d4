"""The teacher task: a student learns when a teacher with hidden weights spikes, from zero weights.

One window of sparse Poisson inputs is repeated. The target of each step is whether the teacher
spiked, and the teacher's spikes also reset the student. The teacher is a float neuron with the
student's final noise, so that for threshold noise the likelihood rule is maximum likelihood: the
better the student fits, the closer its weights are to the teacher's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.config.network import outer
from bitlif.model.errors import require_int
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.result import Result

from .learner import Learner, as_learner, targets_for
from .task import Epoch, Examples, Measure, Task

INPUT_SPIKES = 64 * 0.02
"""Input spikes per step, of all inputs together: 0.02 each for 64 inputs."""
TOP_WEIGHT = 0.3
"""The teacher's weights are uniform between 0 and this."""
WINDOWS = 400
"""Repetitions of the window that a student learns from."""
COOLING_PHASES = 20
PROBE_SEED = 1 << 32
"""Noise seed of a float student in a free run; no teacher uses it."""

SIGMAS = (0.02, 0.1, 0.3)


@dataclass(frozen=True, slots=True, eq=False)
class TeacherTask:
    """The window that a student learns, and the weights it should find.

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


class HiddenTeacher(Task):
    """One repeated window; the score is the correlation with the teacher's weights."""

    name = "teacher"
    config = "teacher"
    networks = False
    length_field = "windows"
    epochs = study_epochs = WINDOWS
    measures = (
        Measure("correlation", "correlation with the teacher's weights"),
        Measure("coincidences", "spikes on a teacher's spike", "share of the teacher's"),
    )

    def load(self, config: Config, seed: int) -> Examples:
        """Return the window, the teacher's spikes as targets, and the `TeacherTask` as detail."""
        task = make_teacher_task(config, seed)
        targets = task.targets.astype(np.float64)
        return Examples(task.events, task.events, train_targets=targets, detail=task)

    def measure(
        self, core: Learner, probe: Learner, examples: Examples, history: list[Epoch]
    ) -> dict[str, float]:
        """Return the measures of a student; it is tested in a `free_run`, not with `probe`."""
        del probe, history
        task = examples.detail
        free = free_run(core, task)
        matched, there = int((free.raster & task.targets).sum()), int(task.targets.sum())
        return {
            "correlation": teacher_correlation(core, task),
            "coincidences": matched / max(1, there),
            "spikes": float(free.counts.sum()),
            "synaptic_operations": float(free.counters["synaptic_events"]),
        }

    def report(
        self, core: Learner, probe: Learner, examples: Examples, history: list[Epoch]
    ) -> dict[str, Any]:
        """Return the correlation, and the spikes of student and teacher."""
        del probe, history
        together, teacher = coincidences(core, examples.detail)
        return {
            "correlation_with_teacher": teacher_correlation(core, examples.detail),
            "coincident_spikes": together,
            "teacher_spikes": teacher,
        }


def make_teacher_task(
    config: Config, seed: int, *, sparsity: int = 1, sigma: float | None = None
) -> TeacherTask:
    """Return the task for the configuration's sizes, drawn from `seed`.

    Parameters
    ----------
    config : Config
    seed : int
    sparsity : int
        Factor that divides the rate of input spikes and multiplies the weights.
    sigma : float, optional
        The teacher's noise, in the unit of the threshold; by default, the student's final noise.
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
    layer: Any,
    task: TeacherTask,
    windows: int = WINDOWS,
    report: Callable[[int], Any] = lambda windows: None,
) -> list[dict[str, int]]:
    """Show `layer` the task's window `windows` times; return the counters of each call.

    `report` is called with the number of windows of each call.
    """
    layer = as_learner(layer)
    targets = targets_for(layer, task.targets.astype(np.float64))
    tallies = []
    done = 0
    while done < windows:
        count = min(20, windows - done)
        result = layer.learn(task.events.select([0] * count), np.repeat(targets, count, axis=0))
        tallies.append(result.counters)
        report(count)
        done += count
    return tallies


def real_weights(layer: Any) -> NDArray[np.float64]:
    """Return the layer's weights as real numbers: (N, M) float64."""
    return as_learner(layer).real_weights()


def teacher_correlation(layer: Any, task: TeacherTask) -> float:
    """Return the correlation of all weights with the teacher's; 0 if all are equal."""
    learned = real_weights(layer)
    if np.ptp(learned) == 0.0:
        return 0.0
    return float(np.corrcoef(learned.ravel(), task.teacher_weights.ravel())[0, 1])


def free_run(layer: Any, task: TeacherTask) -> Result:
    """Run the task's window with a copy of the student that resets itself, at its current noise.

    Weights that were learned in gates are run on the integer model.
    """
    layer = as_learner(layer)
    config = outer(layer.config)
    last = {"sigma": config.schedule[layer.phase()].sigma}
    free = config.replace(membrane__reset="free", schedule=[last])
    if layer.backend == "float":
        twin = FloatLayer(free, seed=PROBE_SEED)
        twin.load(layer.real_weights())
        return twin.run(task.events)
    probe = Layer(free)
    probe.load(layer.weights())
    return probe.run(task.events)


def coincidences(layer: Any, task: TeacherTask) -> tuple[int, int]:
    """Return how many of the student's spikes coincide with the teacher's, and the teacher's count.

    The student resets itself; see `free_run`.
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
    """Return the configurations of `bitlif teacher`: one per sigma, and one that is cooled."""
    table = {f"{sigma:g}": config.replace(schedule=[{"sigma": sigma}]) for sigma in SIGMAS}
    name = f"{SIGMAS[-1]:g} -> {SIGMAS[0]:g}"
    return {**table, name: cooled(config, SIGMAS[-1], SIGMAS[0])}
