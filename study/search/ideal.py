"""What the ideal float twin of a configuration depends on, and how far its weights are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.floating.constants import real_leak

from .base import AnyConfig

Weights = NDArray[np.float64] | Sequence[NDArray[np.float64]]
"""Weights in thresholds: (N, M) of a layer, or a list of those of a network's layers."""


@dataclass(frozen=True, slots=True)
class Ideal:
    """A configuration that compares equal to all others with the same ideal float twin.

    Attributes
    ----------
    parts : tuple
        All fields that affect the ideal twin, which excludes formats and noise sources. The twin of
        a network starts with its weights, which are those of the weight's format.
    config : Config or NetworkConfig
        One of these configurations.
    """

    parts: tuple[Any, ...]
    config: AnyConfig = field(compare=False)

    @classmethod
    def of(cls, config: AnyConfig) -> Ideal:
        """Return the ideal of a configuration."""
        if isinstance(config, Config):
            return cls(_parts(config), config)
        layers = tuple(
            (
                _parts(own.config), own.config.synapse.weight, own.initial,
                own.sweep.feedback, own.sweep.surrogate, own.sweep.update,
            )
            for own in config.layers
        )  # fmt: skip
        return cls(layers, config)


def _parts(config: Config) -> tuple[Any, ...]:
    membrane, error = config.membrane, config.error
    return (
        config.layer.inputs, config.layer.neurons, config.window,
        real_leak(config.synapse.decay), real_leak(membrane.decay), membrane.gain,
        membrane.threshold, membrane.reset, membrane.injection,
        error.rule, error.limit, error.guard, error.span, error.a, error.b,
        config.learning.rate, config.schedule,
    )  # fmt: skip


def weight_distance(weights: Weights, twin: Weights) -> float | None:
    """Return the RMS difference from the weights of a twin, relative to the RMS of the twin.

    Parameters
    ----------
    weights, twin : (N, M) float64, or list of them
        Weights in thresholds, of a layer or of all layers of a network.

    Returns
    -------
    float or None
        None if all weights of the twin are zero.
    """
    own, other = (
        both if isinstance(both, np.ndarray) else np.concatenate([one.ravel() for one in both])
        for both in (weights, twin)
    )
    size = float(np.sqrt(np.mean(other**2)))
    return float(np.sqrt(np.mean((own - other) ** 2))) / size if size else None
