"""Parsing of TOML text to nested tables, with limits on depth and on the size of integers.

Without the limits, `tomllib` recurses into brackets, needs quadratic time for keys of many dots,
and reads integers of any length.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from bitlif.model.errors import BitlifError
from bitlif.model.text import quoted, shortened, terminal_text

MOST_DEPTH = 32
"""Maximum depth of nested tables and lists."""

MOST_BITS = 64
"""Maximum size of an integer, which TOML requires at least; unsigned seeds need all bits."""

# Text without keys. An unterminated string may match wrongly, but is refused by the parser.
SKIPPED = re.compile(
    r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}'
    r"|'''(?:[^']++|'{1,2}(?!'))*+'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|#[^\n]*+",
    re.DOTALL,
)
LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MOST_DEPTH}}}")


def parse_toml(content: str, origin: str) -> dict[str, Any]:
    r"""Return the tables of TOML text; `origin` is the name of the text in errors.

    Raises
    ------
    BitlifError
        If the text is not valid TOML, is nested more than `MOST_DEPTH` levels deep, or holds an
        integer of more than `MOST_BITS` bits.

    Examples
    --------
    >>> parse_toml("[layer]\ninputs = 6", "my.toml")
    {'layer': {'inputs': 6}}
    """
    if LONG_KEY.search(SKIPPED.sub("s", content)):
        raise _too_deep(origin)
    try:
        tree = tomllib.loads(content)
    except RecursionError as error:
        raise _too_deep(origin) from error
    except ValueError as error:  # also a number of thousands of digits
        said = shortened(terminal_text(error), 120)
        raise BitlifError(f"{origin}: not valid TOML: {said}") from error
    _check(tree, origin)
    return tree


def _check(tree: dict[str, Any], origin: str) -> None:
    rest: list[tuple[str, object, int]] = [("", tree, 0)]
    while rest:
        name, value, depth = rest.pop()
        if depth > MOST_DEPTH:
            raise _too_deep(origin)
        if isinstance(value, dict):
            place = f"{name}." if name else ""
            rest += ((f"{place}{key}", own, depth + 1) for key, own in value.items())
        elif isinstance(value, list):
            rest += (
                (_item_name(name, place, own), own, depth + 1) for place, own in enumerate(value)
            )
        elif isinstance(value, int) and value.bit_length() > MOST_BITS:
            raise BitlifError(
                f"{origin}: {shortened(terminal_text(name))} must have at most {MOST_BITS} bits, "
                f"not {quoted(value)}"
            )


def _item_name(name: str, place: int, item: object) -> str:
    """Return the name of an item of a list: tables have a number, as in all other errors."""
    if not isinstance(item, dict):
        return name
    return f"{name}.{place}" if name == "layer" else f"{name}[{place}]"


def _too_deep(origin: str) -> BitlifError:
    return BitlifError(f"{origin}: must be nested at most {MOST_DEPTH} levels deep")
