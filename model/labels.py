"""Labels: the class of each window, as numbers of neurons and as real targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_array
from .errors import BitlifError, BitlifTypeError, require_real
from .text import array_kind, quoted

TRUE_TARGET = 0.5
"""Target of the neuron of the true class, unless another one is given; all others have 0."""

SHOWN = 5
"""Largest number of classes that an error lists."""


LABEL_KINDS = "iubfUTO"
"""NumPy's letters for dtypes that labels can have."""


def require_one_kind(labels: Any, name: str = "labels") -> None:
    """Raise if a list holds both texts and other values, which NumPy would turn into texts."""
    if isinstance(labels, (list, tuple)) and any(isinstance(own, str) for own in labels):
        others = [own for own in labels if not isinstance(own, str)]
        if others:
            raise BitlifTypeError(
                f"{name} must be all integers or all texts, not also {quoted(others[0])}"
            )


def as_labels(labels: Any, name: str = "labels") -> NDArray[Any]:
    """Return labels as an array of shape (W,): integers, texts, booleans or whole floats.

    Raises
    ------
    BitlifTypeError
        If they are of another shape or kind, or of several kinds.
    BitlifError
        If a float is not a whole number.

    Examples
    --------
    >>> as_labels(["b", "a"])
    array(['b', 'a'], dtype='<U1')
    """
    require_one_kind(labels, name)
    array = as_array(name, labels)
    if array.dtype.kind == "T":
        array = np.array(array.tolist())
    if array.ndim != 1 or array.dtype.kind not in LABEL_KINDS:
        raise BitlifTypeError(
            f"{name} must be integers, texts or booleans of shape (windows,), "
            f"not {array_kind(array)}"
        )
    if array.dtype.kind == "O":
        kinds = (str, (int, np.integer))
        if not any(all(isinstance(own, kind) for own in array) for kind in kinds):
            known = tuple(own for own in array if not isinstance(own, (str, int, np.integer)))
            shown = quoted(known[0]) if known else "both texts and integers"
            raise BitlifTypeError(f"{name} must be all integers or all texts, not {shown}")
    if array.dtype.kind == "f":
        wrong = array[~(np.isfinite(array) & (array == np.floor(array)))]
        if wrong.size:
            raise BitlifError(
                f"{name} must be classes: whole numbers or texts, not {_plain(wrong)}"
            )
    return array


def class_codes(labels: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the code of each label, and the classes in ascending order.

    Parameters
    ----------
    labels : (W,) integers, texts, booleans or whole floats

    Returns
    -------
    codes : (W,) int64
        Place of each label among the classes, from 0: the number of its neuron.
    classes : (K,)
        The distinct labels, ascending, with the labels' dtype.

    Raises
    ------
    BitlifError
        If there are no labels, or they are of another kind or shape.

    Examples
    --------
    >>> codes, classes = class_codes(["setosa", "virginica", "setosa"])
    >>> codes.tolist(), classes.tolist()
    ([0, 1, 0], ['setosa', 'virginica'])
    """
    array = as_labels(labels)
    if not array.size:
        raise BitlifError("labels must hold at least one label, not 0")
    classes, codes = np.unique(array, return_inverse=True)
    return np.asarray(codes, np.int64), classes


def codes_of(labels: Any, classes: Any, name: str = "labels") -> NDArray[np.int64]:
    """Return the places of labels among given classes: (W,) int64.

    Raises
    ------
    BitlifError
        If a label is none of the classes, or a class is given twice.

    Examples
    --------
    >>> codes_of(["b", "b"], ["a", "b"]).tolist()
    [1, 1]
    """
    array, known = as_labels(labels, name), as_labels(classes, "classes")
    places = {own: place for place, own in enumerate(known.tolist())}
    if len(places) != known.size:
        raise BitlifError("classes must be distinct, not given twice")
    for own in array.tolist():
        if own not in places:
            raise BitlifError(
                f"{name} must be among the classes {_listed(known)}, not {quoted(own)}"
            )
    return np.array([places[own] for own in array.tolist()], np.int64)


def neuron_codes(labels: Any, neurons: int, name: str = "labels") -> NDArray[np.int64]:
    """Return labels as numbers of neurons: (W,) int64.

    Integers and booleans are the numbers themselves. Texts are numbered in ascending order; since
    a part of the windows could lack a class, they must have as many classes as there are neurons.

    Raises
    ------
    BitlifError
        If a number is not that of a neuron, or texts have another number of classes.

    Examples
    --------
    >>> neuron_codes([2, 0], 3).tolist(), neuron_codes(["low", "high"], 2).tolist()
    ([2, 0], [1, 0])
    """
    array = as_labels(labels, name)
    if array.dtype.kind in "fbiu" or (array.size and not isinstance(array[0], str)):
        wrong = array[(array < 0) | (array >= neurons)]
        if wrong.size:
            raise BitlifError(
                f"{name} must be in 0 ..= {neurons - 1}, the neurons, not {_plain(wrong)}; "
                f"bitlif.tasks.class_codes numbers any classes from 0"
            )
        return array.astype(np.int64)
    codes, classes = class_codes(array)
    if len(classes) != neurons:
        raise BitlifError(
            f"{name} that are texts must have as many classes as there are neurons, {neurons}, "
            f"not {len(classes)}: {_listed(classes)}"
        )
    return codes


def label_targets(
    labels: NDArray[np.int64], classes: int, true_target: float = TRUE_TARGET
) -> NDArray[np.float64]:
    """Return the real targets of codes: `true_target` for the true class, else 0; (W, M).

    >>> label_targets(np.array([1]), 3, 0.5).tolist()
    [[0.0, 0.5, 0.0]]
    """
    targets = np.zeros((labels.size, classes))
    targets[np.arange(labels.size), labels] = require_real("true_target", true_target, 0.0, 1.0)
    return targets


def _listed(classes: NDArray[Any]) -> str:
    """Return the first classes as text."""
    more = f" and {len(classes) - SHOWN} more" if len(classes) > SHOWN else ""
    return ", ".join(quoted(own) for own in classes[:SHOWN].tolist()) + more


def _plain(wrong: NDArray[Any]) -> str:
    """Return the first of some wrong labels as text."""
    return quoted(wrong.tolist()[0])
