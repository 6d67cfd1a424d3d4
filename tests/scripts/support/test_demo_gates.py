"""The gates of the demo: it reports what a separate model computes, and every fault."""

from __future__ import annotations

import itertools
import json
import shlex
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from matplotlib.image import imread

from bitlif.model.clocks import step_clocks
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.toml import dump_config
from bitlif.model.extras import install_command
from bitlif.model.files.weight_file import load_weights
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.layer import Layer
from bitlif.model.result import Result
from bitlif.model.signature import Signature
from bitlif.model.storage.ownership import require_ours
from bitlif.scripts import demo as demo_command
from bitlif.scripts.drawing.waveform_figure import ROWS, draw_waveform
from bitlif.scripts.main import main
from bitlif.scripts.support import demo_gates
from bitlif.scripts.support.demo_gates import Gates, choose_simulator
from bitlif.scripts.support.demo_network_gates import LEARNED
from bitlif.scripts.support.waveform import Beat, Wave, beats, excerpts
from bitlif.sim.compare.faults import faulty_verilog
from bitlif.tasks.digits import class_targets, load_digits_task
from bitlif.tasks.learner import target_levels
from bitlif.tasks.task import Examples, classify

STEPS, SEED, SHOWN = 16, 5, (3, 7)
"""Short windows, and two classes only: seconds instead of half a minute."""


class Demo(NamedTuple):
    folder: Path
    config: Config
    report: dict[str, Any]
    text: str
    gates: Gates


def run_demo(folder: Path) -> int:
    path = folder / "short.toml"
    short = Config.load("digits").replace(window__steps=STEPS)
    path.write_text(dump_config(short), "utf-8")
    network = NetworkConfig.load("digits-96").replace(
        window__steps=STEPS, layer__0__neurons=8, layer__0__lanes=2
    )
    network.save(folder / "network.toml")
    line = f"demo --config {path} --epochs 1 --seed {SEED} --out {folder / 'out'}"
    return main([*shlex.split(line), "--network", str(folder / "network.toml")])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("gates")
    kept: list[Gates] = []
    text: list[str] = []

    def run_gates(*args: Any) -> Gates:
        kept.append(demo_gates.run_gates(*args))
        return kept[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_gates, "SHOWN", SHOWN)
        patch.setattr(demo_command, "run_gates", run_gates)
        patch.setattr(sys.stdout, "write", text.append)
        assert run_demo(folder) == 0
    report = json.loads((folder / "out" / "report.json").read_text())
    config = Config.load(folder / "out" / "config.toml")
    return Demo(folder / "out", config, report, "".join(text), kept[0])


def test_network_is_compared_layer_by_layer(demo: Demo) -> None:
    report = demo.report["network_gates"]
    assert report["agree"] is True
    run, learned = report["runs"].values()
    assert (run["windows"], learned["windows"]) == (len(SHOWN), LEARNED)
    steps = LEARNED * STEPS
    # Of each neuron and step draw, current, membrane and spike, and its adjoint current.
    for number, neurons in enumerate((8, 10)):
        assert learned["compared"][f"layer.{number} forward"] == 4 * steps * neurons
        errors = number
        assert learned["compared"][f"layer.{number} sweep"] == (1 + errors) * steps * neurons
    assert not any(sum(own["differ"].values()) for own in (run, learned))
    assert "gates and model of the network agree in all" in demo.text


class Run(NamedTuple):
    labels: np.ndarray
    result: Result
    layer: Layer
    signature: str


def model_run(demo: Demo, name: str) -> Run:
    """Run the digits again, in the model alone."""
    digits: Examples = load_digits_task(STEPS, SEED)
    learn = name == "learning"
    events, labels = (
        (digits.train, digits.train_labels) if learn else (digits.test, digits.test_labels)
    )
    chosen = [labels.tolist().index(label) for label in SHOWN]
    layer = Layer(demo.config)
    layer.load(load_weights(demo.folder / "weights.npz", demo.config))
    signature = Signature(demo.config.layer)
    parts = []
    for number in chosen:
        goals = target_levels(demo.config, class_targets(labels[[number]]))
        one = events.select([number])
        record = ("membrane", "errors")
        parts.append(layer.learn(one, goals, record=record) if learn else
                     layer.run(one, goals, record=record))  # fmt: skip
        signature.take_window(parts[-1])
        if learn:
            signature.take_weights(layer.weights)
    result = Result(
        np.concatenate([part.raster for part in parts]),
        membrane=np.concatenate([np.asarray(part.membrane) for part in parts]),
        errors=np.concatenate([np.asarray(part.errors) for part in parts]),
    )
    return Run(labels[chosen], result, layer, f"{signature.value:08x}")


