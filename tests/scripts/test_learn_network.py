"""``bitlif learn`` and ``bitlif run`` with networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bitlif
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.events import Events
from bitlif.model.files.event_file import load_events, save_events
from bitlif.model.files.weight_file import load_network_weights, save_network_weights, save_weights
from bitlif.scripts.main import main
from bitlif.sim.backends.network_result import NETWORK_COUNTERS
from bitlif.tasks.training import orders

NETWORK = network_from_dict(
    {
        "name": "small",
        "window": {"steps": 12},
        "layer": [
            {"inputs": 4, "neurons": 9, "lanes": 2, "initial": {"low": 0.0, "high": 0.8}},
            {"neurons": 3, "initial": {"low": -0.3, "high": 0.6}},
        ],
    }
)
RANDOM = np.random.default_rng(4)
EVENTS = Events.from_raster(RANDOM.random((6, 12, 4)) < 0.5)
TARGETS = RANDOM.random((6, 3))


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Compile the engine before anything that is printed is compared: that prints a line too."""
    with bitlif.open(NETWORK, "model") as core:
        core.learn(EVENTS, TARGETS)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a new folder with the network, spikes, targets, and a table of four features."""
    monkeypatch.chdir(tmp_path)
    NETWORK.save("small.toml")
    save_events("spikes.npz", EVENTS)
    np.savez("targets.npz", targets=TARGETS)
    labels = RANDOM.integers(0, 3, 40)
    table = np.eye(3)[labels] + RANDOM.normal(0, 0.2, (40, 3))
    np.savez("table.npz", X=table, y=labels)
    return tmp_path


def run(line: str, code: int = 0) -> None:
    assert main(line.split()) == code


def told(line: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    run(f"{line} --json")
    report = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert isinstance(report, dict)
    return report


LEARN = "learn small.toml --spikes spikes.npz --targets targets.npz --seed 3"
OWN = "learn small.toml --data table.npz --test 0.5 --epochs 4 --encoder latency"


def files(path: str) -> dict[str, bytes]:
    return {own.name: own.read_bytes() for own in Path(path).iterdir() if own.suffix == ".npz"}


def test_targets_are_learned_as_in_python(capsys: pytest.CaptureFixture[str]) -> None:
    report = told(f"{LEARN} --epochs 2 --out out", capsys)
    network = NetworkConfig.load("out/config.toml")
    assert network == NETWORK.seeded(3)
    assert (report["windows"], report["epochs"]) == (12, 2)
    layers = report["layers"]
    assert [own["neurons"] for own in layers] == [9, 3]
    assert layers[0]["spikes_per_window"] * 12 * 3 == layers[1]["synaptic_events"]
    assert sum(own["synaptic_events"] for own in layers) == report["synaptic_events"]
    for name in NETWORK_COUNTERS:
        assert report[name] == sum(own[name] for own in layers)
    again = load_network_weights("out/weights.npz", network)
    assert not np.array_equal(again[0], network.initial_weights()[0])
    run(f"{LEARN} --epochs 2 --out other")
    assert files("out") == files("other")


def test_resumed_run_is_the_whole_run_bit_for_bit(capsys: pytest.CaptureFixture[str]) -> None:
    whole = told(f"{LEARN} --epochs 3 --out whole", capsys)
    run(f"{LEARN} --epochs 1 --out parts")
    parts = told(f"{LEARN} --epochs 2 --out parts --resume", capsys)
    assert files("whole") == files("parts")
    for name in ("windows", "epochs", "layers", *NETWORK_COUNTERS):
        assert whole[name] == parts[name], name
    run(f"{LEARN} --epochs 1 --out parts --resume --seed 4", 2)
    assert "--seed must be 3" in capsys.readouterr().err


def test_initial_weights_are_those_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    weights = [np.full((4, 9), 5), np.full((9, 3), -7)]
    save_network_weights("start.npz", weights, NETWORK)
    run(f"{LEARN} --initial start.npz --out out")
    with bitlif.open(NETWORK.seeded(3), "model") as core:
        core.load(weights)  # type: ignore[arg-type]
        for order in orders(6, 1, 3):
            core.learn(EVENTS.select(order), TARGETS[order])
        learned: Any = core.weights()
    found = load_network_weights("out/weights.npz", NETWORK.seeded(3))
    for own, again in zip(learned, found, strict=True):
        np.testing.assert_array_equal(own, again)
    save_weights("layer.npz", np.zeros((6, 4), int), Config.load("tiny"))
    capsys.readouterr()
    run(f"{LEARN} --initial layer.npz --out x", 2)
    error = capsys.readouterr().err
    assert "single layer" in error
    assert error.count("\n") == 1


def test_own_data_are_learned_tested_and_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    report = told(f"{OWN} --out out", capsys)
    assert report["data"] == "table.npz"
    assert 0 <= report["test_accuracy"] <= 1
    names = {path.name for path in Path("out").iterdir()}
    assert {"weights.npz", "config.toml", "encoder.json", "raster.png", "weights.png"} <= names
    again = told("run out --layers layers --out last.npz", capsys)
    assert again["accuracy"] == report["test_accuracy"]
    assert again["output_spikes"] == again["layers"][1]["spikes"]
    for own, before in zip(again["layers"], report["layers"], strict=True):
        assert own["spikes_per_window"] == before["spikes_per_window"]
    hidden = load_events("layers/layer.0.npz", steps=12, units=9)
    assert hidden.count == again["layers"][0]["spikes"]
    assert load_events("layers/layer.1.npz", steps=12, units=3).count == again["output_spikes"]
    assert Path("last.npz").read_bytes() == Path("layers/layer.1.npz").read_bytes()
    run("run out --layers layers", 2)
    assert "--force" in capsys.readouterr().err
    run("run out --layers layers --force")
    assert told("run out --data table.npz", capsys)["windows"] == 40


def test_result_is_printed_layer_by_layer(capsys: pytest.CaptureFixture[str]) -> None:
    run(f"{LEARN} --out out")
    text = capsys.readouterr().out
    for fact in ("layer.0", "layer.1", "synaptic operations per window", "credit saturations"):
        assert fact in text
    run("run out")
    assert "silent neurons" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        ("run tiny --weights w.npz --spikes spikes.npz --layers x", ["needs a network", "--out"]),
        (
            "run small.toml --weights w.npz --spikes spikes.npz --backend serial:nowhere",
            ["the serial port 'nowhere' cannot be opened"],
        ),
        (
            "run small.toml --weights w.npz --spikes spikes.npz --layers x --backend netlist:ecp5",
            ["--layers", "netlist:ecp5", "--out"],
        ),
        (
            "run small.toml --weights w.npz --spikes spikes.npz --layers x --backend serial:x",
            ["--layers", "serial:x", "--out"],
        ),
        ("learn small.toml --task teacher --out x", ["single layer"]),
        ("learn small.toml --task digits --out x", ["65"]),
        ("learn small.toml --out x", ["none of"]),
    ],
)
def test_what_networks_cannot_do_is_refused_in_one_line(
    line: str, facts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if "tiny" in line:
        save_weights("w.npz", np.zeros((6, 4), int), Config.load("tiny"))
        save_events("spikes.npz", Events.from_times([0], [0], steps=16, units=6))
    else:
        save_network_weights("w.npz", NETWORK.initial_weights(), NETWORK)
    run(line, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert not Path("x").exists()
    for fact in facts:
        assert fact in error
