"""Spikes as event lists: the input and output of layers.

Events are stored step by step, as in a CSR matrix: the events of step t (counted through all
windows) are ``addresses[pointers[t] : pointers[t + 1]]``, in ascending order, each address at most
once per step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .display import html_table, one_line
from .errors import BitlifError, BitlifTypeError, plain_fields, require_choice, require_int
from .text import array_kind

MAX_STEPS = 1 << 31
MAX_UNITS = 1 << 16
MAX_TOTAL = 1 << 28
"""Maximum number of steps of all windows together in `Events.from_times`."""


DUPLICATES = ("refuse", "merge")
"""Accepted treatments of events with the same step and address."""


class DuplicateEvents(BitlifError):
    """A unit spikes twice in one step; `first` and `second` are the indices of the two events."""

    def __init__(self, message: str, first: int = -1, second: int = -1) -> None:
        super().__init__(message)
        self.first = first
        self.second = second


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Spikes of `units` inputs or neurons over a number of windows of `steps` steps each.

    Parameters
    ----------
    addresses : (n,) int32
        Units that spiked, 0 ..= units - 1, in ascending order within a step.
    pointers : (windows * steps + 1,) int64
        Index of the first event of each step; the last pointer is n.
    steps : int
        Steps per window.
    units : int
        Number of units.

    Raises
    ------
    BitlifError
        If an array has the wrong shape, dtype or range, or a step holds an address twice.

    Examples
    --------
    >>> Events.from_times([0, 1], [0, 1], steps=16, units=6)
    <Events windows=1 steps=16 units=6 spikes=2>
    """

    addresses: NDArray[np.int32]
    pointers: NDArray[np.int64]
    steps: int
    units: int

    def __post_init__(self) -> None:
        plain_fields(self)
        require_int("steps", self.steps, 1, MAX_STEPS)
        require_int("units", self.units, 1, MAX_UNITS)
        addresses = _as_integers("addresses", self.addresses, np.dtype(np.int32))
        pointers = _as_integers("pointers", self.pointers, np.dtype(np.int64))
        if pointers.size < 1 or (pointers.size - 1) % self.steps:
            raise BitlifError(
                f"pointers must have windows * {self.steps} + 1 values, not {pointers.size}"
            )
        if pointers[0] != 0 or pointers[-1] != addresses.size or (np.diff(pointers) < 0).any():
            raise BitlifError(
                f"pointers must rise from 0 to the number of addresses, {addresses.size}"
            )
        if addresses.size:
            low, high = int(addresses.min()), int(addresses.max())
            if low < 0 or high >= self.units:
                wrong = low if low < 0 else high
                raise BitlifError(f"addresses must be in 0 ..= {self.units - 1}, not {wrong}")
            self._check_order(addresses, pointers)
        object.__setattr__(self, "addresses", addresses)
        object.__setattr__(self, "pointers", pointers)

    @staticmethod
    def _check_order(addresses: NDArray[np.int32], pointers: NDArray[np.int64]) -> None:
        rising = np.empty(addresses.size + 1, bool)
        np.greater(addresses[1:], addresses[:-1], out=rising[1:-1])
        rising[pointers] = True
        bad = np.flatnonzero(~rising)
        if bad.size:
            step = int(np.searchsorted(pointers, bad[0], "right")) - 1
            raise BitlifError(
                f"addresses must ascend within a step, each at most once; step {step} lists "
                f"{int(addresses[bad[0] - 1])} before {int(addresses[bad[0]])}"
            )

    def _facts(self) -> dict[str, object]:
        return {
            "windows": self.windows, "steps": self.steps, "units": self.units,
            "spikes": self.count,
        }  # fmt: skip

    def __repr__(self) -> str:
        return one_line("Events", self._facts())

    def _repr_html_(self) -> str:
        return html_table("Events", self._facts())

    @property
    def windows(self) -> int:
        """Number of windows."""
        return (self.pointers.size - 1) // self.steps

    @property
    def count(self) -> int:
        """Number of spikes."""
        return int(self.addresses.size)

    @property
    def times(self) -> NDArray[np.int64]:
        """Step of each event, counted through all windows: shape (n,), int64."""
        return np.repeat(np.arange(self.pointers.size - 1), np.diff(self.pointers))

    @classmethod
    def from_times(
        cls,
        times: NDArray[np.integer] | Sequence[int],
        addresses: NDArray[np.integer] | Sequence[int],
        *,
        steps: int,
        units: int,
        windows: int | None = None,
        duplicates: str = "refuse",
    ) -> Events:
        """Return the events of ``(time, address)`` pairs in any order.

        Parameters
        ----------
        times : (n,) int
            Steps, counted through all windows.
        addresses : (n,) int
        steps, units : int
            Steps per window, and number of units.
        windows : int, optional
            Number of windows; by default as many as the last time needs, but at least one.
        duplicates : str
            ``"refuse"`` to raise an error for repeated pairs, or ``"merge"`` to make one spike of
            them.

        Raises
        ------
        DuplicateEvents
            If a pair repeats an earlier one.
        BitlifError
            If a time or address is out of range.

        Examples
        --------
        >>> e = Events.from_times([5, 0, 5], [1, 2, 0], steps=4, units=3)
        >>> e.windows, e.addresses.tolist(), e.times.tolist()
        (2, [2, 0, 1], [0, 5, 5])
        """
        steps = require_int("steps", steps, 1, MAX_STEPS)
        units = require_int("units", units, 1, MAX_UNITS)
        require_choice("duplicates", duplicates, DUPLICATES)
        when = _as_integers("times", times, np.dtype(np.int64))
        who = _as_integers("addresses", addresses, np.dtype(np.int64))
        if when.size != who.size:
            raise BitlifError(
                f"times and addresses must have equal lengths, not {when.size} and {who.size}"
            )
        last = int(when.max()) if when.size else 0
        if windows is None:
            windows = max(last, 0) // steps + 1
        windows = require_int("windows", windows, 0, 1 << 63)
        if windows * steps > MAX_TOTAL:
            raise BitlifError(
                f"windows * steps must be at most {MAX_TOTAL}, not {windows} * {steps}"
            )
        if when.size and (when.min() < 0 or last >= windows * steps):
            wrong = int(when.min()) if when.min() < 0 else last
            raise BitlifError(f"times must be in 0 ..= {windows * steps - 1}, not {wrong}")
        if who.size and (who.min() < 0 or who.max() >= units):
            wrong = int(who.min()) if who.min() < 0 else int(who.max())
            raise BitlifError(f"addresses must be in 0 ..= {units - 1}, not {wrong}")
        # One number per pair, at most 2^44, which sorts by step and then by address.
        pairs = when * units + who
        pairs.sort()
        if (pairs[1:] == pairs[:-1]).any():
            if duplicates == "refuse":
                raise _duplicate(when, who, units)
            pairs = np.unique(pairs)
        pointers = np.zeros(windows * steps + 1, np.int64)
        np.cumsum(np.bincount(pairs // units, minlength=windows * steps), out=pointers[1:])
        return cls((pairs % units).astype(np.int32), pointers, steps, units)

    @classmethod
    def from_raster(cls, raster: NDArray[np.bool_]) -> Events:
        """Return the events of a boolean raster of shape (windows, steps, units)."""
        array = np.asarray(raster)
        if array.dtype != np.bool_ or array.ndim != 3:
            raise BitlifTypeError(
                f"raster must be boolean of shape (windows, steps, units), not {array_kind(array)}"
            )
        windows, steps, units = array.shape
        flat = array.reshape(windows * steps, units)
        pointers = np.zeros(windows * steps + 1, np.int64)
        np.cumsum(np.count_nonzero(flat, axis=1), out=pointers[1:])
        addresses = np.empty(pointers[-1], np.int32)
        # In blocks of steps: the indices of all spikes take many times the memory of the raster.
        count = max(1, (1 << 22) // max(1, units))
        for step in range(0, len(flat), count):
            piece = flat[step : step + count]
            begin, end = pointers[step], pointers[step + len(piece)]
            addresses[begin:end] = np.nonzero(piece)[1]
        return cls(addresses, pointers, steps, units)

    def raster(self) -> NDArray[np.bool_]:
        """Return the spikes as a boolean raster: shape (windows, steps, units)."""
        flat = np.zeros((self.windows * self.steps, self.units), np.bool_)
        flat[self.times, self.addresses] = True
        return flat.reshape(self.windows, self.steps, self.units)

    def counts(self) -> NDArray[np.int64]:
        """Return the number of spikes per window and unit: shape (windows, units), int64."""
        index = self.times // self.steps * self.units + self.addresses
        tally = np.bincount(index, minlength=self.windows * self.units)
        return tally.reshape(self.windows, self.units)

    def select(self, windows: Sequence[int] | NDArray[np.integer]) -> Events:
        """Return the windows with these indices, in this order; indices may repeat."""
        chosen = _as_integers("windows", windows, np.dtype(np.int64))
        if chosen.size and (chosen.min() < 0 or chosen.max() >= self.windows):
            wrong = int(chosen.min()) if chosen.min() < 0 else int(chosen.max())
            raise BitlifError(f"windows must be in 0 ..= {self.windows - 1}, not {wrong}")
        steps = (chosen[:, None] * self.steps + np.arange(self.steps)).ravel()
        lengths = np.diff(self.pointers)[steps]
        pointers = np.zeros(steps.size + 1, np.int64)
        np.cumsum(lengths, out=pointers[1:])
        within = np.arange(pointers[-1]) - np.repeat(pointers[:-1], lengths)
        source = np.repeat(self.pointers[steps], lengths) + within
        return Events(self.addresses[source], pointers, self.steps, self.units)


def merged(
    addresses: NDArray[np.integer], pointers: NDArray[np.integer]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the arrays of `Events` with repeated addresses of a step merged into one.

    >>> [array.tolist() for array in merged(np.array([3, 3, 3, 5]), np.array([0, 2, 4]))]
    [[3, 3, 5], [0, 1, 3]]
    """
    who = _as_integers("addresses", addresses, np.dtype(np.int32))
    begins = _as_integers("pointers", pointers, np.dtype(np.int64))
    if begins.size and (begins.min() < 0 or begins.max() > who.size):
        return who, begins  # `Events` raises the error.
    kept = np.ones(who.size + 1, bool)
    np.not_equal(who[1:], who[:-1], out=kept[1:-1])
    kept[begins] = True
    before = np.cumsum(kept) - kept
    return who[kept[:-1]], before[begins]


def _duplicate(when: NDArray[np.int64], who: NDArray[np.int64], units: int) -> DuplicateEvents:
    """Return the error that names the first event that repeats an earlier one."""
    pairs = when * units + who
    order = np.argsort(pairs, kind="stable")  # Equal events keep their order.
    again = np.flatnonzero(pairs[order[1:]] == pairs[order[:-1]])
    place = again[np.argmin(order[again + 1])]
    first, second = int(order[place]), int(order[place + 1])
    return DuplicateEvents(
        f"each address must spike at most once per step, not twice: address {who[second]} at "
        f"time {when[second]}",
        first,
        second,
    )


def _as_integers(name: str, values: object, dtype: np.dtype) -> NDArray:  # type: ignore[type-arg]
    """Return a contiguous one-dimensional array of `dtype`; raise if a value would change."""
    array = np.asarray(values)
    if array.size == 0 and array.ndim == 1:
        return np.zeros(0, dtype)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise BitlifTypeError(f"{name} must be integers in one dimension, not {array_kind(array)}")
    info = np.iinfo(dtype)
    if array.dtype != dtype and (array.min() < info.min or array.max() > info.max):
        wrong = int(array.min()) if array.min() < info.min else int(array.max())
        raise BitlifError(f"{name} must fit {dtype}, not {wrong}")
    return np.ascontiguousarray(array, dtype)
