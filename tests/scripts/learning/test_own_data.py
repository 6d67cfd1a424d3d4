"""Own data on the command line: from a file to a configuration, to an accuracy, and on."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from result_folder import content
from sklearn.datasets import load_iris, load_wine

import bitlif as package
from bitlif.model.config.config import Config
from bitlif.model.config.fields import FIELDS
from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.files.event_file import load_events, save_events
from bitlif.model.files.weight_file import load_network_weights, load_weights
from bitlif.model.layer import Layer
from bitlif.scripts.learning.own_data import default_epochs
from bitlif.scripts.main import main
from bitlif.tasks.arrays import ArrayTask, stratified_split
from bitlif.tasks.data_file import load_data
from bitlif.tasks.encoding import Encoder
from bitlif.tasks.independent import run_independent
from bitlif.tasks.learner import Engine
from bitlif.tasks.readouts import readout
from bitlif.tasks.suit_config import suit_config
from bitlif.tasks.suit_network import suit_network
from bitlif.tasks.training import accuracy, train

RANDOM = np.random.default_rng(3)
CLASSES = ("left", "middle", "right")
FILES = (
    "bitlif.json", "config.toml", "confusion.png", "encoder.json", "labels.npz",
    "learning_curve.png", "raster.png", "report.json", "spikes.npz", "state.npz", "weights.npz",
    "weights.png",
)  # fmt: skip


def write_table(path: str, windows: int, labels: Any = CLASSES, names: str = "a,b,c") -> None:
    """Write a table in which the class is the place of the largest of three numbers."""
    with Path(path).open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*names.split(","), "class"])
        for number in range(windows):
            row = RANDOM.random(3) + 2 * (np.arange(3) == number % 3)
            out.writerow([*row.round(3).tolist(), labels[number % len(labels)]])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a table of 30 windows, a configuration for it and one of 9 windows to test with."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_table("own.csv", 30)
        write_table("test.csv", 9)
        assert main(["new", "own", "--data", "own.csv", "--steps", "16", "--epochs", "5"]) == 0
        assert main(["learn", "own.toml", "--data", "own.csv", "--out", "whole"]) == 0
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a new folder with links to these files."""
    monkeypatch.chdir(tmp_path)
    for name in ("own.csv", "test.csv", "own.toml", "whole"):
        Path(name).symlink_to(made / name)
    return tmp_path


def bitlif(line: str) -> int:
    return main(line.split())


