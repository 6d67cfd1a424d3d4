"""``bitlif quantize``: folder, report and picture agree; errors are one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.files.event_file import load_events, save_events
from bitlif.model.files.weight_file import load_network_weights, save_network_weights
from bitlif.model.network import Network
from bitlif.scripts.main import main
from bitlif.scripts.quantize import logic_cells, memory_bits

WINDOWS = 40


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with a NIR file of the network `yin-yang`, spikes and labels."""
    monkeypatch.chdir(tmp_path)
    network = NetworkConfig.load("yin-yang").replace(layer__0__neurons=12, layer__1__inputs=12)
    random = np.random.default_rng(0)
    weights = network.initial_weights()
    save_network_weights("weights.npz", weights, network)
    network.save("config.toml")
    steps, inputs = network.outer.window.steps, network.outer.layer.inputs
    for name in ("data", "test"):
        events = Events.from_raster(random.random((WINDOWS, steps, inputs)) < 0.5)
        save_events(f"{name}.npz", events)
        core = Network(network)
        core.load(weights)
        np.savez(f"{name}_labels.npz", labels=core.run(events).output.counts.argmax(1))
    assert main(["export", "config.toml", "--weights", "weights.npz", "-o", "net.nir"]) == 0
    return tmp_path


FILES = ["--data", "data.npz", "--labels", "data_labels.npz"]

WORDS = ["quantize", "net.nir", *FILES, "--out", "small"]


def test_folder_and_report_agree(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    tested = ["--test", "test.npz", "--test-labels", "test_labels.npz", "--loss", "10", "--json"]
    assert main([*WORDS, *tested]) == 0
    printed = json.loads(capsys.readouterr().out)
    report = json.loads((folder / "small" / "report.json").read_text())
    assert printed == {**report, "written": "small"}
    network = NetworkConfig.load("small/config.toml")
    weights = load_network_weights("small/weights.npz", network)
    assert [own["weight"] for own in report["layers"]] == [
        str(own.config.synapse.weight) for own in network.layers
    ]
    assert (report["cells"], report["memory_bits"]) == (logic_cells(network), memory_bits(network))
    assert report["path"][0]["cost"] == 2.0
    assert report["path"][-1]["cost"] < 2.0
    assert report["accuracy"]["after"] == report["path"][-1]["accuracy"]
    assert report["accuracy"]["after"] >= report["accuracy"]["before"] - 0.1
    assert not report["fine_tuned"]
    for name, accuracy in (("data", "accuracy"), ("test", "test_accuracy")):
        with np.load(f"{name}_labels.npz") as file:
            labels = file["labels"]
        core = Network(network)
        core.load(weights)
        steps, units = network.outer.window.steps, network.outer.layer.inputs
        counts = core.run(load_events(f"{name}.npz", steps=steps, units=units)).output.counts
        assert report[accuracy]["after"] == (counts.argmax(1) == labels).mean()
    assert matplotlib.image.imread(folder / "small" / "pareto.png").std() > 0
    assert main([*WORDS, "--force"]) == 0
    assert "accuracy: in real numbers" in capsys.readouterr().out


def test_fine_tuning_uses_other_windows_than_the_measurement(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    words = ["--sigma", "0.2", "--fine-tune", "1", "--loss", "20", "--json"]
    assert main([*WORDS, *words]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["windows"] == WINDOWS // 4
    worse = report["accuracy"]["fine_tuned"] < report["accuracy"]["after"]
    assert report["fine_tuned"] is not worse
    assert (folder / "small" / "weights.npz").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--test test.npz", "--test and --test-labels need each other"),
        ("--fine-tune 2", "--fine-tune needs --sigma above 0: without noise"),
        ("--fine-tune 0 --sigma 0.1", "--fine-tune must be in 1 ..= 1000, not 0"),
        ("--loss -1", "loss must be in 0"),
        ("--data none.npz", "none.npz"),
    ],
)
def test_errors_are_one_sentence(
    words: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    before = sorted(folder.iterdir())
    assert main([*WORDS, *words.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err.splitlines()[-1]
    assert sorted(folder.iterdir()) == before
