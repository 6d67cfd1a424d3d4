"""``bitlif new``: the file that it writes, and what it says about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.fields import FIELDS
from bitlif.model.config.toml import config_hash
from bitlif.scripts.main import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a new folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bitlif(line: str) -> int:
    return main(line.split())


def test_default_file_holds_all_fields_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert bitlif("new mine --json") == 0
    report = json.loads(capsys.readouterr().out)
    assert Config.load("mine.toml") == Config(name="mine")
    assert report["written"] == "mine.toml"
    assert report["hash"] == config_hash(Config())
    text = Path("mine.toml").read_text("utf-8")
    for field in FIELDS.values():
        assert f"# {field.line}\n" in text
    assert bitlif("config validate mine.toml") == 0


def test_existing_file_is_replaced_only_with_force(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text("mine")
    assert bitlif("new mine") == 2
    assert "--force" in capsys.readouterr().err
    assert Path("mine.toml").read_text() == "mine"
    assert bitlif("new mine --force") == 0
    assert Config.load("mine.toml").name == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sub/mine", "--out"),
        (".", "--out"),
        ("mine.toml", "without .toml"),
        ("mine --out mine.txt", "must end in .toml"),
        ("mine --out no/mine.toml", "No such file"),
        ("mine --out .", "must end in .toml"),
    ],
)
def test_wrong_names_are_refused(
    words: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bitlif(f"new {words}") == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(folder.iterdir())


def test_a_name_of_controls_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "a\nb", "-o", "x.toml"]) == 2
    assert "must be printable" in capsys.readouterr().err
    assert not list(folder.iterdir())
