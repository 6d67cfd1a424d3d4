"""The tutorials run, and give the numbers that the site shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
TOOL = ROOT / "docs" / "site" / "notebooks.py"
NAMES = sorted(path.stem for path in TUTORIALS.glob("*.py"))
LONG = ("train-in-pytorch", "bring-an-snntorch-network")
"""Tutorials that take more than a minute: they place a design, or try many formats of a network."""


@pytest.mark.parametrize(
    "name", [pytest.param(own, marks=[pytest.mark.long] * (own in LONG)) for own in NAMES]
)
def test_tutorial_gives_the_stored_outputs(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, TOOL, "--check", name], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "IPYTHONDIR": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path)},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-6000:]


def test_every_notebook_has_a_script() -> None:
    assert sorted(path.stem for path in TUTORIALS.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_links_of_a_tutorial_lead_somewhere(name: str) -> None:
    generated = {"fields.md", "changelog.md"}
    for target in re.findall(r"\]\(([^)#\s]+)", (TUTORIALS / f"{name}.py").read_text("utf-8")):
        path = (TUTORIALS / target).resolve()
        script = path.with_suffix(".py")
        known = path.name in generated or "api" in path.parts or script.exists() or path.exists()
        assert known, target


def test_changed_output_is_noticed(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(TOOL.parent)!r})\n"
        "import copy, notebooks\n"
        "made = notebooks.read_script('# %%\\nprint(1)\\n\\n# %% varies\\nprint(2)\\n')\n"
        "def printed(*texts):\n"
        "    new = copy.deepcopy(made)\n"
        "    for cell, text in zip(new.cells, texts):\n"
        "        cell.outputs = [notebooks.nbformat.v4.new_output('stream', text=text)]\n"
        "    return new\n"
        "old = printed('1', '2')\n"
        "assert notebooks.difference(old, printed('1', '3')) == ''\n"
        "assert 'cell 0 printed' in notebooks.difference(old, printed('2', '2'))\n"
        "other = printed('1', '2')\n"
        "other.cells[0].source = 'print(3)'\n"
        "assert 'differs from the script' in notebooks.difference(old, other)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
