"""The classifier with hidden layers."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs, make_moons
from sklearn.utils.estimator_checks import check_estimator

import bitlif
from bitlif import SpikingClassifier
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError, BitlifWarning
from bitlif.tasks import training
from bitlif.tasks.arrays import ArrayTask
from bitlif.tasks.data_file import Data
from bitlif.tasks.suit_network import suit_network

X, CODES = make_blobs(90, 5, centers=3, cluster_std=1.5, random_state=1)
Y = np.array(["spam", "eggs", "ham"])[CODES]
SMALL: dict[str, Any] = {"hidden": (12,), "epochs": 4, "steps": 32}


def assert_equal(left: list[Any], right: list[Any]) -> None:
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


def test_passes_scikit_learns_checks() -> None:
    with warnings.catch_warnings():
        # Some checks train on random labels.
        warnings.simplefilter("ignore", BitlifWarning)
        made = SpikingClassifier(hidden=16, epochs=8, steps=24)
        results = check_estimator(made, on_fail=None, on_skip=None)
    failed = {one["check_name"]: one["exception"] for one in results if one["status"] == "failed"}
    assert failed == {}
    assert len(results) > 40


def test_hidden_layers_learn_what_a_single_layer_cannot() -> None:
    points, labels = make_moons(300, noise=0.15, random_state=2)
    scores = [
        SpikingClassifier(hidden, epochs=10).fit(points[:200], labels[:200]).score(
            points[200:], labels[200:]
        )
        for hidden in (None, 32)
    ]  # fmt: skip
    assert scores[0] < 0.92
    assert scores[1] > 0.95


@pytest.mark.parametrize("backend", ["model", "float"])
def test_fit_is_partial_fit_for_each_epoch(backend: str) -> None:
    whole = SpikingClassifier(**SMALL, backend=backend).fit(X, Y)
    parts = SpikingClassifier(**SMALL, backend=backend)
    for number in range(4):
        parts.partial_fit(X, Y, classes=sorted(set(Y)) if number == 0 else None)
        # It goes on in a copy as well.
        parts = pickle.loads(pickle.dumps(parts)) if number == 1 else copy.deepcopy(parts)
    assert_equal(parts.weights_, whole.weights_)
    assert [own.shape for own in whole.weights_] == [(11, 12), (12, 3)]
    assert np.array_equal(parts.decision_function(X), whole.decision_function(X))
    assert parts.score(X, Y) > 0.9
    assert parts.history_[-1].counters == whole.history_[-1].counters
    fresh = clone(whole)
    assert fresh.get_params() == whole.get_params()
    assert_equal(fresh.fit(X, Y).weights_, whole.weights_)


def test_answers_depend_on_the_window_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SpikingClassifier(**SMALL).fit(X, Y)
    scores = made.decision_function(X)
    assert np.array_equal(made.decision_function(X[::-1]), scores[::-1])
    assert np.array_equal(made.decision_function(X[[7]]), scores[[7]])
    monkeypatch.setattr("bitlif.sim.classifier.BLOCK", 1)
    assert np.array_equal(made.set_params(threads=3).decision_function(X), scores)
    assert_equal(SpikingClassifier(**SMALL, threads=2).fit(X, Y).weights_, made.weights_)


def test_weights_and_accuracy_are_those_of_the_task() -> None:
    task = ArrayTask(Data.of(X, Y))
    examples = task.encoded(32, 3)
    network, choices = suit_network(examples.train, 3, hidden=12, epochs=4, name="own")
    with bitlif.open(network.seeded(3), signature=False) as core:
        history = training.train(core, task, epochs=4, seed=3)
        train, test = task.split(3)
        made = SpikingClassifier(seed=3, **SMALL).fit(train.inputs, train.labels)
        assert_equal(made.weights_, core.weights())
        assert made.score(test.inputs, test.labels) == history[-1].test_accuracy
    assert made.choices_ == choices
    assert [finding.message for finding in made.findings_ if finding.problem] == []
    assert "layer.0.closed_windows" in {finding.name for finding in made.findings_}


def test_a_network_can_be_given(tmp_path: Path) -> None:
    suited = SpikingClassifier(**SMALL).fit(X, Y)
    assert isinstance(suited.config_, NetworkConfig)
    own = suited.config_.replace(layer__0__sweep__feedback="sign")
    own.save(tmp_path / "own.toml")
    for given in (own, tmp_path / "own.toml"):
        made = SpikingClassifier(config=given, epochs=4).fit(X, Y)
        assert made.config_ == own.seeded(0)
        assert made.choices_ == []
        assert made.score(X, Y) > 0.9
    same = SpikingClassifier(12, config=own, epochs=4).fit(X, Y)
    assert_equal(same.weights_, made.weights_)
    with pytest.raises(BitlifError, match=r"hidden must be \(12,\) as in config.* not \(9,\)"):
        SpikingClassifier(9, config=own).fit(X, Y)
    with pytest.raises(BitlifError, match="hidden must be left out if config is a single layer"):
        SpikingClassifier(9, config="tiny").fit(X, Y)
    with pytest.raises(BitlifError, match="must have 2 inputs, 3 neurons and 32 steps"):
        SpikingClassifier(config=own, encoder_options={"opponent": False, "bias_rate": 0}).fit(
            X[:, :2], Y
        )


@pytest.mark.usefixtures("quick")
def test_gates_learn_and_answer_as_the_model() -> None:
    model, gates = (
        SpikingClassifier((8,), epochs=1, steps=16, backend=name).fit(X[:20], Y[:20])
        for name in ("model", "rtl")
    )
    assert_equal(model.weights_, gates.weights_)
    assert repr(model.history_) == repr(gates.history_)
    np.testing.assert_array_equal(
        model.decision_function(X[20:30]), gates.decision_function(X[20:30])
    )
    with pytest.raises(BitlifError, match="has no state that could be copied"):
        pickle.loads(pickle.dumps(gates)).partial_fit(X[:5], Y[:5])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": "12"}, "hidden must be the size of a hidden layer"),
        ({"hidden": (12, 0)}, "hidden must be the size of a hidden layer"),
        ({"hidden": 2.0}, "hidden must be the size of a hidden layer"),
        ({"backend": "serial:/dev/null"}, "backend must be 'model' or"),
    ],
)
def test_wrong_parameters_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        SpikingClassifier(**{**SMALL, **options}).fit(X, Y)
