"""Diagnosis: layers that fail give warnings that name the cure; layers that learn give none."""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

import bitlif
from bitlif import Config, Events, tasks
from bitlif.model.errors import BitlifError, BitlifWarning
from bitlif.model.fixed import Format
from bitlif.model.layer import Layer
from bitlif.tasks.diagnosis import Finding, diagnose, warn_of_findings
from bitlif.tasks.encoding import Encoder
from bitlif.tasks.finding import binomial_tail, chance_finding
from bitlif.tasks.task import Classification, Epoch, Examples

DEFAULT = Config().replace(layer__inputs=14, layer__neurons=3)
DIGITS = Config.load("digits").replace(layer__inputs=14, layer__neurons=3)


class Wine(Classification):
    """Scikit-learn's wines, as rates."""

    name = "wine"

    def load(self, config: Config, seed: int) -> Examples:
        values, labels = load_wine(return_X_y=True)
        train, test = train_test_split(
            np.arange(labels.size), test_size=0.3, stratify=labels, random_state=seed
        )
        encoder = Encoder.fit("rate", values[train], steps=config.window.steps)
        return Examples(
            encoder.encode(values[train]), encoder.encode(values[test]),
            labels[train], labels[test],
        )  # fmt: skip


def findings(config: Config, epochs: int, backend: str = "model") -> dict[str, Finding]:
    with bitlif.open(config, backend) as core:
        examples = Wine().load(config, 0)
        before = core.fresh()
        history = tasks.train(core, Wine(), epochs=epochs, examples=examples)
        weights = core.weights()
        found = diagnose(core, examples, history, task=Wine())
        assert np.array_equal(core.weights(), weights)
        before.close()
    return {finding.name: finding for finding in found}


def test_default_configuration_on_wine_is_no_longer_silent() -> None:
    found = findings(DEFAULT, 20)
    # What issue 15 saw without a warning: 73 % saturated, one neuron for everything, 27.8 %.
    assert found["membrane_saturated"].value > 0.7
    assert found["always_firing"].value == 1
    assert found["unused_classes"].value == 2
    assert "27.8 %" in found["chance_p"].problem
    gain = "lower membrane.gain from 1 to about 0.047"
    names = ("current_saturated", "membrane_saturated", "always_firing", "unused_classes")
    assert all(gain in found[name].cure for name in (*names, "silent_neurons"))
    with pytest.warns(BitlifWarning) as caught:
        count = warn_of_findings(found.values())
    assert count == sum(bool(finding.message) for finding in found.values())
    # One warning per cure.
    assert len(caught) == 2
    assert gain in str(caught[0].message)
    assert "not above chance" in str(caught[1].message)


def test_the_named_cure_works() -> None:
    cured = DEFAULT.replace(membrane__gain=0.047, membrane__gain_bits=8)
    found = findings(cured, 20)
    assert {name: own.message for name, own in found.items() if own.message} == {}
    assert found["chance_p"].value < 1e-6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert warn_of_findings(found.values()) == 0


def test_suitable_configuration_gives_no_warning() -> None:
    assert not any(own.message for own in findings(DIGITS, 10).values())


def test_float_twin_is_diagnosed_by_its_spikes() -> None:
    found = findings(DIGITS, 2, "float")
    assert {"silent_neurons", "always_firing", "chance_p", "unused_classes"} <= found.keys()
    assert "membrane_saturated" not in found


def test_lost_updates_name_the_random_bits() -> None:
    slow = {"learning__rate": 2e-3, "schedule": [{"sigma": 0.25}]}
    config = DIGITS.replace(learning__random_bits=0, **slow)
    found = findings(config, 1)
    assert found["updates_lost"].value == found["updates_below_half_lsb"].value > 0.9
    assert "raise learning.random_bits from 0 to 8" in found["updates_lost"].cure
    better = findings(config.replace(learning__random_bits=8), 1)
    assert better["updates_below_half_lsb"].value > 0.9
    assert not better["updates_lost"].message


def test_shares_of_updates_match_a_count_of_fractions() -> None:
    config = Config.load("tiny").replace(learning__rate=0.125)
    layer = Layer(config)
    task = tasks.get("teacher")
    examples = task.load(config, 0)
    history = tasks.train(layer, task, epochs=1)
    found = {own.name: own for own in diagnose(layer, examples, history, task=task)}
    probe = Layer(config)
    probe.load(layer.weights)
    levels = np.rint(task.targets(examples, 4) * (1 << config.error.target_bits)).astype(np.uint16)
    gradient = probe.run(examples.train, levels, record=("gradient",)).gradient
    assert gradient is not None
    lsb = Fraction(config.error.format.lsb) * Fraction(config.trace.format.lsb)
    rate = Fraction(1, 8) / config.window.steps * lsb / Fraction(config.synapse.weight.lsb)
    sizes = [abs(int(value)) * rate for value in gradient.ravel() if value]
    share = sum(size < Fraction(1, 2) for size in sizes) / len(sizes)
    assert found["updates_below_half_lsb"].value == pytest.approx(share)


