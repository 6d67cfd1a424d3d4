"""The examples of README.md and docs/ run, and their study file and metrics are complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bitlif
from bitlif.fpga import boards
from bitlif.study.search.metrics import EXTRAS, metrics_of
from bitlif.study.search.plan import parse_plan
from bitlif.tasks import registry
from bitlif.tasks.registry import BUILT_IN

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BACKENDS = (ROOT / "docs" / "backends.md").read_text("utf-8")
LAYOUT = (ROOT / "docs" / "layout.md").read_text("utf-8")
STUDIES = (ROOT / "docs" / "studies.md").read_text("utf-8")


def examples(text: str) -> list[str]:
    """Return the Python examples of a page."""
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_python_examples_of_the_readme_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    classifier, layer, task, backends = examples(README)
    exec(compile(classifier, "README.md", "exec"), {})
    # The comment in the example says so.
    assert "# 1.0" in classifier
    assert capsys.readouterr().out == "1.0\n"
    made: dict[str, Any] = {}
    exec(compile(layer, "README.md", "exec"), made)
    assert "synaptic_events" in capsys.readouterr().out
    assert len(repr(made["result"])) < 100
    # As the text says, the result can be the input of another layer.
    with bitlif.open(bitlif.Config.load("tiny").replace(layer__inputs=4)) as other:
        assert (
            other.run(made["result"]).counters["synaptic_events"] == 4 * made["result"].counts.sum()
        )
    exec(compile(task, "README.md", "exec"), {})
    assert float(capsys.readouterr().out.split()[1]) > 0.7  # accuracy after the second epoch
    assert {path.name for path in tmp_path.iterdir()} == {"weights.png", "learning.png"}
    exec(compile(backends, "README.md", "exec"), {})
    model, rtl = capsys.readouterr().out.splitlines()
    assert model.removeprefix("model") == rtl.removeprefix("rtl")


def test_python_examples_of_the_backends_run(capsys: pytest.CaptureFixture[str]) -> None:
    windows, loop = examples(BACKENDS)
    exec(compile(windows, "backends.md", "exec"), {})
    assert "0x" in capsys.readouterr().out
    exec(compile(loop, "backends.md", "exec"), {})
    # The last of three windows has ended with its last step.
    assert capsys.readouterr().out.startswith("15 True")


def test_example_of_a_new_task_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_TASKS", dict(registry._TASKS))
    task, _ = examples(LAYOUT)
    exec(compile(task, "layout.md", "exec"), {"__name__": "example"})
    assert float(capsys.readouterr().out.split()[0]) > 0.9


def test_example_of_a_new_board_runs() -> None:
    before = dict(boards.BOARDS)
    _, board = examples(LAYOUT)
    exec(compile(board, "layout.md", "exec"), {})
    added = boards.BOARDS.keys() - before.keys()
    assert added == {"my-icesugar"}
    for name in added:
        del boards.BOARDS[name]


def test_study_files_of_the_documentation_are_valid(tmp_path: Path) -> None:
    mine, layers, wine = re.findall(r"```toml\n(.*?)```", STUDIES, re.DOTALL)
    plan = parse_plan(mine, "studies.md")
    assert (plan.name, plan.size, len(plan.axes)) == ("mine", 100, 4)
    base = 'name = "net"\nconfig = "digits-96"\ntask = "digits"\nepochs = 1\nseeds = [0]\n'
    plan = parse_plan(base + layers, "studies.md")
    assert (plan.name, plan.size, len(plan.axes)) == ("net", 12, 2)
    (command,) = re.findall(r'    python -c "(.*)"\n', STUDIES)
    subprocess.run([sys.executable, "-c", command], cwd=tmp_path, check=True)
    plan = parse_plan(wine, "studies.md", tmp_path)
    assert (plan.name, plan.size, len(plan.axes)) == ("wine", 20, 2)
    assert (plan.config.layer.neurons, plan.length) == (3, 20)


def test_every_metric_of_a_study_is_documented() -> None:
    for task in BUILT_IN:
        for metric in metrics_of(task, EXTRAS):
            assert f"`{metric.name}`" in STUDIES
