"""The Yin-Yang points are the published ones, and a network learns them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from bitlif import Config, tasks
from bitlif.model.errors import BitlifError
from bitlif.tasks.yin_yang import (
    BIAS_RATE,
    MAX_RATE,
    VALIDATION,
    YinYangTask,
    class_of,
    yin_yang_points,
)

LAYER = Config.load("tiny").replace(layer__inputs=5, layer__neurons=3, window__steps=64)

# Made by the published generator: SHA-256 of all coordinates as little-endian float64, then of the
# classes as int64; the first point, exactly; the classes of the first points.
PUBLISHED = {
    "train": (
        "3dcfbb1895fd5f753d5591e1b4c3c7d98666e04ed91a50569185f2c0a3fcbb48",
        ("0x1.5c51450ae9de0p-1", "0x1.cd4fad08539c4p-2"),
        [2, 1, 2, 1, 1, 1, 0, 2],
    ),
    "validation": (
        "03d1c9e01d7b2ab9d4d200f84632d8ec8a9fe9e72a75043542a21589507de339",
        ("0x1.5c740742f33bep-1", "0x1.48ad3fd6a1ea2p-2"),
        [0, 1, 0, 0, 2, 1, 1, 1],
    ),
    "test": (
        "01e8a4f15d4b0d4df3d4f94fb67f5167e7b7783a7eeb3329e4e61e8c07ebb9eb",
        ("0x1.df6e0fe77e0e4p-3", "0x1.9b5dcab9967b6p-2"),
        [2, 2, 1, 1, 1, 2, 2, 0],
    ),
}


@pytest.mark.parametrize("split", PUBLISHED)
def test_points_are_those_of_the_published_splits(split: str) -> None:
    points, classes = yin_yang_points(split)
    digest, first, head = PUBLISHED[split]
    assert tuple(value.hex() for value in points[0, :2].tolist()) == first
    assert classes[: len(head)].tolist() == head
    raw = points.astype("<f8").tobytes() + classes.astype("<i8").tobytes()
    assert hashlib.sha256(raw).hexdigest() == digest
    assert len(points) == {"train": 5000}.get(split, 1000)


def test_classes_of_chosen_points() -> None:
    places = {
        (0.5, 0.95): 1, (0.5, 0.05): 0, (0.25, 0.35): 1, (0.75, 0.65): 0,
        (0.25, 0.5): 2, (0.75, 0.45): 2, (0.95, 0.95): -1,
    }  # fmt: skip
    assert {place: class_of(*place) for place in places} == places


def test_spikes_follow_the_coordinates() -> None:
    examples = tasks.get("yin_yang").load(LAYER, 3)
    points, classes = yin_yang_points("test")
    assert examples.train.windows == 5000
    assert (examples.test_labels == classes).all()
    counts = examples.test.counts()
    expected = np.column_stack((points * MAX_RATE, np.full(1000, BIAS_RATE))) * 64
    assert np.abs(counts - expected).max() <= 1.0


def test_seed_draws_the_phases_only() -> None:
    one, other = (tasks.get("yin_yang").load(LAYER, seed) for seed in (0, 1))
    assert (one.train_labels == other.train_labels).all()
    assert (one.train.raster() != other.train.raster()).any(axis=(1, 2)).all()
    again = YinYangTask().load(LAYER, 1)
    assert (again.test.addresses == other.test.addresses).all()


def test_validation_points_are_others() -> None:
    test, validation = tasks.get("yin_yang").load(LAYER, 0), VALIDATION.load(LAYER, 0)
    assert (test.train.addresses == validation.train.addresses).all()
    assert (validation.test_labels == yin_yang_points("validation")[1]).all()
    assert (validation.test_labels != test.test_labels).any()


def test_wrong_layers_and_options_are_refused() -> None:
    with pytest.raises(BitlifError, match="5 inputs and 3 neurons, not 6 and 4"):
        tasks.get("yin_yang").check(Config.load("tiny"))
    with pytest.raises(BitlifError, match="part must be"):
        YinYangTask("train")
    with pytest.raises(BitlifError, match="split must be"):
        yin_yang_points("tests")
