"""Label files of all kinds, and the neurons that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.errors import BitlifError
from bitlif.tasks.label_file import Labels, load_labels, save_labels


def test_saved_labels_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "labels.npz"
    save_labels(path, Labels(np.array(["b", "c", "b"]), np.array(["a", "b", "c"]), True))
    labels = load_labels(path, 3)
    assert labels.independent
    codes, names = labels.neurons(3)
    assert (codes.tolist(), names) == ([1, 2, 1], ["a", "b", "c"])
    # A further neuron has no class.
    assert labels.neurons(4)[1] == ["a", "b", "c", "neuron 3"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("plain.txt", "2\n0\n1\n", [2, 0, 1]),
        ("headed.csv", "class\nred\nblue\n\nred\n", ["red", "blue", "red"]),
        ("whole.txt", "1.0\n2.0\n0\n", [1, 2, 0]),
        ("table.csv", "a,y,b\n0,1,2\n3,0,5\n6,0,7\n", [1, 0, 0]),
        ("table.tsv", "a\ty\n0\tx\n3\tz\n1\tz\n", ["x", "z", "z"]),
        ("mixed.txt", "1\nred\n2\n", ["1", "red", "2"]),
    ],
)
def test_text_files_have_one_label_per_line(
    name: str, text: str, expected: list[Any], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    labels = load_labels(path, 3)
    assert labels.values.tolist() == expected
    assert labels.classes is None


@pytest.mark.parametrize("key", ["labels", "y", "target"])
def test_arrays_have_any_of_the_usual_names(key: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", **{key: np.array([1.0, 0.0])})  # type: ignore[arg-type]
    assert load_labels(tmp_path / "own.npz", 2).values.tolist() == [1, 0]


def test_numbers_without_classes_are_neurons() -> None:
    codes, names = Labels(np.array([2, 0]), None).neurons(3)
    assert (codes.tolist(), names) == ([2, 0], [0, 1, 2])
    with pytest.raises(BitlifError, match=r"labels must be in 0 \.\.= 1"):
        Labels(np.array([2, 0]), None).neurons(2)
    with pytest.raises(BitlifError, match="as many classes as there are neurons, 3, not 2"):
        Labels(np.array(["a", "b"]), None).neurons(3)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"labels": np.eye(2)}, r"one-hot labels: labels\.argmax"),
        ({"labels": np.array([0.5, 1])}, r"not 0\.5"),
        ({"labels": np.array([0])}, "must be those of 2 windows, not of 1"),
        ({"other": np.array([0, 1])}, "must hold the array labels"),
        ({"labels": np.array([0, 1]), "classes": np.array([0, 0])}, "classes must be distinct"),
        ({"labels": np.array([0, 1]), "independent": 1}, "independent must be true or false"),
    ],
)
def test_wrong_arrays_are_refused(arrays: dict[str, Any], said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(BitlifError, match=said) as caught:
        load_labels(tmp_path / "own.npz", 2)
    assert "own.npz" in str(caught.value)


def test_labels_outside_the_classes_are_refused() -> None:
    with pytest.raises(BitlifError, match="among the classes 1, 2, not 3"):
        Labels(np.array([1, 3]), np.array([1, 2])).neurons(2)
    with pytest.raises(BitlifError, match="classes must be at most 1"):
        Labels(np.array([1]), np.array([1, 2])).neurons(1)


@pytest.mark.parametrize("name", ["labels.json", "labels"])
def test_other_kinds_of_files_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BitlifError, match=r"must be a \.npz, \.csv, \.tsv or \.txt file"):
        load_labels(tmp_path / name, 2)
