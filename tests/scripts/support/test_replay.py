"""A replay folder is data: its core is generated again, and a differing one is not run."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from bitlif.hdl.export.verilog import core_verilog
from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError
from bitlif.model.storage.ownership import read_marker
from bitlif.scripts import verify
from bitlif.scripts.main import main
from bitlif.scripts.support.replay import read_replay, replay_command
from bitlif.sim.cocotb.cosim import Sample, save_task
from bitlif.sim.compare.faults import faulty_verilog
from bitlif.tasks.stimulus import random_work

TINY = Config.load("tiny")


@pytest.fixture(scope="module")
def core() -> str:
    return core_verilog(TINY)


@pytest.fixture
def replay(tmp_path: Path, core: str) -> Path:
    """Return a folder as `verify` leaves it."""
    folder = tmp_path / "replay"
    folder.mkdir()
    (folder / "config.toml").write_text(dump_config(TINY))
    (folder / "core.sv").write_text(core)
    (folder / "difference.json").write_text("{}")
    save_task(random_work(TINY, 0, 1), folder / "task.npz", Sample())
    return folder


def test_core_is_generated_again(replay: Path, core: str) -> None:
    work, verilog = read_replay(replay, trust_core=False)
    assert verilog == core
    assert work.events.windows == 1
    (replay / "core.sv").unlink()
    (replay / "difference.json").unlink()
    assert read_replay(replay, trust_core=False)[1] == core


def test_differing_core_is_reported_and_not_run(replay: Path, core: str) -> None:
    victim = replay.parent / "victim"
    evil = core.replace("endmodule", f'initial $system("touch {victim}"); endmodule', 1)
    (replay / "core.sv").write_text(evil)
    line = core[: core.index("endmodule")].count("\n") + 1
    with pytest.raises(BitlifError, match=rf"core\.sv' is not run: line {line} must be .*'initial"):
        read_replay(replay, trust_core=False)
    assert read_replay(replay, trust_core=True)[1] == evil
    assert not victim.exists()


def test_missing_and_extra_lines_are_differences(replay: Path, core: str) -> None:
    for text in (core + "// more\n", core[: core.rindex("\n", 0, -1)]):
        (replay / "core.sv").write_text(text)
        with pytest.raises(BitlifError, match=r"is not run: line \d+ must be .*--trust-core"):
            read_replay(replay, trust_core=False)


def test_injected_fault_is_injected_again(replay: Path) -> None:
    faulty = faulty_verilog("threshold-greater", TINY)
    (replay / "difference.json").write_text(json.dumps({"inject": "threshold-greater"}))
    with pytest.raises(BitlifError, match=r"is not run: line \d+ must be "):
        read_replay(replay, trust_core=False)
    (replay / "core.sv").write_text(faulty)
    assert read_replay(replay, trust_core=False)[1] == faulty


@pytest.mark.parametrize("told", ["[]", '{"inject": ["x"]}', '{"inject": "no-such-fault"}', "0"])
def test_unknown_fault_is_ignored(told: str, replay: Path, core: str) -> None:
    (replay / "difference.json").write_text(told)
    assert read_replay(replay, trust_core=False)[1] == core


@pytest.mark.parametrize("told", ["", "{", "[" * 100_000, "\0"])
def test_damaged_difference_is_refused(told: str, replay: Path) -> None:
    (replay / "difference.json").write_text(told)
    with pytest.raises(BitlifError, match=r"difference\.json' is damaged: it must be JSON$"):
        read_replay(replay, trust_core=False)


def test_pipes_are_not_waited_for(replay: Path) -> None:
    for name in ("core.sv", "difference.json"):
        (replay / name).unlink()
        os.mkfifo(replay / name)
        with pytest.raises(BitlifError, match=r"must be a regular file$"):
            read_replay(replay, trust_core=False)
        (replay / name).unlink()


def test_missing_files_are_named(replay: Path) -> None:
    (replay / "core.sv").unlink()
    with pytest.raises(BitlifError, match=r"a folder written by verify, with core\.sv, not '"):
        read_replay(replay, trust_core=True)
    (replay / "task.npz").unlink()
    with pytest.raises(BitlifError, match=r"a folder written by verify, with task\.npz, not '"):
        read_replay(replay, trust_core=False)


def test_foreign_core_does_not_run_under_the_command(
    replay: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = replay.parent / "victim"
    (replay / "core.sv").write_text(
        f'module bitlif_tiny; initial $system("touch {victim}"); endmodule\n'
    )
    assert main(["verify", "--replay", str(replay), "--simulator", "icarus"]) == 2
    error = capsys.readouterr().err
    assert "is not run: line 1 must be" in error
    assert "not 'module bitlif_tiny" in error
    assert not victim.exists()


def test_trust_needs_a_replay(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "tiny", "--trust-core"]) == 2
    assert "--trust-core can only be used with --replay" in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["a b", "-x", "$(touch x)", "it's"])
def test_command_of_a_replay_survives_a_shell(folder: str) -> None:
    words = shlex.split(replay_command(Path(folder), "icarus"))
    assert words == ["bitlif", "verify", f"--replay={folder}", "--simulator", "icarus"]


def test_only_replays_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "difference.json").write_text("{}")
    monkeypatch.setattr(verify, "_simulate", lambda *_: pytest.fail("it ran"))
    call = ["verify", "tiny", "--simulator", "icarus", "--out", str(tmp_path / "mine")]
    assert main(call) == 2
    assert "--out must be a new folder, not '" in capsys.readouterr().err
    assert (tmp_path / "mine" / "difference.json").exists()


def test_replay_that_cannot_be_put_in_its_place_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    made = tmp_path / "made"
    made.mkdir()
    (made / "core.sv").write_text("x")
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    with verify.OutputFolder(tmp_path / "out", "verify", force=True) as out:
        (tmp_path / "out").write_text("mine")
        left = verify._put(made, out)
    assert left.parent == spare
    assert (left / "core.sv").read_text() == "x"
    marker = read_marker(left)
    assert marker is not None
    assert marker.kind == "verify"
    assert f"the result is in '{left}'" in capsys.readouterr().err
