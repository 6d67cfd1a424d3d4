"""The gradient as a function of one weight, and its zero crossing.

The student is one neuron with one synapse of weight w. The teacher is a neuron of the same model
with the same noise and weight w*, which runs freely. Its spikes are the targets of the student and
also reset the student. The gradient then does not depend on the noise of the student: only the
input and the teacher are random. A layer whose neurons differ only in w gives the gradient at all
weights of the grid at once.

At w = w* the mean error over the noise of the teacher is zero in every step, whatever happened
before: p A - (1 - p) B vanishes for both rules (`bitlif.model.table`). For the likelihood rule with
Gaussian noise the log-likelihood is also concave in w (Pillow, Paninski and Simoncelli 2003), so
that there is no other zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.study.statistics import Interval, mean_interval

from .models import MODELS, RULES, make_layer, make_targets, real_gradient

SLOPE_REACH = 32
"""The slope at w* is measured between this many LSBs below and above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandscapeSettings:
    """The range and the repetitions of the scan.

    Attributes
    ----------
    sigmas : tuple of float
        Noise levels in thresholds.
    seeds, windows : int
        Repetitions, and windows per repetition, over which the gradient is averaged.
    rate : float
        Input spikes per step.
    teacher : int
        Raw weight w*; the grid extends from 0 to twice this.
    coarse : int
        Points of the evenly spaced part of the grid.
    """

    sigmas: tuple[float, ...] = (0.015, 0.03, 0.1, 0.3)
    seeds: int = 8
    windows: int = 10
    rate: float = 0.25
    teacher: int = 704
    coarse: int = 41

    @property
    def units(self) -> int:
        """Number of progress reports of a measurement."""
        return len(self.sigmas) * len(RULES) * len(MODELS) * self.seeds

    @property
    def grid(self) -> NDArray[np.int64]:
        """Raw weights, (G,): an even grid, and powers of two LSBs around w*."""
        even = np.linspace(0, 2 * self.teacher, self.coarse).round().astype(np.int64)
        around = 1 << np.arange(7)
        near = np.concatenate((-around, [0], around)) + self.teacher
        return np.unique(np.concatenate((even, near)))


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """The gradient over the grid for one noise level, rule and model.

    Attributes
    ----------
    sigma, rule, model
    gradient : (seeds, G) float64
        Sum of error times trace divided by the steps T, at each weight of the grid.
    crossings : (seeds,) float64
        Weight at which the gradient falls through zero, by linear interpolation.
    slopes : (seeds,) float64
        Slope of the gradient at w*.
    sign_changes : int
        Sign changes of the mean gradient over the grid, without zeros.
    teacher_spikes : float
        Spikes of the teacher per window.
    """

    sigma: float
    rule: str
    model: str
    gradient: NDArray[np.float64]
    crossings: NDArray[np.float64]
    slopes: NDArray[np.float64]
    sign_changes: int
    teacher_spikes: float

    def crossing(self, confidence: float = 0.95) -> Interval:
        """Return the mean crossing with its confidence interval over the seeds."""
        return mean_interval(self.crossings, confidence)

    def to_json(self) -> dict[str, Any]:
        """Return the curve with 95 % intervals, crossing and slope as plain numbers."""
        ends = [mean_interval(column) for column in self.gradient.T]
        return {
            "sigma": self.sigma,
            "rule": self.rule,
            "model": self.model,
            "gradient": [end.mean for end in ends],
            "gradient_low": [end.low for end in ends],
            "gradient_high": [end.high for end in ends],
            "crossing": self.crossing().to_json(),
            "slope": mean_interval(self.slopes).to_json(),
            "sign_changes": self.sign_changes,
            "teacher_spikes_a_window": self.teacher_spikes,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Landscape:
    """The gradients of all noise levels, rules and models over one grid.

    Attributes
    ----------
    teacher : float
        Weight w* of the teacher.
    weights : (G,) float64
    steps, windows, seeds : int
    scans : tuple of Scan
    """

    teacher: float
    weights: NDArray[np.float64]
    steps: int
    windows: int
    seeds: int
    scans: tuple[Scan, ...]

    def scan(self, sigma: float, rule: str, model: str) -> Scan:
        """Return the scan of one noise level, rule and model."""
        wanted = (sigma, rule, model)
        return next(scan for scan in self.scans if (scan.sigma, scan.rule, scan.model) == wanted)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain numbers."""
        return {
            "teacher_weight": self.teacher,
            "weights": self.weights.tolist(),
            "steps": self.steps,
            "windows_a_seed": self.windows,
            "seeds": self.seeds,
            "confidence": 0.95,
            "scans": [scan.to_json() for scan in self.scans],
        }


def measure_landscape(
    settings: LandscapeSettings, report: Callable[[int], Any] = lambda done: None
) -> Landscape:
    """Scan every sigma, rule and model; `report` is called with 1 after each seed."""
    base = Config.load("teacher").replace(layer__inputs=1)
    scans = []
    for sigma in settings.sigmas:
        for rule in RULES:
            config = base.replace(error__rule=rule, schedule=[{"sigma": sigma}])
            scans += [_scan(model, config, settings, report) for model in MODELS]
    lsb = float(base.synapse.weight.lsb)
    return Landscape(
        settings.teacher * lsb,
        settings.grid.astype(np.float64) * lsb,
        base.window.steps,
        settings.windows,
        settings.seeds,
        tuple(scans),
    )


def _scan(
    model: str, config: Config, settings: LandscapeSettings, report: Callable[[int], Any]
) -> Scan:
    grid = settings.grid
    lsb = float(config.synapse.weight.lsb)
    one = config.replace(layer__neurons=1, membrane__reset="free")
    many = config.replace(layer__neurons=grid.size)
    gradients = np.zeros((settings.seeds, grid.size))
    spikes = 0
    for seed in range(settings.seeds):
        random = np.random.default_rng([seed, 0x1A9D])
        shape = (settings.windows, config.window.steps, 1)
        events = Events.from_raster(random.random(shape) < settings.rate)
        teacher = make_layer(model, one, np.array([[settings.teacher]]), seed)
        raster = teacher.run(events).raster
        spikes += int(raster.sum())
        student = make_layer(model, many, grid[None, :], seed)
        targets = make_targets(model, many, np.repeat(raster, grid.size, axis=2))
        result = student.run(events, targets, gradient=True)
        gradients[seed] = real_gradient(model, many, result)[:, :, 0].mean(axis=0)
        report(1)
    weights = grid.astype(np.float64) * lsb
    crossings = [find_crossing(weights, row, settings.teacher * lsb) for row in gradients]
    below, above = np.searchsorted(
        grid, [settings.teacher - SLOPE_REACH, settings.teacher + SLOPE_REACH]
    )
    slopes = (gradients[:, above] - gradients[:, below]) / (2 * SLOPE_REACH * lsb)
    return Scan(
        config.schedule[0].sigma, config.error.rule, model, gradients, np.array(crossings), slopes,
        count_sign_changes(gradients.mean(axis=0)),
        spikes / (settings.seeds * settings.windows),
    )  # fmt: skip


def find_crossing(
    weights: NDArray[np.float64], gradient: NDArray[np.float64], near: float
) -> float:
    """Return the weight nearest to `near` at which the gradient falls through zero.

    The result is NaN if the gradient never falls from above zero to zero or below.

    Examples
    --------
    >>> find_crossing(np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, -1.0]), 1.0)
    1.75
    """
    (left,) = np.nonzero((gradient[:-1] > 0) & (gradient[1:] <= 0))
    if left.size == 0:
        return float("nan")
    share = gradient[left] / (gradient[left] - gradient[left + 1])
    places = weights[left] + share * (weights[left + 1] - weights[left])
    return float(places[np.abs(places - near).argmin()])


def count_sign_changes(values: NDArray[np.float64]) -> int:
    """Return the number of sign changes between consecutive values, without zeros."""
    signs = np.sign(values[values != 0])
    return int(np.count_nonzero(signs[1:] != signs[:-1]))
