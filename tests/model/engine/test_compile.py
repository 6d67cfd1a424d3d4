"""Numba is loaded late; compiled code is cached and never outlives a change of its sources."""

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
from bitlif.model.engine.compile import compilable, compiled, on_compilation, source_stamp

ROOT = Path(bitlif.__file__).parent.parent
MODEL = Path(engine.__file__).parents[1]

KERNEL = """
import sys
import bitlif.model.engine.compile as engine
import numpy as np
from bitlif.model.gradient import sparse_gradient

assert "numba" not in sys.modules
compilations = []
engine.on_compilation(lambda: compilations.append(1))
kernel = engine.compiled(sparse_gradient)
errors = np.array([[2], [0], [3]], np.int16)
traces = np.array([[1, 10], [5, 5], [2, 20]], np.uint16)
out = np.full((1, 2), 7, np.int64)
kernel(errors, traces, out, np.zeros((1, 3), np.int16), np.zeros(3, np.int64))
stats = kernel.stats
print(engine.__file__)
print(*out[0], sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
print(len(compilations) > 0)
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
        file, numbers, reported = done.stdout.splitlines()
        assert Path(file).parent == package / "model" / "engine"
        *sums, hits, misses = map(int, numbers.split())
        assert (hits, misses) in ((1, 0), (0, 1))
        # Compiling is reported; loading from the cache is not.
        assert reported == str(misses == 1)
        return sums, misses == 1

    return call


def test_change_of_any_source_compiles_again(package: Path, run: Run) -> None:
    right = [2 * 1 + 3 * 2, 2 * 10 + 3 * 20]
    assert run() == (right, True)
    # Time stamps, and files of another kind or folder, do not matter.
    for path in (package / "model").rglob("*.py"):
        os.utime(path, (1, 1))
    (package / "model" / "notes.txt").write_text("")
    (package / "scripts" / "new.py").write_text("")
    assert run() == (right, False)
    assert list((package.parent / "cache").rglob("*.nbc"))
    assert not list(package.rglob("*.nb?"))
    # The kernel calls a function in this file, whose change Numba alone would not notice.
    loops = package / "model" / "engine" / "loops.py"
    text = loops.read_text()
    assert text.count("= 0") == 1
    loops.write_text(text.replace("= 0", "= 1"))
    assert run() == ([own + 1 for own in right], True)
    # The code of the first version has been replaced. A new file counts as a change, too.
    loops.write_text(text)
    assert run() == (right, True)
    (package / "model" / "new.py").write_text("")
    assert run() == (right, True)


def test_stamp_covers_every_file_name_and_content(
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


def test_compiled_and_interpreted_functions_agree() -> None:
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


def test_observers_are_called_at_each_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_observers", [])
    calls = []

    def observer() -> None:
        calls.append(1)

    for _ in range(2):
        on_compilation(observer)

    def double(x: int) -> int:
        return 2 * x

    function = compiled(double)
    assert calls == []
    assert function(3) == 6
    assert len(calls) == 1
    function(4)
    assert len(calls) == 1


def test_functions_marked_after_numba_was_loaded_can_be_called() -> None:
    @compilable
    def increment(x: int) -> int:
        return x + 1

    def twice(x: int) -> int:
        return increment(increment(x))

    assert increment(1) == 2
    assert compiled(twice)(1) == 3


def test_threads_may_compile_at_once() -> None:
    code = """
import threading
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from bitlif.model.engine.compile import compiled
from bitlif.model.gradient import sparse_gradient

barrier = threading.Barrier(4)
def run(number):
    barrier.wait()
    out = np.zeros((1, 2), np.int64)
    errors, traces = np.array([[2]], np.int16), np.array([[1, 10]], np.uint16)
    compiled(sparse_gradient)(errors, traces, out, np.zeros((1, 1), np.int16), np.zeros(1, int))
    return out.tolist()
with ThreadPoolExecutor(4) as pool:
    assert list(pool.map(run, range(4))) == [[[2, 20]]] * 4
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "code",
    [
        "import bitlif; bitlif.Config.load('tiny'); bitlif.Config.load('digits')",
        "from bitlif.model.config.toml import config_hash",
        "import bitlif.model.layer, bitlif.model.floating.layer",
    ],
)
def test_configuration_and_imports_do_not_load_numba(code: str) -> None:
    check = "import sys; print([name for name in ('numba', 'llvmlite') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{check}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_only_the_package_uses_the_cache() -> None:
    def stranger(x: int) -> int:
        return x + 1

    stranger.__module__ = "model.stranger"
    assert type(compiled(stranger)._cache).__name__ == "NullCache"
    assert type(compiled(gradient.sparse_gradient)._cache).__name__ != "NullCache"
