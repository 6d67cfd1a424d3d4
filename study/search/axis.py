"""The axes of a study: what varies, over which values, and which fields each value sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bitlif.model.errors import BitlifError, BitlifTypeError, nearest_of, require_real
from bitlif.model.text import quoted, shortened, terminal_text

from .base import AnyConfig
from .space import Edits, read_edits, require_field, require_value

Scalar = int | float | str | bool

MAX_LABELS = 1024
"""Most values or cases of an axis."""

MAX_NAME_LENGTH = 200
"""Most characters of a name, a unit or a title."""

MIN_STEP, MIN_RELATIVE_STEP = 1e-9, 1e-12
"""Smallest step of a range of real numbers, absolute and relative to the larger end of the range.
Smaller steps would be lost to rounding to 12 decimals or to the precision of a double."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of the search space.

    Attributes
    ----------
    name : str
        Name of the column: the field, or the name of a set of cases.
    fields : tuple of str
        Dotted names of the configuration fields that the axis sets.
    kind : str
        ``"values"``: a list of values. ``"range"``: numbers from `low` to `high`. Each is the value
        of all `fields`. ``"cases"``: named settings of several fields.
    labels : tuple
        Values or names of cases, in order; empty for a range.
    settings : tuple of dict
        The edits of each label.
    low, high, step : float or int
        Ends and step of a range; a step of 0 allows any real number.
    log : bool
        Whether a range is logarithmic.
    unit : str
        Unit for pictures and pages.
    """

    name: str
    fields: tuple[str, ...]
    kind: str
    labels: tuple[Scalar, ...] = ()
    settings: tuple[Edits, ...] = ()
    low: float = 0
    high: float = 0
    step: float = 0
    log: bool = False
    unit: str = ""

    @property
    def whole(self) -> bool:
        """Whether the axis is a range of integers."""
        return self.kind == "range" and all(
            isinstance(value, int) for value in (self.low, self.high, self.step)
        )

    @property
    def count(self) -> int:
        """Number of values or cases.

        Raises
        ------
        BitlifError
            If the axis is a range of real numbers without a step.
        """
        if self.kind != "range":
            return len(self.labels)
        if self.log or not self.step:
            raise BitlifError(
                f"axis '{self.name}' must have values, cases or a step for a grid, not a range of "
                f"{self.low:g} to {self.high:g}"
            )
        return int((self.high - self.low) / self.step + 1e-9) + 1

    def choice(self, number: int) -> Scalar:
        """Return the value or case with a number from 0 to ``count - 1``."""
        if self.kind != "range":
            return self.labels[number]
        return _rounded(self.low + number * self.step)

    def steps(self) -> tuple[Scalar, ...]:
        """Return all values or cases; raises as `count`."""
        return tuple(self.choice(number) for number in range(self.count))

    def edits(self, choice: Scalar) -> Edits:
        """Return the edits of a choice, which is a label or a number of the range."""
        if self.kind == "range":
            return dict.fromkeys(self.fields, choice)
        return self.settings[self.labels.index(choice)]


def _rounded(value: float) -> float | int:
    return value if isinstance(value, int) else round(value, 12)


AXIS_FIELDS = ("field", "name", "values", "low", "high", "step", "log", "case", "unit")


def read_axis(tree: object, config: AnyConfig, where: str) -> Axis:
    """Return the axis that a table of a study file describes; `where` names the table in errors.

    Raises
    ------
    BitlifError
        If a field is unknown, missing, or contradicts another one.
    """
    if not isinstance(tree, dict):
        raise BitlifTypeError(f"{where} must be a table, not {quoted(tree)}")
    for name in tree:
        if name not in AXIS_FIELDS:
            hint = nearest_of(name, AXIS_FIELDS)
            raise BitlifError(f"{where}.{terminal_text(shortened(name))} is not a field{hint}")
    unit = tree.get("unit", "")
    if unit != "":
        require_name(f"{where}.unit", unit)
    kinds = [kind for kind in ("values", "low", "case") if kind in tree]
    if len(kinds) != 1:
        raise BitlifError(f"{where} must have exactly one of these: values; low and high; case")
    if kinds == ["case"]:
        return _read_cases(tree, config, where, unit)
    names = _read_fields(tree, config, where)
    axis_name = tree.get("name", names[0])
    require_name(f"{where}.name", axis_name)
    if kinds == ["low"]:
        return _read_range(tree, names, axis_name, where, unit)
    values = tree["values"]
    if not isinstance(values, list) or not values:
        raise BitlifTypeError(f"{where}.values must be a list of values, not {quoted(values)}")
    _require_few(f"{where}.values", values)
    for value in values:
        if not isinstance(value, Scalar):
            raise BitlifTypeError(
                f"{where}.values must be numbers, text or truth values, not {quoted(value)}"
            )
        require_value(f"{where}.values", value)
    if len({(type(value) is bool, value) for value in values}) != len(values):
        raise BitlifError(f"{where}.values must differ from each other, but are {quoted(values)}")
    _require_one_kind(values, where)
    settings = tuple(dict.fromkeys(names, value) for value in values)
    return Axis(axis_name, names, "values", tuple(values), settings, unit=unit)


def _read_fields(tree: dict[str, Any], config: AnyConfig, where: str) -> tuple[str, ...]:
    """Return the fields of an axis: one, or several that have the same value."""
    given = tree.get("field")
    listed: list[Any] = given if isinstance(given, list) else [given]
    if not listed or not all(isinstance(name, str) for name in listed):
        raise BitlifTypeError(
            f"{where}.field must be the name of a field, not {quoted(given)}, or a list of names"
        )
    for name in listed:
        require_field(name, config)
    if len(set(listed)) != len(listed):
        raise BitlifError(f"{where}.field must have different names, not {quoted(given)}")
    if isinstance(given, list) and "name" not in tree:
        raise BitlifError(f"{where}.name must be given for an axis of several fields")
    return tuple(listed)


def _require_few(what: str, values: list[Any]) -> None:
    if len(values) > MAX_LABELS:
        raise BitlifError(f"{what} must have at most {MAX_LABELS} entries, not {len(values)}")


def _require_one_kind(values: list[Scalar], where: str) -> None:
    kinds = {"number" if type(value) in (int, float) else type(value).__name__ for value in values}
    if len(kinds) > 1:
        raise BitlifTypeError(f"{where}.values must all be of one kind, not {quoted(values)}")


def require_name(what: str, name: object) -> str:
    """Return a name if it is printable text of an accepted length; raise otherwise."""
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise BitlifTypeError(
            f"{what} must be printable text of 1 ..= {MAX_NAME_LENGTH} characters, "
            f"not {quoted(name)}"
        )
    return name


def _read_range(
    tree: dict[str, Any], names: tuple[str, ...], axis_name: str, where: str, unit: str
) -> Axis:
    numbers: dict[str, Any] = {}
    whole = all(type(tree.get(key, 1)) is int for key in ("low", "high", "step"))
    for key, usual in (("low", None), ("high", None), ("step", 1 if whole else 0.0)):
        value = tree.get(key, usual)
        real = require_real(f"{where}.{key}", value, -1e12, 1e12)
        numbers[key] = value if whole else real
    log = tree.get("log", False)
    if not isinstance(log, bool):
        raise BitlifTypeError(f"{where}.log must be true or false, not {quoted(log)}")
    if numbers["low"] >= numbers["high"]:
        raise BitlifError(
            f"{where}.high must be above low = {numbers['low']:g}, not {numbers['high']:g}"
        )
    if numbers["step"] < 0 or (whole and numbers["step"] < 1):
        raise BitlifError(f"{where}.step must be above 0, not {numbers['step']:g}")
    if log and numbers["low"] <= 0:
        raise BitlifError(f"{where}.low must be above 0 if log is true, not {numbers['low']:g}")
    if log and "step" in tree:
        raise BitlifError(f"{where}.step must be left out with log, but is {quoted(tree['step'])}")
    largest = max(abs(numbers["low"]), abs(numbers["high"]))
    least = max(MIN_STEP, MIN_RELATIVE_STEP * largest)
    if 0 < numbers["step"] < least:
        raise BitlifError(
            f"{where}.step must be at least {least:g} in a range to {largest:g}, "
            f"not {numbers['step']:g}"
        )
    return Axis(axis_name, names, "range", log=log, unit=unit, **numbers)


def _read_cases(tree: dict[str, Any], config: AnyConfig, where: str, unit: str) -> Axis:
    axis_name = require_name(f"{where}.name", tree.get("name"))
    if "field" in tree:
        raise BitlifError(f"{where}.field must be left out with cases, which name their own fields")
    cases = tree["case"]
    if not isinstance(cases, list) or not cases:
        raise BitlifTypeError(f"{where}.case must be a list of tables, not {quoted(cases)}")
    _require_few(f"{where}.case", cases)
    labels: list[str] = []
    settings: list[Edits] = []
    for number, case in enumerate(cases):
        place = f"{where}.case[{number}]"
        if not isinstance(case, dict) or set(case) != {"name", "set"}:
            raise BitlifTypeError(f"{place} must be a table with name and set, not {quoted(case)}")
        require_name(f"{place}.name", case["name"])
        settings.append(read_edits(case["set"], config, f"{place}.set"))
        labels.append(case["name"])
    if len(set(labels)) != len(labels):
        raise BitlifError(f"{where}: the names of the cases must differ, but are {quoted(labels)}")
    fields = tuple(dict.fromkeys(name for edits in settings for name in edits))
    return Axis(axis_name, fields, "cases", tuple(labels), tuple(settings), unit=unit)
