"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bitlif.scripts.main import build_parser
from bitlif.study.search.evaluate import TASKS
from bitlif.study.search.metrics import EXTRAS, metrics_of
from bitlif.study.search.plan import parse_plan

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BACKENDS = (ROOT / "docs" / "backends.md").read_text("utf-8")
BOARDS = (ROOT / "docs" / "boards.md").read_text("utf-8")
STUDIES = (ROOT / "docs" / "studies.md").read_text("utf-8")


def examples(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_python_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    layer, backends = examples(README)
    exec(compile(layer, "README.md", "exec"), {})
    assert "synaptic_events" in capsys.readouterr().out
    exec(compile(backends, "README.md", "exec"), {})
    model, rtl = capsys.readouterr().out.splitlines()
    assert model.removeprefix("model") == rtl.removeprefix("rtl")


def test_python_example_of_the_backends_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = examples(BACKENDS)
    exec(compile(example, "backends.md", "exec"), {})
    assert "0x" in capsys.readouterr().out


def test_every_command_line_is_understood() -> None:
    both = README + BACKENDS + BOARDS + STUDIES
    lines = re.findall(r"^    (bitlif .*?)(?:  +#.*)?$", both, re.MULTILINE)
    lines += re.findall(r"`(bitlif [^`.]+?)`", both)
    assert len(lines) > 10
    for line in lines:
        words = shlex.split(line)[1:]
        if words != ["config", "show", "CONFIG", "--derived"]:
            build_parser().parse_args(words)


def test_files_it_names_exist() -> None:
    for name in re.findall(r"\]\(([^)#:]+)\)|`((?:docs|configs|tests)/[^`]+)`", README):
        path = next(part for part in name if part)
        assert (ROOT / path).exists(), path


def test_study_file_of_its_document_is_one() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", STUDIES, re.DOTALL)
    plan = parse_plan(text, "studies.md")
    assert (plan.name, plan.size, len(plan.axes)) == ("mine", 100, 3)


def test_every_metric_of_a_study_is_in_its_document() -> None:
    for task in TASKS:
        for metric in metrics_of(task, EXTRAS):
            assert f"`{metric.name}`" in STUDIES
