"""Crosscheck compares everything that two backends show, and locates faults."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from bitlif import Config
from bitlif.hdl.export.verilog import core_verilog
from bitlif.model.errors import BitlifError
from bitlif.model.files.event_file import save_events
from bitlif.model.files.weight_file import save_weights
from bitlif.scripts.main import main
from bitlif.sim.backends.gates import GateCore
from bitlif.sim.backends.models import FloatCore, ModelCore
from bitlif.sim.compare.crosscheck import BackendComparison, crosscheck
from bitlif.sim.compare.faults import FAULTS, faulty_verilog
from bitlif.tasks.stimulus import random_work

TINY = Config.load("tiny")
SEEN_BY_PORTS = {
    "output event", "clocks of steps", "clocks of windows", "weight",
    "current read back", "membrane read back", "trace_current read back", "trace read back",
    "noise LFSR", "update LFSR", "phase", "counters", "signature",
}  # fmt: skip
SEEN_INSIDE = {
    "step signature", "synaptic current", "membrane potential", "noise draw", "error", "PSP trace",
    "gradient",
}  # fmt: skip


def against_model(backend: str, verilog: str | None = None, windows: int = 12) -> BackendComparison:
    with ModelCore(TINY) as model, GateCore(TINY, backend, verilog=verilog) as core:
        return crosscheck([model, core], random_work(TINY, 0, windows))[1]


@pytest.mark.parametrize(
    ("backend", "seen"),
    [("rtl", SEEN_BY_PORTS | SEEN_INSIDE), ("netlist:ice40", SEEN_BY_PORTS)],
)
def test_all_visible_signals_are_compared(backend: str, seen: set[str]) -> None:
    outcome = against_model(backend)
    assert outcome.agrees
    assert outcome.first is None
    assert set(outcome.compared) == seen
    assert outcome.compared.get("step signature", 12 * 16) == 12 * 16
    assert outcome.compared["weight"] == 12 * 6 * 4
    assert outcome.windows == 12


@pytest.mark.parametrize(
    ("fault", "signal"),
    [
        ("threshold-greater", "output event"), ("lfsr-taps", "noise draw"),
        ("update-magnitude", "weight"), ("table-columns", "error"),
    ],
)  # fmt: skip
def test_injected_fault_is_located_with_its_operation(fault: str, signal: str) -> None:
    outcome = against_model("rtl", faulty_verilog(fault, TINY), windows=30)
    assert outcome.first is not None
    assert outcome.first.signal == signal
    assert outcome.first.operation
    assert outcome.first.gates != outcome.first.model
    # Earlier windows matched, and later ones were not run.
    assert outcome.windows == outcome.first.place["window"] + 1
    assert set(FAULTS) > {fault}


def test_fault_in_netlist_shows_at_its_ports() -> None:
    outcome = against_model("netlist:ecp5", faulty_verilog("trace-floor", TINY))
    assert outcome.first is not None
    assert outcome.first.signal in {"weight", "trace read back"}


WIDE = TINY.replace(layer__neurons=7, layer__lanes=2, gates={"synapses": 6, "products": 4})


@pytest.mark.long
@pytest.mark.parametrize(
    ("backend", "config"),
    [
        ("netlist:ice40", WIDE.replace(gates__single_port="all")), ("netlist:ecp5", WIDE),
        ("netlist:ice40", TINY.replace(layer__lanes=1, gates={"synapses": 2})),
        ("netlist:ecp5", TINY.replace(gates={"products": 4})),
        ("netlist:gowin", WIDE), ("netlist:gowin", WIDE.replace(gates__single_port="all")),
        ("netlist:ice40hx", WIDE),
    ],
)  # fmt: skip
def test_netlists_with_wide_rows_match_the_model(backend: str, config: Config) -> None:
    with ModelCore(config) as model, GateCore(config, backend) as core:
        (_, outcome) = crosscheck([model, core], random_work(config, 1, 8))
    assert outcome.agrees, outcome.first


def test_stalled_core_is_left_out_and_reported() -> None:
    text = core_verilog(TINY)
    faulty = text.replace("assign step_done = ", "assign step_done = 1'h0 & ")
    assert faulty != text
    with (
        ModelCore(TINY) as model,
        GateCore(TINY, "rtl", verilog=faulty) as stuck,
        GateCore(TINY, "rtl") as sound,
    ):
        outcomes = crosscheck([model, stuck, sound], random_work(TINY, 0, 3))
    assert "no value in the gates" in str(outcomes[1].first)
    assert "stalled" in outcomes[1].note
    assert outcomes[1].signature is None
    assert outcomes[1].clocks is None
    assert outcomes[2].agrees
    assert outcomes[2].windows == 3


def test_wrong_weights_are_detected_without_learning() -> None:
    work = dataclasses.replace(random_work(TINY, 0, 2), learn=False)

    class Wrong(ModelCore):
        def load(self, weights: np.ndarray) -> None:
            super().load(np.where(weights == weights.max(), weights - 1, weights))

    first = crosscheck([ModelCore(TINY), Wrong(TINY)], work)[1].first
    assert first is not None
    assert first.signal in {"synaptic current", "weights read back"}


def test_float_twin_is_rejected() -> None:
    with pytest.raises(BitlifError, match="float twin cannot be compared bit for bit"):
        crosscheck([ModelCore(TINY), FloatCore(TINY)], random_work(TINY, 0, 1))


def test_command_compares_and_reports(capsys: pytest.CaptureFixture[str]) -> None:
    call = ["crosscheck", "tiny", "--backends", "float,model,rtl", "--windows", "4", "--json"]
    assert main(call) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["agree"]
    assert report["by"]["model"]["signature"] == report["by"]["rtl"]["signature"]
    assert sum(report["by"]["rtl"]["compared"].values()) > 1000
    assert report["float"]["membrane potential"]["beyond"] == 0
    assert main([*call, "--inject", "threshold-greater", "--seed", "1", "--windows", "60"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert "output event at window" in report["by"]["rtl"]["first"]


def test_command_prints_table_and_first_mismatch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call = ["crosscheck", "tiny", "--windows", "30", "--inject", "lfsr-taps"]
    assert main(call) == 1
    printed = capsys.readouterr().out
    assert "first difference: noise draw at window 0" in printed
    assert "MISMATCH" in printed
    assert "bitlif verify tiny --windows 30 --seed 0 --inject lfsr-taps" in printed
    assert main(["crosscheck", "tiny", "--inference", "--windows", "2"]) == 0
    assert "all agree" in capsys.readouterr().out


def test_own_inputs_run_on_gates_and_are_named_in_the_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = random_work(TINY, 0, 2)
    files = {name: str(tmp_path / f"{name}.npz") for name in ("weights", "spikes", "targets")}
    save_weights(files["weights"], work.weights, TINY)
    save_events(files["spikes"], work.events)
    assert work.targets is not None
    np.savez(files["targets"], targets=work.targets.astype(np.uint16))
    options = [word for name, file in files.items() for word in (f"--{name}", file)]
    signatures = []
    # The same inputs, from files and from the seed: only a part of them is in files.
    for own in (options, options[:2], ["--windows", "2"]):
        capsys.readouterr()
        assert main(["crosscheck", "tiny", *own, "--windows", "2", "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["by"]["rtl"]["windows"] == 2
        signatures.append(report["by"]["rtl"]["signature"])
    assert len(set(signatures)) == 1
    assert main(["crosscheck", "tiny", *options, "--inject", "lfsr-taps"]) == 1
    words = " ".join(["tiny", "--windows 2", "--seed 0", *options, "--inject lfsr-taps"])
    assert words in capsys.readouterr().out.replace("\n", "")
    call = ["verify", "tiny", *options, "--simulator", "icarus", "--json"]
    assert main(call) == 0
    assert json.loads(capsys.readouterr().out)["by"]["icarus"]["compared"]["spike"] == 2 * 16 * 4


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--backends", "model,rlt"], "'rlt', did you mean 'rtl'"),
        (["--backends", "model"], "--backends must name at least two, not 'model'"),
        (["--windows", "0"], "--windows must be in 1"),
        (["--inject", "nothing"], "--inject must be one of"),
        (["--inject", "lfsr-taps", "--inference"], "--inject cannot be used with --inference"),
    ],
)
def test_invalid_arguments_exit_2_with_one_sentence(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crosscheck", "tiny", *arguments]) == 2
    said = capsys.readouterr().err
    assert text in said
    assert said.count("\n") == 1
