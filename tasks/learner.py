"""The interface that training needs of a layer, and an adapter for bare engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer
from bitlif.model.errors import BitlifTypeError
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.result import Result
from bitlif.model.targets import round_targets, warn_of_zeros
from bitlif.model.text import quoted


class Learner(Protocol):
    """A layer or a network that learns windows: the part of `bitlif.Core` that training uses.

    Weights of a network are lists with an array per layer.
    """

    @property
    def config(self) -> Config | NetworkConfig:
        """The configuration."""

    @property
    def backend(self) -> str:
        """Name of the backend."""

    @property
    def units(self) -> str:
        """``"raw"`` or ``"real"``: the unit of weights, targets and records."""

    @property
    def records(self) -> tuple[str, ...]:
        """Names that a run can record."""

    def weights(self) -> NDArray[Any]:
        """Return the weights: (N, M)."""

    def real_weights(self) -> NDArray[np.float64]:
        """Return the weights as real numbers: (N, M) float64."""

    def phase(self) -> int:
        """Return the index of the schedule's phase for the next window."""

    def windows_learned(self) -> int:
        """Return the number of windows learned since the reset."""

    def load(self, weights: Any) -> None:
        """Set the weights."""

    def reset(self) -> None:
        """Reset everything except the weights."""

    def fresh(self) -> Learner:
        """Return another layer of the same kind and configuration."""

    def run(self, events: Events, targets: Any = None, *, record: Sequence[str] = ()) -> Result:
        """Run windows without changing a weight."""

    def learn(self, events: Events, targets: Any, *, record: Sequence[str] = ()) -> Result:
        """Run windows and update all weights after each."""


class Engine:
    """Adapter that gives a bare engine, `Layer` or `FloatLayer`, the methods of a core."""

    def __init__(self, layer: Layer | FloatLayer) -> None:
        self._layer: Any = layer
        self.config = layer.config
        self.records: tuple[str, ...] = layer.records
        real = isinstance(layer, FloatLayer)
        self.backend, self.units = ("float", "real") if real else ("model", "raw")
        self.load, self.reset = self._layer.load, self._layer.reset
        self.run, self.learn = self._layer.run, self._layer.learn

    def weights(self) -> NDArray[Any]:
        """Return the weights: (N, M)."""
        return np.asarray(self._layer.weights)

    def real_weights(self) -> NDArray[np.float64]:
        """Return the weights as real numbers: (N, M) float64."""
        lsb = 1.0 if self.units == "real" else float(self.config.synapse.weight.lsb)
        return np.asarray(self._layer.weights * lsb, np.float64)

    def phase(self) -> int:
        """Return the index of the schedule's phase for the next window."""
        return int(self._layer.phase)

    def windows_learned(self) -> int:
        """Return the number of windows learned since the reset."""
        return int(self._layer.windows_learned)

    def fresh(self) -> Learner:
        """Return another engine of the same kind and configuration."""
        return Engine(type(self._layer)(self.config))


def as_learner(layer: Any) -> Learner:
    """Return a core unchanged, or a bare engine wrapped in an `Engine`."""
    if isinstance(layer, (Layer, FloatLayer)):
        return Engine(layer)
    if isinstance(layer, type) or not hasattr(layer, "real_weights"):
        raise BitlifTypeError(f"core must be what bitlif.open returns, not {quoted(layer)}")
    learner: Learner = layer
    return learner


def copy_weights(source: Any, target: Any) -> None:
    """Load the weights of `source` into `target`, which must use the same units."""
    source, target = as_learner(source), as_learner(target)
    if source.units != target.units:
        raise BitlifTypeError(
            "weights can only be copied between two integer layers or two float layers"
        )
    target.load(source.weights())


def target_levels(config: Config, targets: NDArray[Any]) -> NDArray[np.uint16]:
    """Return real targets in 0 ..= 1 as raw integers, rounded to nearest.

    Integers and booleans are also taken as real numbers: 1 is a spike in every step.

    Raises
    ------
    BitlifError
        If a target is out of range or not a number.

    Warns
    -----
    BitlifWarning
        If some targets are not 0 but all are rounded to 0.
    """
    levels = round_targets(config, targets)
    warn_of_zeros(config, np.asarray(targets), levels)
    return levels


def targets_for(layer: Learner, targets: NDArray[np.float64]) -> NDArray[Any]:
    """Return real targets in the layer's units."""
    return targets if layer.units == "real" else target_levels(outer(layer.config), targets)
