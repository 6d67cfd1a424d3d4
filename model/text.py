"""What users and files say, made safe for where it is written: one function per target.

Names, paths and values come from outside. Each target has characters that mean something else
there: a terminal obeys escape sequences, a spreadsheet computes ``=1+1``, a C comment ends at
``*/``. Whatever writes such text calls the function of its target.
"""

from __future__ import annotations

import html
import re
import reprlib
import unicodedata
from typing import Any

QUOTED = 80
"""Most characters of a value or key that a message quotes."""

PATH = 400
"""Most characters of a path that a message quotes."""


class _Repr(reprlib.Repr):
    """``repr`` that looks at no more than a message can show."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxtuple = self.maxlist = self.maxarray = self.maxdict = 24
        self.maxset = self.maxfrozenset = self.maxdeque = 24
        self.maxstring = self.maxother = 2 * QUOTED

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write out more than a few thousand digits.
        return repr(x) if x.bit_length() <= 4 * QUOTED else f"an integer of {x.bit_length()} bits"


_repr = _Repr()


def quoted(value: object, limit: int = QUOTED) -> str:
    """Return ``repr(value)`` for a message, in one line of at most `limit` characters.

    Costs no more than its result: of a list of millions, or an integer of thousands of digits,
    only the beginning is looked at.

    >>> quoted("tiny")
    "'tiny'"
    >>> quoted("x" * 1000)[:12], len(quoted("x" * 1000))
    ("'xxxxxxxxxxx", 80)
    >>> quoted(10**5000)
    'an integer of 16610 bits'
    """
    return shortened(terminal_text(_repr.repr(value)), limit)


def shortened(text: str, limit: int = QUOTED) -> str:
    """Return `text`, or its two ends around ``...`` where it is longer than `limit`."""
    if len(text) <= limit:
        return text
    head = (limit - 3 + 1) // 2
    return f"{text[:head]}...{text[len(text) - (limit - 3 - head) :]}"


def path_text(path: object) -> str:
    """Return a path for a message, in one line; a very long one is shortened in the middle."""
    return shortened(terminal_text(str(path)), PATH)


def array_kind(array: Any) -> str:
    """Return dtype and shape of an array for a message: a file can make either long."""
    return f"{shortened(str(array.dtype))} of shape {shortened(str(array.shape))}"


def terminal_text(text: object) -> str:
    r"""Return text for one line of a terminal: what does not print becomes its escape.

    >>> terminal_text("a\x1b[2Jb\n")
    'a\\x1b[2Jb\\n'
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))


def html_text(text: object, *, lines: bool = False) -> str:
    """Return text between HTML tags, or in an attribute within quotes; `lines` keeps line feeds.

    >>> html_text('a < "b"')
    'a &lt; &quot;b&quot;'
    """
    kept = "\n" if lines else ""
    return html.escape(
        "".join(
            # A browser shows every kind of space, and no control character.
            letter if letter in kept or unicodedata.category(letter) == "Zs"
            else terminal_text(letter)
            for letter in str(text)
        )
    )  # fmt: skip


def comment_text(text: object) -> str:
    """Return text for a comment in Verilog, C, Python or TOML: one line that cannot end it.

    >>> comment_text("a */ b")
    'a * / b'
    """
    line = terminal_text(text)
    # A backslash at the end of a line joins the next line to a comment of C.
    return line.replace("*/", "* /").replace("/*", "/ *").rstrip("\\")


def markdown_text(text: object) -> str:
    r"""Return text for a line of Markdown, in which no character is markup.

    >>> markdown_text("a*b* <i>")
    'a\\*b\\* \\<i\\>'
    """
    return re.sub(r"([\\`*_{}\[\]<>()#!|~&])", r"\\\1", terminal_text(text))


def cell_text(text: object) -> str:
    """Return text for a cell of CSV: one that a spreadsheet does not compute.

    >>> cell_text("=1+1")
    "'=1+1"
    """
    line = terminal_text(text)
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line


def file_name(name: object, limit: int = 64) -> str:
    """Return a file's name made of a name: letters, digits, ``_``, ``.`` and ``-`` only.

    It has no folder in it, is hidden nowhere, and is no option of a command. A name that is
    already one stays as it is.

    >>> file_name("../../victim"), file_name("-h"), file_name("digits-4bit")
    ('victim', 'h', 'digits-4bit')
    """
    kept = re.sub(r"[^A-Za-z0-9_.-]+", "-", str(name)).strip("-.")
    return kept[:limit].rstrip("-.") or "unnamed"


def module_name(name: object, limit: int = 64) -> str:
    """Return an identifier of Verilog, C and Python made of a name.

    >>> module_name("digits-4bit"), module_name("3 lanes")
    ('digits_4bit', '_3_lanes')
    """
    kept = re.sub(r"\W+", "_", str(name), flags=re.ASCII)[:limit].rstrip("_") or "unnamed"
    return f"_{kept}" if kept[0].isdigit() else kept
