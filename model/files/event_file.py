"""Spike files: ``.npz`` arrays, or AER text with one ``time address`` pair per line.

AER text (`bitlif.model.files.aer`) may begin with ``# steps S units N windows W``; numbers that are
missing from the file must be passed as arguments. Times are steps, counted through all windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, located
from bitlif.model.events import Events, merged
from bitlif.model.text import array_kind, path_text

from .aer import MOST_STEPS, read_aer, require_same
from .npz_file import open_arrays

MOST_EVENTS = 1 << 26
"""Maximum number of events in an ``.npz`` file."""

KEYS = ("addresses", "pointers", "steps", "units")


def save_events(path: str | Path, events: Events) -> None:
    """Write events to an ``.npz`` file, or as AER text to any other name (usually ``.aer``)."""
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


def load_events(
    path: str | Path, *, steps: int = 0, units: int = 0, duplicates: str = "refuse"
) -> Events:
    """Read a spike file.

    Parameters
    ----------
    path : str or Path
    steps, units : int
        Required steps per window and number of units; 0 to use the numbers in the file.
    duplicates : str
        ``"refuse"`` to raise an error if a unit spikes twice in a step, or ``"merge"`` to make one
        spike of the two.

    Raises
    ------
    BitlifError
        If the file cannot be read, has neither format, has other numbers than required, or more
        steps than `bitlif.model.files.aer.MOST_STEPS`.
    """
    if Path(path).suffix == ".npz":
        return _load_npz(path, {"steps": steps, "units": units}, duplicates)
    return read_aer(path, steps=steps, units=units, duplicates=duplicates)


def _load_npz(path: str | Path, wanted: dict[str, int], duplicates: str) -> Events:
    name = f"spikes '{path_text(path)}'"
    with open_arrays("spikes", path) as file:
        missing = [key for key in KEYS if key not in file.headers]
        if missing:
            raise BitlifError(
                f"{name} must hold the arrays {', '.join(KEYS)}; {missing[0]} is missing"
            )
        with located(name):
            for key in wanted:
                _require_scalar(key, file.outline(key))
            for key, most in (("addresses", MOST_EVENTS), ("pointers", MOST_STEPS + 1)):
                _require_list(key, file.outline(key), most)
        steps, units = (int(file.read(key)) for key in wanted)
        require_same(name, "steps", wanted["steps"], steps)
        require_same(name, "units", wanted["units"], units)
        addresses, pointers = file.read("addresses"), file.read("pointers")
    with located(name):
        if duplicates == "merge":
            addresses, pointers = merged(addresses, pointers)
        return Events(addresses, pointers, steps, units)


def _require_scalar(key: str, value: NDArray[Any]) -> None:
    if value.shape != () or not np.issubdtype(value.dtype, np.integer):
        raise BitlifError(f"{key} must be one integer, not {array_kind(value)}")


def _require_list(key: str, values: NDArray[Any], most: int) -> None:
    if values.ndim == 1 and values.size > most:
        raise BitlifError(f"{key} must have at most {most} values, not {values.size}")
