"""Names and options of the encoders of `bitlif.tasks.encoding`, and their checks."""

from __future__ import annotations

from typing import Any

from bitlif.model.errors import (
    BitlifError,
    nearest_of,
    require_bool,
    require_choice,
    require_int,
    require_real,
)
from bitlif.model.text import quoted

from .encoders import CODES, MOST_FIELDS, REFERENCES, delta_level, field_width

ENCODERS = ("rate", "latency", "level_crossing", "population", "spikes")
"""Names of the encoders."""

KINDS = {
    "rate": ("table", "series"),
    "latency": ("table",),
    "level_crossing": ("series",),
    "population": ("table", "series"),
    "spikes": ("spikes",),
}
"""What each encoder accepts."""

_SCALING: dict[str, Any] = {"quantile": 0.01, "shared": False}
OPTIONS: dict[str, dict[str, Any]] = {
    "rate": {
        "max_rate": 0.875, "bias_rate": 0.25, "regular": True, "opponent": False, **_SCALING,
    },
    "latency": {"bias_rate": 0.0, **_SCALING},
    "level_crossing": {"delta": 0.1, "reference": "first", "bias_rate": 0.0, **_SCALING},
    "population": {
        "fields": 8, "width": 1.0, "code": "rate", "max_rate": 0.875, "regular": True, **_SCALING,
    },
    "spikes": {},
}  # fmt: skip
"""Options of each encoder and their defaults; see `Encoder.fit`."""


def checked_options(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return all options of an encoder, given or by default.

    Raises
    ------
    BitlifError
        If an option is unknown or its value is not accepted.
    """
    for key in options:
        if key not in OPTIONS[name]:
            known = ", ".join(OPTIONS[name]) or "none"
            raise BitlifError(
                f"options of encoder '{name}' are {known}, not {quoted(key)}"
                f"{nearest_of(str(key), OPTIONS[name])}"
            )
    return {
        key: _checked_option(key, options.get(key, default))
        for key, default in OPTIONS[name].items()
    }


def _checked_option(key: str, value: Any) -> Any:
    if key in ("max_rate", "bias_rate"):
        return require_real(key, value, 0.0, 1.0, open_low=key == "max_rate")
    if key == "quantile":
        return require_real(key, value, 0.0, 0.25)
    if key in ("regular", "shared", "opponent"):
        require_bool(key, value)
        return value
    if key == "delta":
        delta_level(value)
        return float(value)
    if key == "width":
        field_width(value)
        return float(value)
    if key == "fields":
        return require_int(key, value, 2, MOST_FIELDS)
    return require_choice(key, value, REFERENCES if key == "reference" else CODES)


def named_kind(kind: str) -> str:
    """Return a kind of data in words."""
    return {"table": "a table", "series": "time series", "spikes": "spikes"}[kind]


def wrong_kind(name: str, kind: str) -> str:
    """Return the error message for an encoder that does not accept a kind of data."""
    accepted = " or ".join(named_kind(one) for one in KINDS[name])
    others = [one for one in ENCODERS if kind in KINDS[one]]
    return (
        f"encoder '{name}' encodes {accepted}, not {named_kind(kind)}: use "
        f"{' or '.join(repr(one) for one in others)}"
    )
