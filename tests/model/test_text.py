"""Text from outside: harmless in each place it is written to."""

from __future__ import annotations

import keyword
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlif.model.text import (
    cell_text,
    comment_text,
    file_name,
    html_text,
    markdown_text,
    module_name,
    path_text,
    quoted,
    shortened,
    terminal_text,
)

NASTY = [
    "../../../victim",
    "-h",
    "=1+1",
    "*/ x /*",
    "a\nb",
    "\x1b[2J",
    "",
    "...",
    "[/x]",
    "a" * 1000,
]


@pytest.mark.parametrize("value", ["tiny", 3, -2.5, None, True, [1, "a"], ("x",), {"a": 1}])
def test_short_values_are_quoted_as_repr(value: object) -> None:
    assert quoted(value) == repr(value)


LONG = {
    "text": "x" * 10**7,
    "bytes": b"x" * 10**7,
    "integer": 10**5000,
    "negative": -(10**5000),
    "list of integers": [10**5000] * 3,
    "long list": [0] * 10**6,
    "long key": {"k" * 10**6: 1},
    "deep": [[[[[[1]]]]]],
    "escapes": "\x1b[2J" * 40,
}


@pytest.mark.parametrize("value", LONG.values(), ids=list(LONG))
def test_quoted_values_are_short(value: object) -> None:
    assert len(quoted(value)) <= 80
    assert quoted(value).isprintable()


@given(st.text(), st.integers(8, 100))
def test_shortened_text_keeps_both_ends(text: str, limit: int) -> None:
    short = shortened(text, limit)
    assert len(short) <= limit
    if len(text) > limit:
        assert text.startswith(short.partition("...")[0])
    else:
        assert short == text


@given(st.text() | st.sampled_from(NASTY))
def test_each_target_gets_harmless_text(text: str) -> None:
    assert terminal_text(text).isprintable() or not text
    assert path_text(text).isprintable() or not text
    assert not set(html_text(text)) & set("<>\"'")
    assert "*/" not in comment_text(text)
    assert "/*" not in comment_text(text)
    assert not comment_text(text).endswith("\\")
    assert "\n" not in comment_text(text)
    assert not cell_text(text).startswith(("=", "+", "-", "@"))
    assert re.fullmatch(r"\w[\w.-]{0,63}", file_name(text), re.ASCII)
    assert re.fullmatch(r"[A-Za-z_]\w{0,64}", module_name(text), re.ASCII)


@pytest.mark.parametrize("name", ["tiny", "digits-4bit", "a.b_c"])
def test_names_of_files_stay(name: str) -> None:
    assert file_name(name) == name


def test_html_keeps_spaces_and_if_asked_lines() -> None:
    assert html_text("5\xa0% < 6\n\x1b\u202e") == "5\xa0% &lt; 6\\n\\x1b\\u202e"
    assert html_text("a\n<b>\r", lines=True) == "a\n&lt;b&gt;\\r"


def test_markdown_shows_every_character() -> None:
    text = "a_b*c*`d`[e](f)<g>|h\\"
    assert re.sub(r"\\(.)", r"\1", markdown_text(text)) == text
    assert markdown_text("digits-4bit") == "digits-4bit"
    assert not re.search(r"(?<!\\)[*_`\[<|]", markdown_text(text))


def test_comment_marks_that_meet_are_parted() -> None:
    assert "*/" not in comment_text("**//")
    assert "/*" not in comment_text("*/*/*")


def test_module_name_of_a_word_stays() -> None:
    assert module_name("tiny") == "tiny"
    assert not keyword.iskeyword(module_name("unnamed"))
