"""Commands that need a single layer refuse networks in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitlif.model.config.config import Config
from bitlif.scripts.console.configuration import load_layer
from bitlif.scripts.main import main

NETWORK = Path(__file__).parents[2] / "golden" / "network" / "config.toml"

COMMANDS = ["bench gates --config CONFIG", "bench cosim --config CONFIG"]


def test_layers_are_loaded() -> None:
    assert load_layer("tiny") == Config.load("tiny")


@pytest.mark.parametrize("command", COMMANDS, ids=[words.split()[1] for words in COMMANDS])
def test_benchmarks_of_layers_refuse_networks(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = [str(NETWORK) if word == "CONFIG" else word for word in command.split()]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for fact in (words[0], str(NETWORK), "network of 3 layers", "single layer"):
        assert fact in error
    assert not list(tmp_path.iterdir())


def test_teacher_needs_a_single_layer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["teacher", "--config", str(NETWORK)]) == 2
    assert "single layer" in capsys.readouterr().err
