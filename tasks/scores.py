"""Scores of a classifier by class, computed from its confusion matrix."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, BitlifTypeError
from bitlif.model.text import array_kind


class ClassScore(NamedTuple):
    """Scores of one class.

    Attributes
    ----------
    windows : int
        Windows of this class.
    predicted : int
        Windows that were assigned to this class, rightly or not.
    precision : float or None
        Share of the windows assigned to this class that belong to it; None if there are none.
    recall : float or None
        Share of this class's windows that were assigned to it; None if there are none.
    """

    windows: int
    predicted: int
    precision: float | None
    recall: float | None


def confusion_matrix(
    true: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Return the number of windows of each (true class, predicted class): (K, K) int64.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (true, predicted), 1)
    return matrix


def require_matrix(matrix: Any) -> NDArray[np.int64]:
    """Return a confusion matrix, or raise unless it is a square matrix of counts."""
    array = np.asarray(matrix)
    square = array.ndim == 2 and array.shape[0] == array.shape[1] > 0
    if not square or array.dtype.kind not in "iu":
        raise BitlifTypeError(
            f"matrix must be integers of shape (classes, classes), not {array_kind(array)}"
        )
    if array.min() < 0:
        raise BitlifError(f"matrix must hold counts of at least 0, not {array.min()}")
    return array.astype(np.int64)


def class_scores(matrix: NDArray[np.int64]) -> list[ClassScore]:
    """Return the scores of each class.

    Parameters
    ----------
    matrix : (K, K) int
        Confusion matrix: (true class, predicted class).

    Raises
    ------
    BitlifError
        If it is not a square matrix of counts.

    Examples
    --------
    >>> class_scores(np.array([[3, 1], [0, 2]]))[1]
    ClassScore(windows=2, predicted=3, precision=0.6666666666666666, recall=1.0)
    """
    matrix = require_matrix(matrix)
    scores = []
    for own in range(len(matrix)):
        right, windows, predicted = matrix[own, own], matrix[own].sum(), matrix[:, own].sum()
        scores.append(
            ClassScore(
                int(windows),
                int(predicted),
                float(right / predicted) if predicted else None,
                float(right / windows) if windows else None,
            )
        )
    return scores


def chance(matrix: NDArray[np.int64]) -> float:
    """Return the accuracy of the best constant answer: the share of the most frequent class.

    Parameters
    ----------
    matrix : (K, K) int
        Confusion matrix: (true class, predicted class).

    Raises
    ------
    BitlifError
        If it is not a square matrix of counts, or there are no windows.

    Examples
    --------
    >>> chance(np.array([[3, 1], [0, 2]]))
    0.6666666666666666
    """
    rows = require_matrix(matrix).sum(axis=1)
    if not rows.sum():
        raise BitlifError("matrix must hold at least one window, not 0")
    return float(rows.max() / rows.sum())
