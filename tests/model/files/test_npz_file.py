"""Files of arrays, whole or damaged in every byte."""

from __future__ import annotations

import contextlib
import io
import os
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.files.npz_file import load_arrays, open_arrays

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


def test_file_with_a_changed_byte_is_refused_or_right(path: Path) -> None:
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
    with pytest.raises(BitlifError, match=r"^weights '.*' must hold plain numbers, not Python obj"):
        load_arrays("weights", path)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "none", "cannot be read: No such file or directory"),
        (tmp_path, "must be a regular file"),
    ):
        with pytest.raises(BitlifError, match=rf"^spikes '{path}' {reason}$"):
            load_arrays("spikes", path)


# -- made to do harm -------------------------------------------------------------------------


def header(shape: tuple[int, ...], kind: str = "<i8") -> bytes:
    out = io.BytesIO()
    fields = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, fields)
    return out.getvalue()


def grown_by(call: Callable[[], object]) -> int:
    """Return the most bytes that a call holds at once."""
    tracemalloc.start()
    call()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def refuse(path: Path, message: str) -> None:
    with pytest.raises(BitlifError, match=rf"^weights '.*file\.npz' {message}$"):
        load_arrays("weights", path)


def test_a_bomb_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    path, zeros = tmp_path / "file.npz", bytes(1 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "abc":
            with archive.open(f"{name}.npy", "w", force_zip64=True) as out:
                out.write(header((1 << 28,), "|i1"))
                for _ in range(1 << 8):
                    out.write(zeros)
    assert path.stat().st_size < 1 << 20
    most = grown_by(lambda: refuse(path, "must hold at most 536870912 bytes, not 805306368"))
    assert most < 1 << 20


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    np.savez_compressed(path, small=np.arange(3), large=np.zeros(1 << 23, np.int8))

    def read() -> None:
        with open_arrays("weights", path) as file:
            assert file.outline("large").shape == (1 << 23,)
            np.testing.assert_array_equal(file.read("small"), [0, 1, 2])

    assert grown_by(read) < 1 << 20


@pytest.mark.parametrize("lie", [-1, 1, 1 << 20])
def test_header_of_another_size_than_the_member_is_refused(lie: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
        archive.writestr("weights.npy", header((64 + lie,)) + bytes(64 * 8))
    refuse(tmp_path / "file.npz", r"is not an \.npz file of arrays")


@pytest.mark.parametrize("place", ["directory", "member"])
def test_encrypted_members_are_refused(place: str, path: Path) -> None:
    content = bytearray(path.read_bytes())
    mark, flags = (b"PK\x01\x02", 8) if place == "directory" else (b"PK\x03\x04", 6)
    content[content.rfind(mark) + flags] |= 1
    path.write_bytes(content)
    refuse(path, "must not be encrypted")


def test_an_array_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with (
        warnings.catch_warnings(action="ignore"),
        zipfile.ZipFile(tmp_path / "file.npz", "w") as archive,
    ):
        for _ in range(2):
            archive.writestr("weights.npy", header((0,)))
    refuse(tmp_path / "file.npz", "must contain each array once, but contains 'weights' twice")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "file.npz", "w", method) as archive:
        archive.writestr("weights.npy", header((0,)))
    refuse(tmp_path / "file.npz", f"must be stored or deflated, not compressed by method {method}")


def test_a_long_directory_is_refused_unread(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
        for number in range(2000):
            archive.writestr(f"array{number}.npy", b"")
    most = grown_by(lambda: refuse(tmp_path / "file.npz", r"is not an \.npz file of arrays"))
    assert most < 1 << 19


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<i8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (True,)}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (0, 9**99)}",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': " + "(" * 500 + ")" * 500 + "}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (" + "-" * 900 + "1,)}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (" + "1," * 300 + ")}",
        "__import__('os').abort()",
        " " * 20_000,
    ],
    ids=range(9),
)
def test_headers_made_to_do_harm_are_refused(text: str, tmp_path: Path) -> None:
    length = len(text).to_bytes(2, "little")
    with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
        archive.writestr("weights.npy", b"\x93NUMPY\x01\x00" + length + text.encode() + bytes(8))
    refuse(tmp_path / "file.npz", r"is not an \.npz file of arrays")


@pytest.mark.parametrize("kind", [">i4", ">f8", "<u2", "<c8", "|b1", "<U4", "<M8[s]"])
@pytest.mark.parametrize("order", "CF")
def test_arrays_come_in_the_machines_own_order(kind: str, order: Any, tmp_path: Path) -> None:
    array = np.array(np.arange(12).reshape(3, 4) % 2, kind, order=order)
    np.savez(tmp_path / "file.npz", numbers=array)
    found = load_arrays("weights", tmp_path / "file.npz")["numbers"]
    np.testing.assert_array_equal(found, array)
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    assert found.flags.writeable


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "file.npz")
    refuse(tmp_path / "file.npz", "must be a regular file")
