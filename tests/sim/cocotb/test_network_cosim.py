"""Networks under cocotb: every signal of every layer, with stalls, and resets in the sweep."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from network_faults import active_work, faulty_network
from networks import random_networks, sweepable
from operations import equations

from bitlif.model.config.network import NetworkConfig
from bitlif.model.network import Network
from bitlif.model.network_clocks import network_window_ends
from bitlif.scripts.main import main
from bitlif.sim.cocotb.network_cosim import run_network_cosim
from bitlif.sim.compare.network_compare import compare_network_run, resets_of
from bitlif.sim.compare.network_expected import compute_network_expected, random_network_work
from bitlif.sim.compare.network_faults import faulty_network_verilog
from bitlif.sim.compare.network_float_check import network_float_distances


def network(number: int) -> NetworkConfig:
    return sweepable(random_networks(12)[number], number)


@pytest.mark.parametrize(
    ("update", "simulator", "stall"), [("spike", "icarus", 0.0), ("window", "verilator", 0.4)]
)
def test_network_is_the_model_also_after_resets(
    update: str, simulator: str, stall: float, tmp_path: Path
) -> None:
    work = active_work(update)
    work = replace(work, stall=stall, false_starts=resets_of(work))
    run = run_network_cosim(work, tmp_path, simulator=simulator)
    found = compare_network_run(work, run)
    assert found.first is None
    assert found.agrees
    for number, layer in enumerate(run.layers):
        assert found.compared[f"layer.{number} sweep: adjoint current"] > 0
        assert layer.observed["adjoint current"].any()
    assert any("clocks" in name for name in found.compared) == (stall == 0)
    expected = compute_network_expected(work)
    distances = network_float_distances(work, run, expected)
    assert distances["layer.0 adjoint current"].values > 0
    for name, distance in distances.items():
        assert distance.beyond == 0, name
    run.layers[0].observed["adjoint current"][0, 3, 0] += 1 << 14
    distances = network_float_distances(work, run, expected)
    assert distances["layer.0 adjoint current"].beyond == 1


@pytest.mark.long
@pytest.mark.parametrize("number", range(16))
@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_random_networks_are_the_model_in_verilator(
    number: int, stall: float, tmp_path: Path
) -> None:
    config = sweepable(random_networks(16)[number], number)
    work = random_network_work(config, number, 3, learns=number % 4 > 0)
    work = replace(work, stall=stall, false_starts=resets_of(work))
    run = run_network_cosim(work, tmp_path, simulator="verilator")
    found = compare_network_run(work, run)
    assert (found.first, found.agrees) == (None, True)
    distances = network_float_distances(work, run, compute_network_expected(work))
    assert bool(distances) == work.learns
    assert {name for name, own in distances.items() if own.beyond} == set()


def test_undefined_values_are_reported_where_they_begin(tmp_path: Path) -> None:
    work = active_work("sparse")
    # A lane without a neuron asks for credit of a row of weights that was never written.
    text = faulty_network_verilog("surrogate-absent@0", work.network)
    run = run_network_cosim(work, tmp_path, simulator="icarus", verilog=text)
    assert run.stalled
    found = compare_network_run(work, run)
    assert found.first is not None
    assert found.first.signal == "layer.0 sweep: adjoint current"
    assert "no value in the gates" in str(found.first)
    assert "is undefined in clock cycle" in (tmp_path / "test.log").read_text()


def test_resets_fall_into_the_steps_and_the_sweep() -> None:
    work = random_network_work(network(5), 5, 2)
    forward, sweep = resets_of(work)
    model = Network(work.network)
    model.load(work.weights)
    one = work.events.select([0])
    steps = network_window_ends(work.network, one, [model.run(one)], [False]).max()
    assert 0 < forward < steps < sweep
    assert len(resets_of(replace(work, learns=False))) == 1


def test_command_verifies_networks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network(9).save(tmp_path / "n.toml")
    call = ["verify", str(tmp_path / "n.toml"), "--windows", "1", "--simulator", "icarus"]
    assert main([*call, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["agree"]
    assert sum(told["by"]["icarus"]["compared"].values()) > 0
    for fault, message in (
        ("threshold-greater", "--inject must be one of the 34 faults of networks that"),
        ("weights-stale", "no layer learns with sweep.update = 'spike'"),
    ):
        faulty_network("window").save(tmp_path / "w.toml")
        assert main(["verify", str(tmp_path / "w.toml"), "--inject", fault]) == 2
        assert message in capsys.readouterr().err


def test_fault_leaves_a_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faulty_network("spike").save(tmp_path / "n.toml")
    left = tmp_path / "left"
    call = ["verify", str(tmp_path / "n.toml"), "--windows", "1", "--simulator", "icarus", "--json"]
    assert main([*call, "--inject", "surrogate-width@1", "--stall", "0.1", "--out", str(left)]) == 1
    told = json.loads(capsys.readouterr().out)
    first = told["by"]["icarus"]["first"]
    assert first.startswith("layer.1 sweep: ")
    kept = json.loads((left / "difference.json").read_text())
    assert first.endswith(f"; the model computes {kept['operation']}")
    *_, last = equations(kept["operation"])
    assert (last.name, last.value) == ("kap", kept["model"])
    assert told["replay"] == str(left)
    assert (left / "waveform.fst").stat().st_size > 0
    again = ["verify", "--replay", str(left), "--simulator", "icarus", "--json"]
    assert main(again) == 1
    assert json.loads(capsys.readouterr().out)["by"]["icarus"]["first"] == first
    (left / "core.sv").write_text("module x; endmodule\n")
    assert main(again) == 2
    assert "core.sv' is not run: line 1 must be" in capsys.readouterr().err
    (left / "core.sv").unlink()
    with np.load(left / "task.npz") as file:
        task = dict(file)
    for name, value, message in (
        ("weights_1", task["weights_1"][1:], "weights must be integers of shape"),
        ("pointers", np.append(task["pointers"], 0), "pointers must be of shape"),
        ("seed", np.array(-1), "seed must be in 0 ..="),
        ("targets", task["targets"][:, :0], "targets must not be empty"),
    ):
        np.savez(left / "task.npz", **{**task, name: value})
        assert main(again) == 2
        assert message in capsys.readouterr().err
    np.savez(left / "task.npz", **{name: own for name, own in task.items() if name != "weights_2"})
    assert main(again) == 2
    assert "must hold the array weights_2" in capsys.readouterr().err
