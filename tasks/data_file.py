"""Data files: tables, time series and spikes with a label per window, from CSV or NPZ.

CSV is UTF-8 text with one window per row and one feature per column; the labels are one of the
columns. The delimiter is a tab, a semicolon or a comma, whichever the first line contains (the
first of these). The first line is a header if none of its cells is a number, or if one of them is
the name of the labels and not all are numbers; else the columns are named ``x0``, ``x1``, and so
on. Blank lines, and comments after ``#`` before the first row, are skipped.

NPZ has the inputs as an array ``X``, or as the arrays of an event file
(`bitlif.model.files.event_file`), and the labels as another array. An array ``names`` may name the
features or channels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, BitlifTypeError, located
from bitlif.model.events import Events
from bitlif.model.files.event_file import KEYS, load_events
from bitlif.model.files.npz_file import open_arrays
from bitlif.model.text import array_kind, path_text, quoted

from .csv_file import LABEL_NAMES, label_column, listed, read_csv
from .numeric import as_inputs, kind_of, windows_of
from .samples import PREFIX, load_sample

__all__ = ["LABEL_NAMES", "Data", "load_data"]

SUFFIXES = (".csv", ".tsv", ".npz")


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Inputs of windows, and a label for each.

    Attributes
    ----------
    inputs : (windows, features) or (windows, channels, samples) float64, or Events
        A table, time series, or spikes.
    labels : (windows,) int64 or str, or None
        Classes as given.
    names : tuple of str
        Names of the features, channels or units.

    Examples
    --------
    >>> data = Data.of([[1.5, 2.0], [0.5, 3.0]], ["a", "b"])
    >>> data
    <Data table windows=2 features=2 classes=2>
    >>> data.names, data.select([1]).labels.tolist()
    (('x0', 'x1'), ['b'])
    """

    inputs: NDArray[np.float64] | Events
    labels: NDArray[Any] | None
    names: tuple[str, ...]

    @classmethod
    def of(cls, X: Any, labels: Any = None, names: Sequence[str] | None = None) -> Data:
        """Return data of arrays, checked.

        Parameters
        ----------
        X : array or Events
            See `bitlif.tasks.numeric.as_inputs`.
        labels : (windows,) integers, strings or truth values, or None
            Floats are accepted if they are whole numbers.
        names : sequence of str, or None
            None: ``x0``, ``x1``, and so on.

        Raises
        ------
        BitlifError
            If the arrays have a wrong shape, type or length, or `X` is not finite.
        """
        inputs = as_inputs(X, tuple(names or ()))
        columns = inputs.units if isinstance(inputs, Events) else inputs.shape[1]
        if names is None:
            names = tuple(f"x{k}" for k in range(columns))
        if len(names) != columns:
            raise BitlifError(f"names must be of {columns} columns, not {len(names)}")
        if labels is not None:
            labels = as_labels(labels, windows_of(inputs))
        return cls(inputs, labels, tuple(str(name) for name in names))

    def __repr__(self) -> str:
        features = "" if self.kind == "spikes" else f" features={len(self.names)}"
        classes = "" if self.labels is None else f" classes={len(np.unique(self.labels))}"
        return f"<Data {self.kind} windows={self.windows}{features}{classes}>"

    @property
    def kind(self) -> str:
        """``"table"``, ``"series"`` or ``"spikes"``."""
        return kind_of(self.inputs)

    @property
    def windows(self) -> int:
        """Number of windows."""
        return windows_of(self.inputs)

    @property
    def digest(self) -> str:
        """SHA-256 of inputs, labels and names, in hex: the same on every machine."""
        digest = hashlib.sha256()
        head: dict[str, Any] = {"kind": self.kind, "names": self.names, "labels": None}
        arrays = []
        if isinstance(self.inputs, Events):
            head |= {"steps": self.inputs.steps, "units": self.inputs.units}
            arrays += [self.inputs.addresses.astype("<i4"), self.inputs.pointers.astype("<i8")]
        else:
            # Adding 0.0 removes the sign of -0.0.
            arrays.append((self.inputs + 0.0).astype("<f8"))
        if self.labels is not None:
            integers = self.labels.dtype.kind == "i"
            head["labels"] = "integers" if integers else self.labels.tolist()
            arrays += [self.labels.astype("<i8")] if integers else []
        head["shapes"] = [array.shape for array in arrays]
        digest.update(json.dumps(head, sort_keys=True).encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def select(self, windows: Sequence[int] | NDArray[np.integer]) -> Data:
        """Return the windows with these indices, in this order."""
        chosen = np.asarray(windows, np.int64)
        inputs = self.inputs
        kept = inputs.select(chosen) if isinstance(inputs, Events) else inputs[chosen]
        return Data(kept, None if self.labels is None else self.labels[chosen], self.names)


def load_data(
    path: str | Path, labels: str | None = None, *, required: bool = True, images: bool = False
) -> Data:
    """Read a data file: ``.csv``, ``.tsv`` or ``.npz``.

    Parameters
    ----------
    path : str or Path
        Or ``"sklearn:NAME"`` for a sample of scikit-learn; see `bitlif.tasks.samples`.
    labels : str or None
        Column (or NPZ array) of the labels; None for the first one of `LABEL_NAMES` that exists.
    required : bool
        Whether labels must exist.
    images : bool
        Whether ``X`` of an NPZ file holds images, (windows, height, width) or (windows, height,
        width, colours). They become a table with a column per pixel, row by row. Else an array of
        three dimensions holds time series (windows, channels, samples).

    Raises
    ------
    BitlifError
        If the file cannot be read, has no such labels, or a cell that is missing, not a number, or
        not finite. The message names line and column.
    """
    if str(path).startswith(PREFIX):
        if labels is not None or images:
            what = "images" if images else "labels"
            raise BitlifError(
                f"{what} cannot be chosen for the sample '{path_text(path)}', a table"
            )
        return Data.of(*load_sample(str(path)))
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise BitlifError(
            f"data '{path_text(path)}' must be a .csv, .tsv or .npz file, not {quoted(suffix)}"
        )
    if suffix == ".npz":
        return _read_npz(path, labels, required=required, images=images)
    if images:
        raise BitlifError(f"images must be in a .npz file, not in '{path_text(path)}'")
    table = read_csv(path, labels, required=required, tabs=suffix == ".tsv")
    with located(f"data '{path_text(path)}'"):
        return Data(table.values, _as_classes(table.labels), table.names)


def _as_classes(words: list[str] | None) -> NDArray[Any] | None:
    """Return labels from a text file: integers if all are whole numbers, else strings."""
    if words is None:
        return None
    numbers: dict[str, float] = {}
    for word in set(words):
        try:
            numbers[word] = int(word)
        except ValueError:
            try:
                numbers[word] = float(word)
            except ValueError:
                return np.array(words, np.str_)
    real = sorted(word for word, number in numbers.items() if number % 1 != 0)
    if real:
        raise BitlifError(
            f"labels must be classes, integers or words, not the real number {quoted(real[0])}"
        )
    if any(abs(number) >= 1 << 63 for number in numbers.values()):
        return np.array(words, np.str_)
    return np.array([int(numbers[word]) for word in words], np.int64)


def as_labels(labels: Any, windows: int) -> NDArray[Any]:
    """Return one label per window: (windows,) int64 or str.

    Parameters
    ----------
    labels : (windows,) or (windows, 1) of integers, strings, truth values or whole numbers
    windows : int

    Raises
    ------
    BitlifError
        If they have another shape or type, or are not finite.
    """
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        raise BitlifTypeError(
            f"labels must be one class per window, not {array_kind(array)}; one-hot labels: "
            f"y.argmax(axis=1)"
        )
    if array.shape != (windows,):
        raise BitlifTypeError(
            f"labels must be one class for each of {windows} windows, not {array_kind(array)}"
        )
    kind = array.dtype.kind
    if kind == "O":
        return _labels_of_objects(array)
    if kind == "S":
        try:
            return array.astype(np.str_)
        except UnicodeDecodeError as error:
            raise BitlifTypeError("labels must be text, not bytes that are not ASCII") from error
    if kind == "U":
        return array
    if kind == "f":
        wrong = array[~(np.isfinite(array) & (array == np.round(array)) & (abs(array) < 1 << 53))]
        if wrong.size:
            raise BitlifError(f"labels must be classes, integers or words, not {wrong[0]}")
    elif kind not in "iub":
        raise BitlifTypeError(f"labels must be integers or strings, not {array_kind(array)}")
    if kind == "u" and array.size and array.max() >= 1 << 63:
        raise BitlifError(f"labels must be below 2**63, not {array.max()}")
    return array.astype(np.int64)


def _labels_of_objects(array: NDArray[Any]) -> NDArray[Any]:
    """Return labels of an array of Python objects, as a pandas column gives them."""
    for row, value in enumerate(array):
        if value is None or value != value:
            raise BitlifError(f"labels must not be missing, as in row {row} (rows count from 0)")
    kinds = {type(value) for value in array}
    if kinds <= {str, np.str_}:
        return array.astype(np.str_)
    if all(issubclass(kind, (int, np.integer, np.bool_)) for kind in kinds):
        try:
            return array.astype(np.int64)
        except OverflowError:
            raise BitlifError("labels must fit 64 bits") from None
    names = sorted(kind.__name__ for kind in kinds)
    raise BitlifTypeError(f"labels must be all integers or all strings, not {' and '.join(names)}")


def _read_npz(path: str | Path, labels: str | None, *, required: bool, images: bool) -> Data:
    name = f"data '{path_text(path)}'"
    with open_arrays("data", path) as file:
        found = tuple(file.headers)
        events = set(KEYS) <= set(found)
        if "X" not in found and not events:
            raise BitlifError(
                f"{name} must hold an array X, or those of an event file ({', '.join(KEYS)}); "
                f"it holds {listed(found)}"
            )
        others = [key for key in found if key not in ("X", "names", *KEYS)]
        key = label_column(name, "array", others, labels, required=required)
        values: Any = None if events else file.read("X")
        given = None if key is None else file.read(key)
        names = file.read("names") if "names" in found else None
    if values is None:
        values = load_events(path)
    with located(name):
        if images:
            values = flatten_images(values)
        if names is not None and (names.ndim != 1 or names.dtype.kind != "U"):
            raise BitlifTypeError(f"names must be strings in one row, not {array_kind(names)}")
        data = Data.of(values, given, None if names is None else names.tolist())
        if data.windows == 0:
            raise BitlifError("X must have at least one window, not 0")
    return data


def flatten_images(X: Any) -> NDArray[Any]:
    """Return images, (windows, height, width) or with a fourth axis of colours, as a table."""
    array = np.asarray(X)
    if isinstance(X, Events) or array.ndim not in (3, 4) or array.dtype.kind not in "fiub":
        kind = "spikes" if isinstance(X, Events) else array_kind(array)
        raise BitlifTypeError(
            f"images must be numbers of shape (windows, height, width) or (windows, height, width, "
            f"colours), not {kind}"
        )
    return array.reshape(len(array), -1)
