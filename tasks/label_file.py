"""Label files: the class of each window of a spike file.

An ``.npz`` file holds an array ``labels``, or one of the other names in `LABEL_NAMES`, of integers
or texts. As ``bitlif learn`` writes it, an array ``classes`` lists the class of each neuron in
their order, and ``independent`` says whether each window is run from a reset. A ``.csv``, ``.tsv``
or ``.txt`` file has one label per line, perhaps below the name of the column, or is a table with a
column of labels (`bitlif.tasks.data_file`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, BitlifTypeError, located
from bitlif.model.files.npz_file import open_arrays
from bitlif.model.labels import codes_of, neuron_codes
from bitlif.model.storage.reading import read_text
from bitlif.model.text import path_text, quoted

from .csv_file import LABEL_NAMES
from .data_file import as_labels, load_data

SUFFIXES = (".npz", ".csv", ".tsv", ".txt")

MOST_BYTES = 1 << 26
"""Most bytes of a text file of labels."""


class Labels(NamedTuple):
    """Labels of windows.

    Attributes
    ----------
    values : (W,) int64 or str
        As given.
    classes : (K,) int64 or str, or None
        The class of each neuron in their order; None if the file does not say it.
    independent : bool
        Whether each window is run from a reset; see `bitlif.tasks.independent`.
    """

    values: NDArray[Any]
    classes: NDArray[Any] | None
    independent: bool = False

    def neurons(self, count: int) -> tuple[NDArray[np.int64], list[int | str]]:
        """Return the neuron of each label, (W,) int64, and the class of each neuron.

        Without `classes`, integers are the numbers of neurons, and texts are numbered in ascending
        order. Neurons without a class are named by their numbers.

        Parameters
        ----------
        count : int
            Number of neurons.

        Raises
        ------
        BitlifError
            If a label is no class, or there are more classes than neurons.

        Examples
        --------
        >>> Labels(np.array(["b", "a"]), None).neurons(2)
        (array([1, 0]), ['a', 'b'])
        >>> Labels(np.array([7, 5]), np.array([5, 7])).neurons(3)
        (array([1, 0]), [5, 7, 'neuron 2'])
        """
        if self.classes is not None:
            named = self.classes.tolist()
            if len(named) > count:
                raise BitlifError(
                    f"classes must be at most {count}, the number of neurons, not {len(named)}"
                )
            codes = codes_of(self.values, self.classes)
        else:
            codes = neuron_codes(self.values, count)
            texts = self.values.dtype.kind == "U"
            named = np.unique(self.values).tolist() if texts else list(range(count))
        return codes, [*named, *(f"neuron {own}" for own in range(len(named), count))]


def save_labels(path: str | Path, labels: Labels) -> None:
    """Write labels with their classes to an ``.npz`` file."""
    arrays = {"labels": labels.values, "independent": np.array(labels.independent)}
    if labels.classes is not None:
        arrays["classes"] = labels.classes
    np.savez_compressed(path, allow_pickle=False, **arrays)


def load_labels(path: str | Path, windows: int) -> Labels:
    """Read a label file.

    Parameters
    ----------
    path : str or Path
    windows : int
        Required number of labels.

    Raises
    ------
    BitlifError
        If the file cannot be read, is of another kind, or has another number of labels.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise BitlifError(
            f"labels '{path_text(path)}' must be a .npz, .csv, .tsv or .txt file"
            + (f", not {quoted(suffix)}" if suffix else "; the name of a column needs --data")
        )
    labels = read_labels(path) if suffix == ".npz" else Labels(_read_text(path), None)
    count = len(labels.values)
    if count != windows:
        raise BitlifError(
            f"labels '{path_text(path)}' must be those of {windows} windows, not of {count}"
        )
    return labels


def read_labels(path: str | Path) -> Labels:
    """Read an ``.npz`` file with any number of labels; errors are those of `load_labels`."""
    name = f"labels '{path_text(path)}'"
    with open_arrays("labels", path) as file:
        found = [own for own in ("labels", *LABEL_NAMES) if own in file.headers]
        if not found:
            raise BitlifError(f"{name} must hold the array labels")
        values = file.read(found[0])
        others = {own: file.read(own) for own in ("classes", "independent") if own in file.headers}
    classes = others.get("classes")
    with located(name):
        if values.ndim != 1:
            raise BitlifTypeError(
                f"labels must be one class per window, not of shape {values.shape}; "
                f"one-hot labels: labels.argmax(axis=1)"
            )
        if classes is not None:
            classes = as_labels(classes, classes.size)
            if len(np.unique(classes)) != classes.size:
                raise BitlifError("classes must be distinct")
        independent = others.get("independent", np.array(False))
        if independent.shape != () or independent.dtype != np.bool_:
            raise BitlifTypeError(f"independent must be true or false, not {independent.dtype}")
        return Labels(as_labels(values, len(values)), classes, bool(independent))


def _read_text(path: str | Path) -> NDArray[Any]:
    lines = [line.strip() for line in read_text("labels", path, MOST_BYTES).splitlines()]
    lines = [line for line in lines if line]
    if lines and any(sign in lines[0] for sign in ",;\t"):
        labels = load_data(path).labels
        assert labels is not None
        return labels
    if lines and lines[0].lower() in LABEL_NAMES:
        lines = lines[1:]
    with located(f"labels '{path_text(path)}'"):
        for kind in (int, float):
            try:
                return as_labels(np.array([kind(line) for line in lines]), len(lines))
            except (OverflowError, ValueError) as error:
                if isinstance(error, BitlifError):
                    raise
        return np.array(lines, np.str_)
