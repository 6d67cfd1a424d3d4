"""Fitted encoders: exact, independent of the batch, and the same after a round trip."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.tasks.encoders import encode_level_crossing, encode_population, encode_rate
from bitlif.tasks.encoding import ENCODERS, Encoder
from bitlif.tasks.spike_codes import (
    ONE,
    RATE_ONE,
    drawn_spikes,
    random_words,
    receptive_fields,
    resampled,
)

RANDOM = np.random.default_rng(5)
TABLE = RANDOM.normal(0, [1, 100, 1e-3], (30, 3))
SERIES = RANDOM.normal(0, 1, (12, 2, 40)).cumsum(axis=2)
SPIKES = Events.from_raster(RANDOM.random((9, 16, 4)) < 0.3)

CASES: list[tuple[str, Any, dict[str, Any], int]] = [
    ("rate", TABLE, {}, 4),
    ("rate", TABLE, {"bias_rate": 0.0, "max_rate": 1.0}, 3),
    ("rate", TABLE, {"regular": False}, 4),
    ("rate", SERIES, {}, 3),
    ("rate", SERIES, {"regular": False, "bias_rate": 0}, 2),
    ("rate", TABLE, {"opponent": True}, 7),
    ("rate", SERIES, {"opponent": True, "bias_rate": 0}, 4),
    ("latency", TABLE, {"shared": True}, 3),
    ("level_crossing", SERIES, {"delta": 0.05}, 4),
    ("level_crossing", SERIES, {"reference": "middle"}, 4),
    ("level_crossing", SERIES, {"bias_rate": 0.5}, 5),
    ("latency", TABLE, {"bias_rate": 0.25}, 4),
    ("population", TABLE, {"fields": 5}, 15),
    ("population", TABLE, {"code": "latency", "width": 0.5}, 24),
    ("population", TABLE, {"regular": False}, 24),
    ("population", SERIES, {"quantile": 0.1}, 16),
    ("spikes", SPIKES, {}, 4),
]


def rows(X: Any, chosen: Any) -> Any:
    return X.select(chosen) if isinstance(X, Events) else X[chosen]


def same(a: Events, b: Events) -> bool:
    return (
        (a.steps, a.units) == (b.steps, b.units)
        and np.array_equal(a.addresses, b.addresses)
        and np.array_equal(a.pointers, b.pointers)
    )


@pytest.mark.parametrize(("name", "X", "options", "inputs"), CASES)
def test_window_does_not_depend_on_its_batch(
    name: str, X: Any, options: dict[str, Any], inputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Encoder.fit(name, X, steps=16, **options)
    assert encoder.inputs == inputs == len(encoder.input_names())
    events = encoder.encode(X, seed=3)
    assert (events.steps, events.units) == (16, inputs)
    assert events.count > 0
    order = np.random.default_rng(1).permutation(events.windows)
    assert same(encoder.encode(rows(X, order), seed=3), events.select(order))
    for window in (0, events.windows - 1):
        assert same(encoder.encode(rows(X, [window]), seed=3), events.select([window]))
    # Fitted to the same rows in another order, and encoded in blocks of one window.
    monkeypatch.setattr("bitlif.tasks.encoding.BLOCK", 1)
    assert same(Encoder.fit(name, rows(X, order), steps=16, **options).encode(X, seed=3), events)
    assert encoder.encode(rows(X, []), seed=3).windows == 0


@pytest.mark.parametrize(("name", "X", "options", "inputs"), CASES)
def test_round_trip_through_json_is_exact(
    name: str, X: Any, options: dict[str, Any], inputs: int
) -> None:
    encoder = Encoder.fit(name, X, steps=16, **options)
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json(), allow_nan=False)))
    assert again == encoder
    assert hash(again) == hash(encoder)
    assert same(again.encode(X, seed=9), encoder.encode(X, seed=9))


@pytest.mark.parametrize("kind", ["table", "series"])
def test_seed_changes_phases_and_draws(kind: str) -> None:
    X = TABLE if kind == "table" else SERIES
    for options in ({}, {"regular": False}):
        encoder = Encoder.fit("rate", X, steps=16, **options)
        assert not same(encoder.encode(X, seed=0), encoder.encode(X, seed=1))


def test_rates_follow_the_values_between_robust_extremes() -> None:
    X = np.arange(201.0)[:, None]
    X[-1] = 1e9  # an outlier
    encoder = Encoder.fit("rate", X, steps=100, max_rate=1.0, bias_rate=0.5, quantile=0.01)
    assert (encoder.low, encoder.high) == ((2.0,), (198.0,))
    counts = encoder.encode(np.array([[-5.0], [2.0], [100.0], [198.0], [1e9]])).counts()
    assert counts[:, 0].tolist() == [0, 0, 50, 100, 100]
    assert (counts[:, 1] == 50).all()


def test_opponent_inputs_share_the_values_at_the_median() -> None:
    X = np.array([[0.0], [1.0], [2.0], [3.0], [10.0]])
    encoder = Encoder.fit("rate", X, steps=100, max_rate=1.0, opponent=True, quantile=0.0)
    assert (encoder.low, encoder.middle, encoder.high) == ((0.0,), (2.0,), (10.0,))
    assert encoder.input_names(("salt",)) == ("salt above", "salt below", "bias")
    counts = encoder.encode(np.array([[2.0], [6.0], [1.0], [-9.0], [99.0]])).counts()
    assert counts[:, :2].tolist() == [[0, 0], [50, 0], [0, 50], [0, 100], [100, 0]]
    tree = {**encoder.to_json(), "middle": [11.0]}
    with pytest.raises(BitlifError, match="must ascend, not for feature 0"):
        Encoder.from_json(tree)


def test_regular_rates_are_those_of_the_plain_encoder() -> None:
    encoder = Encoder.fit("rate", TABLE, steps=50, quantile=0.0, bias_rate=0.0, max_rate=0.7)
    ink = encoder.scaled(TABLE) / ONE
    plain = encode_rate(ink, 50, max_rate=0.7, regular=True).counts()
    # A phase moves the spikes and may complete one more.
    assert set((encoder.encode(TABLE).counts() - plain).ravel().tolist()) == {0, 1}


def test_drawn_rates_match_the_values() -> None:
    X = np.linspace(0, 1, 400)[:, None]
    encoder = Encoder.fit("rate", X, steps=400, regular=False, quantile=0.0, max_rate=0.5)
    raster = encoder.encode(X, seed=2).raster()[:, :, 0]
    expected = 0.5 * X
    # Sums of 160000 draws, far within five standard deviations for these fixed seeds.
    score = (raster - expected).sum() / np.sqrt((400 * expected * (1 - expected)).sum())
    assert abs(score) < 3
    # Windows with different values have different draws.
    half = encoder.encode(np.array([[0.5], [0.5 + 1e-4]]), seed=2).raster()[:, :, 0]
    assert 80 < (half[0] != half[1]).sum() < 220


def test_draws_below_the_rate_are_spikes() -> None:
    levels = np.array([[3, 4]])
    rates = np.array([0, 1, RATE_ONE - 1, RATE_ONE]).reshape(1, 1, 4)
    for seed in range(20):
        spikes = drawn_spikes(np.repeat(rates, 30, axis=1), levels, seed)
        assert not spikes[..., :2].any()
        assert spikes[..., 2:].all()
    assert random_words(3, (1 << 64) - 1).dtype == np.uint64


def test_constant_features_are_silent_and_rare_values_are_kept() -> None:
    X = np.zeros((500, 3))
    X[:, 0] = 7.0
    X[0, 1] = 1.0  # rarer than the quantile
    X[:, 2] = np.arange(500)
    encoder = Encoder.fit("rate", X, steps=20, bias_rate=0.0)
    assert (encoder.low[:2], encoder.high[:2]) == ((7.0, 0.0), (7.0, 1.0))
    counts = encoder.encode(np.array([[7.0, 0.0, 0.0], [9.0, 1.0, 499.0]])).counts()
    assert counts[0].tolist() == [0, 0, 0]
    assert counts[1, 0] == 0
    assert counts[1, 1] >= 17


def test_huge_and_tiny_values_are_scaled() -> None:
    most = float(np.finfo(float).max)
    X = np.array([[-most, 5e-324], [0.0, 0.0], [most, 1e-300]])
    encoder = Encoder.fit("rate", X, steps=8, quantile=0.0)
    assert encoder.scaled(X).tolist() == [[0, 0], [ONE // 2, 0], [ONE, ONE]]


def test_one_row_can_be_fitted() -> None:
    encoder = Encoder.fit("rate", np.array([[1.0, 2.0]]), steps=4)
    assert encoder.encode(np.array([[5.0, 6.0]])).counts()[0, :2].tolist() == [0, 0]


def test_series_of_any_length_fill_the_window() -> None:
    line = np.array([0, 8, 16])
    assert resampled(line, 5).tolist() == [0, 4, 8, 12, 16]
    assert resampled(line, 1).tolist() == [8]
    assert resampled(np.array([7]), 3).tolist() == [7, 7, 7]
    assert resampled(np.array([1, 2, 4, 9, 9]), 2).tolist() == [2, 7]
    values = np.arange(1000)
    assert np.abs(resampled(values, 7).mean() - values.mean()) < 1


def test_series_rate_follows_the_value_in_time() -> None:
    X = np.zeros((2, 1, 40))
    X[0, 0, 20:] = 1.0
    X[1, 0, :20] = 1.0
    encoder = Encoder.fit("rate", X, steps=40, max_rate=0.5, bias_rate=0.0)
    raster = encoder.encode(X).raster()[:, :, 0]
    assert raster[:, :20].sum(axis=1).tolist() == [0, 10]
    assert raster[:, 20:].sum(axis=1).tolist() == [10, 0]


def test_level_crossings_reconstruct_the_signal() -> None:
    time = np.linspace(0, 1, 300)
    signal = 0.5 - 0.5 * np.cos(2 * np.pi * time)
    raster = encode_level_crossing(signal[None, None], 300, delta=0.05).raster()[0]
    rebuilt = signal[0] + 0.05 * (raster[:, 0].astype(int) - raster[:, 1]).cumsum()
    # Rounding of the levels adds at most one level per spike.
    assert np.abs(rebuilt - signal).max() <= 0.05 + 41 / ONE
    # Up and down over 19 levels; the peak between two samples is just below the 20th.
    assert raster.sum() == 38
    assert not (raster[:, 0] & raster[:, 1]).any()


def test_level_crossing_from_the_middle_tells_the_first_level() -> None:
    flat = np.array([[[0.9, 0.9, 0.9, 0.9]], [[0.1, 0.1, 0.1, 0.1]]])
    assert encode_level_crossing(flat, 4, delta=0.2).count == 0
    counts = encode_level_crossing(flat, 4, delta=0.2, reference="middle").counts()
    assert counts.tolist() == [[2, 0], [0, 2]]


@pytest.mark.parametrize(("fields", "width"), [(2, 256), (8, 256), (8, 64), (5, 1000), (256, 32)])
def test_receptive_fields_are_gaussians_within_a_level(fields: int, width: int) -> None:
    levels = np.array([0, 1, 1000, 32768, 45678, 65535, 65536])
    found = receptive_fields(levels[:, None], fields, width)
    centres = np.arange(fields)
    z = (levels[:, None] / ONE * (fields - 1) - centres) / (width / 256)
    exact = np.exp(-z * z / 2) * ONE
    assert found.shape == (7, fields)
    assert np.abs(found - exact).max() < 0.75
    assert (found >= 0).all()


def test_population_spikes_most_at_the_nearest_centre() -> None:
    X = np.linspace(0, 1, 33)[:, None]
    counts = encode_population(X, 64, fields=9, width=0.8).counts()
    assert (counts.argmax(axis=1)[::4] == np.arange(9)).all()
    events = encode_population(X, 64, fields=9, width=0.8, code="latency")
    assert events.counts().max() == 1
    for window in range(0, 33, 4):
        one = events.select([window])
        assert one.times[one.addresses == window // 4].tolist() == [0]
        # The neighbours spike at exp(-0.78) of the way from the last step to the first.
        late = one.times[np.abs(one.addresses - window // 4) == 1]
        assert set(late.tolist()) == {round((1 - math.exp(-1 / (2 * 0.8**2))) * 63)}


BAD: list[tuple[str, Any, dict[str, Any], list[str]]] = [
    ("rat", TABLE, {}, ["'rate'"]),
    ("rate", TABLE, {"maxrate": 1.0}, ["max_rate"]),
    ("rate", TABLE, {"max_rate": 0.0}, ["max_rate"]),
    ("rate", TABLE, {"max_rate": 1.5}, ["max_rate", "1.5"]),
    ("rate", TABLE, {"quantile": 0.5}, ["quantile", "0.25"]),
    ("rate", TABLE, {"regular": 1}, ["regular"]),
    ("spikes", SPIKES, {"max_rate": 0.5}, ["none"]),
    ("population", TABLE, {"fields": 1}, ["fields", "2"]),
    ("population", TABLE, {"width": 0}, ["width"]),
    ("population", TABLE, {"code": "phase"}, ["code", "latency"]),
    ("population", SERIES, {"code": "latency"}, ["series"]),
    ("level_crossing", SERIES, {"delta": 0}, ["delta"]),
    ("level_crossing", SERIES, {"reference": "last"}, ["reference"]),
    ("level_crossing", TABLE, {}, ["time series", "a table", "'rate'"]),
    ("latency", SERIES, {}, ["a table", "time series", "'level_crossing'"]),
    ("rate", SPIKES, {}, ["'spikes'"]),
    ("spikes", TABLE, {}, ["spikes", "a table"]),
    ("rate", TABLE[:0], {}, ["at least one window"]),
    ("rate", TABLE * np.nan, {}, ["finite", "row 0"]),
    ("rate", [[1.0, "a"]], {}, ["X must be"]),
    ("rate", [[1.0], [1.0, 2.0]], {}, ["X must be"]),
    ("rate", np.array([[1.0, None]], object), {}, ["finite", "row 0, column 1"]),
    ("rate", np.array([[1.0, "a"]], object), {}, ["'a'", "row 0, column 1"]),
    ("population", np.ones((1, 60_000)), {}, ["65536", "480000"]),
]


@pytest.mark.parametrize(("name", "X", "options", "facts"), BAD)
def test_bad_argument_is_named(
    name: str, X: Any, options: dict[str, Any], facts: list[str]
) -> None:
    with pytest.raises(BitlifError) as caught:
        Encoder.fit(name, X, steps=16, **options)
    for fact in facts:
        assert fact in str(caught.value)


def test_data_must_be_as_in_training() -> None:
    for X, other, fact in (
        (TABLE, TABLE[:, :2], "3 features"),
        (TABLE, SERIES, "table"),
        (SERIES, SERIES[:, :1], "2 channels"),
        (SERIES, SERIES[:, :, :-1], "40 samples"),
        (TABLE, SPIKES, "table"),
        (TABLE, TABLE * np.inf, "finite"),
    ):
        with pytest.raises(BitlifError, match=fact):
            Encoder.fit("rate", X, steps=16).encode(other)
    encoder = Encoder.fit("spikes", SPIKES, steps=16)
    for raster, fact in ((np.ones((2, 15, 4), bool), "16 steps"), (np.ones((2, 16, 5), bool), "4")):
        with pytest.raises(BitlifError, match=fact):
            encoder.encode(raster)
    with pytest.raises(BitlifError, match="16 steps"):
        Encoder.fit("spikes", np.ones((2, 15, 4), bool), steps=16)


def test_too_many_steps_are_refused_before_memory_is_used() -> None:
    encoder = Encoder.fit("rate", TABLE, steps=1 << 20)
    with pytest.raises(BitlifError, match="fewer windows"):
        encoder.encode(np.zeros((300, 3)))


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"format": "x"}, "bitlif encoder"),
        ({"version": 2}, "version"),
        ({"name": "x"}, "name"),
        ({"kind": "series"}, "samples"),
        ({"kind": "spikes"}, "kind"),
        ({"steps": 0}, "steps"),
        ({"features": 2}, "low"),
        ({"samples": 3}, "samples"),
        ({"options": []}, "options"),
        ({"options": {"delta": 1}}, "delta"),
        ({"low": [0.0, 1.0, "x"]}, "low"),
        ({"low": [0.0, 1.0, float("nan")]}, "low"),
        ({"low": [1e30] * 3}, "low"),
        ({"extra": 1}, "'extra'"),
        ({"high": None}, "high"),
    ],
)
def test_damaged_json_is_named(change: dict[str, Any], fact: str) -> None:
    tree = Encoder.fit("rate", TABLE, steps=8).to_json() | change
    with pytest.raises(BitlifError, match=fact):
        Encoder.from_json(tree)
    with pytest.raises(BitlifError, match="'steps'"):
        Encoder.from_json({key: value for key, value in tree.items() if key != "steps"}
                          | {"format": "bitlif encoder", "version": 1})  # fmt: skip


def test_every_encoder_is_tested() -> None:
    assert {name for name, *_ in CASES} == set(ENCODERS)
