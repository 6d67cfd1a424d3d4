"""Remarks on configurations that are legal but surely not meant, and how they reach a person."""

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

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a phase that cannot learn": (
        {"schedule": [{"windows": 8, "sigma": 0.3, "rate": 1e-6}, {"sigma": 0.3, "rate": 0.5}]},
        (
            "in schedule[0] no weight can change, for every update rounds to 0: its rate must be "
            "at least about 0.00022 for these formats"
        ),
    ),
    "rate 0 after rates": (
        {"schedule": [{"windows": 8, "sigma": 0.3, "rate": 0.25}, {"sigma": 0.3, "rate": 0.0}]},
        (
            "schedule[1].rate is not given, or 0: it means learning.rate = 0.5, after phases with "
            "rates of their own"
        ),
    ),
    "errors of 0": (
        {"error__rule": "table", "error__a": ZEROS, "error__b": ZEROS},
        "no weight can ever change: every error rounds to 0 in error.format 's7.4'",
    ),
    "traces of 0": (
        {"trace__format": "u8.0", "membrane__gain": 0.01, "membrane__gain_bits": 8},
        "no weight can ever change: every PSP trace rounds to 0 in trace.format 'u8.0'",
    ),
    "noise that repeats": (
        {"noise": {"words": 2, "word_bits": 4, "lfsr": {"width": 8, "leap": 34}}},
        (
            "a neuron's noise repeats after 15 steps, within a window of 16: choose a wider "
            "noise.lfsr or another leap"
        ),
    ),
    "random bits that repeat": (
        {"learning__lfsr": {"width": 8, "leap": 17}, "layer__inputs": 5},
        (
            "a synapse's random bits repeat after 3 windows, too few for 4 bits to round without "
            "bias: choose a wider learning.lfsr or another leap"
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_remark_says_what_was_read_and_what_to_do(case: str) -> None:
    changes, sentence = CASES[case]
    assert remarks(TINY.replace(**changes)) == (sentence,)
    assert len(sentence) < 200


@pytest.mark.parametrize("name", ready_made())
def test_ready_made_configurations_have_no_remarks(name: str) -> None:
    assert remarks(Config.load(name)) == ()


def test_rates_left_out_before_rates_are_not_remarked_on() -> None:
    first = [{"windows": 8, "sigma": 0.3}, {"sigma": 0.3, "rate": 0.1}]
    assert remarks(TINY.replace(schedule=first)) == ()
    # Cleared with every window, random bits repeat in any case.
    changes, _ = CASES["random bits that repeat"]
    assert remarks(TINY.replace(**changes, window__lfsr="clear")) == ()


def test_loading_a_file_warns_at_the_line_that_loads_it(tmp_path: Path) -> None:
    changes, sentence = CASES["rate 0 after rates"]
    file = tmp_path / "mine.toml"
    file.write_text(dump_config(TINY.replace(**changes)), "utf-8")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Config.load(file)
    (warning,) = caught
    assert warning.category is BitlifWarning
    assert str(warning.message) == f"{file}: {sentence}"
    assert Path(warning.filename) == Path(__file__)


def test_commands_print_a_warning_once_as_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, sentence = CASES["rate 0 after rates"]
    file = tmp_path / "mine.toml"
    file.write_text(dump_config(TINY.replace(**changes)), "utf-8")
    for command in (["config", "validate", str(file), str(file)], ["config", "show", str(file)]):
        assert main(command) == 0
        captured = capsys.readouterr()
        assert captured.err == f"bitlif config: warning: {file}: {sentence}\n"
        assert captured.out


def test_other_warnings_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from bitlif.scripts import config as command

    def warn(source: object) -> Config:
        warnings.warn("of another package", DeprecationWarning, stacklevel=1)
        raise AssertionError("the suite makes errors of them")

    monkeypatch.setattr(command.Config, "load", warn)
    with pytest.raises(DeprecationWarning, match="of another package"):
        main(["config", "show", "tiny"])
