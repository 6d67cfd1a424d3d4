"""Three patterns that differ in time only are learned by targets in time, and not by rates."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bitlif import Config, tasks
from bitlif.model.errors import BitlifError
from bitlif.model.layer import Layer
from bitlif.scripts.main import main
from bitlif.tasks.patterns import FIRST_SPIKE, JITTER, RATE, PatternsTask, draw_patterns
from bitlif.tasks.task import Task

CONFIG = Config.load("patterns")
SEEDS = range(5)


def accuracies(task: Task | str) -> list[float]:
    """Return the test accuracy of each seed."""
    found = []
    for seed in SEEDS:
        history = tasks.train(Layer(CONFIG.seeded(seed)), task, seed=seed)
        found.append(history[-1].test_accuracy)
    return found


def test_target_spikes_teach_the_patterns() -> None:
    assert min(accuracies("patterns")) > 0.99


def test_picture_of_the_documentation_is_made_by_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "timing.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "timing.md", "exec"), {"__name__": "example"})
    assert float(capsys.readouterr().out) == 1.0
    assert Path("patterns.png").read_bytes().startswith(b"\x89PNG")


def test_first_spikes_tell_the_patterns_apart_if_they_are_taught() -> None:
    assert min(accuracies(FIRST_SPIKE)) > 0.97


def test_constant_targets_do_not() -> None:
    # Chance is 1/3.
    assert max(accuracies(RATE)) < 0.4


@pytest.mark.parametrize(("inputs", "steps"), [(40, 64), (7, 16), (100, 33)])
def test_patterns_differ_in_the_times_of_their_spikes_only(inputs: int, steps: int) -> None:
    config = CONFIG.replace(layer__inputs=inputs, window__steps=steps)
    examples = tasks.get("patterns").load(config, 3)
    patterns = draw_patterns(inputs, steps, 3)
    # The same times, in another order.
    assert (np.sort(patterns, axis=1) == np.sort(patterns[0])).all()
    assert len({tuple(own) for own in patterns.tolist()}) == 3
    for events, labels in (
        (examples.train, examples.train_labels),
        (examples.test, examples.test_labels),
    ):
        raster = events.raster()
        assert (raster.sum(axis=1) == 1).all()
        moved = raster.argmax(axis=1) - patterns[labels]
        assert moved.min() == -JITTER
        assert moved.max() == JITTER
        assert np.bincount(labels).tolist() == [events.windows // 3] * 3


def test_validation_windows_are_others_of_the_same_patterns() -> None:
    test = tasks.get("patterns").load(CONFIG, 1)
    validation = PatternsTask(part="validation").load(CONFIG, 1)
    assert (validation.train.raster() == test.train.raster()).all()
    assert (validation.test_labels == test.test_labels).all()
    assert (validation.test.raster() != test.test.raster()).any(axis=(1, 2)).all()
    assert (test.train.raster()[:150] != test.test.raster()[:150]).any(axis=(1, 2)).all()
    again = tasks.get("patterns").load(CONFIG, 1)
    assert (again.test.raster() == test.test.raster()).all()


def test_wrong_layers_and_options_are_refused() -> None:
    task = tasks.get("patterns")
    for wrong in ({"layer__neurons": 4}, {"layer__inputs": 2}, {"window__steps": 15}):
        with pytest.raises(BitlifError, match="3 neurons, at least 3 inputs and 16 steps, not "):
            task.check(CONFIG.replace(**wrong))
    for options, text in (({"targets": "time"}, "targets must"), ({"part": "train"}, "part must")):
        with pytest.raises(BitlifError, match=text):
            PatternsTask(**options)  # type: ignore[arg-type]
    with pytest.raises(BitlifError, match="readout must be one of"):
        tasks.train(Layer(CONFIG), PatternsTask(readout="counts"), epochs=1)


def test_own_configuration_learns_the_patterns_by_default() -> None:
    assert tasks.default_task(CONFIG).name == "patterns"
    # Layers of other names learn what they did before there were patterns.
    assert tasks.default_task(CONFIG.replace(name="mine")).name == "teacher"
    assert tasks.default_task(Config.load("digits").replace(name="patterns")).name == "digits"


def test_command_learns_the_patterns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["learn", "patterns", "--out", "p", "--epochs", "3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["data"] == "patterns"
    assert report["test_accuracy"] > 0.9
    control = ["--task", "bitlif.tasks.patterns:RATE", "--out", "r", "--epochs", "2", "--json"]
    assert main(["learn", "patterns", *control]) == 0
    assert json.loads(capsys.readouterr().out)["test_accuracy"] < 0.5
