"""Configurations as TOML; errors name the field with its section.

Formats are written as ``"s10.8"`` (signed, 10 bits, 8 of them fractional) or ``"u8.6"``. The phases
of the schedule are ``[[schedule]]`` tables. A `table` rule may name a text file with two columns
instead of ``a`` and ``b``; its numbers become part of the configuration.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import tomli_w

from bitlif.model.errors import BitlifError, BitlifTypeError, located, located_in_layer, nearest_of
from bitlif.model.gates_section import GatesConfig
from bitlif.model.sections import Settings
from bitlif.model.storage.reading import read_text
from bitlif.model.text import path_text, quoted

from .schema import to_plain
from .toml_tree import parse_toml


def read_source(
    what: str, source: str | Path, home: Traversable, known: Sequence[str]
) -> tuple[str, str, Path | None]:
    """Return the text of a TOML file, its name for errors, and its folder.

    Parameters
    ----------
    what : str
        Kind of the file, for errors.
    source : str or Path
        Path of a file, or one of the names `known`, for which the folder is None.
    home : Traversable
        Folder of the files that come with the package.
    known : sequence of str
        Names of the files that come with the package.

    Raises
    ------
    BitlifError
        If the file or name does not exist, or the file is not text.
    """
    text = str(source)
    if text in known:
        return home.joinpath(f"{text}.toml").read_text("utf-8"), text, None
    path = Path(source)
    if path.suffix != ".toml" and not _exists(path):
        raise BitlifError(
            f"a {what} must be a TOML file or one of {', '.join(known)}, "
            f"not {quoted(text)}{nearest_of(text, known)}"
        )
    return read_text(what, path), path_text(path), path.parent


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, or a folder without permission
        return False


def read_tree(content: str, origin: str, folder: Path | None = None) -> dict[str, Any]:
    """Return TOML text as nested tables.

    `origin` is the name of the text in errors; `folder` holds the files that it refers to.
    """
    tree = parse_toml(content, origin)
    with located(origin):
        _inline_table(tree, folder)
        layers = tree.get("layer")
        for number, own in enumerate(layers if isinstance(layers, list) else ()):
            if isinstance(own, dict):
                with located_in_layer(number):
                    _inline_table(own, folder)
    return tree


def _inline_table(tree: dict[str, Any], folder: Path | None) -> None:
    """Replace ``error.file`` by the columns of that file."""
    section = tree.get("error")
    if not isinstance(section, dict) or "file" not in section:
        return
    name = section.pop("file")
    if "a" in section or "b" in section:
        raise BitlifError("error.file must be given without error.a and error.b")
    if not isinstance(name, str) or folder is None:
        raise BitlifTypeError(f"error.file must be the path of a text file, not {quoted(name)}")
    path = folder / name
    section["a"], section["b"] = [], []
    for number, line in enumerate(read_text("error.file", path).split("\n"), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            a, b = map(float, words)
        except ValueError as error:
            raise BitlifError(
                f"error.file '{path_text(path)}', line {number} must hold two numbers, "
                f"not {quoted(line.strip())}"
            ) from error
        section["a"].append(a)
        section["b"].append(b)


def config_to_dict(config: Settings, *, full: bool = False) -> dict[str, Any]:
    """Return all fields as a nested dictionary; `config_from_dict` is the inverse.

    The section ``gates`` is left out if it has its defaults, unless `full` is true.
    """
    tree = to_plain(config)
    assert isinstance(tree, dict)
    if not full and config.gates == GatesConfig():
        del tree["gates"]
    for section in ("synapse", "membrane"):
        leak = tree[section]["decay"]
        del leak["shift" if leak["tau"] else "tau"]
    return tree


def dump_config(config: Settings) -> str:
    """Return the configuration as TOML text with all fields."""
    return tomli_w.dumps(config_to_dict(config))


def config_hash(config: Settings) -> str:
    """Return 16 hexadecimal digits of a hash of all fields that results depend on.

    These are all but the name and the section ``gates``.
    """
    tree = config_to_dict(config)
    del tree["name"]
    tree.pop("gates", None)
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def config_diff(a: Settings, b: Settings) -> list[tuple[str, Any, Any]]:
    """Return ``(field, value in a, value in b)`` for all differences; None for a missing field."""
    left, right = a.flat(), b.flat()
    return [
        (path, left.get(path), right.get(path))
        for path in {**left, **right}
        if left.get(path) != right.get(path)
    ]
