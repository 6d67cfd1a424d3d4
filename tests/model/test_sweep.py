"""The sweep against the traces: for one layer they are the same gradient, in exact arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.floating.constants import real_leak
from bitlif.model.floating.layer import FloatLayer

from strategies import random_configs, stimulus


def swept_gradient(config: Config, errors: np.ndarray, raster: np.ndarray) -> np.ndarray:
    """Return the gradient (M, N) of one window by the sweep in real numbers.

    It is written from docs/networks.md; the last layer's sweep is not cut by resets.
    """
    leak_m, leak_s = real_leak(config.membrane.decay), real_leak(config.synapse.decay)
    lam = kap = np.zeros(errors.shape[1])
    gradient = np.zeros((errors.shape[1], raster.shape[1]))
    for error, spikes in zip(errors[::-1], raster[::-1], strict=True):
        lam = error + leak_m * lam
        kap = leak_s * kap + config.membrane.gain * lam
        gradient += np.outer(kap, spikes)
    return gradient


@pytest.mark.parametrize("reset", ["free", "teacher"])
def test_sweep_equals_the_traces_in_real_numbers(reset: str) -> None:
    for number, drawn in enumerate(random_configs(12)):
        config = drawn.replace(membrane__reset=reset, window__trace="clear")
        events, weights, targets = stimulus(config, number)
        layer = FloatLayer(config)
        layer.load(weights * float(config.synapse.weight.lsb))
        goals = targets / (1 << config.error.target_bits)
        result = layer.run(events, goals, gradient=True, record=("errors",))
        assert result.errors is not None
        assert result.gradient is not None
        for window, raster in enumerate(events.raster()):
            swept = swept_gradient(config, result.errors[window], raster)
            scale = np.abs(result.gradient[window]).max()
            difference = np.abs(swept - result.gradient[window]).max()
            assert difference <= 1e-12 * max(scale, 1e-300)
