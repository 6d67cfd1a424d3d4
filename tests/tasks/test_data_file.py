"""Data files: every defect is one error that names the line and the column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.tasks.data_file import Data, load_data

GOOD = "alcohol,ash,y\n1.5,2,a\n-3,4e2,b\n"


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_table_with_header(tmp_path: Path) -> None:
    data = load_data(written(tmp_path / "a.csv", GOOD))
    assert data.kind == "table"
    assert data.windows == 2
    assert data.names == ("alcohol", "ash")
    assert isinstance(data.inputs, np.ndarray)
    assert data.inputs.tolist() == [[1.5, 2.0], [-3.0, 400.0]]
    assert data.labels is not None
    assert data.labels.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "1.5,2,a\n-3,4e2,b\n",
        '"1.5", 2, a\r\n\r\n-3, "4e2", b\r\n',
        "1.5;2;a\n-3;4e2;b",
        "1.5\t2\ta\n-3\t4e2\tb\n",
        "\ufeff1.5,2,a\r-3,4e2,b\r",
    ],
)
def test_line_ends_delimiters_quotes_and_no_header(tmp_path: Path, text: str) -> None:
    data = load_data(written(tmp_path / "a.csv", text), "x2")
    assert isinstance(data.inputs, np.ndarray)
    assert data.inputs.tolist() == [[1.5, 2.0], [-3.0, 400.0]]
    assert data.names == ("x0", "x1")
    assert data.labels is not None
    assert data.labels.tolist() == ["a", "b"]


@pytest.mark.parametrize("name", ["y", "label", "labels", "class", "target"])
def test_labels_are_found_by_their_usual_names(tmp_path: Path, name: str) -> None:
    data = load_data(written(tmp_path / "a.csv", f"{name},0,1\n7,1,2\n8,3,4\n"))
    # Names may be numbers, as pandas writes them, if the labels have a name.
    assert data.names == ("0", "1")
    assert data.labels is not None
    assert data.labels.dtype == np.int64
    assert data.labels.tolist() == [7, 8]


@pytest.mark.parametrize(
    "head",
    ["# wines\na,b,y", "# it's \"old\n#\n# a,b,y", "# a,b,y", "#a,b,y", "# 7, or so\n#a,b,y"],
)
def test_comments_before_the_table_are_skipped(tmp_path: Path, head: str) -> None:
    data = load_data(written(tmp_path / "a.csv", f"{head}\n1,2,3\n4,5,6\n"))
    assert (data.names, data.windows) == (("a", "b"), 2)


def test_line_of_numbers_is_no_header(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "1,2,3\n4,5,6\n")
    assert load_data(path, "x2").windows == 2
    # The name of the labels could be that of the third column, which would hide the first row.
    with pytest.raises(BitlifError, match=r"column '3' of labels; it has 'x0', 'x1', 'x2'"):
        load_data(path, "3")


def test_samples_of_scikit_learn_are_data() -> None:
    data = load_data("sklearn:wine")
    assert (data.kind, data.windows, data.names[0]) == ("table", 178, "alcohol")
    assert data.labels is not None
    assert set(data.labels.tolist()) == {"class_0", "class_1", "class_2"}
    digits = load_data("sklearn:digits").labels
    assert digits is not None
    assert digits.dtype == np.int64
    with pytest.raises(BitlifError, match="did you mean 'wine'"):
        load_data("sklearn:wines")


def test_labels_may_be_missing_unless_required(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "a,b\n1,2\n")
    assert load_data(path, required=False).labels is None
    with pytest.raises(BitlifError, match=r"column of labels.* has 'a', 'b'$"):
        load_data(path)
    with pytest.raises(BitlifError, match=r"column 'B' of labels"):
        load_data(path, "B")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("1.0 2.0 1e1", [1, 2, 10]),
        ("1 2 9223372036854775807", [1, 2, (1 << 63) - 1]),
        ("1 2 9223372036854775808", ["1", "2", "9223372036854775808"]),
        ("1 b 0.5", ["1", "b", "0.5"]),
        ("1 inf 2", None),
        ("1 0.5 2", None),
    ],
)
def test_labels_are_integers_or_words(tmp_path: Path, words: str, expected: Any) -> None:
    lines = "\n".join(f"0,{word}" for word in words.split())
    path = written(tmp_path / "a.csv", f"x,y\n{lines}\n")
    if expected is None:
        with pytest.raises(BitlifError, match="must be classes"):
            load_data(path)
        return
    labels = load_data(path).labels
    assert labels is not None
    assert labels.tolist() == expected


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("", ["empty"]),
        ("\n\n", ["empty"]),
        ("a,y\n", ["at least one row"]),
        ("y\n1\n", ["besides the labels", "'y'"]),
        ("a,a,y\n1,2,3\n", ["twice 'a'"]),
        (",a,y\n0,1,2\n", ["column 1", "index=False"]),
        ("a,b,y\n1,2,3\n1,2\n", ["line 3", "3 cells", "not 2"]),
        ("a,b,y\n1,2,3\n\n1,2,3,4\n", ["line 4", "3 cells", "not 4"]),
        ("a,b,y\n1,2,3\n1,red,3\n", ["line 3", "'b'", "'red'", "labels"]),
        ("# wines\na,b,y\n1,red,3\n", ["line 3", "'b'", "'red'"]),
        ("a,b,y\n1,2,3\n1,,3\n", ["line 3", "'b'", "empty", "missing"]),
        ("a,b,y\n1,2,3\nNA,1,3\n", ["line 3", "'a'", "'NA'", "missing"]),
        ("a,b,y\n1,2,3\n1,nan,3\n", ["line 3", "'b'", "finite", "nan"]),
        ("a,b,y\n1,2,3\n1,1e999,3\n", ["line 3", "'b'", "finite", "inf"]),
        ("a,b,y\n1,2,3\n1,2,\n", ["line 3", "no label", "'y'"]),
        ("a;y\n1,5;0\n", ["line 2", "'1,5'", "point"]),
        ("a,1,2\n3,4,5\n", ["a header must have no numbers"]),
        ('a,y\n"1,2\n', ["line"]),
        (b"a,y\n1,2\n\xe9,3\n", ["UTF-8", "line 3"]),
        ("a,y\n1,2\n".encode("utf-16"), ["UTF-8", "UTF-16"]),
        (b"PK\x03\x04 something", ["spreadsheet"]),
        (b"a,y\n1,2\n\x00,3\n", ["line 3"]),
    ],
)
def test_defect_of_a_table_is_named(tmp_path: Path, text: str | bytes, facts: list[str]) -> None:
    path = written(tmp_path / "bad.csv", text)
    with pytest.raises(BitlifError) as caught:
        load_data(path, None if b"y" in path.read_bytes() else "x2")
    message = str(caught.value)
    assert "bad.csv" in message
    assert len(message) < 300
    for fact in facts:
        assert fact in message


def test_line_of_a_defect_is_that_of_the_file(tmp_path: Path) -> None:
    rows = [f"{k},{k % 3}" for k in range(10_000)]
    rows[7_000] = "?,1"
    path = written(tmp_path / "a.csv", "x,y\n" + "\n".join(rows))
    with pytest.raises(BitlifError, match=r"line 7002, column 'x'"):
        load_data(path)


@pytest.mark.parametrize("suffix", [".txt", ".xlsx", ".gz", ""])
def test_other_kinds_of_files_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(BitlifError, match=r"\.csv, \.tsv or \.npz"):
        load_data(written(tmp_path / f"a{suffix}", GOOD))


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "f.csv").mkdir()
    for name in ("f.csv", "none.csv", "none.npz"):
        with pytest.raises(BitlifError, match=name):
            load_data(tmp_path / name)


def test_arrays_of_all_kinds(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    labels = np.array([1, 0, 1], np.uint8)
    for X, kind, names in (
        (np.ones((3, 2), np.uint8), "table", 2),
        (np.ones((3, 2, 5), np.float32), "series", 2),
        (np.ones((3, 4, 5), bool), "spikes", 5),
    ):
        np.savez(path, X=X, y=labels)
        data = load_data(path)
        assert (data.kind, len(data.names), data.windows) == (kind, names, 3)
        assert data.labels is not None
        assert data.labels.tolist() == [1, 0, 1]
    np.savez(path, X=np.ones((3, 2, 5)), who=labels, names=np.array(["left", "right"]))
    assert load_data(path, "who").names == ("left", "right")
    np.savez(path, X=np.ones((3, 2, 5)), y=labels)
    images = load_data(path, images=True).inputs
    assert isinstance(images, np.ndarray)
    assert images.shape == (3, 10)


def test_event_files_are_data(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    events = Events.from_times([0, 5], [1, 2], steps=4, units=3)
    save_events(path, events)
    data = load_data(path, required=False)
    assert data.kind == "spikes"
    assert isinstance(data.inputs, Events)
    assert data.inputs.times.tolist() == [0, 5]
    with pytest.raises(BitlifError, match="array of labels"):
        load_data(path)


@pytest.mark.parametrize(
    ("arrays", "facts"),
    [
        ({"Z": np.ones(3)}, ["array X", "'Z'"]),
        ({"X": np.ones((3, 2))}, ["array of labels"]),
        ({"X": np.ones(3), "y": np.ones(3)}, ["reshape(-1, 1)"]),
        ({"X": np.ones((3, 2, 2, 2)), "y": np.ones(3)}, ["reshape(len(X), -1)"]),
        ({"X": np.ones((3, 2)), "y": np.ones(4)}, ["3 windows"]),
        ({"X": np.ones((3, 2)), "y": np.eye(3)}, ["argmax"]),
        ({"X": np.ones((3, 2)), "y": np.array([0, 0.5, 1])}, ["classes", "0.5"]),
        ({"X": np.array([[1.0], [np.nan]]), "y": np.ones(2)}, ["row 1", "column 0", "nan"]),
        ({"X": np.array([[1.0], [np.inf]]), "y": np.ones(2)}, ["row 1", "column 0", "inf"]),
        ({"X": np.array([["a"]]), "y": np.ones(1)}, ["<U1"]),
        ({"X": np.ones((1, 1), complex), "y": np.ones(1)}, ["complex"]),
        ({"X": np.ones((0, 2)), "y": np.ones(0)}, ["at least one window"]),
        ({"X": np.ones((2, 0)), "y": np.ones(2)}, ["at least one feature"]),
        ({"X": np.ones((2, 1)), "y": np.ones(2), "names": np.array(["a", "b"])}, ["1 columns"]),
    ],
)
def test_defect_of_arrays_is_named(
    tmp_path: Path, arrays: dict[str, Any], facts: list[str]
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(BitlifError) as caught:
        load_data(tmp_path / "bad.npz")
    for fact in ("bad.npz", *facts):
        assert fact in str(caught.value)


def test_digest_depends_on_content_only(tmp_path: Path) -> None:
    first = load_data(written(tmp_path / "a.csv", GOOD))
    second = load_data(written(tmp_path / "b.csv", GOOD.replace(",", ";")))
    assert first.digest == second.digest
    values = np.array([[1.5, 2.0], [-3.0, 400.0]])
    again = Data.of(np.asfortranarray(values), np.array(["a", "b"]), ["alcohol", "ash"])
    assert again.digest == first.digest
    assert first.digest == "1c0dcd2e25cd35a99d66cf212d53298f73583ae734a200782465d9cc49b0f3c0"
    others = {
        Data.of(values, ["a", "c"], ["alcohol", "ash"]).digest,
        Data.of(values, ["a", "b"]).digest,
        Data.of(values, None, ["alcohol", "ash"]).digest,
        Data.of(values + 1, ["a", "b"], ["alcohol", "ash"]).digest,
        Data.of(values.reshape(2, 2, 1), ["a", "b"], ["alcohol", "ash"]).digest,
        first.digest,
    }
    assert len(others) == 6
    assert Data.of([[0.0]]).digest == Data.of([[-0.0]]).digest


def test_selected_windows_keep_their_labels() -> None:
    data = Data.of(np.arange(6.0).reshape(3, 2), [5, 6, 7])
    part = data.select([2, 0])
    assert isinstance(part.inputs, np.ndarray)
    assert part.inputs.tolist() == [[4.0, 5.0], [0.0, 1.0]]
    assert part.labels is not None
    assert part.labels.tolist() == [7, 5]
    spikes = Data.of(np.eye(3, dtype=bool)[:, None, :], [5, 6, 7]).select([1])
    assert isinstance(spikes.inputs, Events)
    assert spikes.inputs.addresses.tolist() == [1]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array(["a", "b"], object), ["a", "b"]),
        (np.array([1, True], object), [1, 1]),
        (np.array([b"a", b"b"]), ["a", "b"]),
        ([[1], [2]], [1, 2]),
        ([True, False], [1, 0]),
        ([1.0, 2.0], [1, 2]),
        (np.array(["a", None], object), None),
        (np.array(["a", float("nan")], object), None),
        (np.array(["a", 1], object), None),
        ([1.0, np.nan], None),
        (np.array([1, 1 << 63], np.uint64), None),
        (np.array([1j, 2]), None),
    ],
)
def test_labels_of_arrays(labels: Any, expected: Any) -> None:
    if expected is None:
        with pytest.raises(BitlifError, match="labels"):
            Data.of(np.ones((2, 1)), labels)
        return
    found = Data.of(np.ones((2, 1)), labels).labels
    assert found is not None
    assert found.tolist() == expected
