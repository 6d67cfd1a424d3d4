"""What the training tasks need of a layer, whatever it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.result import Result


class Learner(Protocol):
    """A layer that learns windows: `Layer`, `FloatLayer`, or gates behind the same names."""

    @property
    def config(self) -> Config:
        """The configuration."""

    @property
    def records(self) -> tuple[str, ...]:
        """What a run can record."""

    @property
    def weights(self) -> NDArray[Any]:
        """The weights: (N, M); raw, or real numbers in a `FloatLayer`."""

    @property
    def phase(self) -> int:
        """Of the schedule: the next window's."""

    @property
    def windows_learned(self) -> int:
        """Since the reset."""

    def load(self, weights: Any) -> None:
        """Set the weights."""

    def reset(self) -> None:
        """Go back to the beginning; the weights stay."""

    def run(self, events: Events, targets: Any = None, *, record: Sequence[str] = ()) -> Result:
        """Run windows without changing a weight."""

    def learn(self, events: Events, targets: Any, *, record: Sequence[str] = ()) -> Result:
        """Run windows one after another, each ending with the update of all weights."""
