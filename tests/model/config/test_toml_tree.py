"""TOML as `tomllib` reads it, within bounds."""

from __future__ import annotations

import tomllib

import pytest

from bitlif.model.config.config import READY_MADE, ready_made
from bitlif.model.config.toml_tree import MOST_DEPTH, parse_toml
from bitlif.model.errors import BitlifError

DEEP = r"^my\.toml: must be nested at most 32 levels deep$"


@pytest.mark.parametrize("name", ready_made())
def test_ready_made_text_is_read_as_tomllib_does(name: str) -> None:
    text = (READY_MADE / f"{name}.toml").read_text("utf-8")
    assert parse_toml(text, "my.toml") == tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "a = '" + "b." * 99 + "'",
        'a = "' + "[" * 99 + '\\"' + "b." * 99 + '"',
        '"' + "b." * 99 + '" = 1',
        "# " + "b." * 99 + "[" * 99,
        'a = """\n' + "b." * 99 + '"" \\""" ' + "b." * 99 + '"""""',
        "a = '''\n" + "b." * 99 + "' '' " + "[" * 99 + "'''''",
        'a = ["#", "' + "b." * 99 + '"]',
        "a = [" + "1.5, " * 999 + "]",
        "b." * (MOST_DEPTH - 1) + "c = 1",
        "a = " + "[" * (MOST_DEPTH - 1) + "]" * (MOST_DEPTH - 1),
        f"a = {(1 << 64) - 1}\nb = -{(1 << 64) - 1}",
    ],
    ids=range(11),
)
def test_what_looks_deep_and_is_not_is_read(text: str) -> None:
    assert parse_toml(text, "my.toml") == tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        "a = " + "[" * 3000 + "]" * 3000,
        "a = " + "{a = " * 3000 + "1" + "}" * 3000,
        "a = " + "[" * 33 + "]" * 33,
        "b." * 400_000 + "c = 1",
        "[" + "b . " * 400_000 + "c]",
        "[[" + '"b" . ' * 100_000 + "c]]",
        "'x'." * 100_000 + "c = 1",
        "[" + "b." * 20 + "b]\n" + "c." * 20 + "d = 1",
        "a = '''x'''\n" + "b." * 99 + "c = 1",
        'a = "\\\\"\n' + "b." * 99 + "c = 1",
    ],
    ids=range(11),
)
def test_what_is_nested_deep_is_refused_at_once(text: str) -> None:
    with pytest.raises(BitlifError, match=DEEP):
        parse_toml(text, "my.toml")


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("b.a = 0x1" + "0" * 5000, 20001),
        ("[b]\na = [1, 0o1" + "0" * 5000 + "]", 15001),
        ("b.a = 0b1" + "0" * 20000, 20001),
        ("b = {a = -" + "9" * 4300 + "}", 14285),
    ],
)
def test_integers_have_a_limit(text: str, bits: int) -> None:
    message = rf"^my\.toml: b\.a must have at most 64 bits, not an integer of {bits} bits$"
    with pytest.raises(BitlifError, match=message):
        parse_toml(text, "my.toml")


@pytest.mark.parametrize(
    "text", ["a = ", "a = 1\na = 2", "a = " + "9" * 5000, "a = 2024-13-01", "\x1b = 1", "a = '\r'"]
)
def test_what_is_no_toml_is_one_short_line(text: str) -> None:
    with pytest.raises(BitlifError, match=r"^my\.toml: not valid TOML: ") as caught:
        parse_toml(text, "my.toml")
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()
