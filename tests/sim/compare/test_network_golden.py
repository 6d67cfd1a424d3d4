"""Golden sets of networks: the committed one, the reader, and the second sweep."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from networks import random_networks
from reference_network import run_reference_network

import bitlif
from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.model.files.weight_file import save_network_weights
from bitlif.scripts.main import main
from bitlif.sim.backends.network_models import NetworkModelCore
from bitlif.sim.compare.network_expected import (
    compute_network_expected,
    random_network_work,
)
from bitlif.sim.compare.network_golden import network_arrays, write_network_golden

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "tests" / "golden" / "network"
READER = ROOT / "docs" / "golden_reader.py"


def read(folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-I", "-S", str(READER), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_committed_set_is_written_again_with_the_same_bytes(tmp_path: Path) -> None:
    out = tmp_path / "again"
    assert main(["golden", str(COMMITTED / "config.toml"), "-o", str(out)]) == 0
    names = {path.name for path in COMMITTED.iterdir()}
    assert names == {path.name for path in out.iterdir()}
    for name in names:
        assert (out / name).read_bytes() == (COMMITTED / name).read_bytes(), name


def test_committed_set_shows_every_part() -> None:
    told = json.loads((COMMITTED / "manifest.json").read_text("utf-8"))
    first, second, last = told["layers"]
    assert (first["hidden"], last["hidden"]) == (True, False)
    assert first["sweep"]["surrogate"]["bits"] == 4
    assert second["sweep"]["credit"]["feedback"] == "sign"
    assert second["update"]["by"] == "spike"
    assert last["sweep"]["rounding"] == "toward_zero"
    for own in told["layers"]:
        assert own["counters"]["adjoint_current_saturations"] > 0
        assert own["counters"]["weight_saturations"] > 0
    assert first["counters"]["credit_saturations"] > 0
    names = {entry["name"] for entry in told["arrays"]}
    assert {"layer.0.credit", "layer.1.adjoint_current", "layer.2.error"} <= names
    assert "layer.1.gradient" not in names  # updated spike by spike


def test_reader_accepts_the_set_and_notices_a_changed_signature(tmp_path: Path) -> None:
    assert read(COMMITTED) == (0, "OK: network, 3 windows, 5203 values, all signatures\n")
    copy = tmp_path / "copy"
    shutil.copytree(COMMITTED, copy)
    told = json.loads((copy / "manifest.json").read_text("utf-8"))
    path = copy / "layer.1.signature.txt"
    values = [int(word) for word in path.read_text("ascii").split()]
    path.write_text(" ".join(str(own) for own in [values[0] ^ 1, *values[1:]]) + "\n", "ascii")
    assert read(copy)[0] == 1
    (entry,) = (own for own in told["arrays"] if own["name"] == "layer.1.signature")
    entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(told), "utf-8")
    code, text = read(copy)
    assert code == 1
    assert "signature after layer.1.window" in text


@pytest.mark.parametrize("number", range(4))
def test_values_are_those_of_the_naive_reference(number: int, tmp_path: Path) -> None:
    network = random_networks(6)[number]
    work = random_network_work(network, number, 2)
    expected = compute_network_expected(work, interpreted=True)
    naive = run_reference_network(network, work.weights, work.events, work.targets)
    for n, own in enumerate(expected.layers):
        if n >= network.learned_from:
            np.testing.assert_array_equal(own.observed["weight"][-1], naive["weights"][n])
            adjoints = np.array([window[n] for window in naive["adjoints"]])
            np.testing.assert_array_equal(own.observed["adjoint_current"], adjoints)
            assert own.counters["weight_saturations"] == naive["counts"][n]["weight"]
        else:
            assert "weight" not in own.observed
    write_network_golden(work, expected, tmp_path)
    assert read(tmp_path)[0] == 0


def test_arrays_of_a_run_without_learning_end_at_the_spikes() -> None:
    network = random_networks(6)[3]
    work = random_network_work(network, 1, 2, learns=False)
    expected = compute_network_expected(work, interpreted=True)
    names = {one.name for one in network_arrays(work, expected)}
    assert "layer.0.spike" in names
    assert not [name for name in names if "adjoint" in name or "sweep" in name or "update" in name]
    for weights, own in zip(work.weights, expected.layers, strict=True):
        assert set(own.counters) == {"current_saturations", "membrane_saturations"}
        assert weights.shape[1] == own.final["membrane"].size


@pytest.mark.parametrize("number", [0, 3])
def test_signature_is_that_of_the_core(number: int) -> None:
    network = random_networks(6)[number]  # the first keeps the weights of two layers
    work = random_network_work(network, number, 2)
    expected = compute_network_expected(work, interpreted=True)
    with NetworkModelCore(network, interpreted=True) as core:
        core.load(work.weights)
        core.learn(work.events, work.targets)
        assert core.signature() == expected.signature[-1]


def test_own_inputs_replace_drawn_ones(tmp_path: Path) -> None:
    network = NetworkConfig.load(COMMITTED / "config.toml")
    work = random_network_work(network, 9, 4)
    save_network_weights(tmp_path / "w.npz", work.weights, network)
    save_events(tmp_path / "s.npz", work.events)
    np.savez(tmp_path / "t.npz", targets=work.targets)
    out = tmp_path / "out"
    files = [f"--{name}={tmp_path / f'{name[0]}.npz'}" for name in ("weights", "spikes", "targets")]
    words = ["golden", str(COMMITTED / "config.toml"), "-o", str(out), *files]
    assert main([*words, "--windows", "2"]) == 0
    told = json.loads((out / "manifest.json").read_text("utf-8"))
    assert told["run"]["windows"] == 2
    assert told["run"]["given"] == ["weights", "spikes", "targets"]
    found = (out / "layer.1.initial_weight.txt").read_text("ascii").split()
    assert [int(word) for word in found] == work.weights[1].ravel().tolist()
    assert read(out)[0] == 0


def test_document_names_every_array_and_key() -> None:
    text = "".join(
        (ROOT / "docs" / name).read_text("utf-8") for name in ("golden.md", "golden-networks.md")
    )
    told = json.loads((COMMITTED / "manifest.json").read_text("utf-8"))
    names = {re.sub(r"layer\.\d\.", "", entry["name"]) for entry in told["arrays"]}
    keys = {key for own in told["layers"] for key in (*own, *own["sweep"])}
    for name in names | keys:
        assert f"`{name}`" in text, name


@pytest.mark.usefixtures("quick")
def test_gates_give_the_committed_values() -> None:
    told = json.loads((COMMITTED / "manifest.json").read_text("utf-8"))
    shapes = {entry["name"]: entry["shape"] for entry in told["arrays"]}

    def stored(name: str) -> np.ndarray:
        words = (COMMITTED / f"{name}.txt").read_text("ascii").split()
        return np.array([int(word) for word in words], np.int64).reshape(shapes[name])

    config = NetworkConfig.load(COMMITTED / "config.toml")
    numbers = range(len(config.layers))
    events = Events.from_raster(stored("input_spike").astype(bool))
    targets = stored("target").astype(np.uint16)
    signals = {
        "raster": "spike", "current": "synaptic_current", "membrane": "membrane_potential",
        "draws": "noise_draw", "errors": "error", "adjoints": "adjoint_current",
    }  # fmt: skip
    compared = 0
    with bitlif.open(config, "rtl") as core:
        core.load([stored(f"layer.{number}.initial_weight") for number in numbers])
        for w in range(events.windows):
            record = [name for name in core.records if name in signals]
            out = core.learn(events.select([w]), targets[w : w + 1], record=record)
            for number, own in enumerate(out.layers):
                for name, signal in signals.items():
                    if f"layer.{number}.{signal}" in shapes:
                        right = stored(f"layer.{number}.{signal}")[w]
                        np.testing.assert_array_equal(getattr(own, name)[0], right, err_msg=signal)
                        compared += right.size
                weights = stored(f"layer.{number}.weight")[w]
                np.testing.assert_array_equal(core.weights()[number], weights)
                compared += weights.size
            for number, signature in enumerate(core.layer_signatures()):
                assert signature == stored(f"layer.{number}.signature")[w]
            assert core.signature() == stored("signature")[w]
        for number, state in enumerate(core.state()):
            np.testing.assert_array_equal(state.membrane, stored(f"layer.{number}.final_membrane"))
    assert compared > 2000
