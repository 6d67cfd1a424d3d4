"""``bitlif learn`` and ``bitlif run`` as they are typed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.counters import COUNTERS
from bitlif.model.events import Events
from bitlif.model.files.event_file import load_events, save_events
from bitlif.model.files.weight_file import load_weights, save_weights
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.scripts import run
from bitlif.scripts.learning import from_targets, from_task
from bitlif.scripts.main import main
from bitlif.scripts.run import CHAIN
from bitlif.tasks.digits import load_digits_task
from bitlif.tasks.task import classify
from bitlif.tasks.teacher import learn_from_teacher, make_teacher_task
from bitlif.tasks.training import orders

TINY = Config.load("tiny")
WINDOWS = 5
RANDOM = np.random.default_rng(11)
EVENTS = Events.from_raster(RANDOM.random((WINDOWS, 16, 6)) < 0.4)
TARGETS = RANDOM.integers(0, 16, (WINDOWS, 16, 4), endpoint=True)
WEIGHTS = RANDOM.integers(-32, 31, (6, 4), endpoint=True)


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Compile the engine before anything that is printed is compared: that prints a line too."""
    layer = Layer(Config.load("tiny"))
    none = Events.from_times([], [], steps=16, units=6)
    layer.run(none)
    layer.learn(none, np.zeros((1, 16, 4), np.uint8))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a new folder that holds spikes, targets and weights for the tiny layer."""
    monkeypatch.chdir(tmp_path)
    save_events("spikes.npz", EVENTS)
    np.savez("targets.npz", targets=TARGETS)
    save_weights("weights.npz", WEIGHTS, TINY)
    return tmp_path


def bitlif(line: str) -> int:
    return main(line.split())


def report_of(line: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert bitlif(f"{line} --json") == 0
    result = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert isinstance(result, dict)
    return result


def arrays(path: str) -> dict[str, np.ndarray]:
    with np.load(path) as data:
        return dict(data)


def names(path: str) -> list[str]:
    return sorted(own.name for own in Path(path).iterdir())


# -- learn -----------------------------------------------------------------------------------


def test_result_folder_matches_the_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = report_of("learn tiny --epochs 30 --seed 4 --out out", capsys)
    config = TINY.seeded(4)
    task = make_teacher_task(config, 4)
    layer = Layer(config)
    tallies = learn_from_teacher(layer, task, 30)
    assert names("out") == [
        "bitlif.json", "config.toml", "report.json", "spikes.npz", "state.npz", "weights.npz",
    ]  # fmt: skip
    assert Config.load("out/config.toml") == config
    np.testing.assert_array_equal(load_weights("out/weights.npz", config), layer.weights)
    assert layer.weights.any()
    np.testing.assert_array_equal(load_events("out/spikes.npz").raster(), task.events.raster())
    assert json.loads(Path("out/report.json").read_text()) == report
    assert list(report) == [
        "config", "model", "backend", "seed", "data", "windows", "correlation_with_teacher",
        "coincident_spikes", "teacher_spikes", *COUNTERS, "seconds", "learning_steps_per_second",
        "findings",
    ]  # fmt: skip
    assert (report["config"], report["model"], report["seed"]) == ("tiny", "integer", 4)
    assert (report["data"], report["windows"]) == ("teacher", 30)
    assert report["teacher_spikes"] == task.targets.sum()
    for name in COUNTERS:
        assert report[name] == sum(tally[name] for tally in tallies)
    found = np.corrcoef(layer.weights.ravel(), task.teacher_weights.ravel())[0, 1]
    # The same weights in units of 1 and of an LSB: at most the rounding of 24 products apart.
    assert abs(report["correlation_with_teacher"] - found) <= 100 * 2.0**-53
    assert report["learning_steps_per_second"] == 30 * 16 / report["seconds"]


def test_learned_table_shows_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert bitlif("learn tiny --epochs 2 --out out") == 0
    lines = capsys.readouterr().out.splitlines()
    report = json.loads(Path("out/report.json").read_text())
    assert report.pop("findings")
    for name, value in report.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        pattern = rf"│ {name.replace('_', ' ')} +│ +{re.escape(shown)} │"
        assert any(re.fullmatch(pattern, line) for line in lines), name
    assert lines[-1] == "written to out"


def test_seed_determines_the_weights() -> None:
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert bitlif(f"learn tiny --epochs 40 --seed {seed} --out {out}") == 0
    first, again, other = (arrays(f"{out}/weights.npz") for out in "abc")
    assert first.keys() == again.keys() == {"weights", "format"}
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert (first["weights"] != other["weights"]).any()
    assert Path("a/config.toml").read_text() == Path("b/config.toml").read_text()
    assert Path("a/config.toml").read_text() != Path("c/config.toml").read_text()


def learn_by_hand(layer: Layer | FloatLayer, targets: Any, epochs: int, seed: int) -> None:
    for order in orders(WINDOWS, epochs, seed):
        layer.learn(EVENTS.select(order), targets[order])


@pytest.mark.parametrize("form", ["raw", "real", "a row a window"])
def test_learning_from_files_equals_the_api(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    targets = TARGETS[:, 0] if form == "a row a window" else TARGETS
    np.savez("own.npz", targets=targets / 16 if form == "real" else targets)
    report = report_of(
        "learn tiny --spikes spikes.npz --targets own.npz --epochs 3 --seed 6 --out out", capsys
    )
    layer = Layer(TINY.seeded(6))
    learn_by_hand(layer, targets, 3, 6)
    np.testing.assert_array_equal(arrays("out/weights.npz")["weights"], layer.weights)
    assert (report["data"], report["epochs"], report["windows"]) == ("spikes.npz", 3, 15)
    assert report["synaptic_events"] == 3 * EVENTS.count * 4
    np.testing.assert_array_equal(load_events("out/spikes.npz").raster(), EVENTS.raster())


def test_files_are_learned_once_by_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = "learn tiny --spikes spikes.npz --targets targets.npz --out out"
    assert report_of(line, capsys)["windows"] == WINDOWS


def test_aer_text_equals_arrays() -> None:
    save_events("spikes.aer", EVENTS)
    for name in ("aer", "npz"):
        line = f"learn tiny --spikes spikes.{name} --targets targets.npz --out {name}"
        assert bitlif(line) == 0
    np.testing.assert_array_equal(
        arrays("aer/weights.npz")["weights"], arrays("npz/weights.npz")["weights"]
    )


@pytest.mark.parametrize("model", ["integer", "float"])
def test_learning_starts_from_initial_weights(model: str) -> None:
    flag = "--float " if model == "float" else ""
    line = "learn tiny --spikes spikes.npz --targets targets.npz --initial weights.npz --out out"
    assert bitlif(f"{line} {flag}--seed 2") == 0
    config = TINY.seeded(2)
    if model == "float":
        twin = FloatLayer(config, seed=2)
        twin.load(WEIGHTS / 16)
        learn_by_hand(twin, TARGETS / 16, 1, 2)
        assert names("out") == [
            "bitlif.json",
            "config.toml",
            "float_weights.npz",
            "report.json",
            "spikes.npz",
            "state.npz",
        ]
        np.testing.assert_array_equal(arrays("out/float_weights.npz")["weights"], twin.weights)
    else:
        layer = Layer(config)
        layer.load(WEIGHTS)
        learn_by_hand(layer, TARGETS, 1, 2)
        np.testing.assert_array_equal(arrays("out/weights.npz")["weights"], layer.weights)


def test_float_twin_learns_the_teacher_task(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of("learn tiny --float --epochs 30 --seed 4 --out out", capsys)
    config = TINY.seeded(4)
    twin = FloatLayer(config, seed=4)
    learn_from_teacher(twin, make_teacher_task(config, 4), 30)
    np.testing.assert_array_equal(arrays("out/float_weights.npz")["weights"], twin.weights)
    assert report["model"] == "float"
    # Nothing saturates in the ideal twin, and so nothing is counted.
    assert not any(name.endswith("saturations") for name in report)


def test_digits_accuracy_matches_the_files(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = report_of("learn digits --epochs 2 --seed 1 --out out", capsys)
    assert (report["data"], report["windows"]) == ("digits", 2 * 1347)
    config = Config.load("out/config.toml")
    layer = Layer(config)
    layer.load(load_weights("out/weights.npz", config))
    found = classify(layer.run(load_events("out/spikes.npz"), record=("membrane",)))
    accuracy = (found == load_digits_task(64, 1).test_labels).mean()
    assert report["test_accuracy"] == report["test_accuracy_by_epoch"][-1] == accuracy
    assert len(report["test_accuracy_by_epoch"]) == 2
    # Ten classes: 450 guesses are below 0.2 but for one case in 10^8.
    assert accuracy > 0.2


def test_result_is_replaced_only_with_force() -> None:
    for words in ("--seed 1", "--seed 2"):
        code = bitlif(f"learn tiny --epochs 2 --out out {words}")
        assert code == (0 if words == "--seed 1" else 2)
    assert json.loads(Path("out/report.json").read_text())["seed"] == 1
    assert bitlif("learn tiny --epochs 2 --out out --seed 2 --force") == 0
    assert json.loads(Path("out/report.json").read_text())["seed"] == 2


@pytest.mark.parametrize("words", ["", "--force"])
def test_foreign_folder_is_left_alone(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    monkeypatch.setattr(Config, "load", pytest.fail)
    assert bitlif(f"learn tiny --out mine {words}") == 2
    line = "--out must be a new or empty folder, not 'mine', which holds 'notes.txt'"
    assert capsys.readouterr() == ("", f"bitlif learn: {line}\n")
    assert names("mine") == ["notes.txt"]
    assert Path("mine/notes.txt").read_text() == "mine"


NOT_KEPT = (
    "--out '{out}' could not be written (No space left on device), nor could any other folder"
)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device"), 2, NOT_KEPT),
    ],
)
def test_failed_write_keeps_the_old_result(
    error: BaseException,
    code: int,
    line: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bitlif("learn tiny --epochs 2 --out old") == 0
    before = arrays("old/weights.npz")["weights"]
    present = names(".")

    def fail(path: Path, events: Events) -> None:
        assert (path.parent / "weights.npz").exists()
        raise error

    monkeypatch.setattr("bitlif.scripts.learning.results.save_events", fail)
    capsys.readouterr()
    for out in ("new", "old --force"):
        assert bitlif(f"learn tiny --epochs 3 --seed 1 --out {out}") == code
        said = line.format(out=out.split()[0])
        assert capsys.readouterr() == ("", f"bitlif learn: {said}\n")
    assert names(".") == present
    np.testing.assert_array_equal(arrays("old/weights.npz")["weights"], before)


def test_interrupted_learning_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = names(".")
    monkeypatch.setattr(Layer, "learn", interrupted)
    assert bitlif("learn tiny --out out") == 130
    assert capsys.readouterr() == ("", "bitlif learn: interrupted\n")
    assert names(".") == before


def write_odd_files() -> None:
    """Write files each of which is wrong in one way."""
    save_weights("s8.npz", WEIGHTS, TINY.replace(synapse__weight="s8.4"))
    turned = TINY.replace(layer__inputs=4, layer__neurons=6)
    save_weights("turned.npz", WEIGHTS.T, turned)
    np.savez("large.npz", weights=np.full((6, 4), 32), format="s6.4")
    np.savez("real.npz", weights=WEIGHTS / 16, format="s6.4")
    np.savez("other.npz", other=WEIGHTS)
    Path("text.npz").write_text("0 1\n")
    save_events("units.npz", Events.from_raster(np.zeros((1, 16, 7), bool)))
    save_events("steps.npz", Events.from_raster(np.zeros((1, 8, 6), bool)))
    save_events("none.npz", Events.from_raster(np.zeros((0, 16, 6), bool)))
    Path("bare.aer").write_text("0 1\n")
    Path("bad.aer").write_text("0 1\n1 x\n")
    Path("far.aer").write_text("0 6\n")
    np.savez("t-none.npz", targets=np.zeros((0, 4), int))
    np.savez("t-few.npz", targets=TARGETS[:-1])
    np.savez("t-high.npz", targets=TARGETS + 1)
    np.savez("t-over.npz", targets=np.full((WINDOWS, 4), 1.5))
    np.savez("t-nan.npz", targets=np.full((WINDOWS, 4), np.nan))
    np.savez("t-text.npz", targets=np.full((WINDOWS, 4), "1"))


BAD_WEIGHTS = {
    "missing.npz": r"weights 'missing\.npz' cannot be read: No such file or directory",
    "text.npz": r"weights 'text\.npz' is not an \.npz file of arrays",
    "other.npz": r"weights 'other\.npz' must hold the arrays weights.*",
    "s8.npz": r"weights 's8\.npz' must be in the configuration's format 's6\.4', not 's8\.4'",
    "turned.npz": r"weights 'turned\.npz': weights must be integers of shape \(inputs, neurons\) "
    r"= \(6, 4\), not int32 of shape \(4, 6\)",
    "real.npz": r"weights 'real\.npz': weights must be integers of shape .*, not float64 .*",
    "large.npz": r"weights 'large\.npz': weights must be in -32 \.\.= 31, not 32",
}
BAD_SPIKES = {
    "missing.npz": r"spikes 'missing\.npz' cannot be read: No such file or directory",
    "missing.aer": r"spikes 'missing\.aer' cannot be read: No such file or directory",
    "text.npz": r"spikes 'text\.npz' is not an \.npz file of arrays",
    "other.npz": r"spikes 'other\.npz' must hold the arrays .*; addresses is missing",
    "units.npz": r"spikes 'units\.npz' must have 6 units, not 7",
    "steps.npz": r"spikes 'steps\.npz' must have 16 steps, not 8",
    "bad.aer": r"spikes 'bad\.aer', line 2 must be 'time address' .*, not '1 x'",
    "far.aer": r"spikes 'far\.aer', line 1: addresses must be in 0 \.\.= 5, not 6",
}
BAD_TARGETS = {
    "missing.npz": r"targets 'missing\.npz' cannot be read: No such file or directory",
    "text.npz": r"targets 'text\.npz' is not an \.npz file of arrays",
    "other.npz": r"targets 'other\.npz' must hold the array targets.*",
    "t-few.npz": r"targets 't-few\.npz': targets must be numbers of shape \(5, 4\) or "
    r"\(5, 16, 4\), .*, not int64 of shape \(4, 16, 4\)",
    "t-high.npz": r"targets 't-high\.npz': targets must be in 0 \.\.= 16, not 17",
    "t-over.npz": r"targets 't-over\.npz': targets must be in 0 \.\.= 1, not .*",
    "t-nan.npz": r"targets 't-nan\.npz': targets must be in 0 \.\.= 1, not .*",
    "t-text.npz": r"targets 't-text\.npz': targets must be numbers of shape .*",
}
FILES = "--spikes spikes.npz --targets targets.npz"
WRONG_LEARN = {
    **{f"{FILES} --initial {name}": text for name, text in BAD_WEIGHTS.items()},
    **{f"--spikes {name} --targets targets.npz": text for name, text in BAD_SPIKES.items()},
    **{f"--spikes spikes.npz --targets {name}": text for name, text in BAD_TARGETS.items()},
    "--spikes none.npz --targets t-none.npz": r"spikes 'none\.npz' must hold at least one window, "
    "not 0",
    "--spikes spikes.npz": "--spikes needs either --labels or --targets",
    "--targets targets.npz": "--targets needs --spikes",
    f"{FILES} --labels labels.npz": "--spikes needs either --labels or --targets",
    f"{FILES} --task teacher": "--spikes cannot be used with --task, which gives other windows",
    f"{FILES} --data own.csv": "--data cannot be used with --spikes, which gives other windows",
    f"{FILES} --test 0.5": "--test needs --data, or --spikes with --labels",
    "--labels y": "--labels needs --data, or --spikes with --labels",
    "--readout count": "--readout needs --data, or --spikes with --labels",
    "--task digits": "the digits need a layer of 65 inputs and 10 neurons, not 6 and 4",
    "--data digits": r"--data must be a .*, not 'digits': use --task digits",
    "--data own.xlsx": r"--data must be a \.csv, .*, not 'own\.xlsx'",
    "--epochs 0": r"--epochs must be in 1 \.\.= 1000000, not 0",
    "--epochs 1000001": r"--epochs must be in 1 \.\.= 1000000, not 1000001",
    "--seed -1": r"--seed must be in 0 \.\.= 2147483647, not -1",
    "--seed 2147483648": r"--seed must be in 0 \.\.= 2147483647, not 2147483648",
}
RUN = "--weights weights.npz --spikes spikes.npz"
WRONG_RUN = {
    **{f"--weights {name} --spikes spikes.npz": text for name, text in BAD_WEIGHTS.items()},
    **{f"--weights weights.npz --spikes {name}": text for name, text in BAD_SPIKES.items()},
    **{f"{RUN} --targets {name}": text for name, text in BAD_TARGETS.items()},
    "--weights weights.npz --spikes none.npz": r"spikes 'none\.npz' must hold at least one window, "
    "not 0",
    **{
        words: re.escape(f"--weights and --spikes are required, for example: {CHAIN}")
        for words in ("", "--weights weights.npz", "--spikes spikes.npz")
    },
    f"{RUN} --threads 0": r"threads must be in 1 \.\.= 256, not 0",
    f"{RUN} --out no/such/folder.npz": (
        r"--out 'no/such/folder\.npz' cannot be written: No such file or directory"
    ),
}


def test_run_of_a_folder_that_is_not_there_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert bitlif("run no-such-run") == 2
    assert "not 'no-such-run'" in capsys.readouterr().err


def refused(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_odd_files()
    before = names(".")
    assert bitlif(line) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(f"bitlif {line.split()[0]}: {message}\n", captured.err), captured.err
    assert names(".") == before


@pytest.mark.parametrize("words", WRONG_LEARN)
def test_wrong_learn_request_writes_nothing(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(f"learn tiny {words} --out out", WRONG_LEARN[words], capsys)


@pytest.mark.parametrize("words", WRONG_RUN)
def test_wrong_run_request_writes_nothing(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = "" if "--out" in words else "--out out.npz"
    refused(f"run tiny {words} {out}", WRONG_RUN[words], capsys)


@pytest.mark.parametrize("model", ["", "--float"])
@pytest.mark.parametrize(
    "words", [f"run tiny {RUN}", "learn tiny --out a", f"learn tiny {FILES} --out b"]
)
def test_loading_the_engine_is_not_timed(
    words: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def clock() -> float:
        told.append("clock")
        return float(len(told))

    def noted(kind: type, name: str) -> Any:
        own = getattr(kind, name)

        def call(self: Any, events: Events, *others: Any, **named: Any) -> Any:
            told.append(f"{name} {events.windows}")
            return own(self, events, *others, **named)

        return call

    for module in (from_targets, from_task, run):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=clock))
    for kind in (Layer, FloatLayer):
        for name in ("learn", "run"):
            monkeypatch.setattr(kind, name, noted(kind, name))
    assert bitlif(f"{words} {model}") == 0
    first, last = (place for place, what in enumerate(told) if what == "clock")
    name = words.split()[0]
    # One window of a temporary layer, then all windows of the layer itself.
    assert told[first - 1] == f"{name} 1"
    timed = [what.split() for what in told[first + 1 : last]]
    assert {what for what, _ in timed} == {name}
    windows = 400 if "learn tiny --out" in words else WINDOWS
    assert sum(int(count) for _, count in timed) == windows


# -- run -------------------------------------------------------------------------------------


def by_hand() -> Any:
    layer = Layer(TINY)
    layer.load(WEIGHTS)
    return layer.run(EVENTS)


def test_spikes_listed_twice_are_merged_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    save_events("once.aer", EVENTS)
    lines = Path("once.aer").read_text().splitlines()
    Path("twice.aer").write_text("\n".join([*lines, lines[1]]) + "\n")
    np.savez("targets.npz", targets=np.zeros((WINDOWS, 4), int))
    for command in (
        "run tiny --weights weights.npz --out out.npz",
        "learn tiny --targets targets.npz --out out",
    ):
        call = f"{command} --spikes twice.aer"
        assert bitlif(call) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert f"line {len(lines) + 1} repeats line 2: time" in said
        assert bitlif(f"{call} --duplicates merge") == 0
    np.testing.assert_array_equal(load_events("out.npz").raster(), by_hand().raster.astype(bool))
    np.testing.assert_array_equal(load_events("out/spikes.npz").raster(), EVENTS.raster())


def test_run_too_large_for_memory_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("wide.toml").write_text("[layer]\ninputs = 1\nneurons = 65536\n")
    Path("long.aer").write_text("# steps 64 units 1 windows 500000\n")
    assert bitlif("run wide.toml --weights weights.npz --spikes long.aer") == 2
    assert "must have at most 128 windows for a layer of 65536 ne" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["out.npz", "out.aer"])
def test_written_spikes_match_the_layer(name: str) -> None:
    assert bitlif(f"run tiny {RUN} --out {name}") == 0
    expected = by_hand().raster
    assert expected.any()
    found = load_events(name)
    assert (found.steps, found.units, found.windows) == (16, 4, WINDOWS)
    np.testing.assert_array_equal(found.raster(), expected.astype(bool))


def test_report_matches_the_layer(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(f"run tiny {RUN} --out out.npz", capsys)
    result = by_hand()
    assert list(report) == [
        "config", "model", "backend", "windows", "steps", "input_spikes", "output_spikes",
        "spikes_by_neuron", "output_rate", *COUNTERS, "seconds", "neuron_steps_per_second",
        "written",
    ]  # fmt: skip
    assert (report["config"], report["model"], report["written"]) == ("tiny", "integer", "out.npz")
    assert (report["windows"], report["steps"]) == (WINDOWS, WINDOWS * 16)
    assert report["input_spikes"] == EVENTS.count
    assert report["output_spikes"] == result.raster.sum()
    assert report["spikes_by_neuron"] == result.raster.sum(axis=(0, 1)).tolist()
    assert report["output_rate"] == result.raster.mean()
    assert {name: report[name] for name in COUNTERS} == result.counters
    assert report["neuron_steps_per_second"] == WINDOWS * 16 * 4 / report["seconds"]


def test_table_matches_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(f"run tiny {RUN}", capsys)
    assert bitlif(f"run tiny {RUN}") == 0
    out = capsys.readouterr().out
    for name in ("windows", "input_spikes", "output_spikes", "synaptic_events"):
        assert re.search(rf"│ {name.replace('_', ' ')} +│ +{report[name]} │", out)
    counts = " ".join(map(str, report["spikes_by_neuron"]))
    assert out.endswith(f"\nspikes by neuron: {counts}\n")


def test_threads_change_no_spike() -> None:
    for threads in (1, 3):
        assert bitlif(f"run tiny {RUN} --threads {threads} --out out-{threads}.npz") == 0
    one, three = (load_events(f"out-{threads}.npz") for threads in (1, 3))
    np.testing.assert_array_equal(one.raster(), three.raster())


def test_learned_folder_runs_like_its_layer() -> None:
    assert bitlif("learn tiny --epochs 60 --seed 3 --out made") == 0
    line = "run made/config.toml --weights made/weights.npz --spikes made/spikes.npz --out out.npz"
    assert bitlif(line) == 0
    config = TINY.seeded(3)
    task = make_teacher_task(config, 3)
    layer = Layer(config)
    learn_from_teacher(layer, task, 60)
    layer.reset()
    np.testing.assert_array_equal(
        load_events("out.npz").raster(), layer.run(task.events).raster.astype(bool)
    )


def test_float_twin_runs_with_the_same_weights(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(f"run tiny {RUN} --float --out out.npz", capsys)
    twin = FloatLayer(TINY)
    twin.load(WEIGHTS / 16)
    expected = twin.run(EVENTS)
    np.testing.assert_array_equal(load_events("out.npz").raster(), expected.raster.astype(bool))
    assert report["model"] == "float"
    assert report["output_spikes"] == expected.raster.sum()
    assert report["synaptic_events"] == EVENTS.count * 4


@pytest.mark.parametrize("model", ["integer", "float"])
def test_teacher_reset_follows_targets(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = TINY.replace(membrane__reset="teacher")
    Path("taught.toml").write_text(dump_config(config))
    line = f"run taught.toml {RUN} --out out.npz{' --float' if model == 'float' else ''}"
    assert bitlif(line) == 2
    assert capsys.readouterr() == (
        "", "bitlif run: targets must be given for learning or a teacher's reset\n"
    )  # fmt: skip
    assert not Path("out.npz").exists()
    assert bitlif(f"{line} --targets targets.npz") == 0
    layer: Layer | FloatLayer
    if model == "float":
        layer, weights, targets = FloatLayer(config), WEIGHTS / 16, TARGETS / 16
    else:
        layer, weights, targets = Layer(config), WEIGHTS, TARGETS
    layer.load(weights)
    expected = layer.run(EVENTS, targets).raster
    np.testing.assert_array_equal(load_events("out.npz").raster(), expected.astype(bool))
    # They do reset: without a teacher the spikes are others.
    free = type(layer)(TINY)
    free.load(weights)
    assert (free.run(EVENTS).raster != expected).any()
