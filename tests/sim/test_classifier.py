"""The classifier with scikit-learn's conventions: scikit-learn's own checks, and what is ours."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

import bitlif
from bitlif import Config, Events, SpikingClassifier
from bitlif.model.errors import BitlifError, BitlifWarning
from bitlif.tasks import training
from bitlif.tasks.arrays import ArrayTask
from bitlif.tasks.data_file import Data
from bitlif.tasks.independent import run_independent
from bitlif.tasks.readouts import READOUTS
from bitlif.tasks.suit_config import suit_config

EXPECTED_FAILED_CHECKS: dict[str, str] = {}
"""scikit-learn's checks that spiking makes necessary to fail, with reasons: none."""

NOT_APPLICABLE = {
    "check_array_api_input": "runs only if SCIPY_ARRAY_API is set: spikes are NumPy arrays",
    "check_classifier_data_not_an_array": "needs pandas, which is not required",
}
"""Checks that scikit-learn does not run here."""

RANDOM = np.random.default_rng(8)
X, CODES = make_blobs(90, 5, centers=3, cluster_std=1.5, random_state=1)
Y = np.array(["spam", "eggs", "ham"])[CODES]
SMALL: dict[str, Any] = {"epochs": 4, "steps": 32}


def test_passes_scikit_learns_checks() -> None:
    with warnings.catch_warnings():
        # Some checks train on random labels.
        warnings.simplefilter("ignore", BitlifWarning)
        results = check_estimator(SpikingClassifier(epochs=10), on_fail=None, on_skip=None)
    failed = {one["check_name"]: one["exception"] for one in results if one["status"] == "failed"}
    # A listed check that passes fails this test: its reason is then wrong.
    assert set(failed) == set(EXPECTED_FAILED_CHECKS), failed
    skipped = {one["check_name"] for one in results if one["status"] == "skipped"}
    assert skipped <= set(NOT_APPLICABLE)
    assert len(results) > 40


