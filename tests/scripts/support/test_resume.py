"""``bitlif learn --resume`` goes on to the same bits as a run that never stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from result_folder import content

from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.model.files.weight_file import save_weights
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.scripts.main import main

TINY = Config.load("tiny")
RANDOM = np.random.default_rng(12)
EVENTS = Events.from_raster(RANDOM.random((5, 16, 6)) < 0.4)
FILES = "learn tiny --spikes s.npz --targets t.npz"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a new folder with spikes and targets."""
    monkeypatch.chdir(tmp_path)
    save_events("s.npz", EVENTS)
    np.savez("t.npz", targets=np.random.default_rng(1).integers(0, 16, (5, 16, 4)))
    save_weights("w.npz", np.zeros((6, 4), int), TINY)
    return tmp_path


def bitlif(line: str) -> int:
    return main(line.split())


CASES = {
    "teacher": ("learn tiny", (5, 2, 30)),
    "teacher, seed": ("learn tiny --seed 3", (1, 4)),
    "teacher, float": ("learn tiny --float", (3, 3)),
    "files": (FILES, (1, 1, 2)),
    "files, float": (f"{FILES} --float --seed 2", (2, 1)),
    "digits": ("learn digits", (1, 1)),
    "digits, float": ("learn digits --float", (1, 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_resumed_training_equals_one_call(name: str) -> None:
    line, parts = CASES[name]
    assert bitlif(f"{line} --epochs {sum(parts)} --out whole") == 0
    for number, epochs in enumerate(parts):
        more = " --resume" if number else ""
        assert bitlif(f"{line} --epochs {epochs} --out parts{more}") == 0
    whole, joined = content("whole"), content("parts")
    assert joined.keys() == whole.keys()
    for key, value in whole.items():
        assert joined[key] == value, key
    assert whole["windows"] > 0


def test_resumed_run_does_not_repeat_the_first_epoch() -> None:
    assert bitlif(f"{FILES} --epochs 1 --out run") == 0
    first = content("run")
    assert bitlif(f"{FILES} --epochs 1 --out run --resume") == 0
    second = content("run")
    assert second["epochs"] == 2
    assert second["state.npz noise_lfsr"] != first["state.npz noise_lfsr"]
    assert second["weights.npz weights"] != first["weights.npz weights"]


def rewrite(**changes: Any) -> None:
    """Change the report; None takes a field out."""
    path = Path("run/report.json")
    report = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: own for key, own in report.items() if own is not None}))


@pytest.mark.parametrize(
    ("changes", "line", "message"),
    [
        (
            {},
            "RUN --initial w.npz",
            "--initial cannot be used with --r",
        ),
        ({}, "learn tiny --out none --resume", "--resume needs an earlier run on the model or the"),
        (
            {},
            "RUN --backend rtl",
            "--resume needs --backend model",
        ),
        ({}, "RUN --float", "--backend must be 'model', as in 'run/rep"),
        (
            {},
            "RUN --seed 4",
            "--seed must be 0, as in 'run/report.json',",
        ),
        (
            {},
            f"{FILES} --out run --resume",
            "the data must be 'teacher', as in 'run/report.json', not",
        ),
        (
            {},
            "learn teacher --task teacher --out run --resume",
            "state 'run/state.npz' must be",
        ),
        (
            {"seed": None},
            "RUN",
            "report 'run/report.json' must have seed",
        ),
        ({"seed": False}, "RUN", "report 'run/report.json': seed must be an integer"),
        (
            {"windows": 4},
            "RUN",
            "must be 3, as in state.npz,",
        ),
        (
            {"windows": -1},
            "RUN",
            "report 'run/report.json': windows must ",
        ),
        ({"windows": "3"}, "RUN", "windows must be an integer in 0 ..="),
        (
            {"active_errors": 1.5},
            "RUN",
            "active_errors must be an integer",
        ),
        (
            {"trace_saturations": None},
            "RUN",
            "report 'run/report.json' must have trace_saturations",
        ),
    ],
)
def test_refused_resume_changes_nothing(
    changes: dict[str, Any], line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bitlif("learn tiny --epochs 3 --out run") == 0
    rewrite(**changes)
    before = content("run")
    capsys.readouterr()
    assert bitlif(line.replace("RUN", "learn tiny --out run --resume")) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert content("run") == before
    assert not Path("none").exists()


@pytest.mark.parametrize("options", ["", " --float"])
@pytest.mark.parametrize("data", ["learn tiny", "learn digits", FILES])
def test_missing_counter_is_named_before_learning(
    data: str, options: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = f"{data}{options} --epochs 1 --out run"
    assert bitlif(line) == 0
    rewrite(synaptic_events=None)
    learned: list[int] = []
    for kind in (Layer, FloatLayer):
        monkeypatch.setattr(kind, "learn", lambda *_args, **_named: learned.append(1))
    capsys.readouterr()
    assert bitlif(f"{line} --resume") == 2
    assert capsys.readouterr().err == (
        "bitlif learn: report 'run/report.json' must have synaptic_events\n"
    )
    assert learned == []


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\xff"])
def test_damaged_report_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bitlif("learn tiny --epochs 1 --out run") == 0
    Path("run/report.json").write_text(text, "latin-1")
    assert bitlif("learn tiny --epochs 1 --out run --resume") == 2
    assert "report 'run/report.json' must be" in capsys.readouterr().err


def test_earlier_accuracies_are_validated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bitlif("learn digits --epochs 1 --out run") == 0
    for changes in (
        {"test_accuracy_by_epoch": [0.5, 0.5]},
        {"test_accuracy_by_epoch": [2.0]},
        {"test_accuracy_by_epoch": "x"},
        {"epochs": 10**9},
        {"epochs": 0, "test_accuracy_by_epoch": []},
    ):
        report = Path("run/report.json").read_text()
        rewrite(**changes)
        assert bitlif("learn digits --epochs 1 --out run --resume") == 2
        assert "report 'run/report.json'" in capsys.readouterr().err
        Path("run/report.json").write_text(report)


def test_changed_data_files_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bitlif(f"{FILES} --out run") == 0
    np.savez("t.npz", targets=np.zeros((5, 16, 4), int))
    assert bitlif(f"{FILES} --out run --resume") == 2
    assert "as in 'run/report.json'" in capsys.readouterr().err


def test_state_of_another_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert bitlif("learn tiny --epochs 2 --out run") == 0
    assert bitlif("learn tiny --epochs 3 --out other") == 0
    Path("run/state.npz").write_bytes(Path("other/state.npz").read_bytes())
    assert bitlif("learn tiny --epochs 1 --out run --resume") == 2
    assert "must be 3, as in state.npz, not 2" in capsys.readouterr().err
