"""A core with the names of the model's layers, for the training tasks of `bitlif.model`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.events import Events

from .core import Core, CoreResult


class CoreLearner:
    """A `bitlif.tasks.learner.Learner` that a core of integers or gates does the work of."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def config(self) -> Config:
        """The configuration."""
        return self._core.config

    @property
    def records(self) -> tuple[str, ...]:
        """What a run can record."""
        return self._core.records

    @property
    def weights(self) -> NDArray[Any]:
        """The raw weights, read back: (N, M) int64."""
        return self._core.weights()

    @property
    def phase(self) -> int:
        """Of the schedule: the next window's."""
        return self._core.phase()

    @property
    def windows_learned(self) -> int:
        """Since the reset."""
        return self._core.windows_learned()

    def load(self, weights: NDArray[Any]) -> None:
        """Set the raw weights."""
        self._core.load(weights)

    def reset(self) -> None:
        """Go back to the beginning; the weights stay."""
        self._core.reset()

    def run(self, events: Events, targets: Any = None, *, record: Sequence[str] = ()) -> CoreResult:
        """Run windows without changing a weight."""
        return self._core.run(events, targets, record=record)

    def learn(self, events: Events, targets: Any, *, record: Sequence[str] = ()) -> CoreResult:
        """Run windows one after another, each ending with the update of all weights."""
        return self._core.learn(events, targets, record=record)
