"""Edits of configuration fields, which define a point of a study.

An edit sets a dotted field (``"noise.words"``) to a TOML value. Further names exist for quantities
that a study varies with one number:

``X.bits``, ``X.frac`` of any format X
    ``bits`` alone keeps the range and changes the resolution; ``frac`` alone keeps the number of
    bits; both set both.
``X.tau``, ``X.shift`` of any leak X
    Each replaces the other.
``schedule.phases`` with ``schedule.windows``
    The number of phases, all equal to the first one, and the windows of each. The last phase has
    no end.
``schedule.sigma``
    Sigma of all phases.
``schedule.last_sigma``
    Cooling: sigma changes by equal ratios from its value in the first phase to this one in the
    last phase.
``schedule.rate_shift``
    All learning rates are multiplied by ``2**-rate_shift``.

In a network, names begin with a layer, as in ``layer.0.synapse.weight.bits``, or with ``layer.*``,
which stands for each layer that the same edits do not name with its number. Only the names of the
window, which all layers share, stay as they are.

Edits are applied in a fixed order, independent of the order in which they are given.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, overload

from bitlif.model.config.config import Config, config_from_dict
from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    located,
    nearest_of,
    require_int,
    require_real,
)
from bitlif.model.fixed import Format
from bitlif.model.text import quoted, shortened

from .base import AnyConfig, to_dict

Edits = dict[str, Any]
"""Values by dotted field."""

LAYER, EVERY = "layer.", "layer.*."
"""Start of the fields of a network's layers, and of the same field in every layer."""

DRAWN = ("noise.lfsr.seed", "learning.lfsr.seed", "sweep.lfsr.seed", "initial.seed")
"""Fields that follow from the seed of a run, in every layer."""

SCHEDULE = ("phases", "windows", "sigma", "last_sigma", "rate_shift")
LEAST, MOST = -(1 << 63), (1 << 63) - 1
"""Range of integers in a table of results."""

LARGEST = 1e30
"""Largest real value; neither its square nor its single-precision form overflows."""

MAX_TEXT_LENGTH = 1000
"""Most characters of a text value."""

MAX_PARTS = 1 << 14
"""Most entries of a list or table within a value."""

MAX_DEPTH = 4
"""Most nested lists and tables within a value."""

DIGITS = 6
"""Decimals of a cooled sigma, which make it the same on every machine."""


def known_fields(config: AnyConfig) -> list[str]:
    """Return all names of edits, in the order of the configuration."""
    return list(_known(config))


@functools.lru_cache(maxsize=16)
def _known(config: AnyConfig) -> dict[str, None]:
    tree = to_dict(config)
    tree.pop("name")
    if isinstance(config, Config):
        return dict.fromkeys(_names("", tree))
    layers = [
        _names("", {key: part for key, part in own.items() if key != "name"})
        for own in tree.pop("layer")
    ]
    every = [name for name in layers[0] if all(name in own for own in layers)]
    named = [f"{LAYER}{number}.{name}" for number, own in enumerate(layers) for name in own]
    names = [*_leaves("", tree), *named, *(f"{EVERY}{name}" for name in every)]
    return dict.fromkeys(names)


def _names(prefix: str, tree: Mapping[str, Any]) -> list[str]:
    """Return the names of edits of a layer's tables."""
    return [*_leaves(prefix, tree), *(f"{prefix}schedule.{name}" for name in SCHEDULE)]


