"""Compiled code is loaded only if it is whole and nobody else could have written it."""

from __future__ import annotations

import os
import pickle
import random
import stat
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import config

from bitlif.model.engine import cache as engine_cache
from bitlif.model.engine.cache import BEGIN, EngineCache, places
from bitlif.model.storage import trust

KERNEL = """
def add(x, y):
    return int(x[0]) + y
"""


def run(stamp: str = "1", kind: type[np.generic] = np.int64) -> bool:
    """Return whether a function that has just been met had to be compiled; its result is right."""
    function = numba.njit(nogil=True)(kernel())
    function._cache = EngineCache(kernel(), stamp)
    assert function(np.array([40], kind), 2) == 42
    stats = function.stats
    hits, misses = sum(stats.cache_hits.values()), sum(stats.cache_misses.values())
    assert hits + misses == 1
    return bool(misses)


MODULE = "bitlif_kernel"


def kernel() -> Any:
    """Return a function whose source is in a folder that belongs to the test."""
    return sys.modules[MODULE].add  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that Numba is told to use, which does not exist yet."""
    source = tmp_path / "package" / "kernel.py"
    source.parent.mkdir()
    source.write_text(KERNEL)
    # Numba imports the module of what it loads.
    module = types.ModuleType(MODULE)
    exec(compile(KERNEL, source, "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, MODULE, module)
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(engine_cache, "own_cache", lambda: tmp_path / "user")
    return tmp_path / "cache"


def only(folder: Path) -> Path:
    """Return the one file of a folder."""
    (file,) = (path for path in folder.rglob("*") if path.is_file())
    return file


def test_code_is_compiled_once_for_each_signature_and_stamp(cache: Path) -> None:
    assert run()
    assert not run()
    assert run(kind=np.int32)
    assert not run()
    assert not run(kind=np.int32)
    assert len([*cache.rglob("*.nbc")]) == 2
    # Code of an older stamp is replaced.
    assert run("2")
    assert not run("2")
    assert run("1")
    assert len([path for path in cache.rglob("*") if path.is_file()]) == 2


def test_cached_files_are_readable_but_not_writable_by_others(cache: Path) -> None:
    before = os.umask(0)
    try:
        assert run()
    finally:
        os.umask(before)
    assert only(cache).stat().st_mode & 0o777 == 0o644
    assert not run()


def flip(place: int) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[random.Random(place).randrange(len(content))] ^= 1 << place % 8
        file.write_bytes(content)

    return change


def cut(share: float) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        content = file.read_bytes()
        file.write_bytes(content[: int(share * len(content))])

    return change


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def replace_by_link(file: Path) -> None:
    file.rename(file.with_suffix(".moved"))
    file.symlink_to(file.with_suffix(".moved"))


def replace_by_pickle(file: Path) -> None:
    """Leave what Numba itself would load."""
    file.write_bytes(pickle.dumps((("a", "b"), ("c",))))


DAMAGE: dict[str, Callable[[Path], None]] = {
    "empty": cut(0.0),
    "one byte": lambda file: file.write_bytes(b"b") and None,
    "magic only": lambda file: file.write_bytes(file.read_bytes()[:16]) and None,
    "hash only": lambda file: file.write_bytes(file.read_bytes()[:BEGIN]) and None,
    "half": cut(0.5),
    "all but a byte": cut(0.99999),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"\0") and None,
    "garbage": lambda file: file.write_bytes(random.Random(1).randbytes(5000)) and None,
    "zeros": lambda file: file.write_bytes(bytes(5000)) and None,
    "a pickle": replace_by_pickle,
    "a link": replace_by_link,
    "removed": Path.unlink,
    "written by all": lambda file: file.chmod(0o666),
    **{f"bit {place}": flip(place) for place in range(12)},
}


def test_damaged_code_is_recompiled(cache: Path) -> None:
    assert run()
    whole = only(cache).read_bytes()
    for name, damage in DAMAGE.items():
        file = only(cache)
        damage(file)
        assert run(), name
        assert not run(), name
        for other in cache.rglob("*.moved"):
            other.unlink()
        assert only(cache) == file
        assert file.read_bytes()[:BEGIN][:16] == whole[:16]


def test_folder_in_place_of_a_file_is_ignored(cache: Path) -> None:
    assert run()
    replace_by_folder(only(cache))
    assert run()
    assert run()


def test_code_of_another_signature_is_not_loaded(cache: Path) -> None:
    assert run()
    first = only(cache)
    assert run(kind=np.int32)
    (second,) = (path for path in cache.rglob("*.nbc") if path != first)
    second.write_bytes(first.read_bytes())
    assert run(kind=np.int32)
    assert not run(kind=np.int32)


def test_planted_file_with_right_hash_is_not_loaded(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever knows the format can write a file with a right hash: who owns it decides.
    assert run()
    folder = only(cache).parent
    folder.chmod(0o777)
    assert run()
    folder.chmod(0o755)
    assert not run()

    def owner(status: os.stat_result) -> int:
        return 54321 if stat.S_ISREG(status.st_mode) else status.st_uid

    monkeypatch.setattr(trust, "_owner", owner)
    assert run()


def test_folder_writable_by_others_is_not_used(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.mkdir()
    cache.chmod(0o777)
    found = [place.folder for place in places(tmp_path / "package" / "kernel.py")]
    assert found == [tmp_path / "package" / "__pycache__"]
    said = capsys.readouterr().err
    assert said == f"bitlif: '{cache}' can be written by other users: NUMBA_CACHE_DIR is not used\n"


def test_owner_of_the_source_may_own_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", "")
    source = tmp_path / "package" / "kernel.py"
    (place,) = places(source)
    assert place.folder == source.parent / "__pycache__"
    assert place.owners == (source.stat().st_uid,)
    assert place.folder.stat().st_mode & 0o777 == 0o755
    # Where it cannot be written it is read, and the next one is written.
    monkeypatch.setattr("os.access", lambda path, mode: "__pycache__" not in str(path))
    assert [own.folder.relative_to(tmp_path).parts[0] for own in places(source)] == [
        "package", "user",
    ]  # fmt: skip
    place.folder.chmod(0o777)
    assert [own.folder.relative_to(tmp_path).parts[0] for own in places(source)] == ["user"]


def test_code_runs_if_it_cannot_be_cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> str:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.mkstemp", refuse)
        assert run()
    assert not [*cache.rglob("*.nbc")]
    monkeypatch.setattr(engine_cache, "make_own", lambda *arguments, **named: "cannot be written")
    monkeypatch.setattr(engine_cache, "distrust", lambda *arguments: "in bad hands")
    assert run()
    assert run()
    assert EngineCache(kernel(), "1").cache_path == ""


def test_failed_write_leaves_no_file(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        assert run()
    assert not [path for path in cache.rglob("*") if path.is_file()]


LAYER = """
import bitlif, numpy as np
from bitlif.model.events import Events
config = bitlif.Config.load("tiny")
with bitlif.open(config) as core:
    core.load(np.full((config.layer.inputs, config.layer.neurons), 3))
    core.run(Events.from_raster(np.ones((2, config.window.steps, config.layer.inputs), bool)))
    print(core.signature())
"""


def test_layer_is_unaffected_by_damaged_cache_files(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "code")}

    def signature() -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-P", "-c", LAYER],
            capture_output=True, text=True, check=True, env=environment,
        )  # fmt: skip
        return done.stdout, done.stderr

    first = signature()
    assert first[1] == ""
    files = [*(tmp_path / "code").rglob("*.nbc")]
    assert files
    for number, file in enumerate(files):
        list(DAMAGE.values())[number % 8](file)
    assert signature() == first
    assert [*(tmp_path / "code").rglob("*.nbc")] == files
    assert all(file.stat().st_size > 5000 for file in files)
