"""Tasks made of arrays: their split, encoding and checks."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.layer import Layer
from bitlif.tasks import training
from bitlif.tasks.arrays import ArrayTask, encoder_options_for
from bitlif.tasks.data_file import Data
from bitlif.tasks.suit_config import suit_config
from bitlif.tasks.task import Task

RANDOM = np.random.default_rng(6)
CODES = np.arange(60) % 3
X = RANDOM.normal(0, 0.3, (60, 4)) + np.eye(3, 4)[CODES] * 2
Y = np.array(["b", "c", "a"])[CODES]
DATA = Data.of(X, Y)
CONFIG = Config.load("tiny").replace(layer__inputs=9, layer__neurons=3, window__steps=32)


def test_split_is_scikit_learns_and_the_encoder_sees_training_windows_only() -> None:
    task = ArrayTask(DATA, test=0.25)
    task.check(CONFIG)
    examples = task.load(CONFIG, 5)
    train, test = train_test_split(np.arange(60), test_size=0.25, stratify=Y, random_state=5)
    assert [part.labels.tolist() for part in task.split(5)] == [Y[train].tolist(), Y[test].tolist()]
    assert task.classes[examples.train_labels].tolist() == Y[train].tolist()
    assert task.classes[examples.test_labels].tolist() == Y[test].tolist()
    encoder = task.encoder(CONFIG, 5)
    assert encoder.options["opponent"]
    changed = X.copy()
    changed[test] *= 50
    assert ArrayTask(Data.of(changed, Y), test=0.25).encoder(CONFIG, 5) == encoder
    assert np.array_equal(encoder.encode(X[test], seed=5).counts(), examples.test.counts())
    assert examples.independent
    assert examples.head(2).independent


def test_test_windows_may_be_given() -> None:
    task = ArrayTask(DATA.select(range(45)), test=DATA.select(range(45, 60)))
    examples = task.load(CONFIG, 0)
    assert (examples.train.windows, examples.test.windows) == (45, 15)
    assert task.classes[examples.test_labels].tolist() == Y[45:].tolist()


def test_task_is_learned_in_a_suited_configuration() -> None:
    task = ArrayTask(DATA, name="three")
    examples = task.encoded(32, 1)
    config, _ = suit_config(examples.train, 3, epochs=6)
    core = Layer(config.seeded(1))
    history = training.train(core, task, epochs=6, seed=1, examples=examples)
    assert history[-1].test_accuracy > 0.9
    # The accuracy does not depend on the order of the test windows.
    turned = ArrayTask(DATA.select(range(45)), test=DATA.select(range(59, 44, -1)))
    same = ArrayTask(DATA.select(range(45)), test=DATA.select(range(45, 60)))
    answers = [training.predict(core, own, seed=1)[0] for own in (turned, same)]
    assert answers[0].tolist() == answers[1][::-1].tolist()


def test_task_travels_to_other_processes() -> None:
    task = ArrayTask(DATA, encoder_options={"opponent": False}, name="own")
    again = pickle.loads(pickle.dumps(task))
    assert again.inputs == 5
    assert np.array_equal(
        again.load(CONFIG, 2).train.addresses, task.load(CONFIG, 2).train.addresses
    )


def test_ready_spikes_and_series_need_no_options() -> None:
    spikes = Events.from_raster(RANDOM.random((60, 16, 6)) < 0.3)
    task = ArrayTask(Data.of(spikes, Y))
    assert (task.encoder_name, task.inputs) == ("spikes", 6)
    with pytest.raises(BitlifError, match=r"window.steps must be 16, .* not 64"):
        task.check(CONFIG.replace(layer__inputs=6, window__steps=64))
    series = ArrayTask(Data.of(RANDOM.normal(0, 1, (60, 2, 30)), Y), encoder="level_crossing")
    assert series.inputs == 5
    assert encoder_options_for("rate", {"opponent": False}) == {"opponent": False}


def test_from_arrays_takes_a_share_or_a_pair() -> None:
    task = Task.from_arrays(X, Y, test=(X[:9], Y[:9]), name="own-3")
    assert isinstance(task, ArrayTask)
    assert isinstance(task.test, Data)
    assert (task.name, task.test.windows) == ("own-3", 9)
    assert Task.from_arrays(X, Y).test == 0.25
    with pytest.raises(BitlifError, match="test must be a share"):
        Task.from_arrays(X, Y, test=(X, Y, Y))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": X}, "data must be Data"),
        ({"data": Data.of(X)}, "must have a label for each window"),
        ({"data": Data.of(X, np.zeros(60, int))}, "at least two classes, not 1"),
        ({"test": 0.0}, "test must be above 0"),
        ({"test": 1.0}, "test must be a share below 1"),
        ({"test": Data.of(X[:, :3], Y)}, "table of 4 columns"),
        ({"test": Data.of(X[:3], ["a", "b", "new"])}, "not 'new'"),
        ({"test": Data.of(X[:3], [0, 1, 2])}, "classes of the training windows, not 0"),
        ({"encoder": "rates"}, "did you mean 'rate'"),
        ({"encoder": "level_crossing"}, "encodes time series"),
        ({"encoder_options": {"maxrate": 1}}, "did you mean 'max_rate'"),
        ({"encoder_options": 3}, "encoder_options must be a mapping"),
        ({"readout": "spikes"}, "readout must be one of count"),
        ({"true_target": 0}, "true_target"),
    ],
)
def test_what_cannot_be_a_task_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        ArrayTask(**{"data": DATA, **arguments})


def test_classes_that_cannot_be_split_are_refused() -> None:
    task = ArrayTask(Data.of(X, ["rare", *Y[1:]]))
    with pytest.raises(BitlifError, match="not one as 'rare'"):
        task.load(CONFIG, 0)
    with pytest.raises(BitlifError, match="at least 3 windows"):
        ArrayTask(DATA, test=0.01).load(CONFIG, 0)
    with pytest.raises(BitlifError, match="needs a layer of 9 inputs and 3 neurons"):
        ArrayTask(DATA).check(Config.load("digits"))
