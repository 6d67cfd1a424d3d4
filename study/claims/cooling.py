"""Cooling compared with constant noise, for students from zero weights and also on sparse inputs.

The teacher has little noise (sigma 0.02). The noise of a cooled student falls from sigma 0.3 to
that of the teacher in equal ratios; other students have constant noise. All students of a seed have
the same inputs and targets, so that their differences are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.study.statistics import Interval, mean_interval
from bitlif.tasks.teacher import COOLING_PHASES, INPUT_SPIKES, WINDOWS, cooled

from .models import MODELS, RULES
from .students import TEACHER_SIGMA, learning_curve, make_task, student_config, zero_student

HOT = 0.3
COOLED = "cooled"
CONSTANT = (0.02, 0.1, 0.2, 0.3)
SCHEDULES = (*(f"{sigma:g}" for sigma in CONSTANT), COOLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolingSettings:
    """Repetitions, windows of training, and conditions.

    `sparsities` are factors by which inputs are sparser than the densest ones, and `marks` is the
    number of points of a learning curve. The schedules must include `COOLED`.
    """

    seeds: int = 8
    windows: int = WINDOWS
    sparsities: tuple[int, ...] = (1, 2, 4)
    rules: tuple[str, ...] = RULES
    schedules: tuple[str, ...] = SCHEDULES
    marks: int = 20

    @property
    def units(self) -> int:
        """Number of progress reports of a measurement."""
        cells = len(self.sparsities) * len(self.rules) * len(self.schedules) * len(MODELS)
        return cells * self.seeds


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The learning curves of one condition.

    Attributes
    ----------
    sparsity, rule, schedule, model
    agreement : (seeds, marks) float64
        Agreement with the teacher; see `bitlif.study.claims.students.agreement`.
    """

    sparsity: int
    rule: str
    schedule: str
    model: str
    agreement: NDArray[np.float64]

    @property
    def final(self) -> NDArray[np.float64]:
        """Agreement at the end: shape (seeds,)."""
        return np.asarray(self.agreement[:, -1])

    def to_json(self) -> dict[str, Any]:
        """Return the mean curve and its end with a 95 % interval."""
        return {
            "sparsity": self.sparsity,
            "rule": self.rule,
            "schedule": self.schedule,
            "model": self.model,
            "curve": self.agreement.mean(axis=0).tolist(),
            "final": mean_interval(self.final).to_json(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Cooling:
    """The learning curves of all conditions.

    Attributes
    ----------
    seeds : int
    marks : (marks,) int64
        Windows of training at each point of the curves.
    input_rates : dict of int to float
        Spikes per step of an input, by sparsity.
    courses : tuple of Course
    """

    seeds: int
    marks: NDArray[np.int64]
    input_rates: dict[int, float]
    courses: tuple[Course, ...]

    def course(self, sparsity: int, rule: str, schedule: str, model: str) -> Course:
        """Return the curves of one condition."""
        wanted = (sparsity, rule, schedule, model)
        return next(
            course
            for course in self.courses
            if (course.sparsity, course.rule, course.schedule, course.model) == wanted
        )

    def gain(self, sparsity: int, rule: str, schedule: str, model: str) -> Interval:
        """Return the final gain in agreement of cooling over a constant sigma, paired by seed."""
        best = self.course(sparsity, rule, COOLED, model).final
        return mean_interval(best - self.course(sparsity, rule, schedule, model).final)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain numbers."""
        gains = [
            {
                "sparsity": sparsity,
                "rule": rule,
                "schedule": schedule,
                "model": model,
                "gain": self.gain(sparsity, rule, schedule, model).to_json(),
            }
            for sparsity, rule, schedule, model in self._cells()
            if schedule != COOLED
        ]
        return {
            "seeds": self.seeds,
            "teacher_sigma": TEACHER_SIGMA,
            "cooled_from": HOT,
            "cooling_phases": COOLING_PHASES,
            "windows": self.marks.tolist(),
            "input_spikes_a_step": {str(key): rate for key, rate in self.input_rates.items()},
            "confidence": 0.95,
            "courses": [course.to_json() for course in self.courses],
            "cooled_minus_constant": gains,
        }

    def _cells(self) -> Iterator[tuple[int, str, str, str]]:
        for course in self.courses:
            yield course.sparsity, course.rule, course.schedule, course.model


def measure_cooling(
    settings: CoolingSettings, report: Callable[[int], Any] = lambda done: None
) -> Cooling:
    """Train every student; `report` is called with 1 after each."""
    # By default the points of a curve are the ends of the cooling phases.
    marks = np.linspace(0, settings.windows, settings.marks + 1).round().astype(np.int64)[1:]
    courses = []
    for sparsity in settings.sparsities:
        for rule in settings.rules:
            base = student_config(rule, sparsity)
            tasks = [make_task(base, seed, sparsity) for seed in range(settings.seeds)]
            for schedule in settings.schedules:
                config = scheduled(base, schedule, settings.windows)
                for model in MODELS:
                    curves = []
                    for seed, task in enumerate(tasks):
                        student = zero_student(model, config, seed)
                        curves.append(learning_curve(student, task, marks.tolist()))
                        report(1)
                    courses.append(Course(sparsity, rule, schedule, model, np.array(curves)))
    inputs = Config.load("teacher").layer.inputs
    rates = {sparsity: INPUT_SPIKES / inputs / sparsity for sparsity in settings.sparsities}
    return Cooling(settings.seeds, marks, rates, tuple(courses))


def scheduled(config: Config, schedule: str, windows: int) -> Config:
    """Return a configuration with the named schedule, one of `SCHEDULES`."""
    if schedule == COOLED:
        return cooled(config, HOT, TEACHER_SIGMA, windows)
    return config.replace(schedule=[{"sigma": float(schedule)}])
