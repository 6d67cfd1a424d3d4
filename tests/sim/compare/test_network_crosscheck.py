"""Networks on several backends at once: equal, and where the first difference is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from active_networks import active_layers
from network_faults import active_work, faulty_network
from networks import random_networks, sweepable

import bitlif
from bitlif.hdl.export.network_verilog import network_verilog
from bitlif.model.errors import BitlifError
from bitlif.scripts.main import main
from bitlif.sim.backends.network_gates import NetworkGateCore
from bitlif.sim.compare.compare import SignalPair
from bitlif.sim.compare.network_crosscheck import (
    STEP,
    crosscheck_network,
    first_mismatch,
    signal_name,
)
from bitlif.sim.compare.network_expected import random_network_work

pytestmark = pytest.mark.usefixtures("quick")

ACTIVE = 6
"""A random network in which the command compares sweeps of all layers that are not all 0."""


@pytest.mark.parametrize("update", ["spike", "window"])
def test_networks_agree(update: str) -> None:
    work = active_work(update)
    config = work.network
    with bitlif.open(config) as model, bitlif.open(config, "rtl") as gates:
        first, other = crosscheck_network([model, gates], work)
    assert other.agrees
    assert (other.windows, other.signature, first.clocks) == (2, first.signature, None)
    assert other.clocks is not None
    for number in range(len(config.layers)):
        for part, signal in (("forward", "spike"), ("sweep", "adjoint current"), ("end", "weight")):
            assert other.compared[signal_name(number, part, signal)] > 0


@pytest.mark.parametrize(
    ("part", "step", "signal"),
    [
        ("forward", 2, "layer.1 forward: spike"),
        ("sweep", 3, "layer.1 sweep: adjoint current"),
    ],
)
def test_first_difference_names_layer_and_part(part: str, step: int, signal: str) -> None:
    pairs = {}
    for number in range(3):
        for where, name in (("forward", "spike"), ("sweep", "adjoint current")):
            values, other = (np.zeros((1, 6, 4), np.int64) for _ in range(2))
            if (number == 1 and where == part) or (number == 0 and where != "forward"):
                other[0, 2:4, 3] = 1
            pairs[signal_name(number, where, name)] = SignalPair(values, other, STEP)
    found = first_mismatch(pairs, 7, 3, 6)
    assert found is not None
    assert (found.signal, found.place) == (signal, {"window": 7, "step": step, "neuron": 3})
    assert found.describe("rtl", "model").startswith(f"{signal} at window 7, step {step}, neuron 3")


def test_a_fault_in_gates_is_found_in_its_layer() -> None:
    config = faulty_network("window")
    text = network_verilog(config)
    start = text.index("module \\bitlif_faulty.layer_1 (")
    # The surrogate derivatives that layer 1 keeps are those of no membrane.
    end = text.index("endmodule", start)
    part = text[start:end]
    faulty = part.replace(".absent(", ".absent(~", 1)
    assert faulty != part
    work = random_network_work(config, 0, 2)
    with (
        bitlif.open(config) as model,
        NetworkGateCore(config, "rtl", verilog=text[:start] + faulty + text[end:]) as gates,
    ):
        _, other = crosscheck_network([model, gates], work)
    assert other.first is not None
    assert other.first.signal == "layer.1 sweep: adjoint current"


def test_command_compares_networks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = sweepable(random_networks(12)[ACTIVE], ACTIVE)
    config.save(tmp_path / "n.toml")
    # The command draws these windows: in all of its layers the gates sweep other values than 0.
    drawn = random_network_work(config, 0, 2)
    active = active_layers(config, drawn.events, drawn.weights, drawn.targets)
    assert len(active) == len(config.layers) > 1
    assert all(active.values())
    call = ["crosscheck", str(tmp_path / "n.toml"), "--windows", "2"]
    assert main([*call, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["agree"]
    for number in active:
        name = signal_name(number, "sweep", "adjoint current")
        assert told["by"]["rtl"]["compared"][name] > 0
    for words, text in (
        (["--inject", "threshold-greater"], "--inject cannot be used with a network"),
        (["--backends", "float,model"], "--backends float cannot be used with a network"),
    ):
        assert main([*call, *words]) == 2
        assert text in capsys.readouterr().err
    with bitlif.open(config, "float") as core, pytest.raises(BitlifError, match="bit for bit"):
        crosscheck_network([core], random_network_work(config, 0, 1))
