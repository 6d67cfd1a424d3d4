"""``bitlif demo``: what it says is what its files hold, and what a second training finds."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.config.toml import config_hash
from bitlif.model.counters import COUNTERS
from bitlif.model.extras import install_command
from bitlif.model.files.event_file import load_events
from bitlif.model.files.weight_file import load_weights
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.network import Network
from bitlif.model.storage.ownership import MARKER, write_marker
from bitlif.scripts import demo as demo_command
from bitlif.scripts.drawing.demo_figure import full_colour
from bitlif.scripts.main import main
from bitlif.tasks.colours import BLUE, GREY, VERMILION
from bitlif.tasks.digits import class_targets, load_digits_task
from bitlif.tasks.learner import target_levels
from bitlif.tasks.task import classify
from bitlif.tasks.training import orders

SEED, EPOCHS = 5, 1
FILES = [
    "bitlif.json", "config.toml", "demo.png", "float_weights.npz", "labels.npz", "network.toml",
    "network_weights.npz", "report.json", "spikes.npz", "weights.npz",
]  # fmt: skip
"""Without the gates."""


class Demo(NamedTuple):
    folder: Path
    report: dict[str, Any]
    config: Config


def bitlif(line: str) -> int:
    return main(shlex.split(line))


def names(path: Path) -> list[str]:
    return sorted(own.name for own in path.iterdir())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo") / "out"
    assert bitlif(f"demo --seed {SEED} --epochs {EPOCHS} --no-gates --out {folder}") == 0
    report = json.loads((folder / "report.json").read_text(), parse_constant=pytest.fail)
    return Demo(folder, report, Config.load(folder / "config.toml"))


def array(path: Path, name: str) -> np.ndarray:
    with np.load(path) as data:
        return np.asarray(data[name])


def test_folder_holds_exactly_the_files(demo: Demo) -> None:
    assert names(demo.folder) == FILES
    assert names(demo.folder.parent) == ["out"]
    assert demo.config == Config.load("digits").seeded(SEED)


def test_written_digits_match_the_seed(demo: Demo) -> None:
    digits = load_digits_task(64, SEED)
    spikes = load_events(demo.folder / "spikes.npz")
    np.testing.assert_array_equal(spikes.addresses, digits.test.addresses)
    np.testing.assert_array_equal(spikes.pointers, digits.test.pointers)
    labels = array(demo.folder / "labels.npz", "labels")
    np.testing.assert_array_equal(labels, digits.test_labels)


def test_accuracies_match_the_written_weights(demo: Demo) -> None:
    spikes = load_events(demo.folder / "spikes.npz")
    labels = array(demo.folder / "labels.npz", "labels")
    layer = Layer(demo.config)
    layer.load(load_weights(demo.folder / "weights.npz", demo.config))
    # The twin's test noise has a seed of its own.
    twin = FloatLayer(demo.config, seed=SEED + 1)
    twin.load(array(demo.folder / "float_weights.npz", "weights"))
    for name, own in (("integer", layer), ("float", twin)):
        found = classify(own.run(spikes, record=("membrane",)))
        accuracy = float((found == labels).mean())
        assert demo.report["test_accuracy"][name] == accuracy
        assert demo.report["test_accuracy_by_epoch"][name] == [accuracy]
        # Chance is 0.10 +- 0.014 of 450 digits in ten classes; one epoch finds about 0.85.
        assert accuracy > 0.5
    both = demo.report["test_accuracy"]
    assert demo.report["test_accuracy_difference"] == both["integer"] - both["float"]


def test_report_matches_a_second_training(demo: Demo) -> None:
    digits = load_digits_task(64, SEED)
    (order,) = orders(1347, 1, SEED)
    report, train = demo.report, digits.train.select(order)
    labels = digits.train_labels[order]
    real = class_targets(labels)
    runs = {}
    for name, own, targets in (
        ("integer", Layer(demo.config), target_levels(demo.config, real)),
        ("float", FloatLayer(demo.config, seed=SEED), real),
    ):
        result = runs[name] = own.learn(train, targets, record=("membrane",))
        assert report["train_accuracy"][name] == float((classify(result) == labels).mean())
        assert report["output_spikes_per_digit"][name] == result.raster.sum() / 1347
        file = "weights.npz" if name == "integer" else "float_weights.npz"
        np.testing.assert_array_equal(array(demo.folder / file, "weights"), own.weights)
    counters = runs["integer"].counters
    assert report["counters"] == counters
    assert set(counters) == set(COUNTERS)
    assert report["input_spikes_per_digit"] == digits.train.count / 1347
    assert report["synaptic_events_per_digit"] == 10 * digits.train.count / 1347
    assert report["active_error_share"] == counters["active_errors"] / (1347 * 64 * 10)


def test_network_matches_a_second_training(demo: Demo) -> None:
    network = NetworkConfig.load(demo.folder / "network.toml")
    assert network == NetworkConfig.load("digits-96").seeded(SEED)
    own = demo.report["network"]
    assert (own["config"], own["config_hash"]) == ("digits-96", any_hash(network))
    assert own["neurons"] == [96, 10]
    digits = load_digits_task(64, SEED)
    (order,) = orders(1347, 1, SEED)
    labels = digits.train_labels[order]
    trained = Network(network)
    trained.load(network.initial_weights())
    targets = target_levels(network.outer, class_targets(labels))
    result = trained.learn(digits.train.select(order), targets, record=("membrane",))
    assert own["train_accuracy"] == float((classify(result.output) == labels).mean())
    with np.load(demo.folder / "network_weights.npz") as data:
        for number, weights in enumerate(trained.weights()):
            np.testing.assert_array_equal(data[f"weights.{number}"], weights)
    tested = Network(network)
    tested.load(trained.weights())
    answer = tested.run(digits.test, record=("membrane",))
    accuracy = float((classify(answer.output) == digits.test_labels).mean())
    assert own["test_accuracy_by_epoch"] == [accuracy]
    assert own["test_accuracy"] == accuracy
    assert own["hidden_spikes_per_digit"] == answer.layers[0].raster.sum() / 450
    assert own["synaptic_events_per_digit"] == own["counters"]["synaptic_events"] / 1347
    # One epoch, as for the layer: far above chance, 0.10 +- 0.014.
    assert accuracy > 0.5


def test_reported_weights_match_the_file(demo: Demo) -> None:
    weights = [int(w) for w in array(demo.folder / "weights.npz", "weights").ravel()]
    assert len(weights) == 65 * 10
    least, greatest = -(1 << 9), (1 << 9) - 1
    own = demo.report["weights"]
    assert own["format"] == "s10.7"
    assert (own["least"], own["greatest"]) == (min(weights), max(weights))
    assert own["at_the_rails"] == sum(w in (least, greatest) for w in weights) / len(weights)
    # The mean of 650 squares and its root, each rounded once: exact sums are below 2^53.
    squares = sum(w * w for w in weights)
    assert own["rms"] == float(np.sqrt(squares / len(weights)))


def test_report_names_the_run(demo: Demo) -> None:
    report = demo.report
    assert set(report) == {
        "config", "config_hash", "seed", "epochs", "train_digits", "test_digits", "test_accuracy",
        "train_accuracy", "test_accuracy_by_epoch", "training_seconds",
        "learning_steps_per_second", "output_spikes_per_digit", "input_spikes_per_digit",
        "synaptic_events_per_digit", "active_error_share", "counters", "weights", "noise",
        "compiling_seconds", "test_accuracy_difference", "gates", "diagnosis", "network",
        "network_gates",
    }  # fmt: skip
    assert (report["config"], report["config_hash"]) == ("digits", config_hash(demo.config))
    assert (report["seed"], report["epochs"]) == (SEED, EPOCHS)
    assert report["gates"] is report["network_gates"] is None
    assert (report["train_digits"], report["test_digits"]) == (1347, 450)
    for name in ("integer", "float"):
        seconds = report["training_seconds"][name]
        assert report["learning_steps_per_second"][name] == 1347 * 64 / seconds
    assert report["noise"]["kind"] == "sum"
    # Four bytes: 4 * 255 / (2 * sqrt(4 * (256^2 - 1) / 12)) sigma at most; kurtosis -1.2 / 4 of a
    # uniform byte times (256^2 + 1) / (256^2 - 1). Each a few roundings off.
    cutoff = 510 / np.sqrt((256**2 - 1) / 3)
    kurtosis = -0.3 * (256**2 + 1) / (256**2 - 1)
    assert abs(report["noise"]["cutoff_sigma"] - cutoff) <= 4 * np.spacing(cutoff)
    # The fourth standardised moment, near 3, has been rounded before 3 is taken from it.
    assert abs(report["noise"]["excess_kurtosis"] - kurtosis) <= 2 * np.spacing(3.0)


def colours_in(image: np.ndarray, colour: str) -> int:
    # A PNG keeps colours in 1/255; half of that tells neighbours apart.
    near = np.abs(image[..., :3] - np.array(to_rgb(colour))).max(axis=-1) < 0.5 / 255
    return int(near.sum())


def test_picture_shows_spikes_curves_and_weights(demo: Demo) -> None:
    image = imread(demo.folder / "demo.png")
    # 13 by 9.6 inches of 110 dots.
    assert image.shape[:2] == (1056, 1430)
    for colour in (BLUE, VERMILION, GREY):
        assert colours_in(image, colour) > 0
    # Below are the weights of all pixels, in 256 colours over a range that is the same on both
    # sides of zero; drawing may move a weight to the next colour.
    lower = image[int(1056 * 1.75 / 2.75) :, :, :3]
    present = {tuple(colour) for colour in (lower * 255 + 0.5).astype(int).reshape(-1, 3)}
    integers = load_weights(demo.folder / "weights.npz", demo.config) / 128
    reals = array(demo.folder / "float_weights.npz", "weights")
    # The largest 2 % of all share the two end colours.
    top = np.percentile(np.abs(np.stack((integers, reals))[:, :64]), 98)
    assert full_colour(np.stack((integers, reals))[:, :64]) == top
    colours = colormaps["RdBu_r"]
    for weight in (*integers[:64].ravel(), *reals[:64].ravel()):
        place = int((weight / top + 1) / 2 * 256)
        near = [colours(min(max(place + k, 0), 255), bytes=True)[:3] for k in (-1, 0, 1)]
        assert present & {tuple(map(int, colour)) for colour in near}


def test_zero_weights_have_a_colour_scale() -> None:
    assert full_colour(np.zeros((2, 64, 10))) == 1.0


def test_threads_change_no_result(demo: Demo, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert bitlif(f"demo --seed {SEED} --epochs {EPOCHS} --no-gates --threads 2 --out {out}") == 0
    times = {
        "training_seconds", "learning_steps_per_second", "learning_digits_per_second",
        "compiling_seconds",
    }  # fmt: skip
    report = json.loads((out / "report.json").read_text())
    for own, first in ((report, demo.report), (report["network"], demo.report["network"])):
        for name in own.keys() - times - {"network"}:
            assert own[name] == first[name]
    for file, name in (("weights.npz", "weights"), ("float_weights.npz", "weights")):
        np.testing.assert_array_equal(array(out / file, name), array(demo.folder / file, name))


def test_json_equals_the_written_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "out"
    assert bitlif(f"demo --epochs 1 --no-gates --out {out} --json") == 0
    report = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert report == json.loads((out / "report.json").read_text())


def test_printed_commands_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert bitlif("demo --epochs 1 --no-gates --config digits-4bit") == 0
    assert names(tmp_path / "out" / "demo") == FILES
    text = capsys.readouterr().out
    report = json.loads(Path("out/demo/report.json").read_text())
    for name in ("integer", "float"):
        assert f"{100 * report['test_accuracy'][name]:.2f} %" in text
    assert f"{100 * report['test_accuracy_difference']:+.2f} points" in text
    assert f"s4.3: {report['weights']['least']} ..= {report['weights']['greatest']}" in text
    assert f"{100 * report['network']['test_accuracy']:.2f} %" in text
    assert "the gates were not run: --no-gates" in text
    assert "waveform" not in text
    commands = [line.strip() for line in text.splitlines() if line.startswith("  bitlif ")]
    assert [shlex.split(command)[1] for command in commands] == ["run", "noise"]
    for command in commands:
        assert bitlif(command.partition(" ")[2]) == 0
        assert capsys.readouterr().out


def test_earlier_demo_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in FILES:
        (out / name).write_text("stale")
    (out / MARKER).unlink()
    write_marker(out, "demo")
    assert bitlif(f"demo --epochs 1 --no-gates --out {out}") == 0
    assert names(out) == FILES
    assert all((out / name).read_bytes() != b"stale" for name in FILES)
    assert names(tmp_path) == ["out"]


def refused(line: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(folder)
    assert bitlif(line) == 2
    assert capsys.readouterr() == ("", f"bitlif demo: {message}\n")
    assert names(folder) == before


def test_foreign_folder_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Config, "load", pytest.fail)
    earlier = "which has no marker of bitlif: if an earlier version made it, remove it by hand"
    folders = {
        "notes": (["notes.txt"], "a new or empty folder, not 'notes', which holds 'notes.txt'"),
        # A file of that name alone does not make a folder ours.
        "report": (["report.json", "thesis.tex"], f"a new folder, not 'report', {earlier}"),
    }
    for folder, (files, message) in folders.items():
        Path(folder).mkdir()
        for file in files:
            Path(folder, file).write_text("mine")
        refused(f"demo --out {folder}", f"--out must be {message}", tmp_path, capsys)
        assert names(Path(folder)) == files


def test_folder_with_foreign_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Config, "load", pytest.fail)
    Path("out").mkdir()
    Path("out", "weights.npz").write_text("mine")
    # What `bitlif learn` wrote took as long to make.
    write_marker(Path("out"), "learn")
    message = "--out must be a new folder or one of kind 'demo', not 'out' of kind 'learn'"
    refused("demo --out out", message, tmp_path, capsys)
    write_marker(Path("out"), "demo")
    Path("out", "notes.txt").write_text("mine")
    message = "--out must hold only files of bitlif, but 'out' also holds 'notes.txt'"
    refused("demo --out out", message, tmp_path, capsys)


def test_folder_filled_during_training_is_left_alone(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out, spare = tmp_path / "out", tmp_path_factory.mktemp("spare")

    def fill(path: Path, shown: object) -> None:
        out.mkdir(exist_ok=True)
        for file in ("report.json", "thesis.tex"):
            (out / file).write_text("mine")

    monkeypatch.setattr(demo_command, "draw_demo", fill)
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    assert bitlif(f"demo --epochs 1 --no-gates --out {out}") == 2
    said = capsys.readouterr().err
    (kept,) = spare.iterdir()
    assert f"could not be written (--out must be a new folder, not '{out}', which" in said
    assert said.endswith(f"the result is in '{kept}'\n")
    assert "weights.npz" in names(kept)
    assert names(out) == ["report.json", "thesis.tex"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("matplotlib.figure", "pictures need Matplotlib, which is not installed"),
        ("sklearn.datasets", "the digits come with scikit-learn, which is not installed"),
    ],
)
def test_missing_package_names_its_install_command(
    module: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    refused("demo", f"{message}: {install_command('demo')}", tmp_path, capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--epochs 0", "--epochs must be in 1 ..= 10000, not 0"),
        ("--epochs 10001", "--epochs must be in 1 ..= 10000, not 10001"),
        ("--threads 0", "threads must be in 1 ..= 256, not 0"),
        ("--seed -1", "--seed must be in 0 ..= 2147483647, not -1"),
        ("--network digits", "--network must have a hidden layer, but 'digits' has none"),
        ("--config tiny", "the digits need a layer of 65 inputs and 10 neurons, not 6 and 4"),
    ],
)
def test_wrong_request_writes_nothing(
    words: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(f"demo {words}", message, tmp_path, capsys)
