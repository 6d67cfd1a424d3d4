"""The core's Verilog under cocotb, on Icarus and on Verilator, against the model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bitlif.hdl.verilog import core_verilog
from bitlif.model.config import Config
from bitlif.scripts.main import main
from bitlif.sim.cosim import judge, require_simulator, run_cosim

from strategies import stimulus

VARIANTS = {
    "tiny": {},
    "one by one": {"layer__neurons": 1, "layer__lanes": 1, "layer__inputs": 1},
    "odd lanes, teacher": {
        "layer__neurons": 5,
        "layer__lanes": 3,
        "membrane__reset": "teacher",
        "membrane__injection": "membrane",
    },
}


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_verilog_learns_bit_for_bit_as_the_model(
    simulator: str, stall: float, tmp_path: Path
) -> None:
    config = Config.load("tiny")
    events, weights, targets = stimulus(config, 3, 3)
    core = run_cosim(config, weights, events, targets, tmp_path, simulator=simulator, stall=stall)
    verdict = judge(config, weights, events, targets, core, stalled=stall > 0)
    assert verdict.agrees, verdict.first
    assert verdict.compared["spikes"] == 3 * 16 * 4


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "tiny"])
def test_other_sizes_and_rules_agree_in_icarus(name: str, tmp_path: Path) -> None:
    config = Config.load("tiny").replace(**VARIANTS[name])
    events, weights, targets = stimulus(config, 5, 2)
    core = run_cosim(config, weights, events, targets, tmp_path, simulator="icarus")
    verdict = judge(config, weights, events, targets, core)
    assert verdict.agrees, verdict.first


def test_inference_only_core_agrees_and_has_no_learning_hardware(tmp_path: Path) -> None:
    config = Config.load("tiny")
    events, weights, _ = stimulus(config, 6, 2)
    text = core_verilog(config, learning=False)
    assert "learner" not in text
    assert "i_targets" not in text
    core = run_cosim(config, weights, events, None, tmp_path, simulator="icarus", learning=False)
    verdict = judge(config, weights, events, None, core, learning=False, learn=False)
    assert verdict.agrees, verdict.first


def test_a_planted_fault_is_seen_and_located(tmp_path: Path) -> None:
    config = Config.load("tiny")
    # Another polynomial for the noise: a swapped tap.
    faulty = core_verilog(config.replace(noise__lfsr__taps=[16, 14, 13, 11]))
    events, weights, targets = stimulus(config, 3, 2)
    core = run_cosim(config, weights, events, targets, tmp_path, simulator="icarus", verilog=faulty)
    verdict = judge(config, weights, events, targets, core)
    assert not verdict.agrees
    assert verdict.first.startswith("spikes at window ")
    assert "model" in verdict.first


def test_missing_simulator_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ValueError, match=r"^icarus is needed and iverilog .*apt-get install"):
        require_simulator("icarus")


def test_verify_prints_what_agrees_and_exits_zero(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keep = tmp_path / "kept"
    arguments = ["verify", "tiny", "--windows", "1", "--simulator", "icarus", "--json"]
    assert main([*arguments, "--keep", str(keep)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["agree"] is True
    assert report["by"]["icarus"]["compared"]["spikes"] == 16 * 4
    assert (keep / "icarus" / "bitlif_tiny.sv").exists()
    assert main([*arguments, "--keep", str(keep)]) == 2


def test_verilog_command_explains_every_port(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "tiny.sv"
    assert main(["verilog", "tiny", "--out", str(out)]) == 0
    header = [line for line in out.read_text().splitlines() if line.startswith("// ")]
    for port in ("clk", "i_events__payload", "o_events__ready", "digest", "host__weights"):
        assert any(f" {port} " in line for line in header), port
    assert np.all([len(line) < 130 for line in header])
