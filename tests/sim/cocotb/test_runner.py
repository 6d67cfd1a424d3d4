"""Models that Verilator compiles for cocotb share its runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitlif.model.config.config import Config
from bitlif.sim.cocotb import runner
from bitlif.sim.cocotb.cosim import run_cosim
from bitlif.tasks.stimulus import random_work


def test_runtime_is_compiled_once_with_the_flags_of_the_makefile(tmp_path: Path) -> None:
    run_cosim(random_work(Config.load("tiny"), 1, 1), tmp_path, simulator="verilator")
    log = (tmp_path / "build.log").read_text()
    assert "verilated.cpp" not in log
    assert "/runtime.o " in log
    (call,) = (line for line in log.splitlines() if " -o verilator.o " in line)
    macros = {word for word in call.split() if word.startswith("-D")}
    assert macros == {flag for flag in runner.RUNTIME_FLAGS if flag.startswith("-D")}


def test_waveforms_and_odd_paths_need_a_runtime_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def of(path: str) -> list[str]:
        monkeypatch.setattr(runner, "runtime_object", lambda *_given: Path(path))
        return [own.partition("=")[0] for own in runner._make_variables(waves=False)]

    own = ["CFG_CXXFLAGS_PCH_I", "OPT_FAST"]
    assert of("/a/b.o") == [*own, "VM_GLOBAL_FAST", "VM_GLOBAL_SLOW", "LOADLIBES"]
    for path in ("/a b", "/$a", "/a;b"):
        assert of(path) == own
    assert [text.partition("=")[0] for text in runner._make_variables(waves=True)] == own
