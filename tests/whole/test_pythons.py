"""Supported Pythons: syntax and metadata always, the same bits in the long run on those installed.

The head of every run of the tests says which are here and which are not.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pythons import ROOT, SUPPORTED, environment, found

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("bitlif", "model", "tasks", "hdl", "host", "fpga", "sim", "study", "scripts", "tests")

WORK = """
import importlib, json, pkgutil, sys
import numpy as np
import bitlif
import bitlif.model, bitlif.scripts
from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.layer import Layer
from bitlif.model.config.toml import config_hash, dump_config
from bitlif.scripts.main import build_parser

names = [own.name for own in pkgutil.iter_modules(bitlif.model.__path__)]
for name in names:
    importlib.import_module("bitlif.model." + name)
build_parser()
found = {"python": list(sys.version_info[:2]), "modules": len(names), "runs": {}}
for name in ("tiny", "digits", "digits-4bit"):
    config = Config.load(name)
    sizes = config.layer
    shape = (3, config.window.steps, sizes.inputs)
    raster = np.arange(np.prod(shape)).reshape(shape) * 2654435761 % 97 < 20
    weights = (np.arange(sizes.inputs * sizes.neurons) * 7919 % 15 - 7).reshape(-1, sizes.neurons)
    targets = np.arange(3 * sizes.neurons).reshape(3, -1) * 13 % (1 << config.error.target_bits)
    with bitlif.open(config) as core:
        core.load(weights)
        core.learn(Events.from_raster(raster), targets)
        learned = core.weights()
        core.run(Events.from_raster(raster))
        found["runs"][name] = [
            config_hash(config), core.signature(), int((learned != weights).sum()), learned.tolist()
        ]
print(json.dumps(found))
"""


def test_metadata_names_the_supported_versions() -> None:
    project = PROJECT["project"]
    assert project["requires-python"] == f">={SUPPORTED[0]}"
    text = "Programming Language :: Python :: "
    named = [own.removeprefix(text) for own in project["classifiers"] if own.startswith(text)]
    assert named == ["3 :: Only", *SUPPORTED]
    oldest = SUPPORTED[0].replace(".", "")
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest}"
    assert PROJECT["tool"]["mypy"]["python_version"] == SUPPORTED[0]


def test_syntax_is_that_of_the_oldest_version() -> None:
    oldest = tuple(int(part) for part in SUPPORTED[0].split("."))
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 200
    for path in paths:
        ast.parse(path.read_text("utf-8"), str(path), feature_version=oldest)


def test_setup_asks_for_the_oldest_version() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"version_info < \(3, 11\)", makefile)
    assert "needs Python 3.11 or newer" in makefile


def test_current_python_is_found() -> None:
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in found()


def result(python: str) -> Any:
    done = subprocess.run(
        [python, "-P", "-c", WORK], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
@pytest.mark.parametrize("version", found())
def test_every_python_gives_the_same_bits(version: str) -> None:
    expected, given = result(sys.executable), result(environment(version))
    assert ".".join(map(str, given.pop("python"))) == version
    expected.pop("python")
    assert all(run[2] for run in given["runs"].values())
    assert given == expected


@pytest.mark.long
@pytest.mark.parametrize("version", found())
def test_demo_without_gates_runs_on_every_python(version: str, tmp_path: Path) -> None:
    reports = []
    for number, python in enumerate((sys.executable, environment(version))):
        out = tmp_path / str(number)
        done = subprocess.run(
            [python, "-P", "-m", "bitlif", "demo", "--no-gates", "--epochs", "1", f"--out={out}"],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        reports.append({
            path.relative_to(out): path.read_bytes()
            for path in out.rglob("*.npz") if path.is_file()
        })  # fmt: skip
    assert reports[0]
    assert reports[0] == reports[1]