def test_counters_are_shares_of_the_last_epoch() -> None:
    raster = np.ones((5, 4, 6), bool)
    events = Events.from_raster(raster)
    examples = Examples(events, events, train_targets=np.full((5, 4), 0.5))
    config = Config.load("tiny").replace(window__steps=4)
    steps = 3 * 5 * 4 * 4  # passes, windows, steps, neurons
    counters = dict.fromkeys(
        ("error_saturations", "synaptic_trace_saturations", "trace_saturations"), 0
    ) | {
        "current_saturations": steps // 2,
        "membrane_saturations": 2 * steps,
        "weight_saturations": 3 * 5 * 6 * 4 // 4,
        "active_errors": 1,
        "synaptic_events": 3 * events.count * 4,
    }
    nan = float("nan")
    history = [Epoch(3, nan, nan, 0.0, counters)]
    found = {own.name: own for own in diagnose(Layer(config), examples, history)}
    assert found["current_saturated"].value == 0.5
    assert found["membrane_saturated"].value == 1.0
    assert found["weight_saturated"].value == 0.25
    assert found["active_errors"].value == 1 / steps
    assert found["active_errors"].message
    assert "chance_p" not in found
    assert json.loads(json.dumps([own.to_json() for own in found.values()], allow_nan=False))


def test_windows_without_spikes_and_tiny_targets_are_named() -> None:
    events = Events.from_raster(np.zeros((2, 16, 6), bool))
    examples = Examples(events, events, train_targets=np.full((2, 4), 1 / 1024))
    layer = Layer(Config.load("tiny"))
    result = layer.run(events)
    history = [Epoch(1, 0.0, 0.0, 0.0, {**result.counters})]
    found = {own.name: own for own in diagnose(layer, examples, history)}
    assert "encoder" in found["input_rate"].cure
    assert "truth values" in found["largest_target"].cure


def test_teacher_resets_are_given_their_targets() -> None:
    config = Config.load("tiny").replace(membrane__reset="teacher")
    layer = Layer(config)
    task = tasks.get("teacher")
    examples = task.load(config, 0)
    history = tasks.train(layer, task, epochs=1)
    assert "always_firing" in {own.name for own in diagnose(layer, examples, history, task=task)}


@pytest.mark.parametrize(
    ("change", "signal", "fact"),
    [
        ({}, "membrane", "membrane.format from 's16.10' to 's18.10'"),
        ({}, "current", "synapse.current from 's16.8' to 's18.8'"),
        ({}, "trace", "trace.format from 'u8.7' to 'u10.7'"),
        ({}, "synaptic_trace", "trace.current from 'u8.6' to 'u10.6'"),
        ({}, "error", "error.limit"),
        ({}, "weight", "synapse.weight from 's10.7' to 's12.7'"),
        ({"membrane__gain": 0.04}, "weight", "raise membrane.gain"),
        ({"membrane__gain": 0.9}, "membrane", "lower membrane.gain from 0.9 to about 0.22"),
        ({"membrane__gain": 0.9}, "trace", "lower membrane.gain"),
    ],
)
def test_cure_of_saturation_names_field_and_value(
    change: dict[str, float], signal: str, fact: str
) -> None:
    from bitlif.tasks.cures import of_saturation

    config = Config.load("digits").replace(**change)
    cure = of_saturation(config, signal)
    assert fact in cure
    if "widen" in fact or "' to '" in fact:
        assert Format.parse(cure.split("'")[3]).bits > Format.parse(cure.split("'")[1]).bits


def test_binomial_tail_matches_exact_fractions() -> None:
    for windows, right, chance in ((54, 15, 21 / 54), (54, 30, 0.389), (7, 7, 0.5), (450, 60, 0.1)):
        p = Fraction(chance)
        exact = sum(
            math.comb(windows, k) * p**k * (1 - p) ** (windows - k)
            for k in range(right, windows + 1)
        )
        assert binomial_tail(right, windows, chance) == pytest.approx(float(exact), rel=1e-10)
    assert binomial_tail(3, 5, 0.0) == 0.0
    assert 0 < binomial_tail(60_000, 100_000, 0.59) < 1e-9


def test_chance_of_one_class_and_of_few_windows_is_explained() -> None:
    assert "two classes" in chance_finding(9, 9, 1.0).cure
    assert "more test windows" in chance_finding(3, 3, 1 / 3).cure
    assert "more epochs" in chance_finding(20, 54, 0.4).cure
    assert "other warnings" in chance_finding(20, 54, 0.4).cure
    assert "other warnings" not in chance_finding(20, 54, 0.4, alone=True).cure
    assert not chance_finding(40, 54, 0.4).message


def test_bad_arguments_are_refused() -> None:
    layer = Layer(Config.load("tiny"))
    examples = tasks.get("teacher").load(layer.config, 0)
    with pytest.raises(BitlifError, match="history"):
        diagnose(layer, examples, [])
    with pytest.raises(BitlifError, match="Examples"):
        diagnose(layer, examples.train, [])  # type: ignore[arg-type]


def test_findings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        chance_finding(1, 2, 0.5).value = 0.0  # type: ignore[misc]
