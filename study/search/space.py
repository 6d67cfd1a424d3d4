"""Edits of configuration fields: what a point of a study changes.

An edit sets a dotted field (``"noise.words"``) to a value as TOML holds it. Beside the fields
themselves there are these, for what a study varies by one number:

``X.bits``, ``X.frac`` of any format X
    ``bits`` alone keeps the range and moves the resolution; ``frac`` alone keeps the number of
    bits; both set both.
``X.tau``, ``X.shift`` of any leak X
    Either takes the place of the other.
``schedule.phases`` with ``schedule.windows``
    So many phases like the first one, of so many windows each (the last one for ever).
``schedule.sigma``
    Of all phases.
``schedule.last_sigma``
    Sigma falls in equal ratios from the first phase's to this in the last phase: cooling.
``schedule.rate_shift``
    All rates times ``2**-rate_shift``: the learning-rate shift.

A study's edits are applied in one order, whatever the order in which they are given.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

from bitlif.model.config.config import Config, config_from_dict
from bitlif.model.config.toml import config_to_dict
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

Edits = dict[str, Any]
"""Values by dotted field."""

SCHEDULE = ("phases", "windows", "sigma", "last_sigma", "rate_shift")
LEAST, MOST = -(1 << 63), (1 << 63) - 1
"""Integers that a table of results can hold."""

LARGEST = 1e30
"""Of a real value, so that neither its square nor its single-precision form overflows."""

TEXT_LENGTH = 1000
"""Characters of a value that is text."""

MOST_PARTS = 1 << 14
"""Values in a list or table that is one value."""

DEEPEST = 4
"""Levels of lists and tables within one value."""

DIGITS = 6
"""Decimals of a cooled sigma: as a person would write it, and the same on every machine."""


def known_fields(config: Config) -> list[str]:
    """Return all names that an edit may have, in the configuration's order."""
    return list(_known(config))


@functools.lru_cache(maxsize=16)
def _known(config: Config) -> dict[str, None]:
    names: list[str] = []

    def walk(prefix: str, node: Mapping[str, Any]) -> None:
        for name, value in node.items():
            path = f"{prefix}{name}"
            if isinstance(value, dict):
                walk(f"{path}.", value)
            else:
                names.append(path)
            if _is_format(value):
                names.extend((f"{path}.bits", f"{path}.frac"))
            if name == "decay":
                missing = {"tau", "shift"} - value.keys()
                names.extend(f"{path}.{own}" for own in sorted(missing))

    tree = config_to_dict(config)
    del tree["name"]
    walk("", tree)
    return dict.fromkeys([*names, *(f"schedule.{name}" for name in SCHEDULE)])


def _is_format(value: Any) -> bool:
    if not isinstance(value, str) or value[:1] not in ("s", "u"):
        return False
    try:
        Format.parse(value)
    except BitlifError:
        return False
    return True


def require_field(name: str, config: Config) -> None:
    """Raise unless an edit may have this name."""
    known = _known(config)
    if name not in known:
        hint = nearest_of(shortened(name), known) or "; `bitlif config show` lists them"
        raise BitlifError(f"{quoted(name)} is not a field of a configuration{hint}")


def edited(config: Config, edits: Mapping[str, Any]) -> Config:
    """Return the configuration with its fields edited.

    Raises
    ------
    BitlifError
        Naming the field that is not one, or that the configuration refuses.

    Examples
    --------
    >>> config = edited(Config(), {"synapse.weight.bits": 4, "schedule.sigma": 0.1})
    >>> str(config.synapse.weight), config.schedule[0].sigma
    ('s4.2', 0.1)
    """
    tree = config_to_dict(config)
    for name in edits:
        require_field(name, config)
    formats: dict[str, dict[str, Any]] = {}
    for name, value in edits.items():
        *path, last = name.split(".")
        node = _node(tree, path)
        if isinstance(node, dict):
            _set(node, last, value)
        elif path != ["schedule"]:
            formats.setdefault(".".join(path), {})[last] = value
    for name, parts in formats.items():
        *path, last = name.split(".")
        node = _node(tree, path)
        node[last] = _resized(name, Format.parse(node[last]), parts)
    _edit_schedule(tree, {name: edits[f"schedule.{name}"] for name in SCHEDULE
                          if f"schedule.{name}" in edits})  # fmt: skip
    return config_from_dict(tree)


