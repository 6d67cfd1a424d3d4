"""The conformance set notices planted mistakes, and its comments and tables say which."""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path

import pytest

from bitlif.model.config.config import Config, conformance, ready_made
from bitlif.model.errors import BitlifError

from conformance_table import CONFIGS, ROOT, Found, all_noticed, comment, stored_sets, tables
from mistakes import ISSUE, MISTAKES, OTHERS
from planted import Mistake, noticed

SETS = {given.name: given for given in stored_sets()}


@functools.cache
def found() -> Found:
    return all_noticed(list(SETS.values()))


def test_program_that_is_right_agrees_with_every_set() -> None:
    assert noticed(Mistake("none", "", ()), list(SETS.values())) == {}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_noticed_where_it_shows_first(name: str) -> None:
    assert MISTAKES[name].first in found()[name].values()


def test_each_mistake_of_the_first_part_is_what_a_configuration_is_there_for() -> None:
    named = {key for folder in SETS for key in comment(folder, found())}
    assert named >= set(ISSUE)


@pytest.mark.parametrize("name", SETS)
def test_comment_names_what_the_configuration_notices(name: str) -> None:
    lines = (CONFIGS / f"{name}.toml").read_text("utf-8").split("\n")
    text = " ".join(line[2:] for line in lines if line.startswith("# "))
    named = re.fullmatch(r".+? Notices: (.+)\.", text)
    assert named is not None
    assert named[1].split(", ") == comment(name, found())


def test_stored_sets_are_those_of_the_configurations() -> None:
    assert [f"conformance/{name}" for name in SETS] == conformance()
    for name, given in SETS.items():
        config = Config.load(f"conformance/{name}")
        assert config.name == name
        assert given.told["config"]["values"]["name"] == name
        assert given.told["run"]["windows"] == 3
        assert given.told["run"]["learns"] == (name != "inference")
    # Few and small: a person can read them.
    assert 8 <= len(SETS) <= 14
    stored = ROOT / "tests" / "golden" / "conformance"
    assert sum(file.stat().st_size for file in stored.rglob("*") if file.is_file()) < 300_000


def test_names_are_no_ready_made_ones_and_are_suggested(tmp_path: Path) -> None:
    assert not set(conformance()) & set(ready_made())
    with pytest.raises(BitlifError, match="did you mean 'conformance/hold'"):
        Config.load("conformance/hald")
    for name in SETS:
        tree = tomllib.loads((CONFIGS / f"{name}.toml").read_text("utf-8"))
        assert tree["name"] == name


def test_document_holds_the_table_of_other_mistakes() -> None:
    # The first table also says what the ready-made sets miss: see tests/model/test_mutants.py.
    text = (ROOT / "docs" / "golden.md").read_text("utf-8")
    unknown: Found = {name: {} for name in ISSUE}
    first, second = tables(found(), unknown).split("\n\n")
    assert second in text
    for line in first.splitlines():
        assert line.removesuffix("none |").removesuffix("by ready-made sets |") in text
    assert len(OTHERS) + len(ISSUE) == len(MISTAKES)
