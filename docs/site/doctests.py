"""Doctests and literal blocks of docstrings as code blocks of Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

DOCTEST = re.compile(r"^( *)>>> .*\n(?:\1\S.*\n?)*", re.MULTILINE)


class Doctests(griffe.Extension):
    """Fences doctests outside `Examples` sections, which Griffe fences itself."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is None:
            return
        text = obj.docstring.value
        text = re.sub(r"^( *)::\n", "", text, flags=re.MULTILINE)
        text = re.sub(r"::\n(?=\n +\S)", ":\n", text)
        if "Examples\n---" not in text:
            text = DOCTEST.sub(lambda found: f"```pycon\n{found[0].rstrip()}\n```\n", text)
        obj.docstring.value = text
