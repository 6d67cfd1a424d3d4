"""A network's engine is compiled beside the demo, and reaches it through the cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bitlif.model.config.network import NetworkConfig
from bitlif.scripts.support import compile_network as module
from bitlif.scripts.support.compile_network import compiled_beside

HERE = """
from bitlif import tasks
from bitlif.model.config.network import NetworkConfig
from bitlif.scripts.support.compile_network import compile_network
network = NetworkConfig.load("digits-96")
compile_network(network, "digits", tasks.get("digits").load(network.outer, 0), 0, 1)
"""


def compiled(folder: Path) -> set[tuple[str, int]]:
    """Return the files of compiled code, and when each was written."""
    return {(path.name, path.stat().st_mtime_ns) for path in folder.rglob("*.nbc")}


def test_engine_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process has compiled is all that the same training needs here."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(module, "processors", lambda: 2)
    with compiled_beside(NetworkConfig.load("digits-96"), "digits", 0, 1) as wait:
        assert wait() == 0
    before = compiled(tmp_path)
    assert before
    subprocess.run([sys.executable, "-c", HERE], check=True)
    assert compiled(tmp_path) == before


def test_failure_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot start its work ends, and nothing is raised."""
    monkeypatch.setattr(module, "processors", lambda: 2)
    with compiled_beside(NetworkConfig.load("digits-96"), "nonsense", 0, 1) as wait:
        assert wait() != 0


def test_no_process_without_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process on the only processor would make the demo slower."""

    def forbidden(*_arguments: object, **_options: object) -> None:
        raise AssertionError("no process may be started")

    monkeypatch.setattr(module, "processors", lambda: 1)
    monkeypatch.setattr(module.subprocess, "Popen", forbidden)
    with compiled_beside(NetworkConfig.load("digits-96"), "digits", 0, 1) as wait:
        assert wait() is None


def test_process_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted demo leaves no process behind."""
    started: list[subprocess.Popen[bytes]] = []

    class Kept(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            started.append(self)

    monkeypatch.setattr(module, "processors", lambda: 2)
    monkeypatch.setattr(module.subprocess, "Popen", Kept)
    with (
        pytest.raises(KeyboardInterrupt),
        compiled_beside(NetworkConfig.load("digits-96"), "digits", 0, 1),
    ):
        raise KeyboardInterrupt
    assert started[0].returncode is not None
