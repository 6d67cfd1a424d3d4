"""Digests of windows give the signature that its definition gives, word by word."""

from __future__ import annotations

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.digest import multiples, power, sign_digests, times
from bitlif.model.layer import Layer
from bitlif.model.signature import POLYNOMIAL, Signature, take_word

from strategies import stimulus

CONFIGS = {
    "tiny": Config.load("tiny"),
    "lanes": Config.load("tiny").replace(layer__neurons=7, layer__lanes=3),
    "large": Config.load("tiny").replace(layer__neurons=150, layer__inputs=80, layer__lanes=2),
    "teacher": Config.load("tiny").replace(membrane__reset="teacher", window__state="carry"),
    "digits": Config.load("digits").replace(window__steps=20),
}


def test_powers_are_those_of_the_register() -> None:
    state = 1
    for exponent in range(70):
        assert power(exponent) == state
        state = take_word(state, 0)
    assert power(32) == POLYNOMIAL
    # The polynomial is primitive: x comes back to itself after 2**32 - 1 steps.
    assert power(2**32 - 1) == 1


@pytest.mark.parametrize("exponent", [1, 7, 31, 32, 1000])
def test_tables_multiply_as_single_steps_do(exponent: int) -> None:
    table = multiples(power(exponent))
    for state in (1, 0x80000000, 0xFFFFFFFF, 0x12345678):
        stepped = state
        for _ in range(exponent):
            stepped = take_word(stepped, 0)
        assert times(state, table) == stepped


@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize("interpreted", [True, False])
@pytest.mark.parametrize("name", CONFIGS)
def test_digests_give_the_signature(
    name: str, interpreted: bool, learn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if interpreted and name in ("large", "digits"):
        # Also the way of large windows, which the specification does not have.
        monkeypatch.setattr("bitlif.model.layer.LARGE_WINDOW", 1)
        interpreted = False
    config = CONFIGS[name]
    events, weights, targets = stimulus(config, 3, windows=3)
    one, other = (Layer(config, interpreted=interpreted) for _ in range(2))
    signature, expected = Signature(config.layer), []
    for layer in (one, other):
        layer.load(weights)
    for w in range(3):
        call = one.learn if learn else one.run
        result = call(events.select([w]), targets[w : w + 1], record=("membrane",))
        expected.append(signature.take_window(result))
        if learn:
            signature.take_weights(one.weights)
    call = other.learn if learn else other.run
    result = call(events, targets, record=("digests",))
    assert result.digests is not None
    fresh = Signature(config.layer).lanes
    lanes, values = sign_digests(config.layer, fresh, *result.digests)
    np.testing.assert_array_equal(values, expected)
    assert lanes == signature.lanes


def test_threads_give_the_same_digests() -> None:
    config = CONFIGS["large"].replace(window__state="clear")
    events, weights, _ = stimulus(config, 3, windows=5)
    found = []
    for threads in (1, 2):
        layer = Layer(config, threads=threads)
        layer.load(weights)
        found.append(layer.run(events, record=("digests",)).digests)
    np.testing.assert_array_equal(found[0][0], found[1][0])
