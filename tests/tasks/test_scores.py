"""Scores by class against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as expected_matrix
from sklearn.metrics import precision_recall_fscore_support

from bitlif.model.errors import BitlifError, BitlifTypeError
from bitlif.tasks.scores import chance, class_scores, confusion_matrix

RANDOM = np.random.default_rng(7)


@pytest.mark.parametrize("classes", [2, 3, 11])
def test_scores_are_those_of_scikit_learn(classes: int) -> None:
    true, predicted = RANDOM.integers(0, classes, (2, 400))
    matrix = confusion_matrix(true, predicted, classes)
    np.testing.assert_array_equal(matrix, expected_matrix(true, predicted))
    precision, recall, _, windows = precision_recall_fscore_support(true, predicted)
    scores = class_scores(matrix)
    assert [own.precision for own in scores] == pytest.approx(precision, rel=1e-15)
    assert [own.recall for own in scores] == pytest.approx(recall, rel=1e-15)
    assert [own.windows for own in scores] == windows.tolist()
    assert [own.predicted for own in scores] == matrix.sum(axis=0).tolist()
    assert chance(matrix) == windows.max() / 400


def test_classes_without_windows_have_no_score() -> None:
    never, absent = class_scores(np.array([[2, 0, 0], [1, 0, 0], [0, 0, 0]]))[1:]
    assert (never.precision, never.recall) == (None, 0.0)
    assert (absent.precision, absent.recall) == (None, None)


@pytest.mark.parametrize("matrix", [np.zeros((2, 3), int), np.eye(2), np.zeros((0, 0), int), 3])
def test_other_arrays_are_refused(matrix: object) -> None:
    with pytest.raises(BitlifTypeError, match=r"matrix must be integers of shape \(classes, clas"):
        class_scores(matrix)  # type: ignore[arg-type]


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(BitlifError, match="counts of at least 0, not -1"):
        class_scores(np.array([[-1]]))
    with pytest.raises(BitlifError, match="at least one window"):
        chance(np.zeros((2, 2), int))
