"""Labels of every kind become codes, and what is no label is refused in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.labels import class_codes, codes_of, label_targets, neuron_codes


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([7, -2, 7], [-2, 7]),
        (np.array([7, -2, 7], np.int8), [-2, 7]),
        (["b", "a", "b"], ["a", "b"]),
        (np.array(["b", "a", "b"], object), ["a", "b"]),
        ([True, False, True], [False, True]),
        (np.array([2.0, 1.0, 2.0], np.float32), [1.0, 2.0]),
        (np.array([2, 1, 2], object), [1, 2]),
        (np.array(["b", "a", "b"], np.dtypes.StringDType()), ["a", "b"]),
    ],
)
def test_classes_are_sorted_and_keep_their_dtype(labels: Any, classes: list[Any]) -> None:
    codes, found = class_codes(labels)
    assert codes.tolist() == [1, 0, 1]
    assert codes.dtype == np.int64
    assert found.tolist() == classes
    dtype = np.asarray(labels).dtype
    assert found.dtype == ("<U1" if dtype.kind == "T" else dtype)
    assert found[codes].tolist() == np.asarray(labels).tolist()
    assert codes_of(labels, found).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([], "at least one label, not 0"),
        ([[0, 1]], r"of shape \(windows,\), not int64 of shape \(1, 2\)"),
        (3, r"of shape \(windows,\), not int64 of shape \(\)"),
        ([0.5, 1.0], "whole numbers or texts, not 0.5"),
        ([np.nan, 1.0], "whole numbers or texts, not nan"),
        ([1j], "not complex128"),
        (np.array(["a", None], object), "all integers or all texts, not None"),
        (np.array(["a", 3], object), "not both texts and integers"),
        (["a", 3], "all integers or all texts, not also 3"),
        ([b"a"], "not |S1 of shape"),
        ("ab", "not <U2 of shape"),
        ([[0], [0, 1]], "rows of equal length"),
    ],
)
def test_what_is_no_label_is_refused(labels: Any, text: str) -> None:
    with pytest.raises(BitlifError, match=f"^labels must .*{text}"):
        class_codes(labels)


def test_labels_must_be_among_given_classes() -> None:
    with pytest.raises(BitlifError, match=r"classes 1, 2, 3, 4, 5 and 2 more, not 9$"):
        codes_of([3, 9], [1, 2, 3, 4, 5, 6, 7])
    with pytest.raises(BitlifError, match="classes must be distinct"):
        codes_of([3], [3, 3])


@pytest.mark.parametrize(
    ("labels", "codes"),
    [
        ([2, 0], [2, 0]),
        (np.uint8([2, 0]), [2, 0]),
        ([2.0, 0.0], [2, 0]),
        ([True, False], [1, 0]),
        (np.array([2, 0], object), [2, 0]),
        (["c", "a", "b"], [2, 0, 1]),
        ([], []),
    ],
)
def test_labels_name_neurons(labels: Any, codes: list[int]) -> None:
    found = neuron_codes(labels, 3)
    assert found.tolist() == codes
    assert found.dtype == np.int64


@pytest.mark.parametrize("labels", [[3, 0], [-1], [1e300], np.array([1 << 80], object)])
def test_labels_beyond_the_neurons_are_refused(labels: Any) -> None:
    with pytest.raises(BitlifError, match=r"in 0 \.\.= 2, the neurons, not .*class_codes"):
        neuron_codes(labels, 3)
    with pytest.raises(BitlifError, match=r"in 0 \.\.= 0, the neurons, not True"):
        neuron_codes([True], 1)


def test_texts_need_a_class_for_each_neuron() -> None:
    # A part of the windows may lack a class, which would shift the numbers of the others.
    with pytest.raises(BitlifError, match="as many classes as there are neurons, 3, not 2: 'a', "):
        neuron_codes(["c", "a"], 3)


def test_true_target_must_be_a_probability() -> None:
    assert label_targets(np.array([1, 0]), 2, 1.0).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(BitlifError, match=r"true_target must be in 0 \.\.= 1, not 1\.5"):
        label_targets(np.array([1]), 2, 1.5)