@pytest.mark.parametrize("name", ["inference", "learning"])
def test_gates_match_a_second_model(demo: Demo, name: str) -> None:
    report = demo.report["gates"][name]
    run = model_run(demo, name)
    assert report["shown"] == list(SHOWN) == run.labels.tolist()
    winners = classify(run.result).tolist()
    assert report["winner"] == {"gates": winners, "model": winners}
    assert report["signature"] == {"gates": run.signature, "model": run.signature}
    assert report["weights_identical"]
    assert (report["differ"], report["first_difference"]) == (0, "")
    assert report["differ_by_digit"] == [0, 0]
    # Of each digit at least four values of a neuron and step; when learning, two of an input, too,
    # and gradient and weight of each synapse.
    least = STEPS * 10 * 4 + (STEPS * 65 * 2 + 2 * 650 if name == "learning" else 0)
    assert all(compared > least for compared in report["compared_by_digit"])
    assert report["compared"] > sum(report["compared_by_digit"])


def test_report_table_and_folder_agree(demo: Demo) -> None:
    gates = demo.report["gates"]
    assert gates["agree"] is True
    assert gates["simulator"] == choose_simulator()
    assert "waveform.png" in {own.name for own in demo.folder.iterdir()}
    require_ours("--out", demo.folder, "demo")
    values = sum(gates[name]["compared"] for name in ("inference", "learning"))
    assert f"gates and model agree in all {values:,} values" in demo.text
    for name in ("inference", "learning"):
        assert gates[name]["signature"]["gates"] in demo.text
    assert "waveform.png" in demo.text


def wave_of(demo: Demo) -> Wave:
    assert demo.gates.wave is not None
    return demo.gates.wave


def test_waveform_shows_the_models_step(demo: Demo) -> None:
    wave, run = wave_of(demo), model_run(demo, "learning")
    digits = load_digits_task(STEPS, SEED)
    first = digits.train.select([digits.train_labels.tolist().index(SHOWN[0])])
    spikes = run.result.raster[0, wave.step]
    errors = np.asarray(run.result.errors)[0, wave.step]
    # The first window's alone: later ones have no part in it.
    one = Result(run.result.raster[:1], errors=np.asarray(run.result.errors)[:1])
    ends = np.cumsum(step_clocks(demo.config, first, one, learn=True)[0]) - 1
    assert wave.begin + wave.clocks - 1 == ends[wave.step]
    rows = {name: [beat for beat in row if beat.own] for name, row in beats(wave).items()}
    words = {name: [beat.text for beat in row] for name, row in rows.items()}
    start, stop = first.pointers[wave.step : wave.step + 2]
    sent = [str(address) for address in first.addresses[start:stop]]
    taken = [beat.text for beat in rows["i_events.address"] if beat.moves]
    assert taken == [*sent, "last"]
    for name in ("gather", "neurons", "learn", "send"):
        assert words[name] == [str(wave.step)]
    gather, neurons, send = (rows[name][0] for name in ("gather", "neurons", "send"))
    assert gather.stop == neurons.start + 1
    assert neurons.stop == send.start + 1
    assert words["slot to neurons"] == ["0", "1", "2", "3", "4"]
    said = [word for word in "\n".join(words["neurons that spike"]).split("\n") if word != "–"]
    assert said == [str(neuron) for neuron in np.flatnonzero(spikes)]
    assert words["o_events.address"] == [*said, "last"]
    assert words["errors"] == ["\n".join(f"{e}".replace("-", "−") for e in pair)
                               for pair in errors.reshape(5, 2).tolist()]  # fmt: skip
    assert words["trace written"] == [str(place) for place in range(65)]
    width = gate_sizes(demo.config).products
    groups = [errors[at : at + width].any() for at in range(0, 10, width)]
    rows_due = [str(65 * group + place) for group in np.flatnonzero(groups) for place in range(65)]
    assert words["gradient row written"] == rows_due
    # The last row is written in the clock that ends the pass, the step in its last.
    if rows_due:
        assert rows["gradient row written"][-1].stop == rows["learn"][0].stop
    # Steps before it end in the clock cycles that are shown, too.
    assert sum(wave.whole("step done")) == wave.step + 1
    assert wave["step done"][-1] == 1


