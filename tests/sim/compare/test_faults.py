"""Injected faults: each is detected first in the expected signal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.scripts.main import main
from bitlif.sim.cocotb.cosim import run_cosim
from bitlif.sim.compare.compare import compare_run
from bitlif.sim.compare.faults import FAULTS, faulty_verilog
from bitlif.sim.compare.network_faults import NETWORK_FAULTS
from bitlif.tasks.stimulus import random_work

WITH_GATES = (
    "lfsr", "noise", "neuron", "fixed", "table", "trace", "gradient", "update", "forward",
    "learning", "emitter", "signature", "layer", "host_port", "counter", "observers", "gather",
    "marks", "error_groups", "update_pass", "turns",
)  # fmt: skip


WIDE = (
    "row-ignored", "error-bit", "draws-shared", "bubble", "sums-stale", "silence-unseen",
    "errors-bank", "clear-other",
)  # fmt: skip
"""Faults of units whose gates depend on the widths: the rest run with wide rows by night."""

QUICK = {(name, "pairs") for name in WIDE}

SEVERAL_ROWS = ("sums-stale", "silence-unseen")
"""Faults that have no effect if all weights of an input are one row."""

SHOWN_EARLIER = {"phase-stuck": "error"}
"""Faults of several signals, of which another one is wrong first in these runs."""


def detected(name: str, config: Config, folder: Path, windows: int, signal: str) -> None:
    """Require that a run with a fault differs from the model in a signal before all others."""
    work = random_work(config, 3 if config.name == "tiny" else 0, windows)
    core = run_cosim(work, folder, simulator="icarus", verilog=faulty_verilog(name, config))
    verdict = compare_run(work, core)
    assert not verdict.agrees
    first = verdict.first
    assert first is not None
    assert first.signal == signal
    assert first.gates != first.model
    assert first.place


def with_wide_rows(config: Config, rows: str) -> Config:
    """Return a configuration with wide rows.

    With ``"pairs"``, rows and groups have two slots, and there are at least two of each. With
    ``"whole"``, a row has the weights of all neurons, and a group of the gradient one slot. With
    ``"uneven"``, the slots fill neither the last row nor the last group, and weights and gradient
    have one port.
    """
    lanes, slots = config.layer.lanes, config.layer.slots
    if rows == "uneven":
        return config.replace(
            layer__neurons=5 * lanes - (lanes > 1),
            gates={"synapses": 2 * lanes, "products": 3 * lanes, "single_port": "all"},
        )
    if slots < 3:
        config = config.replace(layer__neurons=4 * lanes - (lanes > 1))
    if rows == "pairs":
        return config.replace(gates={"synapses": 2 * lanes, "products": 2 * lanes})
    return config.replace(gates={"synapses": config.layer.slots * lanes, "products": lanes})


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_detected_in_its_signal(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    patches = [(owner, attribute) for owner, attribute, _ in fault.patches(fault.config)]
    clean = [getattr(*patch) for patch in patches]
    detected(name, fault.config, tmp_path, 3, fault.signal)
    # The patches are undone.
    assert [getattr(*patch) for patch in patches] == clean


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        pytest.param(name, rows, marks=[] if (name, rows) in QUICK else [pytest.mark.long])
        for name in FAULTS
        for rows in ("pairs", "whole", "uneven")
        if rows != "whole" or name not in SEVERAL_ROWS
    ],
)
def test_fault_is_detected_with_wide_rows(name: str, rows: str, tmp_path: Path) -> None:
    config = with_wide_rows(FAULTS[name].config, rows)
    detected(name, config, tmp_path, 6, SHOWN_EARLIER.get(name, FAULTS[name].signal))


def test_every_unit_has_a_fault() -> None:
    assert {fault.unit for fault in FAULTS.values()} == set(WITH_GATES)


def test_fault_without_effect_raises() -> None:
    config = Config.load("tiny").replace(layer__lanes=1)
    with pytest.raises(BitlifError, match=r"^fault spike-dropped has no effect in tiny: layer"):
        faulty_verilog("spike-dropped", config)
    config = Config.load("tiny").replace(synapse__rounding="floor")
    with pytest.raises(BitlifError, match="synapse does not round to nearest"):
        faulty_verilog("current-floor", config)
    for name, reason in (
        ("hold-missing", "membrane.injection"), ("empty-slot-draws", "layer.lanes"),
        ("empty-slot-update", "layer.lanes"), ("rate-left", "no rate is shifted left"),
        ("place-first", "gates.synapses"),
    ):  # fmt: skip
        with pytest.raises(BitlifError, match=f"^fault {name} has no effect in tiny: .*{reason}"):
            faulty_verilog(name, Config.load("tiny"))
    for name in ("lfsr-taps", "lfsr-leap", "noise-bit", "noise-truncated", "lfsr-stale"):
        with pytest.raises(
            BitlifError, match=r"no effect in tiny: noise\.kind must not be 'none'$"
        ):
            faulty_verilog(name, Config.load("tiny").replace(noise__kind="none"))
    with pytest.raises(BitlifError, match="did you mean 'lfsr-taps'"):
        faulty_verilog("lfsr-tap", config)


def test_verify_locates_fault_and_writes_replay(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["verify", "tiny", "--simulator", "icarus"]
    assert main([*arguments, "--inject", "threshold-greater", "--seed", "3"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "spike at window 2, step 0, neuron 3: 0 in the gates, 1 in the model; the" in printed
    folder = tmp_path / "bitlif-verify-tiny"
    kept = {path.name for path in folder.iterdir()}
    assert {"config.toml", "core.sv", "task.npz", "difference.json", "waveform.fst"} <= kept
    assert (folder / "waveform.fst").stat().st_size > 1000
    told = json.loads((folder / "difference.json").read_text())
    assert told["place"] == {"window": 2, "step": 0, "neuron": 3}
    command = told["replay"].split()
    assert main(command[1:]) == 1
    assert "first difference: spike at window 2, step 0, neuron 3" in " ".join(
        capsys.readouterr().out.split()
    )
    # A later replay may overwrite this one, but no other folder.
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "difference.json").write_text("{}")
    assert main([*arguments, "--out", str(tmp_path / "other")]) == 2


def test_verilator_writes_a_waveform(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "kept"
    arguments = ["verify", "tiny", "--simulator", "verilator", "--windows", "1"]
    assert main([*arguments, "--inject", "lfsr-taps", "--out", str(out)]) == 1
    assert "first difference: noise draw at window 0, step 0" in capsys.readouterr().out
    (wave,) = out.glob("waveform.*")
    assert wave.suffix in (".fst", ".vcd")
    assert wave.stat().st_size > 1000


def test_core_that_cannot_be_built_raises(tmp_path: Path) -> None:
    work = random_work(Config.load("tiny"), 0, 1)
    with pytest.raises(BitlifError, match=r"^building the core failed; .*build\.log$"):
        run_cosim(work, tmp_path, simulator="icarus", verilog="module bitlif_tiny(; endmodule\n")
    assert (tmp_path / "build.log").read_text()


def test_verify_without_mismatch_leaves_no_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["verify", "tiny", "--windows", "1", "--simulator", "icarus"]
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["agree"] is True
    assert report["by"]["icarus"]["compared"]["spike"] == 16 * 4
    assert report["by"]["icarus"]["float"]["membrane potential"]["beyond"] == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "verify needs either a CONFIG"),
        (["tiny", "--replay", "x"], "verify needs either a CONFIG"),
        (["--replay", "nowhere"], "nowhere"),
        (["tiny", "--inject", "spike"], "--inject must be one of"),
        (["tiny", "--windows", "0"], "--windows must be"),
        (["tiny", "--stall", "1"], "--stall must be"),
    ],
)
def test_verify_rejects_invalid_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_list_of_faults_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--list-faults", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert sorted(listed) == sorted([*FAULTS, *NETWORK_FAULTS])
    assert len(FAULTS) >= 12
