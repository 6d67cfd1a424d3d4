"""Golden sets and comparisons run windows from files; what has no file is drawn as before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.model.files.weight_file import save_weights
from bitlif.scripts.main import main
from bitlif.tasks.stimulus import random_work

from golden_steps import Again, arrays_of, manifest

TINY = Config.load("tiny")
AER = "# windows 2\n0 5\n3 1\n20 1\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with one file of each kind; each has four windows."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(5)
    save_events("spikes.npz", Events.from_raster(random.random((4, 16, 6)) < 0.4))
    save_weights("weights.npz", random.integers(-20, 20, (6, 4)), TINY)
    np.savez("targets.npz", targets=random.random((4, 4)))
    np.savez("by_step.npz", targets=random.random((4, 16, 4)))
    np.savez("wide.npz", targets=random.random((4, 5)))
    np.savez("empty.npz", targets=random.random((0, 4)))
    Path("own.aer").write_text(AER)
    return tmp_path


def golden(*options: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Write a set to a new folder; return its manifest and arrays."""
    out = Path("set")
    assert main(["golden", "tiny", "-o", str(out), "--force", *options]) == 0
    return manifest(out), arrays_of(out)


def test_all_inputs_come_from_their_files() -> None:
    told, arrays = golden(
        "--weights", "weights.npz", "--spikes", "spikes.npz", "--targets", "by_step.npz"
    )
    assert told["run"]["given"] == ["weights", "spikes", "targets"]
    assert told["run"]["windows"] == 4
    random = np.random.default_rng(5)
    np.testing.assert_array_equal(arrays["input_spike"], random.random((4, 16, 6)) < 0.4)
    np.testing.assert_array_equal(arrays["initial_weight"], random.integers(-20, 20, (6, 4)))
    random.random((4, 4))
    expected = np.floor(random.random((4, 16, 4)) * 16 + 0.5)
    np.testing.assert_array_equal(arrays["target"], expected)
    # The set is complete: everything follows from it alone.
    for name, values in Again(told, arrays).arrays().items():
        np.testing.assert_array_equal(values, arrays[name], err_msg=name)


@pytest.mark.parametrize("name", ["weights", "spikes", "targets"])
def test_inputs_without_a_file_are_drawn_as_before(name: str) -> None:
    told, arrays = golden(f"--{name}", f"{name}.npz", "--seed", "6", "--windows", "3")
    work = random_work(TINY, 6, 3)
    drawn = {
        "weights": ("initial_weight", work.weights),
        "spikes": ("input_spike", work.events.raster()),
        "targets": ("target", work.targets),
    }
    for other, (array, values) in drawn.items():
        assert np.array_equal(arrays[array], values) == (other != name)
    assert told["run"]["given"] == [name]


def test_sets_without_files_record_nothing_given() -> None:
    assert "given" not in golden()[0]["run"]


def test_row_of_targets_is_written_for_every_step() -> None:
    _, arrays = golden("--targets", "targets.npz")
    assert arrays["target"].shape == (4, 16, 4)
    assert (arrays["target"] == arrays["target"][:, :1]).all()


def test_text_spikes_have_the_windows_of_their_header() -> None:
    told, arrays = golden("--spikes", "own.aer")
    assert told["run"]["windows"] == 2
    assert arrays["input_spike"].sum() == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--windows 5 --spikes spikes.npz", "--windows must be in 1 ..= 4, the number of windows"),
        ("--windows 5 --targets targets.npz", "of --targets, not 5"),
        ("--windows 0 --targets targets.npz", "--windows must be in 1 ..="),
        ("--spikes own.aer --targets targets.npz", "targets must be"),
        ("--targets wide.npz", "not float64 of shape (4, 5)"),
        ("--targets empty.npz", "'empty.npz' must hold at least one window"),
        ("--targets weights.npz", "must hold the array targets"),
        ("--targets targets.npz --inference", "if membrane.reset is 'teacher', not 'free'"),
        ("--weights targets.npz", "must hold the arrays weights and format"),
        ("--weights nowhere.npz", "No such file"),
        ("--spikes nowhere.npz", "No such file"),
    ],
)
def test_inputs_that_do_not_fit_are_one_error(
    options: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["golden", "-o", "set"], ["crosscheck", "--backends", "model,float"]):
        if "--inference" in options and command[0] == "crosscheck":
            continue
        assert main([*command, "tiny", *options.split()]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
        assert not Path("set").exists()


def test_file_with_too_many_windows_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    Path("long.aer").write_text("# windows 10001\n0 5\n")
    assert main(["golden", "tiny", "-o", "set", "--spikes", "long.aer"]) == 2
    assert "at most 10000 windows, not 10001: use --windows" in capsys.readouterr().err
    assert golden("--spikes", "long.aer", "--windows", "2")[1]["input_spike"].sum() == 1


def test_teacher_reset_takes_targets_without_learning() -> None:
    TINY.replace(membrane__reset="teacher").save("teacher.toml")
    call = ["golden", "teacher.toml", "-o", "set", "--inference", "--targets", "targets.npz"]
    assert main(call) == 0
    assert "target" in arrays_of(Path("set"))


def test_replay_takes_no_other_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--replay", "x", "--targets", "targets.npz"]) == 2
    assert "--targets cannot be used with --replay" in capsys.readouterr().err