def test_excerpts_cover_every_kind_of_value(demo: Demo) -> None:
    wave = wave_of(demo)
    parts = excerpts(wave)
    assert parts[0][0] == 0
    assert parts[-1][1] == wave.clocks
    assert all(stop + 2 < start for (_, stop), (start, _) in itertools.pairwise(parts))
    for name, row in beats(wave).items():
        seen: list[Beat] = [
            beat for beat in row for a, b in parts if beat.start < b and beat.stop > a
        ]
        assert seen, name
    assert set(beats(wave)) == {name for name, line in ROWS if line is None} - {"clk"}


def test_picture_is_drawn_without_a_warning(demo: Demo, tmp_path: Path) -> None:
    # 15 by 8.2 inches of 110 dots.
    assert imread(demo.folder / "waveform.png").shape[:2] == (902, 1650)
    draw_waveform(tmp_path / "again.png", wave_of(demo))
    again = imread(tmp_path / "again.png")
    np.testing.assert_array_equal(again, imread(demo.folder / "waveform.png"))
    assert (again[..., :3] < 0.5).any(axis=-1).mean() > 0.01


def test_injected_fault_exits_with_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_gates, "SHOWN", SHOWN)
    monkeypatch.setattr(
        demo_gates, "gates_text", lambda config: faulty_verilog("membrane-leak", config)
    )
    assert run_demo(tmp_path) == 1
    text = capsys.readouterr().out
    assert "gates and model are NOT the same" in text
    assert "test digits: first difference: membrane potential at window 0" in text
    gates = json.loads((tmp_path / "out" / "report.json").read_text())["gates"]
    assert gates["agree"] is False
    assert gates["inference"]["differ"] > 0
    assert gates["inference"]["differ_by_signal"]["membrane potential"] > 0
    assert any(gates["inference"]["differ_by_digit"])
    signatures = gates["learning"]["signature"]
    assert signatures["gates"] != signatures["model"]


def test_stalled_core_is_reported_without_waveform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_gates, "SHOWN", SHOWN)
    true = demo_gates.gates_text
    monkeypatch.setattr(
        demo_gates,
        "gates_text",
        lambda config: true(config).replace("assign step_done = ", "assign step_done = 1'h0 & "),
    )
    assert run_demo(tmp_path) == 1
    text = capsys.readouterr().out
    assert "stuck" in text
    assert "DIFFER" in text
    assert "waveform" not in text
    assert not (tmp_path / "out" / "waveform.png").exists()


def refused(message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(folder / "out")]) == 2
    assert capsys.readouterr() == ("", f"bitlif demo: {message}; --no-gates skips them\n")
    assert list(folder.iterdir()) == []


def test_missing_simulator_is_reported_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    needed = "the demo's gates need a Verilog simulator: sudo apt-get install iverilog"
    refused(needed, tmp_path, capsys)


def test_missing_amaranth_is_reported_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "amaranth", None)
    needed = f"gates need Amaranth, which is not installed: {install_command('gates')}"
    refused(needed, tmp_path, capsys)


def test_verilator_replaces_missing_icarus(monkeypatch: pytest.MonkeyPatch) -> None:
    def which(name: str, path: str = "") -> str | None:
        return None if name == "iverilog" else f"/bin/{name}"

    monkeypatch.setattr("shutil.which", which)
    assert choose_simulator() == "verilator"
