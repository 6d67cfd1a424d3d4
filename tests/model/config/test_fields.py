"""The descriptions of the fields agree with the checks of the sections."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from bitlif.model.config.commented import WIDTH
from bitlif.model.config.config import Config
from bitlif.model.config.fields import FIELDS, SECTIONS, Field, default_of, field_of
from bitlif.model.errors import BitlifError

ALL = list(FIELDS.values())
RANGES = [own for own in ALL if re.match(r"[0-9]+ \.\.= [0-9]+(?!\^)\b", own.accepted)]
OPEN = [own for own in ALL if re.match(r"above 0, at most [0-9.]+$", own.accepted)]
WORDS = [own for own in ALL if own.accepted.startswith("'")]
FORMATS = [own for own in ALL if own.accepted.startswith("format ")]


def section_of(field: Field) -> tuple[Any, str]:
    """Return the default of the section that checks a field, and the name of the field in it."""
    node: Any = Config()
    *parents, name = field.path.replace("[]", "").split(".")
    for parent in parents:
        node = getattr(node, parent)
        node = node[0] if isinstance(node, tuple) else node
    return node, name


def refusal(field: Field, value: Any) -> str:
    """Return the error for one value of a field, or an empty string."""
    section, name = section_of(field)
    try:
        replace(section, **{name: value})
    except BitlifError as error:
        return str(error)
    return ""


def test_every_field_is_described_in_order() -> None:
    assert [path.replace("[0]", "[]") for path in Config().flat()] == list(FIELDS)
    assert {own.section for own in ALL} == {"", *SECTIONS}


@pytest.mark.parametrize("field", ALL, ids=lambda own: own.path)
def test_descriptions_are_one_line(field: Field) -> None:
    assert len(f"# {field.line}") <= WIDTH
    assert field.line.isprintable()
    assert not field.meaning.endswith(".")


def test_kinds_of_fields_are_all_checked() -> None:
    others = {own.path for own in ALL} - {
        own.path for own in (*RANGES, *OPEN, *WORDS, *FORMATS)
    }  # fmt: skip
    assert others == {
        "name", "membrane.threshold", "noise.lfsr.taps", "noise.lfsr.seed", "noise.overlap",
        "error.limit", "error.a", "error.b", "learning.lfsr.taps", "learning.lfsr.seed",
    }  # fmt: skip


@pytest.mark.parametrize("field", RANGES, ids=lambda own: own.path)
def test_ranges_are_those_of_the_checks(field: Field) -> None:
    low, high = map(int, re.findall(r"[0-9]+", field.accepted)[:2])
    name, real = field.name, isinstance(default_of(field.path), float)
    range_text = f"{low:g} ..= {high:g}" if real else f"{low} ..= {high}"
    # The ends can contradict other fields, but are inside the range of their own.
    for legal in (low, high):
        assert not refusal(field, legal).startswith(f"{name} must be in")
    for wrong in (low - 1, high + 1):
        assert refusal(field, wrong).startswith(f"{name} must be in {range_text}")


@pytest.mark.parametrize("field", OPEN, ids=lambda own: own.path)
def test_open_ranges_are_those_of_the_checks(field: Field) -> None:
    high = float(field.accepted.rpartition(" ")[2])
    for wrong in (0, -1, high * 1.01):
        assert f"above 0 and at most {high:g}" in refusal(field, wrong)
    assert f"above 0 and at most {high:g}" not in refusal(field, high)


@pytest.mark.parametrize("field", WORDS, ids=lambda own: own.path)
def test_words_are_those_of_the_checks(field: Field) -> None:
    words = re.findall(r"'(\w+)'", field.accepted)
    with pytest.raises(BitlifError, match="must be") as caught:
        Config().replace(**{field.path.replace(".", "__"): "nothing"})
    assert re.findall(r"'(\w+)'", str(caught.value))[:-1] == words


@pytest.mark.parametrize("field", FORMATS, ids=lambda own: own.path)
def test_formats_are_those_of_the_checks(field: Field) -> None:
    found = re.match(r"format ([su])([0-9]+) to [su]([0-9]+)", field.accepted)
    assert found
    letter, low, high = found[1], int(found[2]), int(found[3])
    path, default = field.path.replace(".", "__"), str(default_of(field.path))
    assert default[0] == letter
    other = "u" if letter == "s" else "s"
    with pytest.raises(BitlifError, match="signed format"):
        Config().replace(**{path: f"{other}8.5"})
    for wrong in (low - 1, high + 1):
        with pytest.raises(BitlifError, match=r"must be in|at most 16 bits"):
            Config().replace(**{path: f"{letter}{wrong}.0"})


def test_fields_are_found_by_the_names_of_errors() -> None:
    assert field_of("schedule[12].rate") is field_of("schedule[].rate") is FIELDS["schedule[].rate"]
    with pytest.raises(
        BitlifError, match=r"'layer\.input' is not a field, did you mean 'layer\.in"
    ):
        field_of("layer.input")


def test_defaults_are_those_of_the_configuration() -> None:
    assert default_of("membrane.decay.tau") == 20.0
    assert default_of("noise.lfsr.taps") == []
    assert default_of("error.rounding") == "nearest"
