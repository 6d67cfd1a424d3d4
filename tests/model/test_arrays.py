"""Arguments that are no arrays of numbers are refused alike by all layers and cores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bitlif
from bitlif import Config, Events
from bitlif.model.errors import BitlifTypeError
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.targets import round_targets

TINY = Config.load("tiny")
EVENTS = Events.from_raster(np.zeros((2, TINY.window.steps, 6), np.bool_))
RAGGED = [[1, 2], [1]]


def layers() -> list[Any]:
    """Return one layer or core of each kind that needs no gates."""
    return [
        Layer(TINY),
        FloatLayer(TINY),
        bitlif.open(TINY),
        bitlif.open(TINY, "float"),
        bitlif.open(TINY, "float", units="real"),
    ]


def test_lists_of_unequal_rows_are_refused() -> None:
    for layer in layers():
        with pytest.raises(BitlifTypeError, match=r"weights must be an array.*\[\[1, 2\], \[1\]\]"):
            layer.load(RAGGED)
        with pytest.raises(BitlifTypeError, match=r"targets must be an array.*\[\[1, 2\], \[1\]\]"):
            layer.learn(EVENTS, RAGGED)


@pytest.mark.parametrize(
    "wrong", ["abc", np.full((2, 4), "0.5"), np.full((2, 4), 0.5j), np.full((2, 4), {})]
)
def test_targets_of_other_types_are_refused(wrong: Any) -> None:
    for layer in layers():
        with pytest.raises(BitlifTypeError, match=r"targets must be .*, not \S+ of shape"):
            layer.learn(EVENTS, wrong)
    with pytest.raises(BitlifTypeError, match="targets must be real numbers, not"):
        round_targets(TINY, wrong)


def test_integers_and_booleans_are_real_targets() -> None:
    for dtype in (np.bool_, np.uint8, np.float32, object):
        assert round_targets(TINY, np.ones((2, 4), dtype)).tolist() == [[16] * 4] * 2
