"""Networks as TOML files in which each field is explained, in the first layer that has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .commented import comment_lines, value_lines
from .fields import field_of
from .network import NetworkConfig
from .network_fields import network_field_of, section_of

SIZES = ("inputs", "neurons", "lanes")


def dump_commented_network(network: NetworkConfig, header: Sequence[str] = ()) -> str:
    """Return a network as TOML text with all fields, each explained in a comment.

    The layers after the first, and phases of a schedule after the first, are written without
    comments.

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
    tree = network.to_dict()
    lines: list[str] = []
    for paragraph in header:
        lines += comment_lines(paragraph)
    if lines:
        lines.append("")
    lines += _field("name", "name", tree["name"], told=True)
    lines += ["", *comment_lines(section_of("window")), "[window]"]
    for name, value in tree["window"].items():
        lines += _field(f"window.{name}", name, value, told=True)
    for number, layer in enumerate(tree["layer"]):
        lines += _layer(layer, number, last=number == len(tree["layer"]) - 1)
    return "\n".join(lines) + "\n"


def _layer(layer: dict[str, Any], number: int, *, last: bool) -> Iterator[str]:
    told = number == 0
    kind = "the last layer" if last else "a hidden layer"
    yield from ("", *comment_lines(f"layer.{number}: {kind}"), "[[layer]]")
    for name, value in layer.items():
        if name == "name":
            yield from _field("name", name, value, told=False)
        elif name in SIZES:
            yield from _field(f"layer.{name}", name, value, told=told)
    for name, section in layer.items():
        if isinstance(section, dict):
            yield from _section(name, section, told=told)
    for place, phase in enumerate(layer["schedule"]):
        yield ""
        if told and place == 0:
            yield from comment_lines(section_of("schedule[]"))
        yield "[[layer.schedule]]"
        for name, value in phase.items():
            yield from _field(f"schedule[].{name}", name, value, told=told and place == 0)


def _section(path: str, section: dict[str, Any], *, told: bool) -> Iterator[str]:
    """Yield the lines of a section: its own fields first, then the sections in it."""
    yield ""
    if told:
        yield from comment_lines(section_of(path))
    yield f"[layer.{path}]"
    for name, value in section.items():
        if not isinstance(value, dict):
            yield from _field(f"{path}.{name}", name, value, told=told)
    if told and path.endswith(".decay"):
        # The field that is left out is shown, too: the other way to give the same decay.
        other = "shift" if "tau" in section else "tau"
        yield from (*comment_lines(field_of(f"{path}.{other}").line), f"# {other} = 0")
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _section(f"{path}.{name}", value, told=told)


def _field(path: str, name: str, value: Any, *, told: bool) -> Iterator[str]:
    if told:
        yield from comment_lines(network_field_of(path).line)
    yield from value_lines(name, value)
