"""Start weights against a plain computation with Python integers."""

from __future__ import annotations

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.initial import raw_bounds, start_weights
from bitlif.model.sweep_sections import InitialConfig


@pytest.mark.parametrize("bounds", [(-0.1, 0.2), (0.0, 0.0), (-9.0, 9.0), (0.3, 0.3)])
def test_weights_are_the_stated_function_of_the_words(bounds: tuple[float, float]) -> None:
    config = Config().replace(layer__inputs=7, layer__neurons=5, synapse__weight="s9.6")
    initial = InitialConfig(low=bounds[0], high=bounds[1], seed=77)
    low, high = (max(-256, min(255, round(64 * bound))) for bound in bounds)
    assert raw_bounds(config.synapse.weight, initial) == (low, high)
    words = [int(word) for word in np.random.PCG64(77).random_raw(35)]
    expected = [low + ((word >> 32) * (high - low + 1) >> 32) for word in words]
    assert start_weights(config, initial).ravel().tolist() == expected


def test_words_of_the_generator_are_those_of_its_definition() -> None:
    # They must be the same on every machine and in every version.
    words = np.random.PCG64(1).random_raw(2).tolist()
    assert words == [9441442522235856127, 17532960557476522086]
