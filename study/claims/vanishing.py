"""The gradient at zero weights, which vanishes for the clipped rule unless the noise is high.

At zero weights the membrane rests and is 1/sigma below the threshold in every step. The errors are
the two table entries of the rule at this distance, and only the input and the spikes of the teacher
are random. The effect of noise is shown by the gradient and by what a student with constant sigma
has learned after a fixed number of windows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.study.statistics import mean_interval
from bitlif.tasks.teacher import WINDOWS

from .models import MODELS, RULES, make_targets, real_gradient
from .students import TEACHER_SIGMA, learning_curve, make_task, student_config, zero_student


@dataclass(frozen=True, slots=True, kw_only=True)
class VanishingSettings:
    """Noise levels in thresholds, repetitions, and windows of training."""

    sigmas: tuple[float, ...] = (0.02, 0.05, 0.1, 0.15, 0.2, 0.22, 0.25, 0.3, 0.4, 0.6)
    seeds: int = 8
    windows: int = WINDOWS

    @property
    def units(self) -> int:
        """Number of progress reports of a measurement."""
        return len(self.sigmas) * len(RULES) * len(MODELS) * self.seeds


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """The students of one noise level, rule and model.

    Attributes
    ----------
    sigma, rule, model
    gradient : (seeds,) float64
        Gradient at zero weights: sum of error times trace divided by the steps T, as the root mean
        square over the inputs.
    agreement : (seeds,) float64
        Agreement after training; see `bitlif.study.claims.students.agreement`.
    """

    sigma: float
    rule: str
    model: str
    gradient: NDArray[np.float64]
    agreement: NDArray[np.float64]

    def to_json(self) -> dict[str, Any]:
        """Return gradient and agreement with their 95 % intervals."""
        return {
            "sigma": self.sigma,
            "rule": self.rule,
            "model": self.model,
            "gradient": mean_interval(self.gradient).to_json(),
            "agreement": mean_interval(self.agreement).to_json(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Vanishing:
    """The students of all noise levels, rules and models.

    Attributes
    ----------
    seeds, windows : int
    noise_reach : float
        Largest draw of the integer noise in sigma.
    starts : tuple of Start
    """

    seeds: int
    windows: int
    noise_reach: float
    starts: tuple[Start, ...]

    def start(self, sigma: float, rule: str, model: str) -> Start:
        """Return the students of one noise level, rule and model."""
        wanted = (sigma, rule, model)
        return next(
            start for start in self.starts if (start.sigma, start.rule, start.model) == wanted
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain numbers."""
        return {
            "seeds": self.seeds,
            "windows": self.windows,
            "teacher_sigma": TEACHER_SIGMA,
            "noise_reach_sigma": self.noise_reach,
            "confidence": 0.95,
            "students": [start.to_json() for start in self.starts],
        }


def measure_vanishing(
    settings: VanishingSettings, report: Callable[[int], Any] = lambda done: None
) -> Vanishing:
    """Measure every sigma, rule and model; `report` is called with 1 after each student."""
    starts = [
        _start(sigma, rule, model, settings, report)
        for sigma in settings.sigmas
        for rule in RULES
        for model in MODELS
    ]
    reach = student_config("clipped").noise.pmf.cutoff
    return Vanishing(settings.seeds, settings.windows, reach, tuple(starts))


def _start(
    sigma: float,
    rule: str,
    model: str,
    settings: VanishingSettings,
    report: Callable[[int], Any],
) -> Start:
    config = student_config(rule).replace(schedule=[{"sigma": sigma}])
    sizes, reached = [], []
    for seed in range(settings.seeds):
        task = make_task(config, seed)
        student = zero_student(model, config, seed)
        targets = make_targets(model, config, task.targets)
        first = real_gradient(model, config, student.run(task.events, targets, gradient=True))
        sizes.append(float(np.sqrt(np.mean(first**2))))
        reached.append(learning_curve(student, task, (settings.windows,))[-1])
        report(1)
    return Start(sigma, rule, model, np.array(sizes), np.array(reached))
