"""A layer goes on from a file, a pickle or a copy to the same bits."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.layer import Layer
from bitlif.model.result import RECORDS

from strategies import configs, stimulus

TINY = Config.load("tiny").replace(window__state="carry", window__trace="carry")


def through_file(layer: Any, folder: Path) -> Any:
    """Return a new layer that has read what this one wrote."""
    layer.save(folder / "state.npz")
    again = Layer(layer.config)
    again.resume(folder / "state.npz")
    return again


WAYS: dict[str, Callable[[Any, Path], Any]] = {
    "file": through_file,
    "pickle": lambda layer, folder: pickle.loads(pickle.dumps(layer)),
    "deepcopy": lambda layer, folder: copy.deepcopy(layer),
    "copy": lambda layer, folder: copy.copy(layer),
}


def stand(layer: Layer) -> list[Any]:
    return [own.tolist() for own in layer.to_arrays().values()] + [layer.lfsr_states, layer.phase]


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(config=configs(), seed=st.integers(0, 2**32), first=st.integers(0, 3))
def test_copies_continue_to_the_bit(
    way: str, tmp_path: Path, config: Config, seed: int, first: int
) -> None:
    events, weights, targets = stimulus(config, seed, windows=5)
    layer = Layer(config)
    layer.load(weights)
    layer.learn(events.select(range(first)), targets[:first])
    layer.run(events.select([4]), targets[4:])
    again = WAYS[way](layer, tmp_path)
    assert stand(again) == stand(layer)
    results = []
    for own in (layer, again):
        rest = own.learn(events.select(range(first, 5)), targets[first:], record=RECORDS)
        results.append([getattr(rest, name).tolist() for name in ("raster", *RECORDS)])
        results[-1] += [rest.counters, own.run(events, targets).raster.tolist(), stand(own)]
        own.reset()
        results[-1] += [own.run(events, targets).raster.tolist(), stand(own)]
    assert results[0] == results[1]


@pytest.mark.parametrize("way", WAYS)
def test_copy_and_original_are_independent(way: str, tmp_path: Path) -> None:
    events, weights, targets = stimulus(TINY, 3)
    layer = Layer(TINY, threads=2)
    layer.load(weights)
    before = stand(layer)
    again = WAYS[way](layer, tmp_path)
    again.learn(events, targets)
    assert stand(layer) == before
    assert stand(again) != before
    if way != "file":
        assert again._threads == 2


def test_interpreted_layer_continues_a_compiled_one(tmp_path: Path) -> None:
    events, weights, targets = stimulus(TINY, 3)
    layer = Layer(TINY)
    layer.load(weights)
    layer.learn(events, targets)
    layer.save(tmp_path / "s.npz")
    slow = Layer(TINY, interpreted=True)
    slow.resume(tmp_path / "s.npz")
    for own in (layer, slow, again := pickle.loads(pickle.dumps(slow))):
        own.learn(events, targets)
    assert again._interpreted
    assert stand(layer) == stand(slow) == stand(again)


def test_lanes_at_wrong_distances_are_refused(tmp_path: Path) -> None:
    layer = Layer(TINY.replace(layer__lanes=2))
    arrays = layer.to_arrays()
    for name in ("noise_lfsr", "update_lfsr"):
        for states in (np.array([5, 5]), np.array([1, 0]), np.array([1])):
            with pytest.raises(BitlifError, match=rf"^{name}"):
                layer.from_arrays({**arrays, name: states.astype(np.uint64)})
    assert layer.from_arrays(arrays).learned == 0


def test_restore_returns_to_a_snapshot() -> None:
    events, weights, targets = stimulus(TINY, 3)
    layer = Layer(TINY)
    layer.load(weights)
    here, before = layer.snapshot(), stand(layer)
    layer.learn(events, targets)
    after = stand(layer)
    layer.restore(here)
    assert stand(layer) == before
    layer.learn(events, targets)
    assert stand(layer) == after
    with pytest.raises(BitlifError, match=r"^snapshot must be of type Snapshot"):
        layer.restore({})  # type: ignore[arg-type]
