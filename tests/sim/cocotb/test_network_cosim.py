"""Networks under cocotb: every signal of every layer, with stalls, and resets in the sweep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from network_faults import active_work
from networks import random_networks, sweepable

from bitlif.model.config.network import NetworkConfig
from bitlif.model.network import Network
from bitlif.model.network_clocks import network_window_ends
from bitlif.scripts.main import main
from bitlif.sim.cocotb.network_cosim import run_network_cosim
from bitlif.sim.compare.network_compare import compare_network_run, resets_of
from bitlif.sim.compare.network_expected import compute_network_expected, random_network_work
from bitlif.sim.compare.network_float_check import network_float_distances
from bitlif.tasks.scenario import NetworkWork


def network(number: int) -> NetworkConfig:
    return sweepable(random_networks(12)[number], number)


@pytest.mark.parametrize(
    ("update", "simulator", "stall"), [("spike", "icarus", 0.0), ("window", "verilator", 0.4)]
)
def test_network_is_the_model_also_after_resets(
    update: str, simulator: str, stall: float, tmp_path: Path
) -> None:
    work = active_work(update)
    run = run_network_cosim(
        work, tmp_path, simulator=simulator, stall=stall, false_starts=resets_of(work)
    )
    found = compare_network_run(work, run, stalled=stall > 0)
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
    run = run_network_cosim(
        work, tmp_path, simulator="verilator", stall=stall, false_starts=resets_of(work)
    )
    found = compare_network_run(work, run, stalled=stall > 0)
    assert (found.first, found.agrees) == (None, True)


def test_resets_fall_into_the_steps_and_the_sweep() -> None:
    work = random_network_work(network(5), 5, 2)
    forward, sweep = resets_of(work)
    model = Network(work.network)
    model.load(work.weights)
    one = work.events.select([0])
    steps = network_window_ends(work.network, one, [model.run(one)], [False]).max()
    assert 0 < forward < steps < sweep
    idle = NetworkWork(work.network, work.weights, work.events, work.targets, learns=False)
    assert len(resets_of(idle)) == 1


def test_command_verifies_networks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network(9).save(tmp_path / "n.toml")
    call = ["verify", str(tmp_path / "n.toml"), "--windows", "1", "--simulator", "icarus"]
    assert main([*call, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["agree"]
    assert sum(told["by"]["icarus"]["compared"].values()) > 0
    for words in (["--inject", "threshold-greater"], ["--out", str(tmp_path / "x")]):
        assert main([*call, *words]) == 2
        assert f"{words[0]} cannot be used with a network" in capsys.readouterr().err
