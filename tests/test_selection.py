"""`make test` runs every test, and `make check` leaves out only tests that need tools or time."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import selection

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
PYTEST = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
OPTIONS, PATHS = PYTEST["ini_options"]["addopts"], PYTEST["ini_options"]["testpaths"]


def recipe(target: str) -> list[str]:
    """Return the commands of a target of the Makefile."""
    text = (ROOT / "Makefile").read_text("utf-8")
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert found is not None, target
    return [line.strip() for line in found[1].splitlines()]


def test_make_test_runs_every_test_but_the_long_ones() -> None:
    assert recipe("test")[-1] == "$(BIN)/python -m pytest"
    assert recipe("test-long") == ["$(BIN)/python -m pytest -m long"]
    assert OPTIONS[OPTIONS.index("-m") + 1] == "not long"
    assert not [word for word in OPTIONS if word.startswith(("--ignore", "--deselect", "-k"))]


def test_every_test_file_is_below_a_test_path() -> None:
    assert "tests" in PATHS
    ignored = {"build", ".venv", ".git"}
    files = [path.relative_to(ROOT) for path in ROOT.rglob("test_*.py")]
    assert {path.parts[0] for path in files} - ignored == {"tests"}


def test_every_doctest_is_below_a_test_path() -> None:
    packages = PATHS[1:]
    for folder in ("fpga", "hdl", "host", "model", "scripts", "sim", "study", "tasks", "trained"):
        for path in (ROOT / folder).rglob("*.py"):
            if re.search(r"^ *>>> ", path.read_text("utf-8"), re.MULTILINE):
                module = ".".join(("bitlif", *path.relative_to(ROOT).with_suffix("").parts))
                assert any(f"{module}.".startswith(f"{name}.") for name in packages), module


def test_make_check_runs_the_tests_without_a_marker() -> None:
    assert recipe("check") == [f'$(BIN)/python -m pytest -m "{selection.QUICK}"']


@pytest.mark.parametrize("place", [*selection.GATES, *selection.SLOW])
def test_listed_folders_and_files_exist(place: str) -> None:
    assert (TESTS / place).exists()


def test_marks_are_those_of_the_listed_folders() -> None:
    assert selection.marks("sim/backends/test_core.py") == ["gates"]
    assert selection.marks("study/claims/test_bins.py") == ["slow"]
    assert selection.marks("model/test_layer.py") == []
    assert selection.marks("simulation/test_x.py") == []
    # Every other file is part of `make check`.
    files = [path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")]
    assert len([name for name in files if not selection.marks(name)]) > len(files) // 3