def report_of(line: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert bitlif(f"{line} --json") == 0
    report = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert isinstance(report, dict)
    return report


# -- bitlif new --data -------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_new_scales_the_layer_and_says_from_what(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of("new mine --data own.csv --steps 16 --epochs 5", capsys)
    task = ArrayTask(load_data("own.csv"))
    config, choices = suit_config(task.encoded(16, 0).train, 3, epochs=5, name="mine")
    assert Config.load("mine.toml") == config
    assert [own["field"] for own in report["chosen"]] == [own.field for own in choices]
    assert report["classes"] == list(CLASSES)
    assert (report["windows"], report["training_windows"], report["test_windows"]) == (30, 22, 8)
    text = Path("mine.toml").read_text("utf-8")
    assert all(f"# {field.line}\n" in text for field in FIELDS.values())
    assert report["next"] in text
    assert bitlif(report["next"].removeprefix("bitlif ")) == 0
    assert json.loads(Path("mine/report.json").read_text())["epochs"] == 5


@pytest.mark.usefixtures("folder")
def test_new_scales_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of("new mine --data own.csv --steps 16 --epochs 5 --hidden 7,4", capsys)
    examples = ArrayTask(load_data("own.csv")).encoded(16, 0)
    network, choices = suit_network(examples.train, 3, hidden=(7, 4), epochs=5, name="mine")
    assert NetworkConfig.load("mine.toml") == network
    assert [own["field"] for own in report["chosen"]] == [own.field for own in choices]
    assert report["hidden"] == [7, 4]
    assert report["next"] in Path("mine.toml").read_text("utf-8")
    assert default_epochs(network.outer, examples.train.windows) == 5


@pytest.mark.usefixtures("folder")
def test_options_of_the_encoder_are_the_same_in_both_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = "--data own.csv --encoder population --option fields=4 --option code=latency"
    report = report_of(f"new pop {given} --steps 16", capsys)
    assert Config.load("pop.toml").layer.inputs == 12
    learned = report_of(f"{report['next'].removeprefix('bitlif ')} --epochs 1", capsys)
    assert learned["option"] == {"fields": 4, "code": "latency"}
    assert json.loads(Path("pop/encoder.json").read_text())["options"]["fields"] == 4
    assert bitlif(f"learn pop.toml {given} --option code=rate --out b") == 2
    assert "'code' must be given once" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_new_prints_a_table_of_its_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert bitlif("new mine --data own.csv") == 0
    out = capsys.readouterr().out
    for word in ("membrane.gain", "layer.inputs", "20 phases", "training windows"):
        assert word in out
    assert out.endswith("next: bitlif learn mine.toml --data own.csv --out mine\n")


def test_new_takes_the_steps_of_ready_spikes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spikes = Events.from_raster(RANDOM.random((12, 24, 5)) < 0.3)
    np.savez(
        folder / "s.npz", addresses=spikes.addresses, pointers=spikes.pointers, steps=24, units=5,
        y=np.arange(12) % 2,
    )  # fmt: skip
    report = report_of("new mine --data s.npz", capsys)
    config = Config.load("mine.toml")
    assert (report["encoder"], config.window.steps, config.layer.inputs) == ("spikes", 24, 5)
    assert bitlif("new other --data s.npz --steps 25") == 2
    assert "--steps must be 24" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--labels class", "--labels needs --data"),
        ("--epochs 3", "--epochs needs --data"),
        ("--data own.csv --epochs 1000001", "--epochs must be in 1 ..= 1000000, not 1000001"),
        ("--data own.csv --steps 0", "--steps must be in 1 ..= 1048576, not 0"),
        ("--data own.csv --labels colour", "'colour'"),
        ("--data own.txt", "--data must be a .csv, .tsv or .npz file"),
        ("--data missing.csv", "No such file"),
        ("--data own.csv --out own.csv", "--out must end in .toml"),
        ("--data own.csv --encoder level_crossing", "time series"),
        ("--data own.csv --option fields", "--option must be NAME=VALUE"),
        ("--data own.csv --option fields=5", "fields"),
        ("--data own.csv --hidden many", "--hidden must be sizes such as 96 or 64,32, not 'many'"),
        ("--data own.csv --hidden 7,0", "--hidden must be the size of a hidden layer"),
        ("--hidden 7", "--hidden needs --data"),
        ("--spikes s.npz", "--spikes needs --labels"),
        ("--data own.csv --spikes s.npz", "--data cannot be used with --spikes"),
    ],
)
def test_new_refuses_in_one_line(
    words: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bitlif(f"new mine {words}") == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (folder / "mine.toml").exists()


# -- bitlif learn --data -----------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_learning_equals_the_task_in_python() -> None:
    task = ArrayTask(load_data("own.csv"))
    config = Config.load("own.toml").seeded(0)
    layer = Layer(config)
    history = train(layer, task, epochs=5, seed=0)
    report = json.loads(Path("whole/report.json").read_text())
    np.testing.assert_array_equal(load_weights("whole/weights.npz", config), layer.weights)
    assert report["test_accuracy_by_epoch"] == [epoch.test_accuracy for epoch in history]
    assert report["test_accuracy"] == accuracy(layer, task) > report["chance"]
    assert report["epochs"] == 5  # as many as the schedule was made for
    with Path("whole/encoder.json").open() as file:
        assert Encoder.from_json(json.load(file)) == task.encoder(config, 0)


@pytest.mark.usefixtures("folder")
def test_folder_holds_the_test_windows_and_their_labels() -> None:
    assert sorted(own.name for own in Path("whole").iterdir()) == sorted(FILES)
    data = load_data("own.csv")
    assert data.labels is not None
    _, chosen = stratified_split(data.labels, 0.25, 0)
    with np.load("whole/labels.npz") as labels:
        assert labels["labels"].tolist() == data.labels[chosen].tolist()
        assert labels["classes"].tolist() == list(CLASSES)
    report = json.loads(Path("whole/report.json").read_text())
    matrix = np.array(report["confusion"])
    assert matrix.sum() == load_events("whole/spikes.npz").windows == 8
    assert np.trace(matrix) / 8 == report["test_accuracy"]
    assert [own["class"] for own in report["by_class"]] == report["classes"] == list(CLASSES)
    assert [own["windows"] for own in report["by_class"]] == matrix.sum(axis=1).tolist()


@pytest.mark.usefixtures("folder")
def test_tables_by_class_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert bitlif("learn own.toml --data own.csv --epochs 1 --out a") == 0
    out = capsys.readouterr().out
    for word in ("test accuracy", "chance", "precision", "recall", "confusion", *CLASSES):
        assert word in out


@pytest.mark.usefixtures("folder")
def test_missing_matplotlib_leaves_out_the_pictures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    assert bitlif("learn own.toml --data own.csv --epochs 1 --out a") == 0
    assert "no pictures: pictures need Matplotlib" in capsys.readouterr().out
    assert not list(Path("a").glob("*.png"))
    assert Path("a/labels.npz").exists()


@pytest.mark.usefixtures("folder")
def test_test_windows_of_another_file(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of("learn own.toml --data own.csv --test test.csv --epochs 2 --out a", capsys)
    layer = Layer(Config.load("own.toml").seeded(0))
    task = ArrayTask(load_data("own.csv"), test=load_data("test.csv"))
    train(layer, task, epochs=2, seed=0)
    assert report["test_accuracy"] == accuracy(layer, task)
    assert (report["test"], report["windows"]) == ("test.csv", 60)
    # Columns in another order are put in order.
    rows = [line.split(",") for line in Path("test.csv").read_text().split()]
    Path("turned.csv").write_text("\n".join(",".join([b, a, c, y]) for a, b, c, y in rows))
    again = report_of("learn own.toml --data own.csv --test turned.csv --epochs 2 --out b", capsys)
    assert again["confusion"] == report["confusion"]
    assert again["data_hash"] == report["data_hash"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["first_spike", "membrane"])
def test_readouts_are_those_of_the_task(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(f"learn own.toml --data own.csv --readout {name} --epochs 1 --out a", capsys)
    layer = Layer(Config.load("own.toml").seeded(0))
    task = ArrayTask(load_data("own.csv"), readout=name)
    train(layer, task, epochs=1, seed=0)
    assert report["readout"] == name
    assert report["test_accuracy"] == accuracy(layer, task)
    # A run of the folder reads classes in the same way.
    assert report_of("run a", capsys)["accuracy"] == report["test_accuracy"]


@pytest.mark.usefixtures("folder")
def test_labels_of_ready_spikes(capsys: pytest.CaptureFixture[str]) -> None:
    events = Events.from_raster(RANDOM.random((24, 16, 6)) < 0.3)
    save_events("s.npz", events)
    Path("labels.txt").write_text("\n".join(("no", "yes")[n % 2] for n in range(24)))
    given = "--spikes s.npz --labels labels.txt --epochs 2"
    made = report_of(f"new two {given}", capsys)
    line = f"learn two.toml {given} --out a"
    assert made["next"] == f"bitlif {line.replace('--out a', '--out two')}"
    report = report_of(line, capsys)
    assert (report["data"], report["encoder"], report["classes"]) == (
        "s.npz",
        "spikes",
        ["no", "yes"],
    )
    assert (report["windows"], sum(map(sum, report["confusion"]))) == (2 * 18, 6)


@pytest.mark.usefixtures("folder")
def test_testing_on_training_windows_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Path("own.csv").read_text().splitlines()
    Path("some.csv").write_text("\n".join(lines[:10]))
    for test, warned in (("some.csv", True), ("test.csv", False)):
        assert bitlif(f"learn own.toml --data own.csv --test {test} --epochs 1 --out {test}-a") == 0
        assert ("among the training windows" in capsys.readouterr().err) == warned


RESUMED = {
    "share": ("learn own.toml --data own.csv", (2, 3)),
    "float": ("learn own.toml --data own.csv --float --seed 1", (1, 2)),
    "file": ("learn own.toml --data own.csv --test test.csv --readout membrane", (1, 1, 1)),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", RESUMED)
def test_resumed_training_equals_one_call(name: str) -> None:
    line, parts = RESUMED[name]
    if name == "share":
        Path("one").symlink_to("whole")
    else:
        assert bitlif(f"{line} --epochs {sum(parts)} --out one") == 0
    for number, epochs in enumerate(parts):
        more = " --resume" if number else ""
        assert bitlif(f"{line} --epochs {epochs} --out parts{more}") == 0
    whole, joined = content("one"), content("parts")
    assert joined.keys() == whole.keys()
    for key, value in whole.items():
        assert joined[key] == value, key


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--test 0.5", "--test must be 0.25, as in"),
        ("--encoder population", "needs a layer of"),
        ("--readout membrane", "--readout must be 'count', as in"),
        ("--seed 1", "--seed must be 0, as in"),
        ("--data other.csv", "the data must be"),
    ],
)
def test_resuming_needs_the_same_options(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table("other.csv", 30)
    assert bitlif("learn own.toml --data own.csv --epochs 1 --out a") == 0
    before = content("a")
    capsys.readouterr()
    assert bitlif(f"learn own.toml --data own.csv --epochs 1 --out a --resume {words}") == 2
    assert said in capsys.readouterr().err
    assert content("a") == before


@pytest.mark.usefixtures("folder")
def test_strict_turns_warnings_into_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    # With labels that have nothing to do with the numbers, the accuracy is that of chance.
    write_table("random.csv", 30, labels=("a", "b"), names="a,b,c")
    assert bitlif("new random --data random.csv --steps 16 --epochs 1") == 0
    capsys.readouterr()
    line = "learn random.toml --data random.csv --force --out a"
    assert bitlif(line) == 0
    error = capsys.readouterr().err
    assert "warning:" in error
    assert "likely cure" in error
    assert bitlif(f"{line} --strict") == 1
    findings = json.loads(Path("a/report.json").read_text())["findings"]
    assert any(own["problem"] for own in findings)
    assert Path("a/weights.npz").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--data own.csv --labels colour", "'colour'"),
        ("--data own.csv --test 0", "--test must be a share above 0 and below 1"),
        ("--data own.csv --test 1", "--test must be a share above 0 and below 1"),
        ("--data own.csv --test 2", "--test must be a share above 0 and below 1"),
        ("--data own.csv --test nan", "--test must be a share above 0 and below 1"),
        ("--data own.csv --test 0.01", "test must leave at least 3 windows"),
        ("--data own.csv --test missing.csv", "No such file"),
        ("--data own.csv --test lacking.csv", "it lacks 'b'"),
        ("--data own.csv --test longer.csv", "it also has 'd'"),
        ("--data own.csv --test unknown.csv", "'nowhere'"),
        ("--data own.csv --test numbers.csv", "classes of the training windows"),
        ("--data own.csv --encoder population", "--encoder rate gives 7 inputs"),
        ("--data wide.csv", "`bitlif new NAME --data wide.csv` writes a configuration that fits"),
        ("--data one.csv", "at least two classes"),
        ("--data two.csv", "one for each class, not"),
        ("--data single.csv", "must have at least two windows"),
        ("--data unlabelled.csv", "unlabelled.csv"),
        ("--data own.csv --task digits", "--data cannot be used with --task"),
        ("--data test.csv --out whole", "give --force"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_learn_refuses_in_one_line(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table("one.csv", 9, labels=("same",))
    write_table("two.csv", 12, labels=("a", "b"))
    write_table("single.csv", 10, labels=("left", "middle"))
    with Path("single.csv").open("a") as file:
        file.write("1,2,3,right\n")
    Path("wide.csv").write_text("a,b,c,d,y\n" + "1,2,3,4,no\n1,2,3,5,yes\n" * 4)
    write_table("unknown.csv", 4, labels=("left", "nowhere"))
    write_table("numbers.csv", 6, labels=(0, 1, 2))
    write_table("lacking.csv", 6, names="a,x,c")
    Path("longer.csv").write_text("a,b,c,d,class\n1,2,3,4,left\n")
    Path("unlabelled.csv").write_text("a,b,c\n1,2,3\n")
    out = "" if "--out" in words else "--out out"
    assert bitlif(f"learn own.toml {words} {out}") == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert "Traceback" not in error
    assert not Path("out").exists()


@pytest.mark.usefixtures("folder")
def test_the_encoder_that_fits_the_layer_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert bitlif("new other --data own.csv --encoder latency") == 0
    assert bitlif("learn other.toml --data own.csv --out a") == 2
    assert "--encoder latency gives 4 inputs" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_a_network_that_fits_has_the_hidden_layers_of_the_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bitlif("new deep --data own.csv --hidden 5,3") == 0
    Path("wide.csv").write_text("a,b,c,d,y\n" + "1,2,3,4,no\n1,2,3,5,yes\n" * 4)
    capsys.readouterr()
    assert bitlif("learn deep.toml --data wide.csv --out a") == 2
    error = capsys.readouterr().err
    assert "`bitlif new NAME --data wide.csv --hidden 5,3` writes a" in error


def test_epochs_follow_a_schedule_of_whole_passes() -> None:
    config = Config()
    assert default_epochs(config, 10) is None
    phases = [{"windows": 20}, {"windows": 30}, {"windows": 0}]
    assert default_epochs(config.replace(schedule=phases), 10) == 8
    assert default_epochs(config.replace(schedule=phases), 7) is None


# -- bitlif run --------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_run_repeats_the_test(capsys: pytest.CaptureFixture[str]) -> None:
    learned = json.loads(Path("whole/report.json").read_text())
    files = (
        "run whole/config.toml --weights whole/weights.npz --spikes whole/spikes.npz "
        "--labels whole/labels.npz"
    )
    for line in (files, "run whole"):
        report = report_of(line, capsys)
        assert report["accuracy"] == learned["test_accuracy"]
        for name in ("classes", "by_class", "confusion", "chance"):
            assert report[name] == learned[name]
    assert bitlif("run whole") == 0
    out = capsys.readouterr().out
    for word in ("accuracy", "precision", "confusion", *CLASSES):
        assert word in out


@pytest.mark.usefixtures("folder")
def test_weights_of_the_float_twin_are_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert bitlif("learn own.toml --data own.csv --float --epochs 1 --out a") == 0
    assert bitlif("run a") == 2
    assert "train without --float" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_run_encodes_other_windows_as_in_training(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of("run whole --data test.csv", capsys)
    config = Config.load("whole/config.toml")
    layer = Layer(config)
    layer.load(load_weights("whole/weights.npz", config))
    encoder = ArrayTask(load_data("own.csv")).encoder(config, 0)
    data = load_data("test.csv")
    result = run_independent(Engine(layer), encoder.encode(data.inputs), record=("membrane",))
    expected = [CLASSES[code] for code in readout("count").classify(result)]
    assert report["predicted"] == expected
    assert data.labels is not None
    assert report["accuracy"] == np.mean(np.array(expected) == data.labels)


@pytest.mark.usefixtures("folder")
def test_run_predicts_without_labels(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.rpartition(",")[0] for line in Path("test.csv").read_text().split()]
    Path("bare.csv").write_text("\n".join(rows))
    bare = report_of("run whole --data bare.csv", capsys)
    assert bare["predicted"] == report_of("run whole --data test.csv", capsys)["predicted"]
    assert "accuracy" not in bare
    assert bitlif("run whole --data bare.csv") == 0
    assert f"classes of the windows: {' '.join(bare['predicted'])}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "run own.toml --data test.csv",
            "CONFIG must be a folder of bitlif learn --data, not 'own.toml'",
        ),
        ("run empty", "lacks config.toml or report.json"),
        ("run whole --data lacking.csv", "it lacks 'c'"),
        ("run whole --data test.csv --labels colour", "'colour'"),
        ("run whole --data unknown.csv", "'nowhere'"),
        ("run whole --data test.csv --spikes s.npz", "--data cannot be used with --spikes"),
        ("run whole --labels few.txt", "must be those of 8 windows, not of 1"),
        ("run whole --labels colour", "the name of a column needs --data"),
        ("run whole --labels own.toml", "must be a .npz, .csv, .tsv or .txt file"),
        ("run whole --out whole/labels.npz", "must not be the same file as --labels"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_run_refuses_in_one_line(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    Path("lacking.csv").write_text("a,b\n1,2\n")
    Path("few.txt").write_text("left\n")
    write_table("unknown.csv", 4, labels=("left", "nowhere"))
    assert bitlif(line) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


# -- the wine ----------------------------------------------------------------------------------


def test_two_commands_give_the_numbers_of_the_classifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    wine = load_wine()
    with Path("wine.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*wine.feature_names, "class"])
        out.writerows(
            [*row.tolist(), wine.target_names[k]]
            for row, k in zip(wine.data, wine.target, strict=True)
        )
    assert bitlif("new wine --data wine.csv") == 0
    assert bitlif("learn wine.toml --data wine.csv --out wine") == 0
    report = json.loads(Path("wine/report.json").read_text())
    labels = wine.target_names[wine.target]
    train_windows, test_windows = stratified_split(labels, 0.25, 0)
    model = package.SpikingClassifier().fit(wine.data[train_windows], labels[train_windows])
    assert report["test_accuracy"] == model.score(wine.data[test_windows], labels[test_windows])
    assert report["test_accuracy"] > 0.9
    # A window's answer does not depend on those before it, here and there.
    again = report_of("run wine", capsys)
    assert again["predicted"] == model.predict(wine.data[test_windows]).tolist()
    assert again["accuracy"] == report["test_accuracy"]
    files = "--weights wine/weights.npz --spikes wine/spikes.npz --labels wine/labels.npz"
    assert report_of(f"run wine/config.toml {files}", capsys)["confusion"] == report["confusion"]
    floats = report_of(f"run wine/config.toml {files} --float", capsys)
    assert floats["accuracy"] > 0.9
    config = Config.load("wine/config.toml")
    np.testing.assert_array_equal(load_weights("wine/weights.npz", config), model.weights_)


def test_commands_with_a_hidden_layer_give_the_numbers_of_the_classifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    iris = load_iris()
    assert bitlif("new mine --data sklearn:iris --hidden 12 --epochs 5 --steps 32") == 0
    assert bitlif("learn mine.toml --data sklearn:iris --out r") == 0
    report = json.loads(Path("r/report.json").read_text("utf-8"))
    labels = iris.target_names[iris.target]
    train, test = stratified_split(labels, 0.25, 0)
    model = package.SpikingClassifier(hidden=12, epochs=5, steps=32)
    model.fit(iris.data[train], labels[train])
    assert report["test_accuracy"] == model.score(iris.data[test], labels[test])
    network = package.NetworkConfig.load("r/config.toml")
    found = load_network_weights("r/weights.npz", network)
    for own, expected in zip(found, model.weights_, strict=True):
        np.testing.assert_array_equal(own, expected)
    again = report_of("run r", capsys)
    assert again["predicted"] == model.predict(iris.data[test]).tolist()


def test_sample_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert bitlif("new mine --data sklearn:iris") == 0
    assert (
        main(["learn", "mine.toml", "--data", "sklearn:iris", "--epochs", "2", "--out", "r"]) == 0
    )
    report = json.loads(Path("r/report.json").read_text("utf-8"))
    assert report["data"] == "sklearn:iris"
    assert report["test_accuracy"] > 0.6
