"""A float layer goes on from a file, a pickle or a copy as if nothing had been."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.floating.layer import FloatLayer

from strategies import stimulus

TINY = Config.load("tiny").replace(window__state="carry", window__trace="carry")


def data() -> tuple[Any, Any, Any]:
    events, weights, targets = stimulus(TINY, 4, windows=5)
    return events, weights / 16, targets / (1 << TINY.error.target_bits)


def through_file(twin: FloatLayer, folder: Path) -> FloatLayer:
    twin.save(folder / "state.npz")
    again = FloatLayer(TINY, seed=twin._seed, matched=twin._matched)
    again.resume(folder / "state.npz")
    return again


WAYS: dict[str, Callable[[Any, Path], Any]] = {
    "file": through_file,
    "pickle": lambda twin, folder: pickle.loads(pickle.dumps(twin)),
    "deepcopy": lambda twin, folder: copy.deepcopy(twin),
}


def stand(twin: FloatLayer) -> list[Any]:
    return [own.tolist() for own in twin.to_arrays().values()] + [twin.phase]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("matched", [False, True])
def test_twin_goes_on_to_the_same_bits(matched: bool, way: str, tmp_path: Path) -> None:
    events, weights, targets = data()
    whole, twin = (FloatLayer(TINY, seed=7, matched=matched) for _ in range(2))
    for own in (whole, twin):
        own.load(weights)
    expected = whole.learn(events, targets).raster
    first = twin.learn(events.select([0, 1]), targets[:2]).raster
    again = WAYS[way](twin, tmp_path)
    rest = again.learn(events.select([2, 3, 4]), targets[2:]).raster
    np.testing.assert_array_equal(np.concatenate([first, rest]), expected)
    assert stand(again) == stand(whole)
    assert stand(twin) != stand(whole)
    for own in (again, whole):
        own.reset()
    np.testing.assert_array_equal(again.run(events).raster, whole.run(events).raster)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("random", np.zeros(6, np.uint64), r"^random must be a state of the generator"),
        ("random", np.zeros(5, np.uint64), r"^random must be integers of shape \(6,\)"),
        ("membrane", np.full(4, np.inf), r"^membrane must be finite, not inf"),
        ("trace", np.zeros(6, int), r"^trace must be float64 of shape \(6,\), not int64"),
        ("windows_learned", np.array(-4), r"^windows_learned must be in 0 \.\.= "),
    ],
)
def test_state_that_does_not_fit_is_refused(name: str, array: Any, message: str) -> None:
    twin = FloatLayer(TINY)
    with pytest.raises(BitlifError, match=message):
        twin.from_arrays({**twin.to_arrays(), name: array})
    with pytest.raises(BitlifError, match=r"^random must be a state of the generator"):
        twin.from_arrays(FloatLayer(TINY, seed=1).to_arrays())
