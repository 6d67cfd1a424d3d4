"""Which points a study visits: every one of a grid, random ones, or where Optuna looks next.

A search gives its points in batches, and learns of each batch's results before the next. What it
gives depends on the plan and on those results only: not on the number of workers, nor on how often
a study was stopped and run again. That is why a guided search waits for its whole batch.
"""

from __future__ import annotations

import abc
import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .axis import Axis, Scalar
from .plan import Plan
from .space import Edits

DIRECTIONS: dict[str, Literal["maximize", "minimize"]] = {"max": "maximize", "min": "minimize"}

RunMetrics = Sequence[Mapping[str, float]]
"""Metrics of the successful runs of a point, in the order of the seeds."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the search space.

    Attributes
    ----------
    number : int
        Number from 0, in the order of the search.
    choices : tuple of (int, float, str or bool)
        Value or case of each axis.
    edits : dict
        Edits of the configuration, by field.
    """

    number: int
    choices: tuple[Scalar, ...]
    edits: Edits


class Search(abc.ABC):
    """The points of a plan, in batches.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @abc.abstractmethod
    def batches(self) -> Iterator[list[Point]]:
        """Yield batches of points; call `tell` with the results of a batch before the next one."""

    def tell(  # noqa: B027 - not every search uses results
        self, points: Sequence[Point], measured: Sequence[RunMetrics]
    ) -> None:
        """Receive the results of the last batch."""

    def _point(self, number: int, choices: Sequence[Scalar]) -> Point:
        edits: Edits = {}
        for axis, choice in zip(self.plan.axes, choices, strict=True):
            edits |= axis.edits(choice)
        return Point(number, tuple(choices), edits)


class Grid(Search):
    """Every combination of values; the last axis varies fastest."""

    def batches(self) -> Iterator[list[Point]]:
        """Yield all points in one batch."""
        steps = [axis.steps() for axis in self.plan.axes]
        yield [
            self._point(number, steps_of_point)
            for number, steps_of_point in enumerate(itertools.product(*steps))
        ]


class Random(Search):
    """Points whose axes are drawn independently and uniformly."""

    def batches(self) -> Iterator[list[Point]]:
        """Yield all points in one batch."""
        random = np.random.default_rng([self.plan.seed, 0x5EA2C])
        yield [
            self._point(number, [draw_choice(axis, random) for axis in self.plan.axes])
            for number in range(self.plan.points)
        ]


def draw_choice(axis: Axis, random: np.random.Generator) -> Scalar:
    """Return a random value or case of an axis."""
    if axis.kind != "range":
        return axis.labels[int(random.integers(len(axis.labels)))]
    if axis.log:
        value = math.exp(random.uniform(math.log(axis.low), math.log(axis.high)))
        return round(value) if axis.whole else rounded(value)
    if axis.step:
        return axis.choice(int(random.integers(axis.count)))
    return rounded(float(random.uniform(axis.low, axis.high)))


def rounded(value: float) -> float:
    """Round a number to six significant digits."""
    return float(f"{value:.6g}")


class Guided(Search):
    """Optuna's tree-structured Parzen estimator on the means of all objectives over the seeds.

    A point whose runs all failed is reported as failed. The state of the sampler follows from its
    seed and the reported results, so a resumed study visits the same points again.
    """

    def __init__(self, plan: Plan) -> None:
        import optuna

        super().__init__(plan)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._sampler = optuna.samplers.TPESampler(seed=plan.seed)
        self._study = optuna.create_study(
            sampler=self._sampler,
            directions=[DIRECTIONS[plan.metric(name).direction] for name in plan.objectives],
        )
        self._space = {axis.name: distribution(axis) for axis in plan.axes}
        self._asked: list[Any] = []

    def batches(self) -> Iterator[list[Point]]:
        """Yield batches of the size that the plan sets."""
        for first in range(0, self.plan.points, self.plan.batch):
            last = min(first + self.plan.batch, self.plan.points)
            self._asked = [self._study.ask(self._space) for _ in range(first, last)]
            yield [
                self._point(number, [choice_of(axis, trial) for axis in self.plan.axes])
                for number, trial in enumerate(self._asked, first)
            ]

    def tell(self, points: Sequence[Point], measured: Sequence[RunMetrics]) -> None:
        """Report the means of each point to Optuna."""
        from optuna.trial import TrialState

        wanted = set(self.plan.objectives)
        for trial, all_runs in zip(self._asked, measured, strict=True):
            runs = [run for run in all_runs if wanted <= run.keys()]
            if runs:
                means = [
                    statistics.fmean(run[name] for run in runs) for name in self.plan.objectives
                ]
                self._study.tell(trial, means)
            else:
                self._study.tell(trial, state=TrialState.FAIL)
        self._asked = []


def distribution(axis: Axis) -> Any:
    """Return the Optuna distribution of an axis."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if axis.kind != "range":
        return CategoricalDistribution(axis.labels)
    if axis.whole:
        low, high, step = (int(value) for value in (axis.low, axis.high, axis.step))
        return IntDistribution(low, high, log=axis.log, step=1 if axis.log else step)
    return FloatDistribution(axis.low, axis.high, log=axis.log, step=axis.step or None)


def choice_of(axis: Axis, trial: Any) -> Scalar:
    """Return the value or case of an axis in an Optuna trial."""
    value: Scalar = trial.params[axis.name]
    if axis.kind == "range" and not axis.whole:
        return rounded(float(value))
    return value


def make_search(plan: Plan) -> Search:
    """Return the search of a plan."""
    searches: dict[str, Callable[[Plan], Search]] = {
        "grid": Grid, "random": Random, "guided": Guided,
    }  # fmt: skip
    return searches[plan.search](plan)
