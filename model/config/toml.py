"""Configurations in and out of TOML; every error names the field with its section.

Formats are written ``"s10.8"`` (signed, 10 bits, 8 of them fractional) and ``"u8.6"``. The phases
of the schedule are ``[[schedule]]`` tables. A `table` rule may name a text file of two columns
instead of giving ``a`` and ``b``; the numbers are read in, so that a configuration is whole.
"""

from __future__ import annotations

import enum
import hashlib
import importlib.resources
import json
import typing
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import tomli_w

from bitlif.model.errors import BitlifError, BitlifTypeError, located, nearest_of, warn
from bitlif.model.fixed import Format
from bitlif.model.storage.reading import read_text
from bitlif.model.text import path_text, quoted, shortened, terminal_text

from .config import Config, PhaseConfig
from .remarks import remarks
from .toml_tree import parse_toml

READY_MADE = importlib.resources.files("bitlif.configs")


def ready_made() -> list[str]:
    """Return the names of the configurations that come with the package."""
    return sorted(item.name[:-5] for item in READY_MADE.iterdir() if item.name.endswith(".toml"))


def summary_of(name: str) -> str:
    """Return what the ready-made configuration `name` says of itself in its first comment."""
    first = (READY_MADE / f"{name}.toml").read_text("utf-8").splitlines()[0]
    return first.lstrip("# ")


def load_config(source: str | Path) -> Config:
    """Read a configuration from a TOML file, or a ready-made one by its name.

    Raises
    ------
    BitlifError
        If there is no such file or name, it is not TOML, or a field is refused.

    Warns
    -----
    BitlifWarning
        Of each of `bitlif.model.config.remarks.remarks`.
    """
    content, origin, folder = read_source("configuration", source, READY_MADE, ready_made())
    config = parse_config(content, origin, folder)
    for remark in remarks(config):
        warn(f"{origin}: {remark}")
    return config


def read_source(
    what: str, source: str | Path, home: Traversable, known: Sequence[str]
) -> tuple[str, str, Path | None]:
    """Return the text of a TOML file or of a ready-made one, its name for errors, and its folder.

    Parameters
    ----------
    what : str
        What it is, for errors.
    source : str or Path
        The file, or one of the names `known`, which has no folder.
    home : Traversable
        Where the ready-made ones are.
    known : sequence of str

    Raises
    ------
    BitlifError
        If there is no such file or name, or it is not text.
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
    except OSError:  # a name too long, a folder that we may not look into
        return False


def parse_config(content: str, origin: str, folder: Path | None = None) -> Config:
    """Return the configuration in TOML text; `origin` is for errors, `folder` holds its files."""
    tree = parse_toml(content, origin)
    with located(origin):
        _inline_table(tree, folder)
        return config_from_dict(tree)


def _inline_table(tree: dict[str, Any], folder: Path | None) -> None:
    """Replace ``error.file`` by the columns that it holds."""
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


def config_from_dict(tree: dict[str, Any]) -> Config:
    """Return the configuration that a nested dictionary (as from TOML) describes."""
    result = _build(Config, tree, "")
    assert isinstance(result, Config)
    return result


def _build(kind: type, tree: object, path: str) -> Any:
    """Build the dataclass `kind` from a table; `path` is "" or ends with a dot."""
    if not isinstance(tree, dict):
        raise BitlifTypeError(f"{path.rstrip('.')} must be a table of fields, not {quoted(tree)}")
    types = typing.get_type_hints(kind)
    names = [item.name for item in fields(kind)]
    for key in tree:
        if key not in names:
            hint = nearest_of(key, names) or f"; known are {', '.join(names)}"
            shown = shortened(terminal_text(key))
            raise BitlifError(f"{path}{shown} is not a field{hint}")
    defaults = {item.name: _default(item) for item in fields(kind)}
    values = {
        name: _convert(types[name], tree[name], f"{path}{name}", defaults[name]) for name in tree
    }
    try:
        return kind(**values)
    except BitlifError as error:
        raise type(error)(f"{path}{error}") from error


def _default(item: Any) -> Any:
    return item.default_factory() if item.default_factory is not MISSING else item.default


def _convert(kind: Any, value: object, path: str, default: Any) -> Any:
    if kind is Format:
        try:
            return Format.parse(value)
        except BitlifError as error:
            raise type(error)(f"{path}: {error}") from error
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        words = [member.value for member in kind]
        if value not in words:
            accepted = " or ".join(f"'{word}'" for word in words)
            hint = nearest_of(value, words) if isinstance(value, str) else ""
            raise BitlifError(f"{path} must be {accepted}, not {quoted(value)}{hint}")
        return kind(value)
    if isinstance(kind, type) and is_dataclass(kind):
        if isinstance(value, dict) and {"tau", "shift"} & value.keys():
            # A leak is given by either; the other one of the default must not stand beside it.
            return _build(kind, value, f"{path}.")
        return _build(kind, _over_default(default, value), f"{path}.")
    if kind == tuple[PhaseConfig, ...]:
        if not isinstance(value, list):
            raise BitlifTypeError(f"{path} must be a list of phases, not {quoted(value)}")
        return tuple(_build(PhaseConfig, phase, f"{path}[{n}].") for n, phase in enumerate(value))
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        return tuple(value)
    return value


def _over_default(default: Any, value: object) -> object:
    """Lay a section's given fields over those of its default, which may differ from the class's."""
    if not isinstance(value, dict):
        return value
    return {**_own_defaults(default), **value}


def _own_defaults(default: Any) -> dict[str, Any]:
    base = {item.name: _default(item) for item in fields(default)}
    return {
        name: to_plain(getattr(default, name))
        for name, usual in base.items()
        if not is_dataclass(usual) and getattr(default, name) != usual
    }


def to_plain(value: Any) -> Any:
    """Return a field's value as TOML can hold it."""
    if isinstance(value, Format):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value


def config_to_dict(config: Config) -> dict[str, Any]:
    """Return every field as a nested dictionary, which `config_from_dict` turns back."""
    tree = to_plain(config)
    assert isinstance(tree, dict)
    for section in ("synapse", "membrane"):
        leak = tree[section]["decay"]
        del leak["shift" if leak["tau"] else "tau"]
    return tree


def dump_config(config: Config) -> str:
    """Return the configuration as TOML text with every field written out."""
    return tomli_w.dumps(config_to_dict(config))


def config_hash(config: Config) -> str:
    """Return 16 hexadecimal digits that name the configuration's content (its name left out)."""
    tree = config_to_dict(config)
    del tree["name"]
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def config_diff(a: Config, b: Config) -> list[tuple[str, Any, Any]]:
    """Return ``(field, in a, in b)`` where they differ; None where one has no such field."""
    left, right = a.flat(), b.flat()
    return [
        (path, left.get(path), right.get(path))
        for path in {**left, **right}
        if left.get(path) != right.get(path)
    ]