def _leaves(prefix: str, node: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    for name, value in node.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            names.extend(_leaves(f"{path}.", value))
        else:
            names.append(path)
        if _is_format(value):
            names.extend((f"{path}.bits", f"{path}.frac"))
        if name == "decay":
            missing = {"tau", "shift"} - value.keys()
            names.extend(f"{path}.{child}" for child in sorted(missing))
    return names


def is_drawn(name: str) -> bool:
    """Return whether a field follows from the seed of a run.

    >>> is_drawn("noise.lfsr.seed"), is_drawn("layer.1.initial.seed"), is_drawn("noise.words")
    (True, True, False)
    """
    inner = name.split(".", 2)[2] if name.startswith(LAYER) and name.count(".") > 1 else name
    return inner in DRAWN


def _is_format(value: Any) -> bool:
    if not isinstance(value, str) or value[:1] not in ("s", "u"):
        return False
    try:
        Format.parse(value)
    except BitlifError:
        return False
    return True


def require_field(name: str, config: AnyConfig) -> None:
    """Raise BitlifError unless `name` is the name of an edit."""
    known = _known(config)
    if name not in known:
        hint = nearest_of(shortened(name), known) or "; `bitlif config show` lists them"
        what = "configuration" if isinstance(config, Config) else "network"
        raise BitlifError(f"{quoted(name)} is not a field of a {what}{hint}")


@overload
def apply_edits(config: Config, edits: Mapping[str, Any]) -> Config: ...
@overload
def apply_edits(config: NetworkConfig, edits: Mapping[str, Any]) -> NetworkConfig: ...
@overload
def apply_edits(config: AnyConfig, edits: Mapping[str, Any]) -> AnyConfig: ...


def apply_edits(config: AnyConfig, edits: Mapping[str, Any]) -> AnyConfig:
    """Return a copy of a configuration with edits applied.

    Raises
    ------
    BitlifError
        If a name is unknown or a value is invalid; the message names the field.

    Examples
    --------
    >>> config = apply_edits(Config(), {"synapse.weight.bits": 4, "schedule.sigma": 0.1})
    >>> str(config.synapse.weight), config.schedule[0].sigma
    ('s4.2', 0.1)
    """
    tree = to_dict(config)
    for name in edits:
        require_field(name, config)
    if isinstance(config, NetworkConfig):
        edits = _of_each_layer(edits, len(config.layers))
    formats: dict[str, dict[str, Any]] = {}
    schedules: dict[str, dict[str, Any]] = {}
    for name, value in edits.items():
        *path, last = name.split(".")
        node = _node(tree, path)
        if isinstance(node, dict):
            _set(node, last, value)
        elif path[-1] == "schedule":
            schedules.setdefault(".".join(path), {})[last] = value
        else:
            formats.setdefault(".".join(path), {})[last] = value
    for name, parts in formats.items():
        *path, last = name.split(".")
        node = _node(tree, path)
        node[last] = _resized(name, Format.parse(node[last]), parts)
    for name, parts in schedules.items():
        _edit_schedule(_node(tree, name.split(".")[:-1]), name, parts)
    return config_from_dict(tree) if isinstance(config, Config) else network_from_dict(tree)


def _of_each_layer(edits: Mapping[str, Any], layers: int) -> Edits:
    """Return edits without ``layer.*``: of each layer that is not named."""
    every: Edits = {}
    named: Edits = {}
    for name, value in edits.items():
        if name.startswith(EVERY):
            inner = name.removeprefix(EVERY)
            every |= {f"{LAYER}{number}.{inner}": value for number in range(layers)}
        else:
            named[name] = value
    return every | named


def _node(tree: Any, path: list[str]) -> Any:
    node = tree
    for name in path:
        node = node[int(name)] if isinstance(node, list) else node[name]
    return node


def _set(node: dict[str, Any], name: str, value: Any) -> None:
    if name in ("tau", "shift"):
        # A leak has exactly one of them.
        node.pop("shift" if name == "tau" else "tau", None)
    node[name] = value


def _resized(name: str, fmt: Format, parts: Mapping[str, Any]) -> str:
    """Return a format as text with other numbers of bits and fractional bits."""
    bits = require_int(f"{name}.bits", parts.get("bits", fmt.bits), 1, 64)
    frac = parts.get("frac", fmt.frac + bits - fmt.bits)
    frac = require_int(f"{name}.frac", frac, -64, 64)
    return f"{'s' if fmt.signed else 'u'}{bits}.{frac}"


def _edit_schedule(tree: dict[str, Any], where: str, edits: Mapping[str, Any]) -> None:
    """Edit the phases of a layer in the order of `SCHEDULE`; `where` names them in errors."""
    phases: list[dict[str, Any]] = [dict(phase) for phase in tree["schedule"]]
    if ("phases" in edits) != ("windows" in edits):
        raise BitlifError(f"{where}.phases and {where}.windows must be given together")
    if "phases" in edits:
        count = require_int(f"{where}.phases", edits["phases"], 1, 1 << 12)
        length = require_int(f"{where}.windows", edits["windows"], 1, 1 << 40)
        phases = [{**phases[0], "windows": length} for _ in range(count)]
        phases[-1]["windows"] = 0
    if "sigma" in edits:
        phases = [{**phase, "sigma": edits["sigma"]} for phase in phases]
    if "last_sigma" in edits:
        last = require_real(f"{where}.last_sigma", edits["last_sigma"], 0.0, 1e6, open_low=True)
        first, gaps = phases[0]["sigma"], max(1, len(phases) - 1)
        for number, phase in enumerate(phases):
            phase["sigma"] = round(first * (last / first) ** (number / gaps), DIGITS)
    if "rate_shift" in edits:
        factor = 2.0 ** -require_int(f"{where}.rate_shift", edits["rate_shift"], -20, 20)
        tree["learning"]["rate"] *= factor
        phases = [{**phase, "rate": phase["rate"] * factor} for phase in phases]
    tree["schedule"] = phases


def read_edits(tree: object, config: AnyConfig, where: str) -> Edits:
    """Return the edits of a table ``{"section.field" = value}``; sections may also be tables.

    Raises
    ------
    BitlifError
        If a name is unknown or a table of results cannot hold a value.
    """
    if not isinstance(tree, dict):
        raise BitlifTypeError(f"{where} must be a table of fields, not {quoted(tree)}")
    edits: Edits = {}
    known = _known(config)
    sections = {name[: end + 1] for name in known for end in _dots(name)}

    def walk(prefix: str, node: Mapping[str, Any]) -> None:
        for name, value in node.items():
            path = f"{prefix}{name}"
            if isinstance(value, dict) and path not in known and f"{path}." in sections:
                walk(f"{path}.", value)
                continue
            with located(where):
                require_field(path, config)
            require_value(f"{where}.{path}", value)
            edits[path] = value

    walk("", tree)
    return edits


def _dots(name: str) -> list[int]:
    return [place for place, letter in enumerate(name) if letter == "."]


def require_value(what: str, value: object, level: int = 0) -> None:
    """Raise unless a table of results and its JSON description can hold a value."""
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        require_int(what, value, LEAST, MOST)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise BitlifError(f"{what} must be finite, not {value}")
        require_real(what, value, -LARGEST, LARGEST)
    elif isinstance(value, str):
        if len(value) > MAX_TEXT_LENGTH or not value.isprintable():
            raise BitlifError(
                f"{what} must be printable text of at most {MAX_TEXT_LENGTH} characters, "
                f"not {quoted(value)}"
            )
    elif isinstance(value, list | dict) and level < MAX_DEPTH:
        if len(value) > MAX_PARTS:
            raise BitlifError(f"{what} must have at most {MAX_PARTS} values, not {len(value)}")
        for part in value.values() if isinstance(value, dict) else value:
            require_value(what, part, level + 1)
    else:
        raise BitlifTypeError(f"{what} must be made of numbers, text, lists and tables, "
                              f"not {quoted(value)}")  # fmt: skip
