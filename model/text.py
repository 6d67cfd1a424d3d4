"""Escaping of text from users and files: one function per target.

Names, paths and values come from outside. Each target gives some characters a special meaning: a
terminal executes escape sequences, a spreadsheet evaluates ``=1+1``, a C comment ends at ``*/``.
All code that writes such text calls the function of its target.
"""

from __future__ import annotations

import html
import re
import reprlib
import unicodedata
from typing import Any

QUOTED = 80
"""Maximum number of characters of a value or key in a message."""

PATH = 400
"""Maximum number of characters of a path in a message."""


class _Repr(reprlib.Repr):
    """A ``repr`` that visits no more of a value than a message can show."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxtuple = self.maxlist = self.maxarray = self.maxdict = 24
        self.maxset = self.maxfrozenset = self.maxdeque = 24
        self.maxstring = self.maxother = 2 * QUOTED

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to convert integers of more than a few thousand digits.
        return repr(x) if x.bit_length() <= 4 * QUOTED else f"an integer of {x.bit_length()} bits"


_repr = _Repr()


def quoted(value: object, limit: int = QUOTED) -> str:
    """Return ``repr(value)`` for a message, in one line of at most `limit` characters.

    The cost depends only on the length of the result, even for lists of millions of items or
    integers of thousands of digits.

    >>> quoted("tiny")
    "'tiny'"
    >>> quoted("x" * 1000)[:12], len(quoted("x" * 1000))
    ("'xxxxxxxxxxx", 80)
    >>> quoted(10**5000)
    'an integer of 16610 bits'
    """
    return shortened(terminal_text(_repr.repr(value)), limit)


def shortened(text: str, limit: int = QUOTED) -> str:
    """Return `text`, with ``...`` in the middle if it is longer than `limit`."""
    if len(text) <= limit:
        return text
    head = (limit - 3 + 1) // 2
    return f"{text[:head]}...{text[len(text) - (limit - 3 - head) :]}"


def path_text(path: object) -> str:
    """Return a path for a message, in one line, with ``...`` in the middle if it is very long."""
    return shortened(terminal_text(str(path)), PATH)


def array_kind(array: Any) -> str:
    """Return the dtype and shape of an array for a message, each shortened if very long."""
    return f"{shortened(str(array.dtype))} of shape {shortened(str(array.shape))}"


def terminal_text(text: object) -> str:
    r"""Return text for one line of a terminal; characters that are not printable are escaped.

    >>> terminal_text("a\x1b[2Jb\n")
    'a\\x1b[2Jb\\n'
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))


def html_text(text: object, *, lines: bool = False) -> str:
    """Return text for HTML, between tags or in a quoted attribute; `lines` keeps line feeds.

    >>> html_text('a < "b"')
    'a &lt; &quot;b&quot;'
    """
    kept = "\n" if lines else ""
    return html.escape(
        "".join(
            # A browser shows all kinds of spaces, but no control characters.
            letter if letter in kept or unicodedata.category(letter) == "Zs"
            else terminal_text(letter)
            for letter in str(text)
        )
    )  # fmt: skip


def comment_text(text: object) -> str:
    """Return text for a comment in Verilog, C, Python or TOML: one line, which cannot end it.

    >>> comment_text("a */ b")
    'a * / b'
    """
    line = terminal_text(text)
    # A backslash at the end of a C comment would continue it on the next line.
    return line.replace("*/", "* /").replace("/*", "/ *").rstrip("\\")


def markdown_text(text: object) -> str:
    r"""Return text for a line of Markdown, with all markup escaped.

    >>> markdown_text("a*b* <i>")
    'a\\*b\\* \\<i\\>'
    """
    return re.sub(r"([\\`*_{}\[\]<>()#!|~&])", r"\\\1", terminal_text(text))


def cell_text(text: object) -> str:
    """Return text for a cell of CSV, which a spreadsheet will not evaluate.

    >>> cell_text("=1+1")
    "'=1+1"
    """
    line = terminal_text(text)
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line


def file_name(name: object, limit: int = 64) -> str:
    """Return a file name derived from a name: letters, digits, ``_``, ``.`` and ``-`` only.

    It contains no folder, is not hidden, and does not look like an option of a command. A valid
    file name is returned unchanged.

    >>> file_name("../../victim"), file_name("-h"), file_name("digits-4bit")
    ('victim', 'h', 'digits-4bit')
    """
    kept = re.sub(r"[^A-Za-z0-9_.-]+", "-", str(name)).strip("-.")
    return kept[:limit].rstrip("-.") or "unnamed"


def module_name(name: object, limit: int = 64) -> str:
    """Return an identifier for Verilog, C and Python derived from a name.

    >>> module_name("digits-4bit"), module_name("3 lanes")
    ('digits_4bit', '_3_lanes')
    """
    kept = re.sub(r"\W+", "_", str(name), flags=re.ASCII)[:limit].rstrip("_") or "unnamed"
    return f"_{kept}" if kept[0].isdigit() else kept
