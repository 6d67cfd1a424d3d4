"""Networks as TOML files in which each field is explained, in the first layer that has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .commented import comment_lines, field_lines, section_lines
from .network import NetworkConfig
from .network_fields import section_of

SIZES = ("inputs", "neurons", "lanes")


def dump_commented_network(network: NetworkConfig, header: Sequence[str] = ()) -> str:
    """Return a network as TOML text with all fields, each explained in a comment.

    The sections that a layer before has, too, and phases of a schedule after the first, are
    written without comments.

    Parameters
    ----------
    network : NetworkConfig
    header : sequence of str
        Paragraphs of the comment at the top of the file.

    Returns
    -------
    str
        Text that `NetworkConfig.load` reads back as an equal network.

    Examples
    --------
    >>> network = NetworkConfig.load("tiny")
    >>> print(dump_commented_network(network)[:99])
    # name of the configuration; 1 to 200 printable characters
    name = "tiny"
    <BLANKLINE>
    # a window: one presentat
    """
    tree = network.to_dict(full=True)
    lines: list[str] = []
    for paragraph in header:
        lines += comment_lines(paragraph)
    if lines:
        lines.append("")
    lines += field_lines("name", tree["name"])
    lines += section_lines("window", tree["window"])
    told: set[str] = set()
    for number, layer in enumerate(tree["layer"]):
        lines += _layer(layer, number, told, last=number == len(tree["layer"]) - 1)
        told.update(layer)
    return "\n".join(lines) + "\n"


def _layer(layer: dict[str, Any], number: int, seen: set[str], *, last: bool) -> Iterator[str]:
    """Yield the lines of a layer; the sections in `seen` are explained in a layer before it."""
    told = number == 0
    kind = "the last layer" if last else "a hidden layer"
    yield from ("", *comment_lines(f"layer.{number}: {kind}"), "[[layer]]")
    for name, value in layer.items():
        if name == "name":
            yield from field_lines(name, value, told=False)
        elif name in SIZES:
            yield from field_lines(f"layer.{name}", value, told=told)
    for name, section in layer.items():
        if isinstance(section, dict):
            yield from section_lines(name, section, prefix="layer.", told=name not in seen)
    for place, phase in enumerate(layer["schedule"]):
        yield ""
        if told and place == 0:
            yield from comment_lines(section_of("schedule[]"))
        yield "[[layer.schedule]]"
        for name, value in phase.items():
            yield from field_lines(f"schedule[].{name}", value, told=told and place == 0)
