"""A task from outside the package is learned by the Python API, `bitlif learn` and a study."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from blinking_task import BLINKING

import bitlif
from bitlif import Config, tasks
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError
from bitlif.scripts.main import main
from bitlif.study.search.evaluate import evaluate
from bitlif.study.search.plan import parse_plan
from bitlif.study.search.run import jobs_of
from bitlif.study.search.search import make_search
from bitlif.study.search.store import schema_of
from bitlif.tasks import registry

TINY = Config.load("tiny").replace(layer__neurons=2, layer__lanes=1)


@pytest.fixture
def registered() -> Iterator[None]:
    """Register the task for one test."""
    tasks.register(BLINKING)
    yield
    del registry._TASKS["blinking"]


@pytest.mark.usefixtures("registered")
def test_new_task_is_learned_with_the_python_api() -> None:
    epochs: list[int] = []
    with bitlif.open(TINY) as core:
        history = tasks.train(
            core, "blinking", seed=1, progress=lambda epoch: epochs.append(epoch.number)
        )
        found = tasks.evaluate(core, "blinking", history, seed=1)
        matrix = tasks.confusion(core, "blinking", seed=1)
        share = tasks.accuracy(core, "blinking", seed=1)
    assert epochs == [1, 2, 3] == [epoch.number for epoch in history]
    assert found["accuracy"] == share == np.trace(matrix) / matrix.sum()
    assert matrix.shape == (2, 2)
    assert matrix.sum() == 20
    assert share > 0.8


@pytest.mark.parametrize("name", ["blinking", "blinking_task:BLINKING", "blinking_task:Blinking"])
def test_new_task_is_learned_with_the_command(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    if ":" not in name:
        request.getfixturevalue("registered")
    path = tmp_path / "two.toml"
    path.write_text(dump_config(TINY))
    call = ["learn", str(path), "--task", name, "--seed", "1", "--json"]
    assert main([*call, "--out", str(tmp_path / "out")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["data"], report["epochs"], report["windows"]) == ("blinking", 3, 90)
    assert len(report["test_accuracy_by_epoch"]) == 3
    assert "output_spikes_per_blink" in report
    config = TINY.seeded(1)
    core = bitlif.open(config)
    history = tasks.train(core, BLINKING, seed=1)
    assert report["test_accuracy"] == history[-1].test_accuracy
    with np.load(tmp_path / "out" / "weights.npz") as data:
        np.testing.assert_array_equal(data["weights"], core.weights())


def test_new_task_is_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "two.toml"
    path.write_text(dump_config(TINY))
    call = ["learn", str(path), "--task", "blinking_task:BLINKING", "--json"]
    reports = []
    for words in (["--out", "whole", "--epochs", "3"], ["--out", "parts", "--epochs", "1"],
                  ["--out", "parts", "--epochs", "2", "--resume"]):  # fmt: skip
        words[1] = str(tmp_path / words[1])
        assert main([*call, *words]) == 0
        reports.append(json.loads(capsys.readouterr().out))
    for report in reports:
        del report["seconds"], report["learning_steps_per_second"]
    assert reports[2] == reports[0]


STUDY = """
config = "two.toml"
task = "blinking_task:BLINKING"
epochs = 2
seeds = [1]
measure = ["float"]

[[axis]]
field = "synapse.weight.bits"
values = [4, 6]
"""


def test_new_task_is_the_task_of_a_study(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(dump_config(TINY))
    plan = parse_plan(STUDY, "study", tmp_path)
    assert plan.objectives == ("accuracy",)
    assert plan.metric("accuracy").unit == "share of blinks"
    points = [point for batch in make_search(plan).batches() for point in batch]
    jobs = [job for point in points for job in jobs_of(plan, point)]
    outcomes = [evaluate(job) for job in jobs]
    assert [outcome.error for outcome in outcomes] == ["", ""]
    for outcome in outcomes:
        assert set(outcome.values) == {own.name for own in plan.metrics}
    core = bitlif.open(TINY.seeded(1))
    history = tasks.train(core, BLINKING, epochs=2, seed=1)
    measured = tasks.evaluate(core, BLINKING, history, seed=1)
    assert outcomes[1].values["accuracy"] == measured["accuracy"]
    assert {*measured} <= {*outcomes[1].values}


def test_measures_of_a_new_task_are_columns() -> None:
    columns = schema_of(["brightness"]).names
    assert columns[:2] == ["key", "error"]
    assert {"brightness", "accuracy", "correlation"} < set(columns)


def test_layer_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BitlifError, match="blinking needs at least 2 inputs and 2 neurons, not 6"):
        tasks.train(bitlif.open(Config.load("tiny")), BLINKING)
    assert tasks.default_task(Config.load("digits")).name == "digits"
    assert tasks.default_task(TINY).name == "teacher"


def test_unknown_task_names_the_known_ones() -> None:
    for name, text in (
        ("digit", "task must be one of digits, teacher.*'digit', did you mean 'digits'"),
        ("no_module:X", "task 'no_module:X' cannot be imported.*PYTHONPATH"),
        ("json:loads", "task 'json:loads' must be a Task"),
        (3, "task must be a Task or a name, not 3"),
    ):
        with pytest.raises(BitlifError, match=text):
            tasks.get(name)  # type: ignore[arg-type]
    with pytest.raises(BitlifError, match="task must be a Task, not 'digits'"):
        tasks.register("digits")  # type: ignore[arg-type]


BROKEN = {
    "syntax": ("def f(:", "imported: SyntaxError"),
    "raises": ("raise RuntimeError('boom ' * 100)", "imported: RuntimeError: boom"),
    "exits": ("raise SystemExit(3)", "imported: SystemExit: 3"),
    "needs": ("import no_such_package", "imported: ModuleNotFoundError: .*no_such_package"),
    "abstract": ("from bitlif.tasks import Task as X", "created: TypeError: .*abstract"),
    "unnamed": ("from blinking_task import Blinking\nX = Blinking()\nX.name = None", "not None"),
    "path": ("from blinking_task import Blinking\nclass X(Blinking): name = '../x'", "'../x'"),
    "unscored": (
        "from blinking_task import Blinking\nX = Blinking()\nX.measures = ()",
        "measures of task 'blinking' must be a tuple of at least one Measure",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_task_is_refused_in_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, message = BROKEN[name]
    (tmp_path / f"broken_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BitlifError, match=message) as caught:
        tasks.get(f"broken_{name}:X")
    assert len(str(caught.value)) <= 200
    assert "\n" not in str(caught.value)


def test_relative_module_is_refused() -> None:
    with pytest.raises(BitlifError, match=r"task '\.x:y' cannot be imported"):
        tasks.get(".x:y")


@pytest.mark.parametrize("name", [None, 3, "", "a:b", "a b"])
def test_task_without_a_valid_name_is_not_registered(name: object) -> None:
    task = type(BLINKING)()
    task.name = name  # type: ignore[assignment]
    with pytest.raises(BitlifError, match="name must be letters, digits, - and _, not"):
        tasks.register(task)
    assert None not in registry._TASKS
