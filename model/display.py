"""How objects are shown: one line at the prompt, a small table in notebooks."""

from __future__ import annotations

from collections.abc import Mapping

from .text import html_text, quoted, shortened

LINE = 100
"""Maximum length of a line."""

VALUE = 32
"""Maximum length of a value in a line, quotes included."""


def one_line(title: str, facts: Mapping[str, object]) -> str:
    """Return a ``repr`` in one line of at most `LINE` characters; a tuple is a list of names.

    >>> one_line("Layer", {"name": "tiny", "inputs": 6, "windows learned": 8})
    "<Layer name='tiny' inputs=6 windows_learned=8>"
    >>> one_line("Result", {"recorded": ("draws", "errors")})
    '<Result recorded=draws,errors>'
    """
    words = [f"{name.replace(' ', '_')}={_shown(value)}" for name, value in facts.items()]
    return f"<{shortened(' '.join([title, *words]), LINE - 2)}>"


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else quoted(value, VALUE)


def html_table(title: str, facts: Mapping[str, object]) -> str:
    """Return an HTML table of names and values, all text escaped; a tuple is a list of names.

    >>> html_table("Layer", {"name": "<b>"})
    '<table><caption>Layer</caption><tr><th>name</th><td>&lt;b&gt;</td></tr></table>'
    """
    texts = {
        name: ", ".join(map(str, value)) if isinstance(value, tuple) else value
        for name, value in facts.items()
    }
    rows = "".join(
        f"<tr><th>{html_text(name)}</th><td>{html_text(text)}</td></tr>"
        for name, text in texts.items()
    )
    return f"<table><caption>{html_text(title)}</caption>{rows}</table>"
