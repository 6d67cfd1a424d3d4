"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bitlif.scripts.main import build_parser

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert "synaptic_events" in capsys.readouterr().out


def test_every_command_line_is_understood() -> None:
    lines = re.findall(r"^    (bitlif .*?)(?:  +#.*)?$", README, re.MULTILINE)
    lines += re.findall(r"`(bitlif [^`.]+?)`", README)
    assert len(lines) > 10
    for line in lines:
        words = shlex.split(line)[1:]
        if words != ["config", "show", "CONFIG", "--derived"]:
            build_parser().parse_args(words)


def test_files_it_names_exist() -> None:
    root = Path(__file__).parents[1]
    for name in re.findall(r"\]\(([^)#:]+)\)|`((?:docs|configs|tests)/[^`]+)`", README):
        path = next(part for part in name if part)
        assert (root / path).exists(), path