@pytest.mark.parametrize("read", READOUTS)
def test_answers_depend_on_the_window_only(read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = SpikingClassifier(readout=read, **SMALL).fit(X, Y)
    whole, scores = made.predict(X), made.decision_function(X)
    assert (whole == Y).mean() > 0.8
    assert np.array_equal(made.classes_[scores.argmax(axis=1)], whole)
    order = RANDOM.permutation(len(X))
    assert np.array_equal(made.predict(X[order]), whole[order])
    assert [made.predict(X[[row]])[0] for row in range(5)] == whole[:5].tolist()
    monkeypatch.setattr("bitlif.sim.classifier.BLOCK", 1)
    assert np.array_equal(made.set_params(threads=3).decision_function(X), scores)
    # Neither do the weights depend on blocks and threads.
    again = SpikingClassifier(readout=read, threads=2, **SMALL).fit(X, Y)
    assert np.array_equal(again.weights_, made.weights_)


def test_fit_is_partial_fit_for_each_epoch() -> None:
    whole = SpikingClassifier(**SMALL).fit(X, Y)
    parts = SpikingClassifier(**SMALL)
    for number in range(4):
        parts.partial_fit(X, Y, classes=sorted(set(Y)) if number % 2 == 0 else None)
        # It goes on in a copy as well.
        parts = pickle.loads(pickle.dumps(parts)) if number == 1 else copy.deepcopy(parts)
    assert np.array_equal(parts.weights_, whole.weights_)
    assert parts.config_ == whole.config_
    assert parts.n_iter_ == whole.n_iter_ == 4
    assert [e.train_accuracy for e in parts.history_] == [e.train_accuracy for e in whole.history_]
    # Fitting again starts again.
    assert np.array_equal(parts.fit(X, Y).weights_, whole.weights_)


def test_partial_fit_needs_its_classes() -> None:
    with pytest.raises(BitlifError, match="classes must be given in the first call"):
        SpikingClassifier(**SMALL).partial_fit(X, Y)
    made = SpikingClassifier(**SMALL).partial_fit(X, Y, classes=["eggs", "ham", "spam", "tea"])
    assert made.weights_.shape == (11, 4)
    with pytest.raises(BitlifError, match="as in the first call"):
        made.partial_fit(X, Y, classes=["eggs", "ham"])
    with pytest.raises(BitlifError, match="not 'milk'"):
        made.partial_fit(X[:1], ["milk"])


def test_weights_and_accuracy_are_those_of_the_task() -> None:
    task = ArrayTask(Data.of(X, Y))
    examples = task.encoded(32, 3)
    config, _ = suit_config(examples.train, 3, epochs=4, name="classifier")
    with bitlif.open(config.seeded(3), signature=False) as core:
        history = training.train(core, task, epochs=4, seed=3)
        train, test = task.split(3)
        made = SpikingClassifier(seed=3, **SMALL).fit(train.inputs, train.labels)
        assert np.array_equal(made.weights_, core.weights())
        assert made.score(test.inputs, test.labels) == history[-1].test_accuracy
    assert made.config_ == config.seeded(3)


def test_copies_predict_the_same() -> None:
    made = SpikingClassifier(**SMALL).fit(X, Y)
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert np.array_equal(again.decision_function(X), made.decision_function(X))
    fresh = clone(made)
    assert fresh.get_params() == made.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    search = GridSearchCV(SpikingClassifier(**SMALL), {"steps": [16, 32]}, cv=2).fit(X, Y)
    assert search.best_score_ > 0.8


def test_series_and_spikes_are_accepted() -> None:
    time = np.arange(40)
    phases = RANDOM.random((60, 2, 1))
    height = np.where(np.arange(60) % 2, 0.1, 1.0)[:, None, None]
    series = height * (1 + np.sin(2 * np.pi * (time / 30 + phases)))
    for encoder in ("rate", "level_crossing"):
        made = SpikingClassifier(encoder=encoder, **SMALL).fit(series, np.arange(60) % 2)
        assert (made.n_features_in_, made.encoder_.kind) == (2, "series")
        assert made.predict(series).shape == (60,)
    assert made.score(series, np.arange(60) % 2) > 0.9
    own = np.arange(7) % 2 == np.arange(60)[:, None] % 2
    raster = RANDOM.random((60, 24, 7)) < np.where(own, 0.4, 0.1)[:, None, :]
    answers = []
    for spikes in (raster, Events.from_raster(raster)):
        made = SpikingClassifier(**SMALL).fit(spikes, np.arange(60) % 2)
        assert (made.n_features_in_, made.config_.window.steps) == (7, 24)
        answers.append(made.decision_function(spikes))
    assert np.array_equal(*answers)
    with pytest.raises(BitlifError, match="7 inputs"):
        made.predict(raster[:, :, :5])
    with pytest.raises(BitlifError, match="encodes spikes"):
        made.predict(np.ones((2, 7)))
    with pytest.raises(BitlifError, match="for each of 60 windows, not 3"):
        made.fit(raster, [0, 1, 0])


def test_labels_that_cannot_be_learned_are_warned_of_once() -> None:
    with pytest.warns(BitlifWarning, match="not above chance") as caught:
        SpikingClassifier(epochs=1, steps=8).fit(RANDOM.normal(size=(300, 2)), np.arange(300) % 2)
    assert len(caught) == 1
    made = SpikingClassifier(**SMALL).fit(X, Y)
    assert [finding.message for finding in made.findings_ if finding.problem] == []


def test_a_configuration_can_be_given() -> None:
    suited = SpikingClassifier(**SMALL).fit(X, Y)
    own = suited.config_.replace(synapse__weight="s12.9", name="own")
    made = SpikingClassifier(config=own, epochs=4).fit(X, Y)
    assert made.config_ == own.seeded(0)
    assert made.choices_ == []
    assert made.score(X, Y) > 0.8
    with pytest.raises(BitlifError, match="must have 11 inputs, 3 neurons and 16 steps"):
        SpikingClassifier(config="tiny").fit(X, Y)
    ideal = SpikingClassifier(config=own, epochs=4, backend="float").fit(X, Y)
    assert ideal.weights_.dtype == np.float64
    assert ideal.score(X, Y) > 0.8
    assert np.array_equal(ideal.predict(X[::-1]), ideal.predict(X)[::-1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": "16"}, "hidden must be the size of a hidden layer"),
        ({"epochs": 0}, "epochs"),
        ({"steps": 0}, "steps"),
        ({"encoder": "rates"}, "did you mean 'rate'"),
        ({"readout": "counts"}, "did you mean 'count'"),
        ({"backend": "serial:/dev/ttyUSB0"}, "backend must be"),
        ({"seed": -1}, "seed"),
        ({"config": "no-such-name"}, "no-such-name"),
        ({"encoder_options": {"delta": 1}}, "options of encoder 'rate'"),
        ({"config": Config.load("digits")}, "must have 11 inputs, 3 neurons"),
    ],
)
def test_wrong_parameters_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        SpikingClassifier(**options).fit(X, Y)


def test_missing_scikit_learn_is_named() -> None:
    code = """
import sys
sys.modules["sklearn"] = None
import bitlif
try:
    bitlif.SpikingClassifier()
except bitlif.BitlifError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("SpikingClassifier needs scikit-learn, which is not installed: ")


def test_gates_give_the_same_weights_and_answers() -> None:
    options: dict[str, Any] = {"epochs": 2, "steps": 12}
    rows, some = X[CODES < 2][:12, :2], Y[CODES < 2][:12]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BitlifWarning)
        model = SpikingClassifier(**options).fit(rows, some)
        gates = SpikingClassifier(backend="rtl", **options).fit(rows, some)
    assert np.array_equal(gates.weights_, model.weights_)
    assert np.array_equal(gates.decision_function(X[:30, :2]), model.decision_function(X[:30, :2]))
    gates.partial_fit(rows, some)
    assert np.array_equal(gates.weights_, model.partial_fit(rows, some).weights_)
    copied = pickle.loads(pickle.dumps(gates))
    assert np.array_equal(copied.predict(rows), model.predict(rows))
    with pytest.raises(BitlifError, match="cannot continue: backend rtl"):
        copied.partial_fit(rows, some)


def test_gates_run_windows_independently_as_the_model_does() -> None:
    config = Config.load("tiny")
    spikes = Events.from_raster(RANDOM.random((5, 16, 6)) < 0.4)
    weights = RANDOM.integers(-8, 32, (6, 4))
    results = []
    for backend in ("model", "rtl"):
        with bitlif.open(config, backend) as core:
            core.load(weights)
            results.append(run_independent(core, spikes, record=("membrane",)))
    assert results[0].raster.any()
    assert np.array_equal(results[1].raster, results[0].raster)
    assert np.array_equal(results[1].membrane, results[0].membrane)
    assert results[1].counters == results[0].counters
