"""Command lines: suggestions, short errors, and help."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from bitlif.scripts.console.parser import DIGITS, Parser
from bitlif.scripts.main import SUBCOMMANDS, main

Caught = pytest.CaptureFixture[str]


def refused(words: list[str], capsys: Caught) -> str:
    """Return the last line of the error message of a command line that exits with 2."""
    try:
        code: object = main(words)
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    return err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["lern"], "learn"),
        (["config", "shw"], "show"),
        (["bench", "gate"], "gates"),
        (["help", "lern"], "learn"),
        (["help", "config", "lst"], "list"),
        (["learn", "tiny", "--otu", "x", "--out", "y"], "--out"),
        (["learn", "tiny", "--out", "x", "--eopchs=3"], "--epochs"),
        (["config", "show", "tiny", "--derivd"], "--derived"),
        (["learn", "tiny", "--out", "x", "--task", "digit"], "digits"),
        (["verify", "tiny", "--simulator", "verlator"], "verilator"),
        (["registers", "--format", "pyton"], "python"),
        (["config", "show", "tyny"], "tiny"),
        (["estimate", "tiny", "--board", "icebraker"], "icebreaker"),
        (["fit", "tiny", "--board", "hx8"], "hx8k"),
        (["fit", "tiny", "--board", "hx8k", "--vary", "lane"], "lanes"),
        (["build", "tiny", "--board", "orangecrap"], "orangecrab"),
        (["figures", "--only", "colling"], "cooling"),
        (["run", "tiny", "--weights", "w", "--spikes", "s", "--backend", "modle"], "model"),
        (["learn", "tiny", "--out", "x", "--backend", "modle"], "model"),
        (["crosscheck", "tiny", "--backends", "model,netlist:ecp"], "netlist:ecp5"),
        (["verify", "tiny", "--inject", "threshold-greatr"], "threshold-greater"),
        (["study", "quickstrt", "--out", "x"], "quickstart"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_corrections_are_suggested(
    words: list[str], meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: Caught,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    line = refused(words, capsys)
    assert f", did you mean '{meant}'?" in line
    assert list(tmp_path.iterdir()) == []


def test_unknown_commands_and_choices_are_listed(capsys: Caught) -> None:
    line = refused(["zzz"], capsys)
    assert f"invalid choice: 'zzz' (choose from {', '.join(SUBCOMMANDS)})" in line
    assert "(choose from none, axi)" in refused(["verilog", "tiny", "--bus", "zzz"], capsys)


@pytest.mark.parametrize("words", [[], ["config"]])
def test_missing_command_prints_the_help(words: list[str], capsys: Caught) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main(words)
    out, err = capsys.readouterr()
    assert out == ""
    with pytest.raises(SystemExit, match=r"^0$"):
        main([*words, "--help"])
    assert err.startswith(capsys.readouterr().out)
    assert "the following arguments are required" in err.splitlines()[-1]


@pytest.mark.parametrize("words", [[], ["learn"], ["config", "show"], ["bench", "gates"], ["help"]])
def test_help_shows_what_the_option_shows(words: list[str], capsys: Caught) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main([*words, "--help"])
    shown = capsys.readouterr()
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["help", *words])
    assert capsys.readouterr() == shown


@pytest.mark.parametrize("text", ["9" * (DIGITS + 1), "1" * 100_000])
@pytest.mark.parametrize("kind", [int, float])
def test_very_long_numbers_are_refused(kind: type, text: str, capsys: Caught) -> None:
    parser = Parser(prog="x")
    parser.add_argument("--number", type=kind)
    with pytest.raises(SystemExit, match=r"^2$"):
        parser.parse_args(["--number", text])
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("x: error: argument --number: must be a number of at most 100 char")
    assert len(line) < 200


def test_numbers_are_read_as_python_reads_them() -> None:
    parser = Parser()
    parser.add_argument("--whole", type=int)
    parser.add_argument("--real", type=float)
    words = ["--whole", "-12", "--real", "1e-3"]
    assert parser.parse_args(words) == argparse.Namespace(whole=-12, real=0.001)


@pytest.mark.parametrize("word", ["", "a\0b"])
def test_empty_arguments_and_null_characters_are_refused(word: str, capsys: Caught) -> None:
    for words in (["learn", word, "--out", "x"], ["learn", "tiny", "--out", word]):
        assert ": must not" in refused(words, capsys)


def test_values_in_errors_are_short_and_printable(capsys: Caught) -> None:
    for words in (["\x1b[2J" * 50], ["learn", "tiny", "--out", "x", "--\x1b[2J" + "x" * 5000]):
        line = refused(words, capsys)
        assert line.isprintable()
        assert len(line) < 450
