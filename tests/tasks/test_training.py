"""Training and evaluation refuse what does not fit, and leave the core as the last epoch did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blinking_task import BLINKING

import bitlif
from bitlif import Config, Events, tasks
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError
from bitlif.scripts.main import main

TINY = Config.load("tiny").replace(layer__neurons=2, layer__lanes=1)


class Labelled(tasks.Classification):
    """Four random windows with the given labels."""

    name = "labelled"

    def __init__(self, train: Any, test: Any) -> None:
        super().__init__()
        self.train, self.test = train, test

    def load(self, config: Config, seed: int) -> tasks.Examples:
        """Return the windows."""
        shape = (4, config.window.steps, config.layer.inputs)
        events = Events.from_raster(np.random.default_rng(seed).random(shape) < 0.3)
        return tasks.Examples(events, events, self.train, self.test)


RIGHT = np.array([0, 1, 1, 0])


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (np.array([0, 1, 1, 2]), "must be in 0 ..= 1, the neurons, not 2"),
        (np.array([0, 1, 1, -1]), "must be in 0 ..= 1, the neurons, not -1"),
        (np.array([0.0, 1.0, 1.0, 0.0]), r"must be integers of shape \(4,\), not float64"),
        (np.array([0, 1]), r"must be integers of shape \(4,\), not int64 of shape \(2,\)"),
        (RIGHT[:, None], r"must be integers of shape \(4,\), not int64 of shape \(4, 1\)"),
    ],
)
@pytest.mark.parametrize("which", ["train", "test"])
def test_labels_must_be_neurons_of_the_layer(labels: Any, text: str, which: str) -> None:
    both = {"train": RIGHT, "test": RIGHT, which: labels}
    task = Labelled(**both)
    with bitlif.open(TINY) as core:
        for call in (tasks.train, tasks.accuracy, tasks.confusion, tasks.predict):
            with pytest.raises(BitlifError, match=f"{which}_labels {text}"):
                call(core, task)
        assert core.windows_learned() == 0


def test_labels_can_be_lists_and_belong_to_both_sets() -> None:
    with bitlif.open(TINY) as core:
        assert tasks.train(core, Labelled(list(RIGHT), list(RIGHT)), epochs=1)
        for given in ((RIGHT, None), (None, RIGHT)):
            with pytest.raises(BitlifError, match="train_labels and test_labels, or neither"):
                tasks.train(core, Labelled(*given))
        with pytest.raises(BitlifError, match="task 'labelled' must give train_labels, not None"):
            tasks.train(core, Labelled(None, None))


@pytest.mark.parametrize("wrong", [None, "tiny", TINY, bitlif.Core, 3])
def test_what_is_not_a_core_is_refused(wrong: Any) -> None:
    for call in (tasks.train, tasks.accuracy, tasks.confusion):
        with pytest.raises(BitlifError, match=r"core must be what bitlif\.open returns, not "):
            call(wrong, BLINKING)
    with pytest.raises(BitlifError, match=r"core must be what bitlif\.open returns, not "):
        tasks.draw_weights(wrong)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"first": -1}, "first must be in 0 ..= .*, not -1"),
        ({"first": 2.5}, "first must be an integer in 0 ..= .*, not 2.5"),
        ({"progress": 3}, "progress must be callable or None, not 3"),
        ({"examples": 3}, "examples of task 'blinking' must be Examples, not 3"),
    ],
)
def test_bad_options_are_refused(options: Any, text: str) -> None:
    with bitlif.open(TINY) as core:
        with pytest.raises(BitlifError, match=text):
            tasks.train(core, BLINKING, **options)
        assert core.windows_learned() == 0


def test_targets_must_be_those_of_the_training_windows() -> None:
    class Many(Labelled):
        def targets(self, examples: tasks.Examples, neurons: int) -> Any:
            return np.zeros((9, neurons))

    with pytest.raises(BitlifError, match="targets must be those of 4 windows, not of 9"):
        tasks.train(bitlif.open(TINY), Many(RIGHT, RIGHT))


def test_evaluation_needs_an_epoch_and_a_fitting_core() -> None:
    with pytest.raises(BitlifError, match="history must hold at least one epoch, not 0"):
        tasks.evaluate(bitlif.open(TINY), BLINKING, [])
    with pytest.raises(BitlifError, match="65 inputs and 10 neurons, not 6 and 2"):
        tasks.accuracy(bitlif.open(TINY), "digits")


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_exception_of_progress_leaves_whole_epochs(kind: type[BaseException]) -> None:
    def stop(epoch: tasks.Epoch) -> None:
        raise kind

    stopped, other = bitlif.open(TINY), bitlif.open(TINY)
    with pytest.raises(kind):
        tasks.train(stopped, BLINKING, progress=stop)
    tasks.train(other, BLINKING, epochs=1)
    rest = [tasks.train(core, BLINKING, epochs=2, first=1) for core in (stopped, other)]
    assert rest[0] == rest[1]
    assert stopped.signature() == other.signature()


MODULE = """
import numpy as np
from bitlif.tasks import Classification, Measure
from blinking_task import Blinking
class Values(Blinking):
    def report(self, *given):
        return {"none": float("nan"), "number": np.float32(0.5), "row": np.arange(2)}
class Wrong(Blinking):
    def report(self, *given):
        return {"thing": object()}
class Nothing(Blinking):
    def report(self, *given):
        return None
"""


def test_report_of_a_task_is_written_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reporting_task.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "two.toml"
    path.write_text(dump_config(TINY))
    call = ["learn", str(path), "--json", "--epochs", "1", "--out", str(tmp_path / "out"), "--task"]
    for name, text in (("Wrong", "'thing'.*must be finite numbers"), ("Nothing", "must be a dict")):
        assert main([*call, f"reporting_task:{name}"]) == 2
        error = capsys.readouterr().err
        assert len(error) < 230
        assert "'blinking'" in error
        assert text.partition(".*")[2] in error
        assert not (tmp_path / "out").exists()
    assert main([*call, "reporting_task:Values"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["none"], report["number"], report["row"]) == (None, 0.5, [0, 1])
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
