"""Commented configuration files are read back unchanged, and explain each field."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from bitlif.model.config.commented import WIDTH, dump_commented
from bitlif.model.config.config import Config, parse_config, ready_made
from bitlif.model.config.fields import FIELDS, SECTIONS
from bitlif.model.config.toml import dump_config

from strategies import configs

HEADER = ["A title.", "word " * 60, "a line\nof an attacker = 1"]


@given(configs())
def test_text_gives_the_same_configuration(config: Config) -> None:
    text = dump_commented(config, HEADER)
    assert parse_config(text, "text") == config


@pytest.mark.parametrize("name", ready_made())
def test_files_load_as_the_same_configuration(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(dump_commented(Config.load(name)), "utf-8")
    assert Config.load(path) == Config.load(name)


def test_columns_of_a_table_are_kept() -> None:
    column = [number / 64 for number in range(256)]
    config = Config().replace(error__rule="table", error__a=column, error__b=column)
    text = dump_commented(config)
    assert parse_config(text, "text") == config
    assert max(map(len, text.splitlines())) <= WIDTH


def test_every_field_and_section_is_explained_once() -> None:
    lines = dump_commented(Config.load("digits")).splitlines()
    found = [line.removeprefix("# ") for line in lines if line.startswith("# ") and ";" in line]
    expected = sorted(field.line for field in FIELDS.values())
    assert sorted(found) == expected
    for section in SECTIONS.values():
        assert lines.count(f"# {section}") == 1


def test_gates_with_their_defaults_are_explained_too() -> None:
    assert "[gates]" not in dump_config(Config.load("digits"))
    assert "\n[gates]\n" in dump_commented(Config.load("digits"))


@pytest.mark.parametrize("given", [{"tau": 3.0}, {"shift": 2}])
def test_both_ways_to_give_a_decay_are_shown(given: dict[str, float]) -> None:
    lines = dump_commented(Config().replace(synapse__decay=given)).splitlines()
    section = lines[lines.index("[synapse.decay]") : lines.index(f"# {SECTIONS['membrane']}")]
    assert sorted(line.split(" = ")[0] for line in section if " = " in line) == sorted(
        ["bits", *given, "# shift" if "tau" in given else "# tau"]
    )


def test_lines_are_short_and_the_header_comes_first() -> None:
    lines = dump_commented(Config(), HEADER).splitlines()
    assert lines[0] == "# A title."
    assert max(map(len, lines)) <= WIDTH
    assert "attacker = 1" not in [line.strip() for line in lines]
