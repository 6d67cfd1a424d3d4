"""Linear decoders of the class from a hidden layer's counts or times, trained apart from the test.

The decoders are ridge regressions onto the indicators of the classes. Both see the same spikes, so
that their difference tells what a linear reader gains from the times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .information import entropy

BINS = 6
"""Bins of a window in the decoder of times."""

RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
"""Penalties in units of the mean variance of a feature, times the number of windows."""

VALIDATION_SHARE = 0.25
"""Share of the training windows, the last ones, that choose the penalty."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The answers of a decoder on the test windows.

    Attributes
    ----------
    accuracy : float
        Share of right answers.
    information : float
        Bits about the class in the answers, with Miller's correction.
    """

    accuracy: float
    information: float


def count_features(raster: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the counts of a code (W, T, H) as features: (W, H)."""
    return np.asarray(raster.sum(axis=1, dtype=np.float64))


def time_features(raster: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the counts in `BINS` bins of a code (W, T, H) as features: (W, BINS * H)."""
    windows, steps, _ = raster.shape
    starts = np.arange(min(BINS, steps)) * steps // min(BINS, steps)
    binned = np.add.reduceat(raster, starts, axis=1, dtype=np.int64)
    return binned.reshape(windows, -1).astype(np.float64)


def decode_classes(
    train: NDArray[np.float64],
    train_labels: NDArray[np.int64],
    test: NDArray[np.float64],
    test_labels: NDArray[np.int64],
) -> Decoded:
    """Train a decoder on some windows and decode others.

    Parameters
    ----------
    train, test : (W, F) float64
        Features.
    train_labels, test_labels : (W,) int64
        Classes, counted from 0. The training windows are in no order of their classes.
    """
    classes = int(max(train_labels.max(), test_labels.max())) + 1
    split = len(train) - max(int(len(train) * VALIDATION_SHARE), 1)
    fit, known = train[:split], train_labels[:split]
    held, truth = train[split:], train_labels[split:]
    reader = _Reader(fit, known, classes)
    right = [(reader.decide(held, ridge) == truth).mean() for ridge in RIDGES]
    # Of equally good penalties, the largest.
    best = RIDGES[len(RIDGES) - 1 - int(np.argmax(right[::-1]))]
    answers = _Reader(train, train_labels, classes).decide(test, best)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (test_labels, answers), 1)
    return Decoded(float((answers == test_labels).mean()), class_information(confusion))


class _Reader:
    """A ridge regression onto the indicators of the classes, for any penalty."""

    def __init__(
        self, features: NDArray[np.float64], labels: NDArray[np.int64], classes: int
    ) -> None:
        wanted = np.eye(classes)[labels]
        self._centre, self._middle = features.mean(axis=0), wanted.mean(axis=0)
        self._known, self._wanted = features - self._centre, wanted - self._middle
        self._scale = float((self._known**2).sum()) / self._known.shape[1]
        # The smaller one of the two products; both forms have the same solution.
        self._wide = self._known.shape[0] < self._known.shape[1]
        self._gram = self._known @ self._known.T if self._wide else self._known.T @ self._known

    def decide(self, features: NDArray[np.float64], ridge: float) -> NDArray[np.int64]:
        """Return the class of each window: (W,)."""
        # A positive penalty also if nothing spikes.
        gram = self._gram + max(ridge * self._scale, 1e-9) * np.eye(len(self._gram))
        if self._wide:
            weights = self._known.T @ np.linalg.solve(gram, self._wanted)
        else:
            weights = np.linalg.solve(gram, self._known.T @ self._wanted)
        answers = (features - self._centre) @ weights + self._middle
        return np.asarray(answers.argmax(axis=1), np.int64)


def class_information(confusion: NDArray[np.integer]) -> float:
    """Return the information in bits between classes (rows) and answers (columns).

    Unlike `bitlif.study.claims.decoding.transmitted_information` it allows classes of different
    frequency, and weighs them by it.

    >>> round(class_information(np.diag([1000, 1000])), 2)
    1.0
    """
    rows = [row for row in np.asarray(confusion) if row.sum() > 0]
    total = sum(int(row.sum()) for row in rows)
    conditional = sum(entropy(row) * int(row.sum()) / total for row in rows)
    return entropy(np.asarray(confusion).sum(axis=0)) - conditional


def neuron_information(
    responses: NDArray[np.integer], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the information about the class in the response of each neuron, in bits: (H,).

    Parameters
    ----------
    responses : (W, H) int
        One small non-negative integer per window and neuron: a count, or the bin of a time.
    labels : (W,) int64
    """
    found = []
    for column in np.asarray(responses).T:
        _, index = np.unique(column, return_inverse=True)
        table = np.zeros((int(labels.max()) + 1, int(index.max()) + 1), np.int64)
        np.add.at(table, (labels, index), 1)
        found.append(class_information(table))
    return np.array(found)
