"""Spike files: ``.npz`` arrays, and the common AER text of one ``time address`` pair a line.

The text form may begin with ``# steps S units N windows W``; what a file does not say must be
given by the reader. Times are steps counted through all windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .errors import BitlifError
from .events import Events
from .npzfile import load_arrays

KEYS = ("addresses", "pointers", "steps", "units")


def save_events(path: str | Path, events: Events) -> None:
    """Write `events` to ``.npz``, or as AER text to any other name (``.aer`` by custom)."""
    path = Path(path)
    if path.suffix == ".npz":
        np.savez_compressed(
            path,
            addresses=events.addresses,
            pointers=events.pointers,
            steps=events.steps,
            units=events.units,
        )
        return
    with path.open("w", encoding="ascii") as out:
        out.write(f"# steps {events.steps} units {events.units} windows {events.windows}\n")
        pairs = np.column_stack((events.times, events.addresses))
        np.savetxt(out, pairs, fmt="%d")


def load_events(path: str | Path, *, steps: int = 0, units: int = 0) -> Events:
    """Read a spike file.

    Parameters
    ----------
    path : path
    steps, units : int
        What the file must have; 0 takes the file's own numbers.

    Raises
    ------
    BitlifError
        If the file cannot be read, is not of either form, or has other numbers.
    """
    path = Path(path)
    try:
        events = _load_npz(path) if path.suffix == ".npz" else _load_text(path, steps, units)
    except OSError as error:
        reason = error.strerror or error
        raise BitlifError(f"spikes '{path}' cannot be read: {reason}") from error
    for name, wanted in (("steps", steps), ("units", units)):
        found = getattr(events, name)
        if wanted and found != wanted:
            raise BitlifError(f"spikes '{path}' must have {wanted} {name}, not {found}")
    return events


def _load_npz(path: Path) -> Events:
    data = load_arrays("spikes", path)
    missing = [key for key in KEYS if key not in data]
    if missing:
        raise BitlifError(
            f"spikes '{path}' must hold the arrays {', '.join(KEYS)}; {missing[0]} is missing"
        )
    try:
        steps, units = (_scalar(key, data[key]) for key in ("steps", "units"))
        return Events(data["addresses"], data["pointers"], steps, units)
    except BitlifError as error:
        raise type(error)(f"spikes '{path}': {error}") from error


def _scalar(key: str, value: np.ndarray) -> int:
    if value.shape != () or not np.issubdtype(value.dtype, np.integer):
        raise BitlifError(f"{key} must be one integer, not {value.dtype} of shape {value.shape}")
    return int(value)


def _load_text(path: Path, steps: int, units: int) -> Events:
    header: dict[str, Any] = {"steps": steps or None, "units": units or None, "windows": None}
    times: list[int] = []
    addresses: list[int] = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BitlifError(f"spikes '{path}' must be text lines of 'time address'") from error
    for number, line in enumerate(lines, 1):
        body, _, comment = line.partition("#")
        words = comment.split()
        for key, value in zip(words[::2], words[1::2], strict=False):
            if not body.strip() and key in header and value.isdecimal():
                header[key] = _number(path, value)
        if not body.strip():
            continue
        parts = body.split()
        if len(parts) != 2 or not all(part.isdecimal() for part in parts):
            raise BitlifError(
                f"spikes '{path}', line {number} must be 'time address' (integers from 0), "
                f"not {line.strip()!r}"
            )
        times.append(_number(path, parts[0]))
        addresses.append(_number(path, parts[1]))
    for key in ("steps", "units"):
        if header[key] is None:
            raise BitlifError(
                f"spikes '{path}' must begin with '# steps S units N windows W': "
                f"{key} is neither there nor given"
            )
    try:
        return Events.from_times(
            np.array(times, np.int64),
            np.array(addresses, np.int64),
            steps=header["steps"],
            units=header["units"],
            windows=header["windows"],
        )
    except BitlifError as error:
        raise type(error)(f"spikes '{path}': {error}") from error


def _number(path: Path, digits: str) -> int:
    if len(digits) > 19 or int(digits) >= 1 << 63:
        raise BitlifError(f"spikes '{path}' has a number beyond 63 bits")
    return int(digits)
