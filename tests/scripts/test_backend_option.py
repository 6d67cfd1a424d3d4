"""``--backend`` of the commands, and ``bitlif bench cosim``."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif import Config
from bitlif.hdl.export import programs
from bitlif.model.config.network import network_from_dict
from bitlif.model.layer import Layer
from bitlif.scripts.benchmarks import cosim as bench_cosim
from bitlif.scripts.main import main
from bitlif.tasks.digits import load_digits_task
from bitlif.tasks.task import classify, judged_by
from bitlif.tasks.training import train


def report(call: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main([*call, "--json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def test_gates_learn_and_run_like_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learned, ran = {}, {}
    for backend in ("model", "rtl"):
        out = tmp_path / backend
        call = ["learn", "tiny", "--backend", backend, "--epochs", "30", "--out", str(out)]
        learned[backend] = report(call, capsys)
        call = ["run", "tiny", "--backend", backend, "--weights", str(out / "weights.npz")]
        call += ["--spikes", str(out / "spikes.npz"), "--out", str(out / "spoken.npz")]
        ran[backend] = report(call, capsys)
    for name in ("weights.npz", "spikes.npz", "spoken.npz"):
        with np.load(tmp_path / "model" / name) as one, np.load(tmp_path / "rtl" / name) as other:
            for key in one.files:
                np.testing.assert_array_equal(one[key], other[key])
    own = {"backend", "seconds", "learning_steps_per_second", "neuron_steps_per_second", "written"}
    for told in (learned, ran):
        assert told["rtl"]["backend"] == "rtl"
        for key in set(told["model"]) - own:
            assert told["model"][key] == told["rtl"][key], key
    assert ran["rtl"]["clocks"] > 0
    assert len(ran["rtl"]["signature"]) == 8


def test_float_is_a_backend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = [
        report(
            ["learn", "tiny", *words, "--epochs", "5", "--out", str(tmp_path / words[-1])], capsys
        )
        for words in (["--float"], ["--backend", "float"])
    ]
    assert told[0]["backend"] == told[1]["backend"] == "float"
    assert told[0]["synaptic_events"] == told[1]["synaptic_events"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--backend", "rlt"], "--backend must be one of .*'rlt', did you mean 'rtl'"),
        (["--backend", "rtl", "--float"], "--float must not be combined with --backend rtl"),
        (["--backend", "rtl", "--threads", "2"], "--threads must be 1 with --backend rtl, not 2"),
        (["--float", "--threads", "2"], "--threads must be 1 with --backend float, not 2"),
    ],
)
def test_wrong_requests_are_one_sentence(
    words: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(["learn", "tiny", "--epochs", "1", "--out", str(tmp_path / "a")], capsys)
    call = ["run", "tiny", "--weights", str(tmp_path / "a" / "weights.npz")]
    assert main([*call, "--spikes", str(tmp_path / "a" / "spikes.npz"), *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert re.search(text, said), said


def test_missing_compiler_leaves_no_result_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = programs._programs
    monkeypatch.setattr(
        programs, "_programs", lambda name, *rest: iter([]) if name == "g++" else find(name, *rest)
    )
    assert main(["learn", "tiny", "--backend", "rtl", "--out", str(tmp_path / "a")]) == 2
    assert "apt-get install g++" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_ties_without_membranes_go_to_the_lower_class() -> None:
    class Ports(Layer):
        records = ()  # type: ignore[assignment]

    config = Config.load("digits").replace(window__steps=8)
    digits = load_digits_task(8, 0).head(20)
    layer = Ports(config)
    assert judged_by(layer) == ((), True)
    history = train(layer, "digits", epochs=1, examples=digits, probe=Ports(config))
    assert 0.0 <= history[0].test_accuracy <= 1.0
    result = layer.run(digits.test)
    silent = dataclasses.replace(result, raster=np.zeros_like(result.raster))
    assert not classify(silent, by_spikes=True).any()


def test_bench_ways_have_one_signature(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = report(["bench", "cosim", "--config", "tiny", "--windows", "20"], capsys)
    names = [row["name"] for row in told["rows"]]
    whole, recorded, stepped, slow = told["rows"]
    assert names == [
        "rtl, spikes only", "rtl, all recorded", "rtl, step by step", "cocotb, Icarus, all recorded"
    ]  # fmt: skip
    assert whole["clocks"] == recorded["clocks"] == stepped["clocks"] > slow["clocks"]
    assert told["steps_per_second"] == 20 * 16 / stepped["seconds"]
    assert all(row["clocks_per_second"] > 0 for row in told["rows"])
    assert told["rows"][0]["build"] > 0
    ratio = recorded["clocks_per_second"] / slow["clocks_per_second"]
    assert told["ratio_to_icarus"] == ratio


def test_bench_reports_missed_limits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        bench_cosim.Row("rtl, spikes only", 2, 1000, 1.0, 2.0),
        bench_cosim.Row("rtl, all recorded", 2, 1000, 2.0, 2.0),
        bench_cosim.Row("cocotb, Icarus, all recorded", 2, 1000, 20.0),
    ]
    monkeypatch.setattr(bench_cosim, "measure", lambda work, netlists: rows)
    assert main(["bench", "cosim", "--config", "tiny", "--check"]) == 1
    printed = capsys.readouterr().out
    assert "missed: clocks a second, ratio to cocotb with Icarus" in printed
    assert main(["bench", "cosim", "--config", "tiny"]) == 0


@pytest.mark.usefixtures("quick")
def test_gates_learn_and_run_networks_like_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = {
        "name": "small",
        "window": {"steps": 10},
        "layer": [
            {"inputs": 7, "neurons": 6, "lanes": 2, "initial": {"low": 0.0, "high": 0.8}},
            {"neurons": 3, "initial": {"low": -0.3, "high": 0.6}},
        ],
    }
    config = str(tmp_path / "small.toml")
    network_from_dict(tree).save(config)
    random = np.random.default_rng(4)
    labels = random.integers(0, 3, 16)
    table = tmp_path / "table.npz"
    np.savez(table, X=np.eye(3)[labels] + random.normal(0, 0.2, (16, 3)), y=labels)
    learned, ran = {}, {}
    for backend in ("model", "rtl"):
        out = tmp_path / backend
        call = ["learn", config, "--data", str(table), "--epochs", "2", "--backend", backend]
        learned[backend] = report([*call, "--out", str(out)], capsys)
        call = ["run", config, "--backend", backend, "--weights", str(out / "weights.npz")]
        call += ["--spikes", str(out / "spikes.npz"), "--layers", str(out / "layers")]
        ran[backend] = report(call, capsys)
    own = {
        "backend", "seconds", "learning_steps_per_second", "neuron_steps_per_second",
        "layers_written",
    }  # fmt: skip
    for told in (learned, ran):
        for key in set(told["model"]) - own:
            assert told["model"][key] == told["rtl"][key], key
    assert ran["rtl"]["clocks"] > 0
    for name in ("weights.npz", "layers/layer.0.npz", "layers/layer.1.npz"):
        with np.load(tmp_path / "model" / name) as one, np.load(tmp_path / "rtl" / name) as other:
            for key in one.files:
                np.testing.assert_array_equal(one[key], other[key])
