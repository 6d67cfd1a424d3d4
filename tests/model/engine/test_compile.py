"""Compiled code is kept on disk, and never outlives a change to any file that it came from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bitlif
from bitlif.model import gradient
from bitlif.model.engine import compile as engine
from bitlif.model.engine.compile import compiled, source_stamp
from bitlif.scripts.main import main

ROOT = Path(bitlif.__file__).parent.parent
MODEL = Path(engine.__file__).parents[1]
NOTICE = "compiling the engine for this kind of layer (once) ...\n"

KERNEL = """
import bitlif.model.engine.compile
import numpy as np
from bitlif.model.engine.compile import compiled
from bitlif.model.gradient import sparse_gradient
from bitlif.scripts.console.terminal import announce_compilation

announce_compilation()
kernel = compiled(sparse_gradient)
errors = np.array([[2], [0], [3]], np.int16)
traces = np.array([[1, 10], [5, 5], [2, 20]], np.uint16)
out = np.full((1, 2), 7, np.int64)
kernel(errors, traces, out, np.zeros((1, 3), np.int16), np.zeros(3, np.int64))
stats = kernel.stats
print(bitlif.model.engine.compile.__file__)
print(*out[0], sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""
"""Sums error times trace; `set_zero`, which clears the sums first, is in another file."""

Run = Callable[[], tuple[list[int], bool]]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Copy the package as it is installed: `model` inside `bitlif`."""
    copy = tmp_path / "bitlif"
    shutil.copytree(ROOT / "bitlif", copy)
    for name in ("model", "configs", "scripts"):
        folder = Path(getattr(__import__(f"bitlif.{name}"), name).__file__).parent
        shutil.copytree(folder, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def run(package: Path) -> Run:
    """Return a call that runs the kernel in a new process: sums, and whether code was compiled."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(package.parent),
        "NUMBA_CACHE_DIR": str(package.parent / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def call() -> tuple[list[int], bool]:
        done = subprocess.run(
            [sys.executable, "-c", KERNEL],
            env=environment, cwd=package.parent, capture_output=True, text=True, check=True,
        )  # fmt: skip
        file, numbers = done.stdout.splitlines()
        assert Path(file).parent == package / "model"
        *sums, hits, misses = map(int, numbers.split())
        assert (hits, misses) in ((1, 0), (0, 1))
        # Compiling is said, and reading from disk is not.
        assert done.stderr == (NOTICE if misses else "")
        return sums, misses == 1

    return call


def test_code_is_compiled_once_and_again_when_any_file_of_the_model_changes(
    package: Path, run: Run
) -> None:
    right = [2 * 1 + 3 * 2, 2 * 10 + 3 * 20]
    assert run() == (right, True)
    # Neither time stamps nor files of another kind or folder matter.
    for path in (package / "model").glob("*.py"):
        os.utime(path, (1, 1))
    (package / "model" / "notes.txt").write_text("")
    (package / "scripts" / "new.py").write_text("")
    assert run() == (right, False)
    assert list((package.parent / "cache").rglob("*.nbc"))
    assert not list(package.rglob("*.nb?"))
    # A function that the kernel calls, in another file: Numba alone would not notice.
    arrays = package / "model" / "arrays.py"
    text = arrays.read_text()
    assert text.count("= 0") == 1
    arrays.write_text(text.replace("= 0", "= 1"))
    assert run() == ([own + 1 for own in right], True)
    # Back to the first version, whose code has been replaced; and a new file counts as well.
    arrays.write_text(text)
    assert run() == (right, True)
    (package / "model" / "new.py").write_text("")
    assert run() == (right, True)


def test_stamp_tells_every_file_name_and_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = set()
    names = sorted(path.relative_to(MODEL).as_posix() for path in MODEL.rglob("*.py"))
    assert {"engine/loops.py", "fixed.py", "neuron.py", "window.py"} <= set(names)
    copy = tmp_path / "model"
    shutil.copytree(MODEL, copy)
    monkeypatch.setattr(engine, "__file__", str(copy / "engine" / "compile.py"))

    def stamp() -> str:
        return source_stamp.__wrapped__()

    first = stamp()
    assert first == source_stamp()
    for name in names:
        path = copy / name
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        stamps.add(stamp())
        path.write_bytes(content)
        path.rename(copy / "other_name.py")
        stamps.add(stamp())
        (copy / "other_name.py").rename(path)
    assert stamp() == first
    assert len(stamps | {first}) == 2 * len(names) + 1


def test_a_function_is_compiled_once_a_process_and_gives_what_it_gives_interpreted() -> None:
    kernel = compiled(gradient.sparse_gradient)
    assert compiled(gradient.sparse_gradient) is kernel
    random = np.random.default_rng(6)
    errors = random.integers(-9, 9, (70, 3)).astype(np.int16)
    traces = random.integers(0, 99, (70, 5)).astype(np.uint16)
    results = []
    for function in (kernel, gradient.sparse_gradient):
        out = np.zeros((3, 5), np.int64)
        given = (errors, traces) if function is kernel else (
            errors.astype(object), traces.astype(object)
        )  # fmt: skip
        function(*given, out, np.zeros((3, 70), np.int16), np.zeros(70, np.int64))
        results.append(out)
    np.testing.assert_array_equal(*results)


def test_compiling_is_said_once_a_process_however_often_the_command_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from numba import njit
    from numba.core import event

    for _ in range(2):
        main(["config", "list"])
    capsys.readouterr()
    listeners = [
        own for own in event._registered["numba:compile"] if "bitlif" in type(own).__module__
    ]
    assert len(listeners) == 1
    listeners[0].said = False
    for number in range(2):
        njit(lambda x, number=number: x + number)(1)
    assert capsys.readouterr() == ("", NOTICE)


def test_only_the_package_itself_fills_the_cache() -> None:
    def stranger(x: int) -> int:
        return x + 1

    stranger.__module__ = "model.stranger"
    assert type(compiled(stranger)._cache).__name__ == "NullCache"
    assert type(compiled(gradient.sparse_gradient)._cache).__name__ != "NullCache"
