"""The float and the integer model side by side: how to make, drive and read their layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.result import Result
from bitlif.tasks.learner import target_levels

MODELS = ("float", "fixed")
"""The ideal float64 twin (Gaussian noise, no rounding or saturation) and the integer model."""

RULES = ("likelihood", "clipped")
"""The learning rules of the source's claims."""


def make_layer(
    model: str, config: Config, weights: NDArray[np.integer], seed: int
) -> Layer | FloatLayer:
    """Return a layer whose noise is drawn from `seed`.

    Parameters
    ----------
    model : "float" or "fixed"
    config : Config
    weights : (N, M) int
        Raw weights, so that both models have exactly the same.
    seed : int
    """
    if model == "fixed":
        layer = Layer(config.seeded(seed))
        layer.load(weights)
        return layer
    twin = FloatLayer(config, seed=seed)
    twin.load(weights * float(config.synapse.weight.lsb))
    return twin


def make_targets(model: str, config: Config, raster: NDArray[np.uint8]) -> NDArray[Any]:
    """Return spikes as targets 0 and 1 in the form that a model accepts, with their shape."""
    targets = raster.astype(np.float64)
    return targets if model == "float" else target_levels(config, targets)


def real_gradient(model: str, config: Config, result: Result) -> NDArray[np.float64]:
    """Return the sum of error times trace divided by the steps T, in real numbers: (W, M, N).

    The error is dimensionless. The gradient of the mean log-likelihood per step is this divided by
    sigma.
    """
    assert result.gradient is not None
    lsb = 1.0
    if model == "fixed":
        lsb = float(config.error.format.lsb * config.trace.format.lsb)
    return np.asarray(result.gradient * (lsb / config.window.steps), np.float64)
