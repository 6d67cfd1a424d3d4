"""Conversion of nested tables to dataclasses and back; errors name the field with its section."""

from __future__ import annotations

import enum
import typing
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from bitlif.model.errors import BitlifError, BitlifTypeError, nearest_of
from bitlif.model.fixed import Format
from bitlif.model.sections import MAX_TAU, DecayConfig, PhaseConfig
from bitlif.model.text import quoted, shortened, terminal_text

NO_DECAY = "none"
"""The decay of a synapse that holds nothing from one step to the next."""

NO_LEAK = "integrate"
"""The decay of a membrane that keeps its whole potential from one step to the next."""

DECAYS = {NO_DECAY: DecayConfig(bits=0), NO_LEAK: DecayConfig(tau=MAX_TAU, bits=0)}
"""Decays that a word stands for."""


def build(kind: type, tree: object, path: str) -> Any:
    """Build the dataclass `kind` from a table.

    Parameters
    ----------
    kind : type
    tree : object
        The table, a dict.
    path : str
        Prefix of field names in errors: empty, or ending in a dot.

    Raises
    ------
    BitlifError
        If `tree` is not a table, or a field is unknown or refused.
    """
    if not isinstance(tree, dict):
        raise BitlifTypeError(f"{path.rstrip('.')} must be a table of fields, not {quoted(tree)}")
    types = typing.get_type_hints(kind)
    names = [item.name for item in fields(kind)]
    for key in tree:
        if key not in names:
            raise BitlifError(f"{path}{unknown_field(key, names)}")
    defaults = {item.name: _default(item) for item in fields(kind)}
    values = {
        name: _convert(types[name], tree[name], f"{path}{name}", defaults[name]) for name in tree
    }
    try:
        return kind(**values)
    except BitlifError as error:
        raise type(error)(f"{path}{error}") from error


def unknown_field(key: str, known: Sequence[str]) -> str:
    """Return the message on an unknown field, with the closest known one, or all of them."""
    hint = nearest_of(key, known) or f"; known are {', '.join(known)}"
    return f"{shortened(terminal_text(key))} is not a field{hint}"


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
    if kind is DecayConfig and isinstance(value, str) and value in DECAYS:
        return DECAYS[value]
    if isinstance(kind, type) and is_dataclass(kind):
        if isinstance(value, dict) and {"tau", "shift"} & value.keys():
            # A leak is given by either field, so the other field of the default does not apply.
            return build(kind, value, f"{path}.")
        return build(kind, _over_default(default, value), f"{path}.")
    if kind == tuple[PhaseConfig, ...]:
        if not isinstance(value, list):
            raise BitlifTypeError(f"{path} must be a list of phases, not {quoted(value)}")
        return tuple(build(PhaseConfig, phase, f"{path}[{n}].") for n, phase in enumerate(value))
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        return tuple(value)
    return value


def _over_default(default: Any, value: object) -> object:
    """Complete the fields of a section with its default, which may differ from its class's."""
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
    """Return the value of a field as a TOML value."""
    if isinstance(value, Format):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value
