"""What both layers share: copies at any moment continue to the bit, and results can be chained."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from bitlif.model import layer as integer_layer
from bitlif.model.base_layer import BaseLayer
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.floating import layer as float_layer
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.result import RECORDS

from strategies import stimulus

TINY = Config.load("tiny").replace(window__state="carry", window__trace="carry")
WINDOWS = 11
"""More than the first phase has, so that copies fall into both phases."""

TWINS = (Layer, FloatLayer)


class Watched:
    """Copies itself each time the layer takes a new state, if `copies` is a list."""

    copies: list[Any] | None = None

    @property
    def _now(self) -> Any:
        return self._state

    @_now.setter
    def _now(self, now: Any) -> None:
        self._state = now
        if self.copies is not None:
            self.copies += [copy.deepcopy(self), pickle.loads(pickle.dumps(self))]


class WatchedLayer(Watched, Layer):
    pass


class WatchedFloatLayer(Watched, FloatLayer):
    pass


def data(kind: type) -> tuple[Events, Any, Any]:
    events, weights, targets = stimulus(TINY, 4, windows=WINDOWS)
    if issubclass(kind, FloatLayer):
        return events, weights / 16, targets / (1 << TINY.error.target_bits)
    return events, weights, targets


def outcome(layer: BaseLayer[Any]) -> list[Any]:
    return [array.tolist() for array in layer.to_arrays().values()]


@pytest.mark.parametrize("kind", [WatchedLayer, WatchedFloatLayer])
def test_copies_taken_during_a_run_continue_to_the_bit(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One window at a time, so that the layer takes a new state after each.
    monkeypatch.setattr(integer_layer, "PIECE_WORK", 1)
    monkeypatch.setattr(float_layer, "PIECE_WORK", 1)
    events, weights, targets = data(kind)
    layer = kind(TINY)
    layer.load(weights)
    layer.copies = copies = []
    whole = layer.learn(events, targets, record=RECORDS)
    layer.copies = None
    assert [own.windows_learned for own in copies[::2]] == [*range(1, WINDOWS + 1)]
    for own in copies:
        learned = own.windows_learned
        assert own.config == TINY
        rest = own.learn(events.select(range(learned, WINDOWS)), targets[learned:], record=RECORDS)
        for name in ("raster", *RECORDS):
            np.testing.assert_array_equal(getattr(rest, name), getattr(whole, name)[learned:])
        assert outcome(own) == outcome(layer)


@pytest.mark.parametrize("kind", TWINS)
def test_shallow_copy_is_independent(kind: Any) -> None:
    events, weights, targets = data(kind)
    layer = kind(TINY)
    layer.load(weights)
    before = outcome(layer)
    copy.copy(layer).learn(events, targets)
    assert outcome(layer) == before


def test_copies_keep_the_constructors_arguments() -> None:
    twin = copy.deepcopy(FloatLayer(TINY, seed=7, matched=True))
    assert twin.kind == FloatLayer(TINY, seed=7, matched=True).kind
    layer = pickle.loads(pickle.dumps(Layer(TINY, threads=3, interpreted=True)))
    assert (layer._threads, layer._interpreted) == (3, True)


@pytest.mark.parametrize("kind", TWINS)
def test_result_is_the_input_of_another_layer(kind: Any) -> None:
    second = TINY.replace(name="output", layer__inputs=4, layer__neurons=3, layer__lanes=1)
    events, weights, targets = data(kind)
    hidden = kind(TINY)
    hidden.load(weights)
    first = hidden.run(events)
    assert first.raster.any()
    chained, by_hand = kind(second), kind(second)
    for layer in (chained, by_hand):
        layer.load(weights[:4, :3])
    spikes = Events.from_raster(first.raster.astype(bool))
    for call in ("run", "learn"):
        given = [getattr(chained, call)(first, targets[..., :3], record=RECORDS)]
        given += [getattr(by_hand, call)(spikes, targets[..., :3], record=RECORDS)]
        for name in ("raster", *RECORDS):
            np.testing.assert_array_equal(getattr(given[0], name), getattr(given[1], name))
    assert outcome(chained) == outcome(by_hand)
    # A layer of another size refuses it, and names both sizes.
    with pytest.raises(BitlifError, match=r"6 units and 16 steps .*, not 4 and 16$"):
        kind(TINY).run(first)


@pytest.mark.parametrize("kind", TWINS)
def test_snapshot_of_the_other_twin_is_refused(kind: Any) -> None:
    other = FloatLayer if kind is Layer else Layer
    with pytest.raises(TypeError, match=r"^snapshot must be of type "):
        kind(TINY).restore(other(TINY).snapshot())
