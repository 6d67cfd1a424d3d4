"""Results are input spikes of other layers, and records are sequences of names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bitlif
from bitlif import Config, Events
from bitlif.model.errors import BitlifError
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.result import Result

TINY = Config.load("tiny")


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.int64, np.float64])
def test_spikes_are_the_raster_whatever_its_type(dtype: Any) -> None:
    raster = np.random.default_rng(0).random((2, 16, 4)) < 0.3
    spikes = Result(raster.astype(dtype)).spikes
    np.testing.assert_array_equal(spikes.raster(), raster)


@pytest.mark.parametrize("record", ["membrane", None, 3, (3,), ("membran",)])
def test_record_must_be_a_tuple_of_names(record: Any) -> None:
    events = Events.from_raster(np.zeros((2, TINY.window.steps, 6), np.bool_))
    for layer in (Layer(TINY), FloatLayer(TINY), bitlif.open(TINY), bitlif.open(TINY, "float")):
        with pytest.raises(BitlifError, match=r"record must .*some of current, .*, not ") as caught:
            layer.run(events, record=record)
        assert len(str(caught.value)) <= 200
        assert layer.run(events, record=["membrane"]).membrane is not None