def _node(tree: dict[str, Any], path: list[str]) -> Any:
    node: Any = tree
    for name in path:
        node = node[name]
    return node


def _set(node: dict[str, Any], name: str, value: Any) -> None:
    if name in ("tau", "shift"):
        # A leak is given by one of them.
        node.pop("shift" if name == "tau" else "tau", None)
    node[name] = value


def _resized(name: str, fmt: Format, parts: Mapping[str, Any]) -> str:
    """Return a format as text with other numbers of bits, of which some are fractional."""
    bits = require_int(f"{name}.bits", parts.get("bits", fmt.bits), 1, 64)
    frac = parts.get("frac", fmt.frac + bits - fmt.bits)
    frac = require_int(f"{name}.frac", frac, -64, 64)
    return f"{'s' if fmt.signed else 'u'}{bits}.{frac}"


def _edit_schedule(tree: dict[str, Any], edits: Mapping[str, Any]) -> None:
    """Edit the phases in the order of `SCHEDULE`."""
    phases: list[dict[str, Any]] = [dict(phase) for phase in tree["schedule"]]
    if ("phases" in edits) != ("windows" in edits):
        raise BitlifError("schedule.phases and schedule.windows must be given together")
    if "phases" in edits:
        count = require_int("schedule.phases", edits["phases"], 1, 1 << 12)
        length = require_int("schedule.windows", edits["windows"], 1, 1 << 40)
        phases = [{**phases[0], "windows": length} for _ in range(count)]
        phases[-1]["windows"] = 0
    if "sigma" in edits:
        phases = [{**phase, "sigma": edits["sigma"]} for phase in phases]
    if "last_sigma" in edits:
        last = require_real("schedule.last_sigma", edits["last_sigma"], 0.0, 1e6, open_low=True)
        first, gaps = phases[0]["sigma"], max(1, len(phases) - 1)
        for number, phase in enumerate(phases):
            phase["sigma"] = round(first * (last / first) ** (number / gaps), DIGITS)
    if "rate_shift" in edits:
        factor = 2.0 ** -require_int("schedule.rate_shift", edits["rate_shift"], -20, 20)
        tree["learning"]["rate"] *= factor
        phases = [{**phase, "rate": phase["rate"] * factor} for phase in phases]
    tree["schedule"] = phases


def read_edits(tree: object, config: Config, where: str) -> Edits:
    """Return the edits of a table ``{"section.field" = value}``; sections may be tables too.

    Raises
    ------
    BitlifError
        Naming what is no field, or a value that results could not hold.
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
    """Raise unless results can hold a value: JSON describes it, and a table has it in a column."""
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        require_int(what, value, LEAST, MOST)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise BitlifError(f"{what} must be finite, not {value}")
        require_real(what, value, -LARGEST, LARGEST)
    elif isinstance(value, str):
        if len(value) > TEXT_LENGTH or not value.isprintable():
            raise BitlifError(
                f"{what} must be printable text of at most {TEXT_LENGTH} characters, "
                f"not {quoted(value)}"
            )
    elif isinstance(value, list | dict) and level < DEEPEST:
        if len(value) > MOST_PARTS:
            raise BitlifError(f"{what} must have at most {MOST_PARTS} values, not {len(value)}")
        for part in value.values() if isinstance(value, dict) else value:
            require_value(what, part, level + 1)
    else:
        raise BitlifTypeError(f"{what} must be made of numbers, text, lists and tables, "
                              f"not {quoted(value)}")  # fmt: skip
