"""Every command checks its output before it works, and harms neither inputs nor others' files."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

import bitlif.fpga.bitstream
import bitlif.scripts.demo
import bitlif.scripts.figures
import bitlif.scripts.learn
import bitlif.scripts.noise
import bitlif.scripts.run
import bitlif.scripts.verify
import bitlif.sim.compare.expected
from bitlif.hdl.export import verilog
from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.model.files.weight_file import save_weights
from bitlif.scripts.main import main

TINY = Config.load("tiny")

WORK = {
    "demo --no-gates --epochs 1 --out {}": (bitlif.scripts.demo, "train"),
    "learn tiny --epochs 1 --out {}": (bitlif.scripts.learn, "learn_task"),
    "run tiny --weights weights.npz --spikes spikes.npz --out {}": (bitlif.scripts.run, "_run_on"),
    "noise tiny --draws 1000 --out {}": (bitlif.scripts.noise, "measure_draws"),
    "figures --quick --only bins --out {}": (bitlif.scripts.figures, "_measure_and_write"),
    "verilog tiny --out {}": (verilog, "core_verilog"),
    "verilog tiny --memories {}": (verilog, "core_verilog"),
    "build tiny --board hx8k --out {}": (bitlif.fpga.bitstream, "build_in"),
    "golden tiny --out {}": (bitlif.sim.compare.expected, "compute_expected"),
    "verify tiny --simulator icarus --out {}": (bitlif.scripts.verify, "_simulate"),
}
"""Commands, and what does their work."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_weights("weights.npz", np.zeros((6, 4), np.int64), TINY)
    save_events("spikes.npz", Events.from_raster(np.ones((1, 16, 6), bool)))
    save_events("spikes.aer", Events.from_raster(np.ones((1, 16, 6), bool)))
    Path("tiny.toml").write_text('name = "own"\n')
    return tmp_path


def worked(*_: object, **__: object) -> NoReturn:
    raise AssertionError("it began to work")


@pytest.mark.parametrize("command", WORK)
def test_unwritable_output_is_refused_before_the_work(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(*WORK[command], worked)
    assert main(shlex.split(command.format("/proc/out"))) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "/proc/out" in err
    assert "cannot be written: No such file or directory" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["spikes.npz", "./spikes.npz", "hard.npz", "link.npz"])
def test_run_never_overwrites_its_input(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("hard.npz").hardlink_to("spikes.npz")
    Path("link.npz").symlink_to("spikes.npz")
    before = Path("spikes.npz").read_bytes()
    call = f"run tiny --weights weights.npz --spikes spikes.npz --out {name}"
    assert main(shlex.split(call)) == 2
    assert "--out must not be the same file as --spikes" in capsys.readouterr().err
    assert Path("spikes.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("call", "option"),
    [
        ("run tiny --weights weights.npz --spikes spikes.npz --out weights.npz", "--weights"),
        ("run tiny --weights weights.npz --spikes spikes.aer --out spikes.aer", "--spikes"),
        ("verilog tiny --weights weights.npz --out weights.npz", "--weights"),
        ("registers tiny.toml --out tiny.toml", "CONFIG"),
        ("verilog tiny.toml --out tiny.toml", "CONFIG"),
    ],
)
def test_no_command_overwrites_its_input(
    call: str, option: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    assert main(shlex.split(call)) == 2
    assert f"--out must not be the same file as {option}" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


def test_run_writes_the_format_of_a_links_name(home: Path) -> None:
    Path("out.npz").symlink_to("data.bin")
    call = "run tiny --weights weights.npz --spikes spikes.aer --out out.npz"
    assert main(shlex.split(call)) == 0
    assert Path("data.bin").read_bytes().startswith(b"PK")
    assert Path("out.npz").is_symlink()


SLOW_VERILOG = """
import time, bitlif.hdl.export.verilog
from bitlif.scripts.main import main
def convert(*_, **__):
    print("converting", flush=True)
    time.sleep(3600)
bitlif.hdl.export.verilog.core_verilog = convert
raise SystemExit(main())
"""
"""A command that does not end."""


def test_terminated_verilog_leaves_no_file(home: Path) -> None:
    before = sorted(home.iterdir())
    words = [sys.executable, "-c", SLOW_VERILOG, "verilog", "tiny", "--out", "new.sv"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as own:
        assert own.stdout is not None
        assert own.stdout.readline() == b"converting\n"
        assert sorted(home.iterdir()) != before
        own.terminate()
        _, errors = own.communicate()
    assert own.returncode == 143
    assert errors.decode().splitlines() == ["bitlif verilog: terminated"]
    assert sorted(home.iterdir()) == before


def test_failed_verilog_leaves_no_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(home.iterdir())

    def interrupted(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(verilog, "core_verilog", interrupted)
    assert main(["verilog", "tiny", "--out", "tiny.sv", "--memories", "memories"]) == 130
    assert sorted(home.iterdir()) == before
