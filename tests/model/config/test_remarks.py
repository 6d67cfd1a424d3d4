"""Remarks on configurations that are valid but probably not intended, and how they are shown."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from bitlif.model.config.config import Config, ready_made
from bitlif.model.config.remarks import remarks
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifWarning
from bitlif.scripts.main import main

TINY = Config.load("tiny")
ZEROS = [0.0] * 64

CASES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a phase that cannot learn": (
        {"schedule": [{"windows": 8, "sigma": 0.3, "rate": 1e-6}, {"sigma": 0.3, "rate": 0.5}]},
        ("no weight can change", "schedule[0]", "0.00022"),
    ),
    "rate 0 after rates": (
        {"schedule": [{"windows": 8, "sigma": 0.3, "rate": 0.25}, {"sigma": 0.3, "rate": 0.0}]},
        ("schedule[1].rate is 0", "learning.rate = 0.5"),
    ),
    "errors of 0": (
        {"error__rule": "table", "error__a": ZEROS, "error__b": ZEROS},
        ("no weight can change", "error rounds to 0", "error.format 's7.4'"),
    ),
    "traces of 0": (
        {"trace__format": "u8.0", "membrane__gain": 0.01, "membrane__gain_bits": 8},
        ("no weight can change", "PSP trace rounds to 0", "trace.format 'u8.0'"),
    ),
    "noise that repeats": (
        {"noise": {"words": 2, "word_bits": 4, "lfsr": {"width": 8, "leap": 34}}},
        ("noise", "repeats after 15 steps", "window of 16", "noise.lfsr"),
    ),
    "random bits that repeat": (
        {"learning__lfsr": {"width": 8, "leap": 17}, "layer__inputs": 5},
        ("random bits", "repeat after 3 windows", "4 bits", "learning.lfsr"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_remark_names_field_value_and_remedy(case: str) -> None:
    changes, facts = CASES[case]
    (sentence,) = remarks(TINY.replace(**changes))
    for fact in facts:
        assert fact in sentence
    assert len(sentence) < 200


@pytest.mark.parametrize("name", ready_made())
def test_ready_made_configurations_have_no_remarks(name: str) -> None:
    assert remarks(Config.load(name)) == ()


def test_rates_missing_before_other_rates_have_no_remark() -> None:
    first = [{"windows": 8, "sigma": 0.3}, {"sigma": 0.3, "rate": 0.1}]
    assert remarks(TINY.replace(schedule=first)) == ()
    # LFSRs that are cleared in every window repeat in any case.
    changes, _ = CASES["random bits that repeat"]
    assert remarks(TINY.replace(**changes, window__lfsr="clear")) == ()


def test_warning_of_a_loaded_file_points_to_the_caller(tmp_path: Path) -> None:
    changes, _ = CASES["rate 0 after rates"]
    (sentence,) = remarks(TINY.replace(**changes))
    file = tmp_path / "mine.toml"
    file.write_text(dump_config(TINY.replace(**changes)), "utf-8")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Config.load(file)
    (warning,) = caught
    assert warning.category is BitlifWarning
    assert str(warning.message) == f"{file}: {sentence}"
    assert Path(warning.filename) == Path(__file__)


def test_commands_print_a_warning_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes, _ = CASES["rate 0 after rates"]
    (sentence,) = remarks(TINY.replace(**changes))
    file = tmp_path / "mine.toml"
    file.write_text(dump_config(TINY.replace(**changes)), "utf-8")
    for command in (["config", "validate", str(file), str(file)], ["config", "show", str(file)]):
        assert main(command) == 0
        captured = capsys.readouterr()
        assert captured.err == f"bitlif config: warning: {file}: {sentence}\n"
        assert captured.out


def test_other_warnings_are_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    from bitlif.scripts import config as command

    def warn(source: object) -> Config:
        warnings.warn("of another package", DeprecationWarning, stacklevel=1)
        raise AssertionError("the suite makes errors of them")

    monkeypatch.setattr(command, "load_any_config", warn)
    with pytest.raises(DeprecationWarning, match="of another package"):
        main(["config", "show", "tiny"])
