"""Files of arrays, whole or damaged in every byte."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.npzfile import load_arrays

NO_NPZ = r"^weights '.*' is not an \.npz file of arrays$"
ARRAYS = {"numbers": np.arange(-12, 12).reshape(6, 4), "word": np.array("s6.4")}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.savez_compressed(tmp_path / "file.npz", **ARRAYS)
    return tmp_path / "file.npz"


def assert_whole(found: dict[str, np.ndarray]) -> None:
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_what_was_written_is_read(path: Path) -> None:
    assert_whole(load_arrays("weights", path))


def test_file_with_any_byte_changed_is_refused_or_has_the_right_numbers(path: Path) -> None:
    whole = path.read_bytes()
    read = 0
    for place in range(len(whole)):
        for changed in (whole[place] ^ 1, whole[place] ^ 0x80):
            path.write_bytes(whole[:place] + bytes([changed]) + whole[place + 1 :])
            # Any other error would come through.
            with contextlib.suppress(BitlifError):
                found = load_arrays("weights", path)
                # A member's name has no checksum: it may be another, but not what it holds.
                for own, array in zip(found.values(), ARRAYS.values(), strict=False):
                    np.testing.assert_array_equal(own, array)
                read += 1
    assert 0 < read < 2 * len(whole)


def test_file_that_stops_early_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(BitlifError, match=NO_NPZ):
            load_arrays("weights", path)


def test_array_said_to_be_larger_than_any_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("weights.npy", "w") as out:
        header = {"descr": "<i8", "fortran_order": False, "shape": (1 << 55,)}
        np.lib.format.write_array_header_1_0(out, header)
    with pytest.raises(BitlifError, match=NO_NPZ):
        load_arrays("weights", path)


def test_member_that_is_no_array_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.npy", b"words")
    with pytest.raises(BitlifError, match=NO_NPZ):
        load_arrays("weights", path)


@pytest.mark.parametrize("pickled", [False, True])
def test_lone_array_and_objects_are_refused(pickled: bool, path: Path) -> None:
    array = np.array([{}], object) if pickled else ARRAYS["numbers"]
    with path.open("wb") as out:
        np.save(out, array, allow_pickle=pickled)
    with pytest.raises(BitlifError, match=NO_NPZ):
        load_arrays("weights", path)
    np.savez(path, numbers=np.array([{}], object))
    with pytest.raises(BitlifError, match=NO_NPZ):
        load_arrays("weights", path)


def test_missing_file_and_folder_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(BitlifError, match=rf"^spikes '{path}' cannot be read: {reason}$"):
            load_arrays("spikes", path)
