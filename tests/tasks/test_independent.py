"""Windows that do not depend on each other."""

from __future__ import annotations

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.tasks.independent import prediction_config, run_independent
from bitlif.tasks.learner import Engine

CARRY = Config.load("tiny").replace(
    window__state="carry", window__trace="carry", window__lfsr="carry"
)
RANDOM = np.random.default_rng(4)
SPIKES = Events.from_raster(RANDOM.random((7, 16, 6)) < 0.4)
WEIGHTS = RANDOM.integers(-8, 32, (6, 4))


def test_cleared_windows_equal_a_reset_before_each() -> None:
    layer = Layer(CARRY)
    layer.load(WEIGHTS)
    raster = []
    for window in range(SPIKES.windows):
        layer.reset()
        raster.append(layer.run(SPIKES.select([window])).raster[0])
    cleared = Layer(prediction_config(CARRY))
    cleared.load(WEIGHTS)
    assert np.array_equal(cleared.run(SPIKES).raster, raster)
    assert not np.array_equal(Layer(CARRY).run(SPIKES).raster, raster)


@pytest.mark.parametrize("kind", [Layer, FloatLayer])
def test_answers_depend_on_the_window_only(kind: type) -> None:
    engine = Engine(kind(CARRY))
    engine.load(WEIGHTS if kind is Layer else WEIGHTS / 16)
    whole = run_independent(engine, SPIKES, record=("membrane",))
    order = RANDOM.permutation(SPIKES.windows)
    mixed = run_independent(engine, SPIKES.select(order), record=("membrane",))
    assert whole.raster.any()
    assert whole.membrane is not None
    assert np.array_equal(mixed.raster, whole.raster[order])
    assert np.array_equal(mixed.membrane, whole.membrane[order])
    assert mixed.counters == whole.counters
