"""Configurations as TOML files in which each field is explained by a line above it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import tomli_w

from bitlif.model.sections import Settings
from bitlif.model.text import terminal_text

from .network_fields import network_field_of, section_of
from .toml import config_to_dict

WIDTH = 100
"""Most characters of a line of a comment or of a list."""


def dump_commented(config: Settings, header: Sequence[str] = ()) -> str:
    """Return a configuration as TOML text with all fields, each explained in a comment.

    The phases of the schedule after the first are written without comments.

    Parameters
    ----------
    config : Settings
    header : sequence of str
        Paragraphs of the comment at the top of the file.

    Returns
    -------
    str
        Text that `bitlif.Config.load` reads back as an equal configuration.

    Examples
    --------
    >>> from bitlif.model.config.config import Config
    >>> print(dump_commented(Config.load("tiny"), ["A tiny layer."])[:140])
    # A tiny layer.
    <BLANKLINE>
    # name of the configuration; 1 to 200 printable characters
    name = "tiny"
    <BLANKLINE>
    # sizes of the layer
    [layer]
    # number of inputs N
    """
    tree = config_to_dict(config, full=True)
    lines: list[str] = []
    for paragraph in header:
        lines += comment_lines(paragraph)
    if lines:
        lines.append("")
    lines += field_lines("name", tree.pop("name"))
    phases = tree.pop("schedule")
    for name, section in tree.items():
        lines += section_lines(name, section)
    for number, phase in enumerate(phases):
        lines.append("")
        if number == 0:
            lines += comment_lines(section_of("schedule[]"))
        lines.append("[[schedule]]")
        for name, value in phase.items():
            lines += field_lines(f"schedule[].{name}", value, told=number == 0)
    return "\n".join(lines) + "\n"


def section_lines(
    path: str, section: dict[str, Any], *, prefix: str = "", told: bool = True
) -> Iterator[str]:
    """Yield the lines of a section: its own fields first, then the sections in it.

    Parameters
    ----------
    path : str
        Within a layer: ``"synapse.decay"``.
    section : dict
    prefix : str
        What precedes the path in the table's name.
    told : bool
        Whether to explain the section and its fields.
    """
    yield ""
    if told:
        yield from comment_lines(section_of(path))
    yield f"[{prefix}{path}]"
    for name, value in section.items():
        if not isinstance(value, dict):
            yield from field_lines(f"{path}.{name}", value, told=told)
    if told and path.endswith(".decay"):
        # The field that is left out is shown, too: the other way to give the same decay.
        other = "shift" if "tau" in section else "tau"
        yield from (*comment_lines(network_field_of(f"{path}.{other}").line), f"# {other} = 0")
    for name, value in section.items():
        if isinstance(value, dict):
            yield from section_lines(f"{path}.{name}", value, prefix=prefix, told=told)


def field_lines(path: str, value: Any, *, told: bool = True) -> Iterator[str]:
    """Yield the lines of a field, explained if `told` is true."""
    if told:
        yield from comment_lines(network_field_of(path).line)
    yield from value_lines(path.rpartition(".")[2], value)


def value_lines(name: str, value: Any) -> Iterator[str]:
    """Yield the lines of TOML that give a field its value."""
    if not isinstance(value, list):
        yield tomli_w.dumps({name: value}).rstrip("\n")
        return
    items = ", ".join(tomli_w.dumps({"x": item}).strip()[4:] for item in value)
    if len(items) + len(name) + 5 <= WIDTH:
        yield f"{name} = [{items}]"
        return
    yield f"{name} = ["
    yield from _wrapped(items, "    ")
    yield "]"


def comment_lines(paragraph: str) -> Iterator[str]:
    """Yield a paragraph as lines of a comment."""
    yield from _wrapped(terminal_text(paragraph), "# ")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
